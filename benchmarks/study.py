"""Where the time of a tracking study goes: CPU and wall seconds of each part, and how much of it is compilation."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
from jax import monitoring

from benchmarks.plain import markdown
from isthmus.studies.demonstration import DEMO
from isthmus.studies.engine import compile_first
from isthmus.studies.tracking import TrackingStudy
from isthmus.studies.tracking_jobs import TrackingJobs
from isthmus.studies.tracking_result import TrackingResult

DEFAULT: dict[str, Any] = {"data": {"source": "digits", "max_points": 200}}
"""All else is as it comes."""
TINY: dict[str, Any] = {
    "data": {"source": "wine"}, "widths": [8, 16], "horizon": 1.0, "records": 2, "runs": 2, "flow_runs": 2,
    "particles": 16, "law_particles": 16, "law_samples": 2,
}  # fmt: skip
Found = TypeVar("Found")


class Clock:
    """Adds up the seconds of parts by name: CPU, wall, and of the wall those that JAX compiled."""

    def __init__(self) -> None:
        self.parts: dict[str, list[float]] = {}
        self._compiled = 0.0
        monitoring.register_event_duration_secs_listener(self._listen)

    def _listen(self, event: str, duration_secs: float, **_: Any) -> None:
        if event.startswith("/jax/core/compile"):
            self._compiled += duration_secs

    def timed(self, name: str, call: Callable[[], Found]) -> Found:
        """Return what a call returns."""
        before = time.process_time(), time.perf_counter(), self._compiled
        found = call()
        after = time.process_time(), time.perf_counter(), self._compiled
        part = self.parts.setdefault(name, [0.0] * 3)
        self.parts[name] = [total + end - begin for total, begin, end in zip(part, before, after, strict=True)]
        return found

    def table(self) -> str:
        """Return the parts with their sum."""
        rows = {**self.parts, "all": [sum(column) for column in zip(*self.parts.values(), strict=True)]}
        cells = [[name, *(f"{seconds:.1f}" for seconds in row)] for name, row in rows.items()]
        return markdown(["part", "CPU seconds", "wall seconds", "compiling"], cells)


def measure(title: str, values: dict[str, Any]) -> None:
    """Print the parts of one study, done on one thread with nothing compiled, beside what it was estimated to take."""
    jax.clear_caches()
    clock = Clock()
    study = TrackingStudy(**values)
    clock.timed("data and problem", lambda: study.problem)
    study_jobs, done = TrackingJobs(study), {}
    jobs = compile_first(study_jobs.jobs())
    for job in jobs:
        given = {need: done[need] for need in job.needs}
        name = job.stage.split(",")[0]
        done[job.name] = clock.timed(name, lambda job=job, given=given: study_jobs.result(job, given, 1, None))
    dataset = clock.timed("assembling", lambda: study_jobs.dataset(done))
    result = TrackingResult(study, dataset)
    with tempfile.TemporaryDirectory() as folder:
        clock.timed("figures and report", lambda: _written(result, Path(folder)))
    print(f"{title}: estimated {sum(job.seconds for job in jobs):.0f} s on one core\n\n{clock.table()}\n", flush=True)


def _written(result: TrackingResult, folder: Path) -> None:
    from isthmus.show.canvas import save_figures
    from isthmus.show.pages import drawn_figures, result_page
    from isthmus.show.report import write_page

    figures = drawn_figures(result)
    save_figures(figures, folder)
    write_page(result_page(result, figures), folder / "report.html")


def report(quick: bool = False) -> None:
    """Print the tables of the demo and of a study of 200 digits that is the default else."""
    jax.config.update("jax_enable_compilation_cache", False)
    for title, values in {"tiny": TINY}.items() if quick else {"demo": DEMO, "default": DEFAULT}.items():
        measure(title, values)
