"""Newton's method in a trust region, for functions of a few hundred variables that need not be convex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import brentq

FIRST_RADIUS = 0.1
"""Of the trust region, relative to the size of the start."""
SMALLEST_RADIUS = 1e-12
"""Of the trust region, relative to the size of the point, below which nothing is gained any more."""
ROUNDING = 1e-13
"""Relative to the value: a gain below it can't be told from rounding."""
PATIENCE = 10
"""Steps that together must gain what is asked for, since steps along a curved valley are short."""
CLOSER = 0.5
"""Factor to which a step that gains too little to be seen must bring the gradient down."""


def newton(
    derivatives: Callable[[np.ndarray], tuple[Any, Any, Any]],
    start: np.ndarray,
    *,
    lowered: Callable[[np.ndarray], np.ndarray],
    iterations: int,
    gain: float = 0.0,
) -> np.ndarray:
    """Return a point near a start where the gradient vanishes and the Hessian has no negative eigenvalue.

    A step minimises the quadratic model in a ball. The ball grows where the model foretells the value, and shrinks
    where it doesn't. Once steps gain less than rounding shows, what counts is that they bring the gradient down.

    Args:
        derivatives: value, gradient and Hessian at a point.
        start: where it begins.
        lowered: a point that lies no higher than a given one, near it: the minimum along some of the variables.
        iterations: at most.
        gain: it ends where ten steps gain a smaller share of the value.

    Source: Conn, Gould and Toint, Trust Region Methods (2000), chapter 7.

    """
    point, radius = lowered(start), FIRST_RADIUS * float(np.linalg.norm(start))
    value, gradient, hessian = derivatives(point)
    former = [np.inf] * PATIENCE
    for index in range(iterations):
        if former[index % PATIENCE] - value < gain * abs(value):
            return point
        former[index % PATIENCE] = float(value)
        step, foretold = step_in_ball(hessian, gradient, radius)
        length, slope = float(np.linalg.norm(step)), float(np.linalg.norm(gradient))
        trial = lowered(point + step)
        moved = derivatives(trial)
        gained = float(value) - float(moved[0]) if np.isfinite(moved[2]).all() else -np.inf
        if foretold <= ROUNDING * abs(value):
            if not float(np.linalg.norm(moved[1])) <= CLOSER * slope:
                return point
        elif not gained > 0.1 * foretold:
            radius = length / 4
            if radius <= SMALLEST_RADIUS * float(np.linalg.norm(point)):
                return point
            continue
        elif gained > 0.7 * foretold and length > 0.9 * radius:
            radius *= 3
        point, (value, gradient, hessian) = trial, moved
    return point


def step_in_ball(hessian: np.ndarray, gradient: np.ndarray, radius: float) -> tuple[np.ndarray, float]:
    """Return the step that minimises the model ⟨g, d⟩ + ½⟨d, Hd⟩ over |d| ≤ radius, and by how much it lowers it."""
    gain = lambda step: -float(gradient @ step + step @ hessian @ step / 2)
    try:
        step = -cho_solve(cho_factor(hessian, check_finite=False), gradient, check_finite=False)
        if np.linalg.norm(step) <= radius:
            return step, gain(step)
    except LinAlgError:
        pass
    values, vectors = np.linalg.eigh(hessian)
    parts = vectors.T @ gradient
    flat = 1e-12 * max(abs(values[0]), values[-1])
    least = max(0.0, -float(values[0])) + flat
    reached = lambda shift: parts / (values + shift)
    excess = lambda shift: float(np.linalg.norm(reached(shift))) / radius - 1
    if excess(least) > 0:
        largest = least + float(np.linalg.norm(parts)) / radius
        step = -vectors @ reached(float(brentq(excess, least, largest, xtol=1e-14, rtol=1e-6)))  # pyright: ignore
    else:  # inside along all but the direction of least curvature, along which the model falls up to the boundary
        step = -vectors @ reached(least)
        if values[0] < -flat:
            along = np.sqrt(max(0.0, radius**2 - step @ step))
            step = step + (along if step @ vectors[:, 0] >= 0 else -along) * vectors[:, 0]
    return step, gain(step)
