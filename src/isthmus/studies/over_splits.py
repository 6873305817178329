r"""Statistics over random splits of one table, which share points: intervals of means and of ratios, kept positive.

A mean over m of n points differs from split to split with the variance s². Two splits have m/n of these points in
common, so that J of them don't have the variance s²/J but s² (1/J + (m/n) / (1 − m/n)): Nadeau and Bengio, Machine
Learning 52 (2003) 239, whose J − 1 degrees of freedom are used too. What is positive is estimated on a logarithmic
scale, to first order in the standard error: an interval is m̂ e^{±h/m̂} in place of m̂ ± h.
"""

from __future__ import annotations

import math

import numpy as np

from isthmus.studies.statistics import Estimate, student_quantile


def standard_error(values: np.ndarray, share: float) -> float:
    """Return the standard error of a mean over splits.

    Args:
        values: shape (splits,), each an average over the same share of the points.
        share: m/n, the points in such an average over all points of the table.

    """
    return float(values.std(ddof=1)) * math.sqrt(1 / len(values) + share / (1 - share))


def mean_over_splits(values: np.ndarray, share: float) -> Estimate:
    """Return the mean of positive numbers over splits, with its interval; arguments as in `standard_error`."""
    mean = float(values.mean())
    return _positive(mean, standard_error(values, share) / mean if mean > 0 else 0.0, len(values))


def ratio_over_splits(over: np.ndarray, under: np.ndarray, share: float) -> Estimate:
    """Return the ratio of two means over the same splits, which are compared in pairs; ∞ where the second one is 0."""
    below = float(under.mean())
    if below <= 0:
        return Estimate(math.inf, math.inf, math.inf)
    ratio = float(over.mean()) / below
    return _positive(ratio, standard_error((over - ratio * under) / below, share) / ratio, len(over))


def _positive(value: float, relative_error: float, splits: int) -> Estimate:
    """Return an estimate on a logarithmic scale from the standard error of its logarithm."""
    half = student_quantile(splits - 1) * relative_error
    return Estimate(value, value * math.exp(-half), value * math.exp(half))
