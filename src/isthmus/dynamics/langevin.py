"""Mean-field Langevin dynamics of weighted neurons: each moves with its velocity and a Brownian motion of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.optimizers import Motion
from isthmus.core.rates import both_at

FIRST_STEPS = 64
"""Over the whole horizon, of the coarsest solve that is tried."""


class NoisyPath(NamedTuple):
    """Risks (T,) with the error of their time steps, snapshots, whether the horizon was reached, and the steps."""

    risk: np.ndarray
    step_error: np.ndarray
    snapshots: Autoencoder | None
    successful: bool
    steps: int


def langevin_path(
    start: Autoencoder,
    points: jax.Array,
    weights: jax.Array,
    motion: Motion,
    times: np.ndarray,
    snapshot_indices: np.ndarray,
    rtol: float,
    max_steps: int,
    key: jax.Array,
) -> NoisyPath:
    """Follow dθ = v dt + √(2ξτ) dB by Heun's method, of weak order 2 since the noise is additive.

    Two solves run side by side along the same Brownian paths, one with steps half as long; their difference is the
    error of the steps. The steps are halved until it is below ``rtol`` of the largest risk at every time.
    """
    start = jax.tree.map(jnp.asarray, start)
    total = FIRST_STEPS
    while True:
        ends = np.concatenate([[0.0], times]) if times[0] > 0 else times
        counts = np.maximum(1, np.ceil(np.diff(ends) / (times[-1] / total) * (1 - 1e-9))).astype(int)
        coarse = fine = start
        risks, snapshots, steps = [], [], 0
        if times[0] == 0:
            risks.append([float(start.risk(points, weights))] * 2)
            snapshots.append(start)
        for begin, end, count in zip(ends[:-1], ends[1:], counts, strict=True):
            clock = [jnp.asarray(value, points.dtype) for value in (begin, (end - begin) / count)]
            coarse, fine, both = _advance(
                coarse, fine, points, weights, motion, (clock[0], clock[1]), count, steps, key
            )
            risks.append([float(risk) for risk in both])
            snapshots.append(fine)
            steps += int(count)
        pair = np.array(risks)
        error = np.abs(pair[:, 0] - pair[:, 1])
        fulfilled = bool(np.all(error <= rtol * np.abs(pair[:, 1]).max()))  # not so where one is NaN
        if fulfilled or 2 * steps > max_steps:
            break
        total *= 2
    kept = [jax.tree.map(np.asarray, snapshots[index]) for index in snapshot_indices] if fulfilled else []
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *kept) if kept else None
    return NoisyPath(np.where(np.isfinite(pair[:, 1]), pair[:, 1], np.nan), error, stacked, fulfilled, steps)


def noise(network: Autoencoder, key: jax.Array, scales: Sequence[jax.Array]) -> Autoencoder:
    """Return independent normals in the place of all that is trained, with a standard deviation for each side."""

    def side(measure: NeuronMeasure, key: jax.Array, scale: jax.Array) -> NeuronMeasure:
        keys = jax.random.split(key, 3)
        draw = lambda key, like: scale * jax.random.normal(key, like.shape, like.dtype)
        bias = draw(keys[2], measure.bias) if network.train_biases else jnp.zeros_like(measure.bias)
        return NeuronMeasure(
            jnp.zeros_like(measure.masses), draw(keys[0], measure.outgoing), draw(keys[1], measure.incoming), bias
        )

    keys = jax.random.split(key)
    return network.with_measures(side(network.encoder, keys[0], scales[0]), side(network.decoder, keys[1], scales[1]))


@partial(jax.jit, static_argnames="motion")
def _advance(
    coarse: Autoencoder,
    fine: Autoencoder,
    points: jax.Array,
    weights: jax.Array,
    motion: Motion,
    clock: tuple[jax.Array, jax.Array],
    count: jax.Array,
    taken: jax.Array,
    key: jax.Array,
) -> tuple[Autoencoder, Autoencoder, tuple[jax.Array, jax.Array]]:
    """Take ``count`` steps of a size from a time on, and twice as many of the fine solve; return both, and risks."""
    begin, size = clock

    def moved(state: Autoencoder, *terms: tuple[jax.Array | float, Autoencoder]) -> Autoencoder:
        for size, slope in terms:
            state = jax.tree.map(lambda leaf, s, size=size: leaf + size * s, state, slope)
        return state

    def velocity(state: Autoencoder, time: jax.Array) -> Autoencoder:
        return state.velocity(points, weights, *both_at(motion.rates, time, points.dtype))

    def heun(state: Autoencoder, time: jax.Array, size: jax.Array, kick: Autoencoder) -> Autoencoder:
        first = velocity(state, time)
        second = velocity(moved(state, (size, first), (1.0, kick)), time + size)
        return moved(state, (size / 2, first), (size / 2, second), (1.0, kick))

    def step(index: jax.Array, states: tuple[Autoencoder, Autoencoder]) -> tuple[Autoencoder, Autoencoder]:
        coarse, fine = states
        time, half = begin + index * size, size / 2
        keys = jax.random.split(jax.random.fold_in(key, taken + index))
        kicks = []
        for part, own in enumerate(keys):
            middle = both_at(motion.rates, time + (part + 0.5) * half, points.dtype)
            kicks.append(noise(coarse, own, [jnp.sqrt(2 * rate * motion.temperature * half) for rate in middle]))
            fine = heun(fine, time + part * half, half, kicks[-1])
        return heun(coarse, time, size, moved(kicks[0], (1.0, kicks[1]))), fine

    coarse, fine = jax.lax.fori_loop(0, count, step, (coarse, fine))
    return coarse, fine, (coarse.risk(points, weights), fine.risk(points, weights))
