"""Training on an array that stays where it is: batches are gathered, centred and scaled a chunk of steps at a time."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.optimizers import Motion
from isthmus.dynamics.sgd_step import sgd_step

CHUNK = 128
"""Steps whose batches are gathered together."""
ROWS = 1024
"""Points that go through a network together."""


class Whitening(NamedTuple):
    """x ↦ (x − mean)/unit, with one unit for all columns."""

    mean: np.ndarray
    unit: float

    def of(self, points: np.ndarray) -> np.ndarray:
        """Return points in the units of the computation."""
        return (points - self.mean.astype(points.dtype)) / points.dtype.type(self.unit)

    def undone(self, points: np.ndarray) -> np.ndarray:
        """Return points in the units of the data."""
        return points * points.dtype.type(self.unit) + self.mean.astype(points.dtype)


class Sampler:
    """Draws rows of an array with replacement, with probabilities in proportion to weights.

    Rows are drawn by their place in an order that depends on their content alone (that of their projections on a
    fixed direction), so that the points drawn depend neither on the order of the rows nor on whether a row stands twice
    or has twice the weight.
    """

    def __init__(self, points: np.ndarray, weights: np.ndarray) -> None:
        direction = np.random.default_rng(0).standard_normal(points.shape[1])
        blocks = range(0, len(points), ROWS)
        places = np.concatenate([points[first : first + ROWS].astype(float) @ direction for first in blocks])
        order = np.argsort(places, kind="stable")
        self._order = order[weights[order] > 0]
        self._levels = np.cumsum(weights[self._order])

    def rows(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return indices of rows, in an array of a shape."""
        levels = random.random(shape) * self._levels[-1]
        found = np.searchsorted(self._levels, levels, side="right")
        return self._order[np.minimum(found, len(self._order) - 1)]

    def evenly(self, count: int) -> np.ndarray:
        """Return indices of ``count`` rows at evenly spaced quantiles, a sample that is the same each time."""
        levels = (np.arange(count) + 0.5) / count * self._levels[-1]
        return self._order[np.minimum(np.searchsorted(self._levels, levels), len(self._order) - 1)]


class Memory(NamedTuple):
    """An optimizer's averages as plain arrays, and the number of steps taken."""

    averages: list[np.ndarray]
    steps: int


class Learner:
    """A network in training, with its optimizer's averages and the number of steps it has taken.

    ``memory`` is what `memory` returned of an earlier learner, whose training goes on.
    """

    def __init__(self, network: Autoencoder, motion: Motion, seed: int, memory: Memory | None = None) -> None:
        self._dtype, self._motion = np.dtype(network.encoder.bias.dtype), motion
        with computing_in(self._dtype):
            self._network = jax.tree.map(jnp.asarray, network)
            self._key = jax.random.key(seed)
            self._averages: Any = motion.optimizer.step_start(self._network)
            self._steps = 0
            if memory is not None:
                structure = jax.tree.structure(self._averages)
                self._averages, self._steps = jax.tree.unflatten(structure, memory.averages), memory.steps

    @property
    def memory(self) -> Memory:
        """What a later learner needs besides the network."""
        with computing_in(self._dtype):
            return Memory([np.asarray(leaf) for leaf in jax.tree.leaves(self._averages)], self._steps)

    @property
    def network(self) -> Autoencoder:
        """The network as it is, in NumPy arrays."""
        with computing_in(self._dtype):
            return jax.tree.map(np.asarray, self._network)

    def learn(self, batches: np.ndarray, step_size: float) -> None:
        """Take a step on each of at most `CHUNK` batches, shape (steps, B, d), in the units of the computation."""
        steps = len(batches)
        sizes = np.where(np.arange(CHUNK) < steps, step_size, 0).astype(self._dtype)
        if steps < CHUNK:  # steps of size 0 fill up the last chunk, which then is compiled like the others
            filling = np.broadcast_to(batches[:1], (CHUNK - steps, *batches.shape[1:]))
            batches = np.concatenate([batches, filling])
        with computing_in(self._dtype):
            self._network, self._averages = _learn(
                self._network, self._averages, batches, sizes, self._key, np.uint32(self._steps), self._motion
            )
        self._steps += steps


@partial(jax.jit, static_argnames="motion")
def _learn(
    network: Autoencoder,
    averages: Any,
    batches: jax.Array,
    sizes: jax.Array,
    key: jax.Array,
    first: jax.Array,
    motion: Motion,
) -> tuple[Autoencoder, Any]:
    weights = jnp.full(batches.shape[1], 1 / batches.shape[1], batches.dtype)

    def step(state: tuple[Autoencoder, Any], part: tuple) -> tuple[tuple[Autoencoder, Any], None]:
        batch, size, number = part
        noise_key = jax.random.fold_in(key, number)
        return sgd_step(*state, (batch, weights), (size, size, size), motion, noise_key), None

    numbers = first + jnp.arange(len(batches), dtype=np.uint32)
    return jax.lax.scan(step, (network, averages), (batches, sizes, numbers))[0]


def encoded(network: Autoencoder, points: np.ndarray) -> np.ndarray:
    """Return f(x) of points in the units of the computation, shape (n, k), some rows at a time."""
    return _in_rows(_encode, network, points)


def decoded(network: Autoencoder, latents: np.ndarray) -> np.ndarray:
    """Return g(z), shape (n, d), some rows at a time."""
    return _in_rows(_decode, network, latents)


def _in_rows(function: Any, network: Autoencoder, inputs: np.ndarray) -> np.ndarray:
    dtype = np.dtype(network.encoder.bias.dtype)
    parts = []
    with computing_in(dtype):
        for first in range(0, len(inputs), ROWS):
            part = np.asarray(inputs[first : first + ROWS], dtype)
            filled = 1 << int(np.ceil(np.log2(max(len(part), 8))))  # few shapes, few programs
            padded = np.concatenate([part, np.zeros((filled - len(part), part.shape[1]), dtype)])
            parts.append(np.asarray(function(network, padded))[: len(part)])
    return np.concatenate(parts)


@jax.jit
def _encode(network: Autoencoder, points: jax.Array) -> jax.Array:
    return network.encode(points)


@jax.jit
def _decode(network: Autoencoder, latents: jax.Array) -> jax.Array:
    return network.decode(latents)
