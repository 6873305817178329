"""What a bottleneck study computes: every k on every split, beside PCA of the same points."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from isthmus._errors import ArgumentError, NumericalError
from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data
from isthmus.core.points import square_errors
from isthmus.core.problem import Problem
from isthmus.dynamics.mean_field import Replicate, follow_replicate
from isthmus.dynamics.parallel import Progress
from isthmus.studies.bottleneck import BottleneckStudy
from isthmus.studies.intrinsic_dimension import intrinsic_dimension
from isthmus.studies.job import Job
from isthmus.studies.settling import Stop, best_stop
from isthmus.studies.statistics import student_quantile
from isthmus.studies.study import named, optimum_settings, provenance
from isthmus.theory.landscape import DOUBLE
from isthmus.theory.optimum import solve_optimum

SINGLE_FROM = 1e-4
"""Tolerance of the time steps from which on single precision suffices, also for finer ones."""
NOTHING = 1e-6
"""Share of the risk without a code, below which there is nothing left to learn."""
COMPILING, STEPS_A_TIME, EVALUATIONS, PASSES, OPERATIONS = 4.0, 0.8, 6, 12, 2e10
"""Of an estimate: seconds to compile; steps per unit of time, evaluations of the velocity a step, passes over points ×
particles × coordinates an evaluation; and operations a second."""
SEARCH_SECONDS = 60.0
"""About what the search for one optimum takes."""

MEANINGS = {
    "training_risk": "risk on the points in training",
    "held_out_risk": "risk on the points held out",
    "error": "numerical error of the training risk, or what the certificate of an optimum leaves open",
    "held_out_error": "numerical error of the held-out risk",
    "horizon": "time at which the risks are taken",
    "fall": "share by which the validation risk fell as the time doubled last",
    "settled": "whether the validation risk has settled",
    "objective": "risk in training plus the penalty, at the optimum",
    "certified": "whether the optimum's certificate meets the tolerance",
}
ONLY = {"horizon": ("horizon", "fall", "settled"), "optimum": ("objective", "certified")}
"""What there is for one method alone."""


class Solved(NamedTuple):
    """What one bottleneck reaches on one split.

    Attributes:
        training_risk: R on the points in training; at a horizon, the mean over replicates.
        held_out_risk: the same on the points held out.
        error: of the training risk: its standard deviation over replicates, of which one takes finer time steps; of an
            optimum, how far its certificate reaches.
        held_out_error: the former for the held-out risk; 0 at an optimum.
        horizon: the time at which the risks are taken.
        fall: by which share the validation risk fell as the time doubled last.
        settled: whether longer training would not lower it.
        objective: what an optimum minimises, R plus the penalty.
        certified: whether the optimum's certificate meets the tolerance.

    """

    training_risk: float
    held_out_risk: float
    error: float
    held_out_error: float = 0.0
    horizon: float = np.nan
    fall: float = np.nan
    settled: bool = True
    objective: float = np.nan
    certified: bool = True


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
        return [Job(_name(split, k), stage, shape=f"k{k}", seconds=self._seconds(k)) for split, k in self._places()]

    def result(self, job: Job, given: Mapping[str, Any], workers: int, progress: Progress | None) -> Solved:
        """Solve one k on one split."""
        study = self.study
        split, k = next(place for place in self._places() if _name(*place) == job.name)
        solve = _at_horizon if study.method == "horizon" else _at_optimum
        try:
            return solve(study, split, k)
        except NumericalError as error:
            raise NumericalError(f"At k = {k} on split {split + 1}, {error}.") from error

    def solved(self, results: Mapping[str, Any]) -> list[list[Solved]]:
        """Return the results of all jobs; the outer list is over splits."""
        rows: list[list[Solved]] = [[] for _ in range(self.study.splits)]
        for split, k in self._places():
            rows[split].append(Solved(*results[_name(split, k)]))
        return rows

    def _places(self) -> list[tuple[int, int]]:
        return [(split, k) for split in range(len(self.study.problems)) for k in self.study.latent_dims]

    def _seconds(self, k: int) -> float:
        """Return about how long one k takes on one split, if it is followed as far as it may be."""
        study = self.study
        if study.method == "optimum":
            return SEARCH_SECONDS * study.restarts * study.rounds / 60
        training = study.parts[0].training
        times = study.replicates * study.last_horizon + study.validates * (2 * study.last_horizon - study.horizon)
        numbers = training.size * study.particles * (training.rank + k)
        operations = times * STEPS_A_TIME * EVALUATIONS * PASSES * numbers
        return (1 + study.validates) * COMPILING / study.splits + operations / OPERATIONS


def _name(split: int, k: int) -> str:
    return f"split-{split}-k-{k}"


def _at_horizon(study: BottleneckStudy, split: int, k: int) -> Solved:
    """Follow the replicates of a mean field to the time at which to stop; no point held out says when."""
    stop = _stop(study, split, k) if study.validates else Stop(study.horizon, 0.0, True)
    follow = _follower(study, study.problems[split][k - 1], split)
    networks = [
        follow([stop.time], kept=[0], replicate=number, finer=number > 0).networks[0]
        for number in range(study.replicates)
    ]
    part = study.parts[split]
    training, held_out = (np.array([_risk(one, data) for one in networks]) for data in (part.training, part.held_out))
    means, deviations = ([float(of(risks)) for risks in (training, held_out)] for of in (np.mean, _deviation))
    return Solved(means[0], means[1], deviations[0], deviations[1], stop.time, stop.fall, stop.settled)


def _deviation(risks: np.ndarray) -> float:
    return float(risks.std(ddof=1))


def _stop(study: BottleneckStudy, split: int, k: int) -> Stop:
    """Return when to stop a training, by one on a part of its points and the risk on the others."""
    part, problem = study.pilots[split], study.pilot(split, k)
    follow = _follower(study, problem, split)

    def validate(times: np.ndarray) -> np.ndarray:
        networks = follow(times, kept=range(len(times)), replicate=0).networks
        return np.array([_risk(network, part.held_out) for network in networks])

    nothing = NOTHING * problem.population.pca_risk(0)
    return best_stop(validate, study.horizon, study.last_horizon, study.settling, nothing)


def _follower(study: BottleneckStudy, problem: Problem, split: int) -> Callable[..., Replicate]:
    """Return what follows a replicate with the numerical settings of the study."""
    dtype = "float32" if study.rtol >= SINGLE_FROM else "float64"
    settings = {"particles": study.particles, "seed": study.seed + split, "rtol": study.rtol, "dtype": dtype}
    return functools.partial(follow_replicate, problem, **settings)


def _at_optimum(study: BottleneckStudy, split: int, k: int) -> Solved:
    problem, held_out = study.problems[split][k - 1], study.parts[split].held_out
    found = solve_optimum(problem, **optimum_settings(study), seed=study.seed + split, workers=1, throw=False)
    reach = max(found.certificate.decoder_gap, found.certificate.encoder_descent)
    outside = _risk(found.autoencoder, held_out)
    return Solved(found.risk, outside, reach, objective=found.objective, certified=found.status.ok)


def _risk(network: Autoencoder, data: Data) -> float:
    with computing_in(DOUBLE):
        points, weights = data.points.astype(float), data.weights.astype(float)
        return float(network.in_precision(DOUBLE).risk(points, weights))


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


def bottleneck_dataset(study: BottleneckStudy, solved: list[list[Solved]]) -> xr.Dataset:
    """Return all numbers of a study, from those of its jobs."""
    components = min(split.training.rank for split in study.parts)
    pca = {
        part: np.stack([pca_risks(split.training, getattr(split, part).points, components) for split in study.parts])
        for part in ("training", "held_out")
    }
    dims = ("split", "latent_dim")
    other = ONLY["optimum" if study.method == "horizon" else "horizon"]
    networks = {
        name: (dims, np.array([[getattr(one, name) for one in row] for row in solved], float), named(meaning))
        for name, meaning in MEANINGS.items()
        if name not in other
    }
    dataset = xr.Dataset(
        networks
        | {
            f"pca_{part}_risk": (
                ("split", "component"),
                risks,
                named(f"risk of PCA of the points in training, on those {part.replace('_', ' ')}"),
            )
            for part, risks in pca.items()
        }
        | {
            "intrinsic_dimension": (
                "split",
                [training_dimension(split.training) for split in study.parts],
                named("intrinsic dimension of the points in training (TwoNN)"),
            )
        },
        coords={
            "split": np.arange(study.splits),
            "latent_dim": study.latent_dims,
            "component": np.arange(1, components + 1),
        },
    ).assign_attrs(
        provenance("isthmus bottleneck study", study, study.parts[0].training),
        training_points=study.parts[0].training.size,
        held_out_points=study.parts[0].held_out.size,
    )
    if study.method == "horizon":
        for name in ("error", "held_out_error"):
            dataset[name] = _half_width(dataset[name], study.replicates)
    return dataset


def _half_width(deviation: xr.DataArray, replicates: int) -> xr.DataArray:
    """Return half the 95 % interval of a mean over replicates, whose variance is pooled over the splits of each k."""
    quantile = student_quantile(deviation.sizes["split"] * (replicates - 1))
    pooled = ((deviation**2).mean("split") / replicates) ** 0.5
    return (quantile * pooled).broadcast_like(deviation).transpose(*deviation.dims).assign_attrs(deviation.attrs)
