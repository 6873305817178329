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
velocity of neuron i is −N ∂R/∂θ_i.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

from isthmus.core.activations import Activation
from isthmus.core.neurons import NeuronMeasure


class _Layer(NamedTuple):
    """One network evaluated at n inputs, with what its velocity needs."""

    inputs: jax.Array  # (n, i)
    preactivations: jax.Array  # (n, N)
    activations: jax.Array  # (n, N)
    outputs: jax.Array  # (n, o)


def _evaluate(measure: NeuronMeasure, phi: Activation, inputs: jax.Array) -> _Layer:
    """Evaluate ∫ v φ(⟨w, x⟩ + b) dμ at each row x of ``inputs``."""
    preactivations = inputs @ measure.incoming.T + measure.bias[None, :]
    activations = phi.value(preactivations)
    outputs = activations @ (measure.masses[:, None] * measure.outgoing)
    return _Layer(inputs, preactivations, activations, outputs)


def _first_variation(neurons: NeuronMeasure, phi: Activation, inputs: jax.Array, pull: jax.Array) -> jax.Array:
    """Evaluate Ψ = E⟨p(x), v φ(⟨w, x⟩ + b)⟩ at each neuron, given the pull (n, o) on the outputs.

    Here and below a pull is weighted: row x is p(x) times the weight of x, so that a sum over rows is E.
    """
    activations = _evaluate(neurons, phi, inputs).activations
    return jnp.einsum("no,nN,No->N", pull, activations, neurons.outgoing)


def _velocity(
    measure: NeuronMeasure, phi: Activation, layer: _Layer, pull: jax.Array
) -> tuple[NeuronMeasure, jax.Array]:
    """Return −∇Ψ at each neuron of the measure, and the pull that arrives at the inputs, (n, i)."""
    slope_pull = (pull @ measure.outgoing.T) * phi.first(layer.preactivations)
    velocity = NeuronMeasure(
        masses=jnp.zeros_like(measure.masses),
        outgoing=-layer.activations.T @ pull,
        incoming=-slope_pull.T @ layer.inputs,
        bias=-slope_pull.sum(axis=0),
    )
    return velocity, slope_pull @ (measure.masses[:, None] * measure.incoming)


class Autoencoder(eqx.Module):
    """An encoder measure and a decoder measure that meet in a bottleneck of dimension k.

    All methods take points of shape (n, d), and weights of shape (n,) with sum 1 where an expectation over the
    data is taken (uniform if left out). With ``train_biases=False`` biases keep their values: their velocity is 0.

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
        return _evaluate(self.encoder, self.encoder_activation, jnp.asarray(points)).outputs

    def decode(self, latents: ArrayLike) -> jax.Array:
        """Return g(z), shape (n, d)."""
        return _evaluate(self.decoder, self.decoder_activation, jnp.asarray(latents)).outputs

    def reconstruct(self, points: ArrayLike) -> jax.Array:
        """Return g(f(x)), shape (n, d)."""
        return self.decode(self.encode(points))

    def jacobian(self, latents: ArrayLike) -> jax.Array:
        """Return Dg(z), shape (n, d, k)."""
        layer = _evaluate(self.decoder, self.decoder_activation, jnp.asarray(latents))
        slopes = self.decoder_activation.first(layer.preactivations) * self.decoder.masses[None, :]
        return jnp.einsum("nN,Nd,Nk->ndk", slopes, self.decoder.outgoing, self.decoder.incoming)

    def risk(self, points: ArrayLike, weights: ArrayLike | None = None) -> jax.Array:
        """Return R = ½ E‖x − g(f(x))‖², a scalar."""
        points = jnp.asarray(points)
        squares = jnp.square(self.reconstruct(points) - points).sum(axis=1)
        return jnp.dot(_uniform_unless(weights, points), squares) / 2

    def first_variations(
        self, points: ArrayLike, weights: ArrayLike | None = None, at: Autoencoder | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """Return Ψ_E, shape (N_E,), and Ψ_D, shape (N_D,), at the neurons of ``at`` (its own if left out)."""
        points = jnp.asarray(points)
        weights = _uniform_unless(weights, points)
        at = self if at is None else at
        latents = self.encode(points)
        pull = weights[:, None] * (self.decode(latents) - points)
        pull_on_latents = jnp.einsum("ndk,nd->nk", self.jacobian(latents), pull)
        return (
            _first_variation(at.encoder, self.encoder_activation, points, pull_on_latents),
            _first_variation(at.decoder, self.decoder_activation, latents, pull),
        )

    def velocity(
        self,
        points: ArrayLike,
        weights: ArrayLike | None = None,
        encoder_rate: jax.Array | float = 1.0,
        decoder_rate: jax.Array | float = 1.0,
    ) -> Autoencoder:
        """Return the velocity −ξ_E∇Ψ_E of each encoder neuron and −ξ_D∇Ψ_D of each decoder neuron.

        The rates ξ_E and ξ_D are scalars. The masses' rate of change, in the place of the masses, is 0.
        """
        points = jnp.asarray(points)
        weights = _uniform_unless(weights, points)
        first = _evaluate(self.encoder, self.encoder_activation, points)
        second = _evaluate(self.decoder, self.decoder_activation, first.outputs)
        pull = weights[:, None] * (second.outputs - points)
        decoder, pull_on_latents = _velocity(self.decoder, self.decoder_activation, second, pull)
        encoder, _ = _velocity(self.encoder, self.encoder_activation, first, pull_on_latents)
        velocity = eqx.tree_at(
            lambda state: (state.encoder, state.decoder),
            self,
            (
                jax.tree.map(lambda v: encoder_rate * v, encoder),
                jax.tree.map(lambda v: decoder_rate * v, decoder),
            ),
        )
        if self.train_biases:
            return velocity
        return eqx.tree_at(lambda state: (state.encoder.bias, state.decoder.bias), velocity, replace_fn=jnp.zeros_like)

    def dissipation(self, points: ArrayLike, weights: ArrayLike | None = None) -> jax.Array:
        """Return ∫|∇Ψ_E|²dρ + ∫|∇Ψ_D|²dν, which at unit rates equals −dR/dt (the energy identity)."""
        velocity = self.velocity(points, weights)
        return _mean_square(self.encoder, velocity.encoder) + _mean_square(self.decoder, velocity.decoder)


def _uniform_unless(weights: ArrayLike | None, points: jax.Array) -> jax.Array:
    return jnp.full(len(points), 1 / len(points), points.dtype) if weights is None else jnp.asarray(weights)


def _mean_square(measure: NeuronMeasure, velocity: NeuronMeasure) -> jax.Array:
    squares = (
        jnp.square(velocity.outgoing).sum(axis=1)
        + jnp.square(velocity.incoming).sum(axis=1)
        + jnp.square(velocity.bias)
    )
    return jnp.dot(measure.masses, squares)
