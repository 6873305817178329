r"""Activations whose slope jumps: where it does, and their smoothed versions.

Near a kink at s₀ with a jump J of the slope, φ is a smooth function plus J relu(s − s₀). Smoothed at a scale h,

    relu_h(s) = E relu(s + h z) = s Φ(s/h) + h p(s/h),    relu_h′ = Φ(s/h),    relu_h″ = p(s/h)/h,

z a standard normal with density p and distribution function Φ. φ_h has relu_h in the place of each such relu.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from isthmus.core.activations import Activation
from isthmus.core.derivatives import Elementwise

SEARCHED = np.linspace(-32.0, 32.0, (1 << 14) + 2)
"""Where kinks are looked for; no node falls on a round number but the ends."""
STEEP = 1e-3
"""Part of the range of the slope by which it must change between two nodes to be looked at closely."""
JUMP = 1e-6
"""Part of that range, or of that of the value, from which a change over the width of rounding is a jump."""
HALVINGS = 60
"""Halvings of an interval between two nodes: as many as numbers of double precision allow."""


class Kink(NamedTuple):
    """Where the slope of an activation jumps, and by how much."""

    place: float
    jump: float


@lru_cache(maxsize=128)
def kinks(phi: Activation) -> tuple[Kink, ...] | None:
    """Return all kinks of an activation between −32 and 32 in increasing order, None where its value jumps.

    Steep changes of the slope are halved down to rounding: a jump stays, and anything smooth vanishes.
    """
    slopes = phi.of(SEARCHED, 1)
    size = max(float(np.ptp(slopes)), float(np.abs(slopes).max()))
    steep = np.flatnonzero(np.abs(np.diff(slopes)) > STEEP * size)
    lower, upper = SEARCHED[steep], SEARCHED[steep + 1]
    for _ in range(HALVINGS if len(steep) else 0):
        middle = (lower + upper) / 2
        ends = [phi.of(values, 1) for values in (lower, middle, upper)]
        in_lower_half = np.abs(ends[1] - ends[0]) >= np.abs(ends[2] - ends[1])
        lower, upper = np.where(in_lower_half, lower, middle), np.where(in_lower_half, middle, upper)
    jumps = phi.of(upper, 1) - phi.of(lower, 1) if len(steep) else np.zeros(0)
    kept = np.abs(jumps) > JUMP * size
    values = phi.of(SEARCHED)
    gaps = np.abs(np.diff(values)) - 2 * np.maximum(np.abs(slopes[1:]), np.abs(slopes[:-1])) * np.diff(SEARCHED)
    if (gaps > 1e-2 * np.ptp(values)).any():  # a step between two nodes that no slope explains
        return None
    places = (lower[kept] + upper[kept]) / 2
    places[np.abs(places) < 1e-12] = 0.0
    return tuple(Kink(float(place), float(jump)) for place, jump in zip(places, jumps[kept], strict=True))


@lru_cache(maxsize=128)
def smoothed(phi: Activation, scale: float) -> Activation:
    """Return φ_h at a scale h; a smooth activation is returned as it is."""
    found = () if phi.smooth else kinks(phi)
    if not found:
        return phi

    def ratios(s: jax.Array) -> list[tuple[float, jax.Array]]:
        return [(jump, (s - place) / scale) for place, jump in found]

    def value(s: jax.Array) -> jax.Array:
        terms = (jump * scale * (r * norm.cdf(r) + norm.pdf(r) - jnp.maximum(r, 0)) for jump, r in ratios(s))
        return phi.value(s) + sum(terms)

    def first(s: jax.Array) -> jax.Array:
        return phi.first(s) + sum(jump * (norm.cdf(r) - (r > 0).astype(r.dtype)) for jump, r in ratios(s))

    def second(s: jax.Array) -> jax.Array:
        return phi.second(s) + sum(jump * norm.pdf(r) / scale for jump, r in ratios(s))

    # Automatic differentiation of the sums would add the jumps of φ′ and of the step at different sides of a kink.
    slope = _differentiated(first, second)
    return Activation(f"{phi.name}, smoothed at {scale:g}", _differentiated(value, slope), slope, second, smooth=True)


def _differentiated(function: Elementwise, derivative: Elementwise) -> Elementwise:
    """Return an elementwise function that is differentiated by the derivative that is given."""
    wrapped = jax.custom_jvp(function)
    wrapped.defjvp(lambda primals, tangents: (function(*primals), derivative(*primals) * tangents[0]))
    return wrapped


def rounded(scale: float) -> float:
    """Return a scale rounded to a quarter of a power of 2, so that problems which differ little share programs."""
    return 2.0 ** (round(4 * math.log2(scale)) / 4)
