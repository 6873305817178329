r"""The mean-field path linearised: how the risk at each time depends on every neuron's mass and every point's weight.

Let F_t be the map from initial masses m and weights p of the data to the risk R(t). The discrete adjoint of the Runge–
Kutta steps gives, for all recorded times t,

    ∂F_t/∂m_i, the influence of an initial neuron,    G(x, s; t), that of the weight of x in the velocity at time s,

and what the risk at time t gains from the weight of x in the risk itself. Recorded times are pulled back several at a
time, which costs each of them about two steps a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus._errors import NumericalError
from isthmus._precision import computing_in
from isthmus._words import counted
from isthmus.core.autoencoder import Autoencoder, Velocity
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.integrators import (
    BOGACKI_SHAMPINE,
    Solve,
    attempted,
    combined,
    moved,
    new_solve,
    no_slopes,
    stages,
)
from isthmus.dynamics.parallel import Progress, run_jobs

LANES = 8
"""Recorded times, at most, that are pulled back together."""
KEPT = 1 << 30
"""Bytes of states that are kept; beyond, every so many steps one is, and those between are computed again."""
STABLE = 2.0
"""Step × curvature, at most: at 2.5 the method would no longer damp what decays."""
FIRST_ITERATIONS = 32
"""Iterations from which the first estimate of the curvature comes; later steps go on from it by one each."""
FIRST_HALF = (0.875, 1.25, -0.25)
"""The integral over the first half of a step, given the parts that its three slopes add to that over all of it.

It is that of the parabola through the integrand at the slopes' times.
"""
SLOPES = len(BOGACKI_SHAMPINE.shares) - 1
"""Slopes that a step uses."""


def step_with_slopes(
    field: VectorField,
    state: Autoencoder,
    weights: jax.Array,
    time: jax.Array,
    size: jax.Array,
) -> tuple[Autoencoder, Autoencoder]:
    """Return the state after one step of the method of Bogacki and Shampine, and the slopes, the last of them 0.

    Each of the three slopes has weights of the points of its own, in the rows of ``weights``.
    """
    evaluate = lambda time, state, weights: field.velocity(state, time, weights)
    nothing = no_slopes(BOGACKI_SHAMPINE, state)
    slopes, _ = stages(evaluate, BOGACKI_SHAMPINE, time, state, size, nothing, range(SLOPES), weights, unroll=True)
    return moved(state, size, combined(jnp.asarray(BOGACKI_SHAMPINE.steps[-1]), slopes)), slopes


def step(field: VectorField, state: Autoencoder, weights: jax.Array, time: jax.Array, size: jax.Array) -> Autoencoder:
    """Return the state after one step under the same weights of the points throughout."""
    return step_with_slopes(field, state, jnp.stack([weights] * SLOPES), time, size)[0]


class Trajectory:
    """A path of particles with the nodes in time between which it takes its steps.

    Attributes:
        nodes: shape (S + 1,), from 0 to the horizon; every recorded time is one of them.
        recorded: shape (T,), the places of the recorded times among the nodes.

    """

    def __init__(self, start: Autoencoder, field: VectorField, times: np.ndarray, rtol: float, max_steps: int) -> None:
        self.field = field
        self._kept, self._stride, nodes = {}, 1, []
        with computing_in(field.dtype):
            start = jax.tree.map(jnp.asarray, start)
            size = sum(leaf.nbytes for leaf in jax.tree.leaves(start))
            for node, (time, state) in enumerate(_adaptive_steps(start, field, times, rtol, max_steps)):
                nodes.append(time)
                if node % self._stride == 0:
                    self._kept[node] = state
                # With every c-th of S states kept, S/c + c of them are there at once.
                if len(self._kept) * size > KEPT and len(self._kept) > self._stride:
                    self._stride *= 2
                    self._kept = {node: kept for node, kept in self._kept.items() if node % self._stride == 0}
        self.nodes = np.array(nodes)
        self.recorded = np.searchsorted(self.nodes, times)

    @property
    def halves(self) -> np.ndarray:
        """The ends of the halves of the steps, shape (2S + 1,): to them noises over time are resolved."""
        return np.sort(np.concatenate([self.nodes, (self.nodes[:-1] + self.nodes[1:]) / 2]))

    @cached_property
    def risk(self) -> np.ndarray:
        """The risk at the recorded times, shape (T,)."""
        wanted = set(self.recorded.tolist())
        with computing_in(self.field.dtype):
            states = self.backwards(len(self.nodes) - 1)
            risk = {node: float(_risk(self.field, state)) for node, state in states if node in wanted}
        return np.array([risk[node] for node in self.recorded])

    def interval(self, step: int) -> tuple[jax.Array, jax.Array]:
        """Return where a step begins, and its size."""
        start, end = self.nodes[step], self.nodes[step + 1]
        return jnp.asarray(start, self.field.dtype), jnp.asarray(end - start, self.field.dtype)

    def backwards(self, last: int) -> Iterator[tuple[int, Autoencoder]]:
        """Yield (node, state) from node ``last`` down to node 0."""
        first = last - last % self._stride
        while first >= 0:
            states = [self._kept[first]]
            for node in range(first, last):
                states.append(_step(self.field, states[-1], self.field.weights, *self.interval(node)))
            for node in range(last, first - 1, -1):
                yield node, states.pop()
            first, last = first - self._stride, first - 1


class Linearisation(NamedTuple):
    """The derivatives of R(t) at all recorded times, and the drift of finite steps.

    Attributes:
        encoder, decoder: ∂R(t)/∂m_i, shapes (T, particles).
        points: ∫ G(x, s; t) ds over each half of a step, shape (T, 2S, n).
        direct: what R(t) gains from the weight of x in the risk itself, ½|r(x)|², shape (T, n).
        drift: b_Δ(t), so that explicit steps of size ε change the risk by ε b_Δ, shape (T,).
        shuffled_drift: what batches of one point in random order add to the drift, shape (T,).

    """

    encoder: np.ndarray
    decoder: np.ndarray
    points: np.ndarray
    direct: np.ndarray
    drift: np.ndarray
    shuffled_drift: np.ndarray


def linearised(
    trajectory: Trajectory,
    seed: int,
    workers: int | None,
    progress: Progress | None,
    to_draws: Callable[[Autoencoder], Autoencoder] | None = None,
) -> Linearisation:
    """Pull the risk at all recorded times back to time 0, and by ``to_draws`` to what the start was made from."""
    recorded = trajectory.recorded
    size = -(-len(recorded) // -(-len(recorded) // LANES))
    groups = [np.arange(first, min(first + size, len(recorded))) for first in range(0, len(recorded), size)]
    # The longest way back comes first, so that threads end together.
    pull = lambda index: _pulled_back(trajectory, groups[-1 - index], size, seed, to_draws)
    parts = run_jobs(pull, len(groups), workers, progress)[::-1]
    return Linearisation(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _pulled_back(
    trajectory: Trajectory,
    lanes: np.ndarray,
    size: int,
    seed: int,
    to_draws: Callable[[Autoencoder], Autoencoder] | None,
) -> tuple[np.ndarray, ...]:
    """Return the fields of `Linearisation` for some of the recorded times, of ``size`` lanes the first ones."""
    field, nodes = trajectory.field, trajectory.recorded[lanes]
    dtype, count = field.dtype, len(field.points)
    points = np.zeros((len(lanes), len(trajectory.nodes) - 1, 2, count), dtype)
    direct = np.zeros((len(lanes), count))
    drift, shuffled = np.zeros(len(lanes)), np.zeros(len(lanes))
    with computing_in(dtype):
        states = trajectory.backwards(int(nodes[-1]))
        node, state = next(states)
        cotangents = jax.tree.map(lambda leaf: jnp.zeros((size, *leaf.shape), leaf.dtype), state)
        while True:
            for lane in np.flatnonzero(nodes == node):
                gradient, own = _risk_gradient(field, state)
                cotangents = _set_lane(cotangents, gradient, lane)
                direct[lane] = own
            if node == 0:
                break
            node, before = next(states)
            begun = np.zeros(size, bool)
            begun[: len(lanes)] = nodes > node
            step = (*trajectory.interval(node), _signs(seed, node, count, dtype), begun)
            cotangents, on_points, drifts = _pull(cotangents, before, state, field, *step)
            points[:, node] = np.asarray(on_points)[: len(lanes)]
            drift += np.asarray(drifts[0], float)[: len(lanes)]
            shuffled += np.asarray(drifts[1], float)[: len(lanes)]
            state = before
    ends = jax.tree.map(np.asarray, cotangents)
    ends = ends if to_draws is None else to_draws(ends)
    masses = (ends.encoder.masses, ends.decoder.masses)
    encoder, decoder = (np.asarray(end, float)[: len(lanes)] for end in masses)
    return encoder, decoder, points.reshape(len(lanes), -1, count), direct, drift, shuffled


def _signs(seed: int, node: int, count: int, dtype: np.dtype) -> jax.Array:
    return jnp.asarray(np.random.default_rng([seed, node]).choice([-1.0, 1.0], count), dtype)


_risk = jax.jit(VectorField.risk)
_step = jax.jit(step)


@jax.jit
def _risk_gradient(field: VectorField, state: Autoencoder) -> tuple[Autoencoder, jax.Array]:
    return jax.grad(field.risk, (0, 1))(state, field.weights)


@partial(jax.jit, donate_argnums=0)
def _set_lane(cotangents: Autoencoder, gradient: Autoencoder, lane: jax.Array) -> Autoencoder:
    return jax.tree.map(lambda all_lanes, one: all_lanes.at[lane].set(one), cotangents, gradient)


@partial(jax.jit, donate_argnums=0)
def _pull(
    after: Autoencoder,
    state: Autoencoder,
    following: Autoencoder,
    field: VectorField,
    time: jax.Array,
    size: jax.Array,
    signs: jax.Array,
    begun: jax.Array,
) -> tuple[Autoencoder, jax.Array, tuple[jax.Array, jax.Array]]:
    """Pull cotangents (lanes first) back through one step; return them, those of the weights, and the drifts.

    Lanes that haven't ``begun``, whose recorded time is earlier, are all 0.

    Explicit steps follow θ̇ = v − ½ε dv/dt, and batches of one point in random order, where no point comes twice, feel
    −½ε (Σ_j p_j Dv_j v_j − Dv v) more: the mean over random signs of Dv_z v_z with z on the points.
    """
    weights = field.weights
    stacked = jnp.stack([weights] * SLOPES)
    advance = lambda state, weights: step_with_slopes(field, state, weights, time, size)
    _, pull, slopes = jax.vjp(advance, state, stacked, has_aux=True)
    idle = jax.tree.map(jnp.zeros_like, (state, stacked))
    # One lane after the other: what one of them needs stays in the cache.
    each = lambda part: jax.lax.cond(part[0], pull, lambda _: idle, part[1])
    before, by_slope = jax.lax.map(each, (begun, after))
    first_half = jnp.tensordot(by_slope, jnp.asarray(FIRST_HALF, weights.dtype), axes=(1, 0))
    on_points = jnp.stack([first_half, by_slope.sum(axis=1) - first_half], axis=1)
    velocity = jax.tree.map(lambda leaf: leaf[0], slopes)
    acceleration = moved(field.velocity(following, time + size), -1.0, velocity)
    noisy = signs * weights * jnp.sqrt(jnp.asarray(len(signs), weights.dtype))
    middle = moved(state, size / 2, velocity)
    by_own_velocity = jax.vmap(partial(_along_own_velocity, field, middle, time + size / 2))
    changes = by_own_velocity(jnp.stack([noisy, weights]))
    shuffled = jax.tree.map(lambda leaf: size * (leaf[0] - leaf[1]), changes)
    drift, more = (-(_inner(before, slope) + _inner(after, slope)) / 4 for slope in (acceleration, shuffled))
    return before, on_points, (drift, more)


def _along_own_velocity(field: VectorField, state: Autoencoder, time: jax.Array, weights: jax.Array) -> Velocity:
    """Return Dv v for the velocity under these weights."""
    return field.along(state, time, field.velocity(state, time, weights), weights)


def _inner(lanes: Autoencoder, slope: Velocity) -> jax.Array:
    """Return ⟨lane, slope⟩ for each lane."""
    pairs = zip(jax.tree.leaves(lanes), jax.tree.leaves(slope), strict=True)
    return sum(jnp.tensordot(a, b, axes=b.ndim) for a, b in pairs)  # pyright: ignore[reportReturnType]  (never empty)


def _adaptive_steps(
    start: Autoencoder, field: VectorField, times: np.ndarray, rtol: float, max_steps: int
) -> Iterator[tuple[float, Autoencoder]]:
    """Yield the nodes, and the states there, of a solve of relative tolerance ``rtol``; recorded times are nodes.

    An error-controlled step can exceed the stability limit when stiff modes have decayed, as at the PCA reconstruction;
    the adjoint then blows up, and so does noise. So steps are also capped at `STABLE` / curvature.
    """
    now, number = new_solve(start, float(times[-1])), partial(jnp.asarray, dtype=field.dtype)
    direction, curvature = _any_direction(start), 0.0
    for _ in range(FIRST_ITERATIONS):
        direction, curvature = _power_iteration(field, start, now.time, direction)
    yield 0.0, start
    for time in times:
        while now.time < number(time):
            cap = STABLE / float(curvature) if curvature > 0 else np.inf
            capped = now._replace(size=number(min(float(now.size), cap)))
            if int(now.steps) >= max_steps or not float(capped.time + capped.size) > float(capped.time):
                raise NumericalError(
                    f"the linearised flow reached only t = {float(now.time):g} of {times[-1]:g} in "
                    f"{counted(max_steps, 'step')}; loosen rtol={rtol:g}, raise max_steps, or shorten the horizon"
                )
            before, now = now.time, _attempt(field, capped, number(time), number(rtol))
            if now.time > before:
                direction, curvature = _power_iteration(field, now.state, now.time, direction)
                yield float(time) if now.time >= number(time) else float(now.time), now.state


def _any_direction(state: Autoencoder) -> Velocity:
    """Return some direction with a part along every other."""
    random = np.random.default_rng(0)
    drawn = jax.tree.map(lambda leaf: jnp.asarray(random.standard_normal(leaf.shape), leaf.dtype), state)
    return Velocity(drawn.encoder, drawn.decoder)


@jax.jit
def _power_iteration(
    field: VectorField, state: Autoencoder, time: jax.Array, direction: Velocity
) -> tuple[Velocity, jax.Array]:
    """Return Dv d for a direction d made one long, which nears that of the highest curvature, and its length."""
    length = jnp.sqrt(_square_sum(direction))
    unit = jax.tree.map(lambda leaf: leaf / jnp.where(length > 0, length, 1), direction)
    image = field.along(state, time, unit)
    return image, jnp.sqrt(_square_sum(image))


@jax.jit
def _attempt(field: VectorField, now: Solve, stop: jax.Array, rtol: jax.Array) -> Solve:
    evaluate = lambda time, state: field.velocity(state, time)
    return attempted(evaluate, BOGACKI_SHAMPINE, now, stop, rtol, rtol, _array_by_array)


def _array_by_array(
    error: Autoencoder, before: Autoencoder, after: Autoencoder, rtol: jax.Array, atol: jax.Array
) -> jax.Array:
    """Return the root mean square of an error over the tolerance, each array measured by its own size.

    An array that is 0 throughout is measured by the size of all.
    """
    mean_square = lambda tree: _square_sum(tree) / sum(leaf.size for leaf in jax.tree.leaves(tree))
    floor = 1e-3 * jnp.sqrt(mean_square(before))
    over_tolerance = jax.tree.map(
        lambda e, a: e / (rtol * (jnp.abs(a) + jnp.sqrt(mean_square(a)) + floor)), error, before
    )
    return jnp.sqrt(mean_square(over_tolerance))


def _square_sum(tree: Autoencoder | Velocity) -> jax.Array:
    return jax.tree.reduce(jnp.add, jax.tree.map(lambda leaf: jnp.sum(jnp.square(leaf)), tree))
