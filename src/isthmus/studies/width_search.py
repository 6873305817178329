"""The search of a width: for a study, with its folder, or for a problem in memory."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus.core.data import as_finite_data
from isthmus.core.laws import aligned_law
from isthmus.core.problem import Problem
from isthmus.studies.engine import Execution, run_study
from isthmus.studies.study import StageProgress
from isthmus.studies.width import WidthJobs, WidthStudy
from isthmus.studies.width_result import WidthResult


@with_bar
def find_width(
    study: WidthStudy,
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    progress: StageProgress | None = None,
) -> WidthResult:
    """Find the smallest width whose risk stays within a tolerance of its limit, and train networks to check it.

    Args:
        study: what is asked.
        workers, executor, folder, resume, progress: as in `track`.

    Raises:
        ArgumentError: where the law of the problem's networks can't be predicted.
        NumericalError: where no width suffices.

    Example:
        >>> import isthmus as im
        >>> study = im.WidthStudy(
        ...     data={"source": "wine"}, tolerance=0.05, horizon=2.0, records=2, runs=4, particles=64
        ... )
        >>> dict(im.find_width(study).dataset.gap.sizes)
        {'role': 2, 'run': 4}

    """
    _checks.instance("study", study, WidthStudy)
    study.problem.require_predictable("study")
    jobs = WidthJobs(study)
    jobs.check_memory()
    dataset, _ = run_study(jobs, Execution(workers, executor, folder, resume, progress))
    return WidthResult(study, dataset)


@with_bar
def recommend_width(
    problem: Problem | ArrayLike,
    tolerance: float,
    *,
    confidence: float = 0.9,
    horizon: float = 20.0,
    latent_dim: int = 2,
    step_size: float = 0.0,
    batch_size: int = 8,
    records: int = 20,
    runs: int = 64,
    particles: int = 512,
    seed: int = 0,
    workers: int | None = None,
    progress: StageProgress | None = None,
) -> WidthResult:
    """Return the smallest width whose risk stays within a tolerance of its limit, and train networks to check it.

    The width is that at which the quantile of max_t |R_N(t) − R(t)| is within the tolerance under the predicted law of
    finite networks; then networks of that width and of half of it are trained. `find_width` does the same for a problem
    in words, with a folder.

    Args:
        problem: a `Problem`, or points of shape (n, d) or a frame of them, which are centred and scaled to E‖x‖² = 1,
            with an aligned law.
        tolerance: in units of the risk.
        confidence: the share of networks that are to be within it.
        horizon: the last time, a multiple of the step size.
        latent_dim: k, where points are given.
        step_size, batch_size: of SGD; at step size 0 networks follow their gradient flow.
        records: how many times after 0 the risk is compared at.
        runs: networks that are trained at each of both widths.
        particles: of the mean field, a side (a power of 2).
        seed: of everything random.
        workers: threads.
        progress: True for a bar, or called as ``progress(stage, done, total)``.

    Raises:
        ArgumentError: where an argument breaks its rule, or the law of the problem's networks can't be predicted.
        NumericalError: where no width suffices.

    Example:
        >>> import isthmus as im
        >>> from sklearn.datasets import load_wine
        >>> found = im.recommend_width(load_wine().data, 0.05, horizon=2.0, records=2, runs=4, particles=64)
        >>> found.half.width <= found.width, len(found.verdicts()) >= 3
        (True, True)

    """
    if not isinstance(problem, Problem):
        data = as_finite_data("problem", problem)
        problem = Problem(data, aligned_law(data, latent_dim))
    settings: dict[str, Any] = {
        "tolerance": _checks.real("tolerance", tolerance, above=0),
        "confidence": _checks.real("confidence", confidence, above=0, below=1),
        "horizon": _checks.real("horizon", horizon, above=0),
        "step_size": _checks.real("step_size", step_size, minimum=0),
        "batch_size": _checks.integer("batch_size", batch_size, minimum=1),
        "records": _checks.integer("records", records, minimum=1),
        "runs": _checks.integer("runs", runs, minimum=2),
        "particles": _checks.integer("particles", particles, minimum=1),
        "seed": _checks.seed("seed", seed),
    }
    execution = Execution(workers, progress=progress)
    problem.require_predictable()
    jobs = WidthJobs(WidthStudy(**settings), problem)
    jobs.check_memory()
    return WidthResult(None, run_study(jobs, execution)[0])
