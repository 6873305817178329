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

State = Any
"""A tree of arrays that moves. A slope has the same leaves in the same order, if in other containers."""
Field = Callable[[jax.Array, State], State]
"""The velocity at a time: a tree that JAX can pass to a compiled function."""

SAFETY, SMALLEST_FACTOR, LARGEST_FACTOR = 0.9, 0.2, 5.0
"""How much shorter than the error allows the next step is, and by which factors it may change at most."""
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


def moved(state: State, size: jax.Array | float, slope: State) -> State:
    """Return the state plus size × slope."""
    leaves, structure = jax.tree.flatten(state)
    changes = zip(leaves, jax.tree.leaves(slope), strict=True)
    return jax.tree.unflatten(structure, [leaf + size * change for leaf, change in changes])


def like(state: State, slope: State) -> State:
    """Return a slope in the containers of a state."""
    return jax.tree.unflatten(jax.tree.structure(state), jax.tree.leaves(slope))


def with_slope(slopes: State, index: jax.Array | int, slope: State) -> State:
    """Return the slopes of all stages with that of one stage filled in."""
    return jax.tree.map(lambda rows, one: rows.at[index].set(one), slopes, like(slopes, slope))


def stages(
    velocity: Callable[..., State],
    method: Method,
    time: jax.Array,
    state: State,
    size: jax.Array,
    slopes: State,
    part: range,
    inputs: Any = None,
) -> tuple[State, State]:
    """Return the slopes with those of some stages filled in, and the state at the last of them.

    Args:
        velocity: called as ``velocity(time, state)``, with what stands for the stage in ``inputs`` as a third argument
            where there are any.
        method, time, state, size: the step.
        slopes: of all stages, of which those before ``part`` are known and the rest are 0.
        part: which stages.
        inputs: a tree of arrays with a leading axis, one row for each of these stages.

    """
    dtype = time.dtype
    rows, shares = jnp.asarray(method.steps, dtype), jnp.asarray(method.shares, dtype)

    def stage(carried: tuple[State, State], given: tuple) -> tuple[tuple[State, State], None]:
        slopes, _ = carried
        index, row, share, own = given
        at = moved(state, size, combined(row, slopes))
        slope = velocity(time + share * size, at, *(() if own is None else (own,)))
        return (with_slope(slopes, index, slope), at), None

    chosen = np.array(part)
    return jax.lax.scan(stage, (slopes, state), (jnp.asarray(chosen), rows[chosen], shares[chosen], inputs))[0]


class Solve(NamedTuple):
    """Where a solve is: its time and state, the slope there, the next step to try, and how many were tried.

    The slope isn't known at the start: a first step of size 0 finds it, and isn't counted.
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


Norm = Callable[[State, State, State, jax.Array, jax.Array], jax.Array]
"""The size of an error of a step over the tolerance, given error, states before and after, ``rtol`` and ``atol``."""


def elementwise(error: State, before: State, after: State, rtol: jax.Array, atol: jax.Array) -> jax.Array:
    """Return the root mean square of e/(atol + rtol max(|y|, |y′|)) over all entries."""
    parts = zip(*map(jax.tree.leaves, (error, before, after)), strict=True)
    squares = [jnp.square(e / (atol + rtol * jnp.maximum(jnp.abs(a), jnp.abs(b)))) for e, a, b in parts]
    return jnp.sqrt(sum(jnp.sum(square) for square in squares) / sum(square.size for square in squares))


def new_solve(start: State, horizon: float) -> Solve:
    """Return a solve that has taken no step."""
    dtype = jax.tree.leaves(start)[0].dtype
    zero, first = jnp.zeros((), dtype), jnp.asarray(FIRST * horizon, dtype)
    nothing = jax.tree.map(jnp.zeros_like, start)
    return Solve(zero, start, nothing, first, jnp.asarray(0, np.int32), jnp.asarray(False))


def states_at(
    field: Field, start: State, stops: np.ndarray, method: Method, tolerances: Tolerances, *, together: bool = False
) -> Iterator[tuple[State, bool, int]]:
    """Yield at each stop the state, whether it was reached, and the number of steps so far.

    Steps end at the stops. With ``together`` the arrays have a leading axis of independent systems, which share their
    steps: those of the system whose error is the largest.
    """
    now = new_solve(start, float(stops[-1]))
    number = partial(jnp.asarray, dtype=now.time.dtype)
    rtol, atol, most = number(tolerances.rtol), number(tolerances.atol), jnp.asarray(tolerances.max_steps, np.int32)
    for stop in stops:
        if stop > 0:
            now = _advance(field, method, now, number(stop), rtol, atol, most, together)
        yield now.state, bool(now.time >= number(stop)), int(now.steps)


@partial(jax.jit, static_argnames=("method", "together"))
def _advance(
    field: Field,
    method: Method,
    now: Solve,
    stop: jax.Array,
    rtol: jax.Array,
    atol: jax.Array,
    max_steps: jax.Array,
    together: bool,
) -> Solve:
    """Take steps until the stop, or as many as there may be."""

    def go_on(now: Solve) -> jax.Array:
        return (now.time < stop) & (now.steps < max_steps) & (now.time + now.size > now.time)

    def attempt(now: Solve) -> Solve:
        return attempted(field, method, now, stop, rtol, atol, together=together)

    return jax.lax.while_loop(go_on, attempt, now)


def attempted(
    field: Field,
    method: Method,
    now: Solve,
    stop: jax.Array,
    rtol: jax.Array,
    atol: jax.Array,
    norm: Norm = elementwise,
    *,
    together: bool = False,
) -> Solve:
    """Return the solve after one attempt at a step, which moves it where the error is within the tolerance."""
    velocity, error_norm = field, norm
    if together:
        velocity = jax.vmap(field, (None, 0))
        error_norm = lambda *states: jnp.max(jax.vmap(norm, (0, 0, 0, None, None))(*states))
    size, is_last = planned(now.time, now.size, stop)
    size = jnp.where(now.slope_is_known, size, 0)
    slopes = jax.tree.map(lambda known, first: known.at[0].set(first), no_slopes(method, now.state), now.slope)
    slopes, following = stages(velocity, method, now.time, now.state, size, slopes, range(1, len(method.shares)))
    error = jax.tree.map(lambda leaf: size * leaf, combined(jnp.asarray(method.errors, rtol.dtype), slopes))
    error_size = error_norm(error, now.state, following, rtol, atol)
    passed, next_size = judged(error_size, method.order, now.size, size, is_last)
    time = jnp.where(is_last & now.slope_is_known, stop, now.time + size)
    last_slope = jax.tree.map(lambda leaf: leaf[-1], slopes)
    chosen = lambda new, old: jax.tree.map(lambda a, b: jnp.where(passed, a, b), new, old)
    return Solve(
        *chosen((time, following, last_slope), (now.time, now.state, now.slope)),
        size=jnp.where(now.slope_is_known, next_size, now.size),
        steps=now.steps + now.slope_is_known.astype(np.int32),
        slope_is_known=jnp.asarray(True),
    )


def planned(time: jax.Array, size: jax.Array, stop: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the step to try, and whether it ends at the stop.

    What is left is divided evenly. Without the margin, rounding could leave a step of almost nothing.
    """
    count = jnp.maximum(1, jnp.ceil((stop - time) / (1.001 * size)))
    return (stop - time) / count, count == 1


def judged(
    error: jax.Array, order: int, wanted: jax.Array, size: jax.Array, is_last: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return whether a step passes, and the next one to try, given its error over the tolerance.

    A step that was cut short at a stop and passed says nothing against the size that was wanted.
    """
    passed = error <= 1
    factor = jnp.clip(SAFETY * jnp.maximum(error, 1e-12) ** (-1 / order), SMALLEST_FACTOR, LARGEST_FACTOR)
    following = size * jnp.where(jnp.isfinite(error), factor, SMALLEST_FACTOR)
    return passed, jnp.where(passed & is_last, jnp.maximum(following, wanted), following)
