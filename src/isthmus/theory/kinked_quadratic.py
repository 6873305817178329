r"""The minimum of a quadratic function with kinks along planes.

    f(d) = ⟨g, d⟩ + ½⟨d, Hd⟩ + Σ_p c_p (s_p + ⟨a_p, d⟩)₊,    c_p > 0, H positive definite.

With shares σ_p ∈ [0, 1] of the slopes beyond the kinks, its dual is the concave maximum over the box of

    ⟨cσ, s⟩ − ½⟨g + Aᵀcσ, H⁻¹(g + Aᵀcσ)⟩,

and d = −H⁻¹(g + Aᵀcσ): σ is 0 or 1 where d lies off the kink of p, and strictly between where d lies on it.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

ITERATIONS = 60
"""Of the interior-point method, at most; 20 are usual."""
CENTRING = 0.1
"""Factor by which the mean product of shares and multipliers is to fall in each."""
ACCURACY = 1e-13
"""It ends once that product has fallen to this share of what is felt of the kinks at the start."""
NEARLY = 0.99
"""Share of the way to the boundary of the box that a step may go."""
NEARBY = 1e-10
"""How much dearer it makes shares that differ from those of before: where many are as good, the nearest are taken."""


class Kinked(NamedTuple):
    """A minimum: d, and the shares σ."""

    step: np.ndarray
    shares: np.ndarray


class KinkedQuadratic:
    """The quadratic part and the planes of a function, for minima with different slopes and offsets.

    Args:
        hessian: H, positive definite; `numpy.linalg.LinAlgError` is raised where it isn't.
        planes: A, the a_p in rows.
        strengths: c.

    """

    def __init__(self, hessian: np.ndarray, planes: np.ndarray, strengths: np.ndarray) -> None:
        self._factor = cho_factor(hessian, check_finite=False)
        self._planes, self._strengths = planes, strengths

    @cached_property
    def across(self) -> np.ndarray:
        """H⁻¹Aᵀ."""
        return cho_solve(self._factor, self._planes.T, check_finite=False)

    @cached_property
    def gram(self) -> np.ndarray:
        """AH⁻¹Aᵀ."""
        return self._planes @ self.across

    def lowest(self, gradient: np.ndarray, offsets: np.ndarray, near: np.ndarray) -> Kinked:
        """Return the minimum for a slope g and offsets s, with σ near given shares where it isn't unique.

        Source: a primal-dual interior-point method, Wright, Primal-Dual Interior-Point Methods (1997).
        """
        straight = cho_solve(self._factor, gradient, check_finite=False)
        shares = _shares(self.gram, offsets - self._planes @ straight, self._strengths, near)
        return Kinked(-(straight + self.across @ (self._strengths * shares)), shares)


def _shares(gram: np.ndarray, offsets: np.ndarray, strengths: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return the σ that maximise ⟨cσ, s⟩ − ½⟨cσ, Gcσ⟩ over the box.

    At the maximum cσ-derivatives are balanced by multipliers of the box, c(s − Gcσ) + l − u = 0 with lσ = u(1 − σ) = 0;
    these products are let fall together.
    """
    if not len(strengths):
        return np.zeros(0)
    below = np.full(len(strengths), 0.5)
    above = 1 - below  # kept beside σ, since near 1 their difference would be lost in rounding
    model = strengths[:, None] * gram * strengths
    nearby = NEARBY * np.diag(model)
    slope = lambda: strengths * (offsets - gram @ (strengths * below))
    felt = float(np.abs(slope()).mean()) + np.finfo(float).tiny
    lower, upper = np.maximum(-slope(), 0) + felt, np.maximum(slope(), 0) + felt
    for _ in range(ITERATIONS):
        product = float(below @ lower + above @ upper) / (2 * len(below))
        if product < ACCURACY * felt:
            break
        aim = CENTRING * product
        excess = slope() - nearby * (below - near) + aim / below - aim / above
        stiffness = model + np.diag(lower / below + upper / above + nearby)
        try:
            step = cho_solve(cho_factor(stiffness, check_finite=False), excess, check_finite=False)
        except np.linalg.LinAlgError:  # as near to the maximum as rounding lets it come
            break
        lower_step = aim / below - lower - lower / below * step
        upper_step = aim / above - upper + upper / above * step
        far = _longest((below, step), (above, -step), (lower, lower_step), (upper, upper_step))
        below, above = below + far * step, above - far * step
        lower, upper = lower + far * lower_step, upper + far * upper_step
    return below


def _longest(*moves: tuple[np.ndarray, np.ndarray]) -> float:
    """Return how far all may go, at most by their steps, so that they stay positive."""
    most = min(float(np.min(np.where(step < 0, part / -np.minimum(step, -1e-300), np.inf))) for part, step in moves)
    return min(1.0, NEARLY * most)
