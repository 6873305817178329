r"""The shift of the risk by steps of finite size, of all recorded times by one forward derivative in the step size.

Let a step be y ← y + ε g₁(y, t) + ε² g₂(y, t), with y the network and the averages of its optimizer. Then it follows,
up to ε³, the flow ẏ = g₁ + ε (g₂ − ½ dg₁/dt), and with y₁ the derivative of its path in ε

    ẏ₁ = Dg₁ y₁ + g₂ − ½ dg₁/dt,    y₁(0) = 0,    b_Δ(t) = ⟨∇R, y₁(t)⟩ .

The change of g₁ over a step is taken along the path itself, noise of a temperature included. g₂ = 0 for gradient
descent, and moves θ by ξṁ for momentum, whose step uses the new m.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus._precision import computing_in
from isthmus.core.autoencoder import Velocity
from isthmus.dynamics.field import State, VectorField
from isthmus.dynamics.integrators import like, moved
from isthmus.theory.observed import RISK, Observed
from isthmus.theory.trajectory import Kicks, Trajectory, step


class StepShifts(NamedTuple):
    """Mean shifts at step size 1, each of shape (V,): V = T for the risk; else values of one time follow one another.

    Attributes:
        steps: b_Δ.
        shuffled: what batches of one point in random order add.

    """

    steps: np.ndarray
    shuffled: np.ndarray


def step_shifts(trajectory: Trajectory, seed: int, observed: Observed = RISK) -> StepShifts:
    """Return the shifts at the recorded times; 0 for an optimizer whose steps have no such expansion (Adam)."""
    field, recorded = trajectory.field, trajectory.recorded
    shifts, dtype = np.zeros((2, len(recorded), observed.count)), field.dtype
    motion = field.motion
    with computing_in(dtype):
        state = trajectory.begin
        if motion.optimizer.step_excess(state[1], _velocity(field, state)) is None:
            return StepShifts(*shifts.reshape(2, -1))
        # Without averages points of an epoch feel each other's steps; an average over many epochs forgets their order.
        in_order = not motion.optimizer.has_averages
        changes = jax.tree.map(lambda leaf: jnp.zeros((1 + in_order, *leaf.shape), leaf.dtype), state)

        def drives_at(node: int, state: State) -> _Drives:
            signs = np.random.default_rng([seed, node]).choice([-1.0, 1.0], len(field.points))
            ordered = jnp.asarray(signs, dtype) if in_order else None
            return _drives(field, state, jnp.asarray(trajectory.nodes[node], dtype), ordered)

        drives = drives_at(0, state)
        for node in range(int(recorded[-1]) + 1):
            for index in np.flatnonzero(recorded == node):
                shifts[: 1 + in_order, index] = observed.changes(field, state[0], changes[0])
            if node == recorded[-1]:
                break
            following = trajectory.advanced(node, state)
            ends = drives_at(node + 1, following)
            clock = (*trajectory.interval(node), trajectory.kicks(node))
            changes = _carried(field, state, following, changes, *clock, drives, ends)
            state, drives = following, ends
    return StepShifts(*shifts.reshape(2, -1))


@jax.jit
def _velocity(field: VectorField, state: State) -> Velocity:
    return field.velocity_at_rates(state[0], (1.0, 1.0))


class _Drives(NamedTuple):
    """g₁, g₂, and what points in random order feel, at a node: None where there is no order."""

    slope: Any
    excess: Any
    order: Any


@jax.jit
def _drives(field: VectorField, state: State, time: jax.Array, signs: jax.Array | None) -> _Drives:
    order = None if signs is None else _order(field, state, time, signs)
    return _Drives(field(time, state), _excess(field, time, state), order)


@jax.jit
def _carried(
    field: VectorField,
    state: State,
    following: State,
    changes: State,
    time: jax.Array,
    size: jax.Array,
    kicks: Kicks,
    begin: _Drives,
    end: _Drives,
) -> State:
    """Return y₁, and its like for batches in random order, after a step; half of what drives them acts at each end."""
    acceleration = moved(end.slope, -1.0, begin.slope)

    def driven(at: State, drives: _Drives, changes: State) -> State:
        by_steps = moved(jax.tree.map(lambda leaf: size / 2 * leaf, drives.excess), -1 / 4, acceleration)
        parts = [by_steps]
        if drives.order is not None:
            parts.append(jax.tree.map(lambda leaf: -size / 4 * leaf, drives.order))
        add = lambda change, *parts: change + jnp.stack(parts)
        return jax.tree.map(add, changes, *(like(at, part) for part in parts))

    advance = lambda state: step(field, state, field.weights, time, size, kicks)
    changes = driven(state, begin, changes)
    changes = jax.lax.map(lambda change: jax.jvp(advance, (state,), (change,))[1], changes)
    return driven(following, end, changes)


def _excess(field: VectorField, time: jax.Array, state: State) -> tuple[Velocity, Any]:
    """Return g₂."""
    network, averages = state
    excess = field.motion.optimizer.step_excess(averages, field.velocity_at_rates(network, (1.0, 1.0)))
    assert excess is not None
    return excess.scaled(*field.rates(time)), jax.tree.map(jnp.zeros_like, averages)


def _order(field: VectorField, state: State, time: jax.Array, signs: jax.Array) -> State:
    """Return Σ_j p_j Dv_j v_j − Dv v: the mean over random signs z of Dv_z v_z, with z on the points, less Dv v.

    Batches of one point in random order, where no point comes twice, feel −½ε of it.
    """
    weights, network = field.weights, state[0]
    noisy = signs * weights * jnp.sqrt(jnp.asarray(len(signs), weights.dtype))
    by_own_velocity = lambda weights: field.along(network, time, field.velocity(network, time, weights), weights)
    ours, mean = by_own_velocity(noisy), by_own_velocity(weights)
    return moved(ours, -1.0, mean), jax.tree.map(jnp.zeros_like, state[1])
