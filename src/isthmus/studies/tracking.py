"""The tracking study: does a finite autoencoder trained by SGD follow its mean-field limit, and how closely?"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from isthmus import _checks
from isthmus.core.problem import Problem
from isthmus.core.quadrature import check_quadrature
from isthmus.core.recorded_times import Spacing, distinct, recorded_times
from isthmus.dynamics.batches import Sampling, check_sampling
from isthmus.dynamics.mean_field import check_memory_of_particles, solve_mean_field
from isthmus.dynamics.parallel import Progress, check_number_of_jobs
from isthmus.dynamics.results import MeanFieldPath, TrainingRuns
from isthmus.dynamics.sgd import check_memory_of_networks
from isthmus.studies.specification import Count, Positive, Seed
from isthmus.studies.study import Study, check_distinct

FRAMES = 13
"""Times of the moving picture, but for those at which there is a snapshot anyway."""


class TrackingStudy(Study):
    """Widths × step sizes × seeds of one problem, against its mean-field path.

    Every field is a key of a study file (TOML); `from_toml` and `to_toml` read and write one. The tables ``data``,
    ``law`` and ``schedule`` may be given as dictionaries.

    Raises:
        ArgumentError: where a value breaks its rule, or a key is unknown.

    Example:
        >>> import isthmus as im
        >>> study = im.TrackingStudy(data={"source": "wine"}, widths=[16, 64], horizon=4.0, runs=8)
        >>> float(study.times[-1]), im.TrackingStudy.from_toml(study.to_toml()) == study
        (4.0, True)

    """

    QUICK: ClassVar[Mapping[str, Any]] = {
        "data.max_points": 100,
        "widths": (32, 128),
        "horizon": 40.0,
        "records": 20,
        "runs": 16,
        "flow_runs": 16,
        "particles": 512,
        "rtol": 1e-4,
        "law_particles": 128,
        "law_samples": 8,
    }

    widths: tuple[Count, ...] = Field((64, 256, 1024), min_length=1, description="widths N of both layers")
    step_sizes: tuple[Positive, ...] = Field((0.1,), min_length=1, description="step sizes; t = step size × steps")
    batch_size: Count = 8
    sampling: Sampling | None = Field(None, description="by default with replacement, or one pass for a stream")
    horizon: Positive = 100.0
    records: Count = Field(40, description="how many times, after 0, the risk is recorded at")
    spacing: Spacing = Field("log", description="of these times: 'log' from a thousandth of the horizon on, or 'even'")
    runs: int = Field(40, ge=2, description="independent runs for each width and step size")
    flow_runs: int = Field(40, ge=2, description="how many of them are also followed at step size 0")
    confidence: float = Field(0.9, gt=0, lt=1, description="1 − δ: the quantile of the sup-gap that is reported")
    seed: Seed = 0
    particles: Count = Field(1024, description="mean field: particles a side in each replicate")
    replicates: int = Field(4, ge=2, description="mean field: independent scramblings")
    quadrature: Literal["sobol", "iid"] = "sobol"
    rtol: Positive = Field(1e-5, le=0.1, description="mean field: tolerance of the time steps")
    predict: bool = Field(True, description="predict the law of these networks, to compare with the runs")
    law_particles: int = Field(512, ge=2, description="prediction: particles a side (a power of 2)")
    law_samples: int = Field(32, ge=2, description="prediction: samples of the mean shift")
    flow_rtol: Positive = Field(1e-3, ge=1e-5, le=0.1, description="step size 0: tolerance of the time steps")
    precision: Literal["float32", "float64"] = Field("float32", description="of the training runs and the prediction")

    @model_validator(mode="after")
    def _consistent(self) -> TrackingStudy:
        check_distinct("widths", self.widths)
        check_distinct("step_sizes", self.step_sizes)
        check_quadrature(self.quadrature, self.particles)
        _checks.power_of_2("law_particles", self.law_particles)
        _ = self.times
        return self

    @functools.cached_property
    def problem(self) -> Problem:
        """The problem that the study describes, built once."""
        problem = self.build(self.batch_size)
        for step_size in self.step_sizes:
            check_sampling(problem, self.sampling, self.batch_size, round(self.horizon / step_size))
        self._check_memory(problem)
        return problem

    def _check_memory(self, problem: Problem) -> None:
        precision, records = np.dtype(self.precision), len(self.times)
        for width in self.widths:
            check_memory_of_networks(problem, "widths", width, (width, width), precision)
        _checks.memory("batch_size", self.batch_size, self.batch_size * problem.dim * precision.itemsize)
        for name in ("particles", "law_particles"):
            check_memory_of_particles(problem, name, getattr(self, name), np.dtype(np.float64))
        for name in ("runs", "flow_runs", "replicates", "law_samples"):
            check_number_of_jobs(name, getattr(self, name), 8 * records)

    @functools.cached_property
    def times(self) -> np.ndarray:
        """The recorded times: 0 and multiples of all step sizes up to the horizon."""
        with _checks.renamed("step_size", "step_sizes"):
            return recorded_times(self.horizon, self.records, self.step_sizes, self.spacing)

    @property
    def levels(self) -> list[float]:
        """The levels of the quantiles that are kept."""
        return sorted({0.5, self.confidence, 0.95})

    @property
    def coordinates(self) -> dict[str, Any]:
        """The coordinates of results: times, networks, and levels of quantiles."""
        widths, step_sizes = list(self.widths), list(self.step_sizes)
        return {"time": self.times, "width": widths, "step_size": step_sizes, "level": self.levels}

    @functools.cached_property
    def snapshot_times(self) -> np.ndarray:
        """Times at which latents are shown: near 0, an eighth, a half, and all of the horizon."""
        nearest = [np.abs(self.times - part * self.horizon).argmin() for part in (0, 1 / 8, 1 / 2, 1)]
        return self.times[np.unique(nearest)]

    @functools.cached_property
    def scene_times(self) -> np.ndarray:
        """Times of the moving picture: early ones lie closer, and those of the snapshots are among them."""
        last = len(self.times) - 1
        frames = min(FRAMES - 1, last)
        wanted = self.horizon * (np.arange(1, frames + 1) / frames) ** 3
        indices = distinct(np.interp(wanted, self.times, np.arange(last + 1)), last).astype(int)
        return np.union1d(self.times[[0, *indices]], self.snapshot_times)

    def mean_field_path(self, workers: int | None, progress: Progress | None) -> MeanFieldPath:
        """Solve the mean field of the study with at most ``workers`` threads, and report to ``progress``.

        Raises:
            NumericalError: where the solve fails.

        """
        return solve_mean_field(
            self.problem,
            self.times,
            particles=self.particles,
            quadrature=self.quadrature,
            replicates=self.replicates,
            seed=self.seed,
            rtol=self.rtol,
            snapshot_times=self.scene_times,
            workers=workers,
            progress=progress,
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
