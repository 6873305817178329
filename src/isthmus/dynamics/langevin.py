"""Mean-field Langevin dynamics of weighted neurons: each moves with its velocity and a Brownian motion of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.integrators import Tolerances, moved


class Pair(NamedTuple):
    """Two solves along the same Brownian paths, the second with steps half as long."""

    coarse: Autoencoder
    fine: Autoencoder


class NoisySolver:
    """Follows dθ = v dt + √(2ξτ) dB by Heun's method, of weak order 2 since the noise is additive.

    It takes ``steps`` steps over the whole horizon, or a few more, so that steps end at the stops.
    """

    def __init__(self, field: VectorField, start: Autoencoder, steps: int, key: jax.Array) -> None:
        start = jax.tree.map(jnp.asarray, start)
        self._field, self._begin, self._steps, self._key = field, Pair(start, start), steps, key

    def states_at(self, stops: np.ndarray, tolerances: Tolerances) -> Iterator[tuple[Pair, bool, int]]:
        """Yield at each stop both states, whether it was reached, and the number of steps so far."""
        pair, taken, size = self._begin, 0, stops[-1] / self._steps
        for begin, end in zip(np.append(0.0, stops[:-1]), stops, strict=True):
            count = int(np.ceil((end - begin) / size * (1 - 1e-9))) if end > 0 else 0
            if count > 0:
                clock = (jnp.asarray(value, self._field.dtype) for value in (begin, (end - begin) / count))
                pair = _advance(self._field, pair, *clock, count, taken, self._key)
                taken += count
            yield pair, True, taken

    def risk(self, state: Pair) -> np.ndarray:
        """Return the risk of both solves, shape (2,)."""
        return np.array([float(_risk(self._field, network)) for network in state])

    def network(self, state: Pair) -> Autoencoder:
        """Return the network of the finer solve in NumPy arrays."""
        return jax.tree.map(np.asarray, state.fine)


_risk = jax.jit(VectorField.risk)


@jax.jit
def _advance(
    field: VectorField,
    pair: Pair,
    begin: jax.Array,
    size: jax.Array,
    count: jax.Array,
    taken: jax.Array,
    key: jax.Array,
) -> Pair:
    """Take ``count`` steps of a size from a time on, and twice as many of the fine solve."""

    def heun(state: Autoencoder, time: jax.Array, size: jax.Array, kick: Autoencoder) -> Autoencoder:
        first = field.velocity(state, time)
        second = field.velocity(moved(moved(state, size, first), 1.0, kick), time + size)
        return moved(moved(moved(state, size / 2, first), size / 2, second), 1.0, kick)

    def step(index: jax.Array, pair: Pair) -> Pair:
        coarse, fine = pair
        time, half = begin + index * size, size / 2
        keys = jax.random.split(jax.random.fold_in(key, taken + index))
        kicks = []
        for part, own in enumerate(keys):
            rates = field.rates(time + (part + 0.5) * half)
            scales = [jnp.sqrt(2 * rate * field.motion.temperature * half) for rate in rates]
            kicks.append(field.noise(coarse, own, (scales[0], scales[1])))
            fine = heun(fine, time + part * half, half, kicks[-1])
        return Pair(heun(coarse, time, size, moved(kicks[0], 1.0, kicks[1])), fine)

    return jax.lax.fori_loop(0, count, step, pair)
