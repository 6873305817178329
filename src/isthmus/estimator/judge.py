"""Points on which networks are judged."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.points import square_errors
from isthmus.dynamics.evaluation import reconstructed
from isthmus.dynamics.sampler import sample_rows
from isthmus.estimator.coordinates import Coordinates


@dataclass(frozen=True)
class Judge:
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
        cls, points: np.ndarray, weights: np.ndarray, coordinates: Coordinates, outside: np.ndarray | None = None
    ) -> Judge:
        """Return all points of positive weight, or of many some at evenly spaced quantiles of the weights.

        ``outside``, shape (n,), is the square of what they have besides their columns.
        """
        rows, chances = sample_rows(points, weights)
        inside, left = coordinates.parts(points[rows])
        if outside is not None:
            left = left + outside[rows] / coordinates.scaling.unit**2
        return cls(inside, chances, left)

    @classmethod
    def uniform(cls, points: np.ndarray, coordinates: Coordinates, outside: np.ndarray | None = None) -> Judge:
        """Return the points with equal weights, or some of many."""
        count = points.shape[0]
        return cls.of(points, np.full(count, 1 / count), coordinates, outside)

    def on_fewer(self, count: int) -> Judge:
        """Return the same on so many of the points, at most."""
        rows, chances = sample_rows(self.points, self.weights, count)
        return replace(self, points=self.points[rows], weights=chances, outside=self.outside[rows])

    @property
    def sizes(self) -> np.ndarray:
        """|x|² of each point, shape (n,)."""
        return np.nansum(self.points**2, axis=1) + self.outside

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
        """Return the risk of the same."""
        return float(self.weights @ self.pca_errors(components, encoding) / 2)
