"""Training on batches that are handed over: a network, its optimizer's averages, and the average of its weights."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.optimizers import Motion
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.sgd import at_rest, sgd_step

CHUNK = 128
"""Steps, at most, whose batches are handed over together."""
LARGE = 1 << 23
"""Numbers in a chunk from which one of fewer steps isn't filled up to the same shape."""


class Memory(NamedTuple):
    """An optimizer's averages as plain arrays, and the number of steps taken."""

    averages: list[np.ndarray]
    steps: int


class Steps(NamedTuple):
    """Sizes of steps, shape (steps,) each.

    Attributes:
        sizes: ε in the time of the optimizer's memories.
        moves: what the optimizer's motion is multiplied with; ε again, unless the optimizer counts steps.
        shares: of the new weights in the average of weights; None where no average is wanted.

    """

    sizes: np.ndarray
    moves: np.ndarray
    shares: np.ndarray | None = None


class Learner:
    """A network in training, with its optimizer's averages and the number of steps it has taken.

    ``memory`` is what `memory` returned of an earlier learner, whose training goes on. With ``averaging`` an average of
    the weights is kept along the way.
    """

    def __init__(
        self, network: Autoencoder, motion: Motion, memory: Memory | None = None, *, averaging: bool = False
    ) -> None:
        self._dtype, self._motion = np.dtype(network.encoder.bias.dtype), motion
        with computing_in(self._dtype):
            self._network: Autoencoder = jax.device_put(network)
            self._average = self._network if averaging else None
            self._averages: Any = _started(self._network, motion)
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

    @property
    def average(self) -> Autoencoder:
        """The average of the weights, in NumPy arrays."""
        with computing_in(self._dtype):
            return jax.tree.map(np.asarray, self._average)

    def learn(self, batches: np.ndarray, steps: Steps) -> None:
        """Take a step on each of at most `CHUNK` batches, shape (steps, B, d), in the units of the computation."""
        count = len(batches)
        few = CHUNK * batches[0].size <= LARGE
        chunk = CHUNK if few else 1 << (count - 1).bit_length()
        if count < chunk:  # so that chunks have few shapes, for each of which the program is compiled once
            filling = np.broadcast_to(batches[:1], (chunk - count, *batches.shape[1:]))
            batches = np.concatenate([batches, filling])
            steps = Steps(*(None if part is None else np.pad(part, (0, chunk - count)) for part in steps))  # pyright: ignore[reportArgumentType]
        in_precision = [None if part is None else part.astype(self._dtype) for part in steps]
        with computing_in(self._dtype):
            self._network, self._averages, self._average = _learned(
                (self._network, self._averages, self._average), batches, *in_precision, np.int32(count), self._motion
            )
        self._steps += count


@partial(jax.jit, static_argnames="motion")
def _started(network: Autoencoder, motion: Motion) -> Any:
    return motion.optimizer.step_start(at_rest(network))


@partial(jax.jit, static_argnames="motion")
def _learned(
    state: tuple[Autoencoder, Any, Autoencoder | None],
    batches: jax.Array,
    sizes: jax.Array,
    moves: jax.Array,
    shares: jax.Array | None,
    count: jax.Array,
    motion: Motion,
) -> tuple[Autoencoder, Any, Autoencoder | None]:
    weights = jnp.full(batches.shape[1], 1 / batches.shape[1], batches.dtype)
    noiseless = jax.random.key(0)  # the temperature of an estimator's motion is 0

    def step(number: jax.Array, state: tuple[Autoencoder, Any, Autoencoder | None]) -> Any:
        network, averages, average = state
        move = moves[number]
        field = VectorField(batches[number], weights, motion)
        network, averages = sgd_step(field, network, averages, (sizes[number], move, move), noiseless)
        if average is not None and shares is not None:
            share = shares[number]
            average = jax.tree.map(lambda old, new: old + share * (new - old), average, network)
        return network, averages, average

    return jax.lax.fori_loop(0, count, step, state)
