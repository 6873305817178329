"""Standard normals at scrambled Sobol' points."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc


def sobol_normals(dim: int, count: int, random: np.random.Generator) -> np.ndarray:
    """Return the first ``count`` (a power of 2) scrambled Sobol' points as standard normals, shape (count, dim)."""
    uniforms = qmc.Sobol(dim, scramble=True, rng=random).random(count)
    # A scrambled coordinate is uniform on multiples of 2^-30; half a cell keeps the normals finite.
    return ndtri(uniforms + 2.0**-31)


def matched(normals: np.ndarray) -> np.ndarray:
    """Return normals, shape (N, p), whose sample mean is 0 and whose sample covariance is the identity.

    Only the leading N/2 coordinates are matched, so that the correction stays small where there are few points.
    """
    count = min(normals.shape[1], len(normals) // 2)
    leading = normals[:, :count] - normals[:, :count].mean(axis=0)
    values, vectors = np.linalg.eigh(leading.T @ leading / len(normals))
    return np.concatenate([leading @ (vectors / np.sqrt(values)) @ vectors.T, normals[:, count:]], axis=1)
