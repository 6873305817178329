r"""How far from optimal a pair of measures is: duality gap of the decoder, first-order optimality of the encoder.

With penalties, first variations of the objective are Φ(θ) = Ψ(θ) + (λ/2)|θ|². Given the encoder, F is convex in ν, and
for every ν* and every s > 0

    F(ν) − F(ν*) ≤ (1 − s)² R + s ∫Ψ dν + (λ/2)∫|ω|² dν − min_ω [sΨ(ω) + (λ/2)|ω|²],

which is the duality gap, with the residual scaled by s for the dual variable. At s = 1 it is ∫Φ dν − min Φ. Where Ψ
falls along rays, as for ReLU, the minimum exists only up to a certain s, and the largest one serves: so the bound stays
sharp as the penalty goes to 0. In the encoder F is not convex; there the gap of Φ_E says how fast F falls, at first
order, when mass is moved to better neurons, along rays at most as far as the penalty stays what it is.

Where preactivations of the decoder lie at a kink of φ, Dg has no single value there; of those in the subdifferential
one is taken by which the bound on the encoder is small (`isthmus.theory.slopes_at_kinks`).

Source: the duality gap of conditional-gradient methods, Jaggi, Proceedings of the 30th International Conference on
Machine Learning (2013), for F over measures; scaled dual points, as for the lasso in El Ghaoui, Viallon and Rabbani,
Pacific Journal of Optimization 8 (2012).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from isthmus._display import Summary
from isthmus._words import counted, number
from isthmus.core.autoencoder import Autoencoder, features, residuals, squares
from isthmus.core.neurons import NeuronMeasure
from isthmus.dynamics.field import VectorField
from isthmus.theory.hessian import Lines
from isthmus.theory.hessian import slopes as gradients
from isthmus.theory.kinks import has_kink, softened, with_soft_kinks
from isthmus.theory.landscape import Landscape
from isthmus.theory.lowest_neurons import Side
from isthmus.theory.positions import alive_with_lines
from isthmus.theory.slopes_at_kinks import SlopesAtKinks
from isthmus.theory.variation_gaps import Linearised

SOFTNESS = 1e-6
"""Distance from a kink, relative to the size of neurons, within which a preactivation lies on it."""
CUTS = 20
"""Times that the slopes of the decoder on kinks are chosen anew, at most, by the neurons found so far."""


@dataclass(frozen=True, repr=False)
class Certificate(Summary):
    """What is known of the distance of an `Optimum` from the global one.

    Attributes:
        decoder_gap: by how much, at most, a better decoder beside this encoder could lower the objective. Where
            ``proven`` is False that holds if the search has found the least first variation.
        decoder_minimum, decoder_mean: min Φ_D and ∫Φ_D dν; for a homogeneous φ the minimum is 0, or −∞ where a neuron
            is worth more than its penalty, unless there is a ball.
        encoder_descent: the rate at which the objective falls when mass is moved to the best neuron; 0 at a
            first-order optimum.
        encoder_minimum, encoder_mean: min Φ_E and ∫Φ_E dρ.
        stationarity: ∫|∇Φ_E|²dρ + ∫|∇Φ_D|²dν.
        starts: points from which minima that aren't enumerated were searched.
        known_optimum: the objective of the global optimum where theory gives it (linear activations), else None; then
            gap and descent are at most the distance from it.
        proven: whether the decoder's gap is a bound up to rounding, rather than one found by a search.
        curvature: the least eigenvalue of the objective's Hessian over positions and masses of all atoms, relative to
            the largest one: 0 to rounding where no move lowers the objective at second order. None where there are too
            many variables.

    Example:
        >>> import isthmus as im
        >>> certificate = im.Certificate(3e-7, -0.05, -0.05, 2e-7, -0.04, -0.04, 1e-12, starts=1024)
        >>> objective = 0.2  # of the optimum to which the certificate belongs
        >>> max(certificate.decoder_gap, certificate.encoder_descent) <= 1e-5 * objective, certificate.proven
        (True, False)

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
    proven: bool = False
    curvature: float | None = None

    def _lines(self) -> list[tuple[str, object]]:
        how = "proven" if self.proven else f"by a search from {counted(self.starts, 'start')}"
        known = [("known optimum", self.known_optimum), ("curvature", self.curvature)]
        return [
            ("decoder gap", f"at most {number(self.decoder_gap)}, {how}"),
            ("encoder descent", f"{number(self.encoder_descent)} (0 at a first-order optimum)"),
            ("stationarity", number(self.stationarity)),
            *((name, number(value)) for name, value in known if value is not None),
        ]

    @property
    def worst(self) -> float:
        """The larger of the decoder's gap and the encoder's descent."""
        return max(self.decoder_gap, self.encoder_descent)

    def meets(self, objective: float, tolerance: float) -> bool:
        """Return whether gap and descent lie within a tolerance, relative to the objective."""
        return self.worst <= tolerance * objective

    def beside(self, known_optimum: float | None, objective: float) -> Certificate:
        """Return the certificate of a network of this ``objective`` where ``known_optimum`` is given, else itself."""
        if known_optimum is None:
            return self
        distance = max(0.0, objective - known_optimum)
        return dataclasses.replace(
            self,
            decoder_gap=min(self.decoder_gap, distance),
            encoder_descent=min(self.encoder_descent, distance),
            known_optimum=known_optimum,
            proven=True,
        )


def certified(
    network: Autoencoder,
    landscape: Landscape,
    starts: int,
    seed: int,
    softness: float | None = None,
    slack: float | None = None,
    enough: float = 0.0,
    soft: bool = False,
    lines: Lines = (None, None),
) -> tuple[Certificate, tuple[NeuronMeasure, NeuronMeasure]]:
    """Return the certificate of a network, and the neurons of smallest first variation on each side, best first.

    Args:
        network: in the coordinates of the landscape.
        landscape: the objective.
        starts: points from which each minimum is searched.
        seed: of these points.
        softness: of kinks where ``soft``, and else the distance within which preactivations lie on them.
        slack: by how much a proof of the decoder's gap may exceed it, where φ is smooth; None for no such proof.
        enough: a gap that need not be bounded more sharply.
        soft: whether all is of the network with softened kinks.
        lines: slopes in place of φ by which the network is stationary, where these are known.

    """
    field, kinky = landscape.field, not soft and has_kink(network.decoder_activation)
    softness = landscape.softness(network, SOFTNESS) if softness is None else softness
    latents, pulls, stationarity = jax.tree.map(np.asarray, _first_order(field, network, softness, soft))
    if landscape.radius is None and min(field.motion.decays) == 0:
        return _linear_certificate(network, landscape, latents, float(stationarity))
    alive, known = alive_with_lines(network, lines)
    if any(part is not None for part in known):
        stationarity = _stationarity(field, alive, known)
    size = softness if soft else None
    linearised = _linearised(network, landscape, 1, latents, pulls[1], size, slack, enough)
    decoder, decoder_mean = linearised.found(starts, seed), linearised.mean
    slopes = SlopesAtKinks.of(field, network, latents, pulls[1], softness, lines) if kinky else None
    neurons, tries = [], []
    for cut in range(CUTS if slopes is not None and len(slopes.points) else 1):
        if slopes is not None:
            by = slopes.start if cut == 0 and slopes.start is not None else slopes.least(neurons)
            pulls = slopes.pull(by), pulls[1]
        linearised = _linearised(network, landscape, 0, np.asarray(field.points), pulls[0], size, None, enough)
        tries.append((linearised.found(starts, seed + cut), linearised.mean))
        if tries[-1][0].gap <= enough:
            break
        neurons.append(tries[-1][0].neurons)
    encoder, encoder_mean = min(tries, key=lambda attempt: attempt[0].gap)
    certificate = Certificate(
        decoder_gap=max(0.0, decoder.gap),  # below 0 by rounding
        decoder_minimum=decoder.minimum,
        decoder_mean=decoder_mean,
        encoder_descent=max(0.0, encoder.gap),
        encoder_minimum=encoder.minimum,
        encoder_mean=encoder_mean,
        stationarity=float(stationarity),
        starts=starts,
        proven=decoder.proven,
    )
    return certificate, (encoder.neurons, decoder.neurons)


def _side(network: Autoencoder, landscape: Landscape, index: int, inputs: np.ndarray, pull: np.ndarray) -> Side:
    motion, phi = landscape.field.motion, (network.encoder_activation, network.decoder_activation)[index]
    return Side(inputs, pull, motion.decays[index], phi, motion.train_biases, landscape.radius)


def _linearised(
    network: Autoencoder,
    landscape: Landscape,
    index: int,
    inputs: np.ndarray,
    pull: np.ndarray,
    softness: float | None,
    slack: float | None,
    enough: float,
) -> Linearised:
    """Return what decides how much lower the objective could be by a side, given its inputs and weighted pulls."""
    side = _side(network, landscape, index, inputs, pull)
    measure = (network.encoder, network.decoder)[index]
    masses, sizes = np.asarray(measure.masses), np.asarray(squares(measure, side.train_biases))
    if softness is not None and has_kink(side.activation):
        size = float(np.sqrt(masses @ np.asarray(squares(measure)) / 2))
        side = dataclasses.replace(side, softness=softness / max(size, 1e-3))
        phi = softened(side.activation, softness)
    else:
        phi = side.activation
    felt = (np.asarray(measure.outgoing) @ pull.T * np.asarray(features(measure, phi, inputs))).sum(axis=1)
    values, alive = felt + side.decay / 2 * sizes, masses > 0
    return Linearised(
        side,
        mean=float(masses @ values),
        square=float(masses @ sizes),
        risk=landscape.risk(network) if index == 1 else None,
        values=values[alive],
        sizes=sizes[alive],
        slack=slack,
        enough=enough,
    )


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
    certificate = Certificate(
        gaps[1], best_decoder, risk, gaps[0], best_encoder, risk, stationarity, starts=0, proven=True
    )
    return certificate, (network.encoder, network.decoder)


def _stationarity(field: VectorField, network: Autoencoder, lines: Lines) -> float:
    """Return ∫|∇Φ|² of both sides with lines in place of φ: by the variables √m(v, w, b) the gradient of F is √m ∇Φ."""
    last = None if field.motion.train_biases else -1
    return sum(float(np.square(part[:, 1:last]).sum()) for part in gradients(field, network, 0.0, lines))


@partial(jax.jit, static_argnums=3)
def _first_order(field: VectorField, network: Autoencoder, softness: Any, fully: bool) -> tuple:
    """Return latents, weighted pulls on both sides' outputs, with Dg of softened kinks, and ∫|∇Φ|²."""
    soft = with_soft_kinks(network, softness)
    network = soft if fully else network
    latents = network.encode(field.points)
    pull = field.weights[:, None] * residuals(network.decode(latents), field.points)
    pull_on_latents = jnp.einsum("ndk,nd->nk", soft.jacobian(soft.encode(field.points)), pull)
    return latents, (pull_on_latents, pull), field.dissipation(soft)
