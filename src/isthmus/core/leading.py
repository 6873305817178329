r"""Products of scaled points with few vectors, and the leading principal directions that follow from them.

Nothing of size d × d, and no copy of the points, is needed for what many points in many dimensions have along a few
directions. With C = E z zᵀ of scaled points z, the block Krylov space spanned by Q, CQ, C²Q, … holds the leading
eigenvectors of C to high accuracy after few products (Musco and Musco, 2015).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from isthmus.core.principal import NEGLIGIBLE, filled, with_fixed_signs
from isthmus.core.scaling import DOUBLE, Scaling, blocks, tiles
from isthmus.core.sparse import by_entries, dense, row_squares

OVERSAMPLING = 14
"""Vectors in a block beyond the directions that are wanted exactly."""
RESTARTS = 6
"""Krylov spaces, each begun from the best vectors in the one before, at most."""
LARGEST_RESIDUAL = 1e-7
"""Residual ‖Cv − λv‖, relative to the largest variance, up to which a direction counts as exact."""
LARGEST_SQUARE_OF_MEAN = 1e4
"""|mean|² in squared units up to which centring after the product costs no more than four digits."""


def projected(points: Any, units: Scaling, axes: Float[np.ndarray, "d r"]) -> Float[np.ndarray, "n r"]:
    """Return z·axes of scaled points, shape (n, r), for axes of shape (d, r)."""
    if _centred_afterwards(points, units):
        return (points @ axes - (units.mean + units.rest) @ axes) / units.unit
    product = np.zeros((points.shape[0], axes.shape[1]))
    for rows, columns in tiles(points.shape, axes.shape[1]):
        scaled = filled(units.of_columns(columns).precisely(dense(points, rows, columns)))
        product[rows] += scaled @ axes[columns].astype(DOUBLE, copy=False)
    return product


def squares_outside(
    points: Any, units: Scaling, axes: Float[np.ndarray, "d r"], inside: Float[np.ndarray, "n r"]
) -> Float[np.ndarray, " n"]:
    """Return the square of what scaled points have outside orthonormal axes, shape (n,), for ``inside`` = z·axes."""
    if _centred_afterwards(points, units):
        squares = row_squares(points, units.mean + units.rest) / units.unit**2
        return np.maximum(squares - (inside**2).sum(axis=1), 0.0)
    outside = np.zeros(points.shape[0])
    for rows, columns in tiles(points.shape, axes.shape[1]):
        scaled = filled(units.of_columns(columns).precisely(dense(points, rows, columns)))
        outside[rows] += ((scaled - inside[rows] @ axes[columns].T) ** 2).sum(axis=1)
    return outside


def second_moments_times(
    points: Any, weights: Float[np.ndarray, " n"], units: Scaling, vectors: Float[np.ndarray, "d c"]
) -> Float[np.ndarray, "d c"]:
    """Return E z zᵀ times vectors, shape (d, c), of scaled points."""
    if _centred_afterwards(points, units):
        along = weights[:, None] * projected(points, units, vectors)
        return (points.T @ along - np.outer(units.mean + units.rest, along.sum(axis=0))) / units.unit
    product = np.zeros(vectors.shape)
    for block, part in blocks(points, weights, least=2 * vectors.shape[1]):
        scaled = filled(units.precisely(block))
        product += scaled.T @ (part[:, None] * (scaled @ vectors))
    return product


def leading_components(
    points: Any, weights: Float[np.ndarray, " n"], units: Scaling, count: int, exact: int
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, "d r"]]:
    """Return variances and directions, in columns, along which scaled points vary most: ``count`` of them, at most.

    The first ``exact`` are principal directions to rounding, as far as gaps between variances allow. The others span a
    space of nearly as much variance as the principal ones, in which they are principal.

    Source: the randomised block Krylov method of Musco and Musco, Advances in Neural Information Processing Systems 28
    (2015).
    """
    size = min(exact + OVERSAMPLING, count)
    block = np.random.default_rng(0).standard_normal((points.shape[1], size))
    variances, directions = np.zeros(0), block
    for _ in range(RESTARTS):
        variances, directions, residuals = _ritz(points, weights, units, block, count)
        block = directions[:, :size]
        if (residuals[:exact] <= LARGEST_RESIDUAL * variances[0]).all():
            break
    kept = variances > NEGLIGIBLE * variances[0]
    return variances[kept], with_fixed_signs(directions[:, kept])


def _ritz(
    points: Any, weights: Float[np.ndarray, " n"], units: Scaling, block: Float[np.ndarray, "d c"], count: int
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, "d r"], Float[np.ndarray, " r"]]:
    """Return the variances along, and directions of, the principal axes in a Krylov space, and their residuals."""
    size = block.shape[1]
    basis = np.empty((len(block), count))
    moments = np.zeros((count, count))
    block, rank, remainder = np.linalg.qr(block)[0], 0, np.zeros((len(block), 0))
    while rank < count:
        new = slice(rank, min(rank + size, count))
        basis[:, new] = block[:, : new.stop - rank]
        rank = new.stop
        remainder = second_moments_times(points, weights, units, basis[:, new])
        inside = basis[:, :rank].T @ remainder
        moments[:rank, new], moments[new, :rank] = inside, inside.T
        remainder -= basis[:, :rank] @ inside
        if np.linalg.norm(remainder) <= NEGLIGIBLE * np.linalg.norm(moments):  # the space is invariant
            break
        block = np.linalg.qr(remainder)[0]
        block = np.linalg.qr(block - basis[:, :rank] @ (basis[:, :rank].T @ block))[0]  # orthogonal despite rounding
    values, axes = np.linalg.eigh((moments[:rank, :rank] + moments[:rank, :rank].T) / 2)
    values, axes = np.maximum(values[::-1], 0.0), axes[:, ::-1]
    residuals = np.linalg.norm(np.linalg.qr(remainder, mode="r") @ axes[rank - remainder.shape[1] :], axis=0)
    return values, basis[:, :rank] @ axes, residuals


def _centred_afterwards(points: Any, units: Scaling) -> bool:
    """Whether points are a large sparse table whose mean can be subtracted from products."""
    if not by_entries(points):
        return False
    return float(np.linalg.norm(units.mean)) <= np.sqrt(LARGEST_SQUARE_OF_MEAN) * float(np.max(units.unit))
