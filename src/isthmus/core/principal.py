"""Principal directions of scaled points, from the smaller of the two matrices that hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from isthmus.core.scaling import DOUBLE, ENTRIES_AT_ONCE, Scaling, blocks
from isthmus.core.sparse import dense

ENTRIES_FOR_SVD = 1 << 18
"""Entries up to which few points in many dimensions are decomposed as a whole."""
ORTHOGONAL_FROM = 1e-6
"""Share of the largest variance from which on directions found from products are orthogonal to ten digits."""
NEGLIGIBLE = 1e-14
"""Share of the largest variance below which a direction is rounding, where it is found from products of rows."""


def principal_components(
    points: Any, weights: Float[np.ndarray, " n"], units: Scaling, dtype: np.dtype = DOUBLE
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, "d r"]]:
    """Return the principal variances λ_1 ≥ λ_2 ≥ … of scaled points, and their directions in columns.

    There are d of them, or where fewer points than that have a positive weight, at most one a point: then nothing of
    size d × d is computed, and where the points are large, directions are of the type asked for. A missing entry is at
    the mean.
    """
    count, dim = int((weights > 0).sum()), points.shape[1]
    if count >= dim:
        return spectrum(second_moments(points, weights, units))
    if count * dim <= ENTRIES_FOR_SVD:
        scaled = [np.sqrt(part)[:, None] * filled(units.precisely(block)) for block, part in blocks(points, weights)]
        _, values, rows = np.linalg.svd(np.concatenate(scaled), full_matrices=False)
        return values**2, with_fixed_signs(rows.T)
    return _from_products(points, weights, units, dtype)


def second_moments(points: Any, weights: Float[np.ndarray, " n"], units: Scaling) -> Float[np.ndarray, "d d"]:
    """Return E z zᵀ of scaled points, shape (d, d)."""
    moments = np.zeros((points.shape[1],) * 2)
    for block, part in blocks(points, weights):
        scaled = filled(units.precisely(block))
        moments += (scaled * part[:, None]).T @ scaled
    return moments


def filled(scaled: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Return scaled points with 0, the mean, in the place of what is missing."""
    return np.nan_to_num(scaled, copy=False, nan=0.0, posinf=np.inf, neginf=-np.inf)


def _from_products(
    points: np.ndarray, weights: np.ndarray, units: Scaling, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """Return variances and directions of few points in many dimensions from the products of points, shape (n, n).

    With √p Z = U Σ Vᵀ, U and Σ² are those of the products, and V = Zᵀ√p U Σ⁻¹. Rounding leaves the columns of V short
    of orthonormal where Σ is small, which V (VᵀV)^(−1/2) repairs. Some columns are taken at a time.
    """
    rows = slice(None) if (weights > 0).all() else np.flatnonzero(weights > 0)
    roots = np.sqrt(weights[rows].astype(DOUBLE))[:, None]
    step = max(1, ENTRIES_AT_ONCE // len(roots))
    parts = [slice(first, first + step) for first in range(0, points.shape[1], step)]

    def scaled(part: slice) -> np.ndarray:
        return roots * filled(units.of_columns(part).precisely(dense(points, rows, part)))

    products = np.zeros((len(roots),) * 2)
    for part in parts:
        block = scaled(part)
        products += block @ block.T
    variances, left_vectors = spectrum(products)
    rank = max(1, int((variances > NEGLIGIBLE * variances[0]).sum()))
    combinations = left_vectors[:, :rank] / np.sqrt(np.where(variances[:rank] > 0, variances[:rank], 1.0))
    directions = np.empty((points.shape[1], rank), dtype)
    for part in parts:
        directions[part] = scaled(part).T @ combinations
    if variances[rank - 1] < ORTHOGONAL_FROM * variances[0]:
        overlaps = np.zeros((rank, rank))
        for part in parts:
            block = directions[part].astype(DOUBLE, copy=False)
            overlaps += block.T @ block
        squares, axes = np.linalg.eigh(overlaps)
        repair = (axes / np.sqrt(np.maximum(squares, NEGLIGIBLE))) @ axes.T
        for part in parts:
            directions[part] = directions[part] @ repair
    return variances[:rank], with_fixed_signs(directions)


def with_more_directions(directions: Float[np.ndarray, "d r"], count: int) -> Float[np.ndarray, "d s"]:
    """Return at least ``count`` orthonormal directions that begin with the given ones, in columns."""
    dim, missing = len(directions), count - directions.shape[1]
    if missing <= 0:
        return directions
    more = np.random.default_rng(0).standard_normal((dim, missing))
    more -= directions @ (directions.T @ more)
    return np.concatenate([directions, np.linalg.qr(more - directions @ (directions.T @ more))[0]], axis=1)


def spectrum(matrix: Float[np.ndarray, "d d"]) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d d"]]:
    """Return eigenvalues and eigenvectors of a positive semidefinite matrix, the largest first, with signs fixed."""
    values, vectors = np.linalg.eigh(matrix.astype(DOUBLE))
    return np.maximum(values[::-1], 0), with_fixed_signs(vectors[:, ::-1])


def with_fixed_signs(vectors: Float[np.ndarray, "d r"]) -> Float[np.ndarray, "d r"]:
    """Return vectors, in columns, with signs that make the largest entry positive.

    The sign of an eigenvector is arbitrary; fixing it makes results repeat across LAPACKs.
    """
    step = max(1, ENTRIES_AT_ONCE // len(vectors))
    for first in range(0, vectors.shape[1], step):
        part = vectors[:, first : first + step]
        part *= np.sign(part[np.abs(part).argmax(axis=0), np.arange(part.shape[1])])
    return vectors
