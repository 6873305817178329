"""What a study computes: jobs that can be computed by themselves, and one dataset of all their results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import xarray as xr

from isthmus.dynamics.parallel import Progress
from isthmus.studies.study import Study

AnyStudy = TypeVar("AnyStudy", bound=Study)


class Job(NamedTuple):
    """A part of a study that can be computed by itself.

    Attributes:
        name: unique in its study; also that of its file.
        stage: under which name its progress is shown.
        needs: names of jobs whose results it takes.
        units: how much it adds to the progress of its stage.
        compile_key: jobs with the same key share their compiled programs; by default a job shares them with none.
        reports_progress: whether it is the only job of its stage, and reports its progress while it runs.
        seconds: about how long it takes on one core, compiling included: for the estimate of the remaining time.

    """

    name: str
    stage: str
    needs: tuple[str, ...] = ()
    units: int = 1
    compile_key: str = ""
    reports_progress: bool = False
    seconds: float = 1.0


@dataclass(frozen=True)
class StudyJobs(ABC, Generic[AnyStudy]):
    """The jobs of a study, and how each is computed. It is sent to workers, so it holds the study alone.

    Attributes:
        study: what is asked.

    """

    study: AnyStudy

    @abstractmethod
    def jobs(self) -> Sequence[Job]:
        """Return the jobs, the same ones in the same order whoever runs them."""

    @abstractmethod
    def result(self, job: Job, given: Mapping[str, Any], workers: int, progress: Progress | None) -> Any:
        """Compute one job.

        Args:
            job: one of `jobs`.
            given: the results of the jobs that it needs, by name.
            workers: threads that it may use.
            progress: called as ``progress(done, total)`` by a job that reports its progress.

        Returns:
            What it finds, of kinds that can be packed.

        """

    @abstractmethod
    def dataset(self, results: Mapping[str, Any]) -> xr.Dataset:
        """Return all numbers of the study as one labelled dataset, from the results of all jobs by name."""
