r"""Explicit Runge–Kutta methods as data, and the one loop that takes their steps.

    k_i = v(t + c_i h, y + h Σ_j a_ij k_j),    the last row of a being the step itself,    error h Σ_i e_i k_i .

The first slope of a step is the last one of the step before. The stages run in a loop, so that however many a method
has, the velocity is compiled once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.dynamics.step_control import SAFETY, SMALLEST_FACTOR

State = Any
"""A tree of arrays that moves."""
Field = Callable[[jax.Array, State], State]
"""The velocity at a time: a tree that JAX can pass to a compiled function."""

LARGEST_FACTOR = 8.0
FIRST = 1 / 100
"""The part of the horizon that is tried as the first step."""


class Method(NamedTuple):
    """An explicit method whose last stage is at the next state.

    Attributes:
        order: that of the solution that goes on; the error is that of the order below.
        steps: the a_ij, of each stage a row, as long as there are stages.
        shares: the c_i.
        errors: the e_i.

    """

    order: int
    steps: tuple[tuple[float, ...], ...]
    shares: tuple[float, ...]
    errors: tuple[float, ...]


def _method(order: int, rows: list[list[float]], shares: list[float], errors: list[float]) -> Method:
    full = ((*row, *[0.0] * (len(rows) - len(row))) for row in rows)
    return Method(order, tuple(full), tuple(shares), tuple(errors))


BOGACKI_SHAMPINE = _method(
    3,
    [[], [1 / 2], [0, 3 / 4], [2 / 9, 1 / 3, 4 / 9]],
    [0, 1 / 2, 3 / 4, 1],
    [-5 / 72, 1 / 12, 1 / 9, -1 / 8],
)
"""Order 3(2), three slopes a step; for loose tolerances, stiffness and many recorded times (Appl. Math. Lett. 1989)."""
TSITOURAS = _method(
    5,
    [
        [],
        [0.161],
        [-0.008480655492356989, 0.335480655492357],
        [2.8971530571054935, -6.359448489975075, 4.3622954328695815],
        [5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525],
        [5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383],
        [
            0.09646076681806523,
            0.01,
            0.4798896504144996,
            1.379008574103742,
            -3.290069515436081,
            2.324710524099774,
        ],
    ],
    [0, 0.161, 0.327, 0.9, 0.9800255409045097, 1, 1],
    [
        -0.0017800110522257714,
        -0.0008164344596567469,
        0.007880878010261995,
        -0.1447110071732629,
        0.5823571654525552,
        -0.45808210592918697,
        1 / 66,
    ],
)
"""Order 5(4), six slopes a step (Comput. Math. Appl. 2011)."""


def no_slopes(method: Method, state: State) -> State:
    """Return the slopes of all stages, each 0."""
    return jax.tree.map(lambda leaf: jnp.zeros((len(method.shares), *leaf.shape), leaf.dtype), state)


def combined(coefficients: jax.Array, slopes: State) -> State:
    """Return Σ_i coefficient_i × slope_i."""
    return jax.tree.map(lambda leaf: jnp.tensordot(coefficients.astype(leaf.dtype), leaf, axes=1), slopes)


def moved(state: State, size: jax.Array, slope: State) -> State:
    """Return the state plus size × slope."""
    return jax.tree.map(lambda leaf, change: leaf + size * change, state, slope)


def stages(
    velocity: Callable[..., State],
    method: Method,
    time: jax.Array,
    state: State,
    size: jax.Array,
    slopes: State,
    part: range,
    inputs: Any = None,
    *,
    unroll: bool = False,
) -> tuple[State, State]:
    """Return the slopes with those of some stages filled in, and the state at the last of them.

    Args:
        velocity: called as ``velocity(time, state)``, with what stands for the stage in ``inputs`` as a third argument
            where there are any.
        method, time, state, size: the step.
        slopes: of all stages, of which those before ``part`` are known and the rest are 0.
        part: which stages.
        inputs: a tree of arrays with a leading axis, one row for each of these stages.
        unroll: compile each stage for itself, which takes longer and runs faster, above all backwards.

    """
    dtype = time.dtype
    rows, shares = jnp.asarray(method.steps, dtype), jnp.asarray(method.shares, dtype)

    def stage(carried: tuple[State, State], given: tuple) -> tuple[tuple[State, State], None]:
        slopes, _ = carried
        index, row, share, own = given
        at = moved(state, size, combined(row, slopes))
        slope = velocity(time + share * size, at, *(() if own is None else (own,)))
        return (jax.tree.map(lambda all_of_them, one: all_of_them.at[index].set(one), slopes, slope), at), None

    chosen = np.array(part)
    return jax.lax.scan(
        stage, (slopes, state), (jnp.asarray(chosen), rows[chosen], shares[chosen], inputs), unroll=unroll
    )[0]


class Cruise(NamedTuple):
    """Where a solve is: its time and state, the slope there, the next step to try, and how many were taken.

    The slope isn't known at the start, which a first step of size 0 finds out.
    """

    time: jax.Array
    state: State
    slope: State
    size: jax.Array
    steps: jax.Array
    slope_is_known: jax.Array


class Tolerances(NamedTuple):
    """Relative and absolute tolerance of a step, and the largest number of steps."""

    rtol: float
    atol: float
    max_steps: int


def states_at(
    field: Field, start: State, stops: np.ndarray, method: Method, tolerances: Tolerances, *, together: bool = False
) -> Iterator[tuple[State, bool, int]]:
    """Yield at each stop the state, whether it was reached, and the number of steps so far.

    Steps end at the stops. With ``together`` the arrays have a leading axis of independent systems, which share their
    steps: those of the system whose error is the largest.
    """
    dtype = jax.tree.leaves(start)[0].dtype
    number = partial(jnp.asarray, dtype=dtype)
    rtol, atol, first = number(tolerances.rtol), number(tolerances.atol), number(FIRST * float(stops[-1]))
    nothing = jax.tree.map(jnp.zeros_like, start)
    now = Cruise(number(0), start, nothing, first, jnp.asarray(0, np.int32), jnp.asarray(False))
    most = jnp.asarray(tolerances.max_steps, np.int32)
    for stop in stops:
        if stop > 0:
            now = _advance(field, method, now, number(stop), rtol, atol, most, together)
        yield now.state, bool(now.time >= number(stop)), int(now.steps)


@partial(jax.jit, static_argnames=("method", "together"))
def _advance(
    field: Field,
    method: Method,
    now: Cruise,
    stop: jax.Array,
    rtol: jax.Array,
    atol: jax.Array,
    max_steps: jax.Array,
    together: bool,
) -> Cruise:
    """Take steps until the stop, or as many as there may be."""
    velocity = jax.vmap(field, (None, 0)) if together else field
    errors, nothing = jnp.asarray(method.errors, rtol.dtype), jax.tree.map(jnp.zeros_like, now.state)

    def go_on(now: Cruise) -> jax.Array:
        moves = now.time + now.size > now.time
        return (now.time < stop) & (now.steps < max_steps) & moves

    def attempt(now: Cruise) -> Cruise:
        # What is left is divided evenly; without the margin, rounding could leave a step of almost nothing.
        left = stop - now.time
        count = jnp.maximum(1, jnp.ceil(left / (1.001 * now.size)))
        step = jnp.where(now.slope_is_known, left / count, 0)
        slopes = jax.tree.map(lambda known, first: known.at[0].set(first), no_slopes(method, now.state), now.slope)
        rest = range(1, len(method.shares))
        slopes, following = stages(velocity, method, now.time, now.state, step, slopes, rest)
        error = _error(moved(nothing, step, combined(errors, slopes)), now.state, following, rtol, atol, together)
        passed, last = error <= 1, count == 1
        time = jnp.where(last & now.slope_is_known, stop, now.time + step)
        size = step * factor(error, method.order)
        # A step that was cut short at a stop and passed says nothing against the size that was planned.
        size = jnp.where(passed & last, jnp.maximum(size, now.size), size)
        chosen = lambda new, old: jax.tree.map(lambda a, b: jnp.where(passed, a, b), new, old)
        last_slope = jax.tree.map(lambda leaf: leaf[-1], slopes)
        return Cruise(
            *chosen((time, following, last_slope), (now.time, now.state, now.slope)),
            size=jnp.where(now.slope_is_known, size, now.size),
            steps=now.steps + now.slope_is_known.astype(np.int32),
            slope_is_known=jnp.asarray(True),
        )

    return jax.lax.while_loop(go_on, attempt, now)


def _error(error: State, before: State, after: State, rtol: jax.Array, atol: jax.Array, together: bool) -> jax.Array:
    """Return the root mean square of an error over the tolerance, of the worst system where there are several."""

    def square(e: jax.Array, a: jax.Array, b: jax.Array) -> jax.Array:
        ratio = jnp.square(e / (atol + rtol * jnp.maximum(jnp.abs(a), jnp.abs(b))))
        return ratio.reshape(len(ratio) if together else 1, -1).sum(axis=1)

    total = jax.tree.reduce(jnp.add, jax.tree.map(square, error, before, after))
    count = sum(leaf.size for leaf in jax.tree.leaves(error)) / len(total)
    return jnp.sqrt(jnp.max(total) / count)


def factor(error: jax.Array, order: int) -> jax.Array:
    """Return by how much the next step is longer, given the error of this one over the tolerance."""
    wanted = SAFETY * jnp.maximum(error, 1e-12) ** (-1 / order)
    return jnp.where(jnp.isfinite(error), jnp.clip(wanted, SMALLEST_FACTOR, LARGEST_FACTOR), SMALLEST_FACTOR)
