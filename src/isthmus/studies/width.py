"""The width study: the smallest width whose risk stays within a tolerance of the limit, and networks that check it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from pydantic import Field, model_validator
from scipy.stats import binomtest, norm

from isthmus import _checks
from isthmus._errors import ArgumentError, NumericalError
from isthmus.core.problem import Problem
from isthmus.core.quadrature import check_quadrature
from isthmus.core.recorded_times import recorded_times
from isthmus.dynamics.mean_field import check_memory_of_particles, solve_mean_field
from isthmus.dynamics.network_flow import gradient_flow
from isthmus.dynamics.parallel import Progress, check_number_of_jobs
from isthmus.dynamics.sgd import check_memory_of_networks, train
from isthmus.studies.contents import MEAN_FIELD, Variable, labelled, mean_field_variables
from isthmus.studies.jobs import Job, StudyJobs
from isthmus.studies.specification import Count, DataSpecification, NonNegative, Positive, Seed
from isthmus.studies.statistics import BOUNDS, CONFIDENCE, quantile_intervals
from isthmus.studies.study import Study, provenance
from isthmus.theory.control import estimate_finite_width
from isthmus.theory.finite_width import predict_finite_width
from isthmus.theory.finite_width_law import FiniteWidthLaw

SMALLEST_WIDTH = 32
"""Below this width leading order is not to be relied on: smaller answers are raised to it."""
ROLES = ("recommended", "half")
"""Which of the two widths that are checked."""
RUNS_OF_A_JOB = 8
LAW_PARTICLES, LAW_SAMPLES = 256, 16
FRESH_NEURONS = 1 << 12
CONTROLLED_RUNS = 16
"""Networks of either width that are simulated beside their prediction. Where the law is there, this costs less than the
other networks, and knows the quantile several times as well."""
CANDIDATES = 13
"""Widths at which the predicted quantile is kept, from a quarter of the recommended one to four times it."""
SETTINGS = ("tolerance", "confidence", "horizon", "step_size", "batch_size")
"""Of a study, that stand in the attributes of its result."""
NETWORKS = {
    "width": Variable(("role",), "width N"),
    "risk": Variable(("role", "run", "time"), "risk of networks"),
    "gap": Variable(("role", "run"), "sup-gap to the mean field"),
    "initial_gap": Variable(("role", "run"), "gap to the mean field at t = 0"),
    "within": Variable(("role", "bound"), "share within the tolerance"),
    "gap_quantile": Variable(("role", "bound"), "quantile of the sup-gap at the confidence of the study", nan="bounds"),
    "controlled_gap_quantile": Variable(
        ("role", "bound"), "the same from few networks, each less its predicted fluctuation", optional=True
    ),
    "predicted_mean": Variable(("role", "time"), "predicted mean risk"),
    "predicted_std": Variable(("role", "time"), "predicted standard deviation of it"),
    "predicted_gap_quantile": Variable(("role",), "predicted quantile of the sup-gap"),
    "shift_ratio": Variable(("role",), "mean shift over fluctuation"),
    "candidate_gap_quantile": Variable(("candidate",), "predicted quantile of the sup-gap at other widths"),
}
VARIABLES = MEAN_FIELD | NETWORKS
"""The variables of a width study."""


class WidthStudy(Study):
    """Which width keeps the risk of a problem within a tolerance of its limit.

    Example:
        >>> import isthmus as im
        >>> im.WidthStudy(data={"source": "wine"}, tolerance=0.02).confidence
        0.9

    """

    QUICK: ClassVar[Mapping[str, Any]] = {"data.max_points": 100, "horizon": 10.0, "runs": 16, "particles": 256}

    data: DataSpecification = DataSpecification(source="digits", max_points=256)  # pyright: ignore[reportCallIssue]
    tolerance: Positive = Field(0.01, description="of the sup-gap max |R_N(t) − R(t)|")
    confidence: float = Field(0.9, gt=0, lt=1, description="share of networks that are to stay within it")
    horizon: Positive = Field(20.0, description="last time, in mean-field time")
    records: Count = Field(20, description="recorded times after 0")
    step_size: NonNegative = Field(0.0, description="of SGD, in mean-field time; 0 is gradient flow")
    batch_size: Count = Field(8, description="of SGD")
    runs: int = Field(64, ge=2, description="networks trained at the recommended width, and at half of it")
    particles: Count = Field(512, description="mean field: particles a side (a power of 2)")
    seed: Seed = 0

    @model_validator(mode="after")
    def _consistent(self) -> WidthStudy:
        check_quadrature("sobol", self.particles)
        check_number_of_jobs("runs", self.runs, 8 * len(self.times))
        return self

    @functools.cached_property
    def times(self) -> np.ndarray:
        """The recorded times, at ends of steps."""
        return recorded_times(self.horizon, self.records, self.step_size or None)

    @functools.cached_property
    def problem(self) -> Problem:
        """The problem that the study describes, built once."""
        return self.build()


@dataclass(frozen=True)
class WidthJobs(StudyJobs[WidthStudy]):
    """The jobs of a width study: the mean field, the law of its networks, and networks of two widths.

    The widths are known when the law is, so that jobs of networks are named by their role.

    Attributes:
        study: what is asked.
        given: a problem instead of the one that the study describes.

    """

    given: Problem | None = None

    @property
    def problem(self) -> Problem:
        """The problem whose networks are asked about."""
        return self.study.problem if self.given is None else self.given

    def check_memory(self) -> None:
        """Refuse settings whose arrays can't fit in memory.

        Raises:
            ArgumentError: naming the setting.

        """
        study, dim = self.study, self.problem.dim
        _checks.memory("batch_size", study.batch_size, 4 * study.batch_size * dim)
        check_memory_of_particles(self.problem, "particles", study.particles, np.dtype(np.float64))

    def jobs(self) -> list[Job]:
        """Return the jobs: the path, the law, and blocks of networks of either width."""
        blocks = [
            Job(
                f"{role}-{first}",
                f"networks of {'the recommended width' if role == 'recommended' else 'half that width'}",
                needs=("law",),
                units=len(self._runs(first)),
                compile_key=role,
                seconds=4.0,
            )
            for role in ROLES
            for first in range(0, self.study.runs, RUNS_OF_A_JOB)
        ]
        path = Job("path", "mean-field path", reports_progress=True, seconds=10.0)
        law = Job("law", "law of finite networks", needs=("path",), reports_progress=True, seconds=25.0)
        return [path, law, *blocks]

    def result(self, job: Job, given: Mapping[str, Any], workers: int, progress: Progress | None) -> Any:
        """Return the path, what the law says of both widths, or the risks of a block of networks."""
        study = self.study
        common: dict[str, Any] = {"seed": study.seed, "workers": workers, "progress": progress}
        if job.name == "path":
            return solve_mean_field(self.problem, study.times, particles=study.particles, snapshot_times=(), **common)
        if job.name == "law":
            particles = min(study.particles, LAW_PARTICLES)
            law = predict_finite_width(
                self.problem, study.times, path=given["path"], particles=particles, samples=LAW_SAMPLES, **common
            )
            return self._tables(law, workers)
        role, first = job.name.split("-")
        width = int(given["law"]["variables"]["width"][ROLES.index(role)])
        try:
            return self._risks(width, int(first))
        except NumericalError as error:
            raise NumericalError(f"At width {width:,}, {error}.") from error

    def dataset(self, results: Mapping[str, Any]) -> xr.Dataset:
        """Return what is predicted of networks of both widths and what they did."""
        study, problem, path, law = self.study, self.problem, results["path"], results["law"]
        starts = range(0, study.runs, RUNS_OF_A_JOB)
        risk = np.stack([np.concatenate([results[f"{role}-{first}"] for first in starts]) for role in ROLES])
        deviations = np.abs(risk - path.risk)
        gap = deviations.max(axis=-1)
        values = law["variables"] | {
            "risk": risk,
            "gap": gap,
            "initial_gap": deviations[..., 0],
            "within": [share_within(gaps, study.tolerance) for gaps in gap],
            "gap_quantile": quantile_intervals(gap, study.confidence),
        }
        about = provenance("isthmus width study", study, problem.data)
        if self.given is not None:
            del about["study"]  # whose data are not these
        return xr.Dataset(
            mean_field_variables(path) | labelled(NETWORKS, values),
            coords={"time": path.times, "role": list(ROLES), "bound": list(BOUNDS), "candidate": law["candidate"]},
        ).assign_attrs(
            about,
            **{name: getattr(study, name) for name in SETTINGS},
            wide_enough=law["wide_enough"],
            pca_risk=problem.population.pca_risk(problem.latent_dim),
        )

    def _runs(self, first: int) -> range:
        return range(first, min(first + RUNS_OF_A_JOB, self.study.runs))

    def _tables(self, law: FiniteWidthLaw, workers: int) -> dict[str, Any]:
        """Return the two widths, and what the law says of them and of others."""
        study = self.study
        dynamics = study.step_size, study.batch_size if study.step_size > 0 else None
        enough = law.width_for(study.tolerance, study.confidence, *dynamics)
        width = max(SMALLEST_WIDTH, enough)
        self._check_memory_of_networks(width)
        candidates = _around(width)
        networks = [law.at(n, *dynamics) for n in (width, width // 2)]
        of_both = lambda quantity: np.array([quantity(network) for network in networks])
        candidate_quantiles = [law.gap_quantile(study.confidence, n, *dynamics) for n in candidates.tolist()]
        variables = {
            "width": np.array([width, width // 2]),
            "controlled_gap_quantile": [self._controlled(law, n, workers) for n in (width, width // 2)],
            "predicted_mean": of_both(lambda network: network.mean),
            "predicted_std": of_both(lambda network: network.std),
            "predicted_gap_quantile": of_both(lambda network: network.gap_quantile(study.confidence)),
            "shift_ratio": of_both(lambda network: network.shift_ratio),
            "candidate_gap_quantile": np.array(candidate_quantiles),
        }
        return {"wide_enough": enough, "candidate": candidates, "variables": variables}

    def _controlled(self, law: FiniteWidthLaw, width: int, workers: int) -> tuple[float, float, float]:
        """Return the quantile of the sup-gap from few networks beside their prediction, and its 95 % interval."""
        study = self.study
        dynamics = study.step_size, study.batch_size if study.step_size > 0 else None
        options: dict[str, Any] = {"runs": CONTROLLED_RUNS, "influence": "surrogate", "seed": study.seed}
        found = estimate_finite_width(
            self.problem, study.times, width, *dynamics, law=law, neurons=FRESH_NEURONS, workers=workers, **options
        )
        value, error = found.gap_quantile(study.confidence)
        half = float(norm.ppf((1 + CONFIDENCE) / 2)) * error
        return value, value - half, value + half

    def _check_memory_of_networks(self, width: int) -> None:
        try:
            check_memory_of_networks(self.problem, "width", width, (width, width), np.dtype(np.float32))
        except ArgumentError:
            raise NumericalError(
                f"a tolerance of {self.study.tolerance:g} takes a width of {width:,}, of which not one network fits in "
                "memory"
            ) from None

    def _risks(self, width: int, first: int) -> np.ndarray:
        study = self.study
        options: dict[str, Any] = {
            "runs": len(self._runs(first)),
            "first_run": first,
            "seed": study.seed,
            "snapshot_times": (),
            "workers": 1,
        }
        if study.step_size == 0:
            return gradient_flow(self.problem, study.times, width, **options).risk
        sgd: dict[str, Any] = {"step_size": study.step_size, "batch_size": study.batch_size}
        return train(self.problem, study.times, width, **sgd, **options).risk


def _around(width: int) -> np.ndarray:
    """Return widths about one, it and its half among them, in increasing order."""
    return np.unique(np.append(np.rint(np.geomspace(width / 4, 4 * width, CANDIDATES)).astype(int), width // 2))


def share_within(gaps: np.ndarray, tolerance: float) -> tuple[float, float, float]:
    """Return the share of gaps, shape (runs,), within a tolerance, with the interval of Clopper and Pearson."""
    found = binomtest(int((gaps <= tolerance).sum()), len(gaps))
    ends = found.proportion_ci(CONFIDENCE, method="exact")
    return float(found.statistic), float(ends.low), float(ends.high)
