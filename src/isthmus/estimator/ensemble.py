"""Networks like an estimator's own, simulated: how far from infinite width they stay, and what moves them away.

Training one network costs little where it is no wider than most; the predicted law costs as much as many of them, and
knows neither their steps nor their batches beyond leading order. So a few are trained. Some are trained again from the
same neurons, on other batches: the mean square of half the difference is the variance that batches make.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.stats import t as student

from isthmus._display import Summary
from isthmus._words import counted, number
from isthmus.core.problem import Problem
from isthmus.core.sobol import sobol_normals
from isthmus.dynamics.results import fall
from isthmus.dynamics.sgd import run_keys, train
from isthmus.theory.control import jackknife

AGAIN = 4
"""One of so many networks is trained again on other batches."""
DRAWS = 1 << 12
"""Curves from which quantiles of the sup-gap are taken."""
SINGLE = np.dtype(np.float32)

Source = Literal["neurons", "batches", "shift"]


class Quantile(NamedTuple):
    """A quantile of the sup-gap, and its standard error."""

    value: float
    error: float


@dataclass(frozen=True, repr=False)
class Ensemble(Summary):
    """Networks like an estimator's, beside the infinitely wide one.

    Attributes:
        times: shape (T,).
        limit: R(t), shape (T,).
        risk: of networks from independent draws of neurons, each on batches of its own, shape (runs, T).
        again: of the first of them on other batches, shape (pairs, T).

    """

    times: np.ndarray
    limit: np.ndarray
    risk: np.ndarray
    again: np.ndarray

    def _lines(self) -> list[tuple[str, object]]:
        gap = self.gap_quantile(0.95)
        return [
            ("networks", f"{counted(len(self.risk), 'run')}, {len(self.again)} of them again on other batches"),
            ("risk", f"{fall(self.times, self.mean)} on average"),
            ("sup-gap", f"95 % within {number(gap.value)} ± {number(gap.error, 2)}"),
        ]

    def _curve(self) -> tuple[np.ndarray, np.ndarray]:
        return self.times, self.mean

    @property
    def mean(self) -> np.ndarray:
        """The mean of the curves, shape (T,)."""
        return self.risk.mean(axis=0)

    @property
    def std(self) -> np.ndarray:
        """Their standard deviation, shape (T,)."""
        return self.risk.std(axis=0, ddof=1)

    @property
    def variances(self) -> dict[Source, np.ndarray]:
        """What initial neurons and batches make of the variance, and the square of the mean's shift, shape (T,)."""
        batches = np.mean((self.risk[: len(self.again)] - self.again) ** 2, axis=0) / 2
        neurons = np.maximum(self.std**2 - batches, 0)
        return {"neurons": neurons, "batches": batches, "shift": (self.mean - self.limit) ** 2}

    @property
    def source(self) -> Source:
        """What makes most of the gap: the draw of neurons, the noise of batches, or the shift of the mean."""
        sizes: dict[Source, float] = {name: float(size.max()) for name, size in self.variances.items()}
        return max(sizes, key=sizes.__getitem__)

    def band(self, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends between which another network lies with this probability, at each time for itself."""
        count = len(self.risk)
        half = student.ppf((1 + confidence) / 2, count - 1) * self.std * math.sqrt(1 + 1 / count)
        return self.mean - half, self.mean + half

    def gap_quantile(self, confidence: float) -> Quantile:
        """Return the quantile of the sup-gap max_t |R_N(t) − R(t)| of Gaussian curves of this mean and covariance.

        Its standard error is that of the jackknife over networks.
        """
        normals = sobol_normals(len(self.times), DRAWS, np.random.default_rng(0))

        def quantile(chosen: np.ndarray) -> float:
            risk = self.risk[chosen]
            values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(risk.T)))
            curves = normals @ (vectors * np.sqrt(np.maximum(values, 0))).T + risk.mean(axis=0) - self.limit
            return float(np.quantile(np.abs(curves).max(axis=1), confidence))

        count = len(self.risk)
        return Quantile(quantile(np.arange(count)), float(jackknife(quantile, count)))


def simulated(
    problem: Problem,
    times: np.ndarray,
    limit: np.ndarray,
    width: int,
    step_size: float,
    batch_size: int,
    *,
    runs: int,
    seed: int,
    workers: int | None,
) -> Ensemble:
    """Train networks of a problem beside its limit R(t); those that diverge have risks that aren't finite.

    Args:
        problem: the data, the law of the neurons and how they move.
        times, limit: in the time of the problem, shape (T,), and R(t) there.
        width, step_size, batch_size: of the networks.
        runs: independent networks; one in `AGAIN` is trained again.
        seed: of neurons and batches.
        workers: threads.

    """
    options: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "snapshot_times": (), "workers": workers}
    options |= {"dtype": SINGLE, "throw": False}
    risk = train(problem, times, width, step_size, runs=runs, **options).risk
    same = [problem.draw(run_keys(seed, run)[0], (width, width), SINGLE) for run in range(max(2, runs // AGAIN))]
    again = [
        train(problem, times, width, step_size, start=start, first_run=runs + run, **options).risk[0]
        for run, start in enumerate(same)
    ]
    return Ensemble(times, limit, risk, np.stack(again))
