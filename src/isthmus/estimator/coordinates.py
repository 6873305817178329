"""The coordinates in which a network is trained: scaled points along their leading principal directions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.leading import projected, squares_outside
from isthmus.core.masked_pca import LinearCode, masked_pca
from isthmus.core.principal import principal_components, with_more_directions
from isthmus.core.scaling import DOUBLE, Scaling, row_slices, scaling, tiles
from isthmus.dynamics.sampler import sample_rows

ROUNDING_SHARE = 1e-13
"""Share of the variance below which what PCA leaves is the rounding of its own computation."""
DROPPED_SHARE = 1e-3
"""Share of what PCA leaves that may lie outside the coordinates, where the network does as PCA does."""
SMALLEST_VARIANCE = 1e-12
"""Share of the largest variance that a direction has at least where incoming weights are drawn along it."""


@dataclass(frozen=True)
class Coordinates:
    """z = Aᵀ(x − mean)/unit, with orthonormal axes A, shape (d, r), or all of (x − mean)/unit without axes."""

    scaling: Scaling
    axes: np.ndarray | None = None

    def of(self, points: np.ndarray, dtype: np.dtype = DOUBLE) -> np.ndarray:
        """Return points, an array or sparse, in these coordinates, shape (n, r), computed in double precision."""
        if self.axes is None:
            return self.scaling.of(points, dtype)
        return projected(points, self.scaling, self.axes).astype(dtype, copy=False)

    def parts(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return points in these coordinates, and the square of what they have outside the axes, shape (n,)."""
        inside = self.of(points)
        if self.axes is None:
            return inside, np.zeros(points.shape[0])
        return inside, squares_outside(points, self.scaling, self.axes, inside)

    def batches(self, points: np.ndarray) -> Iterator[slice]:
        """Yield rows that are brought to the coordinates together: all of them where axes make them short."""
        return row_slices(points.shape) if self.axes is None else iter([slice(None)])

    def scaled_columns(self, inside: np.ndarray, columns: slice) -> np.ndarray:
        """Return some columns of the scaled points that have these coordinates, shape (n, r), and nothing outside."""
        return inside[:, columns] if self.axes is None else inside @ self.axes[columns].T

    def scaled_points(self, inside: np.ndarray) -> np.ndarray:
        """Return the scaled points, shape (n, d), that have these coordinates, in double precision."""
        points = np.empty((len(inside), len(self.scaling.mean)))
        for rows, columns in tiles(points.shape, inside.shape[1]):
            points[rows, columns] = self.scaled_columns(inside[rows], columns)
        return points

    def undone(self, inside: np.ndarray) -> np.ndarray:
        """Return points in the units of the data, shape (n, d), from their coordinates, in the type of these."""
        restored = np.empty((len(inside), len(self.scaling.mean)), inside.dtype)
        for rows, columns in tiles(restored.shape, inside.shape[1]):
            scaled = self.scaled_columns(inside[rows].astype(DOUBLE), columns)
            restored[rows, columns] = self.scaling.of_columns(columns).undone(scaled)
        return restored

    def then(self, units: Scaling) -> Coordinates:
        """Return the coordinates that are these, centred and scaled once more by one number."""
        if self.axes is None:
            return Coordinates(units)
        first = self.scaling
        shift = first.rest + first.unit * self.scaled_points((units.mean + units.rest)[None])[0]
        mean = first.mean + shift
        rest = (first.mean - mean) + shift
        return Coordinates(Scaling(mean, first.unit * units.unit, rest, first.noise), self.axes)

    def embedded(self, network: Autoencoder) -> Autoencoder:
        """Return the network that acts on (x − mean)/unit in R^d, and reconstructs nothing outside the axes."""
        return network if self.axes is None else embedded(network, self.axes)


def embedded(network: Autoencoder, axes: np.ndarray) -> Autoencoder:
    """Return the network in R^d that does what the given one does in the coordinates along axes, shape (d, r)."""
    encoder, decoder = network.encoder, network.decoder
    axes = axes.astype(encoder.incoming.dtype, copy=False)
    return network.with_measures(
        replace(encoder, incoming=encoder.incoming @ axes.T), replace(decoder, outgoing=decoder.outgoing @ axes.T)
    )


@dataclass(frozen=True)
class Spectrum:
    """Points with weights of sum 1, their scaling, principal variances λ and directions in columns.

    There are at least k directions: where points vary in fewer, the rest of them is arbitrary.

    Attributes:
        outside_variance: the variance outside all directions.
        code: PCA of points with missing entries, None where none is missing. Their network acts in all of R^d, since
            what is missing is so along the axes of the data, and along no others.

    """

    scaling: Scaling
    variances: np.ndarray
    directions: np.ndarray
    latent_dim: int
    outside_variance: float = 0.0
    code: LinearCode | None = None

    @classmethod
    def of(
        cls,
        points: np.ndarray,
        weights: np.ndarray,
        latent_dim: int,
        outside: np.ndarray | None = None,
        holes: bool = False,
    ) -> Spectrum:
        """Return scaling and spectrum of points.

        Args:
            points: shape (n, d), an array or sparse.
            weights: of sum 1, shape (n,).
            latent_dim: k.
            outside: the squares that points have outside their columns, shape (n,); None for nothing.
            holes: whether entries may be missing.

        """
        units, outside_variance = scaling(points, weights), 0.0
        if outside is not None:
            outside_variance = float(weights @ outside)
            unit = float(np.hypot(0.0 if units.is_flat else units.unit, np.sqrt(outside_variance))) or 1.0
            units, outside_variance = units._replace(unit=unit), outside_variance / unit**2
        variances, directions = principal_components(points, weights, units)
        directions = with_more_directions(directions, latent_dim)
        padded = np.zeros(directions.shape[1])
        padded[: len(variances)] = variances
        code = None
        if holes:
            rows, chances = sample_rows(points, weights)
            code = masked_pca(units.precisely(points[rows]), chances, directions[:, :latent_dim])
        return cls(units, padded, directions, latent_dim, outside_variance, code)

    @property
    def components(self) -> np.ndarray:
        """The k leading directions in rows, shape (k, d)."""
        return (self.directions[:, : self.latent_dim] if self.code is None else self.code.directions).T

    @property
    def encoding(self) -> np.ndarray | None:
        """What gives the components of points whose missing entries are 0, shape (k, d); None where none is missing."""
        return None if self.code is None else self.code.encoding.T

    def pca(self, rank: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return components and encoding in the coordinates along ``rank`` directions."""
        return (np.eye(self.latent_dim, rank), None) if self.code is None else (self.components, self.encoding)

    @property
    def pca_residual(self) -> float:
        """The variance that PCA leaves, 0 where it is nothing but rounding."""
        residual = float(self.variances[self.latent_dim :].sum()) + self.outside_variance
        total = float(self.variances.sum()) + self.outside_variance
        return residual if residual > ROUNDING_SHARE * total else 0.0

    @cached_property
    def rank(self) -> int:
        """The least r ≥ k such that all but r directions hold at most `DROPPED_SHARE` of what PCA leaves."""
        if self.code is not None:
            return len(self.code.directions)
        beyond = self.variances.sum() - np.cumsum(self.variances)
        return max(self.latent_dim, 1 + int(np.argmax(beyond <= DROPPED_SHARE * self.pca_residual)))

    def coordinates(self, rank: int) -> Coordinates:
        """Return the coordinates along the leading directions, ``rank`` of them."""
        if self.code is not None:
            return Coordinates(self.scaling)
        return Coordinates(self.scaling, with_more_directions(self.directions, rank)[:, :rank])

    def incoming_variances(self, rank: int) -> np.ndarray:
        """Return variances of incoming weights: those along these directions, none of them 0, shape (rank,)."""
        padded = np.zeros(rank)
        kept = self.variances[:rank]
        padded[: len(kept)] = kept
        return np.maximum(padded, SMALLEST_VARIANCE * padded[0] or 1.0)
