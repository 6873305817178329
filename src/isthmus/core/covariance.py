"""Factors of covariance matrices that may be singular."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from isthmus import _checks

RELATIVE_ROUNDING = 1e-10
"""A number that is smaller than this share of what it was computed from counts as 0."""


def covariance_factor(
    name: str, covariance: ArrayLike, axes: Float[np.ndarray, "p p"] | None = None
) -> Float[np.ndarray, "p p"]:
    """Return L with L Lᵀ = C, for a positive semidefinite C that may be singular.

    Args:
        name: of the argument that is named where C is refused.
        covariance: C, shape (p, p).
        axes: orthonormal, in the columns of a (p, p) array; the standard ones if left out. axesᵀ L is lower triangular:
            the first standard normal moves the first axis, the second one the rest of the second, and so on.

    Raises:
        ArgumentError: where C is not square, symmetric and positive semidefinite.

    """
    matrix = _checks.array(name, covariance, ("p", "p"), np.dtype(np.float64))
    scale = np.abs(matrix).max()
    if matrix.shape[0] != matrix.shape[1]:
        _checks.refuse(name, "be square", _checks.described(f"of shape {matrix.shape}"))
    if np.abs(matrix - matrix.T).max() > RELATIVE_ROUNDING * scale:
        _checks.refuse(name, "be symmetric", _checks.described("not"))
    values = np.linalg.eigvalsh(matrix)
    if values[0] < -RELATIVE_ROUNDING * max(scale, values[-1]) * len(values):
        described = _checks.described(f"a matrix with eigenvalue {values[0]:.3g}")
        _checks.refuse(name, "be positive semidefinite", described)
    axes = np.eye(len(matrix)) if axes is None else axes
    along_axes = axes.T @ matrix @ axes
    scales = np.sqrt(np.maximum(np.diag(along_axes), 0))
    units = np.where(scales > 0, scales, 1.0)
    return axes @ (scales[:, None] * _triangular(along_axes / np.outer(units, units)))


def _triangular(correlation: Float[np.ndarray, "p p"]) -> Float[np.ndarray, "p p"]:
    """Return Cholesky's lower triangular L with L Lᵀ = C; a variable that follows from those before it adds nothing.

    So L is unique for a singular C too, and rounding changes it by no more than rounding.
    """
    try:
        factor = np.linalg.cholesky(correlation)
        if np.diag(factor).min() ** 2 > RELATIVE_ROUNDING:
            return factor
    except np.linalg.LinAlgError:
        pass
    rest, factor = correlation.copy(), np.zeros_like(correlation)
    for index in range(len(rest)):
        if rest[index, index] > RELATIVE_ROUNDING:
            factor[index:, index] = rest[index:, index] / np.sqrt(rest[index, index])
            rest[index:, index:] -= np.outer(factor[index:, index], factor[index:, index])
    return factor
