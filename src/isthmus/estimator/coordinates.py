"""The coordinates in which a network is trained: scaled points along their leading principal directions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.principal import principal_components, with_more_directions
from isthmus.core.scaling import Scaling, scaling

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

    def of(self, points: np.ndarray) -> np.ndarray:
        """Return points in these coordinates, shape (n, r), in double precision."""
        scaled = self.scaling.precisely(points)
        return scaled if self.axes is None else scaled @ self.axes

    def outside(self, points: np.ndarray) -> np.ndarray:
        """Return the square of what points have outside the axes, in units of the computation, shape (n,)."""
        if self.axes is None:
            return np.zeros(len(points))
        scaled = self.scaling.precisely(points)
        return ((scaled - scaled @ self.axes @ self.axes.T) ** 2).sum(axis=1)

    def lifted(self, network: Autoencoder) -> Autoencoder:
        """Return the network that acts on (x − mean)/unit in R^d, and reconstructs nothing outside the axes."""
        if self.axes is None:
            return network
        encoder, decoder = network.encoder, network.decoder
        incoming = np.asarray(encoder.incoming, float) @ self.axes.T
        outgoing = np.asarray(decoder.outgoing, float) @ self.axes.T
        parts = (encoder.masses, encoder.outgoing, incoming, encoder.bias)
        others = (decoder.masses, outgoing, decoder.incoming, decoder.bias)
        return network.with_measures(NeuronMeasure(*parts), NeuronMeasure(*others))  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class Spectrum:
    """Points with weights of sum 1, their scaling, principal variances λ and directions in columns.

    There are at least k directions: where points vary in fewer, the rest of them is arbitrary.
    """

    scaling: Scaling
    variances: np.ndarray
    directions: np.ndarray
    latent_dim: int

    @classmethod
    def of(cls, points: np.ndarray, weights: np.ndarray, latent_dim: int) -> Spectrum:
        """Return scaling and spectrum of points, shape (n, d)."""
        units = scaling(points, weights)
        variances, directions = principal_components(points, weights, units)
        directions = with_more_directions(directions, latent_dim)
        padded = np.zeros(directions.shape[1])
        padded[: len(variances)] = variances
        return cls(units, padded, directions, latent_dim)

    @property
    def components(self) -> np.ndarray:
        """The k leading directions in rows, shape (k, d)."""
        return self.directions[:, : self.latent_dim].T

    @property
    def left(self) -> float:
        """The variance that PCA leaves, 0 where it is nothing but rounding."""
        left = float(self.variances[self.latent_dim :].sum())
        return left if left > NOTHING * float(self.variances.sum()) else 0.0

    @cached_property
    def rank(self) -> int:
        """The least r ≥ k such that all but r directions hold no more than a share `DROPPED` of what PCA leaves."""
        beyond = self.variances.sum() - np.cumsum(self.variances)
        return max(self.latent_dim, 1 + int(np.argmax(beyond <= DROPPED * self.left)))

    def coordinates(self, rank: int) -> Coordinates:
        """Return the coordinates along the leading directions, ``rank`` of them."""
        return Coordinates(self.scaling, with_more_directions(self.directions, rank)[:, :rank])

    def spread(self, rank: int) -> np.ndarray:
        """Return the variances along these directions, none of them 0, shape (rank,)."""
        padded = np.zeros(rank)
        kept = self.variances[:rank]
        padded[: len(kept)] = kept
        return np.maximum(padded, SMALLEST * padded[0] or 1.0)
