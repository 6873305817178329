"""The bottleneck study: how the risk falls with the dimension of the bottleneck, on points that were held out too."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from isthmus import _checks
from isthmus._errors import ArgumentError, NumericalError, TrivialLimitWarning
from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data
from isthmus.core.points import square_errors
from isthmus.core.problem import Problem
from isthmus.core.quadrature import check_quadrature
from isthmus.core.specification import Count, DataSpecification, Positive, Seed
from isthmus.dynamics.mean_field import check_memory_of_particles, solve_mean_field
from isthmus.dynamics.parallel import Progress, check_number_of_jobs
from isthmus.studies.engine import Job
from isthmus.studies.intrinsic_dimension import FEWEST_POINTS, intrinsic_dimension
from isthmus.studies.study import Study, optimum_settings
from isthmus.theory.landscape import DOUBLE, check_bounded
from isthmus.theory.optimum import check_memory_of_search, solve_optimum


class Split(NamedTuple):
    """Points to train on and points to test on, both centred and scaled by those to train on.

    Attributes:
        training: the points in training.
        held_out: the others, in the same units and about the same place.
        held_out_rows: which rows of the data these are.

    """

    training: Data
    held_out: Data
    held_out_rows: np.ndarray


class Solved(NamedTuple):
    """What one bottleneck reaches on one split.

    Attributes:
        training_risk: R on the points in training.
        held_out_risk: R on the points held out.
        error: of the training risk: by particles and time steps, or, of an optimum, how far its certificate reaches.
        objective: what an optimum minimises, R plus the penalty; NaN at a horizon.
        certified: whether the optimum's certificate meets the tolerance; true at a horizon.

    """

    training_risk: float
    held_out_risk: float
    error: float
    objective: float = np.nan
    certified: bool = True


class BottleneckStudy(Study):
    """Bottlenecks of dimension 1, …, K of one problem, on random splits into points to train on and to test on.

    Every field is a key of a study file (TOML). ``law.latent_dim`` is not used: each k takes its place in turn.

    Raises:
        ArgumentError: where a value breaks its rule, or a key is unknown.

    Example:
        >>> import isthmus as im
        >>> study = im.BottleneckStudy(data={"source": "wine"}, max_latent_dim=3, splits=2)
        >>> split = study.parts[0]
        >>> split.training.size, split.held_out.size, split.training.is_centred
        (134, 44, True)

    """

    data: DataSpecification = DataSpecification(source="digits", max_points=256)  # pyright: ignore[reportCallIssue]
    max_latent_dim: Count = Field(6, description="K: bottlenecks of dimension 1 to K; law.latent_dim is not used")
    method: Literal["horizon", "optimum"] = Field("horizon", description="the mean field at a time, or its optimum")
    horizon: Positive = Field(100.0, description="horizon: the time at which the risk is taken")
    held_out: float = Field(0.25, gt=0, lt=1, description="fraction of the points that no training sees")
    splits: int = Field(4, ge=2, description="independent random splits; the error bars come from them")
    seed: Seed = Field(0, description="of the splits, scramblings and starts")
    particles: Count = Field(256, description="horizon: particles a side (a power of 2)")
    replicates: int = Field(3, ge=2, description="horizon: independent scramblings, for the numerical error")
    rtol: Positive = Field(1e-4, le=0.1, description="horizon: tolerance of the time steps")
    radius: Positive | None = Field(None, description="optimum: keep neurons in a ball of this radius")
    atoms: Count = Field(32, description="optimum: atoms a side at the start")
    restarts: Count = Field(2, description="optimum: starts")
    rounds: Count = Field(30, description="optimum: rounds of births and descents, at most")
    starts: Count = Field(512, description="optimum: places from which the minimum of a first variation is searched")
    tolerance: Positive = Field(1e-3, description="optimum: of its certificate, relative to the objective")

    @model_validator(mode="after")
    def _consistent(self) -> BottleneckStudy:
        if self.data.stream:
            hint = "every split trains and tests on a finite set of points"
            _checks.refuse("data.stream", "be false for a bottleneck study", True, hint)
        if self.method == "horizon" and self.radius is not None:
            _checks.refuse("radius", "be left out for method='horizon'", self.radius)
        check_quadrature("sobol", self.particles)
        return self

    @functools.cached_property
    def raw(self) -> Data:
        """The data in their own units, read once."""
        raw = self.data.model_copy(update={"center": False, "scale": "none"}).build()
        assert isinstance(raw, Data)
        return raw

    @functools.cached_property
    def parts(self) -> tuple[Split, ...]:
        """The splits of the data, made once.

        Raises:
            ArgumentError: where there are too few points for a split.

        """
        raw = self.raw
        held = round(self.held_out * raw.size)
        if held < 1 or raw.size - held < FEWEST_POINTS:
            rule = f"leave at least {FEWEST_POINTS} of the {raw.size} points to train on and 1 to test on"
            _checks.refuse("held_out", rule, self.held_out)
        check_number_of_jobs("splits", self.splits, raw.points.nbytes)
        return tuple(self._split(raw, held, number) for number in range(self.splits))

    def _split(self, raw: Data, held: int, number: int) -> Split:
        order = np.random.default_rng([self.seed, number]).permutation(raw.size)
        out, kept = np.sort(order[:held]), np.sort(order[held:])
        training = Data(
            raw.points[kept],
            center=self.data.center,
            scale=self.data.scaling,
            missing="ignore",  # where it shall be refused, it was
            columns=raw.columns,
            image_shape=raw.image_shape,
            name=raw.name,
        )
        held_out = Data(training.scaling.of(raw.points[out]), missing="ignore", columns=raw.columns, name=raw.name)
        return Split(training, held_out, out)

    @functools.cached_property
    def problems(self) -> tuple[tuple[Problem, ...], ...]:
        """The problem of each split and each k = 1, …, K, built once.

        Raises:
            ArgumentError: where K is too large for the data, or the method has no answer for the problem.

        """
        self._check_latent_dim()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrivialLimitWarning)  # refused below, or of no account for an optimum
            problems = tuple(tuple(self._problem(split, k) for k in self.latent_dims) for split in self.parts)
        first = problems[0][0]
        if self.method == "optimum":
            check_bounded(first, self.radius)
            check_memory_of_search(problems[0][-1], self.atoms, self.restarts, self.starts)
        elif first.is_trivial:
            described = _checks.described(f"{self.law.kind}, whose limit never moves")
            _checks.refuse("law", "have a limit that moves for method='horizon'", described, "use an aligned law")
        else:
            check_memory_of_particles(problems[0][-1], "particles", self.particles, DOUBLE)
            check_number_of_jobs("replicates", self.replicates, 8)
        return problems

    @property
    def latent_dims(self) -> list[int]:
        """1, …, K."""
        return list(range(1, self.max_latent_dim + 1))

    def _check_latent_dim(self) -> None:
        if self.law.kind == "aligned":
            name, most = "the rank of the training data", min(split.training.rank for split in self.parts)
        else:
            name, most = "the data dimension", self.parts[0].training.dim
        if self.max_latent_dim > most:
            _checks.refuse("max_latent_dim", f"be at most {name} {most}", self.max_latent_dim)

    def _problem(self, split: Split, latent_dim: int) -> Problem:
        law = self.law.model_copy(update={"latent_dim": latent_dim})
        return self.model_copy(update={"law": law}).on(split.training)


@dataclass(frozen=True)
class BottleneckWork:
    """What a bottleneck study has computed: every k on every split.

    Attributes:
        study: what is asked.

    """

    study: BottleneckStudy

    def jobs(self) -> list[Job]:
        """Return a job for each k on each split; neighbours differ in k, so that no shape is compiled twice."""
        stage = f"bottlenecks × {self.study.splits} splits"
        return [Job(_name(split, k), stage, shape=f"k{k}") for split, k in self._places()]

    def result(self, job: Job, given: Mapping[str, Any], workers: int, progress: Progress | None) -> Solved:
        """Solve one k on one split."""
        study = self.study
        split, k = next(place for place in self._places() if _name(*place) == job.name)
        solve = _at_horizon if study.method == "horizon" else _at_optimum
        try:
            return solve(study, study.problems[split][k - 1], study.parts[split].held_out, study.seed + split)
        except NumericalError as error:
            raise NumericalError(f"At k={k} on split {split + 1}, {error}.") from error

    def solved(self, results: Mapping[str, Any]) -> list[list[Solved]]:
        """Return the results of all jobs; the outer list is over splits."""
        rows: list[list[Solved]] = [[] for _ in range(self.study.splits)]
        for split, k in self._places():
            rows[split].append(Solved(*results[_name(split, k)]))
        return rows

    def _places(self) -> list[tuple[int, int]]:
        return [(split, k) for split in range(len(self.study.problems)) for k in self.study.latent_dims]


def _name(split: int, k: int) -> str:
    return f"split-{split}-k-{k}"


def _at_horizon(study: BottleneckStudy, problem: Problem, held_out: Data, seed: int) -> Solved:
    """Return the risk of one mean-field network (that of the first replicate) on both parts."""
    path = solve_mean_field(
        problem,
        [study.horizon],
        particles=study.particles,
        replicates=study.replicates,
        seed=seed,
        rtol=study.rtol,
        workers=1,
    )
    network = path.at(study.horizon)
    # The particles of one replicate are off by more than the mean over replicates, of which the path gives the error.
    error = float(path.errors["particles"][-1] * np.sqrt(study.replicates) + path.errors["time_steps"][-1])
    return Solved(_risk(network, problem.population), _risk(network, held_out), error)


def _at_optimum(study: BottleneckStudy, problem: Problem, held_out: Data, seed: int) -> Solved:
    found = solve_optimum(
        problem,
        **optimum_settings(study),
        seed=seed,
        workers=1,
        throw=False,
    )
    reach = max(found.certificate.decoder_gap, found.certificate.encoder_descent)
    return Solved(found.risk, _risk(found.autoencoder, held_out), reach, found.objective, found.status.ok)


def _risk(network: Autoencoder, data: Data) -> float:
    with computing_in(DOUBLE):
        return float(network.risk(data.points.astype(float), data.weights.astype(float)))


def pca_risks(training: Data, points: np.ndarray, components: int) -> np.ndarray:
    r"""Return ½ E|x − x̂|² of PCA with 1, …, ``components`` components of the training data, over equal points.

    x̂ is the projection of x on the mean and the leading principal directions of the training data, whatever the points.
    """
    centred = points - training.mean
    if training.has_missing or np.isnan(centred).any():
        codes = (training.pca(count).of(np.nan_to_num(centred)) for count in range(1, components + 1))
        return np.array([square_errors(centred, outputs).mean() / 2 for outputs in codes])
    squares = np.square(centred @ training.principal_directions).mean(axis=0)
    left_over = np.append(np.cumsum(squares[::-1])[::-1], 0.0) / 2
    return left_over[1 : components + 1]


def training_dimension(training: Data) -> float:
    """Return the intrinsic dimension of the points in training, NaN where their neighbours don't tell it."""
    try:
        return intrinsic_dimension(training.points)
    except ArgumentError:
        return np.nan
