"""Minibatches: with replacement, in a fresh random order each epoch, each point at most once, or from a stream."""

from __future__ import annotations

from functools import partial
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from isthmus import _checks
from isthmus.core.data import Stream
from isthmus.core.problem import Problem
from isthmus.dynamics.step_plan import LONGEST_CHUNK, StepPlan

Sampling = Literal["with_replacement", "without_replacement", "one_pass"]
LENGTHS = (32, LONGEST_CHUNK)
"""Steps of a chunk for which batches are drawn: the first of these that suffices for all chunks of a group."""
FEWEST_DRAWS = 256
"""Points that a program draws at least; those that draw more draw a power of 2, so that there are few of them."""
SAMPLINGS: tuple[Sampling, ...] = ("with_replacement", "without_replacement", "one_pass")


def check_sampling(problem: Problem, sampling: Sampling | None, batch_size: int, steps: int) -> Sampling:
    """Return the sampling asked for, or the default of the problem, refused where the points don't suffice."""
    if isinstance(problem.data, Stream):
        if sampling not in (None, "one_pass"):
            _checks.choice("sampling", sampling, SAMPLINGS)
            _checks.refuse("sampling", "be 'one_pass' for a stream", sampling)
        return "one_pass"
    chosen = "with_replacement" if sampling is None else _checks.choice("sampling", sampling, SAMPLINGS)
    size = problem.data.size
    if chosen != "with_replacement" and batch_size > size:
        _checks.refuse("batch_size", f"be at most the number of points {size} without replacement", batch_size)
    if chosen == "one_pass" and steps > size // batch_size:
        hint = "shorten the horizon, enlarge the step size, or use a Stream"
        taken = _checks.described(f"'one_pass' with {steps} steps of {batch_size}")
        _checks.refuse("sampling", f"use each of the {size} points at most once", taken, hint)
    return chosen  # pyright: ignore[reportReturnType]  (it is one of SAMPLINGS)


class Batches(eqx.Module):
    """A source of minibatches (points (B, d), weights (B,)) whose weighted sums have expectation E over the data."""

    points: jax.Array
    weights: jax.Array
    size: int = eqx.field(static=True)
    sampling: Sampling = eqx.field(static=True)
    uniform: bool = eqx.field(static=True)
    stream: Stream | None = eqx.field(static=True)

    @classmethod
    def of(cls, problem: Problem, size: int, sampling: Sampling, dtype: np.dtype) -> Batches:
        """Return batches of ``size`` points in the given precision."""
        population = problem.population
        return cls(
            jnp.asarray(population.points, dtype),
            jnp.asarray(population.weights, dtype),
            size,
            sampling,
            bool(np.ptp(population.weights) == 0),
            problem.data if isinstance(problem.data, Stream) else None,
        )

    def first_order(self) -> jax.Array:
        """Return the order of the points that `batch` carries from step to step; the first epoch replaces it."""
        return jnp.arange(len(self.points), dtype=np.int32)

    def draws(self, key: jax.Array, first: jax.Array, length: int) -> jax.Array:
        """Return what can be drawn ahead for ``length`` steps from step ``first`` on, shape (length, B).

        Draws for more steps begin with those for fewer. Without replacement there are none, shape (length, 0).
        """
        return self._drawn(key, jnp.asarray(first)[None], length).reshape(length, -1)

    def draws_of(self, key: jax.Array, plan: StepPlan) -> np.ndarray:
        """Return `draws` for the steps of each chunk, shape (chunks, LONGEST_CHUNK, B or 0), filled up with 0.

        They come from a program of their own, which networks of all widths and batches of many sizes share: it takes as
        long to compile as the steps do.
        """
        needed = int(plan.counts.max())
        length = next(length for length in LENGTHS if length >= needed)
        drawn = np.asarray(self._drawn(key, plan.first, length))
        chunks, size = len(drawn), drawn.shape[1] // length
        filled = np.zeros((chunks, LONGEST_CHUNK, size), np.int32)
        filled[:, :length] = drawn.reshape(chunks, length, size)
        return filled

    def _drawn(self, key: jax.Array, firsts: jax.Array, length: int) -> jax.Array:
        """Return draws from each of ``firsts`` on, one after the other, shape (chunks, length × B or 0)."""
        if self.sampling != "with_replacement":
            return jnp.zeros((len(firsts), 0), np.int32)
        count = length * self.size
        entries = max(FEWEST_DRAWS, 1 << (count - 1).bit_length())
        if self.uniform:
            return _rows(key, firsts, np.int32(len(self.points)), entries)[:, :count]
        return _weighted_rows(key, firsts, self.weights, entries)[:, :count]

    def batch(
        self, key: jax.Array, step: jax.Array, drawn: jax.Array, order: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Return the points and weights of the batch of one step, and the order to carry on."""
        if self.stream is not None:
            fresh = self.stream.sample(jax.random.fold_in(key, step), self.size)
            return fresh.astype(self.points.dtype), self._equal, order
        chosen, weights, order = self.rows(key, step, drawn, order)
        return self.points[chosen], weights, order

    def rows(
        self, key: jax.Array, step: jax.Array, drawn: jax.Array, order: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Return which points of the data the batch of one step takes, their weights, and the order to carry on."""
        if self.sampling == "with_replacement":
            return drawn, self._equal, order
        count = len(self.points)
        epoch, place = jnp.divmod(step, count // self.size)

        def shuffled() -> jax.Array:
            return jax.random.permutation(jax.random.fold_in(key, epoch), count).astype(np.int32)

        order = jax.lax.cond(place == 0, shuffled, lambda: order)
        chosen = jax.lax.dynamic_slice_in_dim(order, place * self.size, self.size)
        # In an epoch every point comes up once, whatever its weight, so the weight enters here.
        return chosen, self.weights[chosen] * (count / self.size), order

    @property
    def _equal(self) -> jax.Array:
        return jnp.full(self.size, 1 / self.size, self.points.dtype)


# What is drawn depends on the place in the order of draws alone, and not on how many there are.


@partial(jax.jit, static_argnames="entries")
def _rows(key: jax.Array, firsts: jax.Array, count: jax.Array, entries: int) -> jax.Array:
    """Return draws among ``count`` rows for each of the first steps, shape (chunks, entries)."""
    drawn = lambda first: jax.random.randint(jax.random.fold_in(key, first), (entries,), 0, count, np.int32)
    return jax.vmap(drawn)(firsts)


@partial(jax.jit, static_argnames="entries")
def _weighted_rows(key: jax.Array, firsts: jax.Array, weights: jax.Array, entries: int) -> jax.Array:
    """Return draws among rows by their weights for each of the first steps, shape (chunks, entries)."""
    cumulated = jnp.cumsum(weights)

    def drawn(first: jax.Array) -> jax.Array:
        levels = jax.random.uniform(jax.random.fold_in(key, first), (entries,), np.float32)
        found = jnp.searchsorted(cumulated, levels.astype(cumulated.dtype) * cumulated[-1], side="right")
        return jnp.minimum(found.astype(np.int32), len(weights) - 1)

    return jax.vmap(drawn)(firsts)
