"""How long a study will take: the estimates of its jobs, corrected by how long the finished ones took."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from isthmus.studies.jobs import Job

PRIOR_SHARE = 0.05
"""Weight of the estimates against the times that jobs took, as a share of the work that is still to do."""
MOST_WHILE_RUNNING = 0.95
"""The share of a running job that counts as done, at most."""


class Forecast:
    """What is done of the jobs of a study and what is still to do, in seconds of one core.

    Attributes:
        jobs: what was to do when the run began.
        workers: how many jobs are done at once.
        kept: how many jobs an earlier run has left finished.

    """

    def __init__(
        self, jobs: Sequence[Job], workers: int, kept: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.jobs, self.workers, self.kept = list(jobs), workers, kept
        self._clock, self._start = clock, clock()
        self._total = sum(job.seconds for job in jobs)
        self._finished, self._pace, self._furthest = 0.0, 1.0, 0.0
        self._running: dict[str, tuple[Job, float]] = {}
        self._shares: dict[str, float] = {}

    def begin(self, job: Job) -> None:
        """Note that a job is running."""
        self._running[job.name] = job, self._clock()

    def advance(self, job: Job, share: float) -> None:
        """Note the share of a running job that is done, from 0 to 1."""
        self._shares[job.name] = min(share, MOST_WHILE_RUNNING)

    def end(self, job: Job) -> None:
        """Note that a job is done."""
        self._running.pop(job.name, None)
        self._finished += job.seconds
        self._pace = self._pace_at(self._done())

    @property
    def share(self) -> float:
        """The part of the estimated work that is done, from 0 to 1; it never falls."""
        self._furthest = max(self._furthest, min(1.0, self._done() / self._total) if self._total else 1.0)
        return self._furthest

    @property
    def remaining(self) -> float:
        """Seconds until the study is done, at the pace so far."""
        done = self._done()
        return max(0.0, self._total - done) * self._pace_at(done) / self.workers

    @property
    def stages(self) -> list[str]:
        """The stages of the jobs that are running, each once."""
        return list(dict.fromkeys(job.stage for job, _ in list(self._running.values())))

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._start

    def _pace_at(self, done: float) -> float:
        """Return the seconds of a worker that a second of the estimates takes, when so much is done."""
        prior = PRIOR_SHARE * max(0.0, self._total - done)
        spent = self.elapsed * self.workers
        return (spent + prior) / (done + prior) if done + prior > 0 else 1.0

    def _done(self) -> float:
        now = self._clock()
        return self._finished + sum(self._part(job, now - began) for job, began in list(self._running.values()))

    def _part(self, job: Job, elapsed: float) -> float:
        if job.name in self._shares:
            return self._shares[job.name] * job.seconds
        return min(elapsed / self._pace, MOST_WHILE_RUNNING * job.seconds)


@runtime_checkable
class Watcher(Protocol):
    """A progress that also shows how long a study will take."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that a stage of the study has come so far."""

    def begin(self, forecast: Forecast) -> None:
        """Take the forecast of the jobs that are about to run; it changes as they do."""

    def tick(self) -> None:
        """Show the remaining time: called about once a second."""
