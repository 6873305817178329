"""The gradient flow of finite networks: what stochastic gradient descent becomes as its step size goes to 0."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._errors import Status
from isthmus._precision import Precision, floating
from isthmus.core.problem import Problem
from isthmus.dynamics.flow import Flow, flow_settings, integrate_flow
from isthmus.dynamics.parallel import Progress, check_number_of_jobs, run_jobs
from isthmus.dynamics.results import TrainingRuns
from isthmus.dynamics.sgd import check_memory_of_networks, check_width, run_keys


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
    effect of width alone.

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

    def follow(index: int) -> Flow:
        initial_key, noise_key = run_keys(seed, first_run + index)
        start = problem.draw(initial_key, widths, precision)
        return integrate_flow(
            start, problem.population, problem.motion, grid, kept, settings, precision, noise_key=noise_key
        )

    flows = run_jobs(follow, runs, workers, progress)
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
    )
