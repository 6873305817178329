r"""The equations of the autoencoder: the only home of reconstruction, risk, first variations and velocities.

With an encoder law ρ over neurons (a, w, b) and a decoder law ν over neurons (c, u, e),

    f(x) = ∫ a φ_E(⟨w, x⟩ + b) dρ ∈ R^k        g(z) = ∫ c φ_D(⟨u, z⟩ + e) dν ∈ R^d
    R(ρ, ν) = ½ E‖x − g(f(x))‖²

and with r = g(f(x)) − x, J = Dg(f(x)), q = Jᵀr, the first variations are

    Ψ_D(ω) = δR/δν = E⟨r, c φ_D(⟨u, f(x)⟩ + e)⟩        Ψ_E(θ) = δR/δρ = E⟨q, a φ_E(⟨w, x⟩ + b)⟩ .

The mean-field dynamics ∂_t ρ = ∇·(ρ∇Ψ_E), ∂_t ν = ∇·(ν∇Ψ_D) moves each neuron with the velocity −∇Ψ:

    ȧ = −E[q φ(s)]    ẇ = −E[⟨q, a⟩ φ′(s) x]       ḃ = −E[⟨q, a⟩ φ′(s)]        s = ⟨w, x⟩ + b
    ċ = −E[r φ(s)]    u̇ = −E[⟨r, c⟩ φ′(s) f(x)]    ė = −E[⟨r, c⟩ φ′(s)]        s = ⟨u, f(x)⟩ + e .

Stochastic gradient descent uses the same velocity with a minibatch in place of P, since for uniform masses the
velocity of neuron i is −N ∂R/∂θ_i. Weight decay λ adds (λ/2) ∫ |θ|² dρ to the risk, and −λθ to the velocity.

An entry of a point that is NaN is missing. The encoder sees 0 in its place, the mean of centred data, and the loss
leaves it out: r_j = 0. All of the above holds as it stands.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from isthmus.core.activations import Activation
from isthmus.core.blocks import block_sizes, mapped, summed
from isthmus.core.neurons import NeuronMeasure

NARROW = 4
"""Up to this inner dimension a matrix product costs less as a few fused multiplications."""
FEW_COLUMNS = 3
"""Up to so many columns a matrix product costs less as one product with a vector after the other."""
FEW_WEIGHTS = 1 << 15
"""Up to so many weights of a layer the rate of a small batch's velocity multiplies factors rather than products."""
FEW_POINTS = 16
"""Up to so many points masses multiply values rather than weights, which then are read once and not copied."""
MANY_POINTS = 64
"""From here on the bias rides along in the matrix products as one more incoming weight."""


def seen(points: jax.Array) -> jax.Array:
    """Return what the encoder sees of points: 0 where an entry is missing."""
    return jnp.where(jnp.isnan(points), 0, points)


def residuals(outputs: jax.Array, points: jax.Array) -> jax.Array:
    """Return x̂ − x, 0 where an entry of x is missing."""
    return jnp.where(jnp.isnan(points), 0, outputs - points)


def _product(left: jax.Array, right: jax.Array) -> jax.Array:
    """Return the matrix product, fused with what surrounds it where the inner dimension is that of a bottleneck."""
    inner, columns = left.shape[1], right.shape[1]
    if inner <= NARROW:
        terms = (left[:, i : i + 1] * right[i : i + 1] for i in range(inner))
        return functools.reduce(jnp.add, terms)
    if 1 < columns <= FEW_COLUMNS:
        return jnp.concatenate([left @ right[:, i : i + 1] for i in range(columns)], axis=1)
    return left @ right


def _rated_product(left: jax.Array, right: jax.Array, rate: jax.Array | float) -> jax.Array:
    """Return rate × the matrix product; of small weights and batches the rate multiplies the left factor.

    It has few entries, and the compiler then keeps it rather than compute it again for every weight.
    """
    if left.shape[1] <= NARROW and left.shape[0] * right.shape[1] <= FEW_WEIGHTS:
        return _product(rate * left, right)
    return rate * _product(left, right)


def preactivations(measure: NeuronMeasure, inputs: Any) -> Any:
    """Return s = ⟨w, x⟩ + b of each neuron at each input, shape (N, n), as NumPy arrays where all are.

    Neurons come first, here and in all large matrices: then nearly every product reads both its factors along rows.
    """
    if isinstance(inputs, np.ndarray) and isinstance(measure.incoming, np.ndarray):
        return measure.incoming @ inputs.T + measure.bias[:, None]
    if measure.inputs > NARROW and len(inputs) >= MANY_POINTS:
        incoming = jnp.concatenate([measure.incoming, measure.bias[:, None]], axis=1)
        return incoming @ _with_ones(inputs).T
    return _product(measure.incoming, inputs.T) + measure.bias[:, None]


def features(measure: NeuronMeasure, phi: Activation, inputs: Any) -> Any:
    """Return φ(⟨w, x⟩ + b) of each neuron at each input, shape (N, n), as NumPy arrays where all are."""
    return phi.of(preactivations(measure, inputs))


def _with_ones(inputs: jax.Array) -> jax.Array:
    return jnp.concatenate([inputs, jnp.ones((len(inputs), 1), inputs.dtype)], axis=1)


def _integral(values: jax.Array, masses: jax.Array, weights: jax.Array) -> jax.Array:
    """Return ∫ weight × value dμ, shape (n, i), from values (N, n) and weights (N, i); masses go to the smaller one."""
    if values.shape[1] > FEW_POINTS:
        return ((masses[:, None] * weights).T @ values).T
    weighed = masses[:, None] * values
    if 1 < values.shape[1] <= FEW_COLUMNS:
        return jnp.concatenate([weighed[:, i : i + 1].T @ weights for i in range(values.shape[1])])
    return weighed.T @ weights


def network_outputs(
    measure: NeuronMeasure, phi: Activation, inputs: jax.Array, block: int | None = None, axis: str | None = None
) -> jax.Array:
    """Evaluate ∫ v φ(⟨w, x⟩ + b) dμ at each row x of ``inputs``, shape (n, outputs)."""

    def part(neurons: NeuronMeasure) -> jax.Array:
        return _integral(features(neurons, phi, inputs), neurons.masses, neurons.outgoing)

    return _over_devices(summed(part, measure, block or measure.width), axis)


def network_response(
    measure: NeuronMeasure,
    phi: Activation,
    inputs: jax.Array,
    pull: jax.Array,
    rate: jax.Array | float,
    block: int,
    axis: str | None,
    train_biases: bool = True,
) -> tuple[NeuronMeasure, jax.Array]:
    """Return rate × ∇Ψ at each neuron for a pull (n, outputs) on the outputs, and the pull that arrives at the inputs.

    Ψ = E⟨p(x), v φ(⟨w, x⟩ + b)⟩. A pull is weighted, here and everywhere: row x is p(x) times the weight of x, so that
    a sum over rows is E. With one block of neurons the compiler finds φ(s) of `network_outputs` again; with several it
    is computed twice, which is the price for not keeping it.
    """

    def part(neurons: NeuronMeasure) -> tuple[NeuronMeasure, jax.Array]:
        s = preactivations(neurons, inputs)
        slope_pull = _product(neurons.outgoing, pull.T) * phi.first(s)
        if len(inputs) >= MANY_POINTS:
            affine = rate * (slope_pull @ _with_ones(inputs))
            incoming, bias = affine[:, :-1], affine[:, -1]
        else:
            incoming, bias = _rated_product(slope_pull, inputs, rate), rate * slope_pull.sum(axis=1)
        outgoing = _rated_product(phi.value(s), pull, rate)
        moved = bias if train_biases else jnp.zeros_like(bias)
        velocity = NeuronMeasure(jnp.zeros_like(neurons.masses), outgoing, incoming, moved)
        return velocity, _integral(slope_pull, neurons.masses, neurons.incoming)

    velocity, pull_on_inputs = mapped(part, measure, block)
    return velocity, _over_devices(pull_on_inputs, axis)


def trained(measure: NeuronMeasure, train_biases: bool) -> NeuronMeasure:
    """Return the trained parameters of a measure, with 0 in the place of all else."""
    bias = measure.bias if train_biases else jnp.zeros_like(measure.bias)
    return NeuronMeasure(jnp.zeros_like(measure.masses), measure.outgoing, measure.incoming, bias)


def decayed(
    velocity: NeuronMeasure, measure: NeuronMeasure, rate: jax.Array | float, decay: float, train_biases: bool
) -> NeuronMeasure:
    """Return the velocity with −rate × λθ added."""
    if decay == 0:
        return velocity
    return jax.tree.map(lambda moved, theta: moved - rate * decay * theta, velocity, trained(measure, train_biases))


def _over_devices(part: jax.Array, axis: str | None) -> jax.Array:
    """Sum over the devices on which neurons live, where they are spread along an axis of a mesh."""
    return part if axis is None else jax.lax.psum(part, axis)


class Autoencoder(eqx.Module):
    """An encoder measure and a decoder measure that meet in a bottleneck of dimension k.

    All methods take points of shape (n, d), NaN where an entry is missing, and weights of shape (n,) with sum 1 where
    an expectation over the data is taken (uniform if left out). With ``train_biases=False`` biases keep their values:
    their velocity is 0, and no weight decay acts on them.

    Example:
        >>> import isthmus as im
        >>> encoder = im.NeuronMeasure.of(outgoing=[[1.0]], incoming=[[1.0, 0.0]])
        >>> decoder = im.NeuronMeasure.of(outgoing=[[1.0, 0.0]], incoming=[[1.0]])
        >>> linear = im.ACTIVATIONS["linear"]
        >>> network = im.Autoencoder(encoder, decoder, linear, linear)
        >>> float(network.risk([[2.0, 1.0]]))
        0.5

    """

    encoder: NeuronMeasure
    decoder: NeuronMeasure
    encoder_activation: Activation = eqx.field(static=True)
    decoder_activation: Activation = eqx.field(static=True)
    train_biases: bool = eqx.field(static=True, default=True)
    weight_decay: tuple[float, float] = eqx.field(static=True, default=(0.0, 0.0))

    def with_measures(self, encoder: NeuronMeasure, decoder: NeuronMeasure) -> Autoencoder:
        """Return the same autoencoder with other measures in it."""
        return dataclasses.replace(self, encoder=encoder, decoder=decoder)

    def in_precision(self, dtype: np.dtype) -> Autoencoder:
        """Return the same autoencoder in NumPy arrays of a type."""
        return jax.tree.map(lambda leaf: np.asarray(leaf, dtype), self)

    def times(self, encoder: jax.Array | float, decoder: jax.Array | float) -> Autoencoder:
        """Return a velocity with that of each side multiplied by a number."""
        factors = ((self.encoder, encoder), (self.decoder, decoder))
        return self.with_measures(*(jax.tree.map(lambda leaf, f=f: f * leaf, side) for side, f in factors))

    @property
    def latent_dim(self) -> int:
        """The dimension k of the bottleneck."""
        return self.encoder.outputs

    @property
    def dim(self) -> int:
        """The dimension d of the data."""
        return self.encoder.inputs

    def encode(self, points: ArrayLike) -> jax.Array:
        """Return the latents f(x), shape (n, k)."""
        return network_outputs(self.encoder, self.encoder_activation, seen(jnp.asarray(points)))

    def decode(self, latents: ArrayLike) -> jax.Array:
        """Return g(z), shape (n, d)."""
        return network_outputs(self.decoder, self.decoder_activation, jnp.asarray(latents))

    def reconstruct(self, points: ArrayLike) -> jax.Array:
        """Return g(f(x)), shape (n, d)."""
        return self.decode(self.encode(points))

    def jacobian(self, latents: ArrayLike) -> jax.Array:
        """Return Dg(z), shape (n, d, k)."""
        slopes = self.decoder_activation.first(preactivations(self.decoder, jnp.asarray(latents)))
        slopes = slopes * self.decoder.masses[:, None]
        return jnp.einsum("Nn,Nd,Nk->ndk", slopes, self.decoder.outgoing, self.decoder.incoming)

    def risk(self, points: ArrayLike, weights: ArrayLike | None = None, axis: str | None = None) -> jax.Array:
        """Return R = ½ E‖x − g(f(x))‖², a scalar. With ``axis``, neurons are spread along this axis of a mesh."""
        points = jnp.asarray(points)
        blocks = self._blocks(points)

        def term(part: tuple[jax.Array, jax.Array]) -> jax.Array:
            points, weights = part
            inputs = seen(points)
            latents = network_outputs(self.encoder, self.encoder_activation, inputs, blocks[0], axis)
            outputs = network_outputs(self.decoder, self.decoder_activation, latents, blocks[1], axis)
            return jnp.dot(weights, jnp.square(residuals(outputs, points)).sum(axis=1)) / 2

        return summed(term, (points, _uniform_unless(weights, points)), blocks[2])

    def penalty(self) -> jax.Array:
        """Return (λ_E/2) ∫ |θ|² dρ + (λ_D/2) ∫ |ω|² dν over what is trained, a scalar."""
        sides = zip((self.encoder, self.decoder), self.weight_decay, strict=True)
        terms = [decay / 2 * jnp.dot(measure.masses, squares(measure, self.train_biases)) for measure, decay in sides]
        return terms[0] + terms[1]

    def objective(self, points: ArrayLike, weights: ArrayLike | None = None) -> jax.Array:
        """Return the risk plus the penalty, which is what the dynamics descends."""
        return self.risk(points, weights) + self.penalty()

    def first_variations(
        self, points: ArrayLike, weights: ArrayLike | None = None, at: Autoencoder | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """Return Ψ_E, shape (N_E,), and Ψ_D, shape (N_D,), at the neurons of ``at`` (its own if left out).

        They are those of the risk; that of the penalty at θ is (λ/2) |θ|².
        """
        points = jnp.asarray(points)
        weights = _uniform_unless(weights, points)
        at = self if at is None else at
        latents = self.encode(points)
        pull = weights[:, None] * residuals(self.decode(latents), points)
        pull_on_latents = jnp.einsum("ndk,nd->nk", self.jacobian(latents), pull)
        psi = lambda neurons, phi, inputs, pull: (  # E⟨p(x), v φ(s)⟩ at each neuron
            _product(neurons.outgoing, pull.T) * phi.value(preactivations(neurons, inputs))
        ).sum(axis=1)
        return (
            psi(at.encoder, self.encoder_activation, seen(points), pull_on_latents),
            psi(at.decoder, self.decoder_activation, latents, pull),
        )

    def velocity(
        self,
        points: ArrayLike,
        weights: ArrayLike | None = None,
        encoder_rate: jax.Array | float = 1.0,
        decoder_rate: jax.Array | float = 1.0,
        axis: str | None = None,
    ) -> Autoencoder:
        """Return the velocity −ξ_E(∇Ψ_E + λ_E θ) of each encoder neuron and −ξ_D(∇Ψ_D + λ_D ω) of each decoder neuron.

        The rates ξ_E and ξ_D are scalars. The masses' rate of change, in the place of the masses, is 0. Neurons and
        points are taken in blocks. With ``axis``, neurons are spread along this axis of a mesh of devices. The penalty
        is part of the loss of each point, so that the velocity is linear in the weights also where their sum isn't 1.
        """
        points = jnp.asarray(points)
        blocks = self._blocks(points)

        def term(part: tuple[jax.Array, jax.Array]) -> tuple[NeuronMeasure, NeuronMeasure]:
            points, weights = part
            inputs = seen(points)
            latents = network_outputs(self.encoder, self.encoder_activation, inputs, blocks[0], axis)
            outputs = network_outputs(self.decoder, self.decoder_activation, latents, blocks[1], axis)
            pull = weights[:, None] * residuals(outputs, points)
            decoder, pull_on_latents = network_response(
                self.decoder, self.decoder_activation, latents, pull, -decoder_rate, blocks[1], axis, self.train_biases
            )
            encoder, _ = network_response(
                self.encoder,
                self.encoder_activation,
                inputs,
                pull_on_latents,
                -encoder_rate,
                blocks[0],
                axis,
                self.train_biases,
            )
            total = weights.sum()
            return (
                decayed(encoder, self.encoder, encoder_rate * total, self.weight_decay[0], self.train_biases),
                decayed(decoder, self.decoder, decoder_rate * total, self.weight_decay[1], self.train_biases),
            )

        return self.with_measures(*summed(term, (points, _uniform_unless(weights, points)), blocks[2]))

    def second_moment(
        self, points: ArrayLike, weights: ArrayLike | None = None, axis: str | None = None
    ) -> Autoencoder:
        """Return E[v_x²] of every parameter, v_x its velocity for the point x alone and at unit rates.

        Batches of B points drawn with replacement have velocities whose square is v² + (E[v_x²] − v²)/B on average.
        """
        points = jnp.asarray(points)
        blocks = self._blocks(points)

        def term(part: tuple[jax.Array, jax.Array]) -> tuple[NeuronMeasure, NeuronMeasure]:
            points, weights = part
            inputs = seen(points)
            latents = network_outputs(self.encoder, self.encoder_activation, inputs, blocks[0], axis)
            outputs = network_outputs(self.decoder, self.decoder_activation, latents, blocks[1], axis)
            decoder, pull_on_latents = self._squares(1, latents, residuals(outputs, points), weights, axis)
            encoder, _ = self._squares(0, inputs, pull_on_latents, weights, axis)
            return encoder, decoder

        return self.with_measures(*summed(term, (points, _uniform_unless(weights, points)), blocks[2]))

    def _squares(
        self, side: int, inputs: jax.Array, pull: jax.Array, weights: jax.Array, axis: str | None
    ) -> tuple[NeuronMeasure, jax.Array]:
        """Return E[v_x²] of one side, given the pull r(x) or q(x) without weights, and the pull on the inputs."""
        measure = (self.encoder, self.decoder)[side]
        phi = (self.encoder_activation, self.decoder_activation)[side]
        s = preactivations(measure, inputs)
        slope_pull = _product(measure.outgoing, pull.T) * phi.first(s)
        decay = self.weight_decay[side]

        def mean_square(left: jax.Array, right: jax.Array, theta: jax.Array) -> jax.Array:
            """Return E[(left × right + λθ)²] over the points."""
            square = jnp.square(left) @ (weights[:, None] * jnp.square(right))
            if decay == 0:
                return square
            mean = left @ (weights[:, None] * right)
            return square + decay * theta * (2 * mean + decay * theta * weights.sum())

        ones = jnp.ones((len(inputs), 1), inputs.dtype)
        bias = mean_square(slope_pull, ones, measure.bias[:, None])[:, 0]
        moments = NeuronMeasure(
            jnp.zeros_like(measure.masses),
            mean_square(phi.value(s), pull, measure.outgoing),
            mean_square(slope_pull, inputs, measure.incoming),
            bias if self.train_biases else jnp.zeros_like(bias),
        )
        return moments, _over_devices(_integral(slope_pull, measure.masses, measure.incoming), axis)

    def _blocks(self, points: jax.Array) -> tuple[int, int, int]:
        """Return how many encoder neurons, decoder neurons and points are taken at once."""
        encoder = block_sizes(self.encoder.width, len(points))
        decoder = block_sizes(self.decoder.width, len(points))
        return encoder[0], decoder[0], min(encoder[1], decoder[1])

    def dissipation(self, points: ArrayLike, weights: ArrayLike | None = None) -> jax.Array:
        """Return ∫|∇Ψ_E + λ_E θ|²dρ + ∫|∇Ψ_D + λ_D ω|²dν.

        At unit rates it equals −d/dt of the objective (the energy identity).
        """
        velocity = self.velocity(points, weights)
        sides = ((self.encoder, velocity.encoder), (self.decoder, velocity.decoder))
        terms = [jnp.dot(measure.masses, squares(moved)) for measure, moved in sides]
        return terms[0] + terms[1]


def _uniform_unless(weights: ArrayLike | None, points: jax.Array) -> jax.Array:
    return jnp.full(len(points), 1 / len(points), points.dtype) if weights is None else jnp.asarray(weights)


def squares(measure: NeuronMeasure, train_biases: bool = True) -> jax.Array:
    """Return |v|² + |w|² + b² of each neuron, shape (N,), without biases that aren't trained."""
    weights = jnp.square(measure.outgoing).sum(axis=1) + jnp.square(measure.incoming).sum(axis=1)
    return weights + jnp.square(measure.bias) if train_biases else weights
