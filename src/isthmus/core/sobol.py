"""Standard normals at scrambled Sobol' points."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

ROWS = 1 << 15


def sobol_normals(dim: int, count: int, random: np.random.Generator) -> np.ndarray:
    """Return the first ``count`` (a power of 2) scrambled Sobol' points as standard normals, shape (count, dim)."""
    points = qmc.Sobol(dim, scramble=True, rng=random).random(count)
    points += 2.0**-31  # a scrambled coordinate is uniform on multiples of 2^-30; half a cell keeps normals finite
    return ndtri(points, out=points)


def matched(normals: np.ndarray) -> np.ndarray:
    """Return normals, shape (N, p), whose sample mean is 0 and whose sample covariance is the identity.

    Only the leading N/2 coordinates are matched, so that the correction stays small where there are few points.
    """
    count = min(normals.shape[1], len(normals) // 2)
    result = normals.copy()
    leading = result[:, :count]
    leading -= leading.mean(axis=0)
    values, vectors = np.linalg.eigh(leading.T @ leading / len(normals))
    correction = (vectors / np.sqrt(values)) @ vectors.T
    for rows in range(0, len(normals), ROWS):  # in place, since there may be very many points
        leading[rows : rows + ROWS] = leading[rows : rows + ROWS] @ correction
    return result
