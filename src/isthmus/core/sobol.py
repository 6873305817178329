"""Standard normals at scrambled Sobol' points."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri
from scipy.stats import qmc

ROWS_AT_ONCE = 1 << 15
"""Rows of normals that are multiplied together."""


def sobol_normals(dim: int, count: int, random: np.random.Generator) -> Float[np.ndarray, "{count} {dim}"]:
    """Return the first ``count`` (a power of 2) scrambled Sobol' points as standard normals, shape (count, dim).

    Source: Sobol' (1967), with the directions of Joe and Kuo (2008) and Matoušek's linear matrix scrambling (1998), an
    affine form of Owen's.
    """
    points = qmc.Sobol(dim, scramble=True, rng=random).random(count)
    points += 2.0**-31  # a scrambled coordinate is uniform on multiples of 2^-30; half a cell keeps normals finite
    return ndtri(points, out=points)


def matched(normals: Float[np.ndarray, "N p"]) -> Float[np.ndarray, "N p"]:
    """Return normals, shape (N, p), whose sample mean is 0 and whose sample covariance is the identity.

    Only the leading N/2 coordinates are matched, so that the correction stays small where there are few points.
    """
    count = min(normals.shape[1], len(normals) // 2)
    result = normals.copy()
    leading = result[:, :count]
    leading -= leading.mean(axis=0)
    values, vectors = np.linalg.eigh(leading.T @ leading / len(normals))
    correction = (vectors / np.sqrt(values)) @ vectors.T
    for first in range(0, len(normals), ROWS_AT_ONCE):  # in place, since there may be very many points
        rows = slice(first, first + ROWS_AT_ONCE)
        leading[rows] = leading[rows] @ correction
    return result
