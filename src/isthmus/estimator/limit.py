"""The infinitely wide estimator: the mean-field problem that training follows, and how far a learning curve is from it.

The problem has the data on which the curve is measured, in the units of the computation, the law of neurons at the
start, brought to PCA, and the estimator's activations, optimizer and penalty: networks that `isthmus.train` trains on
it have the estimator's law.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from isthmus._display import Summary
from isthmus._words import number, setting
from isthmus.core.data import Data
from isthmus.core.problem import Problem
from isthmus.dynamics.mean_field import solve_mean_field
from isthmus.dynamics.results import fall
from isthmus.estimator.run import FitState, record_marks
from isthmus.estimator.schedule import Schedule
from isthmus.estimator.start import Start
from isthmus.theory.finite_width import predict_finite_width
from isthmus.theory.prediction import Prediction

CONFIDENCE = 0.95
RECORDS = 8
"""Recorded times, at most, at which a curve is compared: the cost of the law is in proportion to them."""
REPLICATES, RTOL, PRECISION = 4, 1e-4, "float32"
"""Of the mean-field solve, whose error, rounding included, is to be well below the fluctuation of a network."""
LAW_POINTS = 512
"""Points, at most, on which the law of finite networks is computed, at a cost in proportion to them."""


class Effort(NamedTuple):
    """What the comparison with the infinitely wide network may cost; ``compare`` is whether it is made at all."""

    compare: bool
    particles: int
    samples: int
    seed: int
    workers: int | None


@dataclass(frozen=True, repr=False)
class Distance(Summary):
    """A learning curve beside the infinitely wide network's, R(t), and the predicted law of networks like its own.

    Attributes:
        times: those recorded times at which they are compared, shape (T,).
        curve, limit: the curve and R(t), shape (T,).
        limit_error: how far ``limit`` may be from R(t), shape (T,).
        prediction: the law of networks of this width, step size and batch size, None where there is none.
        no_prediction: why there is none, as 'one whose …'.

    """

    times: np.ndarray
    curve: np.ndarray
    limit: np.ndarray
    limit_error: np.ndarray
    prediction: Prediction | None
    no_prediction: str | None

    def _lines(self) -> list[tuple[str, object]]:
        why = f"none, the problem is {self.no_prediction}"
        expected = why if self.expected is None else f"within {number(self.expected)} for 95 % of such networks"
        return [
            ("curve", fall(self.times, self.curve)),
            ("infinite width", fall(self.times, self.limit)),
            ("gap", f"at most {number(self.gap)}, at t = {setting(self.farthest)}"),
            ("prediction", expected),
        ]

    def _curve(self) -> tuple[np.ndarray, np.ndarray]:
        return self.times, self.curve

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


def distance(state: FitState, start: Start, schedule: Schedule, effort: Effort) -> Distance:
    """Return how far a learning curve is from R(t), with the predicted law of networks like the estimator's.

    The law is that on fewer points, and R(t) is computed with twice as many particles.
    """
    assert state.times is not None and state.curve is not None
    decay = state.settings.weight_decay
    problem, on_fewer = (limit_problem(begun, schedule, decay) for begun in (start, start.on_fewer(LAW_POINTS)))
    rows = record_marks(len(state.times) - 1, RECORDS - 1)
    options: dict[str, Any] = {"dtype": PRECISION, "seed": effort.seed, "workers": effort.workers}
    path = solve_mean_field(
        problem,
        schedule.motion_times(state.times)[rows],
        particles=2 * effort.particles,
        replicates=REPLICATES,
        snapshot_times=(),
        rtol=RTOL,
        **options,
    )
    options |= {"particles": effort.particles, "samples": effort.samples}
    prediction, unpredictable = None, on_fewer.unpredictable_because
    if unpredictable is None:
        law = predict_finite_width(on_fewer, path.times, path=path, **options)
        prediction = law.at(state.network.encoder.width, schedule.first, state.settings.batch_size)
    return Distance(state.times[rows], state.curve[rows], path.risk, path.risk_error, prediction, unpredictable)
