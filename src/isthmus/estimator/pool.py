"""Points from which batches are drawn, in the coordinates of the network."""

from __future__ import annotations

import numpy as np

from isthmus.dynamics.learner import CHUNK, Learner
from isthmus.dynamics.sampler import Sampler
from isthmus.estimator.coordinates import Coordinates
from isthmus.estimator.schedule import Schedule

READY = 1 << 22
"""Numbers up to which the points are kept in the coordinates; larger arrays stay where they are."""


class Pool:
    """Draws batches of points with probabilities in proportion to weights, in a precision."""

    def __init__(
        self, points: np.ndarray, weights: np.ndarray, coordinates: Coordinates, dtype: np.dtype, batch_size: int
    ) -> None:
        self._points, self._coordinates, self._dtype, self._size = points, coordinates, dtype, batch_size
        self._sampler = Sampler(points, weights)
        columns = points.shape[1] if coordinates.axes is None else coordinates.axes.shape[1]
        self._ready = coordinates.of(points, dtype) if points.shape[0] * columns <= READY else None

    def batches(self, random: np.random.Generator, steps: int) -> np.ndarray:
        """Return batches, shape (steps, B, r)."""
        rows = self._sampler.rows(random, (steps, self._size))
        if self._ready is not None:
            return self._ready[rows]
        drawn = self._coordinates.of(self._points[rows.ravel()], self._dtype)
        return drawn.reshape(steps, self._size, -1)

    def train(self, learner: Learner, schedule: Schedule, begin: int, end: int, random: np.random.Generator) -> None:
        """Take the steps of a schedule from ``begin`` to before ``end``."""
        for first in range(begin, end, CHUNK):
            last = min(first + CHUNK, end)
            learner.learn(self.batches(random, last - first), schedule.steps(first, last))
