"""At which times a path is recorded: few that show it well, at ends of steps."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.optimize import root_scalar

from isthmus import _checks

Spacing = Literal["log", "even"]
SPACINGS = ("log", "even")
DECADES = 3
"""Decades of time that log-spaced records cover: at 1/1000 of the horizon hardly a risk has moved."""
LOG_SPACED_SHARE = 0.5
"""Share of records that are log-spaced where the others follow a curve: networks may curvature where it doesn't."""
LARGEST_NUMBER_OF_STEPS = 100_000_000
"""Steps of the smallest size that a horizon may hold."""


class LearningCurve(Protocol):
    """Anything with ``times``, shape (T,), and a ``risk`` of shape (T,) or (runs, T)."""

    @property
    def times(self) -> np.ndarray:
        """Recorded times, shape (T,)."""
        ...

    @property
    def risk(self) -> np.ndarray:
        """The risk at these times, shape (T,) or (runs, T)."""
        ...


def recorded_times(
    horizon: float,
    records: int,
    step_size: float | Sequence[float] | None = None,
    spacing: Spacing = "log",
    follow: LearningCurve | None = None,
) -> Float[np.ndarray, " T"]:
    """Return 0 and the times of so many records up to the horizon, shape (T,), with the arguments of `Problem.times`.

    Raises:
        ArgumentError: where the horizon is no multiple of the step size, or an argument breaks its rule.

    """
    horizon = _checks.scale("horizon", horizon, above=0)
    records = _checks.integer("records", records, minimum=1)
    _checks.choice("spacing", spacing, SPACINGS)
    if step_size is None:
        _checks.memory("records", records, 8 * records)
        return np.array([0.0, *_positions(horizon, records, horizon / 10**DECADES, spacing, follow)])
    sizes = [_fraction(size) for size in _several(step_size)]
    unit = functools.reduce(_common_multiple, sizes)
    steps = _whole_number_of_steps(horizon, unit, min(sizes))
    records = min(records, steps)
    first = max(horizon / 10**DECADES, float(unit))
    marks = distinct(_positions(horizon, records, first, spacing, follow) / float(unit), steps)
    return np.array([0.0, *(float(int(mark) * unit) for mark in marks)])


def distinct(positions: ArrayLike, last: int) -> np.ndarray:
    """Return increasing positions in (0, last] as distinct whole numbers from 1 to ``last``, each as near as can be.

    Example:
        >>> distinct([0.2, 0.9, 1.1, 7.6, 10.0], 10).astype(int).tolist()
        [1, 2, 3, 8, 10]

    """
    positions = np.asarray(positions, float)
    ranks = np.arange(len(positions))
    beyond = np.maximum.accumulate(np.rint(positions) - ranks)
    return ranks + np.clip(beyond, 1, last - len(positions) + 1)


def _positions(horizon: float, records: int, first: float, spacing: Spacing, curve: LearningCurve | None) -> np.ndarray:
    """Return positions of records in (0, horizon], the last one exactly there."""
    if curve is not None:
        positions = _following(*_checked(curve, horizon), horizon, records, first)
    elif spacing == "log":
        positions = _growing(horizon, records, first)
    else:
        positions = horizon * np.arange(1, records + 1) / records
    positions[-1] = horizon
    return positions


def _growing(horizon: float, records: int, first: float) -> np.ndarray:
    """Return ``first`` sinh(ih)/sinh(h), i = 1, 2, ..., with the h that ends at the horizon: even, then log-spaced.

    Gaps begin at ``first`` and never shrink, so that rounding to ends of steps crowds none together.
    """
    ratio, ranks = horizon / first, np.arange(1, records + 1)
    if records >= ratio:
        return horizon * ranks / records
    if records == 1:
        return np.array([horizon])
    excess = lambda h: math.sinh(records * h) / math.sinh(h) - ratio
    growth = root_scalar(excess, bracket=(1e-9, 1.01 * math.log(ratio) / (records - 1)), xtol=1e-14).root
    return first * np.sinh(ranks * growth) / math.sinh(growth)


def _following(
    times: Float[np.ndarray, " T"], risk: Float[np.ndarray, " T"], horizon: float, records: int, first: float
) -> Float[np.ndarray, " R"]:
    """Return positions between which linear interpolation of a curve has about the same error everywhere.

    On the axis u = asinh(t/first), which is linear below the first record and logarithmic beyond it, the error over a
    gap h is h²|R″|/8, so that records are equally many for the same ∫|R″|^(1/2) du; a share of them is spread evenly
    over u.

    Source: equidistribution of knots, de Boor, Spline Functions and Approximation Theory (1973).
    """
    axis = np.arcsinh(times / first)
    slopes = np.diff(risk) / np.diff(axis)
    curvature = np.abs(np.diff(slopes)) / (axis[2:] - axis[:-2]) * 2
    density = np.sqrt(np.concatenate([curvature[:1], curvature, curvature[-1:]]))
    followed = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(axis))])
    even = (axis - axis[0]) / (axis[-1] - axis[0])
    level = LOG_SPACED_SHARE if followed[-1] > 0 else 1.0
    share = level * even + (1 - level) * followed / max(followed[-1], np.finfo(float).tiny)
    return np.minimum(first * np.sinh(np.interp(np.arange(1, records + 1) / records, share, axis)), horizon)


def _checked(curve: LearningCurve, horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the times of a curve up to the horizon, and its risk there, the mean over runs."""
    if not (hasattr(curve, "times") and hasattr(curve, "risk")):
        kind = _checks.described(f"of type {type(curve).__name__}")
        _checks.refuse_type("follow", "be a learning curve with times and risk", kind)
    times = _checks.times("follow", curve.times)
    risk = np.asarray(curve.risk, float)
    risk = _checks.array("follow", risk.mean(axis=0) if risk.ndim == 2 else risk, (len(times),))
    if times[0] > 0 or times[-1] < horizon * (1 - 1e-9):
        span = _checks.described(f"recorded from t = {times[0]:g} to {times[-1]:g}")
        _checks.refuse("follow", f"be a learning curve from 0 to the horizon {horizon:g}", span)
    inside = times <= horizon * (1 + 1e-9)
    if inside.sum() < 3:
        count = _checks.described(f"one with {inside.sum()}")
        _checks.refuse("follow", "be a learning curve with at least 3 times up to the horizon", count)
    return times[inside], risk[inside]


def _several(step_size: float | Sequence[float]) -> list[float]:
    several = isinstance(step_size, list | tuple) or (isinstance(step_size, np.ndarray) and step_size.ndim > 0)
    sizes = [*step_size] if several else [step_size]  # pyright: ignore[reportGeneralTypeIssues]
    if not sizes:
        _checks.refuse("step_size", "be a number, or several", step_size)
    return [_checks.scale("step_size", size, above=0) for size in sizes]


def _whole_number_of_steps(horizon: float, unit: Fraction, smallest: Fraction) -> int:
    """Return how many times the unit, a multiple of every step size, goes into the horizon."""
    if _fraction(horizon) / smallest > LARGEST_NUMBER_OF_STEPS:
        _checks.refuse("horizon", f"be within {LARGEST_NUMBER_OF_STEPS:,} steps of every step size", horizon)
    units = _fraction(horizon) / unit
    if units.denominator != 1:
        below = max(1, math.floor(units)) * unit
        _checks.refuse(
            "horizon",
            f"be a multiple of every step size, so of {float(unit):g}",
            horizon,
            f"the nearest are {float(below):g} and {float(below + unit):g}",
        )
    return int(units)


def _fraction(value: float) -> Fraction:
    """Return the decimal that a person wrote (0.1 is 1/10, not its binary neighbour)."""
    return Fraction(repr(float(value)))


def _common_multiple(a: Fraction, b: Fraction) -> Fraction:
    return Fraction(math.lcm(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator)
