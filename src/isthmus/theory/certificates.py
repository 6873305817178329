r"""How far from optimal a pair of measures is: duality gap of the decoder, first-order optimality of the encoder.

With penalties, first variations of the objective are Φ(θ) = Ψ(θ) + (λ/2)|θ|². Given the encoder, F is convex in ν, and
for every ν* with ∫|ω|²dν* ≤ M and every μ ≥ 0

    F(ν) − F(ν*) ≤ ∫Φ dν − min_ω [Φ(ω) + μ|ω|²] + μM .

In a ball, or for a bounded φ, μ = 0 serves. Otherwise Φ may fall without bound along a ray; there μ is the smallest
number with which it can't, and M is 2F/λ, since no better measure has a larger penalty. In the encoder F is not
convex, and the same difference says how fast F falls, at first order, when mass is moved to the best place for a
neuron.

The minimum over a neuron (v, w, b) is taken over v in closed form: with p(w, b) = E[r φ(⟨w, z⟩ + b)], Ψ = ⟨v, p⟩, the
best v points against p and is as long as penalty and ball allow. What is left, over (w, b), is searched from many
places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder, squares
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.sobol import sobol_normals
from isthmus.theory.landscape import Landscape

FAR = 1e6
"""Where φ(s)/s has become its slope at infinity, if it has one above ``FLAT``."""
FLAT = 1e-3
GROUPS = 32
"""Groups of places, from the best of each of which the search goes down to a minimum."""


@dataclass(frozen=True)
class Certificate:
    """What is known of the distance from the optimum.

    Attributes:
        decoder_gap: by how much, at most, a better decoder beside this encoder could lower the objective (provided the
            search has found the global minimum of the first variation).
        decoder_minimum, decoder_mean: min Φ_D and ∫Φ_D dν.
        encoder_descent: ∫Φ_E dρ − min Φ_E, the rate at which the objective falls when mass is moved to the best place;
            0 at a first-order optimum.
        encoder_minimum, encoder_mean: min Φ_E and ∫Φ_E dρ.
        stationarity: ∫|∇Φ_E|²dρ + ∫|∇Φ_D|²dν.
        starts: places from which each minimum was searched.
        known_optimum: the objective of the global optimum where theory gives it (linear activations), else None.

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


class Side(NamedTuple):
    """One side of a network as its first variation needs it.

    Attributes:
        inputs: x, or the latents, shape (n, i).
        pull: q, or r, times the weight of the point, shape (n, o).
        decay: λ.
        rules: activation, whether there are biases, and the radius of the ball; they hash.

    """

    inputs: np.ndarray
    pull: np.ndarray
    decay: float
    rules: tuple[Activation, bool, float | None]

    @property
    def arrays(self) -> tuple:
        """What a height is computed from besides the place."""
        return self.inputs, self.pull, np.asarray(self.decay)


def certified(
    network: Autoencoder, landscape: Landscape, starts: int, seed: int
) -> tuple[Certificate, tuple[NeuronMeasure, NeuronMeasure]]:
    """Return the certificate of a network, and the neurons of smallest first variation on each side, best first."""
    points, weights = landscape.arrays
    latents, pulls, variations, stationarity = _first_order(network, points, weights)
    if landscape.radius is None and min(network.weight_decay) == 0:
        return _linear_certificate(network, landscape, np.asarray(latents), float(stationarity))
    phis = (network.encoder_activation, network.decoder_activation)
    minima, means, gaps, best = [], [], [], []
    for side in (0, 1):
        measure, decay = (network.encoder, network.decoder)[side], network.weight_decay[side]
        rules = (phis[side], network.train_biases, landscape.radius)
        view = Side(np.asarray((points, latents)[side]), np.asarray(pulls[side]), decay, rules)
        mu = max(0.0, _steepest_ray(view, starts, seed) - decay) / 2
        neurons, heights = _lowest_neurons(view._replace(decay=decay + 2 * mu), starts, seed)
        values, masses = np.asarray(variations[side]), np.asarray(measure.masses)
        means.append(float(masses @ values))
        minima.append(min(float(heights[0]), float(values[masses > 0].min())))
        bound = 0.0 if mu == 0 else mu * 2 * landscape.objective(network) / decay if decay > 0 else np.inf
        gaps.append(means[-1] - minima[-1] + bound)
        best.append(neurons)
    certificate = Certificate(
        decoder_gap=gaps[1],
        decoder_minimum=minima[1],
        decoder_mean=means[1],
        encoder_descent=gaps[0],
        encoder_minimum=minima[0],
        encoder_mean=means[0],
        stationarity=float(stationarity),
        starts=starts,
    )
    return certificate, (best[0], best[1])


def _linear_certificate(
    network: Autoencoder, landscape: Landscape, latents: np.ndarray, stationarity: float
) -> tuple[Certificate, tuple[NeuronMeasure, NeuronMeasure]]:
    """Return the certificate of a linear network without penalty: how much better the best map of each side is.

    The best decoder is a regression of x on z; the best encoder, x ↦ B⁺x, leaves what the decoder can't reach.
    """
    points, weights = landscape.arrays
    risk = landscape.risk(network)
    root = np.sqrt(weights)[:, None]
    with_bias = lambda inputs: np.column_stack([inputs, np.ones(len(inputs))]) if network.train_biases else inputs
    regressors = root * with_bias(latents)
    coefficients = np.linalg.lstsq(regressors, root * points, rcond=None)[0]
    best_decoder = float(((root * points - regressors @ coefficients) ** 2).sum() / 2)
    reach = np.asarray(network.jacobian(latents[:1])[0])
    centre = np.asarray(network.decode(np.zeros_like(latents[:1])))
    left = (points - centre) @ (np.eye(points.shape[1]) - reach @ np.linalg.pinv(reach))
    best_encoder = float((weights @ (left**2).sum(axis=1)) / 2)
    gaps = [max(0.0, risk - best) for best in (best_encoder, best_decoder)]
    certificate = Certificate(gaps[1], best_decoder, risk, gaps[0], best_encoder, risk, stationarity, starts=0)
    return certificate, (network.encoder, network.decoder)


@jax.jit
def _first_order(network: Autoencoder, points: jax.Array, weights: jax.Array) -> tuple:
    """Return latents, weighted pulls on both sides' outputs, Φ at the neurons of both, and ∫|∇Φ|²."""
    latents = network.encode(points)
    pull = weights[:, None] * (network.decode(latents) - points)
    pull_on_latents = jnp.einsum("ndk,nd->nk", network.jacobian(latents), pull)
    variations = tuple(
        psi + decay / 2 * squares(measure, network.train_biases)
        for psi, decay, measure in zip(
            network.first_variations(points, weights),
            network.weight_decay,
            (network.encoder, network.decoder),
            strict=True,
        )
    )
    return latents, (pull_on_latents, pull), variations, network.dissipation(points, weights)


def _lowest_neurons(side: Side, starts: int, seed: int) -> tuple[NeuronMeasure, np.ndarray]:
    """Return neurons at local minima of Φ, found from many starts, and Φ there."""
    places = _places(side, starts, seed)
    radius = side.rules[2]
    if radius is not None:  # to the coordinates of the ball, see `_neuron`
        share = np.minimum(np.linalg.norm(places, axis=1) / radius, 0.999)
        inner = share / (1 + np.sqrt(1 - share**2))
        places = places * (inner / np.maximum(np.linalg.norm(places, axis=1), 1e-300))[:, None]
    lowest, heights = _searched(_height, places, side)
    outgoing, incoming, bias = (np.asarray(part) for part in _neurons(jnp.asarray(lowest), *side.arrays, side.rules))
    masses = np.full(len(lowest), 1 / len(lowest))
    return NeuronMeasure(masses, outgoing, incoming, bias), heights  # pyright: ignore[reportArgumentType]


def _searched(height: Callable, places: np.ndarray, side: Side) -> tuple[np.ndarray, np.ndarray]:
    """Return local minima of a height over places, the lowest first, each reached from the best place of one group.

    The best places of all would lie side by side.
    """
    every = np.asarray(_at_all(height, jnp.asarray(places), side.arrays, side.rules))
    groups = np.array_split(np.arange(len(places)), min(GROUPS, len(places)))
    best = [group[np.argmin(every[group])] for group in groups]

    def function(place: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = _with_gradient(height, jnp.asarray(place), side.arrays, side.rules)
        return float(value), np.asarray(gradient)

    options = {"maxiter": 300, "gtol": 1e-12, "ftol": 1e-16}
    ends = [minimize(function, place, jac=True, method="L-BFGS-B", options=options) for place in places[best]]
    ends.sort(key=lambda end: float(end.fun))
    return np.array([end.x for end in ends]), np.array([float(end.fun) for end in ends])


@partial(jax.jit, static_argnums=(0, 3))
def _at_all(height: Callable, places: jax.Array, arrays: tuple, rules: tuple) -> jax.Array:
    return jax.lax.map(lambda place: height(place, *arrays, rules), places, batch_size=256)


@partial(jax.jit, static_argnums=(0, 3))
def _with_gradient(height: Callable, place: jax.Array, arrays: tuple, rules: tuple) -> tuple[jax.Array, jax.Array]:
    return jax.value_and_grad(height)(place, *arrays, rules)


def _places(side: Side, starts: int, seed: int) -> np.ndarray:
    """Return incoming weights and biases at many scales, whose preactivations change sign where there are points.

    Half of the directions are those from one point to another, along which pulls of single points are felt.
    """
    count, inputs = 1 << max(4, int(np.ceil(np.log2(starts)))), side.inputs.shape[1]
    normals = sobol_normals(inputs + 2, count, np.random.default_rng([seed, inputs]))
    random = np.random.default_rng([seed, inputs, 1])
    one, other = side.inputs[random.integers(len(side.inputs), size=(2, count))]
    directions = np.where(np.arange(count)[:, None] % 2, normals[:, :inputs], one - other)
    directions = directions / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-300)
    spread = np.sqrt((side.inputs**2).mean()) + 1e-300
    incoming = directions * (np.exp(1.5 * normals[:, inputs]) / spread)[:, None]
    middle = (one * incoming).sum(axis=1) * random.uniform(0, 1, count)
    bias = 0.3 * normals[:, inputs + 1] - middle if side.rules[1] else np.zeros(count)
    return np.column_stack([incoming, bias])


def _steepest_ray(side: Side, starts: int, seed: int) -> float:
    """Return max |p| over unit (w, b) with φ at infinity in place of φ: the decay below which Φ has no lower bound."""
    phi, _, radius = side.rules
    if radius is not None or np.abs(phi.first(jnp.asarray([-FAR, FAR]))).max() < FLAT:
        return 0.0
    return -float(_searched(_slope_of_ray, _places(side, starts, seed), side)[1][0])


def _slope_of_ray(place: jax.Array, inputs: jax.Array, pull: jax.Array, decay: jax.Array, rules: tuple) -> jax.Array:
    """Return −|p| at the unit vector (w, b) in the direction of a place, for φ at infinity."""
    del decay
    phi, train_biases, _ = rules
    down, up = phi.first(jnp.asarray([-FAR, FAR]))
    place = place if train_biases else place.at[-1].set(0.0)
    s = inputs @ place[:-1] + place[-1]
    return -_length(pull.T @ jnp.where(s > 0, up * s, down * s)) / _length(place)


def _height(place: jax.Array, inputs: jax.Array, pull: jax.Array, decay: jax.Array, rules: tuple) -> jax.Array:
    """Return min_v [⟨v, p⟩ + (λ/2)(|v|² + |w|² + b²)], the smallest Φ over outgoing weights, in the ball if any."""
    incoming, room = _incoming(place, rules)
    force = _force(incoming, inputs, pull, rules)
    length = _best_length(force, room, decay, rules)
    return -length * _length(force) + decay / 2 * (length**2 + jnp.square(incoming).sum())


@partial(jax.jit, static_argnums=4)
def _neurons(places: jax.Array, inputs: jax.Array, pull: jax.Array, decay: jax.Array, rules: tuple) -> tuple:
    """Return the neurons (v, w, b) at places, with their best outgoing weights."""

    def neuron(place: jax.Array) -> tuple:
        incoming, room = _incoming(place, rules)
        force = _force(incoming, inputs, pull, rules)
        outgoing = -force / _length(force) * _best_length(force, room, decay, rules)
        return outgoing, incoming[:-1], incoming[-1]

    return jax.vmap(neuron)(places)


def _incoming(place: jax.Array, rules: tuple) -> tuple[jax.Array, jax.Array]:
    """Return (w, b) at a place y, and how long v may be.

    In a ball of radius r, (w, b) = 2r y/(1 + |y|²), which leaves r|1 − |y|²|/(1 + |y|²) for the length of v.
    """
    _, train_biases, radius = rules
    place = place if train_biases else place.at[-1].set(0.0)
    if radius is None:
        return place, jnp.asarray(jnp.inf, place.dtype)
    square = jnp.square(place).sum()
    return place * (2 * radius / (1 + square)), radius * jnp.abs(1 - square) / (1 + square)


def _force(incoming: jax.Array, inputs: jax.Array, pull: jax.Array, rules: tuple) -> jax.Array:
    """Return p = E[r φ(⟨w, z⟩ + b)]."""
    return pull.T @ rules[0].value(inputs @ incoming[:-1] + incoming[-1])


def _best_length(force: jax.Array, room: jax.Array, decay: jax.Array, rules: tuple) -> jax.Array:
    if rules[2] is None:
        return _length(force) / decay
    return jnp.minimum(room, _length(force) / jnp.maximum(decay, 1e-300))


def _length(vector: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.square(vector).sum() + 1e-300)  # its derivative at 0 is 0, not NaN
