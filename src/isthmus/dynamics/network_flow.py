"""The gradient flow of finite networks: what stochastic gradient descent becomes as its step size goes to 0."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus._errors import Status
from isthmus._precision import Precision, floating
from isthmus.core.problem import Problem
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.flow import Flow, flow_settings, integrate, integrate_together
from isthmus.dynamics.parallel import Progress, check_number_of_jobs, run_jobs
from isthmus.dynamics.results import TrainingRuns
from isthmus.dynamics.sgd import check_memory_of_networks, check_width, run_keys

ENTRIES = 1 << 18
"""Entries, at most, of a matrix (neurons × points) over all runs that are followed together: they stay in the cache."""


@with_bar
def gradient_flow(
    problem: Problem,
    times: ArrayLike,
    width: int | tuple[int, int],
    *,
    runs: int = 1,
    first_run: int = 0,
    seed: int = 0,
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = 20_000,
    snapshot_times: ArrayLike | None = None,
    dtype: Precision | Any = "float32",
    workers: int | None = None,
    progress: Progress | None = None,
    throw: bool = True,
) -> TrainingRuns:
    """Follow finite networks along their full-batch gradient flow, from the initial neurons of `train`.

    dθ_i/dt = −N_E ξ_E(t) ∂R/∂θ_i,   dω_j/dt = −N_D ξ_D(t) ∂R/∂ω_j,

    and what else the problem has (weight decay, noise, an optimizer with memory).

    Run r has the same initial neurons as run r of ``train(problem, times, width, ..., seed=seed)``, so that the
    difference of the two is the effect of steps and batches, and the difference to the mean-field path is the
    effect of width alone. Narrow networks are followed several at a time, by the time steps of the one that needs the
    shortest, so that a run may depend on which others it is followed with, within ``rtol``.

    Args:
        problem, times, width, runs, first_run, seed, snapshot_times, dtype, workers, progress, throw: as in `train`.
        rtol, atol, max_steps: as in `solve_mean_field`.

    Raises:
        ArgumentError: where an argument breaks its rule.
        NumericalError: where the time steps fail.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("digits", max_points=64)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=2))
        >>> im.gradient_flow(problem, times=[0.0, 1.0], width=32, runs=2).risk.shape
        (2, 2)

    """
    _checks.instance("problem", problem, Problem)
    grid = _checks.times("times", times)
    widths = check_width(width)
    runs = _checks.integer("runs", runs, minimum=1)
    first_run = _checks.integer("first_run", first_run, 0, 2**31 - 1)
    seed = _checks.seed("seed", seed)
    precision = floating("dtype", dtype)
    settings = flow_settings(rtol, atol, max_steps, precision)
    kept = _checks.subset_of_times("snapshot_times", grid[-1] if snapshot_times is None else snapshot_times, grid)
    _checks.flag("throw", throw)
    check_memory_of_networks(problem, "width", width, widths, precision)
    check_number_of_jobs("runs", runs, 8 * len(grid))

    size = _runs_at_once(problem, runs, max(widths))
    firsts = range(0, runs, size)
    field = VectorField.of(problem.population, problem.motion, precision)

    def follow(index: int) -> list[Flow]:
        # A last group is filled up with copies of the last run, so that all share one compiled program.
        group = [min(run, runs - 1) for run in range(firsts[index], firsts[index] + size)]
        keys = [run_keys(seed, first_run + run) for run in group]
        starts = [problem.draw(initial_key, widths, precision) for initial_key, _ in keys]
        if size > 1:
            return integrate_together(field, starts, grid, settings, kept)[: runs - firsts[index]]
        return [integrate(field, starts[0], grid, settings, kept, noise_key=keys[0][1])]

    flows = [flow for group in run_jobs(follow, len(firsts), workers, progress) for flow in group]
    failed = [not flow.status.ok for flow in flows]
    status = flows[failed.index(True)].status if any(failed) else Status()
    if throw:
        status.raise_if_failed()
    return TrainingRuns(
        times=grid,
        risk=np.stack([flow.risk for flow in flows]),
        width=widths,
        snapshot_times=grid[kept],
        snapshots=jax.tree.map(lambda *leaves: np.stack(leaves), *(flow.snapshots for flow in flows)),
        diverged_at=np.where(failed, grid[-1], np.nan),
        status=status,
        optimizer=problem.optimizer.in_words,
    )


def _runs_at_once(problem: Problem, runs: int, width: int) -> int:
    """Return how many runs are followed together; it depends neither on workers nor on memory that is free."""
    if problem.temperature > 0 or not problem.motion.is_gradient_flow:
        return 1
    most = max(1, ENTRIES // (width * problem.population.size))
    return -(-runs // -(-runs // most))
