"""The infinitely wide estimator: the mean-field problem that training follows, and how far a learning curve is from it.

The problem has the data on which the curve is measured, in the units of the computation, the law of neurons at the
start, brought to PCA, and the estimator's activations, optimizer and penalty: networks that `isthmus.train` trains on
it have the estimator's law.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from isthmus.core.data import Data
from isthmus.core.problem import Problem
from isthmus.dynamics.mean_field import solve_mean_field
from isthmus.dynamics.results import MeanFieldPath
from isthmus.estimator.schedule import Schedule
from isthmus.estimator.start import Start
from isthmus.theory.finite_width import predict_finite_width
from isthmus.theory.prediction import Prediction

CONFIDENCE = 0.95
RECORDS = 8
"""Recorded times, at most, at which a curve is compared: the cost of the law is in proportion to them."""
REPLICATES, RTOL, PRECISION = 4, 1e-4, "float32"
"""Of the mean-field solve, whose error is to be well below the fluctuation of a network; so is that of rounding."""
LAW_POINTS = 512
"""Points, at most, on which the law of finite networks is computed, at a cost in proportion to them."""


@dataclass(frozen=True)
class Distance:
    """A learning curve beside the infinitely wide network's, R(t), and the predicted law of networks like its own.

    Attributes:
        times: those recorded times at which they are compared, shape (T,).
        curve, limit: the curve and R(t), shape (T,).
        limit_error: how far ``limit`` may be from R(t), shape (T,).
        prediction: the law of networks of this width, step size and batch size, None where there is none.
        no_prediction: why there is none.

    """

    times: np.ndarray
    curve: np.ndarray
    limit: np.ndarray
    limit_error: np.ndarray
    prediction: Prediction | None
    no_prediction: str | None

    @property
    def gap(self) -> float:
        """max_t |curve − R(t)|."""
        return float(np.abs(self.curve - self.limit).max())

    @property
    def farthest(self) -> float:
        """The time at which the gap is reached."""
        return float(self.times[np.abs(self.curve - self.limit).argmax()])

    @cached_property
    def expected(self) -> float | None:
        """The gap within which 95 % of such networks stay."""
        return None if self.prediction is None else self.prediction.gap_quantile(CONFIDENCE)

    @property
    def reaches(self) -> bool:
        """Whether the predicted law, of leading order, says anything: it does not where its gap exceeds the risk."""
        return self.expected is not None and self.expected <= self.limit.max()

    @property
    def inside(self) -> bool | None:
        """Whether the gap is one that such networks have, up to the error of R(t); None where the law says nothing."""
        if self.expected is None or not self.reaches:
            return None
        return bool((np.abs(self.curve - self.limit) - self.limit_error).max() <= self.expected)

    @property
    def learned(self) -> float:
        """By how much R(t) falls."""
        return float(self.limit[0] - self.limit.min())

    @property
    def source(self) -> str | None:
        """What makes most of the expected gap: 'neurons', 'batches' or 'steps'."""
        if self.prediction is None:
            return None
        sizes = {"neurons": 0.0, "batches": 0.0, "steps": 0.0}
        for name, noise in self.prediction.noises.items():
            of = "neurons" if name in ("encoder", "decoder") else name
            sizes[of] += float((noise.shift**2 + np.diagonal(noise.covariance)).max())
        return max(sizes, key=lambda name: sizes[name])


def limit_problem(start: Start, schedule: Schedule, weight_decay: float) -> Problem:
    """Return the problem whose path R(t) is the learning curve of an infinitely wide estimator.

    Its time is that of the motion: where the heavy ball counts steps, their sizes ε are the rates of the flow.
    """
    sample, rate = start.sample, schedule.rate if schedule.counts_steps else 1.0
    return Problem(
        data=Data(sample.points, sample.weights, missing="ignore"),
        law=start.law,
        activation=start.activations,
        encoder_rate=rate,
        decoder_rate=rate,
        weight_decay=weight_decay,
        optimizer=schedule.motion.optimizer,
    )


def distance(
    problem: Problem,
    on_fewer: Problem,
    own_times: np.ndarray,
    times: np.ndarray,
    curve: np.ndarray,
    network: tuple[int, float, int],
    particles: int,
    samples: int,
    seed: int,
    workers: int | None,
) -> Distance:
    """Return how far a curve is from R(t), with the law of networks of some (width, step size, batch size).

    ``own_times`` are ``times`` in the time of the problem.
    The law is that of the problem ``on_fewer`` points, and R(t) is computed with twice as many particles.
    """
    rows = np.unique(np.rint(np.linspace(0, len(times) - 1, min(RECORDS, len(times)))).astype(int))
    own_times, times, curve = own_times[rows], times[rows], curve[rows]
    options: dict[str, Any] = {"dtype": PRECISION, "seed": seed, "workers": workers}
    path = solve_mean_field(
        problem, own_times, particles=2 * particles, replicates=REPLICATES, snapshot_times=(), rtol=RTOL, **options
    )
    prediction, why = _prediction(on_fewer, path, network, options | {"particles": particles, "samples": samples})
    return Distance(times, curve, path.risk, path.risk_error, prediction, why)


def _prediction(
    problem: Problem, path: MeanFieldPath, network: tuple[int, float, int], options: dict[str, Any]
) -> tuple[Prediction | None, str | None]:
    """Return the law of networks, or why there is none."""
    if not problem.motion.is_gradient_flow:
        return None, f"the law of finite networks holds for plain SGD, not for {problem.optimizer}"
    rough = next((activation.name for activation in problem.activations if not activation.smooth), None)
    if rough is not None:
        return None, f"the law of finite networks needs an activation with a continuous slope, and {rough!r} has none"
    law = predict_finite_width(problem, path.times, path=path, **options)
    width, step_size, batch_size = network
    return law.at(width, step_size, batch_size), None
