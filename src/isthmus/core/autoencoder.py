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
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from isthmus._display import Summary
from isthmus.core.activations import Activation
from isthmus.core.blocks import block_sizes, mapped, summed
from isthmus.core.neurons import NeuronMeasure, sides_in_words

if TYPE_CHECKING:
    Arrays = jax.Array
else:
    Arrays = jax.Array | np.ndarray
    """NumPy arrays serve as JAX arrays."""

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


def seen(points: Float[Arrays, "n d"]) -> Float[Array, "n d"]:
    """Return what the encoder sees of points: 0 where an entry is missing."""
    return jnp.where(jnp.isnan(points), 0, points)


def residuals(outputs: Float[Arrays, "n d"], points: Float[Arrays, "n d"]) -> Float[Array, "n d"]:
    """Return x̂ − x, 0 where an entry of x is missing."""
    return jnp.where(jnp.isnan(points), 0, outputs - points)


def _product(left: Float[Arrays, "a b"], right: Float[Arrays, "b c"]) -> Float[Arrays, "a c"]:
    """Return the matrix product, fused with what surrounds it where the inner dimension is that of a bottleneck."""
    inner, columns = left.shape[1], right.shape[1]
    if inner <= NARROW:
        terms = (left[:, i : i + 1] * right[i : i + 1] for i in range(inner))
        return functools.reduce(jnp.add, terms)
    if 1 < columns <= FEW_COLUMNS:
        return jnp.concatenate([left @ right[:, i : i + 1] for i in range(columns)], axis=1)
    return left @ right


def _rated_product(
    left: Float[Arrays, "a b"], right: Float[Arrays, "b c"], rate: Float[Array, ""] | float
) -> Float[Arrays, "a c"]:
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
    if all(isinstance(array, np.ndarray) for array in (inputs, measure.incoming)):
        return measure.incoming @ inputs.T + measure.bias[:, None]
    if measure.inputs > NARROW and len(inputs) >= MANY_POINTS:
        incoming = jnp.concatenate([measure.incoming, measure.bias[:, None]], axis=1)
        return incoming @ _with_ones(inputs).T
    return _product(measure.incoming, inputs.T) + measure.bias[:, None]


def features(measure: NeuronMeasure, phi: Activation, inputs: Any) -> Any:
    """Return φ(⟨w, x⟩ + b) of each neuron at each input, shape (N, n), as NumPy arrays where all are."""
    return phi.of(preactivations(measure, inputs))


def _with_ones(inputs: Float[Arrays, "n i"]) -> Float[Array, "n i+1"]:
    return jnp.concatenate([inputs, jnp.ones((len(inputs), 1), inputs.dtype)], axis=1)


def _integral(
    values: Float[Arrays, "N n"], masses: Float[Arrays, " N"], weights: Float[Arrays, "N i"]
) -> Float[Arrays, "n i"]:
    """Return ∫ weight × value dμ, shape (n, i), from values (N, n) and weights (N, i); masses go to the smaller one."""
    if values.shape[1] > FEW_POINTS:
        return ((masses[:, None] * weights).T @ values).T
    weighed = masses[:, None] * values
    if 1 < values.shape[1] <= FEW_COLUMNS:
        return jnp.concatenate([weighed[:, i : i + 1].T @ weights for i in range(values.shape[1])])
    return weighed.T @ weights


def network_outputs(
    measure: NeuronMeasure,
    phi: Activation,
    inputs: Float[Arrays, "n i"],
    block: int | None = None,
    axis: str | None = None,
) -> Float[Array, "n o"]:
    """Evaluate ∫ v φ(⟨w, x⟩ + b) dμ at each row x of ``inputs``, shape (n, outputs)."""

    def part(neurons: NeuronMeasure) -> jax.Array:
        return _integral(features(neurons, phi, inputs), neurons.masses, neurons.outgoing)

    return _over_devices(summed(part, measure, block or measure.width), axis)


def network_response(
    measure: NeuronMeasure,
    phi: Activation,
    inputs: Float[Arrays, "n i"],
    pull: Float[Array, "n o"],
    rate: Float[Array, ""] | float,
    block: int,
    axis: str | None,
) -> tuple[NeuronMeasure, Float[Array, "n i"]]:
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
        gradient = NeuronMeasure(jnp.zeros_like(neurons.masses), outgoing, incoming, bias)
        return gradient, _integral(slope_pull, neurons.masses, neurons.incoming)

    gradient, pull_on_inputs = mapped(part, measure, block)
    return gradient, _over_devices(pull_on_inputs, axis)


def _over_devices(part: jax.Array, axis: str | None) -> jax.Array:
    """Sum over the devices on which neurons live, where they are spread along an axis of a mesh."""
    return part if axis is None else jax.lax.psum(part, axis)


class Velocity(eqx.Module):
    """A vector at each neuron of an autoencoder, such as the rate of change of its parameters.

    Its parts have the shapes of the measures they belong to, with 0 in the place of masses, which never change.
    """

    encoder: NeuronMeasure
    decoder: NeuronMeasure

    def scaled(self, encoder: jax.Array | float, decoder: jax.Array | float) -> Velocity:
        """Return it with each side multiplied by a number."""
        multiplied = lambda side, factor: jax.tree.map(lambda leaf: factor * leaf, side)
        return Velocity(multiplied(self.encoder, encoder), multiplied(self.decoder, decoder))


class Autoencoder(Summary, eqx.Module):
    """An encoder measure and a decoder measure that meet in a bottleneck of dimension k.

    All methods take points of shape (n, d), NaN where an entry is missing, and weights of shape (n,) with sum 1 where
    an expectation over the data is taken (uniform if left out).

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

    def _lines(self) -> list[tuple[str, object]]:
        return sides_in_words(self)

    def with_measures(self, encoder: NeuronMeasure, decoder: NeuronMeasure) -> Autoencoder:
        """Return the same autoencoder with ``encoder`` and ``decoder`` as its measures."""
        return dataclasses.replace(self, encoder=encoder, decoder=decoder)

    def in_precision(self, dtype: np.dtype) -> Autoencoder:
        """Return the same autoencoder in NumPy arrays of a type."""
        return jax.tree.map(lambda leaf: np.asarray(leaf, dtype), self)

    @property
    def latent_dim(self) -> int:
        """The dimension k of the bottleneck."""
        return self.encoder.outputs

    @property
    def dim(self) -> int:
        """The dimension d of the data."""
        return self.encoder.inputs

    def encode(self, points: ArrayLike) -> Float[Array, "n k"]:
        """Return the latents f(x), shape (n, k)."""
        return network_outputs(self.encoder, self.encoder_activation, seen(jnp.asarray(points)))

    def decode(self, latents: ArrayLike) -> Float[Array, "n d"]:
        """Return g(z), shape (n, d)."""
        return network_outputs(self.decoder, self.decoder_activation, jnp.asarray(latents))

    def reconstruct(self, points: ArrayLike) -> Float[Array, "n d"]:
        """Return g(f(x)), shape (n, d)."""
        return self.decode(self.encode(points))

    def jacobian(self, latents: ArrayLike) -> Float[Array, "n d k"]:
        """Return Dg(z), shape (n, d, k)."""
        slopes = self.decoder_activation.first(preactivations(self.decoder, jnp.asarray(latents)))
        slopes = slopes * self.decoder.masses[:, None]
        return jnp.einsum("Nn,Nd,Nk->ndk", slopes, self.decoder.outgoing, self.decoder.incoming)

    def risk(self, points: ArrayLike, weights: ArrayLike | None = None, axis: str | None = None) -> Float[Array, ""]:
        """Return R = ½ E‖x − g(f(x))‖² over ``points`` with ``weights``; neurons may lie along ``axis`` of a mesh."""
        points = jnp.asarray(points)
        blocks = self._blocks(points)

        def term(part: tuple[jax.Array, jax.Array]) -> jax.Array:
            points, weights = part
            *_, errors = self._forward(points, blocks, axis)
            return jnp.dot(weights, jnp.square(errors).sum(axis=1)) / 2

        return summed(term, (points, _uniform_unless(weights, points)), blocks[2])

    def first_variations(
        self, points: ArrayLike, weights: ArrayLike | None = None, at: Autoencoder | None = None
    ) -> tuple[Float[Array, " N_E"], Float[Array, " N_D"]]:
        """Return Ψ_E, shape (N_E,), and Ψ_D, shape (N_D,), at the neurons of ``at`` (its own if left out).

        They are those of the risk over ``points`` with ``weights``; that of the penalty at θ is (λ/2) |θ|².
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
    ) -> Velocity:
        """Return the velocity −ξ_E ∇Ψ_E of each encoder neuron and −ξ_D ∇Ψ_D of each decoder neuron.

        The expectation is over ``points`` with ``weights``, and ``encoder_rate`` and ``decoder_rate`` are ξ_E and ξ_D.
        Neurons and points are taken in blocks. With ``axis``, neurons are spread along this axis of a mesh of devices.
        """
        points = jnp.asarray(points)
        blocks = self._blocks(points)

        def term(part: tuple[jax.Array, jax.Array]) -> tuple[NeuronMeasure, NeuronMeasure]:
            points, weights = part
            inputs, latents, errors = self._forward(points, blocks, axis)
            pull = weights[:, None] * errors
            decoder, pull_on_latents = network_response(
                self.decoder, self.decoder_activation, latents, pull, -decoder_rate, blocks[1], axis
            )
            encoder, _ = network_response(
                self.encoder, self.encoder_activation, inputs, pull_on_latents, -encoder_rate, blocks[0], axis
            )
            return encoder, decoder

        return Velocity(*summed(term, (points, _uniform_unless(weights, points)), blocks[2]))

    def second_moment(
        self, points: ArrayLike, weights: ArrayLike | None = None, decays: tuple[float, float] = (0.0, 0.0)
    ) -> Velocity:
        """Return E[v_x²] of every parameter, v_x its velocity −∇Ψ_x − λθ for the point x alone and at unit rates.

        Batches of B points drawn with replacement have velocities whose square is v² + (E[v_x²] − v²)/B on average.
        The expectation is over ``points`` with ``weights``; ``decays`` λ_E and λ_D are part of the loss of each point.
        """
        points = jnp.asarray(points)
        blocks = self._blocks(points)

        def term(part: tuple[jax.Array, jax.Array]) -> tuple[NeuronMeasure, NeuronMeasure]:
            points, weights = part
            inputs, latents, errors = self._forward(points, blocks, None)
            decoder, pull_on_latents = _mean_squares(
                self.decoder, self.decoder_activation, latents, errors, weights, decays[1]
            )
            encoder, _ = _mean_squares(
                self.encoder, self.encoder_activation, inputs, pull_on_latents, weights, decays[0]
            )
            return encoder, decoder

        return Velocity(*summed(term, (points, _uniform_unless(weights, points)), blocks[2]))

    def _forward(
        self, points: Float[Arrays, "n d"], blocks: tuple[int, int, int], axis: str | None
    ) -> tuple[Float[Array, "n d"], Float[Array, "n k"], Float[Array, "n d"]]:
        """Return what the encoder sees, the latents, and x̂ − x of points."""
        inputs = seen(points)
        latents = network_outputs(self.encoder, self.encoder_activation, inputs, blocks[0], axis)
        outputs = network_outputs(self.decoder, self.decoder_activation, latents, blocks[1], axis)
        return inputs, latents, residuals(outputs, points)

    def _blocks(self, points: jax.Array) -> tuple[int, int, int]:
        """Return how many encoder neurons, decoder neurons and points are taken at once."""
        encoder = block_sizes(self.encoder.width, len(points))
        decoder = block_sizes(self.decoder.width, len(points))
        return encoder[0], decoder[0], min(encoder[1], decoder[1])


def _mean_squares(
    measure: NeuronMeasure,
    phi: Activation,
    inputs: Float[Arrays, "n i"],
    pull: Float[Array, "n o"],
    weights: Float[Arrays, " n"],
    decay: float,
) -> tuple[NeuronMeasure, Float[Array, "n i"]]:
    """Return E[v_x²] of one side, given the pull r(x) or q(x) without weights, and the pull on the inputs."""
    s = preactivations(measure, inputs)
    slope_pull = _product(measure.outgoing, pull.T) * phi.first(s)

    def mean_square(left: Arrays, right: Arrays, theta: Arrays) -> Arrays:
        """Return E[(left × right + λθ)²] over the points."""
        square = jnp.square(left) @ (weights[:, None] * jnp.square(right))
        if decay == 0:
            return square
        mean = left @ (weights[:, None] * right)
        return square + decay * theta * (2 * mean + decay * theta * weights.sum())

    moments = NeuronMeasure(
        jnp.zeros_like(measure.masses),
        mean_square(phi.value(s), pull, measure.outgoing),
        mean_square(slope_pull, inputs, measure.incoming),
        mean_square(slope_pull, jnp.ones((len(inputs), 1), inputs.dtype), measure.bias[:, None])[:, 0],
    )
    return moments, _integral(slope_pull, measure.masses, measure.incoming)


def penalty(network: Autoencoder, decays: tuple[float, float], train_biases: bool = True) -> Float[Array, ""]:
    """Return (λ_E/2) ∫ |θ|² dρ + (λ_D/2) ∫ |ω|² dν over what is trained, a scalar."""
    sides = zip((network.encoder, network.decoder), decays, strict=True)
    return sum(decay / 2 * jnp.dot(measure.masses, squares(measure, train_biases)) for measure, decay in sides)  # pyright: ignore


def _uniform_unless(weights: ArrayLike | None, points: Float[Arrays, "n d"]) -> Float[Array, " n"]:
    return jnp.full(len(points), 1 / len(points), points.dtype) if weights is None else jnp.asarray(weights)


def squares(measure: NeuronMeasure, train_biases: bool = True) -> Float[Arrays, " N"]:
    """Return |v|² + |w|² + b² of each neuron, shape (N,), without biases that aren't trained."""
    weights = jnp.square(measure.outgoing).sum(axis=1) + jnp.square(measure.incoming).sum(axis=1)
    return weights + jnp.square(measure.bias) if train_biases else weights
