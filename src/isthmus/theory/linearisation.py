r"""The mean-field path linearised: how the risk at each time depends on every neuron's mass and every point's weight.

Let F_t be the map from initial masses m and weights p of the data to the risk R(t). The discrete adjoint of the Runge–
Kutta steps gives, for all recorded times t,

    ∂F_t/∂m_i, the influence of an initial neuron,    G(x, s; t), that of the weight of x in the velocity at time s,

and what the risk at time t gains from the weight of x in the risk itself. To pull one recorded time back through a step
costs about two steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from isthmus._errors import NumericalError
from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data
from isthmus.core.rates import Rate, both_at
from isthmus.dynamics.parallel import Progress, run_jobs
from isthmus.dynamics.step_control import step_factor

LANES = 8
"""Recorded times that are pulled back together."""
KEPT = 1 << 30
"""Bytes of states that are kept; beyond, every so many steps one is, and those between are computed again."""
LARGEST_FACTOR = 4.0
STABLE = 2.5
"""Step × curvature up to which the method doesn't amplify what decays."""
BEGUN = 32
"""Iterations from which the first estimate of the curvature comes; later steps go on from it by one each."""


class System(eqx.Module):
    """Points (n, d) with weights (n,), and the rates of both sides."""

    points: jax.Array
    weights: jax.Array
    rates: tuple[Rate, Rate] = eqx.field(static=True)

    @classmethod
    def of(cls, population: Data, rates: tuple[Rate, Rate], dtype: np.dtype) -> System:
        """Return the system in a precision."""
        with computing_in(dtype):
            return cls(jnp.asarray(population.points, dtype), jnp.asarray(population.weights, dtype), rates)

    def velocity(self, state: Autoencoder, time: jax.Array, weights: jax.Array) -> Autoencoder:
        """Return the velocity of the neurons under any weights of the points; it is linear in them."""
        return state.velocity(self.points, weights, *both_at(self.rates, time, weights.dtype))

    def turned(self, state: Autoencoder, time: jax.Array, weights: jax.Array, direction: Autoencoder) -> Autoencoder:
        """Return the derivative of the velocity along a direction."""
        return jax.jvp(lambda state: self.velocity(state, time, weights), (state,), (direction,))[1]

    def step_with_slopes(
        self, state: Autoencoder, weights: jax.Array, time: jax.Array, size: jax.Array
    ) -> tuple[Autoencoder, tuple[Autoencoder, Autoencoder, Autoencoder]]:
        """Return the state after one step of the method of Bogacki and Shampine, of order 3, and its slopes."""
        first = self.velocity(state, time, weights)
        second = self.velocity(_moved(state, size, (1 / 2, first)), time + size / 2, weights)
        third = self.velocity(_moved(state, size, (3 / 4, second)), time + 3 / 4 * size, weights)
        return _moved(state, size, (2 / 9, first), (1 / 3, second), (4 / 9, third)), (first, second, third)

    def step(self, state: Autoencoder, weights: jax.Array, time: jax.Array, size: jax.Array) -> Autoencoder:
        """Return the state after one step."""
        return self.step_with_slopes(state, weights, time, size)[0]


class Trajectory:
    """A path of particles with the nodes in time between which it takes its steps.

    Attributes:
        nodes: shape (S + 1,), from 0 to the horizon; every recorded time is one of them.
        recorded: shape (T,), the places of the recorded times among the nodes.
        risk: shape (T,).

    """

    def __init__(self, start: Autoencoder, system: System, times: np.ndarray, rtol: float, max_steps: int) -> None:
        self.system, self._dtype = system, np.dtype(system.points.dtype)
        with computing_in(self._dtype):
            start = jax.tree.map(jnp.asarray, start)
            self.nodes = _halved(_adaptive_nodes(start, system, times, rtol, max_steps))
            self.recorded = np.searchsorted(self.nodes, times)
            size = sum(leaf.nbytes for leaf in jax.tree.leaves(start))
            # With every c-th of S states kept, S/c + c of them are there at once.
            enough = len(self.nodes) * size <= KEPT
            self._stride = 1 if enough else max(1, round(np.sqrt(len(self.nodes))))
            self._kept = {0: start}
            risk, state = {}, start
            wanted = set(self.recorded.tolist())
            for node in range(len(self.nodes)):
                if node in wanted:
                    risk[node] = float(_risk(state, system))
                if node % self._stride == 0:
                    self._kept[node] = state
                if node < len(self.nodes) - 1:
                    state = _step(state, system, *self.interval(node))
            self.risk = np.array([risk[node] for node in self.recorded])

    def interval(self, step: int) -> tuple[jax.Array, jax.Array]:
        """Return where a step begins, and its size."""
        start, end = self.nodes[step], self.nodes[step + 1]
        return jnp.asarray(start, self._dtype), jnp.asarray(end - start, self._dtype)

    def backwards(self, last: int) -> Iterator[tuple[int, Autoencoder]]:
        """Yield (node, state) from node ``last`` down to node 0."""
        first = last - last % self._stride
        while first >= 0:
            states = [self._kept[first]]
            for node in range(first, last):
                states.append(_step(states[-1], self.system, *self.interval(node)))
            for node in range(last, first - 1, -1):
                yield node, states.pop()
            first, last = first - self._stride, first - 1


class Linearisation(NamedTuple):
    """The derivatives of R(t) at all recorded times, and the drift of finite steps.

    Attributes:
        encoder, decoder: ∂R(t)/∂m_i, shapes (T, particles).
        points: ∫ G(x, s; t) ds over each step, shape (T, S, n).
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
    further: Callable[[Autoencoder], Autoencoder] = lambda cotangents: cotangents,
) -> Linearisation:
    """Pull the risk at all recorded times back to time 0, and by ``further`` to what the start was made from."""
    recorded = trajectory.recorded
    groups = [np.arange(first, min(first + LANES, len(recorded))) for first in range(0, len(recorded), LANES)]
    # The longest way back comes first, so that threads end together.
    pull = lambda index: _pulled_back(trajectory, groups[-1 - index], seed, further)  # noqa: E731
    parts = run_jobs(pull, len(groups), workers, progress)[::-1]
    return Linearisation(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _pulled_back(
    trajectory: Trajectory, lanes: np.ndarray, seed: int, further: Callable[[Autoencoder], Autoencoder]
) -> tuple[np.ndarray, ...]:
    """Return the fields of `Linearisation` for some of the recorded times."""
    system, nodes = trajectory.system, trajectory.recorded[lanes]
    dtype, count = np.dtype(system.points.dtype), len(system.points)
    points = np.zeros((len(lanes), len(trajectory.nodes) - 1, count), dtype)
    direct = np.zeros((len(lanes), count))
    drift, shuffled = np.zeros(len(lanes)), np.zeros(len(lanes))
    with computing_in(dtype):
        states = trajectory.backwards(int(nodes[-1]))
        node, state = next(states)
        cotangents = jax.tree.map(lambda leaf: jnp.zeros((LANES, *leaf.shape), leaf.dtype), state)
        while True:
            for lane in np.flatnonzero(nodes == node):
                gradient, own = _risk_gradient(state, system)
                cotangents = _set_lane(cotangents, gradient, lane)
                direct[lane] = own
            if node == 0:
                break
            node, before = next(states)
            begun = np.zeros(LANES, bool)
            begun[: len(lanes)] = nodes > node
            step = (*trajectory.interval(node), _signs(seed, node, count, dtype), begun)
            cotangents, on_points, drifts = _pull(cotangents, before, state, system, *step)
            points[:, node] = np.asarray(on_points)[: len(lanes)]
            drift += np.asarray(drifts[0], float)[: len(lanes)]
            shuffled += np.asarray(drifts[1], float)[: len(lanes)]
            state = before
    ends = further(jax.tree.map(np.asarray, cotangents))
    masses = (ends.encoder.masses, ends.decoder.masses)
    encoder, decoder = (np.asarray(end, float)[: len(lanes)] for end in masses)
    return encoder, decoder, points, direct, drift, shuffled


def _signs(seed: int, node: int, count: int, dtype: np.dtype) -> jax.Array:
    return jnp.asarray(np.random.default_rng([seed, node]).choice([-1.0, 1.0], count), dtype)


@jax.jit
def _risk(state: Autoencoder, system: System) -> jax.Array:
    return state.risk(system.points, system.weights)


@jax.jit
def _risk_gradient(state: Autoencoder, system: System) -> tuple[Autoencoder, jax.Array]:
    return jax.grad(lambda state, weights: state.risk(system.points, weights), (0, 1))(state, system.weights)


@jax.jit
def _step(state: Autoencoder, system: System, time: jax.Array, size: jax.Array) -> Autoencoder:
    return system.step(state, system.weights, time, size)


@partial(jax.jit, donate_argnums=0)
def _set_lane(cotangents: Autoencoder, gradient: Autoencoder, lane: jax.Array) -> Autoencoder:
    return jax.tree.map(lambda all_lanes, one: all_lanes.at[lane].set(one), cotangents, gradient)


@partial(jax.jit, donate_argnums=0)
def _pull(
    after: Autoencoder,
    state: Autoencoder,
    following: Autoencoder,
    system: System,
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
    _, pull = jax.vjp(lambda state, weights: system.step(state, weights, time, size), state, system.weights)
    idle = jax.tree.map(jnp.zeros_like, (state, system.weights))
    before, on_weights = jax.lax.map(lambda part: jax.lax.cond(part[0], pull, lambda _: idle, part[1]), (begun, after))
    weights = system.weights
    acceleration = jax.tree.map(
        jnp.subtract,
        system.velocity(following, time + size, weights),
        system.velocity(state, time, weights),
    )
    noisy = signs * weights * jnp.sqrt(jnp.asarray(len(signs), weights.dtype))
    turned = _turned(system, state, time, noisy)
    plain = _turned(system, state, time, weights)
    shuffled = jax.tree.map(lambda a, b: size * (a - b), turned, plain)
    drift, more = (-(_inner(before, slope) + _inner(after, slope)) / 4 for slope in (acceleration, shuffled))
    return before, on_weights, (drift, more)


def _turned(system: System, state: Autoencoder, time: jax.Array, weights: jax.Array) -> Autoencoder:
    """Return Dv v for the velocity under these weights."""
    return system.turned(state, time, weights, system.velocity(state, time, weights))


def _inner(lanes: Autoencoder, slope: Autoencoder) -> jax.Array:
    """Return ⟨lane, slope⟩ for each lane."""
    products = jax.tree.map(lambda a, b: jnp.tensordot(a, b, axes=b.ndim), lanes, slope)
    return jax.tree.reduce(jnp.add, products)


def _moved(state: Autoencoder, size: jax.Array, *terms: tuple[float, Autoencoder]) -> Autoencoder:
    """Return the state plus size × Σ share × slope."""

    def leaf(start: jax.Array, *slopes: jax.Array) -> jax.Array:
        for (share, _), slope in zip(terms, slopes, strict=True):
            start = start + share * size * slope
        return start

    return jax.tree.map(leaf, state, *(slope for _, slope in terms))


def _adaptive_nodes(start: Autoencoder, system: System, times: np.ndarray, rtol: float, max_steps: int) -> np.ndarray:
    """Return the ends of the steps of a solve of relative tolerance ``rtol``; steps end at the recorded times.

    Steps are stable, too, which their error alone doesn't see to: where what is stiff is at rest, as at the PCA
    reconstruction, steps far beyond stability pass, but an adjoint pulled back through them, or a noise, blows up.
    """
    dtype = np.dtype(system.points.dtype)
    nodes, state, size, attempts = [0.0], start, float(times[-1]) / 100, 0
    direction, curvature = _direction(start), 0.0
    for _ in range(BEGUN):
        direction, curvature = _sharpened(state, system, jnp.asarray(0.0, dtype), direction)
    for time in times:
        while nodes[-1] < time:
            attempts += 1
            if attempts > max_steps:
                raise NumericalError(
                    f"the path was followed only until t={nodes[-1]:g} of {times[-1]:g} in {max_steps} steps; loosen "
                    f"rtol={rtol:g}, raise max_steps, or shorten the horizon"
                )
            if curvature > 0:
                size = min(size, STABLE / float(curvature))
            last = nodes[-1] + 1.001 * size >= time
            step = time - nodes[-1] if last else size
            numbers = (jnp.asarray(value, dtype) for value in (nodes[-1], step, rtol))
            following, error = _step_with_error(state, system, *numbers)
            error = float(error)
            passed = error <= 1
            if passed:
                nodes.append(time if last else nodes[-1] + step)
                state = following
                direction, curvature = _sharpened(state, system, jnp.asarray(nodes[-1], dtype), direction)
            factor = step_factor(error, LARGEST_FACTOR)
            size = max(size, step * factor) if last and passed else step * factor
    return np.array(nodes)


def _direction(state: Autoencoder) -> Autoencoder:
    """Return some direction with a part along every other."""
    random = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.asarray(random.standard_normal(leaf.shape), leaf.dtype), state)


@jax.jit
def _sharpened(
    state: Autoencoder, system: System, time: jax.Array, direction: Autoencoder
) -> tuple[Autoencoder, jax.Array]:
    """Return Dv d for a direction d made one long, which nears that of the highest curvature, and its length."""
    length = jnp.sqrt(_square_sum(direction))
    unit = jax.tree.map(lambda leaf: leaf / jnp.where(length > 0, length, 1), direction)
    turned = system.turned(state, time, system.weights, unit)
    return turned, jnp.sqrt(_square_sum(turned))


def _halved(nodes: np.ndarray) -> np.ndarray:
    """Return the nodes with one more in the middle of each step: a margin for noises, which come between its halves."""
    return np.sort(np.concatenate([nodes, (nodes[:-1] + nodes[1:]) / 2]))


@jax.jit
def _step_with_error(
    state: Autoencoder, system: System, time: jax.Array, size: jax.Array, rtol: jax.Array
) -> tuple[Autoencoder, jax.Array]:
    """Return the state after one step, and the error of the step over the tolerance, by the embedded method."""
    following, slopes = system.step_with_slopes(state, system.weights, time, size)
    fourth = system.velocity(following, time + size, system.weights)
    zero = jax.tree.map(jnp.zeros_like, state)
    terms = zip((-5 / 72, 1 / 12, 1 / 9, -1 / 8), (*slopes, fourth), strict=True)
    error = _moved(zero, size, *terms)
    # Each array is measured by its own size, and one that is 0 throughout by that of all.
    mean_square = lambda tree: _square_sum(tree) / sum(leaf.size for leaf in jax.tree.leaves(tree))  # noqa: E731
    floor = 1e-3 * jnp.sqrt(mean_square(state))
    over_tolerance = jax.tree.map(
        lambda e, a: e / (rtol * (jnp.abs(a) + jnp.sqrt(mean_square(a)) + floor)), error, state
    )
    return following, jnp.sqrt(mean_square(over_tolerance))


def _square_sum(tree: Autoencoder) -> jax.Array:
    return jax.tree.reduce(jnp.add, jax.tree.map(lambda leaf: jnp.sum(jnp.square(leaf)), tree))
