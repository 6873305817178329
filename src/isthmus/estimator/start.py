"""Where the estimator starts: neurons of an aligned law that are brought to the PCA reconstruction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from isthmus.core.activations import ACTIVATIONS, Activation
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.laws import AlignedSide, Law, alignment
from isthmus.core.masked_pca import LinearCode
from isthmus.core.neurons import NeuronMeasure
from isthmus.estimator.coordinates import turned
from isthmus.estimator.judge import Judge
from isthmus.estimator.pca_start import PCAStart

BIAS, NOISE = 0.5, 0.1
"""Standard deviations of the biases, and of the independent part of outgoing weights, at the start."""


@dataclass(frozen=True)
class Start:
    """What the start is made from.

    Attributes:
        sample: points, in the coordinates of the computation, on which it is brought to PCA.
        components: the principal directions, shape (k, r).
        activations: of encoder and decoder.
        preactivation_scale: root mean square of ⟨w, x⟩.
        spread: variances of the encoder's incoming weights, up to a factor, shape (r,); None where all are equal.
        encoding: what gives the components where entries are missing, shape (k, r); None for the components.
        turn: orthonormal axes, (r, q), along which incoming weights have that spread; None for those of r itself.

    """

    sample: Judge
    components: np.ndarray
    activations: tuple[Activation, Activation]
    preactivation_scale: float
    spread: np.ndarray | None = None
    encoding: np.ndarray | None = None
    turn: np.ndarray | None = None

    def on_fewer(self, points: int) -> Start:
        """Return the start on so many of the points, at most."""
        return replace(self, sample=self.sample.on_fewer(points))

    @property
    def law(self) -> Law:
        """The law of the neurons at the start, whatever their number."""
        encoder, decoder = (side.law(BIAS, NOISE) for side in self._sides)
        if self.turn is not None:
            encoder, decoder = encoder.in_axes(incoming=self.turn.T), decoder.in_axes(outgoing=self.turn.T)
        return Law(encoder, decoder, (self.activations[0].name, self.activations[1].name), self.correction)

    @property
    def correction(self) -> PCAStart:
        """What brings drawn neurons to PCA."""
        points, encoding = np.nan_to_num(self.sample.points), None if self.encoding is None else self.encoding.T
        return PCAStart(points, self.sample.weights, self.components.T, encoding)

    def network(self, random: np.random.Generator, width: int, decays: tuple[float, float]) -> Autoencoder:
        """Return a network of neurons drawn from the law, brought to PCA, in double precision."""
        return self.correction.of(self._autoencoder(self._drawn(random, width), decays))

    def independent(self, random: np.random.Generator, width: int, decays: tuple[float, float]) -> Autoencoder:
        """Return a network of independent weights, with incoming ones as large as those of the law."""
        encoder, decoder = (side._replace(slope=0 * side.slope) for side in self._sides)
        sides = encoder.draw(random, width, BIAS, 1.0), decoder.draw(random, width, BIAS, 1.0)
        return self._autoencoder(sides, decays)

    def _drawn(self, random: np.random.Generator, width: int) -> tuple[NeuronMeasure, NeuronMeasure]:
        encoder, decoder = self._sides
        return encoder.draw(random, width, BIAS, NOISE), decoder.draw(random, width, BIAS, NOISE)

    def _autoencoder(self, sides: tuple[NeuronMeasure, NeuronMeasure], decays: tuple[float, float]) -> Autoencoder:
        network = Autoencoder(*sides, *self.activations, True, decays)
        return network if self.turn is None else turned(network, self.turn)

    @cached_property
    def _sides(self) -> tuple[AlignedSide, AlignedSide]:
        points, weights = np.nan_to_num(self.sample.points), self.sample.weights
        code = LinearCode((self.components if self.encoding is None else self.encoding).T, self.components.T)
        if self.turn is not None:
            points, code = points @ self.turn, code.in_axes(self.turn)
        return alignment(points, weights, code, self.activations, 1.0, self.preactivation_scale, BIAS, self.spread)


def pca_network(components: np.ndarray, encoding: np.ndarray | None = None) -> Autoencoder:
    """Return PCA as an autoencoder: k linear neurons of mass 1/k on either side.

    Components and encoding have shape (k, d); the encoding is the components where it is left out.
    """
    linear, k = ACTIVATIONS["linear"], len(components)
    encoder = NeuronMeasure.of(k * np.eye(k), components if encoding is None else encoding)  # k/k is 1 without rounding
    decoder = NeuronMeasure.of(k * components, np.eye(k))
    return Autoencoder(encoder, decoder, linear, linear)
