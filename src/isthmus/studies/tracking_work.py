"""The jobs of a tracking study: its mean field, the law of its networks, and blocks of runs beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from isthmus._errors import NumericalError
from isthmus.dynamics.network_flow import gradient_flow
from isthmus.dynamics.parallel import Progress
from isthmus.dynamics.results import MeanFieldPath, TrainingRuns
from isthmus.dynamics.sgd import train
from isthmus.studies.cost import Cost
from isthmus.studies.job import Job
from isthmus.studies.prediction import law_tables, predicted_law, why_not
from isthmus.studies.tracking import TrackingStudy

BLOCK_SECONDS = 1.0
"""About how long a block of runs takes, so that threads end together and little is lost where a study is killed."""


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
    def shape(self) -> str:
        """Blocks of one shape share their compiled programs."""
        return f"{'flow' if self.kind == 'flow' else 'sgd'}-{self.width}"

    @property
    def job(self) -> Job:
        """The block as a job."""
        sgd = f"SGD, width {self.width}, step size {self.step_size:g}"
        stage = f"gradient flow, width {self.width}" if self.kind == "flow" else sgd
        return Job(self.name, stage, units=self.runs, shape=self.shape, seconds=self.seconds)


@dataclass(frozen=True)
class TrackingWork:
    """What a tracking study has computed.

    Attributes:
        study: what is asked.

    """

    study: TrackingStudy

    def jobs(self) -> list[Job]:
        """Return the jobs: what takes longest first."""
        cost = Cost.of(self.study)
        alone = [Job("path", "mean-field path", tells=True, seconds=cost.path)]
        if self.study.predict and why_not(self.study.problem) is None:
            alone.append(Job("law", "law of finite networks", needs=("path",), tells=True, seconds=cost.law))
        blocks = [block.job for block in self._blocks()]
        first = {job.shape: job.name for job in reversed(blocks)}
        compiled = [
            job._replace(seconds=job.seconds + cost.compiling(job.shape)) if first[job.shape] == job.name else job
            for job in blocks
        ]
        return [*alone, *compiled]

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

    def computed(self, results: Mapping[str, Any]) -> Tracked:
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
                one, first = cost.training(width, step_size), 0
                if step_size == min(study.step_sizes):  # the first run is kept at the times of the moving picture
                    blocks.append(Block("example", width, step_size, 0, 1, one))
                    first = 1
                blocks += [
                    Block("sgd", width, step_size, start, runs, runs * one)
                    for start, runs in _parts(first, study.runs, one)
                ]
            one = cost.flow(width)
            blocks += [Block("flow", width, 0.0, start, runs, runs * one) for start, runs in _parts(0, flow_runs, one)]
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


class Tracked(NamedTuple):
    """What the jobs of a tracking study have found.

    Attributes:
        path: the mean-field path.
        law: the tables of the law of finite networks, None where it isn't predicted.
        risk: of SGD runs, shape (widths, step sizes, runs, T).
        flow_risk: of gradient flows from the initial neurons of the first of those runs, shape (widths, flows, T).
        examples: by width, one network at the smallest step size, kept at the times of the moving picture.

    """

    path: MeanFieldPath
    law: dict[str, Any] | None
    risk: np.ndarray
    flow_risk: np.ndarray
    examples: dict[int, TrainingRuns]


def _parts(first: int, end: int, seconds: float) -> list[tuple[int, int]]:
    """Return the first run of each block and how many it has: as many as are worth a job, the same in each if may be.

    Flows of so many runs are one compiled program.
    """
    runs = end - first
    size = int(min(max(BLOCK_SECONDS / seconds, 1), runs))
    even = max(part for part in range(1, size + 1) if runs % part == 0) if runs else 1
    size = even if 2 * even > size else size
    return [(start, min(size, end - start)) for start in range(first, end, size)]
