"""The jobs of a bottleneck study: every k on every split, and the dataset of it all with PCA of the same points."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
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
from isthmus.studies.contents import Variable, labelled
from isthmus.studies.intrinsic_dimension import intrinsic_dimension
from isthmus.studies.jobs import Job, StudyJobs
from isthmus.studies.settling import Stop, best_stop
from isthmus.studies.statistics import student_quantile
from isthmus.studies.study import optimum_settings, provenance
from isthmus.theory.landscape import DOUBLE
from isthmus.theory.optimum import solve_optimum

SINGLE_FROM = 1e-4
"""Tolerance of the time steps from which on single precision suffices, also for finer ones."""
NEGLIGIBLE_SHARE = 1e-6
"""Share of the risk without a code, below which there is nothing left to learn."""
COMPILE_SECONDS = 4.0
"""About how long the programs of one k take to compile."""
OPERATIONS_A_TIME = 0.8 * 6 * 12
"""Passes over points × particles × coordinates in a unit of time: steps × velocities in a step × passes in each."""
OPERATIONS_A_SECOND = 2e10
"""Of one core, roughly."""
SEARCH_SECONDS = 60.0
"""About what the search for one optimum takes."""

EACH, PCA = ("split", "latent_dim"), ("split", "component")
OF_BOTH = {
    "training_risk": Variable(EACH, "risk on the points in training"),
    "held_out_risk": Variable(EACH, "risk on the points held out"),
    "error": Variable(EACH, "numerical error of the training risk, or what the certificate of an optimum leaves open"),
    "held_out_error": Variable(EACH, "numerical error of the held-out risk"),
}
OF_METHOD = {
    "horizon": {
        "horizon": Variable(EACH, "time at which the risks are taken"),
        "fall": Variable(EACH, "share by which the validation risk fell as the time doubled last"),
        "settled": Variable(EACH, "whether the validation risk has settled"),
    },
    "optimum": {
        "objective": Variable(EACH, "risk in training plus the penalty, at the optimum"),
        "certified": Variable(EACH, "whether the optimum's certificate meets the tolerance"),
    },
}
OF_DATA = {
    "pca_training_risk": Variable(PCA, "risk of PCA of the points in training, on the same points"),
    "pca_held_out_risk": Variable(PCA, "risk of PCA of the points in training, on those held out"),
    "intrinsic_dimension": Variable(
        ("split",), "intrinsic dimension of the points in training (TwoNN)", nan="anywhere"
    ),
}


def variables_of(study: BottleneckStudy) -> dict[str, Variable]:
    """Return the variables of the results of a study."""
    return OF_BOTH | OF_METHOD[study.method] | OF_DATA


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


class BottleneckJobs(StudyJobs[BottleneckStudy]):
    """The jobs of a bottleneck study: every k on every split."""

    def jobs(self) -> list[Job]:
        """Return a job for each k on each split; jobs of one k share their programs."""
        stage = f"bottlenecks × {self.study.splits} splits"
        return [
            Job(name, stage, compile_key=f"k{k}", seconds=self._seconds(k)) for name, (_, k) in self._cases().items()
        ]

    def result(self, job: Job, given: Mapping[str, Any], workers: int, progress: Progress | None) -> Solved:
        """Solve one k on one split."""
        study = self.study
        split, k = self._cases()[job.name]
        solve = _at_horizon if study.method == "horizon" else _at_optimum
        try:
            return solve(study, split, k)
        except NumericalError as error:
            raise NumericalError(f"At k = {k} on split {split + 1}, {error}.") from error

    def dataset(self, results: Mapping[str, Any]) -> xr.Dataset:
        """Return the risks of every k on every split, those of PCA, and the intrinsic dimensions."""
        study = self.study
        components = min(split.training.rank for split in study.parts)
        solved = {(split, k): Solved(*results[name]) for name, (split, k) in self._cases().items()}
        of_each = lambda name: np.array(
            [[getattr(solved[split, k], name) for k in study.latent_dims] for split in range(study.splits)], float
        )
        pca = lambda part: np.stack(
            [pca_risks(split.training, getattr(split, part).points, components) for split in study.parts]
        )
        values = {name: of_each(name) for name in OF_BOTH | OF_METHOD[study.method]} | {
            "pca_training_risk": pca("training"),
            "pca_held_out_risk": pca("held_out"),
            "intrinsic_dimension": [training_dimension(split.training) for split in study.parts],
        }
        if study.method == "horizon":
            for name in ("error", "held_out_error"):
                values[name] = _half_widths(values[name], study.replicates)
        coords = {
            "split": np.arange(study.splits),
            "latent_dim": study.latent_dims,
            "component": np.arange(1, components + 1),
        }
        return xr.Dataset(labelled(variables_of(study), values), coords=coords).assign_attrs(
            provenance("isthmus bottleneck study", study, study.parts[0].training),
            training_points=study.parts[0].training.size,
            held_out_points=study.parts[0].held_out.size,
        )

    def _cases(self) -> dict[str, tuple[int, int]]:
        """Return split and k of each job by its name; neighbours differ in k."""
        splits, dims = range(self.study.splits), self.study.latent_dims
        return {f"split-{split}-k-{k}": (split, k) for split in splits for k in dims}

    def _seconds(self, k: int) -> float:
        """Return about how long one k takes on one split, if it is followed as far as it may be."""
        study = self.study
        if study.method == "optimum":
            return SEARCH_SECONDS * study.restarts * study.rounds / 60
        training = study.parts[0].training
        times = study.replicates * study.last_horizon + study.validates * (2 * study.last_horizon - study.horizon)
        numbers = training.size * study.particles * (training.rank + k)
        compiling = (1 + study.validates) * COMPILE_SECONDS / study.splits
        return compiling + times * OPERATIONS_A_TIME * numbers / OPERATIONS_A_SECOND


def _at_horizon(study: BottleneckStudy, split: int, k: int) -> Solved:
    """Follow the replicates of a mean field to the time at which to stop; no point held out says when."""
    stop = _stop(study, split, k) if study.validates else Stop(study.horizon, 0.0, True)
    follow = _follower(study, study.problems[split][k - 1], split)
    networks = [
        follow([stop.time], kept=[0], replicate=number, finer=number > 0).networks[0]
        for number in range(study.replicates)
    ]
    part = study.parts[split]
    risks = np.array([[_risk(network, data) for network in networks] for data in (part.training, part.held_out)])
    (training, held_out), (error, held_out_error) = risks.mean(axis=1), risks.std(axis=1, ddof=1)
    return Solved(float(training), float(held_out), float(error), float(held_out_error), *stop)


def _stop(study: BottleneckStudy, split: int, k: int) -> Stop:
    """Return when to stop a training, by one on a part of its points and the risk on the others."""
    part, problem = study.pilots[split], study.pilot(split, k)
    follow = _follower(study, problem, split)

    def validate(times: np.ndarray) -> np.ndarray:
        networks = follow(times, kept=range(len(times)), replicate=0).networks
        return np.array([_risk(network, part.held_out) for network in networks])

    negligible = NEGLIGIBLE_SHARE * problem.population.pca_risk(0)
    return best_stop(validate, study.horizon, study.last_horizon, study.settling, negligible)


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

    Args:
        training: shape (n, d).
        points: shape (m, d), in the same units; NaN where an entry is missing.
        components: at most the rank of the training data.

    """
    centred = points - training.mean
    if training.has_missing or np.isnan(centred).any():
        codes = (training.pca(count).of(np.nan_to_num(centred)) for count in range(1, components + 1))
        return np.array([square_errors(centred, outputs).mean() / 2 for outputs in codes])
    squares = np.square(centred @ training.principal_directions).mean(axis=0)
    remaining = np.append(np.cumsum(squares[::-1])[::-1], 0.0) / 2
    return remaining[1 : components + 1]


def training_dimension(training: Data) -> float:
    """Return the intrinsic dimension of the points in training, NaN where their neighbours don't tell it."""
    try:
        return intrinsic_dimension(training.points)
    except ArgumentError:
        return np.nan


def _half_widths(deviations: np.ndarray, replicates: int) -> np.ndarray:
    """Return half the 95 % interval of a mean over replicates, whose variance is pooled over the splits of each k.

    Args:
        deviations: standard deviations over replicates, shape (splits, K).
        replicates: how many.

    """
    splits = len(deviations)
    pooled = np.sqrt(np.square(deviations).mean(axis=0) / replicates)
    return np.tile(student_quantile(splits * (replicates - 1)) * pooled, (splits, 1))
