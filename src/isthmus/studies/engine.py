"""Studies as independent jobs: run through any `concurrent.futures.Executor`, kept as they finish, resumed by name.

The results don't depend on the executor, the number of workers or the order in which jobs end, and a study that was
killed and resumed ends with the same bits as one that was not (on one kind of machine).
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from pathlib import Path
from typing import Any, Protocol

import xarray as xr

from isthmus import _checks
from isthmus._errors import TrivialLimitWarning, WorkerError
from isthmus.dynamics.parallel import Progress, number_of_workers
from isthmus.studies.folder import Home, home
from isthmus.studies.forecast import Forecast, Watcher
from isthmus.studies.job import Job
from isthmus.studies.packing import Packed, packed, unpacked
from isthmus.studies.study import StageProgress, Study

THREADS = "isthmus-job"
"""How the names of threads begin on which jobs run."""
TICK = 1.0
"""Seconds between two looks at the time that is left."""


class Work(Protocol):
    """What a study has computed: its jobs, and how each is done. It is sent to workers, so it holds the study alone."""

    @property
    def study(self) -> Study:
        """What is asked."""
        ...

    def jobs(self) -> Sequence[Job]:
        """Return the jobs, the same ones in the same order whoever runs them."""
        ...

    def result(self, job: Job, given: Mapping[str, Any], workers: int, progress: Progress | None) -> Any:
        """Return what a job finds, of kinds that can be packed, given the results that it needs."""
        ...


def studied(
    work: Work,
    assembled: Callable[[dict[str, Any]], xr.Dataset],
    *,
    executor: Executor | None,
    workers: int | None,
    folder: str | Path | None,
    resume: bool,
    progress: StageProgress | None,
) -> xr.Dataset:
    """Do a work and return its results as one dataset, with a folder in which all that is finished is kept.

    Args:
        work: what to do.
        assembled: makes the dataset of the results of all jobs.
        executor, workers, progress: as in `conducted`.
        folder: the home of the study, or None to keep nothing; results that stand there are read, not made again.
        resume: go on where an interrupted run in this folder ended.

    """
    number_of_workers(workers)
    if executor is not None:
        _checks.instance("executor", executor, Executor)
    _checks.flag("resume", resume)
    _checks.function("progress", progress, optional=True)
    if folder is None:
        return assembled(conducted(work, executor=executor, workers=workers, progress=progress))
    with home(folder, work.study, resume=resume) as place:
        if place.is_finished:
            return place.results()
        found = conducted(work, executor=executor, workers=workers, keeper=place, progress=progress)
        dataset = assembled(found)
        place.finish(dataset)
    return dataset


def conducted(
    work: Work,
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    keeper: Home | None = None,
    progress: StageProgress | None = None,
) -> dict[str, Any]:
    """Do all jobs of a work, and return their results by name.

    Args:
        work: what to do.
        executor: where to do it; by default on threads of this process.
        workers: how many jobs at once; by default one for each processor.
        keeper: keeps finished jobs, and knows those of an earlier run, which are not done again.
        progress: called as ``progress(stage, done, total)``; a `Watcher` is also told how long it will take.

    Raises:
        WorkerError: where a worker died.
        IsthmusError: of a job.

    """
    workers = number_of_workers(workers)
    jobs = {job.name: job for job in work.jobs()}
    done = {} if keeper is None else keeper.read(list(jobs))
    waiting = [job for job in spread(list(jobs.values())) if job.name not in done]
    tally = _Tally(list(jobs.values()), Forecast(waiting, workers, len(done)), progress)
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
                    task = functools.partial(_done, work, job, given, workers, tally.inside(job))
                else:
                    task = functools.partial(_done_elsewhere, work, job, given)
                tally.begin(job)
                running[pool.submit(task)] = job
            finished, _ = wait(running, tally.patience, FIRST_COMPLETED)
            tally.tick()
            failures = []
            for future in sorted(finished, key=lambda future: running[future].name):
                job = running.pop(future)
                try:
                    result = future.result()
                except Exception as error:
                    failures.append(error)
                    continue
                if keeper is not None:
                    keeper.write(job.name, result)
                done[job.name] = result
                tally.end(job)
            if failures:
                raise failures[0]
    return {name: unpacked(done[name]) for name in jobs}


def spread(jobs: Sequence[Job]) -> list[Job]:
    """Return jobs in the order of their beginnings: the first of each shape, so that all is compiled, then by shape."""
    first: dict[str, Job] = {}
    for job in jobs:
        first.setdefault(job.shape or job.name, job)
    by_shape = {shape: place for place, shape in enumerate(first)}
    chosen = {job.name for job in first.values()}
    rest = sorted((job for job in jobs if job.name not in chosen), key=lambda job: by_shape[job.shape or job.name])
    return [*first.values(), *rest]


def _done(work: Work, job: Job, given: Mapping[str, Packed], workers: int, progress: Progress | None) -> Packed:
    return packed(work.result(job, {name: unpacked(result) for name, result in given.items()}, workers, progress))


def _done_elsewhere(work: Work, job: Job, given: Mapping[str, Packed]) -> Packed:
    """Do a job in another process, whose problem needs no warning: it was given where the study began."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrivialLimitWarning)
        return _done(work, job, given, 1, None)


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
        self._told: set[str] = set()
        if self._watcher is not None:
            self._watcher.begin(forecast)

    @property
    def patience(self) -> float | None:
        """How long to wait for a job before the next look at the time that is left."""
        return None if self._watcher is None else TICK

    def tick(self) -> None:
        """Show what is left."""
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
        """Count a finished job, unless it has told its progress from the inside."""
        self._done[job.stage] += job.units
        if self._progress is not None and job.name not in self._told:
            self._progress(job.stage, self._done[job.stage], self._totals[job.stage])

    def inside(self, job: Job) -> Progress | None:
        """Return the progress of a job that tells how far it is."""
        if self._progress is None or not job.tells:
            return None
        self._told.add(job.name)
        show = self._progress

        def progress(done: int, total: int) -> None:
            self._forecast.inside(job, done / total)
            show(job.stage, done, total)

        return progress
