"""The jobs of a tracking study: its mean field, the law of its networks, blocks of runs, and the dataset of it all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from isthmus._errors import NumericalError
from isthmus.dynamics.network_flow import gradient_flow
from isthmus.dynamics.parallel import Progress
from isthmus.dynamics.results import TrainingRuns
from isthmus.dynamics.sgd import train
from isthmus.studies.agreement import P_VALUES, agreement
from isthmus.studies.contents import MEAN_FIELD, Variable, labelled, mean_field_variables
from isthmus.studies.cost import Cost
from isthmus.studies.gaps import MEASURED, Runs
from isthmus.studies.jobs import Job, StudyJobs
from isthmus.studies.parts import PREDICTED_DEVIATIONS
from isthmus.studies.prediction import LAW, law_tables, predicted_law
from isthmus.studies.scene import pictures
from isthmus.studies.statistics import BOUNDS
from isthmus.studies.study import provenance
from isthmus.studies.tracking import Tracked, TrackingStudy

BLOCK_SECONDS = 1.0
"""About how long a block of runs takes, so that threads end together and little is lost where a study is killed."""
RISKS = {
    "mean_field_replicate_risk": Variable(("replicate", "time"), "R(t) of each replicate"),
    "risk": Variable(("width", "step_size", "run", "time"), "risk of networks trained by SGD"),
    "flow_risk": Variable(("width", "flow_run", "time"), "risk of their gradient flows"),
}
PREDICTED = {name: variable._replace(optional=True) for name, variable in LAW.items()} | PREDICTED_DEVIATIONS
VARIABLES = MEAN_FIELD | RISKS | MEASURED | PREDICTED | P_VALUES
"""The variables of a tracking study, but for its pictures."""


class Block(NamedTuple):
    """Runs of one width that are computed together.

    Attributes:
        kind: 'sgd', 'flow' (step size 0) or 'example', a run of SGD that is kept at the times of the moving picture.
        width: N.
        step_size: ε.
        first, runs: which runs these are.
        seconds: about how long they take.

    """

    kind: str
    width: int
    step_size: float
    first: int
    runs: int
    seconds: float

    @property
    def name(self) -> str:
        """Unique in the study."""
        return f"{self.kind}-{self.width}-{self.step_size:g}-{self.first}"

    @property
    def compile_key(self) -> str:
        """Blocks with the same key share their compiled programs."""
        return f"{'flow' if self.kind == 'flow' else 'sgd'}-{self.width}"

    @property
    def job(self) -> Job:
        """The block as a job."""
        sgd = f"SGD, width {self.width}, step size {self.step_size:g}"
        stage = f"gradient flow, width {self.width}" if self.kind == "flow" else sgd
        return Job(self.name, stage, units=self.runs, compile_key=self.compile_key, seconds=self.seconds)


class TrackingJobs(StudyJobs[TrackingStudy]):
    """The jobs of a tracking study."""

    def jobs(self) -> list[Job]:
        """Return the jobs: what takes longest first."""
        cost = Cost.of(self.study)
        alone = [Job("path", "mean-field path", reports_progress=True, seconds=cost.path)]
        if self.study.predict and self.study.problem.unpredictable_because is None:
            alone.append(Job("law", "law of finite networks", needs=("path",), reports_progress=True, seconds=cost.law))
        blocks = [block.job for block in self._blocks()]
        first = {job.compile_key: job.name for job in reversed(blocks)}
        compiling = [cost.compiling(job.compile_key) * (first[job.compile_key] == job.name) for job in blocks]
        blocks = [job._replace(seconds=job.seconds + more) for job, more in zip(blocks, compiling, strict=True)]
        return [*alone, *blocks]

    def result(self, job: Job, given: Mapping[str, Any], workers: int, progress: Progress | None) -> Any:
        """Return the path, the tables of the law, or the runs of a block."""
        if job.name == "path":
            return self.study.mean_field_path(workers, progress)
        if job.name == "law":
            law = predicted_law(self.study, given["path"], workers, progress)
            return law_tables(self.study, law)
        block = next(block for block in self._blocks() if block.name == job.name)
        try:
            return self._runs(block)
        except NumericalError as error:
            raise NumericalError(f"At width {block.width}, {error}.") from error

    def dataset(self, results: Mapping[str, Any]) -> xr.Dataset:
        """Return everything that the study has found: numbers and pictures."""
        study, tracked = self.study, self.tracked(results)
        population, times = study.problem.population, study.snapshot_times
        dataset = numbers(study, tracked).assign(pictures(study, tracked))
        return dataset.assign_coords(snapshot_time=times, influence_time=times).assign_attrs(
            provenance("isthmus tracking study", study, study.problem.data),
            pca_risk=population.pca_risk(study.problem.latent_dim),
            image_shape=list(population.image_shape or ()),
        )

    def tracked(self, results: Mapping[str, Any]) -> Tracked:
        """Return the results of all jobs, blocks of runs put together."""
        study = self.study

        def together(kind: str, width: int, step_size: float) -> np.ndarray:
            kinds = ("flow",) if kind == "flow" else ("example", "sgd")
            blocks = [b for b in self._blocks() if b.kind in kinds and (b.width, b.step_size) == (width, step_size)]
            return np.concatenate([results[block.name].risk for block in sorted(blocks, key=lambda b: b.first)])

        return Tracked(
            results["path"],
            results.get("law"),
            np.stack([np.stack([together("sgd", n, e) for e in study.step_sizes]) for n in study.widths]),
            np.stack([together("flow", n, 0.0) for n in study.widths]),
            {b.width: results[b.name] for b in self._blocks() if b.kind == "example"},
        )

    def _blocks(self) -> list[Block]:
        study, cost, blocks = self.study, Cost.of(self.study), []
        flow_runs = min(study.flow_runs, study.runs)
        for width in sorted(study.widths, reverse=True):
            for step_size in study.step_sizes:
                seconds, first = cost.training(width, step_size), 0
                if step_size == min(study.step_sizes):  # the first run is kept at the times of the moving picture
                    blocks.append(Block("example", width, step_size, 0, 1, seconds))
                    first = 1
                for start, runs in _parts(first, study.runs, seconds):
                    blocks.append(Block("sgd", width, step_size, start, runs, runs * seconds))
            seconds = cost.flow(width)
            for start, runs in _parts(0, flow_runs, seconds):
                blocks.append(Block("flow", width, 0.0, start, runs, runs * seconds))
        return blocks

    def _runs(self, block: Block) -> TrainingRuns:
        study = self.study
        common: dict[str, Any] = {
            "runs": block.runs,
            "first_run": block.first,
            "seed": study.seed,
            "snapshot_times": study.scene_times if block.kind == "example" else (),
            "dtype": study.precision,
            "workers": 1,
        }
        if block.kind == "flow":
            return gradient_flow(study.problem, study.times, block.width, rtol=study.flow_rtol, **common)
        return train(
            study.problem,
            study.times,
            block.width,
            block.step_size,
            batch_size=study.batch_size,
            sampling=study.sampling,
            **common,
        )


def _parts(first: int, end: int, seconds: float) -> list[tuple[int, int]]:
    """Return the first run of each block and how many it has: as many as are worth a job, the same in each if may be.

    Flows of so many runs are one compiled program.
    """
    runs = end - first
    size = int(min(max(BLOCK_SECONDS / seconds, 1), runs))
    even = max(part for part in range(1, size + 1) if runs % part == 0) if runs else 1
    size = even if 2 * even > size else size
    return [(start, min(size, end - start)) for start in range(first, end, size)]


def numbers(study: TrackingStudy, tracked: Tracked) -> xr.Dataset:
    """Return what was measured, what was predicted, and whether they agree: a result but for its pictures."""
    path, law = tracked.path, tracked.law
    relaxation = None if law is None else law["relaxation_time"]
    runs = Runs(study, tracked.risk, tracked.flow_risk, path.replicate_risk, relaxation)
    possible = [runs.gaps(path.risk + sign * path.risk_error) for sign in (0, -1, 1)]
    agreeing = {} if law is None else law["variables"] | agreement(law["draws"], *possible)
    values = {"mean_field_replicate_risk": path.replicate_risk, "risk": runs.risk, "flow_risk": runs.flow_risk}
    return xr.Dataset(
        {**mean_field_variables(path), **labelled(RISKS, values), **runs.variables(), **agreeing},
        coords=study.coordinates | {"bound": list(BOUNDS)},
        attrs={"relaxation_time": runs.relaxation_time},
    )
