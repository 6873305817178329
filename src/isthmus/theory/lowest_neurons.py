r"""The search for the neuron at which a first variation is smallest.

The minimum over a neuron (v, w, b) is taken over v in closed form: with p(w, b) = E[r φ(⟨w, z⟩ + b)], Ψ = ⟨v, p⟩, the
best v points against p and is as long as penalty and ball allow. What remains is a function of (w, b), whose minimum is
searched from many starting points: all of them go down together, and the best that differ go on to a minimum.

For a homogeneous φ the best neuron of a direction has |v| = |(w, b)|, and what counts is −|p| at unit (w, b).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from isthmus.core.activations import Activation
from isthmus.core.autoencoder import features, preactivations
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.sobol import sobol_normals
from isthmus.theory.arrangement import can_enumerate, steepest
from isthmus.theory.kinks import slopes, softened
from isthmus.theory.landscape import scale_in_ball

FAR = 1e6
"""A preactivation at which φ(s)/s has become its slope at infinity."""
BOUNDED_SLOPE = 1e-3
"""An activation whose slopes at ±``FAR`` are smaller counts as bounded."""
STEPS = 50
"""Steps that all starting points go down together."""
FINALISTS = 12
"""Points that go on from there to a minimum."""
ALIKE = 0.99
"""Cosine from which on two directions (w, b) count as one."""
OUTERMOST = 0.999
"""Largest share of the radius at which the search for a minimum in a ball begins."""
TINY = 1e-300
"""It keeps quotients and derivatives of norms finite at 0."""


class Side(eqx.Module):
    """One side of a network as its first variation needs it.

    Attributes:
        inputs: x, or the latents, shape (n, i).
        pull: q, or r, times the weight of the point, shape (n, o).
        decay: λ.
        activation: φ.
        train_biases: whether there are biases.
        radius: of the ball in which neurons are held, None for none.
        softness: of the kink of φ for neurons of size 1, None for φ as it is.

    """

    inputs: Any
    pull: Any
    decay: Any
    activation: Activation = eqx.field(static=True)
    train_biases: bool = eqx.field(static=True)
    radius: float | None = eqx.field(static=True)
    softness: Any = None

    @property
    def lifted(self) -> np.ndarray:
        """Inputs with a 1 for the bias where there are biases, shape (n, i + 1) or (n, i)."""
        inputs = np.asarray(self.inputs)
        return np.column_stack([inputs, np.ones(len(inputs))]) if self.train_biases else inputs


Height = Callable[[jax.Array, Side], jax.Array]


def steepest_ray(side: Side, starts: int, seed: int) -> tuple[float, np.ndarray, bool]:
    """Return max |p| over unit (w, b) for φ at infinity, (w, b) of large |p| in rows, and whether that is proven.

    It is the decay below which Φ has no lower bound; for a homogeneous φ, that at which a neuron is worth its penalty.
    """
    if is_bounded(side.activation):
        return 0.0, np.zeros((0, side.inputs.shape[1] + 1)), True
    lifted, pull = side.lifted, np.asarray(side.pull)
    lines = slopes(side.activation, FAR)
    if side.softness is None and can_enumerate(len(lifted), lifted.shape[1], pull.shape[1], lines):
        largest, units = steepest(lifted, pull, lines)
        return largest, units if side.train_biases else np.column_stack([units, np.zeros(len(units))]), True
    minima, heights = _local_minima(_slope_of_ray, _starting_points(side, starts, seed), side)
    return -float(heights[0]), minima / np.maximum(np.linalg.norm(minima, axis=1, keepdims=True), TINY), False


def lowest_neurons(side: Side, starts: int, seed: int) -> tuple[NeuronMeasure, np.ndarray]:
    """Return neurons at local minima of Φ, found from many starting points, and Φ there."""
    points = _starting_points(side, starts, seed)
    if side.radius is not None:
        norms = np.linalg.norm(points, axis=1)
        points = points * scale_in_ball(norms, side.radius, OUTERMOST)[:, None]
    minima, heights = _local_minima(_least_variation, points, side)
    parts = _best_neurons(in_full_rows(minima), side)
    return _as_measure(jax.tree.map(lambda part: np.asarray(part)[: len(minima)], parts)), heights


def largest_ray(points: np.ndarray, side: Side) -> float:
    """Return the largest |p|, for φ at infinity, at the unit vectors in the directions of points (w, b) in rows."""
    if is_bounded(side.activation):
        return 0.0
    units = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), TINY)
    return float(np.linalg.norm(_forces_at_infinity(units, side), axis=1).max())


def squared_forces(points: np.ndarray, side: Side) -> np.ndarray:
    """Return |p|² at (w, b) in rows."""
    found = features(_neurons(points, side), side.activation, np.asarray(side.inputs))
    return ((found @ np.asarray(side.pull)) ** 2).sum(axis=1)


def _neurons(points: np.ndarray, side: Side) -> NeuronMeasure:
    """Return the neurons of (w, b) in rows, with no outgoing weights, and no biases where these aren't trained."""
    bias = points[:, -1] if side.train_biases else np.zeros(len(points))
    return _as_measure((np.zeros((len(points), 0)), points[:, :-1], bias))


def _forces_at_infinity(points: np.ndarray, side: Side) -> np.ndarray:
    """Return p at (w, b) in rows, with the two lines of φ at infinity for φ."""
    slope, s = slopes(side.activation, FAR), preactivations(_neurons(points, side), np.asarray(side.inputs))
    return np.where(s > 0, slope[1] * s, slope[0] * s) @ np.asarray(side.pull)


def in_full_rows(points: np.ndarray) -> np.ndarray:
    """Return points with the last one repeated, to a multiple of ``FINALISTS``, so that few shapes are compiled."""
    return np.concatenate([points, np.repeat(points[-1:], -len(points) % FINALISTS, axis=0)])


def is_bounded(activation: Activation) -> bool:
    """Return whether φ has no slope at infinity."""
    return bool(np.abs(slopes(activation, FAR)).max() < BOUNDED_SLOPE)


def neurons_along(units: np.ndarray, side: Side, size: float, most: int) -> NeuronMeasure:
    """Return balanced neurons of a size along unit (w, b) that differ, in order, for a homogeneous φ."""
    chosen: list[np.ndarray] = []
    for unit in units:
        if len(chosen) == most:
            break
        if all(unit @ other < ALIKE for other in chosen):
            chosen.append(unit)
    directions = np.array(chosen)
    force = _forces_at_infinity(directions, side)
    outgoing = -force / np.maximum(np.linalg.norm(force, axis=1, keepdims=True), TINY)
    return _as_measure((size * outgoing, size * directions[:, :-1], size * directions[:, -1]))


def _as_measure(parts: tuple[Any, Any, Any]) -> NeuronMeasure:
    outgoing, incoming, bias = (np.asarray(part) for part in parts)
    masses = np.full(len(outgoing), 1 / len(outgoing))
    return NeuronMeasure(masses, outgoing, incoming, bias)  # pyright: ignore[reportArgumentType]


def _local_minima(height: Height, points: np.ndarray, side: Side) -> tuple[np.ndarray, np.ndarray]:
    """Return local minima of a height, the lowest first: all points go down a little, the best that differ further."""
    lowered, heights = (np.asarray(part) for part in _lowered(height, points, side))
    units = lowered / np.maximum(np.linalg.norm(lowered, axis=1, keepdims=True), TINY)
    chosen: list[int] = []
    for index in np.argsort(heights):
        if len(chosen) == FINALISTS:
            break
        if all(units[index] @ units[other] < ALIKE for other in chosen):
            chosen.append(int(index))

    def function(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = _height_and_gradient(height, point, side)
        return float(value), np.asarray(gradient)

    options = {"maxiter": 200, "gtol": 1e-12, "ftol": 1e-16}
    ends = [minimize(function, point, jac=True, method="L-BFGS-B", options=options) for point in lowered[chosen]]
    ends.sort(key=lambda end: float(end.fun))
    return np.array([end.x for end in ends]), np.array([float(end.fun) for end in ends])


@partial(jax.jit, static_argnums=0)
def _lowered(height: Height, points: Any, side: Side) -> tuple[jax.Array, jax.Array]:
    """Return points gone down by steps along the gradient, each of its own length, and the heights there."""
    derived = jax.vmap(lambda point: jax.value_and_grad(height)(point, side))

    def step(_: int, state: tuple) -> tuple:
        points, values, gradients, lengths = state
        size = jnp.sqrt(jnp.square(points).sum(axis=1) / (jnp.square(gradients).sum(axis=1) + TINY))
        trial = points - (lengths * size)[:, None] * gradients
        trial_values, trial_gradients = derived(trial)
        better = trial_values < values
        chosen = lambda new, old: jnp.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)
        return (
            chosen(trial, points),
            chosen(trial_values, values),
            chosen(trial_gradients, gradients),
            jnp.where(better, 1.5 * lengths, lengths / 3),
        )

    start = (points, *derived(points), jnp.full(len(points), 0.1, points.dtype))
    return jax.lax.fori_loop(0, STEPS, step, start)[:2]


@partial(jax.jit, static_argnums=0)
def _height_and_gradient(height: Height, point: Any, side: Side) -> tuple[jax.Array, jax.Array]:
    return jax.value_and_grad(height)(point, side)


def _starting_points(side: Side, starts: int, seed: int) -> np.ndarray:
    """Return (w, b) at many scales, in rows, whose preactivations change sign where there are points.

    Half of the directions are those from one point to another, along which pulls of single points are felt.
    """
    count, inputs = 1 << max(4, int(np.ceil(np.log2(starts)))), side.inputs.shape[1]
    normals = sobol_normals(inputs + 2, count, np.random.default_rng([seed, inputs]))
    random = np.random.default_rng([seed, inputs, 1])
    first, second = side.inputs[random.integers(len(side.inputs), size=(2, count))]
    between = first - second
    drawn = (np.arange(count) % 2 == 1) | ~between.any(axis=1)  # there is no direction from a point to itself
    directions = np.where(drawn[:, None], normals[:, :inputs], between)
    directions = directions / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), TINY)
    size = np.sqrt((side.inputs**2).mean()) + TINY
    incoming = directions * (np.exp(1.5 * normals[:, inputs]) / size)[:, None]
    middle = (first * incoming).sum(axis=1) * random.uniform(0, 1, count)
    bias = 0.3 * normals[:, inputs + 1] - middle if side.train_biases else np.zeros(count)
    return np.column_stack([incoming, bias])


def _slope_of_ray(point: jax.Array, side: Side) -> jax.Array:
    """Return −|p| at the unit vector in the direction of a point (w, b), for φ at infinity."""
    down, up = side.activation.first(jnp.asarray([-FAR, FAR]))
    point = _trained(point, side)
    s = preactivations(_neuron(point / _norm(point)), side.inputs)[0]
    if side.softness is not None:
        return -_norm(side.pull.T @ softened(side.activation, side.softness).value(s))
    return -_norm(side.pull.T @ jnp.where(s > 0, up * s, down * s))


def _least_variation(point: jax.Array, side: Side) -> jax.Array:
    """Return min_v [⟨v, p⟩ + (λ/2)(|v|² + |w|² + b²)], the smallest Φ over outgoing weights, in the ball if any."""
    incoming, force, length = _best_outgoing(point, side)
    return -length * _norm(force) + side.decay / 2 * (length**2 + jnp.square(incoming).sum())


@jax.jit
def _best_neurons(points: Any, side: Side) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return v, w and b of neurons at points, in rows, with their best outgoing weights."""

    def neuron(point: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        incoming, force, length = _best_outgoing(point, side)
        return -force / _norm(force) * length, incoming[:-1], incoming[-1]

    return jax.vmap(neuron)(points)


def _best_outgoing(point: jax.Array, side: Side) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return (w, b) at a point y, p = E[r φ(⟨w, z⟩ + b)], and the length of the best v, which points against p.

    Without a ball y is (w, b) itself. In a ball of radius r, (w, b) = 2r y/(1 + |y|²), which leaves
    r|1 − |y|²|/(1 + |y|²) for the length of v.
    """
    point = _trained(point, side)
    if side.radius is None:
        force = side.pull.T @ features(_neuron(point), side.activation, side.inputs)[0]
        return point, force, _norm(force) / side.decay
    square = jnp.square(point).sum()
    incoming = point * (2 * side.radius / (1 + square))
    force = side.pull.T @ features(_neuron(incoming), side.activation, side.inputs)[0]
    most = side.radius * jnp.abs(1 - square) / (1 + square)
    return incoming, force, jnp.minimum(most, _norm(force) / jnp.maximum(side.decay, TINY))


def _trained(point: jax.Array, side: Side) -> jax.Array:
    return point if side.train_biases else point.at[-1].set(0.0)


def _neuron(incoming: jax.Array) -> NeuronMeasure:
    """Return one neuron with an incoming weight and bias (w, b), and no outgoing weight."""
    return NeuronMeasure(jnp.ones(1), jnp.zeros((1, 0)), incoming[None, :-1], incoming[-1:])


def _norm(vector: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.square(vector).sum() + TINY)  # its derivative at 0 is 0, not NaN
