"""Derivatives of activations by automatic differentiation, and whether functions are each other's derivatives.

On small cells [a, b] the difference F(b) − F(a) is held against ∫ f over the cell. A cell where they differ is halved,
always towards the half with the larger difference: what stays is a jump of F, what shrinks with the cell is a wrong f,
and what shrinks faster was a bend too sharp for the quadrature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus import _checks
from isthmus._precision import DOUBLE, computing_in

Elementwise = Callable[[jax.Array], jax.Array]
REACH = 8.0
"""Activations are examined on [−8, 8], where nearly all preactivations lie."""
EDGES = np.linspace(-REACH, REACH, 257) + 0.0131
"""Ends of the cells, so placed that a kink at a round number lies inside one."""
HALVINGS = 18
"""After these a cell is 2·10⁻⁷ wide, and a difference quotient in it is still good to 10⁻⁸."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)
TOLERANCE = 1e-5
"""Of a derivative, relative to 1 and its own size."""
SMALLEST_JUMP = 1e-5
"""A jump below this, relative to the largest value, counts as none."""
SAME = 1e-9
"""Relative difference below which values are the same."""


@dataclass(frozen=True)
class Derivative:
    """The derivative of an elementwise function by automatic differentiation; it pickles where the function does."""

    function: Elementwise

    def __call__(self, s: jax.Array) -> jax.Array:
        """Return the derivative at each number of an array."""
        return jax.jvp(self.function, (s,), (jnp.ones_like(s),))[1]


class Misfit(NamedTuple):
    """Where a function and its derivative don't fit: a number, and whether the function jumps there."""

    place: float
    is_jump: bool


def check_elementwise(name: str, function: Elementwise) -> None:
    """Refuse a function that isn't finite on [−8, 8], or doesn't act on each number for itself in its own precision."""
    with computing_in(DOUBLE):
        for dtype in (np.float32, np.float64):
            points = jax.ShapeDtypeStruct(EDGES.shape, dtype)
            found = _checks.called(name, partial(jax.eval_shape, function), points)
            if getattr(found, "shape", None) != points.shape or found.dtype != points.dtype:
                given = _checks.described(f"one that makes {_kind(found)} of {_kind(points)}")
                _checks.refuse(name, "return numbers of the shape and the type it is given", given)
        together, alone = map(np.asarray, jax.jit(lambda s: (function(s), function(s[:1])))(EDGES))
    finite = np.isfinite(together)
    if not finite.all():
        place = _checks.described(f"not at {EDGES[finite.argmin()]:.3g}")
        _checks.refuse(name, f"be finite on [−{REACH:g}, {REACH:g}]", place)
    if not np.allclose(alone, together[:1], rtol=SAME, atol=SAME):
        _checks.refuse(name, "act on each number for itself", _checks.described("mixing them, as softmax does"))


def misfit(function: Elementwise, derivative: Elementwise) -> Misfit | None:
    """Return where a function and its supposed derivative don't fit, None if they do."""

    @jax.jit
    def difference(low: Any, high: Any) -> tuple[Any, Any]:
        """Return |F(b) − F(a) − ∫ f| of cells, and the mean size of f there, shape (cells,) each."""
        middle, half = (low + high) / 2, (high - low) / 2
        values = derivative(middle[:, None] + half[:, None] * NODES[None, :])
        return jnp.abs(function(high) - function(low) - half * (values @ WEIGHTS)), jnp.abs(values) @ WEIGHTS / 2

    with computing_in(DOUBLE):
        low, high = EDGES[:-1], EDGES[1:]
        size = float(np.abs(np.asarray(jax.jit(function)(EDGES))).max())
        left = right = left_slope = right_slope = np.zeros(0)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            left, left_slope = map(np.asarray, difference(low, middle))
            right, right_slope = map(np.asarray, difference(middle, high))
            low, high = np.where(left >= right, low, middle), np.where(left >= right, middle, high)
    allowed = TOLERANCE * (1 + np.minimum(left_slope, right_slope)) * (high - low)
    wrong = np.minimum(left, right) > allowed  # at a kink of F, or a jump, only one half would differ
    jumps = ~wrong & (np.maximum(left, right) > SMALLEST_JUMP * size)
    for found, is_jump in ((wrong, False), (jumps, True)):
        if found.any():
            return Misfit(float(low[found.argmax()]), is_jump)
    return None


def check_symmetry(name: str, holds_for: Callable[[Any], tuple[Any, Any]]) -> None:
    """Refuse a symmetry of this name where the two sides of its equation, at many numbers, aren't the same."""
    with computing_in(DOUBLE):
        left, right = (np.asarray(side) for side in holds_for(jnp.asarray(EDGES)))
    different = ~np.isclose(left, right, rtol=SAME, atol=SAME)
    if different.any():
        place = EDGES[different.argmax()]
        _checks.refuse(name, "be False for a function that isn't so", _checks.described(f"not so at {place:.3g}"))


def _kind(array: Any) -> str:
    return f"{getattr(array, 'dtype', type(array).__name__)}{list(getattr(array, 'shape', ()))}"
