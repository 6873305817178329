r"""A proven lower bound of a decoder's first variation for smooth φ and few latents, by branch and bound over (u, e).

After minimising over c, what is left is h(y) = (λ/2)|y|² − |p(y)|²/(2λ) with p(y) = Σ_i p_i φ(⟨y, x_i⟩), y = (u, e)
and x_i = (z_i, 1). In a box of half widths d about y₀ preactivations differ from s_i by at most δ_i = ⟨d, |x_i|⟩. With
J, B the first two derivatives of p at y₀, p = p₀ + J dy + ½B[dy, dy] + ε,

    |½B| ≤ β = ½ Σ|p_i||φ″(s_i)|δ_i²,    |ε| ≤ Σ|p_i| sup|φ‴| δ_i³/6,    |J dy| ≤ α = Σ_j d_j|J_j|,

so that h is its quadratic model about y₀ up to (2αβ + β² + 2(|p₀| + α + β)ε + ε²)/(2λ). Large boxes have another bound,
|p| ≤ |p₀| + Σ|p_i| sup|φ′| δ_i. Boxes whose bound lies above the least known value are done with; others are halved.
Beyond a radius, |p| ≤ P|y| + κΣ|p_i| with P the steepest ray and κ the distance of φ from its two lines at infinity.

Source: Horst and Tuy, Global Optimization (1996).
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus._precision import DOUBLE, computing_in
from isthmus.core.activations import ACTIVATIONS, Activation
from isthmus.theory.arrangement import can_enumerate, steepest
from isthmus.theory.kinks import slopes
from isthmus.theory.lowest_neurons import FAR, Side, is_bounded

MOST_DIMENSIONS = 3
"""Of (u, e), up to which boxes are few enough."""
BATCH = 1024
"""Boxes bounded together."""
MOST_BOXES = 400_000
"""Boxes after which the proof is given up."""
REACH, SPACING = 40.0, 1e-3
"""How far suprema of derivatives are tabulated, and how densely; beyond it φ is a line to rounding."""
SAFETY = 1.01
"""Factor on tabulated suprema, larger than they can grow between places of the table."""
ROUNDING = 1e-13
"""Relative error of a computed bound."""


class Suprema(NamedTuple):
    """What is known of φ.

    Attributes:
        first, third: sup over |t| ≥ m of |φ′| and of |φ‴|, for m = 0, ``SPACING``, ….
        distance: κ, from its lines at infinity.

    """

    first: np.ndarray
    third: np.ndarray
    distance: float


def can_prove(side: Side) -> bool:
    """Return whether the least first variation of a side can be proven."""
    lifted = side.lifted
    return (
        side.radius is None
        and side.decay > 0
        and lifted.shape[1] <= MOST_DIMENSIONS
        and ACTIVATIONS.get(side.activation.name) is side.activation
        and side.activation.smooth
        and can_enumerate(len(lifted), lifted.shape[1], side.pull.shape[1], slopes(side.activation, FAR))
    )


def proven_minimum(side: Side, known: float, slack: float, most: int = MOST_BOXES) -> tuple[float, bool]:
    """Return a number below which h doesn't fall, and whether it lies within ``slack`` of the least value found.

    Args:
        side: of the decoder, for which `can_prove`.
        known: a value that h takes, or the value that is to be proven.
        slack: how far below the least value the bound may lie.
        most: boxes, at most.

    """
    lifted, pull = side.lifted, np.asarray(side.pull, float)
    suprema = _suprema(side.activation)
    half = _radius(side, lifted, pull, suprema.distance, known)
    if not np.isfinite(half):
        return -np.inf, False
    dim = lifted.shape[1]
    centres, halves = np.zeros((1, dim)), np.full((1, dim), half)
    if side.activation.odd:  # h(−y) = h(y)
        centres[0, -1], halves[0, -1] = half / 2, half / 2
    bounds, least, work = np.array([-np.inf]), known, 0
    scale = np.sqrt((lifted**2).mean(axis=0))
    tables = suprema.first, suprema.third
    while len(bounds) and work < most:
        order = np.argpartition(bounds, min(BATCH // 2, len(bounds)) - 1)[: BATCH // 2]
        parents, spans = centres[order], halves[order]
        rest = np.ones(len(bounds), bool)
        rest[order] = False
        rows, axis = np.arange(len(order)), np.argmax(spans * scale, axis=1)
        spans = spans.copy()
        spans[rows, axis] /= 2
        shift = np.zeros_like(spans)
        shift[rows, axis] = spans[rows, axis]
        children, widths = np.concatenate([parents - shift, parents + shift]), np.concatenate([spans, spans])
        missing = BATCH - len(children)
        padded = [np.concatenate([part, np.repeat(part[:1], missing, axis=0)]) for part in (children, widths)]
        with computing_in(DOUBLE):
            evaluated = _box_bounds(side.activation, lifted, pull, float(side.decay), *padded, *tables)
        values, lower = (np.asarray(part)[: len(children)] for part in evaluated)
        work += len(children)
        least = min(least, float(values.min()))
        kept = lower < least - slack
        centres = np.concatenate([centres[rest], children[kept]])
        halves = np.concatenate([halves[rest], widths[kept]])
        bounds = np.concatenate([bounds[rest], lower[kept]])
        still = bounds < least - slack
        centres, halves, bounds = centres[still], halves[still], bounds[still]
    if len(bounds):
        return float(bounds.min()), False
    return least - slack, True


def _radius(side: Side, lifted: np.ndarray, pull: np.ndarray, distance: float, known: float) -> float:
    """Return a radius beyond which h lies above a value."""
    ray = 0.0 if is_bounded(side.activation) else steepest(lifted, pull, slopes(side.activation, FAR))[0]
    rest, decay = distance * float(np.linalg.norm(pull, axis=1).sum()), float(side.decay)
    square, linear, constant = decay - ray**2 / decay, ray * rest / decay, rest**2 / decay + 2 * min(known, 0.0) * -1
    if square <= 0:
        return np.inf
    return float((linear + np.sqrt(linear**2 + square * constant)) / square)


@functools.cache
def _suprema(activation: Activation) -> Suprema:
    """Return suprema of derivatives, tabulated, and the distance of φ from its lines at infinity."""
    places = np.arange(0, REACH + SPACING, SPACING)
    down, up = slopes(activation, FAR)
    third_derivative = jax.jit(jax.vmap(jax.grad(activation.second)))
    with computing_in(DOUBLE):
        both = np.concatenate([-places[::-1], places])
        values, first = np.asarray(jax.jit(activation.value)(both)), np.asarray(jax.jit(activation.first)(both))
        third = np.asarray(third_derivative(both))

    def beyond(values: np.ndarray) -> np.ndarray:
        """Return sup over |t| ≥ m, a place further in, for safety."""
        larger = np.maximum(np.abs(values[len(places) :]), np.abs(values[: len(places)][::-1]))
        running = np.maximum.accumulate(larger[::-1])[::-1]
        return SAFETY * np.concatenate([running[:1], running[:-1]])

    distance = SAFETY * float(np.abs(values - np.where(both > 0, up, down) * both).max())
    return Suprema(beyond(first), beyond(third), distance)


@functools.partial(jax.jit, static_argnums=0)
def _box_bounds(
    activation: Activation,
    lifted: Any,
    pull: Any,
    decay: Any,
    centres: Any,
    halves: Any,
    first_table: Any,
    third_table: Any,
) -> tuple[jax.Array, jax.Array]:
    """Return h at the centres of boxes, and lower bounds of h in them."""
    sizes = jnp.sqrt(jnp.square(pull).sum(axis=1))[None]
    s, delta = centres @ lifted.T, halves @ jnp.abs(lifted).T
    place = jnp.maximum(jnp.abs(s) - delta, 0) / SPACING
    place = jnp.minimum(place.astype(int), len(first_table) - 1)
    slope, bend = activation.first(s), activation.second(s)
    force = activation.value(s) @ pull
    jacobian = jnp.stack([(slope * lifted[None, :, j]) @ pull for j in range(lifted.shape[1])], axis=2)
    size = jnp.sqrt(jnp.square(force).sum(axis=1))
    value = decay / 2 * jnp.square(centres).sum(axis=1) - size**2 / (2 * decay)

    reach = (jnp.sqrt(jnp.square(jacobian).sum(axis=1)) * halves).sum(axis=1)
    second = (sizes * jnp.abs(bend) * delta**2).sum(axis=1) / 2
    third = (sizes * third_table[place] * delta**3).sum(axis=1) / 6
    products = (lifted[:, :, None] * lifted[:, None, :]).reshape(len(lifted), -1)
    along = (((force @ pull.T) * bend) @ products).reshape(len(centres), *[lifted.shape[1]] * 2)
    gram = jnp.einsum("boi,boj->bij", jacobian, jacobian)
    hessian = decay * jnp.eye(lifted.shape[1])[None] - (gram + along) / decay
    gradient = decay * centres - jnp.einsum("boi,bo->bi", jacobian, force) / decay
    far = jnp.sqrt(jnp.square(halves).sum(axis=1))
    curvatures, axes = jnp.linalg.eigh(hessian)
    parts = jnp.abs(jnp.einsum("bi,bij->bj", gradient, axes))
    inside = jnp.where(curvatures > 0, parts / jnp.where(curvatures > 0, curvatures, 1.0), jnp.inf)
    length = jnp.minimum(inside, far[:, None])
    by_axes = (-parts * length + curvatures / 2 * length**2).sum(axis=1)
    by_sides = -(jnp.abs(gradient) * halves).sum(axis=1) + jnp.minimum(curvatures[:, 0], 0) / 2 * far**2
    remainder = 2 * reach * second + second**2 + 2 * (size + reach + second) * third + third**2
    model = value + jnp.maximum(by_axes, by_sides) - remainder / (2 * decay)

    nearest = jnp.maximum(jnp.abs(centres) - halves, 0)
    largest = size + (sizes * first_table[place] * delta).sum(axis=1)
    coarse = decay / 2 * jnp.square(nearest).sum(axis=1) - largest**2 / (2 * decay)
    error = ROUNDING * (decay * jnp.square(centres).sum(axis=1) + size**2 / decay)
    return value, jnp.maximum(model, coarse) - error
