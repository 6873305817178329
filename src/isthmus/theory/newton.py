"""Newton's method with a shifted Hessian, for functions of a few hundred variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

FIRST_SHIFT = 1e-3
"""Of the Hessian, relative to its diagonal, where the method begins."""
FLATTEST = 1e-12
"""Share of the largest diagonal entry below which another one gives no scale."""
LEAST_SHIFT, LARGEST_SHIFT = 1e-14, 1e8
"""Shifts below the first count as none; beyond the second nothing is gained any more."""


def newton(
    function: Callable[[np.ndarray], float],
    derivatives: Callable[[np.ndarray], tuple[Any, Any, Any]],
    start: np.ndarray,
    *,
    gain: float,
    iterations: int,
) -> np.ndarray:
    """Return a point near a start where the gradient vanishes and the Hessian has no negative eigenvalue.

    A step is −(H + μS)⁻¹∇F with S the diagonal of H and a shift μ that makes it positive definite, which falls where
    the quadratic model foretells the value and grows where it doesn't.

    Args:
        function: of a point.
        derivatives: value, gradient and Hessian at a point.
        start: where it begins.
        gain: it ends where the model foretells a smaller one, relative to the value, without a shift.
        iterations: at most.

    Source: Marquardt, Journal of the Society for Industrial and Applied Mathematics 11 (1963).

    """
    point, shift = start, FIRST_SHIFT
    for _ in range(iterations):
        value, gradient, hessian = (np.asarray(part) for part in derivatives(point))
        moving = np.diag(hessian) != 0  # others are of neurons without mass
        gradient, hessian = gradient[moving], hessian[np.ix_(moving, moving)]
        diagonal = np.abs(np.diag(hessian))
        scale = np.maximum(diagonal, FLATTEST * diagonal.max())
        while shift <= LARGEST_SHIFT:
            step = _step(hessian, gradient, shift * scale)
            if step is None:
                shift = max(10 * shift, 1e-8)
                continue
            foretold = -float(gradient @ step + step @ hessian @ step / 2)
            moved = point.copy()
            moved[moving] += step
            gained = float(value) - function(moved)
            if gained > 0.1 * foretold or foretold <= gain * abs(value):
                break
            shift = max(5 * shift, 1e-10)
        else:
            return point
        if gained > 0:
            point = moved
        if foretold <= gain * abs(value):
            if shift <= 1e-6:
                return point
            shift /= 100
        elif gained > 0.6 * foretold:
            shift = shift / 10 if shift > LEAST_SHIFT else 0.0
    return point


def _step(hessian: np.ndarray, gradient: np.ndarray, shift: np.ndarray) -> np.ndarray | None:
    """Return the Newton step under a shift, None where the shifted Hessian isn't positive definite."""
    try:
        factor = cho_factor(hessian + np.diag(shift), check_finite=False)
    except LinAlgError:
        return None
    return -cho_solve(factor, gradient, check_finite=False)
