"""Studies as independent jobs: run through any `concurrent.futures.Executor`, kept as they finish, resumed by name.

The results don't depend on the executor, the number of workers or the order in which jobs end, and a study that was
killed and resumed ends with the same bits as one that was not (on one kind of machine).
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from isthmus import _checks
from isthmus._errors import TrivialLimitWarning, WorkerError
from isthmus._packing import Packed
from isthmus.dynamics.parallel import Progress, number_of_workers
from isthmus.studies.folder import StudyFolder, study_folder
from isthmus.studies.forecast import Forecast, Watcher
from isthmus.studies.jobs import Job, StudyJobs
from isthmus.studies.packing import RESULTS
from isthmus.studies.study import StageProgress

THREADS = "isthmus-job"
"""How the names of threads begin on which jobs run."""
TICK = 1.0
"""Seconds after which the remaining time is shown again."""


@dataclass(frozen=True)
class Execution:
    """How a study is run: the keywords of `track`, checked.

    Attributes:
        workers: how many jobs at once; by default one for each processor.
        executor: where jobs run; by default on threads of this process.
        folder: where finished jobs and results are kept; None to keep nothing.
        resume: whether to go on where an interrupted run in this folder ended.
        progress: called as ``progress(stage, done, total)``; a `Watcher` is also told how long the study will take.

    """

    workers: int | None = None
    executor: Executor | None = None
    folder: str | Path | None = None
    resume: bool = False
    progress: StageProgress | None = None

    def __post_init__(self) -> None:
        number_of_workers(self.workers)
        if self.executor is not None:
            _checks.instance("executor", self.executor, Executor)
        _checks.flag("resume", self.resume)
        _checks.function("progress", self.progress, optional=True)


def run_study(jobs: StudyJobs[Any], execution: Execution) -> tuple[xr.Dataset, dict[str, Any]]:
    """Return the dataset of a study, and the results of its jobs by name: none where the folder held the dataset.

    Raises:
        StudyFileError: where the folder can't be used for this study.
        WorkerError: where a worker died.
        IsthmusError: of a job.

    """
    if execution.folder is None:
        results = run_jobs(jobs, execution)
        return jobs.dataset(results), results
    with study_folder(execution.folder, jobs.study, resume=execution.resume) as folder:
        if folder.is_finished:
            return folder.results(), {}
        results = run_jobs(jobs, execution, folder)
        dataset = jobs.dataset(results)
        folder.finish(dataset)
    return dataset, results


def run_jobs(
    study_jobs: StudyJobs[Any], execution: Execution = Execution(), folder: StudyFolder | None = None
) -> dict[str, Any]:
    """Return the results of all jobs of a study by name.

    Args:
        study_jobs: what to compute.
        execution: how; its folder and ``resume`` are not used.
        folder: keeps finished jobs, and holds those of an earlier run, which are not computed again.

    Raises:
        WorkerError: where a worker died.
        IsthmusError: of a job.

    """
    executor, workers = execution.executor, number_of_workers(execution.workers)
    jobs = {job.name: job for job in study_jobs.jobs()}
    done = {} if folder is None else folder.read(list(jobs))
    waiting = [job for job in compile_first(list(jobs.values())) if job.name not in done]
    tally = _Tally(list(jobs.values()), Forecast(waiting, workers, len(done)), execution.progress)
    for name in done:
        tally.add(jobs[name])
    running: dict[Future[Packed], Job] = {}
    with _pool(executor, workers, running) as pool:
        while waiting or running:
            ready = [job for job in waiting if all(need in done for need in job.needs)]
            # One more than there are workers, so that none idles; not all, so that what others wait for goes first.
            for job in ready[: workers + (executor is not None) - len(running)]:
                waiting.remove(job)
                given = {need: done[need] for need in job.needs}
                if executor is None:
                    task = functools.partial(_computed, study_jobs, job, given, workers, tally.progress_of(job))
                else:
                    task = functools.partial(_computed_elsewhere, study_jobs, job, given)
                tally.begin(job)
                running[pool.submit(task)] = job
            finished, _ = wait(running, tally.timeout, FIRST_COMPLETED)
            tally.tick()
            failures = []
            for future in sorted(finished, key=lambda future: running[future].name):
                job = running.pop(future)
                try:
                    result = future.result()
                except Exception as error:
                    failures.append(error)
                    continue
                if folder is not None:
                    folder.write(job.name, result)
                done[job.name] = result
                tally.end(job)
            if failures:
                raise failures[0]
    return {name: RESULTS.unpack(done[name]) for name in jobs}


def compile_first(jobs: Sequence[Job]) -> list[Job]:
    """Return jobs in the order in which they begin: first one of each compile key, then the rest key by key."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.compile_key or job.name, []).append(job)
    return [*(group[0] for group in groups.values()), *(job for group in groups.values() for job in group[1:])]


def _computed(
    study_jobs: StudyJobs[Any], job: Job, given: Mapping[str, Packed], workers: int, progress: Progress | None
) -> Packed:
    results = {name: RESULTS.unpack(result) for name, result in given.items()}
    return RESULTS.pack(study_jobs.result(job, results, workers, progress))


def _computed_elsewhere(study_jobs: StudyJobs[Any], job: Job, given: Mapping[str, Packed]) -> Packed:
    """Compute a job in another process, without warnings about its problem: they were given where the study began."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrivialLimitWarning)
        return _computed(study_jobs, job, given, 1, None)


@contextlib.contextmanager
def _pool(executor: Executor | None, workers: int, running: Mapping[Future[Packed], Job]) -> Iterator[Executor]:
    """Yield the executor, or threads; on an error, an interrupt too, what hasn't begun is dropped at once."""
    pool = ThreadPoolExecutor(workers, THREADS) if executor is None else executor
    try:
        yield pool
    except BaseException as error:
        for future in running:
            future.cancel()
        if _is_death(error):
            raise WorkerError(
                "A worker died while it computed: it was killed, or its memory ran out. Finished jobs of a study with "
                "a folder are kept: go on with resume, or with fewer workers."
            ) from error
        raise
    finally:
        if executor is None:
            pool.shutdown(wait=False)


def _is_death(error: BaseException) -> bool:
    """Whether an error says that a worker died, in the words of `concurrent.futures` or of Dask."""
    return isinstance(error, BrokenExecutor | CancelledError) or type(error).__name__ == "KilledWorker"


class _Tally:
    """The progress of stages and the forecast, kept up as jobs begin and end."""

    def __init__(self, jobs: Sequence[Job], forecast: Forecast, progress: StageProgress | None) -> None:
        self._forecast, self._progress = forecast, progress
        self._watcher = progress if isinstance(progress, Watcher) else None
        self._totals: dict[str, int] = {}
        for job in jobs:
            self._totals[job.stage] = self._totals.get(job.stage, 0) + job.units
        self._done = dict.fromkeys(self._totals, 0)
        self._reported: set[str] = set()
        if self._watcher is not None:
            self._watcher.begin(forecast)

    @property
    def timeout(self) -> float | None:
        """Seconds to wait for a job before the remaining time is shown again."""
        return None if self._watcher is None else TICK

    def tick(self) -> None:
        """Show the remaining time."""
        if self._watcher is not None:
            self._watcher.tick()

    def begin(self, job: Job) -> None:
        """Note that a job is running."""
        self._forecast.begin(job)

    def end(self, job: Job) -> None:
        """Count a job that was done in this run."""
        self._forecast.end(job)
        self.add(job)

    def add(self, job: Job) -> None:
        """Count a finished job, unless it has reported its own progress."""
        self._done[job.stage] += job.units
        if self._progress is not None and job.name not in self._reported:
            self._progress(job.stage, self._done[job.stage], self._totals[job.stage])

    def progress_of(self, job: Job) -> Progress | None:
        """Return the progress function of a job that reports its progress, None for others."""
        if self._progress is None or not job.reports_progress:
            return None
        self._reported.add(job.name)
        show = self._progress

        def progress(done: int, total: int) -> None:
            self._forecast.advance(job, done / total)
            show(job.stage, done, total)

        note = getattr(show, "note", None)
        if note is not None:
            progress.note = note  # pyright: ignore[reportFunctionMemberAccess]
        return progress
