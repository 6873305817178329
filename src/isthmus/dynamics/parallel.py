"""Independent jobs on a few threads: JAX releases the interpreter while it computes."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from isthmus import _checks

SIZE_OF_A_JOB = 512
"""Bytes, at the least, of a job that waits."""
Result = TypeVar("Result")
Progress = Callable[[int, int], None]
"""Called as ``progress(done, total)`` each time a job is done, in the calling thread."""


def number_of_workers(workers: int | None) -> int:
    """Return the number of threads: as asked for, or one for each processor this process may use."""
    if workers is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return _checks.integer("workers", workers, minimum=1)


def check_number_of_jobs(name: str, count: int, size: int) -> None:
    """Refuse so many jobs that they, or results of ``size`` bytes each, don't fit in memory."""
    _checks.memory(name, count, count * (size + SIZE_OF_A_JOB))


def run_jobs(
    job: Callable[[int], Result],
    count: int,
    workers: int | None,
    progress: Progress | None,
    on_failure: Callable[[], None] | None = None,
) -> list[Result]:
    """Return [job(0), …, job(count − 1)], computed on ``workers`` threads; an interrupt drops what hasn't begun.

    Then, or where a job fails, ``on_failure`` is called, so that it can tell those that run to end.
    """
    _checks.function("progress", progress, optional=True)
    results: dict[int, Result] = {}
    with ThreadPoolExecutor(min(number_of_workers(workers), count)) as pool:
        futures = {pool.submit(job, index): index for index in range(count)}
        try:
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                if progress is not None:
                    progress(len(results), count)
        except BaseException:
            if on_failure is not None:
                on_failure()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [results[index] for index in range(count)]


class Stages:
    """Adds the progress of several stages up to one count, of which later stages are only known when they begin."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress, self._before = progress, 0

    def next(self) -> Progress | None:
        """Return the progress of the next stage."""
        report, before = self._progress, self._before
        if report is None:
            return None

        def progress(done: int, total: int) -> None:
            self._before = before + total
            report(before + done, before + total)

        return progress
