"""The infinitely wide estimator: the mean-field problem that training follows, and how far a learning curve is from it.

The problem has the data on which the curve is measured, in the units of the computation, the law of neurons at the
start, brought to PCA, and the estimator's activations, optimizer and penalty: networks that `isthmus.train` trains on
it have the estimator's law. How far from the limit they stay is seen from networks that are trained as the fit was.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from isthmus._display import Summary
from isthmus._words import number, percent, setting
from isthmus.core.data import Data
from isthmus.core.problem import Problem
from isthmus.dynamics.mean_field import follow_replicate
from isthmus.dynamics.parallel import run_jobs
from isthmus.dynamics.results import fall
from isthmus.estimator.ensemble import Bound, Ensemble, Training, simulated
from isthmus.estimator.run import FitState, record_marks
from isthmus.estimator.samples import Pool
from isthmus.estimator.schedule import Schedule
from isthmus.estimator.start import Start

CONFIDENCE = 0.95
RECORDS = 8
"""Recorded times, at most, at which a curve is compared."""
RTOL, PRECISION = 1e-2, "float32"
"""Of the mean-field solves, whose error of the time steps is far below that of the particles."""
COARSE = 2
"""Solves with half the particles, by which the shift of finitely many of them is taken off and shown."""
DIVERGED = "some networks like it diverge: take a smaller step size"


class Effort(NamedTuple):
    """What the comparison with the infinitely wide network may cost; ``compare`` is whether it is made at all."""

    compare: bool
    particles: int
    runs: int
    seed: int
    workers: int | None


@dataclass(frozen=True, repr=False)
class Distance(Summary):
    """A learning curve beside the infinitely wide network's, R(t), and networks like its own.

    Attributes:
        times: those recorded times at which they are compared, shape (T,).
        curve, limit: the curve and R(t), shape (T,).
        limit_error: how far ``limit`` may be from R(t), shape (T,).
        ensemble: simulated networks of this width, step size and batch size, None where there are none.
        not_simulated: why there are none, in words that follow a semicolon, None where there are.

    """

    times: np.ndarray
    curve: np.ndarray
    limit: np.ndarray
    limit_error: np.ndarray
    ensemble: Ensemble | None
    not_simulated: str | None = None

    def _lines(self) -> list[tuple[str, object]]:
        found = self.expected
        expected = (
            f"unknown, {self.not_simulated}"
            if found is None
            else f"within {number(found.value)} for {percent(found.share)} of such networks"
        )
        return [
            ("curve", fall(self.times, self.curve)),
            ("infinite width", fall(self.times, self.limit)),
            ("gap", f"at most {number(self.gap)}, at t = {setting(self.farthest)}"),
            ("expected", expected),
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
    def expected(self) -> Bound | None:
        """The gap within which such networks stay, and the share of them that do: 95 %, if they are 19 or more."""
        return None if self.ensemble is None else self.ensemble.gap_bound(CONFIDENCE)

    @property
    def inside(self) -> bool | None:
        """Whether the gap is one that such networks have, which is true of the share ``expected.share`` of them."""
        return None if self.expected is None else self.gap <= self.expected.value

    @property
    def learned(self) -> float:
        """By how much R(t) falls."""
        return float(self.limit[0] - self.limit.min())


class Beginning(NamedTuple):
    """What the start of a fit was made from, and where its batches come from."""

    start: Start
    pool: Pool
    dtype: np.dtype


def limit_problem(start: Start, schedule: Schedule, weight_decay: float) -> Problem:
    """Return the problem whose path R(t) is the learning curve of an infinitely wide estimator.

    Its time is that of the motion: where the heavy ball counts steps, their sizes ε are the rates of the flow. What
    points have outside the coordinates of the computation adds a constant to the curve that isn't in it.
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


def distance(state: FitState, begun: Beginning, schedule: Schedule, effort: Effort) -> Distance:
    """Return how far a learning curve is from R(t), and how far networks like the estimator's are."""
    assert state.times is not None and state.curve is not None
    problem, sample = limit_problem(begun.start, schedule, state.settings.weight_decay), begun.start.sample
    rows = record_marks(len(state.times) - 1, RECORDS - 1)
    times = state.times[rows]
    limit, error = _limit(problem, schedule.motion_times(times), effort)
    limit = limit + float(sample.weights @ sample.outside) / 2
    compared = times, state.curve[rows], limit, error
    motion, marks = state.settings.penalised(schedule.motion), schedule.numbers(times).tolist()
    training = Training(begun.start, begun.pool, schedule, motion, marks, state.network.encoder.width, begun.dtype)
    found = simulated(training, times, limit, runs=effort.runs, seed=effort.seed, workers=effort.workers)
    if not (np.isfinite(found.risk).all() and np.isfinite(found.again).all()):
        return Distance(*compared, None, DIVERGED)
    return Distance(*compared, found)


def _limit(problem: Problem, times: np.ndarray, effort: Effort) -> tuple[np.ndarray, np.ndarray]:
    """Return R(t), and how far from it this may be, shape (T,) each.

    In many dimensions P particles have a risk that is shifted by b/P, as a network's is, which scramblings share. So it
    is 2 R_P − R_{P/2}, of which all that half the particles change is the error.
    """
    integrator = "stabilised" if problem.motion.is_gradient_flow else "auto"

    def risk(index: int) -> np.ndarray:
        particles, replicate = (effort.particles, 0) if index == 0 else (effort.particles // 2, index)
        options = {"kept": (), "rtol": RTOL, "dtype": PRECISION, "seed": effort.seed, "integrator": integrator}
        return follow_replicate(problem, times, particles=particles, replicate=replicate, **options).risk

    fine, *coarse = run_jobs(risk, 1 + COARSE, effort.workers, None)
    change = fine - np.mean(coarse, axis=0)
    return fine + change, np.abs(change)
