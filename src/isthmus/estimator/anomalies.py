"""Rows that the autoencoder reconstructs badly: scores and a threshold, as scikit-learn's detectors have them."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OutlierMixin

FENCE = 1.5
"""Of Tukey's rule: how many interquartile ranges beyond the upper quartile of ‖x − x̂‖ a row is an anomaly."""
SAME = 1e-9
"""Relative difference of errors that is rounding: a row at the threshold is none of the anomalies."""
LEAST = 0.01
"""Share of the training rows that are called anomalies at the least."""


class AnomalyScores(OutlierMixin):
    """What a fitted autoencoder says of single rows."""

    offset_: float

    @abstractmethod
    def reconstruction_error(self, X: ArrayLike, *, per_feature: bool = False) -> np.ndarray:
        """Return ‖x − x̂‖² of every row, shape (n,)."""

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Return −‖x − x̂‖² of every row, shape (n,): the lower, the more of an anomaly."""
        return -self.reconstruction_error(X)

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return ``score_samples(X) − offset_``, shape (n,), which is negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return −1 for anomalies and 1 for other rows, shape (n,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)


def offset_of(errors: np.ndarray, weights: np.ndarray, contamination: float | None) -> float:
    """Return the score below which rows are anomalies, from the errors ‖x − x̂‖² of weighted rows in training.

    With a contamination, this share of the weight is below it. Without, it is minus the square of the upper fence of
    Tukey's rule for ‖x − x̂‖, or what a share of `LEAST` of the weight is below, if that is more.
    """
    if contamination is not None and np.ptp(weights) == 0:
        return float(np.percentile(-errors, 100 * contamination))
    quantile = lambda values, level: np.quantile(values, level, method="inverted_cdf", weights=weights)  # noqa: E731
    if contamination is not None:
        return float(quantile(-errors, contamination))
    lower, upper = (quantile(np.sqrt(errors), level) for level in (0.25, 0.75))
    fence = (upper + FENCE * (upper - lower)) ** 2
    return -float(min(fence, quantile(errors, 1 - LEAST)) * (1 + SAME))
