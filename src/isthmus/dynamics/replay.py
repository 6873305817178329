"""What a run's batches made of the weights of the points, found again from its seed without training."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from isthmus._precision import computing_in
from isthmus.core.problem import Problem
from isthmus.dynamics.batches import Batches, Sampling
from isthmus.dynamics.sgd import run_keys
from isthmus.dynamics.step_plan import StepPlan, plan_steps


def batch_noise(
    problem: Problem,
    times: np.ndarray,
    step_size: float,
    batch_size: int,
    sampling: Sampling,
    seed: int,
    run: int,
    ends: np.ndarray,
    dtype: np.dtype,
) -> np.ndarray:
    """Return ∫ (p_batch − p) dt over each interval between ``ends``, shape (intervals, n), of a run of `train`.

    Args:
        problem, times, step_size, batch_size, sampling, seed, dtype: those the run was trained with.
        run: its number.
        ends: of the intervals of time, from 0 on; a step belongs to the one its middle lies in.

    """
    plan = plan_steps(problem, times, step_size)
    with computing_in(dtype):
        batches = Batches.of(problem, batch_size, sampling, dtype)
        taken, order = [], batches.first_order()
        key = run_keys(seed, run)[1]
        for group in plan.in_precision(dtype).groups(np.zeros(0, int), batch_size):
            order, weights = _taken(key, batches, group.plan, batches.draws_of(key, group.plan), order)
            taken.append(np.asarray(weights, float))
    counts = plan.counts
    weights = np.concatenate(taken)[: len(counts)]
    noise = np.zeros((len(ends) - 1, len(problem.population.weights)))
    start = 0.0
    for chunk, count in enumerate(counts):
        sizes = plan.sizes[chunk, :count]
        middles = start + np.cumsum(sizes) - sizes / 2
        places = np.clip(np.searchsorted(ends, middles, side="right") - 1, 0, len(noise) - 1)
        np.add.at(noise, places, sizes[:, None] * (weights[chunk, :count] - problem.population.weights))
        start += float(sizes.sum())
    return noise


@jax.jit
def _taken(
    key: jax.Array, batches: Batches, plan: StepPlan, drawn: jax.Array, order: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return the order to carry on, and the weights of all points in each batch, (chunks, steps, n)."""

    def take_chunk(order: jax.Array, given: tuple[StepPlan, jax.Array]) -> tuple[jax.Array, jax.Array]:
        chunk, drawn = given

        def take_step(order: jax.Array, offset: jax.Array) -> tuple[jax.Array, jax.Array]:
            chosen, weights, following = batches.rows(key, chunk.first + offset, drawn[offset], order)
            order = jnp.where(offset < chunk.counts, following, order)
            return order, jnp.zeros_like(batches.weights).at[chosen].add(weights)

        return jax.lax.scan(take_step, order, jnp.arange(len(drawn), dtype=np.int32))

    return jax.lax.scan(take_chunk, order, (plan, drawn))
