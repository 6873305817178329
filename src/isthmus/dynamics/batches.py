"""Minibatches: with replacement, in a fresh random order each epoch, each point at most once, or from a stream."""

from __future__ import annotations

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from isthmus import _checks
from isthmus.core.data import Stream
from isthmus.core.problem import Problem

Sampling = Literal["with_replacement", "without_replacement", "one_pass"]
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
        """Return what can be drawn ahead for ``length`` steps from step ``first`` on, shape (length, B)."""
        shape = (length, self.size)
        if self.sampling != "with_replacement":
            return jnp.zeros(shape, np.int32)
        key = jax.random.fold_in(key, first)
        if self.uniform:
            return jax.random.randint(key, shape, 0, len(self.points), np.int32)
        cumulated = jnp.cumsum(self.weights)
        levels = jax.random.uniform(key, shape, np.float32).astype(cumulated.dtype) * cumulated[-1]
        found = jnp.searchsorted(cumulated, levels, side="right").astype(np.int32)
        return jnp.minimum(found, len(self.points) - 1)

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
