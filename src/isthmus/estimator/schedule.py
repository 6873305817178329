"""How long steps are, and how much each weighs in the average of weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from isthmus.core.optimizers import Momentum, Motion
from isthmus.dynamics.learner import Steps

MEMORY = 33
"""Steps over which the heavy ball remembers, β = 1 − 1/33 = 0.97."""
HEAVY_BALL = Motion(optimizer=Momentum(float(MEMORY)))
"""The heavy ball in units of steps: time counts steps, and the size ε of a step multiplies its motion."""
FIRST = 40.0
"""Curvature × size of the first steps; the heavy ball is stable below 2 (2 MEMORY − 1) = 130."""
CONSTANT_STEPS = 128
"""Steps of the first size, after which the size grows in proportion to the number of steps, as the curvature falls."""
LONGEST = (2.0, 0.7)
"""What steps may grow to, which are both tried: long ones leave poor minima, shorter ones end lower."""
MOST_STEPS = 1 << 14
"""More steps than any automatic run takes."""
POWER = 4
"""The average weighs the network at time t in proportion to t^4, so that most of it is about the last fifth.

Source: polynomial-decay averaging, Shamir and Zhang, ICML 2013.
"""


@dataclass(frozen=True)
class Schedule:
    """Sizes of steps ε_n, in mean-field time.

    Attributes:
        first: ε_0.
        longest: ε_n = min(longest, ε_0 max(1, n/`CONSTANT_STEPS`)); 0 where all are ε_0.
        motion: of which steps these are.
        counts_steps: whether the memory of the motion counts steps (`HEAVY_BALL`), or is a mean-field time.

    """

    first: float
    longest: float = 0.0
    motion: Motion = HEAVY_BALL
    counts_steps: bool = False

    @classmethod
    def automatic(cls, curvature: float, longest: float) -> Schedule:
        """Return the heavy ball's schedule for the highest curvature at the start."""
        return cls(min(longest, FIRST / curvature) if curvature > 0 else longest, longest, HEAVY_BALL, True)

    def slower(self) -> Schedule:
        """Return the schedule with steps a quarter as long."""
        return replace(self, first=self.first / 4)

    def sizes(self, begin: int, end: int) -> np.ndarray:
        """Return ε_n of the steps from ``begin`` to before ``end``."""
        numbers = np.arange(begin, end)
        if self.is_constant:
            return np.full(len(numbers), self.first)
        return np.minimum(self.longest, self.first * np.maximum(1, numbers / CONSTANT_STEPS))

    def time(self, steps: int) -> float:
        """Return the mean-field time of so many steps."""
        return float(self.sizes(0, steps).sum())

    def steps(self, begin: int, end: int) -> Steps:
        """Return the steps from ``begin`` to before ``end``."""
        sizes = self.sizes(begin, end)
        times = self.time(begin) + np.cumsum(sizes)
        shares = np.minimum(1, (POWER + 1) * sizes / (times + POWER * sizes))
        counted = np.ones_like(sizes) if self.counts_steps else sizes
        return Steps(counted, sizes, shares)

    @property
    def is_constant(self) -> bool:
        """Whether all steps are equally long."""
        return self.first >= self.longest

    def last(self, steps: int) -> float:
        """Return the size of the last of so many steps."""
        return float(self.sizes(max(steps - 1, 0), max(steps, 1))[-1])

    @property
    def stability_limit(self) -> float | None:
        """Below which step size × curvature steps are stable; None where it isn't known (Adam)."""
        return self.motion.optimizer.stability_limit(1.0 if self.counts_steps else self.first)

    def numbers(self, times: np.ndarray) -> np.ndarray:
        """Return after how many steps mean-field times are reached, 0 for the first of them."""
        if self.is_constant:
            return np.rint(times / self.first).astype(int)
        ends = np.cumsum(self.sizes(0, MOST_STEPS))
        return np.concatenate([[0], np.searchsorted(ends, times[1:] * (1 - 1e-9)) + 1])

    def motion_times(self, times: np.ndarray) -> np.ndarray:
        """Return mean-field times in the time of the motion: where it counts steps, their number."""
        return self.numbers(times).astype(float) if self.counts_steps else times

    def rate(self, time: Any) -> Any:
        """Return ξ(t) of the flow whose steps these are, at a time of the motion."""
        if not self.counts_steps:
            return jnp.ones_like(time)
        grown = self.first * jnp.maximum(1.0, time / CONSTANT_STEPS)
        return jnp.minimum(max(self.longest, self.first), grown)
