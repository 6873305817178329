"""The coordinates in which a network is trained: scaled points along their leading principal directions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.leading import projected, squares_outside
from isthmus.core.masked_pca import LinearCode, masked_pca
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.principal import principal_components, with_more_directions
from isthmus.core.scaling import DOUBLE, Scaling, row_slices, scaling, tiles
from isthmus.dynamics.sampler import sample_rows

NOTHING = 1e-13
"""Share of the variance below which what PCA leaves is the rounding of its own computation."""
DROPPED = 1e-3
"""Share of what PCA leaves that may lie outside the coordinates, where the network does as PCA does."""
SMALLEST = 1e-12
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

    def outside(self, points: np.ndarray) -> np.ndarray:
        """Return the square of what points have outside the axes, in units of the computation, shape (n,)."""
        return self.parts(points)[1]

    def batches(self, points: np.ndarray) -> Iterator[slice]:
        """Yield rows that are brought to the coordinates together: all of them where axes make them short."""
        return row_slices(points.shape) if self.axes is None else iter([slice(None)])

    def lift(self, inside: np.ndarray, columns: slice = slice(None)) -> np.ndarray:
        """Return some columns of the scaled points, shape (n, d), that have these coordinates and nothing outside."""
        return inside[:, columns] if self.axes is None else inside @ self.axes[columns].T

    def raised(self, inside: np.ndarray) -> np.ndarray:
        """Return the scaled points, shape (n, d), that have these coordinates, in double precision."""
        points = np.empty((len(inside), len(self.scaling.mean)))
        for rows, columns in tiles(points.shape, inside.shape[1]):
            points[rows, columns] = self.lift(inside[rows], columns)
        return points

    def undone(self, inside: np.ndarray) -> np.ndarray:
        """Return points in the units of the data, shape (n, d), from their coordinates, in the type of these."""
        restored = np.empty((len(inside), len(self.scaling.mean)), inside.dtype)
        for rows, columns in tiles(restored.shape, inside.shape[1]):
            scaled = self.lift(inside[rows].astype(DOUBLE), columns)
            restored[rows, columns] = self.scaling.of_columns(columns).undone(scaled)
        return restored

    def then(self, units: Scaling) -> Coordinates:
        """Return the coordinates that are these, centred and scaled once more by one number."""
        if self.axes is None:
            return Coordinates(units)
        own = self.scaling
        beyond = own.rest + own.unit * self.raised((units.mean + units.rest)[None])[0]
        mean = own.mean + beyond
        rest = (own.mean - mean) + beyond
        return Coordinates(Scaling(mean, own.unit * units.unit, rest, own.noise), self.axes)

    def lifted(self, network: Autoencoder) -> Autoencoder:
        """Return the network that acts on (x − mean)/unit in R^d, and reconstructs nothing outside the axes."""
        return network if self.axes is None else turned(network, self.axes)


def turned(network: Autoencoder, axes: np.ndarray) -> Autoencoder:
    """Return the network in R^d that acts on the coordinates along orthonormal axes, shape (d, r), as the given one."""
    encoder, decoder = network.encoder, network.decoder
    incoming, outgoing = np.asarray(encoder.incoming), np.asarray(decoder.outgoing)
    axes = axes.astype(incoming.dtype, copy=False)
    incoming, outgoing = incoming @ axes.T, outgoing @ axes.T
    parts = (encoder.masses, encoder.outgoing, incoming, encoder.bias)
    others = (decoder.masses, outgoing, decoder.incoming, decoder.bias)
    return network.with_measures(NeuronMeasure(*parts), NeuronMeasure(*others))  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class Spectrum:
    """Points with weights of sum 1, their scaling, principal variances λ and directions in columns.

    There are at least k directions: where points vary in fewer, the rest of them is arbitrary. ``beyond`` is the
    variance outside all directions. ``code`` is PCA of points with missing entries: their network acts in all of R^d,
    since what is missing is so along the axes of the data, and along no others. None where none is missing.
    """

    scaling: Scaling
    variances: np.ndarray
    directions: np.ndarray
    latent_dim: int
    beyond: float = 0.0
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
        """Return scaling and spectrum of points, shape (n, d), that have squares ``outside``, shape (n,), of R^d.

        With ``holes`` entries may be missing.
        """
        units, beyond = scaling(points, weights), 0.0
        if outside is not None:
            beyond = float(weights @ outside)
            unit = float(np.hypot(0.0 if units.is_flat else units.unit, np.sqrt(beyond))) or 1.0
            units, beyond = units._replace(unit=unit), beyond / unit**2
        variances, directions = principal_components(points, weights, units)
        directions = with_more_directions(directions, latent_dim)
        padded = np.zeros(directions.shape[1])
        padded[: len(variances)] = variances
        code = None
        if holes:
            rows, chances = sample_rows(points, weights)
            code = masked_pca(units.precisely(points[rows]), chances, directions[:, :latent_dim])
        return cls(units, padded, directions, latent_dim, beyond, code)

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
    def left(self) -> float:
        """The variance that PCA leaves, 0 where it is nothing but rounding."""
        left = float(self.variances[self.latent_dim :].sum()) + self.beyond
        return left if left > NOTHING * (float(self.variances.sum()) + self.beyond) else 0.0

    @cached_property
    def rank(self) -> int:
        """The least r ≥ k such that all but r directions hold no more than a share `DROPPED` of what PCA leaves."""
        if self.code is not None:
            return len(self.code.directions)
        beyond = self.variances.sum() - np.cumsum(self.variances)
        return max(self.latent_dim, 1 + int(np.argmax(beyond <= DROPPED * self.left)))

    def coordinates(self, rank: int) -> Coordinates:
        """Return the coordinates along the leading directions, ``rank`` of them."""
        if self.code is not None:
            return Coordinates(self.scaling)
        return Coordinates(self.scaling, with_more_directions(self.directions, rank)[:, :rank])

    def spread(self, rank: int) -> np.ndarray:
        """Return the variances along these directions, none of them 0, shape (rank,)."""
        padded = np.zeros(rank)
        kept = self.variances[:rank]
        padded[: len(kept)] = kept
        return np.maximum(padded, SMALLEST * padded[0] or 1.0)
