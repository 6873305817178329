"""Centring and scaling of arrays that may be large: x ↦ (x − mean)/unit, and the principal directions after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

DOUBLE = np.dtype(np.float64)
BLOCK = 4096
"""Rows of an array that are copied together."""
ROUNDING = 8
"""Multiples of a value's rounding error up to which different values count as the same."""


class Scaling(NamedTuple):
    """x ↦ (x − mean)/unit with one unit for all columns, computed in double precision whatever the type."""

    mean: np.ndarray
    unit: float

    def of(self, points: np.ndarray) -> np.ndarray:
        """Return points in the units of the computation, in their own type."""
        return self.precisely(points).astype(points.dtype, copy=False)

    def precisely(self, points: np.ndarray) -> np.ndarray:
        """Return points in the units of the computation, in double precision."""
        return (points.astype(DOUBLE) - self.mean) / self.unit

    def undone(self, points: np.ndarray) -> np.ndarray:
        """Return points in the units of the data, in their own type."""
        return (points.astype(DOUBLE) * self.unit + self.mean).astype(points.dtype, copy=False)


def scaling(points: np.ndarray, weights: np.ndarray) -> Scaling:
    """Return the scaling after which the mean is 0 and E|x|² = 1; the unit is 1 where all points are the same.

    Differences from one of the points are averaged, so that an offset that is large beside the spread, or a spread
    whose squares leave the range of double precision, costs no digits.
    """
    origin = points[np.argmax(weights > 0)].astype(DOUBLE)
    mean = origin + sum(part @ (block - origin) for block, part in _blocks(points, weights))
    largest = max(float(np.abs(block - mean).max()) for block, _ in _blocks(points, weights))
    rounding = ROUNDING * np.finfo(points.dtype).eps * float(np.abs(mean).max())
    if largest <= rounding:
        return Scaling(mean, 1.0)
    squares = (part @ (((block - mean) / largest) ** 2).sum(axis=1) for block, part in _blocks(points, weights))
    return Scaling(mean, largest * float(np.sqrt(sum(squares))))


def principal_components(points: np.ndarray, weights: np.ndarray, units: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """Return the principal variances λ_1 ≥ λ_2 ≥ … of scaled points, and their directions in columns.

    There are d of them, or as many as there are points of positive weight, if that is fewer: then nothing of size
    d × d is computed.
    """
    count, dim = int((weights > 0).sum()), points.shape[1]
    if count < dim:
        scaled = [np.sqrt(part)[:, None] * units.precisely(block) for block, part in _blocks(points, weights)]
        _, values, rows = np.linalg.svd(np.concatenate(scaled), full_matrices=False)
        return values**2, with_fixed_signs(rows.T)
    covariance = np.zeros((dim, dim))
    for block, part in _blocks(points, weights):
        centred = units.precisely(block)
        covariance += (centred * part[:, None]).T @ centred
    return spectrum(covariance)


def with_more_directions(directions: np.ndarray, count: int) -> np.ndarray:
    """Return at least ``count`` orthonormal directions that begin with the given ones, in columns."""
    have = directions.shape[1]
    if have >= count:
        return directions
    more = np.random.default_rng(0).standard_normal((len(directions), count - have))
    more -= directions @ (directions.T @ more)
    return np.concatenate([directions, np.linalg.qr(more - directions @ (directions.T @ more))[0]], axis=1)


def spectrum(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues and eigenvectors of a positive semidefinite matrix, the largest first, with signs fixed."""
    values, vectors = np.linalg.eigh(matrix.astype(DOUBLE))
    return np.maximum(values[::-1], 0), with_fixed_signs(vectors[:, ::-1])


def with_fixed_signs(vectors: np.ndarray) -> np.ndarray:
    """Return vectors, in columns, with signs that make the largest entry positive.

    The sign of an eigenvector is arbitrary; fixing it makes results repeat across LAPACKs.
    """
    return vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])


def _blocks(points: np.ndarray, weights: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the points of positive weight in double precision, some rows at a time, with their weights."""
    for first in range(0, len(points), BLOCK):
        part = weights[first : first + BLOCK]
        present = part > 0
        if present.any():
            yield points[first : first + BLOCK][present].astype(DOUBLE), part[present]
