"""Points on which networks are judged, and the moments of large arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.dynamics.host_batches import Sampler, Whitening, decoded, encoded

DOUBLE = np.dtype(np.float64)
SAMPLE = 2048
"""Points, at most, on which the start is brought to PCA and the learning curve is measured."""
ROWS = 4096
"""Rows of a large array that are looked at together."""


class Judge(NamedTuple):
    """Points in the units of the computation, with weights, on which a risk is measured."""

    points: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray, weights: np.ndarray, whitening: Whitening) -> Judge:
        """Return all points of positive weight, or of many some at evenly spaced quantiles of the weights."""
        rows, chances = _some(points, weights, SAMPLE)
        return cls(whitening.of(points[rows]), chances)

    def on_fewer(self, count: int) -> Judge:
        """Return the same on so many of the points, at most."""
        rows, chances = _some(self.points, self.weights, count)
        return Judge(self.points[rows], chances)

    def risk(self, network: Autoencoder) -> float:
        """Return ½E‖x − x̂‖²."""
        errors = decoded(network, encoded(network, self.points)) - self.points
        return float(self.weights @ (errors.astype(DOUBLE) ** 2).sum(axis=1) / 2)

    def pca_risk(self, components: np.ndarray) -> float:
        """Return the risk of the projection on components, shape (k, d)."""
        points = self.points.astype(DOUBLE)
        return float(self.weights @ ((points - points @ components.T @ components) ** 2).sum(axis=1) / 2)


def _some(points: np.ndarray, weights: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of all points of positive weight, or of some at evenly spaced quantiles, with their weights."""
    present = np.flatnonzero(weights > 0)
    if len(present) <= most:
        return present, weights[present] / weights[present].sum()
    return Sampler(points, weights).evenly(most), np.full(most, 1 / most)


def set_apart(points: np.ndarray, weights: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Return which points are held out, shape (n,): different ones, with all copies, of a share of the weight."""
    chosen = np.zeros(len(points), bool)
    if share > 0:
        present = np.flatnonzero(weights > 0)
        _, group = np.unique(points[present], axis=0, return_inverse=True)
        masses = np.bincount(group, weights[present])
        order = random.permutation(len(masses))
        taken = 1 + int(np.searchsorted(np.cumsum(masses[order]), share))
        chosen[present] = np.isin(group, order[: min(taken, len(masses) - 1)])
    return chosen


def mean_and_covariance(points: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance, a block of rows at a time, so that no second copy of the points is made."""
    blocks = [slice(first, first + ROWS) for first in range(0, len(points), ROWS)]
    mean = sum(weights[block] @ points[block].astype(DOUBLE) for block in blocks)
    covariance = np.zeros((points.shape[1],) * 2)
    for block in blocks:
        centred = points[block].astype(DOUBLE) - mean
        covariance += (centred * weights[block, None]).T @ centred
    return np.asarray(mean), covariance
