"""Rows of an array drawn with replacement, in a way that depends on their content and weights alone."""

from __future__ import annotations

import numpy as np

from isthmus.core.scaling import row_slices, scaling
from isthmus.core.sparse import dense

SAMPLE = 2048
"""Rows, at most, that stand for all of a table where it is judged."""


def content_order(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the rows of positive weight in an order that depends on their content alone, whatever its unit.

    It is that of their projections on a fixed direction.
    """
    direction = np.random.default_rng(0).standard_normal(points.shape[1])
    places = _along(direction, points, dense(points, [np.argmax(weights > 0)]).astype(float))
    if np.isnan(places).any():  # entries are missing, and the first row is no place for them
        places = _along(direction, points, scaling(points, weights, "none").mean, missing=0.0)
    order = np.argsort(places, kind="stable")
    return order[weights[order] > 0]


def _along(direction: np.ndarray, points: np.ndarray, origin: np.ndarray, missing: float = np.nan) -> np.ndarray:
    """Return the projections of rows, less an origin, whose large offset would hide what differs."""
    blocks = (dense(points, rows) - origin for rows in row_slices(points.shape))
    return np.concatenate([np.nan_to_num(block, nan=missing) @ direction for block in blocks])


class Sampler:
    """Draws rows of an array with replacement, with probabilities in proportion to weights.

    Rows are drawn by their place in `content_order`, so that the points drawn depend neither on the order of the rows
    nor on whether a row stands twice or has twice the weight.
    """

    def __init__(self, points: np.ndarray, weights: np.ndarray) -> None:
        self._order = content_order(points, weights)
        self._levels = np.cumsum(weights[self._order])

    def rows(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return indices of rows, in an array of a shape."""
        levels = random.random(shape) * self._levels[-1]
        found = np.searchsorted(self._levels, levels, side="right")
        return self._order[np.minimum(found, len(self._order) - 1)]

    def evenly(self, count: int) -> np.ndarray:
        """Return indices of ``count`` rows at evenly spaced quantiles, a sample that is the same each time."""
        levels = (np.arange(count) + 0.5) / count * self._levels[-1]
        return self._order[np.minimum(np.searchsorted(self._levels, levels), len(self._order) - 1)]


def sample_rows(points: np.ndarray, weights: np.ndarray, most: int = SAMPLE) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of all points of positive weight, or of some at evenly spaced quantiles, with their weights."""
    present = np.flatnonzero(weights > 0)
    if len(present) <= most:
        return present, weights[present] / weights[present].sum()
    return Sampler(points, weights).evenly(most), np.full(most, 1 / most)
