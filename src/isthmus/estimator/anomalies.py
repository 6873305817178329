"""Rows that the autoencoder reconstructs badly: scores and a threshold, as scikit-learn's detectors have them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from isthmus import _checks

TUKEY_FENCE = 1.5
"""How many interquartile ranges beyond the upper quartile of ‖x − x̂‖ a row is an anomaly by Tukey's rule."""
ERROR_ROUNDING = 1e-9
"""Relative difference of errors that is rounding: a row at the threshold is none of the anomalies."""
LEAST_SHARE = 0.01
"""Share of the training rows that are called anomalies at the least."""
SMALLEST_NUMBER = float(np.finfo(float).smallest_subnormal)


class Fence(NamedTuple):
    """Where anomalies begin.

    Attributes:
        square: the largest ‖x − x̂‖² of other rows, in a unit in which squares don't leave double precision.
        unit: that unit, the one of the computation where a fit draws the line.

    """

    square: float
    unit: float


class AnomalyScores(OutlierMixin):
    """Scores of single rows by a fitted autoencoder."""

    unit_: float | np.ndarray
    _fence: Fence

    @abstractmethod
    def _errors(self, X: ArrayLike) -> np.ndarray:
        """Return ‖x − x̂‖² of every row, shape (n,), in units of the computation."""

    @property
    def offset_(self) -> float:
        """The score below which a row is an anomaly, in units of the data squared."""
        return float(-in_data_units(self._fence.square, self._fence.unit))

    @offset_.setter
    def offset_(self, value: float) -> None:
        self._fence = Fence(-_checks.real("offset_", value, maximum=0), 1.0)

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Return −‖x − x̂‖² of every row, shape (n,): the lower, the more of an anomaly."""
        check_is_fitted(self, "unit_")
        return -in_data_units(self._errors(X), self.unit_)

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return ``score_samples(X) − offset_``, shape (n,), which is negative for anomalies.

        They are compared in units of the computation, so that the sign is right in every unit of the data; a difference
        that is too small for double precision is the smallest number that it has.
        """
        check_is_fitted(self, "unit_")
        check_is_fitted(
            self,
            "_fence",
            msg="This estimator has no threshold between anomalies and other rows, which only fit sets; set offset_.",
        )
        square, unit = self._fence
        margin = square - self._errors(X) * (self.unit_ / unit) ** 2
        shown = in_data_units(margin, unit)
        return np.where((shown == 0) & (margin != 0), np.copysign(SMALLEST_NUMBER, margin), shown)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return −1 for anomalies and 1 for other rows, shape (n,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)


def in_data_units(squares: Any, unit: Any) -> Any:
    """Return squares in units of the data, without the square of the unit, which may leave double precision."""
    return squares * unit * unit


def offset_of(errors: np.ndarray, weights: np.ndarray, contamination: float | None) -> float:
    """Return the score below which rows are anomalies, from the errors ‖x − x̂‖² of weighted rows in training.

    With a contamination, this share of the weight is below it. Without, it is minus the square of the upper fence of
    Tukey's rule for ‖x − x̂‖, or what a share of `LEAST_SHARE` of the weight is below, if that is more.

    Source: Tukey, Exploratory Data Analysis, 1977, chapter 2.
    """
    if contamination is not None and np.ptp(weights) == 0:
        return float(np.percentile(-errors, 100 * contamination))
    quantile = lambda values, level: np.quantile(values, level, method="inverted_cdf", weights=weights)
    if contamination is not None:
        return float(quantile(-errors, contamination))
    lower, upper = (quantile(np.sqrt(errors), level) for level in (0.25, 0.75))
    fence = (upper + TUKEY_FENCE * (upper - lower)) ** 2
    return -float(min(fence, quantile(errors, 1 - LEAST_SHARE)) * (1 + ERROR_ROUNDING))
