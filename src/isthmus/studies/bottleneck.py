"""The bottleneck study: how the risk falls with the dimension of the bottleneck, on points that were held out too."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from isthmus import _checks
from isthmus._errors import TrivialLimitWarning
from isthmus.core.data import Data
from isthmus.core.problem import Problem
from isthmus.core.quadrature import check_quadrature
from isthmus.dynamics.mean_field import check_memory_of_particles
from isthmus.dynamics.parallel import check_number_of_jobs
from isthmus.studies.intrinsic_dimension import FEWEST_POINTS
from isthmus.studies.specification import Count, DataSpecification, Positive, Seed
from isthmus.studies.study import Study
from isthmus.theory.landscape import DOUBLE, check_bounded
from isthmus.theory.optimum import check_memory_of_search

LATER = 4.0
"""max_horizon / horizon, where it isn't set."""


class Split(NamedTuple):
    """Points to train on and points to test on, both centred and scaled by those to train on.

    Attributes:
        training: the points in training.
        held_out: the others, in the same units and about the same mean.
        training_rows: which rows of the data the former are.
        held_out_rows: which rows the latter are.

    """

    training: Data
    held_out: Data
    training_rows: np.ndarray
    held_out_rows: np.ndarray


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

    QUICK: ClassVar[Mapping[str, Any]] = {
        "data.max_points": 100,
        "data.points": 100,
        "max_latent_dim": 3,
        "particles": 64,
        "horizon": 50.0,
        "max_horizon": 100.0,
        "atoms": 16,
        "restarts": 1,
        "rounds": 10,
        "starts": 64,
    }

    data: DataSpecification = DataSpecification(source="digits", max_points=256)  # pyright: ignore[reportCallIssue]
    max_latent_dim: Count = Field(6, description="K: bottlenecks of dimension 1 to K; law.latent_dim is not used")
    method: Literal["horizon", "optimum"] = Field("horizon", description="the mean field at a time, or its optimum")
    horizon: Positive = Field(100.0, description="horizon: the time to which every k is followed at first")
    stop: Literal["validation", "horizon"] = Field(
        "validation", description="horizon: stop where the risk on a part of the training set is lowest, or at horizon"
    )
    max_horizon: Positive | None = Field(
        None, description="validation: the time to which a k is followed while its risk falls; by default 4 × horizon"
    )
    settling: float = Field(
        0.01, gt=0, lt=1, description="validation: a risk has settled that falls by a smaller share as time doubles"
    )
    held_out: float = Field(0.25, gt=0, lt=1, description="fraction of the points that no training sees")
    splits: int = Field(4, ge=2, description="independent random splits; intervals come from them")
    seed: Seed = Field(0, description="of the splits, scramblings and starts")
    particles: Count = Field(256, description="horizon: particles a side (a power of 2)")
    replicates: int = Field(2, ge=2, description="horizon: independent scramblings, for the numerical error")
    rtol: Positive = Field(
        1e-3, le=0.1, description="horizon: tolerance of the time steps; in double precision below 1e-4"
    )
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
        if self.max_horizon is not None and self.max_horizon < self.horizon:
            _checks.refuse("max_horizon", f"be at least the horizon {self.horizon:g}", self.max_horizon)
        check_quadrature("sobol", self.particles)
        return self

    @property
    def validates(self) -> bool:
        """Whether a part of the training set says when to stop."""
        return self.method == "horizon" and self.stop == "validation"

    @property
    def last_horizon(self) -> float:
        """The time to which a k is followed at most."""
        if not self.validates:
            return self.horizon
        return LATER * self.horizon if self.max_horizon is None else self.max_horizon

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
        fewest = FEWEST_POINTS + self.validates
        if held < 1 or raw.size - held < fewest:
            rule = f"leave at least {fewest} of the {raw.size} points to train on and 1 to test on"
            _checks.refuse("held_out", rule, self.held_out)
        check_number_of_jobs("splits", self.splits, raw.points.nbytes)
        rows = np.arange(raw.size)
        return tuple(self._parted(rows, self.held_out, (self.seed, number)) for number in range(self.splits))

    @functools.cached_property
    def pilots(self) -> tuple[Split, ...]:
        """The training set of each split, split once more: no point held out of it says when to stop."""
        return tuple(
            self._parted(split.training_rows, self.held_out, (self.seed, number, 1))
            for number, split in enumerate(self.parts)
        )

    def _parted(self, rows: np.ndarray, share: float, seed: tuple[int, ...]) -> Split:
        """Return these rows of the data, a share of them held out."""
        raw, order = self.raw, np.random.default_rng(seed).permutation(rows)
        held = max(1, round(share * len(rows)))
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
        return Split(training, held_out, kept, out)

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
            parts = self.pilots if self.validates else self.parts
            name, most = "the rank of the training data", min(split.training.rank for split in parts)
        else:
            name, most = "the data dimension", self.parts[0].training.dim
        if self.max_latent_dim > most:
            _checks.refuse("max_latent_dim", f"be at most {name} {most}", self.max_latent_dim)

    def pilot(self, number: int, latent_dim: int) -> Problem:
        """Return the problem with ``latent_dim`` k on a part of the training set of split ``number``."""
        return self._problem(self.pilots[number], latent_dim)

    def _problem(self, split: Split, latent_dim: int) -> Problem:
        law = self.law.model_copy(update={"latent_dim": latent_dim})
        return self.model_copy(update={"law": law}).on(split.training)
