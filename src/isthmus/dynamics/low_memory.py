"""An adaptive Runge–Kutta method that needs little more memory than the state: for very many neurons."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder, decayed, residuals, seen
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.rates import Rate, both_at
from isthmus.dynamics.integrators import BOGACKI_SHAMPINE
from isthmus.dynamics.placement import Placement
from isthmus.dynamics.step_control import step_factor

_SECOND, _THIRD, _NEXT = BOGACKI_SHAMPINE.steps[1:]
_ERRORS = BOGACKI_SHAMPINE.errors
CHUNK = 1 << 14
"""Neurons that are moved at once."""
WORTH_TRIMMING = 64 << 20
"""Bytes of a state from which on freed memory is given back, which costs time,"""
CHUNKS_A_TRIM = 8
"""each time so many chunks have been moved."""
LARGEST_FACTOR = 5.0

Chunks = list[NeuronMeasure]


class Path(NamedTuple):
    """Risks (T,), snapshots with a leading axis, whether the horizon was reached, and in how many steps."""

    risk: np.ndarray
    snapshots: Autoencoder | None
    successful: bool
    steps: int


class System(NamedTuple):
    """What doesn't change along the flow: points (n, d) with weights, rates, and where neurons live."""

    activations: tuple[Activation, Activation]
    train_biases: bool
    weight_decay: tuple[float, float]
    points: jax.Array
    weights: jax.Array
    rates: tuple[Rate, Rate]
    placement: Placement


def low_memory_path(
    start: Autoencoder,
    system: System,
    stops: np.ndarray,
    times: np.ndarray,
    snapshot_indices: np.ndarray,
    tolerances: tuple[float, float],
    max_steps: int,
) -> Path:
    """Follow the flow with the method of Bogacki and Shampine, of order 3(2), a chunk of neurons at a time.

    The state, the next one, the error and an intermediate state are there at once; velocities only of one chunk. Steps
    end at the stops; the first one is tried at a hundredth of the horizon.
    """
    state = (_chunks(start.encoder, system.placement), _chunks(start.decoder, system.placement))
    risk, snapshots = np.full(len(times), np.nan), []
    now, size, steps = 0.0, float(times[-1]) / 100, 0
    targets = iter(stops[stops > 0])
    stop = next(targets, np.inf)
    for index, time in enumerate(times):
        while now < time and steps < max_steps:
            steps += 1
            last = now + 1.001 * size >= stop
            step = stop - now if last else size
            following, error = _step(state, now, step, tolerances, system)
            if error <= 1:
                state, now = following, stop if last else now + step
                stop = next(targets, np.inf) if last else stop
            del following
            factor = step_factor(error, LARGEST_FACTOR)
            # A step that was cut short at a stop and passed says nothing against the size that was planned.
            size = max(size, step * factor) if last and error <= 1 else step * factor
        if now < time:
            break
        risk[index] = _risk(state, system)
        if index in snapshot_indices:
            snapshots.append(_whole(state, start, system.placement))
    reached = bool(np.isfinite(risk).all())
    kept = jax.tree.map(lambda *leaves: np.stack(leaves), *snapshots) if snapshots and reached else None
    return Path(risk, kept, reached, steps)


def _chunks(measure: NeuronMeasure, placement: Placement) -> Chunks:
    part = lambda first: jax.tree.map(lambda leaf: leaf[first : first + CHUNK], measure)
    return [placement.place(part(first), spread=True) for first in range(0, measure.width, CHUNK)]


def _whole(state: tuple[Chunks, Chunks], like: Autoencoder, placement: Placement) -> Autoencoder:
    join = lambda *leaves: np.concatenate([placement.fetch(leaf) for leaf in leaves])
    encoder, decoder = (jax.tree.map(join, *chunks) for chunks in state)
    return like.with_measures(encoder, decoder)


def _outputs(chunks: Chunks, phi: Activation, inputs: jax.Array, placement: Placement) -> jax.Array:
    total = 0.0
    for chunk in chunks:
        total = jax.block_until_ready(total + _outputs_of_chunk(chunk, inputs, phi, placement))
    return total  # pyright: ignore[reportReturnType]  (there is a chunk)


def _risk(state: tuple[Chunks, Chunks], system: System) -> float:
    latents = _outputs(state[0], system.activations[0], seen(system.points), system.placement)
    left = residuals(_outputs(state[1], system.activations[1], latents, system.placement), system.points)
    return float(system.placement.fetch(jnp.dot(system.weights, jnp.square(left).sum(axis=1)) / 2))


def _step(
    state: tuple[Chunks, Chunks], now: float, size: float, tolerances: tuple[float, float], system: System
) -> tuple[tuple[Chunks, Chunks], float]:
    """Return the state after one step, and the root mean square of its error over the tolerance."""
    dtype = system.points.dtype
    following, error, ahead = (([None] * len(state[0]), [None] * len(state[1])) for _ in range(3))
    large = sum(leaf.nbytes for leaf in jax.tree.leaves(state)) > WORTH_TRIMMING

    def stage(share: float, at: Any, advance: Callable[[int, int, NeuronMeasure], None]) -> None:
        for side, index, slope in _slopes(at, now + share * size, system):
            advance(side, index, slope)
            # Without waiting, the memory of all chunks to come would be taken at once.
            jax.block_until_ready((following[side][index], error[side][index], ahead[side][index]))
            if large and index % CHUNKS_A_TRIM == 0:
                _return_free_memory()

    def begin(side: int, index: int, slope: NeuronMeasure) -> None:
        sizes = tuple(jnp.asarray(size * b, dtype) for b in (_NEXT[0], _ERRORS[0], _SECOND[0]))
        chunk = state[side][index]
        following[side][index], error[side][index], ahead[side][index] = _begin(chunk, slope, sizes)

    def go_on(into_next: float, into_error: float, forward: float) -> Callable[[int, int, NeuronMeasure], None]:
        sizes = tuple(jnp.asarray(size * b, dtype) for b in (into_next, into_error, forward))

        def advance(side: int, index: int, slope: NeuronMeasure) -> None:
            parts = (following[side][index], error[side][index], ahead[side][index])
            following[side][index], error[side][index], ahead[side][index] = _go_on(
                *parts, state[side][index], slope, sizes
            )

        return advance

    squares = []

    def assess(side: int, index: int, slope: NeuronMeasure) -> None:
        numbers = tuple(jnp.asarray(value, dtype) for value in (size * _ERRORS[3], *tolerances))
        squares.append(_square(error[side][index], slope, state[side][index], following[side][index], numbers))
        error[side][index] = None

    shares = BOGACKI_SHAMPINE.shares
    stage(shares[0], state, begin)
    stage(shares[1], ahead, go_on(_NEXT[1], _ERRORS[1], _THIRD[1]))
    stage(shares[2], ahead, go_on(_NEXT[2], _ERRORS[2], 0.0))
    ahead = ([None] * len(state[0]), [None] * len(state[1]))
    stage(shares[3], following, assess)
    count = sum(leaf.size for leaf in jax.tree.leaves(state))
    norm = np.sqrt(sum(float(system.placement.fetch(square)) for square in squares) / count)
    return following, float(norm)  # pyright: ignore[reportReturnType]  (every chunk has been set)


def _return_free_memory() -> None:
    """Give freed memory back to the system, where the C library has a call for it; it otherwise keeps the gaps."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _slopes(at: tuple[Chunks, Chunks], time: float, system: System) -> Iterator[tuple[int, int, NeuronMeasure]]:
    """Yield the side, index and velocity of each chunk in turn; a chunk may be overwritten once it was yielded."""
    (encoder, decoder), placement = at, system.placement
    phi_e, phi_d = system.activations
    rate_e, rate_d = (-rate for rate in both_at(system.rates, time, system.points.dtype))
    inputs = seen(system.points)
    latents = _outputs(encoder, phi_e, inputs, placement)
    pull = system.weights[:, None] * residuals(_outputs(decoder, phi_d, latents, placement), system.points)
    pull_on_latents = jnp.zeros_like(latents)
    for index in range(len(decoder)):
        slope, part = _response_of_chunk(
            decoder[index], latents, pull, rate_d, phi_d, placement, system.train_biases, system.weight_decay[1]
        )
        pull_on_latents = pull_on_latents + part
        yield 1, index, slope
    for index in range(len(encoder)):
        slope, _ = _response_of_chunk(
            encoder[index],
            inputs,
            pull_on_latents,
            rate_e,
            phi_e,
            placement,
            system.train_biases,
            system.weight_decay[0],
        )
        yield 0, index, slope


@partial(jax.jit, static_argnames=("phi", "placement"))
def _outputs_of_chunk(chunk: NeuronMeasure, inputs: jax.Array, phi: Activation, placement: Placement) -> jax.Array:
    return placement.outputs(chunk, phi, inputs)


@partial(jax.jit, static_argnames=("phi", "placement", "train_biases", "decay"))
def _response_of_chunk(
    chunk: NeuronMeasure,
    inputs: jax.Array,
    pull: jax.Array,
    rate: jax.Array,
    phi: Activation,
    placement: Placement,
    train_biases: bool,
    decay: float,
) -> tuple[NeuronMeasure, jax.Array]:
    slope, pull_on_inputs = placement.response(chunk, phi, inputs, pull, rate, train_biases)
    return decayed(slope, chunk, -rate, decay, train_biases), pull_on_inputs


def _plus(tree: NeuronMeasure, size: jax.Array, slope: NeuronMeasure) -> NeuronMeasure:
    return jax.tree.map(lambda leaf, s: leaf + size * s, tree, slope)


@jax.jit
def _begin(chunk: NeuronMeasure, slope: NeuronMeasure, sizes: tuple) -> tuple:
    return _plus(chunk, sizes[0], slope), jax.tree.map(lambda s: sizes[1] * s, slope), _plus(chunk, sizes[2], slope)


@partial(jax.jit, donate_argnums=(0, 1, 2))
def _go_on(following, error, ahead, chunk, slope, sizes) -> tuple:
    del ahead  # given up, for its memory
    return _plus(following, sizes[0], slope), _plus(error, sizes[1], slope), _plus(chunk, sizes[2], slope)


@jax.jit
def _square(error, slope, chunk, following, numbers) -> jax.Array:
    """Return the sum of squares of the error, with its last term, over the tolerance."""
    size, rtol, atol = numbers
    ratio = lambda e, a, b: jnp.sum(jnp.square(e / (atol + rtol * jnp.maximum(jnp.abs(a), jnp.abs(b)))))
    return jax.tree.reduce(jnp.add, jax.tree.map(ratio, _plus(error, size, slope), chunk, following))
