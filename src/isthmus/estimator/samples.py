"""Points of a table on which networks are evaluated, and from which batches are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.points import square_errors
from isthmus.core.scaling import Scaling
from isthmus.core.sparse import is_sparse
from isthmus.dynamics.evaluation import reconstructed
from isthmus.dynamics.learner import CHUNK, Learner
from isthmus.dynamics.sampler import Sampler, sample_rows
from isthmus.estimator.coordinates import Coordinates
from isthmus.estimator.names import Names
from isthmus.estimator.schedule import Schedule

DOMINANT = 0.99
"""Share of the variance that one column holds, beside which all others hardly count."""
MOST_COLUMNS = 1024
"""Columns up to which such a one is looked for."""
IN_MEMORY = 1 << 22
"""Numbers up to which the points of a pool are kept in its coordinates; larger arrays stay where they are."""


@dataclass(frozen=True)
class EvaluationSample:
    """Points on which risks are measured.

    Attributes:
        points: in the coordinates of the network, shape (n, r), in double precision; NaN where an entry is missing,
            which no error counts.
        weights: of sum 1, shape (n,).
        outside: the square of what they have outside these coordinates, which no network reconstructs, shape (n,).

    """

    points: np.ndarray
    weights: np.ndarray
    outside: np.ndarray

    @classmethod
    def of(
        cls,
        points: np.ndarray,
        weights: np.ndarray | None,
        coordinates: Coordinates,
        outside: np.ndarray | None = None,
    ) -> EvaluationSample:
        """Return all points of positive weight, or of many some at evenly spaced quantiles of the weights.

        Args:
            points: shape (n, d), an array or sparse.
            weights: of sum 1, shape (n,); equal ones for None.
            coordinates: those of the network.
            outside: the square of what the points have besides their columns, shape (n,); None for nothing.

        """
        count = points.shape[0]
        rows, chances = sample_rows(points, np.full(count, 1 / count) if weights is None else weights)
        inside, squares = coordinates.parts(points[rows])
        if outside is not None:
            squares = squares + outside[rows] / coordinates.scaling.unit**2
        return cls(inside, chances, squares)

    @property
    def sizes(self) -> np.ndarray:
        """|x|² of each point, shape (n,)."""
        return np.nansum(self.points**2, axis=1) + self.outside

    @property
    def mean_risk(self) -> float:
        """The risk where each point is reconstructed by the mean."""
        return float(self.weights @ self.sizes / 2)

    def errors(self, network: Autoencoder) -> np.ndarray:
        """Return ‖x − x̂‖² of each point, shape (n,), with the network computed in its own precision."""
        inputs = self.points.astype(np.asarray(network.encoder.bias).dtype)
        return square_errors(self.points, reconstructed(network, inputs)) + self.outside

    def pca_errors(self, components: np.ndarray, encoding: np.ndarray | None = None) -> np.ndarray:
        """Return ‖x − x̂‖² of each point for x̂ = VᵀAx, with components V, encoding A, (k, r); A is V for None."""
        latents = np.nan_to_num(self.points) @ (components if encoding is None else encoding).T
        return square_errors(self.points, latents @ components) + self.outside

    def risk(self, network: Autoencoder) -> float:
        """Return ½E‖x − x̂‖²."""
        return float(self.weights @ self.errors(network) / 2)

    def pca_risk(self, components: np.ndarray, encoding: np.ndarray | None = None) -> float:
        """Return ½E‖x − x̂‖² of PCA, as in `pca_errors`."""
        return float(self.weights @ self.pca_errors(components, encoding) / 2)


def dominant_column(points: np.ndarray, weights: np.ndarray, scaling: Scaling, columns: Names) -> str:
    """Return a sentence on the column beside which all others hardly count, '' where there is none.

    It is looked for in a sample of the rows of a dense table of at most `MOST_COLUMNS` columns.

    Args:
        points: shape (n, d), an array or sparse; NaN where an entry is missing.
        weights: of sum 1, shape (n,).
        scaling: that of all columns by one number.
        columns: their names.

    """
    if is_sparse(points) or points.shape[1] > MOST_COLUMNS:
        return ""
    rows, chances = sample_rows(points, weights)
    variances = chances @ np.nan_to_num(scaling.precisely(points[rows])) ** 2
    largest = int(variances.argmax())
    if np.count_nonzero(variances) < 2 or variances[largest] <= DOMINANT * variances.sum():
        return ""
    name = largest if columns is None else repr(columns[largest])
    return f" Column {name} holds more than {100 * DOMINANT:.0f} % of the variance: standardise columns first."


class Pool:
    """Draws batches of points with probabilities in proportion to weights, in a precision."""

    def __init__(
        self, points: np.ndarray, weights: np.ndarray, coordinates: Coordinates, dtype: np.dtype, batch_size: int
    ) -> None:
        self._points, self._coordinates, self._dtype, self._size = points, coordinates, dtype, batch_size
        self._sampler = Sampler(points, weights)
        columns = points.shape[1] if coordinates.axes is None else coordinates.axes.shape[1]
        self._kept = coordinates.of(points, dtype) if points.shape[0] * columns <= IN_MEMORY else None

    def batches(self, random: np.random.Generator, steps: int) -> np.ndarray:
        """Return batches, shape (steps, B, r)."""
        rows = self._sampler.rows(random, (steps, self._size))
        if self._kept is not None:
            return self._kept[rows]
        drawn = self._coordinates.of(self._points[rows.ravel()], self._dtype)
        return drawn.reshape(steps, self._size, -1)

    def train(self, learner: Learner, schedule: Schedule, begin: int, end: int, random: np.random.Generator) -> None:
        """Take the steps of a schedule from ``begin`` to before ``end``."""
        for first in range(begin, end, CHUNK):
            last = min(first + CHUNK, end)
            learner.learn(self.batches(random, last - first), schedule.steps(first, last))

    def trained_up_to(
        self, marks: Iterable[int], learner: Learner, schedule: Schedule, random: np.random.Generator
    ) -> Iterator[int]:
        """Take the steps of a schedule, and yield each of increasing numbers of steps when it is reached."""
        taken = 0
        for mark in marks:
            self.train(learner, schedule, taken, mark, random)
            yield mark
            taken = mark
