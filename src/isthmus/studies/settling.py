"""How long a network is trained: until its risk on a validation part of the training set stops falling."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

CHECKPOINTS = np.array([0.25, 0.5, 1.0])
"""Shares of a horizon at which the risk is looked at: two doublings of the time."""
NO_FALL = 0.01
"""Share of the tolerance below which a fall counts as none."""


class Stop(NamedTuple):
    """When to stop a training.

    Attributes:
        time: at which the validation risk was lowest, of all times at which it was looked at last.
        fall: by which share it fell as the time doubled last.
        settled: whether that says that longer training would not lower it.

    """

    time: float
    fall: float
    settled: bool


def best_stop(
    validate: Callable[[np.ndarray], np.ndarray],
    horizon: float,
    max_horizon: float,
    tolerance: float,
    negligible: float,
) -> Stop:
    """Look at the validation risk up to a horizon, and up to twice that until it has settled.

    Args:
        validate: returns the risk at given times.
        horizon: the first one.
        max_horizon: the last one, whether the risk has settled or not.
        tolerance: the share by which a risk that has settled may fall as the time doubles.
        negligible: a risk so small that smaller ones count as equal to it.

    """
    while True:
        risk = np.maximum(validate(horizon * CHECKPOINTS), negligible)
        settled = has_settled(risk, tolerance)
        if settled or horizon >= max_horizon:
            return Stop(horizon * float(CHECKPOINTS[risk.argmin()]), float(1 - risk[-1] / risk[-2]), settled)
        horizon = min(2 * horizon, max_horizon)


def has_settled(risk: np.ndarray, tolerance: float) -> bool:
    """Return whether a risk rises, or falls by less than a share of itself as the time doubles.

    The latter must hold for the last two doublings, and for the next one too if the falls go on growing as they did: a
    risk that leaves a saddle falls little at first, but ever faster.

    Args:
        risk: positive, shape (3,), at a quarter of the time, at half of it, and at the end.
        tolerance: the share.

    """
    before, last = 1 - risk[1:] / risk[:-1]
    following = last * max(1.0, last / max(before, NO_FALL * tolerance))
    return bool(last < -tolerance or max(before, last, following) < tolerance)
