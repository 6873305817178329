r"""Tables with many columns are brought to their span, before anything is learned from them.

Where rows are fewer than columns, all that they have beyond their mean lies in the span of fewer directions than there
are rows: z = Aᵀ(x − mean)/unit, with the principal directions A of all rows, loses nothing, and PCA, the law of a
network's start and its training are the same in these coordinates as in R^d. Of tables with many rows and many columns
the leading directions are kept, and what rows have outside of them is reconstructed by the mean. So no array of size
d × d, nor one of width × d, is needed, and what is needed for the choice of the horizon is as small as z.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.leading import leading_components
from isthmus.core.principal import NEGLIGIBLE, principal_components, with_more_directions
from isthmus.core.scaling import scaling
from isthmus.core.sparse import by_entries
from isthmus.estimator.coordinates import Coordinates, Spectrum
from isthmus.estimator.run import Run
from isthmus.estimator.samples import EvaluationSample
from isthmus.estimator.start import pca_network

EXACT_UP_TO = 3000
"""Rows, or columns, up to which the span is complete; of larger tables it holds the leading directions."""
LEADING = 256
"""How many leading directions are kept."""
ENTRIES_OF_AXES = 1 << 26
"""Numbers, at most, of which the leading directions consist, unless `n_components` directions have more."""


class Rows(NamedTuple):
    """Rows of a table in the coordinates of its span.

    Attributes:
        points: shape (n, r), an array, or sparse.
        outside: the square of what each row has outside, shape (n,), in the same unit; None where that is nothing.
        holes: whether entries may be missing.

    """

    points: np.ndarray
    outside: np.ndarray | None = None
    holes: bool = False

    def spectrum(self, weights: np.ndarray, latent_dim: int) -> Spectrum:
        """Return scaling and spectrum under weights of sum 1."""
        return Spectrum.of(self.points, weights, latent_dim, self.outside, self.holes)

    def sample(self, weights: np.ndarray | None, coordinates: Coordinates) -> EvaluationSample:
        """Return the rows, or some of many, to evaluate networks in coordinates; of equal weights for None."""
        return EvaluationSample.of(self.points, weights, coordinates, self.outside)


class Span(NamedTuple):
    """The coordinates of a table's span, None where it is used as it stands, and its rows in them."""

    coordinates: Coordinates | None
    rows: Rows

    @classmethod
    def of(cls, points: np.ndarray, weights: np.ndarray, latent_dim: int, holes: bool = False) -> Span:
        """Return the span of points, shape (n, d), an array or sparse, with weights of sum 1.

        With ``holes`` entries may be missing, which they are along the axes of the data and along no others.
        """
        count, dim = int((weights > 0).sum()), points.shape[1]
        if holes or dim <= min(count, EXACT_UP_TO):
            return cls(None, Rows(points, holes=holes))
        units = scaling(points, weights)
        if count <= EXACT_UP_TO and not by_entries(points):
            variances, axes = principal_components(points, weights, units, points.dtype)
            kept = int((variances > NEGLIGIBLE * variances[0]).sum())
            axes, is_complete = axes[:, :kept], True
        else:
            most = max(min(LEADING, ENTRIES_OF_AXES // dim, count), latent_dim + 1)
            _, axes = leading_components(points, weights, units, min(most, count, dim), latent_dim)
            is_complete = False
        coordinates = Coordinates(units, with_more_directions(axes, latent_dim))
        inside, outside = (coordinates.of(points), None) if is_complete else coordinates.parts(points)
        return cls(coordinates, Rows(inside, outside))

    def placed(self, run: Run) -> tuple[Coordinates, np.ndarray, Autoencoder]:
        """Return where the network of a run acts, its components in R^d, shape (k, d), and the network.

        Where it is PCA, it acts along these.
        """
        if self.coordinates is None or self.coordinates.axes is None:
            return Coordinates(run.spectrum.scaling), run.spectrum.components, run.network
        placed = self.coordinates.then(run.spectrum.scaling)
        components = self.coordinates.scaled_points(run.spectrum.components)
        if run.schedule is not None:
            return placed, components, run.network
        return Coordinates(placed.scaling, components.T), components, pca_network(np.eye(len(components)))

    def taken(self, points: np.ndarray) -> Rows:
        """Return other rows in the same coordinates."""
        if self.coordinates is None:
            return Rows(points, holes=self.rows.holes)
        return Rows(*self.coordinates.parts(points))
