"""The deviation of finite networks from the mean field: how far they scatter, and how far their mean is from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student

from isthmus.studies.statistics import TAIL, jackknife_intervals, leave_one_out, log_slope, widened


def fluctuation_intervals(curves: np.ndarray) -> np.ndarray:
    """Return √(mean over t of Var R_N(t)) with its interval, from curves (..., runs, T), shape (..., 3).

    The jackknife is of the logarithm, so that the interval stays positive; its ends are NaN for two runs.
    """
    value, left_out = _log_fluctuations(curves)
    return np.exp(_unbiased_jackknife(value, left_out))


def fluctuation_slope(sizes: Sequence[float], curves: np.ndarray) -> np.ndarray:
    """Return the exponent of the size in the fluctuation of curves (sizes, runs, T), with its interval, shape (3,).

    Run r of all sizes is left out together, so that the interval carries what they share.
    """
    if len(sizes) < 2:
        return np.full(3, np.nan)
    value, left_out = _log_fluctuations(curves)
    return _unbiased_jackknife(log_slope(sizes, value), log_slope(sizes, np.moveaxis(left_out, 1, 0)))


def shift_intervals(curves: np.ndarray, replicates: np.ndarray) -> np.ndarray:
    """Return √(mean over t of (E R_N(t) − R(t))²) with its interval, shape (..., 3).

    Estimate and interval are those of the square β², of which the noise of both means is taken off. The interval holds
    every β² that the estimate does not contradict, given the variance 4 β² v/n + 2 tr Σ²/n² it would have (as in
    Wilson's interval of a proportion): v is the variance of R_N along β, and Σ its covariance. An interval that
    begins at 0 says that the shift is not resolved.

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
    slope = lambda squared: log_slope(sizes, np.log(np.where(squared > 0, squared, np.nan)) / 2)  # noqa: E731
    runs, all_but = curves.shape[1], ~np.eye(curves.shape[1], dtype=bool)
    by_run = np.stack([slope(_squared_shift(curves[:, all_but[r]], replicates)) for r in range(runs)])
    value = slope(_squared_shift(curves, replicates))
    limits = leave_one_out(replicates)
    by_replicate = np.stack([slope(np.square(_mean_deviation(curves, limit)).mean(-1)) for limit in limits])
    return widened(jackknife_intervals(value, by_run), by_replicate)


def _log_fluctuations(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log fluctuations, shape (...), and those with each run left out, (runs, ...)."""
    runs = curves.shape[-2]
    squares = np.square(curves - curves.mean(axis=-2, keepdims=True))
    total = squares.sum(axis=-2)
    left_out = np.full((runs, *curves.shape[:-2]), np.nan)
    if runs > 2:
        rest = total[..., None, :] - runs / (runs - 1) * squares
        left_out = np.moveaxis(_half_log(rest.mean(axis=-1) / (runs - 2)), -1, 0)
    return _half_log(total.mean(axis=-1) / (runs - 1)), left_out


def _half_log(squares: np.ndarray) -> np.ndarray:
    return np.log(np.where(squares > 0, squares, np.nan)) / 2


def _unbiased_jackknife(value: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Return a jackknife's interval about the value less its bias, which for logarithms of few runs matters."""
    intervals = jackknife_intervals(value, left_out)
    bias = (len(left_out) - 1) * (left_out.mean(axis=0) - value)
    return np.where(np.isfinite(intervals), intervals - np.nan_to_num(bias)[..., None], intervals)


def _mean_deviation(curves: np.ndarray, limit: np.ndarray) -> np.ndarray:
    return curves.mean(axis=-2) - limit


def _squared_shift(curves: np.ndarray, replicates: np.ndarray) -> np.ndarray:
    """Return an unbiased estimate of β², shape (...)."""
    noise = curves.var(axis=-2, ddof=1) / curves.shape[-2] + replicates.var(axis=0, ddof=1) / len(replicates)
    return (np.square(_mean_deviation(curves, replicates.mean(axis=0))) - noise).mean(axis=-1)


def _squared_shift_intervals(curves: np.ndarray, replicates: np.ndarray, squared: np.ndarray) -> np.ndarray:
    runs, records = curves.shape[-2:]
    wide = float(student.ppf(1 - TAIL, runs - 1)) / np.sqrt(runs)
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
    return np.stack([squared, middle - half, middle + half], axis=-1)
