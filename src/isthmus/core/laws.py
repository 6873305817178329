"""Pairs of initial laws: where the mean-field flow starts, and what the neurons of a finite network are drawn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import roots_hermitenorm

from isthmus import _checks
from isthmus._display import Summary
from isthmus._precision import computing_in
from isthmus.core.activations import Activation, activation_pair
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data, as_finite_data
from isthmus.core.masked_pca import LinearCode
from isthmus.core.neuron_laws import GaussianNeurons, NeuronLaw, linear_neurons
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.scaling import DOUBLE

SLOPE_NODES = 64
"""Of the Gaussian quadrature by which a mean slope is told from 0."""
FLAT_SLOPE = 1e-3
"""Relative to its root mean square, a mean slope below this would need outgoing weights a thousand times as large."""


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


@dataclass(frozen=True, repr=False)
class Law(Summary):
    """The pair of initial laws ρ_0 of the encoder's neurons and ν_0 of the decoder's.

    ``activations`` are those for which an aligned law was calibrated, None where any will do.
    ``correction`` is done to drawn neurons of any number, None for nothing.

    Example:
        >>> import isthmus as im
        >>> law = im.Law(im.GaussianNeurons(outputs=2, inputs=64), im.GaussianNeurons(outputs=64, inputs=2))
        >>> law.latent_dim, law.dim
        (2, 64)

    """

    encoder: NeuronLaw
    decoder: NeuronLaw
    activations: tuple[Activation, Activation] | None = None
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

    def _lines(self) -> list[tuple[str, object]]:
        made = "any" if self.activations is None else " and ".join(phi.name for phi in self.activations)
        return [
            ("bottleneck", f"{self.dim} → {self.latent_dim} → {self.dim}"),
            ("encoder", repr(self.encoder)),
            ("decoder", repr(self.decoder)),
            ("activations", made),
        ]

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

    Args:
        data_dim: d.
        latent_dim: k, at most d.
        outgoing_scale, incoming_scale, bias_scale: standard deviations of outgoing weights, incoming weights and
            biases, the same for encoder and decoder.

    Example:
        >>> import isthmus as im
        >>> im.independent_law(64, 2).latent_dim
        2

    """
    latent_dim, data_dim = _dimensions(latent_dim, data_dim)
    outgoing_scale = _checks.scale("outgoing_scale", outgoing_scale, minimum=0)
    incoming_scale = _checks.scale("incoming_scale", incoming_scale, minimum=0)
    bias_scale = _checks.scale("bias_scale", bias_scale, minimum=0)
    _checks.memory("data_dim", data_dim, 8 * latent_dim * data_dim)
    encoder, decoder = (
        linear_neurons(np.zeros(shape), np.full(shape[1], incoming_scale**2), outgoing_scale, bias_scale)
        for shape in ((latent_dim, data_dim), (data_dim, latent_dim))
    )
    return Law(encoder, decoder)


def aligned_law(
    data: Data | ArrayLike,
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
    data. For linear, ReLU, leaky ReLU, softplus and GELU this holds at every point, exactly. For tanh, erf and sigmoid
    the slope E φ′ depends on ‖x‖, and what is left over adds to the risk in proportion to ``preactivation_scale`` to
    the fourth power (at strength 1 on digits with tanh and k=2, 0.5 % of the PCA residual at 0.7, 0.004 % at 0.2).

    Args:
        data: centred data of dimension d; an array or a frame is centred and scaled as by ``Data(data, center=True,
            scale="total")``.
        latent_dim: k, at most d.
        activation: the activation for which α and β are computed, or a pair (encoder, decoder).
        strength: fraction of the PCA reconstruction, in [0, 1]. At 0 the limit is trivial; 1 starts at PCA.
        preactivation_scale: root mean square of ⟨w, x⟩ over law and data, and of ⟨u, Vᵀx⟩ likewise.
        bias_scale: standard deviation of the biases.
        outgoing_noise: standard deviation of the independent part of each outgoing weight, relative to the root mean
            square distance of the points from their mean.

    Raises:
        ArgumentError: where the data isn't centred or has fewer than k directions of positive variance, or the slope
            of an activation averages to 0, as that of even functions does.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("digits", max_points=200)
        >>> im.aligned_law(data, latent_dim=2, activation="relu").dim
        64

    """
    data = as_finite_data("data", data)
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
        swamped = np.count_nonzero(np.ptp(data.filled, axis=0)) > data.rank < data.size - 1
        hint = "scale='features' where one column is so large that others are lost beside it" if swamped else ""
        _checks.refuse("latent_dim", f"be at most the rank of the data {data.rank}", latent_dim, hint)
    sides = alignment(
        data.filled.astype(float),
        data.weights.astype(float),
        data.pca(latent_dim),
        (encoder_activation, decoder_activation),
        strength,
        preactivation_scale,
        bias_scale,
    )
    encoder, decoder = (side.law(bias_scale, outgoing_noise * np.sqrt(total)) for side in sides)
    return Law(encoder, decoder, (encoder_activation, decoder_activation))


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
        return linear_neurons(self.slope, self.variances, noise, bias_scale)


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
    for activation in activations:
        _require_mean_slope(activation, float(np.hypot(preactivation_scale, bias_scale)))
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


def _require_mean_slope(activation: Activation, deviation: float) -> None:
    """Refuse an activation whose slope averages to 0 over centred Gaussians, so that no alignment helps."""
    if _has_flat_mean(activation, deviation):
        _checks.refuse(
            "activation",
            "have a mean slope other than 0 over Gaussian preactivations for an aligned law",
            activation.name,
            "even functions have none; add a linear part, or use independent_law",
        )


@lru_cache(maxsize=256)  # estimators ask for the same again and again
def _has_flat_mean(activation: Activation, deviation: float) -> bool:
    nodes, weights = roots_hermitenorm(SLOPE_NODES)
    with computing_in(DOUBLE):
        slopes = np.asarray(activation.first(jnp.asarray(deviation * nodes)))
    return bool(abs(weights @ slopes) < FLAT_SLOPE * np.sqrt(weights.sum() * (weights @ slopes**2)))


def _coefficient(target: np.ndarray, shape: np.ndarray, weights: np.ndarray) -> float:
    """Return the number by which ``shape`` must be multiplied so that its projection on ``target`` is ``target``."""
    return float((weights @ (target * target)).sum() / (weights @ (target * shape)).sum())


def _dimensions(latent_dim: int, data_dim: int) -> tuple[int, int]:
    data_dim = _checks.integer("data_dim", data_dim, minimum=1)
    return _checks.integer("latent_dim", latent_dim, 1, data_dim, "the data dimension"), data_dim
