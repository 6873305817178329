r"""Descent of many variables by a quasi-Newton method, compiled as a whole.

Steps along −H∇F, with H from the last pairs of steps and gradients, are as long as weak Wolfe conditions ask,

    F(x + td) ≤ F(x) + c₁ t ⟨∇F, d⟩    and    ⟨∇F(x + td), d⟩ ≥ c₂ ⟨∇F, d⟩,

found by bisection, so that kinks of F don't stop it. No step leaves the compiled program, where a matrix library would
start its threads for each of many short products.

Source: L-BFGS, Liu and Nocedal, Mathematical Programming 45 (1989); the line search, Lewis and Overton, Mathematical
Programming 141 (2013).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

MEMORY = 30
"""Pairs of steps and gradients that are kept."""
ARMIJO, WOLFE = 1e-4, 0.9
"""c₁ and c₂."""
SEARCHES = 40
"""Evaluations along one direction, at most."""
STALLED = 10
"""Steps in a row without a gain worth mentioning after which a descent ends."""
Function = Callable[..., tuple[jax.Array, jax.Array]]


class _State(NamedTuple):
    """Where a descent is: a point, pairs of moves, and a line search along a direction.

    Attributes:
        point, value, gradient: the best so far.
        moves, changes: of points and gradients, shapes (memory, n), the latest last.
        direction, slope: d and ⟨∇F, d⟩.
        length, lower, upper: t, and what it lies between.
        searched: evaluations along d.
        steps: all of them.
        idle: steps in a row that gained nothing.
        done: whether it has ended.

    """

    point: Any
    value: Any
    gradient: Any
    moves: Any
    changes: Any
    direction: Any
    slope: Any
    length: Any
    lower: Any
    upper: Any
    searched: Any
    steps: Any
    idle: Any
    done: Any


@partial(jax.jit, static_argnums=0, static_argnames=("memory", "settings"))
def descended(
    function: Function,
    start: Any,
    *given: Any,
    iterations: Any,
    tolerance: Any,
    gain: Any,
    memory: int = MEMORY,
    settings: tuple[tuple[str, Any], ...] = (),
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return a point near a local minimum, the value there, and how many steps it took.

    Args:
        function: value and gradient at a point, ``function(point, *given, **settings)``.
        start: where it begins, shape (n,).
        given: further arguments of the function.
        iterations: steps, at most.
        tolerance: the largest entry of the gradient at which it ends.
        gain: it ends where ten steps in a row gain a smaller share of the value.
        memory: pairs of moves that are kept.
        settings: further arguments of the function by name, which aren't traced.

    """
    derived = lambda point: function(point, *given, **dict(settings))
    size = jnp.size(start)

    def begin(state: _State, direction: Any, length: Any) -> _State:
        slope = direction @ state.gradient
        return state._replace(
            direction=direction,
            slope=slope,
            length=length,
            lower=jnp.zeros_like(length),
            upper=jnp.full_like(length, jnp.inf),
            searched=jnp.zeros_like(state.searched),
        )

    def along_gradient(state: _State) -> _State:
        norm = jnp.sqrt(state.gradient @ state.gradient)
        forgotten = state._replace(moves=jnp.zeros_like(state.moves), changes=jnp.zeros_like(state.changes))
        return begin(forgotten, -state.gradient, jnp.minimum(1.0, 1 / jnp.where(norm > 0, norm, 1.0)))

    def accept(state: _State, point: Any, value: Any, gradient: Any) -> _State:
        move, change = point - state.point, gradient - state.gradient
        curved = move @ change > 1e-14 * (change @ change)
        pushed = lambda kept, new: jnp.where(curved, jnp.concatenate([kept[1:], new[None]]), kept)
        idle = jnp.where(state.value - value > gain * jnp.abs(value), 0, state.idle + 1)
        state = state._replace(
            point=point,
            value=value,
            gradient=gradient,
            moves=pushed(state.moves, move),
            changes=pushed(state.changes, change),
            steps=state.steps + 1,
            idle=idle,
            done=(jnp.abs(gradient).max() <= tolerance) | (idle >= STALLED) | (state.steps + 1 >= iterations),
        )
        direction = -_inverse_times(state.moves, state.changes, gradient)
        downhill = direction @ gradient < 0
        onwards = lambda: begin(state, direction, jnp.ones_like(value))
        return jax.lax.cond(downhill, onwards, lambda: along_gradient(state))

    def go_on(state: _State, value: Any, slope: Any) -> _State:
        too_far = ~(value <= state.value + ARMIJO * state.length * state.slope)  # nan is too far
        lower = jnp.where(too_far, state.lower, state.length)
        upper = jnp.where(too_far, state.length, state.upper)
        length = jnp.where(jnp.isinf(upper), 2 * lower, (lower + upper) / 2)
        state = state._replace(lower=lower, upper=upper, length=length, searched=state.searched + 1)
        lost = state.searched >= SEARCHES
        fresh = (state.moves != 0).any()
        return jax.lax.cond(
            lost & fresh, lambda: along_gradient(state), lambda: state._replace(done=state.done | (lost & ~fresh))
        )

    def evaluate(state: _State) -> _State:
        point = state.point + state.length * state.direction
        value, gradient = derived(point)
        slope = gradient @ state.direction
        fine = (value <= state.value + ARMIJO * state.length * state.slope) & (slope >= WOLFE * state.slope)
        return jax.lax.cond(fine, lambda: accept(state, point, value, gradient), lambda: go_on(state, value, slope))

    nothing, none = jnp.zeros((), start.dtype), jnp.zeros((), int)
    pairs = jnp.zeros((memory, size), start.dtype)
    # The first evaluation is a step of length 0, which any value meets: so the function is compiled once.
    state = _State(
        *(start, nothing + jnp.inf, jnp.zeros_like(start), pairs, pairs, jnp.zeros_like(start)),
        *(nothing, nothing, nothing, nothing + jnp.inf, none, none - 1, none, jnp.zeros((), bool)),
    )
    state = jax.lax.while_loop(lambda state: ~state.done, evaluate, state)
    return state.point, state.value, state.steps


def _inverse_times(moves: jax.Array, changes: jax.Array, vector: jax.Array) -> jax.Array:
    """Return the inverse Hessian that pairs of moves and changes of gradients imply, times a vector; 0 is no pair."""
    products = (moves * changes).sum(axis=1)
    known = products > 0
    inverse = jnp.where(known, 1 / jnp.where(known, products, 1.0), 0.0)
    count = len(moves)

    def back(index: Any, carried: tuple) -> tuple:
        row = count - 1 - index
        vector, parts = carried
        part = inverse[row] * (moves[row] @ vector)
        return vector - part * changes[row], parts.at[row].set(part)

    vector, parts = jax.lax.fori_loop(0, count, back, (vector, jnp.zeros(count, vector.dtype)))
    last = changes[-1] @ changes[-1]
    vector = jnp.where(known[-1], products[-1] / jnp.where(last > 0, last, 1.0), 1.0) * vector

    def forth(row: Any, vector: Any) -> Any:
        return vector + moves[row] * (parts[row] - inverse[row] * (changes[row] @ vector))

    return jax.lax.fori_loop(0, count, forth, vector)
