"""The adaptive method of Bogacki and Shampine with little more memory than the state: for very many neurons."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder, network_outputs, network_response, residuals, seen
from isthmus.core.blocks import block_sizes
from isthmus.core.neurons import NeuronMeasure
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.integrators import BOGACKI_SHAMPINE, FIRST, Tolerances, judged, moved, planned
from isthmus.dynamics.placement import COPIED, SPREAD, Placement

_SECOND, _THIRD, _NEXT = BOGACKI_SHAMPINE.steps[1:]
_ERRORS = BOGACKI_SHAMPINE.errors
NEURONS_AT_ONCE = 1 << 14
"""Neurons of a chunk, whose velocities are there at once."""
WORTH_TRIMMING = 64 << 20
"""Bytes of a state from which on freed memory is given back to the system, which costs time."""
CHUNKS_A_TRIM = 8
"""Chunks that are moved between two times at which freed memory is given back."""

Chunks = list[NeuronMeasure]
ChunkedState = tuple[Chunks, Chunks]


class LowMemorySolver:
    """Follows a field a chunk of neurons at a time.

    The state, the next one, the error and an intermediate state are there at once; velocities only of one chunk.
    """

    def __init__(self, field: VectorField, start: Autoencoder) -> None:
        self._field, self._start = field, start
        self._inputs, self._phis = seen(field.points), (start.encoder_activation, start.decoder_activation)

    def states_at(self, stops: np.ndarray, tolerances: Tolerances) -> Iterator[tuple[ChunkedState, bool, int]]:
        """Yield at each stop the state, whether it was reached, and the number of steps so far."""
        number = partial(jnp.asarray, dtype=self._field.dtype)
        # Nothing else may hold these chunks, which are given up after the first step.
        state: ChunkedState = (self._chunks(self._start.encoder), self._chunks(self._start.decoder))
        now, size, steps = number(0.0), number(FIRST * float(stops[-1])), 0
        for stop in map(number, stops):
            while now < stop and steps < tolerances.max_steps:
                steps += 1
                step, is_last = planned(now, size, stop)
                following, error = self._step(state, float(now), float(step), tolerances)
                passed, size = judged(number(error), BOGACKI_SHAMPINE.order, size, step, is_last)
                if passed:
                    state, now = following, stop if is_last else now + step
                del following
            yield state, bool(now >= stop), steps

    def risk(self, state: ChunkedState) -> float:
        """Return the risk."""
        _, outputs = self._forward(state)
        return float(self._field.placement.fetch(_risk_of_outputs(self._field, outputs)))

    def network(self, state: ChunkedState) -> Autoencoder:
        """Return the network in NumPy arrays."""
        join = lambda *leaves: np.concatenate([self._field.placement.fetch(leaf) for leaf in leaves])
        return self._start.with_measures(*(jax.tree.map(join, *chunks) for chunks in state))

    def _chunks(self, measure: NeuronMeasure) -> Chunks:
        part = lambda first: jax.tree.map(lambda leaf: leaf[first : first + NEURONS_AT_ONCE], measure)
        firsts = range(0, measure.width, NEURONS_AT_ONCE)
        return [self._field.placement.place(part(first), spread=True) for first in firsts]

    def _forward(self, state: ChunkedState) -> tuple[jax.Array, jax.Array]:
        """Return the latents and reconstructions of all points."""
        latents = self._outputs(0, state[0], self._inputs)
        return latents, self._outputs(1, state[1], latents)

    def _outputs(self, side: int, chunks: Chunks, inputs: jax.Array) -> jax.Array:
        total = 0.0
        for chunk in chunks:
            total = jax.block_until_ready(
                total + _outputs_of_chunk(self._field.placement, chunk, inputs, self._phis[side])
            )
        return total  # pyright: ignore[reportReturnType]  (there is a chunk)

    def _velocities(self, state: ChunkedState, time: float) -> Iterator[tuple[int, int, NeuronMeasure]]:
        """Yield the side, index and velocity of each chunk; a chunk may be overwritten once it was yielded."""
        field = self._field
        rates = field.rates(jnp.asarray(time, field.dtype))
        latents, outputs = self._forward(state)
        pull = _pull_on_outputs(field, outputs)
        pull_on_latents = jnp.zeros_like(latents)
        for index, chunk in enumerate(state[1]):
            velocity, part = _velocity_of_chunk(field, chunk, latents, pull, rates[1], 1, self._phis[1])
            pull_on_latents = pull_on_latents + part
            yield 1, index, velocity
        for index, chunk in enumerate(state[0]):
            velocity, _ = _velocity_of_chunk(field, chunk, self._inputs, pull_on_latents, rates[0], 0, self._phis[0])
            yield 0, index, velocity

    def _step(
        self, state: ChunkedState, now: float, size: float, tolerances: Tolerances
    ) -> tuple[ChunkedState, jax.Array]:
        """Return the state after one step, and the root mean square of its error over the tolerance."""
        numbers = lambda *values: tuple(jnp.asarray(value, self._field.dtype) for value in values)
        following, error, ahead = (([None] * len(state[0]), [None] * len(state[1])) for _ in range(3))
        large = sum(leaf.nbytes for leaf in jax.tree.leaves(state)) > WORTH_TRIMMING

        def stage(share: float, at: ChunkedState, advance: Callable[[int, int, NeuronMeasure], None]) -> None:
            for side, index, velocity in self._velocities(at, now + share * size):
                advance(side, index, velocity)
                # Without waiting, the memory of all chunks to come would be taken at once.
                jax.block_until_ready((following[side][index], error[side][index], ahead[side][index]))
                if large and index % CHUNKS_A_TRIM == 0:
                    _return_free_memory()

        def begin(side: int, index: int, velocity: NeuronMeasure) -> None:
            sizes = numbers(size * _NEXT[0], size * _ERRORS[0], size * _SECOND[0])
            started = _begin(state[side][index], velocity, sizes)
            following[side][index], error[side][index], ahead[side][index] = started

        def go_on(into_next: float, into_error: float, forward: float) -> Callable[[int, int, NeuronMeasure], None]:
            sizes = numbers(size * into_next, size * into_error, size * forward)

            def advance(side: int, index: int, velocity: NeuronMeasure) -> None:
                parts = (following[side][index], error[side][index], ahead[side][index])
                parts = _go_on(*parts, state[side][index], velocity, sizes)
                following[side][index], error[side][index], ahead[side][index] = parts

            return advance

        squares = []

        def assess(side: int, index: int, velocity: NeuronMeasure) -> None:
            chunks = error[side][index], velocity, state[side][index], following[side][index]
            squares.append(_square(*chunks, numbers(size * _ERRORS[3], tolerances.rtol, tolerances.atol)))
            error[side][index] = None

        shares = BOGACKI_SHAMPINE.shares
        stage(shares[0], state, begin)
        stage(shares[1], ahead, go_on(_NEXT[1], _ERRORS[1], _THIRD[1]))  # pyright: ignore[reportArgumentType]
        stage(shares[2], ahead, go_on(_NEXT[2], _ERRORS[2], 0.0))  # pyright: ignore[reportArgumentType]
        ahead = ([None] * len(state[0]), [None] * len(state[1]))
        stage(shares[3], following, assess)  # pyright: ignore[reportArgumentType]
        count = sum(leaf.size for leaf in jax.tree.leaves(state))
        norm = jnp.sqrt(sum(self._field.placement.fetch(square) for square in squares) / count)
        return following, norm  # pyright: ignore[reportReturnType]  (every chunk has been set)


def _return_free_memory() -> None:
    """Give freed memory back to the system, where the C library has a call for it; it otherwise keeps the gaps."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


@jax.jit
def _pull_on_outputs(field: VectorField, outputs: jax.Array) -> jax.Array:
    """Return p(x) (x̂ − x), given the reconstructions of all points."""
    return field.weights[:, None] * residuals(outputs, field.points)


@jax.jit
def _risk_of_outputs(field: VectorField, outputs: jax.Array) -> jax.Array:
    return jnp.dot(field.weights, jnp.square(residuals(outputs, field.points)).sum(axis=1)) / 2


@partial(jax.jit, static_argnames=("placement", "phi"))
def _outputs_of_chunk(placement: Placement, chunk: NeuronMeasure, inputs: jax.Array, phi: Activation) -> jax.Array:
    block = block_sizes(chunk.width, len(inputs))[0]
    evaluate = lambda chunk, inputs, axis=None: network_outputs(chunk, phi, inputs, block, axis)
    return placement.on_mesh(evaluate, (SPREAD, COPIED), COPIED)(chunk, inputs)


@partial(jax.jit, static_argnames=("side", "phi"))
def _velocity_of_chunk(
    field: VectorField,
    chunk: NeuronMeasure,
    inputs: jax.Array,
    pull: jax.Array,
    rate: jax.Array,
    side: int,
    phi: Activation,
) -> tuple[NeuronMeasure, jax.Array]:
    """Return the velocity of a chunk of a side's neurons under a pull on its outputs, and the pull on its inputs."""
    block = block_sizes(chunk.width, len(inputs))[0]

    def respond(
        chunk: NeuronMeasure, inputs: jax.Array, pull: jax.Array, rate: jax.Array, axis: str | None = None
    ) -> tuple[NeuronMeasure, jax.Array]:
        return network_response(chunk, phi, inputs, pull, rate, block, axis)

    respond = field.placement.on_mesh(respond, (SPREAD, COPIED, COPIED, COPIED), (SPREAD, COPIED))
    velocity, pull_on_inputs = respond(chunk, inputs, pull, -rate)
    return field.penalised(side, chunk, velocity, rate, field.weights), pull_on_inputs


@jax.jit
def _begin(chunk: NeuronMeasure, velocity: NeuronMeasure, sizes: tuple) -> tuple:
    return (
        moved(chunk, sizes[0], velocity),
        jax.tree.map(lambda v: sizes[1] * v, velocity),
        moved(chunk, sizes[2], velocity),
    )


@partial(jax.jit, donate_argnums=(0, 1, 2))
def _go_on(following, error, ahead, chunk, velocity, sizes) -> tuple:
    del ahead  # given up, for its memory
    return moved(following, sizes[0], velocity), moved(error, sizes[1], velocity), moved(chunk, sizes[2], velocity)


@jax.jit
def _square(error, velocity, chunk, following, numbers) -> jax.Array:
    """Return the sum of squares of the error, with its last term, over the tolerance."""
    size, rtol, atol = numbers
    ratio = lambda e, a, b: jnp.sum(jnp.square(e / (atol + rtol * jnp.maximum(jnp.abs(a), jnp.abs(b)))))
    return jax.tree.reduce(jnp.add, jax.tree.map(ratio, moved(error, size, velocity), chunk, following))
