"""Factors of covariance matrices that may be singular."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks

RELATIVE_ROUNDING = 1e-10
"""How negative an eigenvalue may be, relative to the largest one, and still count as zero."""


def covariance_factor(name: str, covariance: ArrayLike, axes: np.ndarray | None = None) -> np.ndarray:
    """Return L with L Lᵀ = C, for a positive semidefinite C that may be singular.

    Given orthonormal ``axes`` in the columns of a (p, p) array, axesᵀ L is lower triangular: the first standard
    normal moves the first axis, the second one what is left of the second, and so on.

    Raises:
        ArgumentError: where C is not square, symmetric and positive semidefinite.

    """
    matrix = _checks.array(name, covariance, ("p", "p"), np.dtype(np.float64))
    scale = np.abs(matrix).max()
    if matrix.shape[0] != matrix.shape[1]:
        _checks.refuse(name, "be square", _checks.described(f"of shape {matrix.shape}"))
    if np.abs(matrix - matrix.T).max() > RELATIVE_ROUNDING * scale:
        _checks.refuse(name, "be symmetric", _checks.described("not"))
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < -RELATIVE_ROUNDING * max(scale, values[-1]) * len(values):
        described = _checks.described(f"a matrix with eigenvalue {values[0]:.3g}")
        _checks.refuse(name, "be positive semidefinite", described)
    root = vectors * np.sqrt(np.maximum(values, 0))
    axes = np.eye(len(matrix)) if axes is None else axes
    # axesᵀ root rootᵀ axes = Rᵀ R with the triangular R of a QR decomposition: Cholesky that bears rank deficiency.
    triangular = np.asarray(np.linalg.qr(root.T @ axes, mode="r"))
    signs = np.where(np.diag(triangular) < 0, -1.0, 1.0)
    return axes @ (triangular * signs[:, None]).T
