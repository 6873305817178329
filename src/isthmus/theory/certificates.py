r"""How far from optimal a pair of measures is: duality gap of the decoder, first-order optimality of the encoder.

With penalties, first variations of the objective are Φ(θ) = Ψ(θ) + (λ/2)|θ|². Given the encoder, F is convex in ν, and
for every ν* with ∫|ω|²dν* ≤ M and every μ ≥ 0

    F(ν) − F(ν*) ≤ ∫Φ dν − min_ω [Φ(ω) + μ|ω|²] + μM .

In a ball, or for a bounded φ, μ = 0 serves. Otherwise Φ may fall without bound along a ray; there μ is the smallest
number with which it can't, and M is 2F/λ, since no better measure has a larger penalty. In the encoder F is not
convex, and the same difference says how fast F falls, at first order, when mass is moved to the best neuron.

The minimum over a neuron (v, w, b) is taken over v in closed form: with p(w, b) = E[r φ(⟨w, z⟩ + b)], Ψ = ⟨v, p⟩, the
best v points against p and is as long as penalty and ball allow. What remains is a function of (w, b), whose minimum is
searched from many starting points.

Source: the duality gap of conditional-gradient methods, Jaggi, Proceedings of the 30th International Conference on
Machine Learning (2013), for F over measures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder, features, preactivations, residuals, squares
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.sobol import sobol_normals
from isthmus.dynamics.field import VectorField
from isthmus.theory.landscape import Landscape, scale_in_ball

FAR = 1e6
"""A preactivation at which φ(s)/s has become its slope at infinity."""
BOUNDED_SLOPE = 1e-3
"""An activation whose slopes at ±``FAR`` are smaller counts as bounded."""
GROUPS = 32
"""Groups of starting points, from the best of each of which the search goes down to a minimum."""
OUTERMOST = 0.999
"""Largest share of the radius at which the search for a minimum in a ball begins."""
TINY = 1e-300
"""It keeps quotients and derivatives of norms finite at 0."""


@dataclass(frozen=True)
class Certificate:
    """What is known of the distance of an `Optimum` from the global one.

    Attributes:
        decoder_gap: by how much, at most, a better decoder beside this encoder could lower the objective (provided the
            search has found the global minimum of the first variation).
        decoder_minimum, decoder_mean: min Φ_D and ∫Φ_D dν.
        encoder_descent: ∫Φ_E dρ − min Φ_E, the rate at which the objective falls when mass is moved to the best
            neuron; 0 at a first-order optimum.
        encoder_minimum, encoder_mean: min Φ_E and ∫Φ_E dρ.
        stationarity: ∫|∇Φ_E|²dρ + ∫|∇Φ_D|²dν.
        starts: points from which each minimum was searched.
        known_optimum: the objective of the global optimum where theory gives it (linear activations), else None.

    Example:
        >>> import isthmus as im
        >>> certificate = im.Certificate(3e-7, -0.05, -0.05, 2e-7, -0.04, -0.04, 1e-12, starts=1024)
        >>> objective = 0.2  # of the optimum to which the certificate belongs
        >>> max(certificate.decoder_gap, certificate.encoder_descent) <= 1e-5 * objective
        True

    """

    decoder_gap: float
    decoder_minimum: float
    decoder_mean: float
    encoder_descent: float
    encoder_minimum: float
    encoder_mean: float
    stationarity: float
    starts: int
    known_optimum: float | None = None


class Side(eqx.Module):
    """One side of a network as its first variation needs it.

    Attributes:
        inputs: x, or the latents, shape (n, i).
        pull: q, or r, times the weight of the point, shape (n, o).
        decay: λ.
        activation: φ.
        train_biases: whether there are biases.
        radius: of the ball in which neurons are held, None for none.

    """

    inputs: Any
    pull: Any
    decay: float
    activation: Activation = eqx.field(static=True)
    train_biases: bool = eqx.field(static=True)
    radius: float | None = eqx.field(static=True)


Height = Callable[[jax.Array, Side], jax.Array]


def certified(
    network: Autoencoder, landscape: Landscape, starts: int, seed: int
) -> tuple[Certificate, tuple[NeuronMeasure, NeuronMeasure]]:
    """Return the certificate of a network, and the neurons of smallest first variation on each side, best first.

    Args:
        network: in the coordinates of the landscape.
        landscape: the objective.
        starts: points from which each minimum is searched.
        seed: of these points.

    """
    field, motion = landscape.field, landscape.field.motion
    latents, pulls, variations, stationarity = _first_order(field, network)
    if landscape.radius is None and min(motion.decays) == 0:
        return _linear_certificate(network, landscape, np.asarray(latents), float(stationarity))
    phis = (network.encoder_activation, network.decoder_activation)
    minima, means, gaps, candidates = [], [], [], []
    for index, measure in enumerate((network.encoder, network.decoder)):
        decay, inputs, pull = motion.decays[index], (field.points, latents)[index], pulls[index]
        side = Side(np.asarray(inputs), np.asarray(pull), decay, phis[index], motion.train_biases, landscape.radius)
        mu = max(0.0, _steepest_ray(side, starts, seed) - decay) / 2
        neurons, heights = _lowest_neurons(dataclasses.replace(side, decay=decay + 2 * mu), starts, seed)
        values, masses = np.asarray(variations[index]), np.asarray(measure.masses)
        means.append(float(masses @ values))
        minima.append(min(float(heights[0]), float(values[masses > 0].min())))
        bound = 0.0 if mu == 0 else mu * 2 * landscape.objective(network) / decay if decay > 0 else np.inf
        gaps.append(means[-1] - minima[-1] + bound)
        candidates.append(neurons)
    certificate = Certificate(gaps[1], minima[1], means[1], gaps[0], minima[0], means[0], float(stationarity), starts)
    return certificate, (candidates[0], candidates[1])


def _linear_certificate(
    network: Autoencoder, landscape: Landscape, latents: np.ndarray, stationarity: float
) -> tuple[Certificate, tuple[NeuronMeasure, NeuronMeasure]]:
    """Return the certificate of a linear network without penalty: how much better the best map of each side is.

    The best decoder is a regression of x on z; the best encoder, x ↦ B⁺x, leaves what the decoder can't reach.
    """
    points, weights = np.asarray(landscape.field.points), np.asarray(landscape.field.weights)
    risk = landscape.risk(network)
    root, with_biases = np.sqrt(weights)[:, None], landscape.field.motion.train_biases
    regressors = root * (np.column_stack([latents, np.ones(len(latents))]) if with_biases else latents)
    coefficients = np.linalg.lstsq(regressors, root * points, rcond=None)[0]
    best_decoder = float(((root * points - regressors @ coefficients) ** 2).sum() / 2)
    reach = np.asarray(network.jacobian(latents[:1])[0])
    centre = np.asarray(network.decode(np.zeros_like(latents[:1])))
    out_of_reach = (points - centre) @ (np.eye(points.shape[1]) - reach @ np.linalg.pinv(reach))
    best_encoder = float((weights @ (out_of_reach**2).sum(axis=1)) / 2)
    gaps = [max(0.0, risk - best) for best in (best_encoder, best_decoder)]
    certificate = Certificate(gaps[1], best_decoder, risk, gaps[0], best_encoder, risk, stationarity, starts=0)
    return certificate, (network.encoder, network.decoder)


@jax.jit
def _first_order(field: VectorField, network: Autoencoder) -> tuple:
    """Return latents, weighted pulls on both sides' outputs, Φ at the neurons of both, and ∫|∇Φ|²."""
    points, weights, motion = field.points, field.weights, field.motion
    latents = network.encode(points)
    pull = weights[:, None] * residuals(network.decode(latents), points)
    pull_on_latents = jnp.einsum("ndk,nd->nk", network.jacobian(latents), pull)
    penalties = (
        decay / 2 * squares(measure, motion.train_biases)
        for decay, measure in zip(motion.decays, (network.encoder, network.decoder), strict=True)
    )
    variations = jax.tree.map(jnp.add, network.first_variations(points, weights), tuple(penalties))
    return latents, (pull_on_latents, pull), variations, field.dissipation(network)


def _lowest_neurons(side: Side, starts: int, seed: int) -> tuple[NeuronMeasure, np.ndarray]:
    """Return neurons at local minima of Φ, found from many starting points, and Φ there."""
    points = _starting_points(side, starts, seed)
    if side.radius is not None:
        norms = np.linalg.norm(points, axis=1)
        points = points * scale_in_ball(norms, side.radius, OUTERMOST)[:, None]
    minima, heights = _local_minima(_least_variation, points, side)
    parts = (np.asarray(part) for part in _best_neurons(minima, side))
    return NeuronMeasure(np.full(len(minima), 1 / len(minima)), *parts), heights  # pyright: ignore[reportArgumentType]


def _local_minima(height: Height, points: np.ndarray, side: Side) -> tuple[np.ndarray, np.ndarray]:
    """Return local minima of a height, the lowest first, each reached from the best point of one group.

    The best points of all would lie side by side.
    """
    heights = np.asarray(_heights(height, points, side))
    groups = np.array_split(np.arange(len(points)), min(GROUPS, len(points)))
    best = [group[np.argmin(heights[group])] for group in groups]

    def function(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = _height_and_gradient(height, point, side)
        return float(value), np.asarray(gradient)

    options = {"maxiter": 300, "gtol": 1e-12, "ftol": 1e-16}
    ends = [minimize(function, point, jac=True, method="L-BFGS-B", options=options) for point in points[best]]
    ends.sort(key=lambda end: float(end.fun))
    return np.array([end.x for end in ends]), np.array([float(end.fun) for end in ends])


@partial(jax.jit, static_argnums=0)
def _heights(height: Height, points: Any, side: Side) -> jax.Array:
    return jax.lax.map(lambda point: height(point, side), points, batch_size=256)


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


def _steepest_ray(side: Side, starts: int, seed: int) -> float:
    """Return max |p| over unit (w, b) with φ at infinity in place of φ: the decay below which Φ has no lower bound."""
    if side.radius is not None or np.abs(side.activation.of(np.array([-FAR, FAR]), 1)).max() < BOUNDED_SLOPE:
        return 0.0
    return -float(_local_minima(_slope_of_ray, _starting_points(side, starts, seed), side)[1][0])


def _slope_of_ray(point: jax.Array, side: Side) -> jax.Array:
    """Return −|p| at the unit vector in the direction of a point (w, b), for φ at infinity."""
    down, up = side.activation.first(jnp.asarray([-FAR, FAR]))
    point = _trained(point, side)
    s = preactivations(_neuron(point), side.inputs)[0]
    return -_norm(side.pull.T @ jnp.where(s > 0, up * s, down * s)) / _norm(point)


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
