r"""The mean-field path linearised: how the risk at each time depends on every neuron's mass and every point's weight.

Let F_t be the map from initial masses m and weights p of the data to the risk R(t), or to another value that is
observed at time t. The discrete adjoint of the Runge–Kutta steps gives, for all recorded times t,

    ∂F_t/∂m_i, the influence of an initial neuron,    G(x, s; t), that of the weight of x in the velocity at time s,

and what the value at time t gains from the weight of x in itself. The state is the network with the averages of its
optimizer, so that one adjoint serves gradient descent, momentum, Adam and noise of a temperature. Values are pulled
back several at a time, which costs each of them about two steps a step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder
from isthmus.dynamics.field import State, VectorField
from isthmus.dynamics.integrators import moved
from isthmus.dynamics.parallel import Progress, run_jobs
from isthmus.theory.observed import RISK, Observed
from isthmus.theory.trajectory import FIRST_HALF, SLOPES, Kicks, Trajectory, step_by_slopes

LANES = 8
"""Values, at most, that are pulled back together."""
NOISES = 8
"""Draws a step of what is quadratic in the noise of a batch; over hundreds of steps their error averages out."""


class Linearisation(NamedTuple):
    """The derivatives of the values observed at all recorded times, V in all: the risk R(t), V = T, as a rule.

    Attributes:
        encoder, decoder: ∂R(t)/∂m_i, shapes (V, particles).
        points: ∫ G(x, s; t) ds over each half of a step, shape (V, 2S, n).
        direct: what R(t) gains from the weight of x in the risk itself, ½|r(x)|², shape (V, n).
        first: what it gains from the weight of x in the averages with which the optimizer begins, shape (V, n).
        pairs: draws of the part that is quadratic in the noise of a batch, over each step, shape (V, S, draws).

    """

    encoder: np.ndarray
    decoder: np.ndarray
    points: np.ndarray
    direct: np.ndarray
    first: np.ndarray
    pairs: np.ndarray


def linearised(
    trajectory: Trajectory,
    seed: int,
    workers: int | None,
    progress: Progress | None,
    to_draws: Callable[[Autoencoder], Autoencoder] | None = None,
    observed: Observed = RISK,
) -> Linearisation:
    """Pull what is observed at all recorded times back to time 0, and by ``to_draws`` to what the start was made from.

    Values of one time follow one another.
    """
    recorded, outputs = trajectory.recorded, np.arange(observed.count)
    lanes = np.stack([np.repeat(recorded, len(outputs)), np.tile(outputs, len(recorded))])
    count = lanes.shape[1]
    size = -(-count // -(-count // LANES))
    groups = [lanes[:, first : first + size] for first in range(0, count, size)]
    # The longest way back comes first, so that threads end together.
    pull = lambda index: _pulled_back(trajectory, observed, groups[-1 - index], size, seed, to_draws)
    parts = run_jobs(pull, len(groups), workers, progress)[::-1]
    return Linearisation(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _pulled_back(
    trajectory: Trajectory,
    observed: Observed,
    lanes: np.ndarray,
    size: int,
    seed: int,
    to_draws: Callable[[Autoencoder], Autoencoder] | None,
) -> Linearisation:
    """Return the part of `Linearisation` for some lanes (node and output, shape (2, lanes)), the first of ``size``."""
    field, count = trajectory.field, lanes.shape[1]
    dtype, steps = field.dtype, len(trajectory.nodes) - 1
    draws = NOISES if field.motion.optimizer.limit_depends_on_batches else 0
    points = np.zeros((count, steps, 2, len(field.points)), dtype)
    pairs = np.zeros((count, steps, draws))

    def pull(node: int, state: State, cotangents: State, begun: np.ndarray) -> State:
        step = (*trajectory.interval(node), trajectory.kicks(node))
        if draws:
            noises = point_noise(np.asarray(field.weights), (draws,), np.random.default_rng([seed, node]))
            found = _quadratic(cotangents, state, field, *step[:2], jnp.asarray(noises, dtype))
            pairs[:, node] = np.asarray(found)[:count]
        cotangents, on_points = _pull(cotangents, state, field, *step, begun)
        points[:, node] = np.asarray(on_points)[:count]
        return cotangents

    with computing_in(dtype):
        cotangents, direct = pulled_to_start(trajectory, observed, lanes, size, pull)
        ends, first = _pull_start(cotangents, trajectory.network, field)
    ends = jax.tree.map(np.asarray, ends)
    ends = ends if to_draws is None else to_draws(ends)
    encoder, decoder, first = (
        np.asarray(end, float)[:count] for end in (ends.encoder.masses, ends.decoder.masses, first)
    )
    return Linearisation(encoder, decoder, points.reshape(count, -1, len(field.points)), direct, first, pairs)


def pulled_to_start(
    trajectory: Trajectory,
    observed: Observed,
    lanes: np.ndarray,
    size: int,
    pull: Callable[[int, State, State, np.ndarray], State],
) -> tuple[State, np.ndarray]:
    """Return the cotangents of values at time 0, lanes first, and what each value gains from the weights of points.

    Args:
        trajectory: along which they are pulled back.
        observed: the values.
        lanes: node and output of each, shape (2, lanes), later nodes last.
        size: lanes that there is room for.
        pull: takes the node at the begin of a step, the state there, the cotangents at its end, and which lanes have
            begun; returns the cotangents at the begin.

    """
    field, (nodes, outputs) = trajectory.field, lanes
    direct = np.zeros((len(nodes), len(field.points)))
    states = trajectory.backwards(int(nodes[-1]))
    node, state = next(states)
    cotangents = jax.tree.map(lambda leaf: jnp.zeros((size, *leaf.shape), leaf.dtype), state)
    while True:
        for lane in np.flatnonzero(nodes == node):
            gradient, direct[lane] = observed.gradient(field, state[0], outputs[lane])
            cotangents = (_set_lane(cotangents[0], gradient, lane), cotangents[1])
        if node == 0:
            return cotangents, direct
        node, state = next(states)
        begun = np.zeros(size, bool)
        begun[: len(nodes)] = nodes > node
        cotangents = pull(node, state, cotangents, begun)


def point_noise(weights: np.ndarray, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Return normals of covariance diag(p) − ppᵀ for the weights p of the points, shape (…, n)."""
    weights = np.asarray(weights, float)
    roots = np.sqrt(weights)
    normals = random.standard_normal((*shape, len(weights)))
    return roots * normals - weights * (normals @ roots)[..., None]


@partial(jax.jit, donate_argnums=0)
def _set_lane(cotangents: Autoencoder, gradient: Autoencoder, lane: jax.Array) -> Autoencoder:
    """Return cotangents (lanes first) with that of one lane replaced."""
    return jax.tree.map(lambda all_lanes, one: all_lanes.at[lane].set(one), cotangents, gradient)


@partial(jax.jit, donate_argnums=0)
def _pull(
    after: State,
    state: State,
    field: VectorField,
    time: jax.Array,
    size: jax.Array,
    kicks: Kicks,
    begun: jax.Array,
) -> tuple[State, jax.Array]:
    """Pull cotangents (lanes first) back through one step; return them, and those of the weights of its halves.

    Lanes that haven't ``begun``, whose recorded time is earlier, are all 0.
    """
    weights = field.weights
    stacked = jnp.stack([weights] * SLOPES)
    advance = lambda state, weights: step_by_slopes(field, state, weights, time, size, kicks)
    _, pull = jax.vjp(advance, state, stacked)
    before, by_slope = lane_by_lane(pull, (state, stacked), begun, after)
    first_half = jnp.tensordot(by_slope, jnp.asarray(FIRST_HALF, weights.dtype), axes=(1, 0))
    return before, jnp.stack([first_half, by_slope.sum(axis=1) - first_half], axis=1)


def lane_by_lane(pull: Callable[[State], Any], template: Any, begun: jax.Array, after: State) -> Any:
    """Return what ``pull`` makes of the cotangent of each lane, shaped as ``template``, and 0 of those not begun.

    One lane comes after the other: what one of them needs stays in the cache.
    """
    idle = jax.tree.map(jnp.zeros_like, template)
    return jax.lax.map(lambda part: jax.lax.cond(part[0], pull, lambda _: idle, part[1]), (begun, after))


@jax.jit
def _pull_start(cotangents: State, network: Autoencoder, field: VectorField) -> tuple[Autoencoder, jax.Array]:
    """Pull cotangents (lanes first) back through the start of the optimizer, to the network and the weights."""
    pull = jax.vjp(field.start, network, field.weights)[1]
    return jax.lax.map(pull, cotangents)


@jax.jit
def _quadratic(
    after: State, state: State, field: VectorField, time: jax.Array, size: jax.Array, noises: jax.Array
) -> jax.Array:
    """Return size × ⟨λ, ½ d²/dε² slope⟩ for velocities v + ε v_δ of a batch, shape (lanes, draws).

    Of the optimizers here only Adam's motion is quadratic in the velocity of a batch, by its square.
    """
    network, averages = state
    optimizer, time = field.motion.optimizer.of_batches, time + size / 2
    velocity = field.velocity_at_rates(network, (1.0, 1.0))

    def along(noise: jax.Array) -> jax.Array:
        moved_by = field.velocity_at_rates(network, (1.0, 1.0), noise)
        slope = lambda share: optimizer.slope(time, averages, moved(velocity, share, moved_by), None)
        slope_of = lambda share: jax.jvp(slope, (share,), (jnp.ones_like(share),))[1]
        zero = jnp.zeros((), time.dtype)
        second = jax.jvp(slope_of, (zero,), (jnp.ones_like(zero),))[1]
        return size / 2 * inner(after, second)

    return jax.lax.map(along, noises).T


def inner(lanes: State, slope: State) -> jax.Array:
    """Return ⟨lane, slope⟩ for each lane."""
    pairs = zip(jax.tree.leaves(lanes), jax.tree.leaves(slope), strict=True)
    return sum(jnp.tensordot(a, b, axes=b.ndim) for a, b in pairs)  # pyright: ignore[reportReturnType]  (never empty)
