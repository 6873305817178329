"""Rates ξ(t) that multiply the velocity: step-size schedules as functions of mean-field time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from isthmus import _checks

Rate = float | Callable[[float], float]
"""A positive constant, or a function of mean-field time (an optax schedule serves, its count being time)."""


def check(name: str, rate: Rate) -> Rate:
    """Return the rate, refused where it is not a non-negative number or a function that can be asked at 0."""
    if not callable(rate):
        return _checks.real(name, rate, minimum=0)
    _value(name, rate, 0.0)
    return rate


def values(name: str, rate: Rate, times: np.ndarray) -> np.ndarray:
    """Return ξ at each of the times, shape (S,), asking a function once a time."""
    if not callable(rate):
        return np.full(len(times), rate)
    return np.array([_value(name, rate, float(t)) for t in times])


def _value(name: str, rate: Callable[[float], float], time: float) -> float:
    return _checks.real(f"{name}({time:g})", float(rate(time)), minimum=0)
