"""The deviation of finite networks from the mean field: how far they scatter, and how far their mean is from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isthmus.studies.statistics import jackknife_intervals, leave_one_out, log_slope, student_quantile, widened


def fluctuation_intervals(curves: np.ndarray) -> np.ndarray:
    """Return √(mean over t of Var R_N(t)) with its interval, from curves (..., runs, T), shape (..., 3).

    The jackknife is of the logarithm, so that the interval stays positive; its ends are NaN for two runs.
    """
    value, left_out = _log_fluctuations(curves)
    return np.exp(_unbiased_jackknife(value, np.moveaxis(left_out, -1, 0)))


def fluctuation_slope(sizes: Sequence[float], curves: np.ndarray) -> np.ndarray:
    """Return the exponent of the size in the fluctuation of curves (sizes, runs, T), with its interval, shape (3,).

    Run r of all sizes is left out together, so that the interval carries what they share.
    """
    if len(sizes) < 2:
        return np.full(3, np.nan)
    value, left_out = _log_fluctuations(curves)
    return _unbiased_jackknife(log_slope(sizes, value), log_slope(sizes, left_out))


def shift_intervals(curves: np.ndarray, replicates: np.ndarray) -> np.ndarray:
    """Return √(mean over t of (E R_N(t) − R(t))²) with its interval, shape (..., 3).

    Estimate and interval are those of the square β², of which the noise of both means is taken off. The interval holds
    every β² that the estimate does not contradict, given the variance 4 β² v/n + 2 tr Σ²/n² it would have (as in
    Wilson's interval of a proportion): v is the variance of R_N along β, and Σ its covariance. It ends at the latest
    where Student's interval along the mean does. An interval that begins at 0 says that the shift is not resolved.

    Args:
        curves: risk of networks, shape (..., runs, T).
        replicates: independent estimates of R(t), shape (replicates, T).

    """
    squared = _squared_shift(curves, replicates)
    left_out = np.stack([np.square(_mean_deviation(curves, limit)).mean(-1) for limit in leave_one_out(replicates)])
    return np.sqrt(np.maximum(widened(_squared_shift_intervals(curves, replicates, squared), left_out), 0))


def shift_slope(sizes: Sequence[float], curves: np.ndarray, replicates: np.ndarray) -> np.ndarray:
    """Return the exponent of the size in the shift of curves (sizes, runs, T), with its interval, shape (3,).

    NaN where the shift is not resolved at every size.
    """
    if len(sizes) < 2 or not (shift_intervals(curves, replicates)[:, 1] > 0).all():
        return np.full(3, np.nan)
    slope = lambda squared: log_slope(sizes, _half_log(squared))
    limit, error = replicates.mean(axis=0), replicates.var(axis=0, ddof=1) / len(replicates)
    means, variances = _left_out(curves)
    by_run = (np.square(means - limit) - variances / (curves.shape[1] - 1) - error).mean(axis=-1)
    by_replicate = np.stack([np.square(_mean_deviation(curves, mean)).mean(-1) for mean in leave_one_out(replicates)])
    interval = jackknife_intervals(slope(_squared_shift(curves, replicates)), slope(by_run))
    return widened(interval, slope(by_replicate.T))


def _log_fluctuations(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log fluctuations, shape (...), and those with each run left out, (..., runs)."""
    value = _half_log(curves.var(axis=-2, ddof=1).mean(axis=-1))
    return value, _half_log(_left_out(curves)[1].mean(axis=-1))


def _left_out(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance over runs with each run left out, shapes (..., runs, T); no variance of a single run."""
    runs, mean = curves.shape[-2], curves.mean(axis=-2, keepdims=True)
    squares = np.square(curves - mean)
    rest = squares.sum(axis=-2, keepdims=True) - runs / (runs - 1) * squares
    return mean + (mean - curves) / (runs - 1), rest / (runs - 2) if runs > 2 else np.full_like(rest, np.nan)


def _half_log(squares: np.ndarray) -> np.ndarray:
    return np.log(np.where(squares > 0, squares, np.nan)) / 2


def _unbiased_jackknife(value: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Return a value with a jackknife's interval about it less its bias, which for logarithms of few runs matters."""
    intervals = jackknife_intervals(value, left_out)
    intervals[..., 1:] -= ((len(left_out) - 1) * (left_out.mean(axis=0) - value))[..., None]
    return intervals


def _mean_deviation(curves: np.ndarray, limit: np.ndarray) -> np.ndarray:
    return curves.mean(axis=-2) - limit


def _squared_shift(curves: np.ndarray, replicates: np.ndarray) -> np.ndarray:
    """Return an unbiased estimate of β², shape (...)."""
    noise = curves.var(axis=-2, ddof=1) / curves.shape[-2] + replicates.var(axis=0, ddof=1) / len(replicates)
    return (np.square(_mean_deviation(curves, replicates.mean(axis=0))) - noise).mean(axis=-1)


def _squared_shift_intervals(curves: np.ndarray, replicates: np.ndarray, squared: np.ndarray) -> np.ndarray:
    runs, records = curves.shape[-2:]
    wide = student_quantile(runs - 1) / np.sqrt(runs)
    mean = _mean_deviation(curves, replicates.mean(axis=0))
    centred = curves - curves.mean(axis=-2, keepdims=True)
    products = centred @ np.moveaxis(centred, -1, -2) / records
    trace = np.square(products).sum(axis=(-1, -2)) / (runs - 1) ** 2  # tr Σ²

    def variance_along(direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return v along a direction, and by how much β is uncertain where this matters most for its length."""
        along = (centred * direction[..., None, :]).mean(axis=-1)
        square = np.square(along).sum(axis=-1) / (runs - 1)
        covariance = (centred * along[..., None]).sum(axis=-2) / (runs - 1)
        scale = np.sqrt(np.where(square > 0, square, np.inf))
        length = np.square(direction).mean(axis=-1)
        return square / np.where(length > 0, length, np.inf), wide * covariance / scale[..., None]

    variance, ahead = variance_along(mean)
    variance = np.maximum(variance, variance_along(mean + ahead)[0])  # β may lie along noisier directions than its mean
    middle = squared + 2 * wide**2 * variance
    half = np.sqrt(np.maximum(middle**2 - squared**2 + 2 * wide**2 * trace / runs, 0))
    # a normal tail reaches further than a mean can be from what it estimates, in any direction
    nearest = np.square(np.sqrt(np.square(mean).mean(axis=-1)) + wide * np.sqrt(variance))
    return np.stack([squared, middle - half, np.minimum(middle + half, nearest)], axis=-1)
