"""Newton's method in a trust region, for functions of a few hundred variables that need not be convex."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import brentq

FIRST_RADIUS = 0.1
"""Of the trust region, relative to the size of the start."""
SMALLEST_RADIUS = 1e-12
"""Of the trust region, relative to the size of the point, below which nothing is gained any more."""
ROUNDING = 1e-13
"""Relative to the value: a gain below it can't be told from rounding."""
LEAST_SHARE, AMPLE_SHARE = 0.1, 0.7
"""Of the fall that is foretold: with less a step fails, and with more the ball may grow."""
PATIENCE = 10
"""Steps that together must gain what is asked for, since steps along a curved valley are short."""
CLOSER = 0.5
"""Factor to which a step that gains too little to be seen must bring the gradient down."""
CORRECTIONS = 2
"""Corrections of a step, at most."""


class Function:
    """A function as Newton's method sees it. What a subclass doesn't know is as here."""

    def value(self, point: np.ndarray) -> float:
        """Return the function's value."""
        raise NotImplementedError

    def slope(self, point: np.ndarray) -> np.ndarray:
        """Return its gradient."""
        raise NotImplementedError

    def derivatives(self, point: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Return its value, gradient and Hessian."""
        raise NotImplementedError

    def lowered(self, point: np.ndarray) -> np.ndarray:
        """Return a point near a given one that lies no higher: the minimum along some of the variables."""
        return point

    def units(self, point: np.ndarray) -> np.ndarray:
        """Return the units of the variables near a point, in which the trust region is a ball."""
        return np.ones_like(point)


def newton(function: Function, start: np.ndarray, *, iterations: int, gain: float = 0.0) -> np.ndarray:
    """Return a point near a start where the gradient vanishes and the Hessian has no negative eigenvalue.

    A step minimises the quadratic model in a ball. Where its end has another gradient than the model foretold, it is
    corrected by that difference: so it may follow a curved valley. The ball grows where the model foretells the value,
    and shrinks where it doesn't. Once steps gain less than rounding shows, what counts is that they bring the gradient
    down.

    Args:
        function: whose minimum it is.
        start: where it begins.
        iterations: at most.
        gain: it ends where ten steps gain a smaller share of the value.

    Source: Conn, Gould and Toint, Trust Region Methods (2000), chapter 7, and 15.3.2 for corrections.

    """
    point, former = function.lowered(start), [np.inf] * PATIENCE
    value, gradient, hessian = function.derivatives(point)
    units = function.units(point)
    model, radius = Quadratic(hessian, gradient, units), FIRST_RADIUS * float(np.linalg.norm(point / units))
    for index in range(iterations):
        if former[index % PATIENCE] - value < gain * abs(value):
            return point
        former[index % PATIENCE] = value
        straight, foretold = model.lowest(radius)
        step = _corrected(function, point, value, straight, foretold, model)
        length, seen = float(np.linalg.norm(step.straight / units)), step.foretold > ROUNDING * abs(value)
        if seen and not step.succeeds:
            radius = length / 4
            if radius <= SMALLEST_RADIUS * float(np.linalg.norm(point / units)):
                return point
            continue
        moved = function.derivatives(step.end)
        closer = float(np.linalg.norm(moved[1])) <= CLOSER * float(np.linalg.norm(model.gradient))
        if not np.isfinite(moved[2]).all() or not (seen or closer):
            return point
        if seen and step.gained > AMPLE_SHARE * step.foretold and length > 0.9 * radius:
            radius *= 3
        point, value, units = step.end, moved[0], function.units(step.end)
        model = Quadratic(moved[2], moved[1], units)
    return point


class _Step(NamedTuple):
    """A step that was tried: as the model has it, where it ends once corrected, and its falls, foretold and true."""

    straight: np.ndarray
    end: np.ndarray
    foretold: float
    gained: float

    @property
    def succeeds(self) -> bool:
        return self.gained > LEAST_SHARE * self.foretold


def _corrected(
    function: Function, point: np.ndarray, value: float, straight: np.ndarray, foretold: float, model: Quadratic
) -> _Step:
    """Return a step, corrected at its end while that lowers the value."""
    end = function.lowered(point + straight)
    height = function.value(end)
    for _ in range(CORRECTIONS):
        if not np.isfinite(height):
            break
        other = function.lowered(end + model.correction(function.slope(end), end - point))
        lower = function.value(other)
        if not lower < height:
            break
        end, height = other, lower
    return _Step(straight, end, foretold, value - height)


class Quadratic:
    """The model f + ⟨g, d⟩ + ½⟨d, Hd⟩ of a function about a point, for steps d whose entries are in units."""

    def __init__(self, hessian: np.ndarray, gradient: np.ndarray, units: np.ndarray) -> None:
        self.hessian, self.gradient, self.units = hessian, gradient, units
        self._hessian, self._gradient, self._shift = units[:, None] * hessian * units, units * gradient, 0.0

    @cached_property
    def _factor(self) -> Any:
        """The Cholesky factor of H, None where H isn't positive definite."""
        try:
            return cho_factor(self._hessian, check_finite=False)
        except LinAlgError:
            return None

    @cached_property
    def _axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Eigenvalues and eigenvectors of H, and g along the latter."""
        values, vectors = np.linalg.eigh(self._hessian)
        return values, vectors, vectors.T @ self._gradient

    def lowest(self, radius: float) -> tuple[np.ndarray, float]:
        """Return the step that minimises the model over |d/units| ≤ radius, and by how much it falls."""
        step, self._shift = None, 0.0
        if self._factor is not None:
            step = -cho_solve(self._factor, self._gradient, check_finite=False)
        if step is None or np.linalg.norm(step) > radius:
            step = self._at_boundary(radius)
        return self.units * step, -float(self._gradient @ step + step @ self._hessian @ step / 2)

    def correction(self, slope: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Return what to add to a step from `lowest`, given the gradient at its end, where the model has another one.

        It is minus the difference, divided by the Hessian with the shift by which that step was found.
        """
        surprise = self.units * slope - self._gradient - self._hessian @ (step / self.units)
        if self._shift == 0:
            return -self.units * cho_solve(self._factor, surprise, check_finite=False)
        values, vectors, _ = self._axes
        return -self.units * (vectors @ (vectors.T @ surprise / (np.abs(values) + self._shift)))

    def _at_boundary(self, radius: float) -> np.ndarray:
        values, vectors, parts = self._axes
        flat = 1e-12 * max(abs(values[0]), values[-1])
        self._shift = least = max(0.0, -float(values[0])) + flat
        reached = lambda shift: parts / (values + shift)
        excess = lambda shift: float(np.linalg.norm(reached(shift))) / radius - 1
        if excess(least) > 0:
            largest = least + float(np.linalg.norm(parts)) / radius
            self._shift = float(brentq(excess, least, largest, xtol=1e-14, rtol=1e-6))  # pyright: ignore
            return -vectors @ reached(self._shift)
        # inside along all but the direction of least curvature, along which the model falls up to the boundary
        step = -vectors @ reached(least)
        if values[0] < -flat:
            along = np.sqrt(max(0.0, radius**2 - step @ step))
            step = step + (along if step @ vectors[:, 0] >= 0 else -along) * vectors[:, 0]
        return step
