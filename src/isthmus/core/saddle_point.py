r"""The mean-field flow linearised about a dead law, one under which f = 0, g(0) = 0, Dg(0) = 0 and E x = 0.

Small deviations enter through C = E[x f(x)ᵀ] (d × k), J = Dg(0) (d × k) and g_0 = g(0) alone, which obey

    Ċ = ξ_E E_{x,x'} x′ xᵀ J M(x, x′),    M = E[φ(s)φ(s′)] I + E[a aᵀ φ′(s)φ′(s′)] (⟨x, x′⟩ + 1)
    J̇ = ξ_D E[ċ uᵀφ′ + c u̇ᵀφ′ + c uᵀφ″ ė],    ġ_0 = ξ_D E[ċ φ + c φ′ ė]
    ċ = φ′ C u − φ g_0,    u̇ = φ′ Cᵀc,    ė = φ″ cᵀC u − φ′ ⟨c, g_0⟩

with φ, φ′, φ″ of the decoder at its biases e, expectations over the law, and neither "+ 1" nor ė where biases aren't
trained. The risk is R = ½E‖x‖² − ⟨J, C⟩ + ½|g_0|² to second order.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from isthmus import _checks
from isthmus._precision import computing_in
from isthmus.core.activations import Activation
from isthmus.core.data import Data
from isthmus.core.frame import Frame
from isthmus.core.laws import Law
from isthmus.core.neuron_laws import GaussianNeurons
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.quadrature import sobol_particles
from isthmus.core.rates import Rate

DOUBLE = np.dtype(np.float64)


@dataclass(frozen=True)
class SaddlePoint:
    """The linear system of (C, J, g_0), columns of C and J one after the other, and what each neuron adds to them.

    Attributes:
        generator: shape (2dk + d, 2dk + d).
        encoder_parts: each encoder neuron's part of C, shape (N, dk).
        decoder_parts: each decoder neuron's part of (J, g_0), shape (N, dk + d).

    """

    generator: np.ndarray
    encoder_parts: np.ndarray
    decoder_parts: np.ndarray

    @property
    def growth_rate(self) -> float:
        """The largest real part γ of the generator's eigenvalues."""
        return float(np.linalg.eigvals(self.generator).real.max())

    def gain(self, deviations: np.ndarray) -> np.ndarray:
        """Return by how much the risk lies below that of x̂ = 0, for deviations in the last axis."""
        size = self.encoder_parts.shape[1]
        c, j, g = np.split(deviations, [size, 2 * size], axis=-1)
        return (c * j).sum(axis=-1) - (g * g).sum(axis=-1) / 2


def saddle_point(
    data: Data,
    law: Law,
    activations: tuple[Activation, Activation],
    rates: tuple[Rate, Rate],
    train_biases: bool,
    neurons: int,
    seed: int,
) -> SaddlePoint:
    """Return the linear system about a dead law, with expectations over so many neurons (a power of 2).

    Raises:
        ArgumentError: where a rate is a function of time, or Dg(0) has no linear equation.

    """
    for name, rate in zip(("encoder_rate", "decoder_rate"), rates, strict=True):
        if callable(rate):
            _checks.refuse("problem", f"have a constant {name}", _checks.described("a function of time"))
    encoder, decoder = law.encoder, law.decoder
    if not activations[1].smooth:
        hint = "use a smooth one, or train_biases=False with biases of positive variance"
        atom = isinstance(decoder, GaussianNeurons) and decoder.bias_variance == 0
        if train_biases or atom:
            _checks.refuse("problem", "have a decoder activation with a continuous slope", activations[1].name, hint)
    if isinstance(encoder, GaussianNeurons) and isinstance(decoder, GaussianNeurons):
        frame = Frame(data, encoder, decoder)
        data, measures = frame.data, sobol_particles(frame, neurons, seed, 0, DOUBLE)
    else:
        with computing_in(DOUBLE):
            keys = jax.random.split(jax.random.key(seed))
            measures = encoder.sample(keys[0], neurons), decoder.sample(keys[1], neurons)
    constant = (float(rates[0]), float(rates[1]))  # pyright: ignore[reportArgumentType]  (callables were refused)
    return linearised_at_rest(data, *measures, activations, constant, train_biases)


def linearised_at_rest(
    data: Data,
    encoder: NeuronMeasure,
    decoder: NeuronMeasure,
    activations: tuple[Activation, Activation],
    rates: tuple[float, float],
    train_biases: bool,
) -> SaddlePoint:
    """Return the linear system about the law that these neurons represent."""
    points, weights = np.asarray(data.points, float), np.asarray(data.weights, float)
    d, k = points.shape[1], encoder.outputs
    from_j, encoder_parts = _encoder_part(points, weights, encoder, activations[0], train_biases)
    from_c, from_g, g_from_c, g_from_g, decoder_parts = _decoder_part(decoder, activations[1], train_biases)
    size = d * k
    generator = np.zeros((2 * size + d,) * 2)
    c, j, g = slice(0, size), slice(size, 2 * size), slice(2 * size, None)
    generator[c, j] = rates[0] * from_j
    generator[j, c], generator[j, g] = rates[1] * from_c, rates[1] * from_g
    generator[g, c], generator[g, g] = rates[1] * g_from_c, rates[1] * g_from_g
    return SaddlePoint(generator, encoder_parts, decoder_parts)


def _encoder_part(
    points: np.ndarray, weights: np.ndarray, encoder: NeuronMeasure, phi: Activation, train_biases: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix from J to Ċ, and each neuron's part of C."""
    masses, outgoing = np.asarray(encoder.masses, float), np.asarray(encoder.outgoing, float)
    s = np.asarray(encoder.incoming, float) @ points.T + np.asarray(encoder.bias, float)[:, None]
    value, slope = _evaluated(phi.value, s), _evaluated(phi.first, s)
    weighted = points * weights[:, None]
    seen = value @ weighted  # E[x φ(s)] of each neuron
    k = outgoing.shape[1]
    products = points @ points.T + (1.0 if train_biases else 0.0)
    first = seen.T @ (masses[:, None] * seen)

    def block(r: int, column: int) -> np.ndarray:
        kernel = slope.T @ ((masses * outgoing[:, r] * outgoing[:, column])[:, None] * slope)
        return weighted.T @ (kernel * products) @ weighted + (first if r == column else 0.0)

    matrix = np.block([[block(r, column) for r in range(k)] for column in range(k)])
    return matrix, _columns(seen[:, :, None] * outgoing[:, None, :])


def _decoder_part(decoder: NeuronMeasure, phi: Activation, train_biases: bool) -> tuple[np.ndarray, ...]:
    """Return the matrices from C and g_0 to J̇, those to ġ_0, and each neuron's part of (J, g_0)."""
    m, c, u, e = (
        np.asarray(part, float) for part in (decoder.masses, decoder.outgoing, decoder.incoming, decoder.bias)
    )
    value, slope, curvature = (_evaluated(part, e) for part in (phi.value, phi.first, phi.second))
    if not train_biases:
        curvature = np.zeros_like(curvature)
    d, k = c.shape[1], u.shape[1]
    identity = np.eye(d)
    spread = lambda weight: c.T @ ((m * weight)[:, None] * c)  # E[weight c cᵀ]
    by_slope = spread(slope**2)
    moved_by_bias = lambda r, s: spread(curvature**2 * u[:, r] * u[:, s])
    from_c = np.block(
        [
            [
                identity * (m @ (slope**2 * u[:, r] * u[:, s])) + moved_by_bias(r, s) + (by_slope if r == s else 0.0)
                for r in range(k)
            ]
            for s in range(k)
        ]
    )
    crossed = [identity * (m @ (value * slope * u[:, r])) for r in range(k)]
    turned = [spread(slope * curvature * u[:, r]) for r in range(k)]
    from_g = -np.concatenate([a + b for a, b in zip(crossed, turned, strict=True)])
    g_from_c = np.concatenate([a + b for a, b in zip(crossed, turned, strict=True)], axis=1)
    g_from_g = -identity * (m @ value**2) - (by_slope if train_biases else 0.0)
    parts = np.concatenate([_columns(c[:, :, None] * (slope[:, None] * u)[:, None, :]), c * value[:, None]], axis=1)
    return from_c, from_g, g_from_c, g_from_g, parts


def _columns(matrices: np.ndarray) -> np.ndarray:
    """Return (N, d, k) matrices as rows, column by column."""
    return matrices.transpose(0, 2, 1).reshape(len(matrices), -1)


def _evaluated(function, values: np.ndarray) -> np.ndarray:
    with computing_in(DOUBLE):
        return np.asarray(function(jnp.asarray(values)), float)
