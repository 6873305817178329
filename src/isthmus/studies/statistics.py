"""Statistics of independent runs: means, quantiles and exponents, with intervals that hold their level for few runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, binom
from scipy.stats import t as student

from isthmus._words import exponent, interval, number, percent

CONFIDENCE = 0.95
"""Of every interval in a study."""
TAIL = (1 - CONFIDENCE) / 2
BOUNDS = ("estimate", "lower", "upper")
"""The numbers of an estimate, along the dimension ``bound`` of a result."""


@dataclass(frozen=True)
class Estimate:
    """A number with the two ends of its interval, which are NaN where the runs can't support one."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        if not self.has_interval:
            return number(self.value)
        return f"{number(self.value)} ({percent(CONFIDENCE)} CI {interval(self.lower, self.upper)})"

    @property
    def has_interval(self) -> bool:
        """Whether both ends of the interval are known."""
        return math.isfinite(self.lower) and math.isfinite(self.upper)

    def as_exponent(self) -> str:
        """Return the number and its interval as an exponent is read, to two decimals."""
        if not self.has_interval:
            return exponent(self.value)
        return f"{exponent(self.value)} ({percent(CONFIDENCE)} CI {exponent(self.lower)} to {exponent(self.upper)})"

    def for_json(self) -> list[float | None] | None:
        """Return [value, lower, upper], None for ends that are not known and for a value that is not finite."""
        if not math.isfinite(self.value):
            return None
        return [self.value, plain(self.lower), plain(self.upper)]

    def contains(self, value: float) -> bool:
        """Whether the interval contains ``value``."""
        return self.lower <= value <= self.upper


def plain(value: float) -> float | None:
    """Return a number for JSON, None where it is not finite."""
    return float(value) if math.isfinite(value) else None


def standard_error(samples: np.ndarray) -> float:
    """Return the standard error of the mean of at least two samples, shape (runs,)."""
    return float(samples.std(ddof=1) / np.sqrt(len(samples)))


def supports(level: float, runs: int) -> bool:
    """Return whether so many runs can bound the quantile of a level from both sides."""
    return max(level, 1 - level) ** runs <= TAIL


def runs_needed(level: float) -> int:
    """Return the smallest number of runs that can bound the quantile of a level from both sides.

    Example:
        >>> runs_needed(0.5), runs_needed(0.9)
        (6, 36)

    """
    return math.ceil(math.log(TAIL) / math.log(max(level, 1 - level)))


def quantile_intervals(samples: np.ndarray, level: float) -> np.ndarray:
    """Return quantiles over the last axis of samples (..., runs) with their intervals, shape (..., 3).

    The ends lie between neighbouring order statistics whose binomial levels enclose the nominal one, interpolated as
    by Nyblom (1992, *Statistics & Probability Letters* 14), for the median Hettmansperger and Sheather (1986). They
    are NaN where `supports` is false.
    """
    ordered, runs = np.sort(samples, axis=-1), samples.shape[-1]
    estimate = np.quantile(samples, level, axis=-1)
    if not supports(level, runs):
        return np.stack([estimate, *np.full((2, *estimate.shape), np.nan)], axis=-1)
    lower = _lower_end(ordered, level)
    upper = -_lower_end(-ordered[..., ::-1], 1 - level)
    return np.stack([estimate, lower, upper], axis=-1)


def _lower_end(ordered: np.ndarray, level: float) -> np.ndarray:
    """Return the number below which the quantile lies with probability `TAIL`, from ordered samples (..., runs)."""
    runs = ordered.shape[-1]
    below = binom.cdf(np.arange(runs), runs, level)  # entry r − 1: the r-th order statistic exceeds the quantile
    rank = int(np.searchsorted(below, TAIL, side="right"))
    first, second = below[rank - 1], below[rank]
    share = 1 / (1 + rank * (1 - level) * (second - TAIL) / ((runs - rank) * level * (TAIL - first)))
    return (1 - share) * ordered[..., rank - 1] + share * ordered[..., rank]


def log_slope(sizes: Sequence[float] | np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Return the least-squares slope of values (sizes, ...) against the logarithm of at least two sizes."""
    log_sizes = np.log(np.asarray(sizes, dtype=float))
    centred = log_sizes - log_sizes.mean()
    return np.tensordot(centred / (centred @ centred), logs, axes=1)


def quantile_slope(sizes: Sequence[float] | np.ndarray, samples: np.ndarray, level: float) -> np.ndarray:
    """Return the slopes of log quantiles of samples (sizes, ..., runs) against log size, shape (...).

    Quantiles are those of Harrell and Davis (1982, *Biometrika* 69), smooth in every run. NaN with fewer than two
    sizes, or where a quantile is 0.
    """
    return _slope(sizes, np.sort(samples, axis=-1) @ _harrell_davis(samples.shape[-1], level))


def quantile_slope_intervals(sizes: Sequence[float] | np.ndarray, samples: np.ndarray, level: float) -> np.ndarray:
    """Return the slopes of `quantile_slope` with their intervals, shape (..., 3).

    Run r of every size is left out together, since runs of one number share random numbers (jackknife). The ends are
    NaN where `supports` is false.
    """
    intervals = jackknife_intervals(
        quantile_slope(sizes, samples, level), _slope(sizes, _quantiles_left_out(samples, level), first=1)
    )
    if not supports(level, samples.shape[-1]):
        intervals[..., 1:] = np.nan
    return intervals


def _slope(sizes: Sequence[float] | np.ndarray, values: np.ndarray, first: int = 0) -> np.ndarray:
    """Return the slopes of the logarithms of values, of which this axis holds the sizes; NaN for a single size."""
    values = np.moveaxis(values, first, 0)
    return log_slope(sizes, _log(values)) if len(sizes) > 1 else np.full(values.shape[1:], np.nan)


def _harrell_davis(runs: int, level: float) -> np.ndarray:
    """Return the weight of each order statistic in a quantile."""
    return np.diff(beta.cdf(np.arange(runs + 1) / runs, (runs + 1) * level, (runs + 1) * (1 - level)))


def _quantiles_left_out(samples: np.ndarray, level: float) -> np.ndarray:
    """Return the quantiles of samples (..., runs) with each run left out, shape (runs, ...)."""
    order = np.argsort(samples, axis=-1)
    ordered = np.take_along_axis(samples, order, axis=-1)
    weights = _harrell_davis(samples.shape[-1] - 1, level)
    nothing = np.zeros((*samples.shape[:-1], 1))
    below = np.concatenate([nothing, np.cumsum(weights * ordered[..., :-1], axis=-1)], axis=-1)
    shifted = np.concatenate([nothing, np.cumsum(weights * ordered[..., 1:], axis=-1)], axis=-1)
    by_rank = below + shifted[..., -1:] - shifted  # those above the one left out move down by a rank
    return np.moveaxis(np.take_along_axis(by_rank, np.argsort(order, axis=-1), axis=-1), -1, 0)


def student_quantile(freedom: int) -> float:
    """Return half the width of an interval in standard errors, by Student's distribution with degrees of freedom."""
    return float(student.ppf(1 - TAIL, freedom))


def jackknife_intervals(value: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Return a smooth statistic with its interval, shape (..., 3).

    Args:
        value: of all runs, shape (...).
        left_out: with each run left out, shape (runs, ...).

    """
    half = student_quantile(len(left_out) - 1) * _jackknife_error(left_out)
    return np.stack([value, value - half, value + half], axis=-1)


def widened(intervals: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Return intervals (..., 3) that carry an error common to all runs, too.

    Args:
        intervals: as if the common number were exact.
        left_out: the estimates with each replicate of the common number left out, shape (replicates, ...).

    """
    middle, lower, upper = np.moveaxis(intervals, -1, 0)
    half = student_quantile(len(left_out) - 1) * _jackknife_error(left_out)
    return np.stack([middle, middle - np.hypot(middle - lower, half), middle + np.hypot(upper - middle, half)], axis=-1)


def widened_logs(intervals: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Return intervals of positive numbers that carry a common error, as `widened`, and stay positive."""
    positive = np.all(left_out > 0, axis=0) & (intervals[..., 0] > 0)
    logs = widened(_log(intervals), np.where(positive, _log(left_out), 0.0))
    ends = np.where(positive[..., None], np.exp(logs), intervals)[..., 1:]
    return np.concatenate([intervals[..., :1], ends], axis=-1)


def leave_one_out(replicates: np.ndarray) -> np.ndarray:
    """Return the mean of replicates (K, ...) with each left out in turn, shape (K, ...)."""
    return (replicates.sum(axis=0) - replicates) / (len(replicates) - 1)


def _jackknife_error(left_out: np.ndarray) -> np.ndarray:
    count = len(left_out)
    return np.sqrt((count - 1) / count * np.square(left_out - left_out.mean(axis=0)).sum(axis=0))


def _log(values: np.ndarray) -> np.ndarray:
    """Return logarithms, NaN where there is none."""
    return np.log(np.where(values > 0, values, np.nan))
