r"""Runge–Kutta–Chebyshev steps, whose stability grows as the square of their stages, for gradient flows that are stiff.

A step h of s stages, from y₀ with the slope F₀, adds to it the last of

    d_j = μ_j d_{j−1} + ν_j d_{j−2} + μ̃_j h F(t + c_j−1 h, y₀ + d_{j−1}) + γ̃_j h F₀,    d₀ = 0,  d₁ = μ̃₁ h F₀ .

It is of second order, and stable along every real curvature λ up to hλ = ⅔(s² − 1)(1 − 2ε/15): with hλ large it costs
√(1.5 λ/h) slopes a unit of time, where a method with a fixed number of them costs in proportion to λ. The curvatures of
a gradient flow are real; where momentum or Adam let it oscillate, this method has no use.

Source: Sommeijer, Shampine and Verwer, RKC: an explicit solver for parabolic PDEs, J. Comput. Appl. Math. 88 (1998).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial.chebyshev import chebder, chebval

from isthmus.dynamics.integrators import (
    Field,
    Solve,
    State,
    Tolerances,
    elementwise,
    judged,
    like,
    moved,
    new_solve,
    planned,
)

MOST_STAGES = 64
DAMPING = 2 / 13
"""ε: how far inside the border of stability every curvature is damped."""
ORDER = 3
"""That of the error of a step."""
MARGIN = 1.1
"""On the highest curvature, which is estimated and may rise during a step."""
FIRST_ITERATIONS = 16
"""Iterations from which the first estimate of the curvature comes; later steps go on from it by one each."""


class Stages(NamedTuple):
    """What each stage of a step takes, arrays over j = 1, …, s: μ_j, ν_j, μ̃_j, γ̃_j, and c_j−1."""

    last: Any
    before: Any
    slope: Any
    first: Any
    share: Any


@cache
def stages_of(count: int) -> Stages:
    """Return the coefficients of a step of so many stages, at least 2."""
    w0 = 1 + DAMPING / count**2
    unit = np.eye(count + 1)
    value, first, second = (np.array([chebval(w0, chebder(row, order)) for row in unit]) for order in (0, 1, 2))
    w1 = first[-1] / second[-1]
    b = np.empty(count + 1)
    b[2:] = second[2:] / first[2:] ** 2
    b[:2] = b[2]
    a = 1 - b * value
    shares = np.zeros(count + 1)
    shares[2:] = w1 * second[2:] / first[2:]
    shares[1] = shares[2] / first[2]
    last, before, slope, begin = np.zeros((4, count))
    slope[0] = b[1] * w1
    last[1:] = 2 * b[2:] * w0 / b[1:-1]
    before[1:] = -b[2:] / b[:-2]
    slope[1:] = 2 * b[2:] * w1 / b[1:-1]
    begin[1:] = -a[1:-1] * slope[1:]
    return Stages(last, before, slope, begin, shares[:-1])


def reach(count: int) -> float:
    """Return the largest step × curvature at which a step of so many stages is stable."""
    return 2 / 3 * (count**2 - 1) * (1 - 2 / 15 * DAMPING)


@cache
def _table() -> Stages:
    """Return the coefficients of all numbers of stages, arrays (s, j)."""
    rows = [stages_of(max(count, 2)) for count in range(MOST_STAGES + 1)]
    filled = lambda part: np.stack([np.pad(row, (0, MOST_STAGES + 1 - len(row))) for row in part])
    return Stages(*(filled(part) for part in zip(*rows, strict=True)))


class StiffSolve(NamedTuple):
    """A solve with an estimate of the highest curvature: a direction, and its lengths after the last two products."""

    now: Solve
    direction: State
    lengths: jax.Array

    @property
    def curvature(self) -> jax.Array:
        """The highest one, in absolute value."""
        return jnp.sqrt(self.lengths[0] * self.lengths[1])


def stiff_states_at(
    field: Field, start: State, stops: np.ndarray, tolerances: Tolerances
) -> Iterator[tuple[State, bool, int]]:
    """Yield at each stop the state, whether it was reached, and the number of steps so far."""
    solve = _begun(start, float(stops[-1]))
    number = partial(jnp.asarray, dtype=solve.now.time.dtype)
    rtol, atol, most = number(tolerances.rtol), number(tolerances.atol), jnp.asarray(tolerances.max_steps, np.int32)
    for stop in stops:
        if stop > 0:
            solve = _advance(field, solve, number(stop), rtol, atol, most)
        yield solve.now.state, bool(solve.now.time >= number(stop)), int(solve.now.steps)


def _begun(start: State, horizon: float) -> StiffSolve:
    """Return a solve that knows neither its slope nor its curvature, which a first step of size 0 finds."""
    now = new_solve(start, horizon)
    return StiffSolve(now, any_direction(start), jnp.zeros(2, now.time.dtype))


def _looked(field: Field, solve: StiffSolve) -> StiffSolve:
    """Return the solve with its estimate of the curvature brought forward by one slope, a difference from its own."""
    now = solve.now
    size = square_sum(now.state)
    apart = jnp.sqrt(jnp.finfo(now.time.dtype).eps * jnp.where(size > 0, size, 1))

    def product(direction: State) -> State:
        ahead = field(now.time, moved(now.state, apart, direction))
        return jax.tree.map(lambda a, b: (a - b) / apart, like(now.state, ahead), like(now.state, now.slope))

    return StiffSolve(now, *power_iteration(product, solve.direction, solve.lengths))


@jax.jit
def _advance(
    field: Field, solve: StiffSolve, stop: jax.Array, rtol: jax.Array, atol: jax.Array, max_steps: jax.Array
) -> StiffSolve:
    """Take steps until the stop, or as many as there may be."""

    def go_on(solve: StiffSolve) -> jax.Array:
        now = solve.now
        return (now.time < stop) & (now.steps < max_steps) & (now.time + now.size > now.time)

    return jax.lax.while_loop(go_on, lambda solve: _attempt(field, solve, stop, rtol, atol), solve)


def _attempt(field: Field, solve: StiffSolve, stop: jax.Array, rtol: jax.Array, atol: jax.Array) -> StiffSolve:
    """Return the solve after one attempt at a step, which moves it where the error is small enough."""
    now, fastest = solve.now, MARGIN * solve.curvature
    furthest = jnp.asarray(reach(MOST_STAGES), now.time.dtype) / jnp.maximum(fastest, 1e-30)
    size, is_last = planned(now.time, jnp.minimum(now.size, furthest), stop)
    size, is_last = jnp.where(now.slope_is_known, size, 0), is_last & now.slope_is_known
    wanted = jnp.ceil(jnp.sqrt(1 + 1.54 * size * fastest))
    count = jnp.clip(wanted, 2, MOST_STAGES).astype(np.int32)
    change, slope = stiff_step(field, now.time, now.state, now.slope, size, count)
    following = moved(now.state, 1.0, change)
    time = jnp.where(is_last, stop, now.time + size)
    error = jax.tree.map(lambda d, before, after: -0.8 * d + 0.4 * size * (before + after), change, now.slope, slope)
    passed, next_size = judged(elementwise(error, now.state, following, rtol, atol), ORDER, now.size, size, is_last)
    chosen = lambda new, old: jax.tree.map(lambda a, b: jnp.where(passed, a, b), new, old)
    moved_on = chosen((time, following, slope), (now.time, now.state, now.slope))
    after = now._replace(
        time=moved_on[0],
        state=moved_on[1],
        slope=moved_on[2],
        size=jnp.where(now.slope_is_known, next_size, now.size),
        steps=now.steps + now.slope_is_known.astype(np.int32),
        slope_is_known=jnp.asarray(True),
    )
    looks = jnp.where(now.slope_is_known, 1, FIRST_ITERATIONS)
    return jax.lax.fori_loop(0, looks, lambda _, solve: _looked(field, solve), solve._replace(now=after))


def stiff_step(
    field: Field, time: jax.Array, state: State, slope: State, size: jax.Array, count: jax.Array
) -> tuple[State, State]:
    """Return the change of a state over a step of so many stages, at most `MOST_STAGES`, and the slope at its end.

    ``slope`` is that at its begin.
    """
    rows = Stages(*(jnp.asarray(part, time.dtype)[count] for part in _table()))

    def stage(index: jax.Array, carried: tuple[State, State, State]) -> tuple[State, State, State]:
        """Go on to d_j, and after the last one take the slope there: the velocity is compiled once."""
        last, before, _ = carried
        is_after = index == count
        share = jnp.where(is_after, 1, rows.share[index])
        own = like(last, field(time + share * size, moved(state, 1.0, last)))
        row = Stages(*(part[index] for part in rows))
        combine = lambda d, e, f, f0: row.last * d + row.before * e + size * (row.slope * f + row.first * f0)
        following = jax.tree.map(combine, last, before, own, like(last, slope))
        chosen = jax.tree.map(lambda old, new: jnp.where(is_after, old, new), last, following)
        return chosen, last, own

    first = jax.tree.map(lambda leaf: rows.slope[0] * size * leaf, like(state, slope))
    nothing = jax.tree.map(jnp.zeros_like, first)
    change, _, end = jax.lax.fori_loop(1, count + 1, stage, (first, nothing, nothing))
    return change, like(slope, end)


def any_direction(state: State) -> State:
    """Return some direction with a part along every other."""
    random = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.asarray(random.standard_normal(leaf.shape), leaf.dtype), state)


def power_iteration(product: Callable[[State], State], direction: State, lengths: jax.Array) -> tuple[State, jax.Array]:
    """Return Jd for a direction d made one long, J the derivative of the field, and its length after the last one.

    d nears the fastest motion. Where that is an oscillation, as with momentum, lengths alternate, and the root of the
    product of two is its speed.
    """
    length = jnp.sqrt(square_sum(direction))
    image = like(direction, product(jax.tree.map(lambda leaf: leaf / jnp.where(length > 0, length, 1), direction)))
    return image, jnp.stack([lengths[1], jnp.sqrt(square_sum(image))])


def square_sum(tree: State) -> jax.Array:
    """Return the sum of the squares of all entries."""
    return jax.tree.reduce(jnp.add, jax.tree.map(lambda leaf: jnp.sum(jnp.square(leaf)), tree))
