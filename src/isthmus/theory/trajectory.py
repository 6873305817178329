"""The path of particles that is linearised, with the nodes in time between which it takes its steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from isthmus._errors import NumericalError
from isthmus._precision import computing_in
from isthmus._words import counted
from isthmus.core.autoencoder import Autoencoder, Velocity
from isthmus.dynamics.field import State, VectorField
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
from isthmus.dynamics.stabilised import any_direction, power_iteration, square_sum

KEPT = 1 << 30
"""Bytes of states that are kept; beyond, every so many steps one is, and those between are computed again."""
STABLE = 1.0
"""Step × speed of the fastest motion, at most.

At 2.5 the method would no longer damp what decays. At 1 the noise of batches that drives what decays is right to a few
per cent, with the halves of steps for its resolution. Stabilised steps would give the kernels in fewer slopes, but not
the shift by batches, which is made by what decays fast, and is most of the cost.
"""
FIRST_ITERATIONS = 32
"""Iterations from which the first estimate of the curvature comes; later steps go on from it by one each."""
Kicks = tuple[Velocity, Velocity] | None
"""Noise of a temperature before and after a step."""


SLOPES = len(BOGACKI_SHAMPINE.shares) - 1
"""That a step uses."""
FIRST_HALF = (0.875, 1.25, -0.25)
"""Of the parts that they add to an integral over a step, how much belongs to its first half: that of the parabola
through the integrand at their times."""


def step_by_slopes(
    slope: Callable[..., Any],
    state: State,
    inputs: Any,
    time: jax.Array,
    size: jax.Array,
    kicks: Kicks = None,
) -> State:
    """Return the state after one step.

    Each of the slopes has a row of ``inputs`` of its own as its third argument, such as weights of the points for the
    slope of a `VectorField`. Noise of a temperature comes in two halves, before and after the step, which is of second
    order in the law.
    """
    state = kicked(state, kicks, 0)
    nothing = no_slopes(BOGACKI_SHAMPINE, state)
    slopes, _ = stages(slope, BOGACKI_SHAMPINE, time, state, size, nothing, range(SLOPES), inputs)
    following = moved(state, size, combined(jnp.asarray(BOGACKI_SHAMPINE.steps[-1]), slopes))
    return kicked(following, kicks, 1)


def step(
    field: VectorField,
    state: State,
    weights: jax.Array,
    time: jax.Array,
    size: jax.Array,
    kicks: Kicks = None,
) -> State:
    """Return the state after one step under the same weights of the points throughout."""
    return step_by_slopes(field, state, jnp.stack([weights] * SLOPES), time, size, kicks)


def kicks_of(field: VectorField, network: Autoencoder, time: jax.Array, size: jax.Array, key: jax.Array) -> Kicks:
    """Return the Brownian motions √(2ξτ) dB of both halves of a step."""
    keys = jax.random.split(key)

    def half(index: int) -> Velocity:
        rates = field.rates(time + (0.25 + 0.5 * index) * size)
        scales = [jnp.sqrt(rate * field.motion.temperature * size) for rate in rates]
        return field.noise(network, keys[index], (scales[0], scales[1]))

    return half(0), half(1)


def kicked(state: State, kicks: Kicks, half: int) -> State:
    """Return a state moved by the noise of a half of a step."""
    return state if kicks is None else (moved(state[0], 1.0, kicks[half]), state[1])


class Trajectory:
    """A path of particles with the nodes in time between which it takes its steps.

    At a temperature each particle follows one Brownian path, which stays the same whatever is changed: the risk is a
    function of the empirical measure of neurons and their paths.

    Attributes:
        nodes: shape (S + 1,), from 0 to the horizon; every recorded time is one of them.
        recorded: shape (T,), the places of the recorded times among the nodes.
        network, begin: the network at time 0, and the state there.

    """

    def __init__(
        self,
        start: Autoencoder,
        field: VectorField,
        times: np.ndarray,
        rtol: float,
        max_steps: int,
        noise_key: jax.Array | None = None,
    ) -> None:
        self.field, self._key = field, noise_key
        self._kept, self._stride, nodes = {}, 1, []
        with computing_in(field.dtype):
            self.network = jax.tree.map(jnp.asarray, start)
            self.begin = _started(field, self.network)
            size = sum(leaf.nbytes for leaf in jax.tree.leaves(self.begin))
            steps = _adaptive_steps(self.begin, field, times, rtol, max_steps)
            if field.motion.temperature > 0:
                # Noise drives what is stiff away from rest, where its curvature may be higher: twice as many steps.
                found = np.array([time for time, _ in steps])
                steps = self._along(np.sort(np.concatenate([found, _middles(found)])))
            for node, (time, state) in enumerate(steps):
                nodes.append(time)
                if node % self._stride == 0:
                    self._kept[node] = state
                if len(self._kept) * size > KEPT:
                    self._thin()
        self.nodes = np.array(nodes)
        self.recorded = np.searchsorted(self.nodes, times)

    @property
    def halves(self) -> np.ndarray:
        """The ends of the halves of the steps, shape (2S + 1,): to them noises over time are resolved."""
        return np.sort(np.concatenate([self.nodes, _middles(self.nodes)]))

    @cached_property
    def risk(self) -> np.ndarray:
        """The risk at the recorded times, shape (T,)."""
        wanted = set(self.recorded.tolist())
        with computing_in(self.field.dtype):
            states = self.backwards(len(self.nodes) - 1)
            risk = {node: float(_risk(self.field, state[0])) for node, state in states if node in wanted}
        return np.array([risk[node] for node in self.recorded])

    def thinned(self) -> Trajectory:
        """Keep as few states as may be, for a trajectory that is put away."""
        while len(self._kept) > self._stride:
            self._thin()
        return self

    def interval(self, step: int) -> tuple[jax.Array, jax.Array]:
        """Return where a step begins, and its size."""
        start, end = self.nodes[step], self.nodes[step + 1]
        return jnp.asarray(start, self.field.dtype), jnp.asarray(end - start, self.field.dtype)

    def kicks(self, step: int) -> Kicks:
        """Return the noise of a temperature in a step, None at temperature 0."""
        return self._kicks(step, *self.interval(step))

    def advanced(self, step: int, state: State) -> State:
        """Return the state after a step, given the one before it."""
        return _step(self.field, state, self.field.weights, *self.interval(step), self.kicks(step))

    def backwards(self, last: int) -> Iterator[tuple[int, State]]:
        """Yield (node, state) from node ``last`` down to node 0."""
        first = last - last % self._stride
        while first >= 0:
            states = [self._kept[first]]
            for node in range(first, last):
                states.append(self.advanced(node, states[-1]))
            for node in range(last, first - 1, -1):
                yield node, states.pop()
            first, last = first - self._stride, first - 1

    def _thin(self) -> None:
        """Keep every other one of the states; of S with every c-th kept, S/c + c are there at once."""
        if len(self._kept) > self._stride:
            self._stride *= 2
            self._kept = {node: kept for node, kept in self._kept.items() if node % self._stride == 0}

    def _kicks(self, step: int, time: jax.Array, size: jax.Array) -> Kicks:
        if self.field.motion.temperature == 0:
            return None
        assert self._key is not None
        return _kicks_of(self.field, self.network, time, size, jax.random.fold_in(self._key, step))

    def _along(self, nodes: np.ndarray) -> Iterator[tuple[float, State]]:
        """Yield the nodes, and the states there, noise of a temperature included."""
        state = self.begin
        yield 0.0, state
        for node, (begin, end) in enumerate(pairwise(nodes)):
            interval = jnp.asarray(begin, self.field.dtype), jnp.asarray(end - begin, self.field.dtype)
            state = _step(self.field, state, self.field.weights, *interval, self._kicks(node, *interval))
            yield float(end), state


_risk = jax.jit(VectorField.risk)
_started = jax.jit(VectorField.start)
_step = jax.jit(step)
_kicks_of = jax.jit(kicks_of)


@jax.jit
def _power_iteration(
    field: VectorField, state: State, time: jax.Array, direction: State, lengths: jax.Array
) -> tuple[State, jax.Array]:
    """Return a direction nearer to the fastest motion, and its lengths."""
    along = lambda unit: jax.jvp(partial(field, time), (state,), (unit,))[1]
    return power_iteration(along, direction, lengths)


def _middles(nodes: np.ndarray) -> np.ndarray:
    return (nodes[:-1] + nodes[1:]) / 2


def _adaptive_steps(
    start: State, field: VectorField, times: np.ndarray, rtol: float, max_steps: int
) -> Iterator[tuple[float, State]]:
    """Yield the nodes, and the states there, of a solve of relative tolerance ``rtol``; recorded times are nodes.

    An error-controlled step can exceed the stability limit when stiff modes have decayed, as at the PCA reconstruction;
    the adjoint then blows up, and so does noise. So steps are also capped at `STABLE` / curvature.
    """
    now, number = new_solve(start, float(times[-1])), partial(jnp.asarray, dtype=field.dtype)
    direction, curvature = any_direction(start), np.zeros(2)
    for _ in range(FIRST_ITERATIONS):
        direction, curvature = _power_iteration(field, start, now.time, direction, curvature)
    yield 0.0, start
    for time in times:
        while now.time < number(time):
            fastest = math.sqrt(float(curvature[0] * curvature[1]))
            cap = STABLE / fastest if fastest > 0 else np.inf
            capped = now._replace(size=number(min(float(now.size), cap)))
            if int(now.steps) >= max_steps or not float(capped.time + capped.size) > float(capped.time):
                raise _unfinished(float(now.time), times, rtol, max_steps)
            before, now = now.time, _attempt(field, capped, number(time), number(rtol))
            if now.time > before:
                direction, curvature = _power_iteration(field, now.state, now.time, direction, curvature)
                yield float(time) if now.time >= number(time) else float(now.time), now.state


def _unfinished(reached: float, times: np.ndarray, rtol: float, max_steps: int) -> NumericalError:
    return NumericalError(
        f"the linearised flow reached only t = {reached:g} of {times[-1]:g} in {counted(max_steps, 'step')}; loosen "
        f"rtol={rtol:g}, raise max_steps, or shorten the horizon"
    )


@jax.jit
def _attempt(field: VectorField, now: Solve, stop: jax.Array, rtol: jax.Array) -> Solve:
    return attempted(field, BOGACKI_SHAMPINE, now, stop, rtol, rtol, _array_by_array)


def _array_by_array(error: State, before: State, after: State, rtol: jax.Array, atol: jax.Array) -> jax.Array:
    """Return the root mean square of an error over the tolerance, each array measured by its own size.

    An array that is 0 throughout is measured by the size of all.
    """
    mean_square = lambda tree: square_sum(tree) / sum(leaf.size for leaf in jax.tree.leaves(tree))
    floor = 1e-3 * jnp.sqrt(mean_square(before))
    over_tolerance = jax.tree.map(
        lambda e, a: e / (rtol * (jnp.abs(a) + jnp.sqrt(mean_square(a)) + floor)), error, before
    )
    return jnp.sqrt(mean_square(over_tolerance))
