"""Networks like an estimator's own, simulated: how far from infinite width they stay, and what moves them away.

Training one network costs little where it is no wider than most; the predicted law costs as much as many of them, and
knows neither their steps nor their batches beyond leading order. So a few are trained, by the loop that trained the
estimator. Given the steps, its curve and theirs are independent draws of one law, so that each of the n + 1 is as
likely as any other to be the farthest from R(t): it is within the k-th smallest of their n gaps with probability
k/(n + 1), whatever that law is. Some are trained again from the same neurons, on other batches: the mean square of half
the difference is the variance that batches make.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import t as student

from isthmus._display import Summary
from isthmus._words import counted, number, percent
from isthmus.core.optimizers import Motion
from isthmus.dynamics.learner import Learner
from isthmus.dynamics.parallel import run_jobs
from isthmus.dynamics.results import fall
from isthmus.estimator.samples import Pool
from isthmus.estimator.schedule import Schedule
from isthmus.estimator.start import Start

AGAIN = 4
"""One of so many networks is trained again on other batches."""

Source = Literal["neurons", "batches", "shift"]


class Bound(NamedTuple):
    """A sup-gap, and the probability that that of another network is within it."""

    value: float
    share: float


@dataclass(frozen=True)
class Training:
    """How a fit trains its network, and others like it.

    Attributes:
        start: what networks begin with, and the sample on which their risk is measured.
        pool: where batches come from.
        schedule, motion: of the steps.
        marks: the numbers of steps after which the risk is measured.
        width, dtype: of the networks.

    """

    start: Start
    pool: Pool
    schedule: Schedule
    motion: Motion
    marks: list[int]
    width: int
    dtype: np.dtype

    def curve(self, neurons: np.random.Generator, batches: np.random.Generator) -> np.ndarray:
        """Return the learning curve of a network of these neurons on these batches, shape (T,)."""
        network = self.start.network(neurons, self.width).in_precision(self.dtype)
        learner = Learner(network, self.motion)
        reached = self.pool.trained_up_to(self.marks, learner, self.schedule, batches)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.array([self.start.sample.risk(learner.network) for _ in reached])


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
        gap = self.gap_bound(0.95)
        return [
            ("networks", f"{counted(len(self.risk), 'run')}, {len(self.again)} of them again on other batches"),
            ("risk", f"{fall(self.times, self.mean)} on average"),
            ("sup-gap", f"{percent(gap.share)} within {number(gap.value)}"),
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

    @property
    def gaps(self) -> np.ndarray:
        """The sup-gaps max_t |R_N(t) − R(t)| of the networks, shape (runs,), in increasing order."""
        return np.sort(np.abs(self.risk - self.limit).max(axis=1))

    def gap_bound(self, confidence: float) -> Bound:
        """Return the least of the gaps within which another network is with this probability, or else the largest."""
        count = len(self.risk)
        rank = min(count, math.ceil(confidence * (count + 1) - 1e-9))
        return Bound(float(self.gaps[rank - 1]), rank / (count + 1))


def simulated(
    training: Training, times: np.ndarray, limit: np.ndarray, *, runs: int, seed: int, workers: int | None
) -> Ensemble:
    """Train networks beside their limit R(t); those that diverge have risks that aren't finite.

    Args:
        training: of the networks.
        times, limit: of their marks, shape (T,), and R(t) there.
        runs: independent networks; one in `AGAIN` is trained again.
        seed: of neurons and batches.
        workers: threads.

    """
    count = runs + max(2, runs // AGAIN)
    neurons, batches = (part.spawn(count) for part in np.random.SeedSequence(seed).spawn(2))

    def curve(index: int) -> np.ndarray:
        return training.curve(*(np.random.default_rng(part) for part in (neurons[index % runs], batches[index])))

    risk = np.stack(run_jobs(curve, count, workers, None))
    return Ensemble(times, limit, risk[:runs], risk[runs:])
