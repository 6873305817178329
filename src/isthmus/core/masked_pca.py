r"""PCA of points with missing entries: probabilistic PCA over the observed entries, by expectation-maximisation.

The model is x = W z + ε with z ~ N(0, 1) in R^k and ε ~ N(0, σ²). With m_ij = 1 where x_ij is observed, else 0,
a row's latent has the posterior mean z_i and covariance S_i, and a column's row of W follows by least squares:

    M_i = σ² + Σ_j m_ij w_j w_jᵀ,  z_i = M_i⁻¹ Σ_j m_ij x_ij w_j,  S_i = σ² M_i⁻¹,
    w_j = (Σ_i p_i m_ij (z_i z_iᵀ + S_i))⁻¹ Σ_i p_i m_ij x_ij z_i.

An autoencoder sees the mean, 0, in the place of a missing entry: x̃ = m x. With C = W Wᵀ + σ² and entries observed
independently with rates r_j (R the diagonal matrix of them), the best linear prediction of the components Vᵀx is

    Aᵀx̃,  A = Var(x̃)⁻¹ R C V,  Var(x̃) = R C R + diag(r (1 − r) C_jj),

which is V itself where nothing is missing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from isthmus.core.principal import filled, with_fixed_signs
from isthmus.core.scaling import ENTRIES_AT_ONCE

MOST_STEPS = 200
"""Steps of expectation-maximisation, at most."""
SMALLEST_CHANGE = 1e-5
"""Relative change of σ² at which the steps end."""
LEAST_NOISE = 1e-9
"""Least σ², relative to the mean variance of a column."""


class LinearCode(NamedTuple):
    """A linear autoencoder x̃ ↦ V Aᵀx̃, of PCA.

    Attributes:
        encoding: A, shape (d, k).
        directions: V, orthonormal, shape (d, k).

    """

    encoding: np.ndarray
    directions: np.ndarray

    def of(self, filled_points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """Return the reconstructions of points whose missing entries are 0, shape (n, d)."""
        return filled_points @ self.encoding @ self.directions.T

    def in_axes(self, basis: Float[np.ndarray, "d r"]) -> LinearCode:
        """Return the same in the coordinates along orthonormal axes, in the columns of a (d, r) array."""
        return LinearCode(basis.T @ self.encoding, basis.T @ self.directions)


def masked_pca(
    points: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"], directions: Float[np.ndarray, "d k"]
) -> LinearCode:
    """Return PCA of centred points, NaN where an entry is missing, for weights of sum 1.

    Args:
        points: shape (n, d).
        weights: shape (n,).
        directions: to begin with, shape (d, k): the principal directions of the points filled with 0.

    Source: probabilistic PCA of Tipping and Bishop, Journal of the Royal Statistical Society B 61 (1999), with missing
    entries as in Ilin and Raiko, Journal of Machine Learning Research 11 (2010).

    """
    observed = ~np.isnan(points)
    zeroed = filled(points.copy())
    rates = weights @ observed
    variances = weights @ zeroed**2 / np.where(rates > 0, rates, 1.0)
    floor = LEAST_NOISE * float(variances.mean()) or 1.0
    start = weights @ (zeroed @ directions) ** 2 / float(rates.mean())
    loadings = directions * np.sqrt(np.maximum(start, floor))
    noise = max(float((variances.sum() - start.sum()) / len(variances)), floor)
    for _ in range(MOST_STEPS):
        before = noise
        loadings, noise = _improved(zeroed, observed, weights, loadings, noise)
        noise = max(noise, floor)
        if abs(noise - before) <= SMALLEST_CHANGE * before:
            break
    axes, sizes, _ = np.linalg.svd(loadings, full_matrices=False)
    axes = with_fixed_signs(axes)
    signal = sizes**2
    input_variances = (rates**2 * noise + rates * (1 - rates) * (axes**2 @ signal + noise))[:, None]
    scaled = np.divide(rates[:, None] * axes, input_variances, where=input_variances > 0, out=np.zeros_like(axes))
    overlap = (rates[:, None] * axes).T @ scaled
    return LinearCode(
        scaled @ np.linalg.solve(np.eye(len(signal)) + signal[:, None] * overlap, np.diag(signal + noise)), axes
    )


def _improved(
    zeroed: Float[np.ndarray, "n d"],
    observed: Bool[np.ndarray, "n d"],
    weights: Float[np.ndarray, " n"],
    loadings: Float[np.ndarray, "d k"],
    noise: float,
) -> tuple[Float[np.ndarray, "d k"], float]:
    """Return W and σ² after a step of expectation-maximisation."""
    d, k = loadings.shape
    pairs = (loadings[:, :, None] * loadings[:, None, :]).reshape(d, -1)
    moments, across, squares = np.zeros((d, k * k)), np.zeros((d, k)), 0.0
    step = max(1, ENTRIES_AT_ONCE // max(d, k * k))
    latents, covariances = [], []
    for first in range(0, len(zeroed), step):
        rows = slice(first, first + step)
        inverse = np.linalg.inv((observed[rows] @ pairs).reshape(-1, k, k) + noise * np.eye(k))
        latent = np.einsum("nij,nj->ni", inverse, zeroed[rows] @ loadings)
        second = (latent[:, :, None] * latent[:, None, :] + noise * inverse).reshape(-1, k * k)
        weighed = observed[rows] * weights[rows, None]
        moments += weighed.T @ second
        across += (zeroed[rows] * weights[rows, None]).T @ latent
        latents.append(latent)
        covariances.append(noise * inverse)
    ridge = LEAST_NOISE * np.trace(moments.sum(axis=0).reshape(k, k)) / (d * k) + np.finfo(float).tiny
    better = np.linalg.solve(moments.reshape(d, k, k) + ridge * np.eye(k), across[:, :, None])[:, :, 0]
    pairs = (better[:, :, None] * better[:, None, :]).reshape(d, -1)
    for number, first in enumerate(range(0, len(zeroed), step)):
        rows = slice(first, first + step)
        errors = np.where(observed[rows], zeroed[rows] - latents[number] @ better.T, 0.0) ** 2
        variances = (observed[rows] @ pairs) * covariances[number].reshape(-1, k * k)
        squares += float(weights[rows] @ (errors.sum(axis=1) + variances.sum(axis=1)))
    return better, squares / float((weights @ observed).sum())
