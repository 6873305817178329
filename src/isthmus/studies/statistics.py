"""Statistics of independent runs: means, quantiles, rates on log axes, and their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

RESAMPLES = 2000
CONFIDENCE = 0.95
"""Of every interval in a study."""


@dataclass(frozen=True)
class Estimate:
    """A number with the two ends of its interval."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.lower:.3g}, {self.upper:.3g}]".replace("-", "−")

    def contains(self, value: float) -> bool:
        """Whether the interval contains ``value``."""
        return self.lower <= value <= self.upper


def mean_estimate(samples: np.ndarray) -> Estimate:
    """Return the mean of at least two samples, shape (runs,), with Student's interval."""
    middle, error = float(samples.mean()), standard_error(samples)
    half = float(student.ppf((1 + CONFIDENCE) / 2, len(samples) - 1)) * error
    return Estimate(middle, middle - half, middle + half)


def standard_error(samples: np.ndarray) -> float:
    """Return the standard error of the mean of at least two samples, shape (runs,)."""
    return float(samples.std(ddof=1) / np.sqrt(len(samples)))


def bootstrap_quantiles(samples: np.ndarray, level: float, seed: int) -> tuple[Estimate, np.ndarray]:
    """Return the quantile of independent samples, shape (runs,), its interval, and its resamples."""
    random = np.random.default_rng(seed)
    drawn = samples[random.integers(len(samples), size=(RESAMPLES, len(samples)))]
    resampled = np.quantile(drawn, level, axis=1)
    return _estimate(float(np.quantile(samples, level)), resampled), resampled


def fitted_rate(
    sizes: Sequence[float] | np.ndarray, samples: Sequence[np.ndarray], level: float, seed: int
) -> Estimate | None:
    """Return the slope of log quantile against log size by least squares, resampling runs at each size.

    None with fewer than two sizes, or where a quantile is 0.
    """
    if len(sizes) < 2:
        return None
    pairs = [bootstrap_quantiles(values, level, seed + i) for i, values in enumerate(samples)]
    estimates = np.array([estimate.value for estimate, _ in pairs])
    resampled = np.stack([draws for _, draws in pairs], axis=1)
    if np.any(estimates <= 0) or np.any(resampled <= 0):
        return None
    log_sizes = np.log(np.asarray(sizes, dtype=float))
    centred = log_sizes - log_sizes.mean()
    weights = centred / (centred @ centred)
    return _estimate(float(weights @ np.log(estimates)), np.log(resampled) @ weights)


def _estimate(value: float, resampled: np.ndarray) -> Estimate:
    lower, upper = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(value, float(lower), float(upper))
