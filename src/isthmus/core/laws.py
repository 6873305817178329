"""Initial laws of the neurons: where the mean-field flow starts, and what a finite network's neurons are drawn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import block_diag

from isthmus import _checks
from isthmus.core.activations import Activation, activation_pair
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.covariance import covariance_factor
from isthmus.core.data import Data
from isthmus.core.masked_pca import LinearCode
from isthmus.core.neurons import NeuronMeasure


class NeuronLaw(ABC):
    """A probability law of one neuron (outgoing ∈ R^outputs, incoming ∈ R^inputs, bias ∈ R)."""

    outputs: int
    inputs: int

    @abstractmethod
    def sample(self, key: jax.Array, count: int) -> NeuronMeasure:
        """Return the uniform measure on ``count`` independent neurons, in JAX's precision of the moment."""


class GaussianNeurons(NeuronLaw):
    """The Gaussian law of the joint vector (outgoing, incoming, bias) ∈ R^(outputs + inputs + 1).

    Args:
        outputs: dimension of the outgoing weight (k for an encoder, d for a decoder).
        inputs: dimension of the incoming weight (d for an encoder, k for a decoder).
        mean: shape (outputs + inputs + 1,); 0 if left out.
        covariance: shape (outputs + inputs + 1,) twice; the identity if left out. It may be singular: a zero row
            and column switches a parameter off (no biases, for example).

    Example:
        >>> import isthmus as im
        >>> im.GaussianNeurons(outputs=2, inputs=64).number_of_normals
        67

    """

    def __init__(
        self, outputs: int, inputs: int, mean: ArrayLike | None = None, covariance: ArrayLike | None = None
    ) -> None:
        self.outputs = _checks.integer("outputs", outputs, minimum=1)
        self.inputs = _checks.integer("inputs", inputs, minimum=1)
        size = self.outputs + self.inputs + 1
        larger = "outputs" if self.outputs > self.inputs else "inputs"
        _checks.memory(larger, getattr(self, larger), 8 * size**2)
        double = np.dtype(np.float64)
        self.mean = np.zeros(size) if mean is None else _checks.array("mean", mean, (size,), double)
        self.covariance = (
            np.eye(size) if covariance is None else _checks.array("covariance", covariance, (size, size), double)
        )
        self._factor = covariance_factor("covariance", self.covariance)

    def __repr__(self) -> str:
        return f"GaussianNeurons(outputs={self.outputs}, inputs={self.inputs})"

    @property
    def number_of_normals(self) -> int:
        """How many standard normals `from_normals` turns into one neuron."""
        return len(self.mean)

    def from_normals(self, normals: jax.Array, factor: np.ndarray | None = None) -> NeuronMeasure:
        """Map standard normals, shape (N, outputs + inputs + 1), to the uniform measure on N neurons.

        ``factor`` replaces the factor of the covariance by another one, which says which normal drives what.
        """
        factor = self._factor if factor is None else factor
        dtype = normals.dtype
        joint = normals @ jnp.asarray(factor.T, dtype) + jnp.asarray(self.mean, dtype)[None, :]
        return NeuronMeasure(
            masses=jnp.full(len(joint), 1 / len(joint), dtype),
            outgoing=joint[:, : self.outputs],
            incoming=joint[:, self.outputs : -1],
            bias=joint[:, -1],
        )

    def in_axes(self, outgoing: np.ndarray | None = None, incoming: np.ndarray | None = None) -> GaussianNeurons:
        """Return the law of the coordinates of the weights along orthonormal axes, in the columns of (d, r) arrays.

        With fewer axes than dimensions it is the marginal law of these coordinates.
        """
        blocks = [
            np.eye(size) if axes is None else axes.T
            for size, axes in ((self.outputs, outgoing), (self.inputs, incoming), (1, None))
        ]
        turn = np.asarray(block_diag(*blocks))
        return GaussianNeurons(
            len(blocks[0]), len(blocks[1]), mean=turn @ self.mean, covariance=turn @ self.covariance @ turn.T
        )

    def factor_leading(self, leading: Literal["outgoing", "incoming"]) -> np.ndarray:
        """Return a factor of the covariance whose first normals drive the weight named, the next the bias."""
        order = np.arange(self.number_of_normals)
        v, w, b = order[: self.outputs], order[self.outputs : -1], order[-1:]
        order = np.concatenate([v, b, w] if leading == "outgoing" else [w, b, v])
        return covariance_factor("covariance", self.covariance, np.eye(len(order))[:, order])

    def sample(self, key: jax.Array, count: int) -> NeuronMeasure:
        """Return the uniform measure on ``count`` independent neurons, in JAX's precision of the moment."""
        return self.from_normals(jax.random.normal(key, (count, self.number_of_normals)))

    def second_moments(self) -> np.ndarray:
        """Return E (v, w)(v, w)ᵀ of (outgoing, incoming), without the bias."""
        return (self.covariance + np.outer(self.mean, self.mean))[:-1, :-1]

    @property
    def outgoing_is_noise(self) -> bool:
        """Whether the outgoing weight has mean 0 and is independent of (incoming, bias)."""
        cross = self.covariance[: self.outputs, self.outputs :]
        return not cross.any() and not self.mean[: self.outputs].any()


@dataclass(frozen=True)
class SampledNeurons(NeuronLaw):
    """A law given by its own sampler.

    Args:
        sampler: ``sampler(key, n)`` returns (outgoing, incoming, bias) of n independent neurons, of shapes
            (n, outputs), (n, inputs) and (n,), written with JAX.
        outputs, inputs: dimensions of the outgoing and the incoming weight.

    Such a law is drawn from at random only: Sobol' points need `GaussianNeurons`.

    Example:
        >>> import isthmus as im
        >>> import jax
        >>> def signs(key, n):
        ...     s = jax.random.rademacher(key, (n, 3)).astype(float)
        ...     return s[:, :1], s, 0 * s[:, 0]
        >>> im.SampledNeurons(signs, outputs=1, inputs=3).outputs
        1

    """

    sampler: Callable[[jax.Array, int], tuple[jax.Array, jax.Array, jax.Array]]
    outputs: int
    inputs: int

    def __post_init__(self) -> None:
        _checks.function("sampler", self.sampler)
        _checks.integer("outputs", self.outputs, minimum=1)
        _checks.integer("inputs", self.inputs, minimum=1)

    def sample(self, key: jax.Array, count: int) -> NeuronMeasure:
        """Return the uniform measure on ``count`` independent neurons, in JAX's precision of the moment."""
        drawn = _checks.called("sampler", lambda: [jnp.asarray(part, float) for part in self.sampler(key, count)])
        if len(drawn) != 3:
            what = _checks.described(f"one that returns {len(drawn)}")
            _checks.refuse("sampler", "return three arrays (outgoing, incoming, bias)", what)
        outgoing, incoming, bias = drawn
        shapes = (outgoing.shape, incoming.shape, bias.shape)
        wanted = ((count, self.outputs), (count, self.inputs), (count,))
        if shapes != wanted:
            _checks.refuse("sampler", f"return arrays of shapes {wanted}", _checks.described(f"of shapes {shapes}"))
        return NeuronMeasure(jnp.full(count, 1 / count), outgoing, incoming, bias)


class Correction(ABC):
    """What is done to drawn networks before they start: a function of their measures alone, so that it has a limit.

    It must not depend on the order of neurons or on their number but through the measures, and be differentiable in
    the masses, so that its limit is what it does to the law itself.
    """

    @abstractmethod
    def of(self, network: Autoencoder) -> Autoencoder:
        """Return a network of NumPy arrays, in double precision, with its measures corrected."""

    @abstractmethod
    def pulled_back(self, network: Autoencoder, cotangents: Autoencoder) -> Autoencoder:
        """Return cotangents at a network from those at its correction, with leading axes, in double precision."""

    @abstractmethod
    def in_axes(self, basis: np.ndarray) -> Correction:
        """Return the same in the coordinates along orthonormal axes, in the columns of a (d, r) array."""


@dataclass(frozen=True)
class Law:
    """The pair of initial laws ρ_0 of the encoder's neurons and ν_0 of the decoder's.

    ``activations`` names the activations for which an aligned law was calibrated, None where any will do.
    ``correction`` is done to drawn neurons of any number, None for nothing.

    Example:
        >>> import isthmus as im
        >>> law = im.Law(im.GaussianNeurons(outputs=2, inputs=64), im.GaussianNeurons(outputs=64, inputs=2))
        >>> law.latent_dim, law.dim
        (2, 64)

    """

    encoder: NeuronLaw
    decoder: NeuronLaw
    activations: tuple[str, str] | None = None
    correction: Correction | None = None

    def __post_init__(self) -> None:
        _checks.instance("encoder", self.encoder, NeuronLaw)
        _checks.instance("decoder", self.decoder, NeuronLaw)
        if self.correction is not None:
            _checks.instance("correction", self.correction, Correction)
        for ours, theirs, what in (
            (self.decoder.inputs, self.encoder.outputs, "inputs equal to the encoder's outputs"),
            (self.decoder.outputs, self.encoder.inputs, "outputs equal to the encoder's inputs"),
        ):
            if ours != theirs:
                _checks.refuse("decoder", f"have {what}, {theirs}", ours)

    @property
    def latent_dim(self) -> int:
        """The dimension k of the bottleneck."""
        return self.encoder.outputs

    @property
    def dim(self) -> int:
        """The dimension d of the data."""
        return self.encoder.inputs


def independent_law(
    data_dim: int,
    latent_dim: int,
    *,
    outgoing_scale: float = 1.0,
    incoming_scale: float = 1.0,
    bias_scale: float = 0.0,
) -> Law:
    """Return the law under which all weights are independent centred Gaussians with these standard deviations.

    With centred data its mean-field limit is trivial: the flow never moves from x̂ = 0, and finite networks leave
    only after a time that grows as log N. `aligned_law` is the one whose limit moves.

    Example:
        >>> import isthmus as im
        >>> im.independent_law(64, 2).latent_dim
        2

    """
    latent_dim, data_dim = _dimensions(latent_dim, data_dim)
    scales = {
        "outgoing_scale": outgoing_scale,
        "incoming_scale": incoming_scale,
        "bias_scale": bias_scale,
    }
    variances = [_checks.scale(name, value, minimum=0) ** 2 for name, value in scales.items()]
    _checks.memory("data_dim", data_dim, 8 * (latent_dim + data_dim + 1) ** 2)
    return Law(
        GaussianNeurons(latent_dim, data_dim, covariance=np.diag(np.repeat(variances, (latent_dim, data_dim, 1)))),
        GaussianNeurons(data_dim, latent_dim, covariance=np.diag(np.repeat(variances, (data_dim, latent_dim, 1)))),
    )


def aligned_law(
    data: Data,
    latent_dim: int,
    *,
    activation: str | Activation | tuple[str | Activation, str | Activation] = "tanh",
    strength: float = 0.5,
    preactivation_scale: float = 0.7,
    bias_scale: float = 0.5,
    outgoing_noise: float = 0.1,
) -> Law:
    r"""Return a Gaussian law whose network at time 0 is ``strength`` times the PCA reconstruction.

    With V (d, k) the leading principal directions, incoming weights and biases are independent Gaussians and

        a = α Vᵀw + noise,    c = β V u + noise,

    so that by Stein's lemma f(x) = α σ_w² E[φ′(⟨w, x⟩ + b)] Vᵀx and g(z) = β σ_u² E[φ′(⟨u, z⟩ + e)] V z.
    α and β are set so that f(x) is √strength Vᵀx and g(f(x)) is strength VVᵀx in the least-squares sense over the
    data. For linear, ReLU, softplus and GELU this holds at every point, exactly. For tanh, erf and sigmoid the slope
    E φ′ depends on ‖x‖, and what is left over adds to the risk in proportion to ``preactivation_scale`` to the fourth
    power (at strength 1 on digits with tanh and k=2, 0.5 % of the PCA residual at 0.7, 0.004 % at 0.2).

    Args:
        data: centred data of dimension d.
        latent_dim: k, at most d.
        activation: the activation for which α and β are computed, or a pair (encoder, decoder).
        strength: fraction of the PCA reconstruction, in [0, 1]. At 0 the limit is trivial; 1 starts at PCA.
        preactivation_scale: root mean square of ⟨w, x⟩ over law and data, and of ⟨u, Vᵀx⟩ likewise.
        bias_scale: standard deviation of the biases.
        outgoing_noise: standard deviation of the independent part of each outgoing weight.

    Raises:
        ArgumentError: where the data isn't centred or has fewer than k directions of positive variance.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("digits", max_points=200)
        >>> im.aligned_law(data, latent_dim=2, activation="relu").dim
        64

    """
    _checks.instance("data", data, Data)
    latent_dim, _ = _dimensions(latent_dim, data.dim)
    strength = _checks.real("strength", strength, minimum=0, maximum=1)
    preactivation_scale = _checks.scale("preactivation_scale", preactivation_scale, above=0)
    bias_scale = _checks.scale("bias_scale", bias_scale, minimum=0)
    outgoing_noise = _checks.scale("outgoing_noise", outgoing_noise, minimum=0)
    encoder_activation, decoder_activation = activation_pair(activation)
    total = float(data.principal_variances.sum())
    if not data.is_centred:
        size = _checks.described(f"off centre by {np.linalg.norm(data.mean):.3g}")
        _checks.refuse("data", "be centred for an aligned law", size, "use Data(points, center=True)")
    captured = data.principal_variances[:latent_dim]
    if captured[-1] <= 1e-12 * total:
        _checks.refuse("latent_dim", f"be at most the rank of the data {data.rank}", latent_dim)
    sides = alignment(
        data.filled.astype(float),
        data.weights.astype(float),
        data.pca(latent_dim),
        (encoder_activation, decoder_activation),
        strength,
        preactivation_scale,
        bias_scale,
    )
    encoder, decoder = (side.law(bias_scale, outgoing_noise) for side in sides)
    return Law(encoder, decoder, (encoder_activation.name, decoder_activation.name))


class AlignedSide(NamedTuple):
    """How the outgoing weights of one side follow from the incoming ones, v = slope w + noise.

    Attributes:
        slope: shape (outputs, inputs).
        variances: of the incoming weights, shape (inputs,).

    """

    slope: np.ndarray
    variances: np.ndarray

    def draw(self, random: np.random.Generator, count: int, bias_scale: float, noise: float) -> NeuronMeasure:
        """Return the uniform measure on independent neurons of the law."""
        outputs, inputs = self.slope.shape
        w = np.sqrt(self.variances) * random.standard_normal((count, inputs))
        v = w @ self.slope.T + noise * random.standard_normal((count, outputs))
        return NeuronMeasure.of(v, w, bias_scale * random.standard_normal(count))

    def law(self, bias_scale: float, noise: float) -> GaussianNeurons:
        """Return the Gaussian law of (v, w, b), for which Stein's factor is the gain."""
        outputs, inputs = self.slope.shape
        covariance = np.zeros((outputs + inputs + 1,) * 2)
        across = self.slope * self.variances
        covariance[:outputs, :outputs] = across @ self.slope.T + noise**2 * np.eye(outputs)
        covariance[:outputs, outputs:-1] = across
        covariance[outputs:-1, :outputs] = across.T
        covariance[outputs:-1, outputs:-1] = np.diag(self.variances)
        covariance[-1, -1] = bias_scale**2
        return GaussianNeurons(outputs, inputs, covariance=covariance)


def alignment(
    points: np.ndarray,
    weights: np.ndarray,
    code: LinearCode,
    activations: tuple[Activation, Activation],
    strength: float,
    preactivation_scale: float,
    bias_scale: float,
    spread: np.ndarray | None = None,
) -> tuple[AlignedSide, AlignedSide]:
    """Return encoder and decoder of `aligned_law` for centred points, shape (n, d), and their PCA.

    The variances of the encoder's incoming weights are in proportion to ``spread``, shape (d,), equal if left out.
    """
    encoder_activation, decoder_activation = activations
    components = points @ code.encoding
    spread = np.ones(points.shape[1]) if spread is None else spread
    square_sizes = points**2 @ spread
    encoder_variances = preactivation_scale**2 / float(weights @ square_sizes) * spread
    decoder_variance = preactivation_scale**2 / float(weights @ (components**2).sum(axis=1))
    shape = components * encoder_activation.mean_slope(points**2 @ encoder_variances + bias_scale**2)[:, None]
    encoder_gain = np.sqrt(strength) * _coefficient(components, shape, weights)
    latents = encoder_gain * shape
    square_norms = (latents**2).sum(axis=1)
    shape = latents * decoder_activation.mean_slope(decoder_variance * square_norms + bias_scale**2)[:, None]
    decoder_gain = strength * _coefficient(components, shape, weights) if strength > 0 else 0.0
    return (
        AlignedSide(encoder_gain * code.encoding.T / encoder_variances, encoder_variances),
        AlignedSide(decoder_gain / decoder_variance * code.directions, np.full(components.shape[1], decoder_variance)),
    )


def _coefficient(target: np.ndarray, shape: np.ndarray, weights: np.ndarray) -> float:
    """Return the number by which ``shape`` must be multiplied so that its projection on ``target`` is ``target``."""
    return float((weights @ (target * target)).sum() / (weights @ (target * shape)).sum())


def _dimensions(latent_dim: int, data_dim: int) -> tuple[int, int]:
    data_dim = _checks.integer("data_dim", data_dim, minimum=1)
    return _checks.integer("latent_dim", latent_dim, 1, data_dim, "the data dimension"), data_dim
