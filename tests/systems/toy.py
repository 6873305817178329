"""A study of small jobs, each a few random numbers, and what can go wrong in one of them."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from isthmus._errors import NumericalError
from isthmus.studies.engine import Execution, run_study
from isthmus.studies.jobs import Job, StudyJobs
from isthmus.studies.study import Study, provenance

DONE: list[str] = []
"""The jobs that were done in this process."""


class ToyStudy(Study):
    """Numbers drawn by jobs, and their sum, which needs them all."""

    count: int = 12
    pause: float = 0.0
    fails: str = ""
    dies: str = ""
    seed: int = 0


class ToyJobs(StudyJobs[ToyStudy]):
    def jobs(self) -> list[Job]:
        names = [f"draw-{index}" for index in range(self.study.count)]
        draws = [Job(name, "draws", units=2, compile_key=str(index % 3)) for index, name in enumerate(names)]
        return [*draws[:2], Job("sum", "sum", tuple(names)), *draws[2:]]

    def result(self, job: Job, given: Mapping[str, Any], workers: int, progress: Any) -> Any:
        DONE.append(job.name)
        time.sleep(self.study.pause)
        if job.name == self.study.fails:
            raise NumericalError(f"job {job.name} failed")
        if job.name == self.study.dies:
            os._exit(1)
        if job.name == "sum":
            return sum(draws["numbers"] for draws in given.values())
        random = np.random.default_rng([self.study.seed, int(job.name.partition("-")[2])])
        return {"numbers": random.standard_normal(50), "last": float("nan")}

    def dataset(self, results: Mapping[str, Any]) -> xr.Dataset:
        draws = np.stack([results[f"draw-{index}"]["numbers"] for index in range(self.study.count)])
        dataset = xr.Dataset({"draw": (("index", "place"), draws), "sum": ("place", results["sum"])})
        return dataset.assign_attrs(provenance("toy", self.study, None))


def run_toy(study: ToyStudy, **options: Any) -> xr.Dataset:
    return run_study(ToyJobs(study), Execution(**options))[0]


def kept(folder: Path) -> list[str]:
    """Return the names of the finished jobs in a folder."""
    return sorted(path.stem for path in (folder / "jobs").glob("[!.]*.npz"))
