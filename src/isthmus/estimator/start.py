"""Where the estimator starts: neurons of an aligned law that are brought to the PCA reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isthmus.core.activations import ACTIVATIONS, Activation
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.laws import AlignedSide, Law, alignment
from isthmus.core.masked_pca import LinearCode
from isthmus.core.neurons import NeuronMeasure
from isthmus.estimator.coordinates import embedded
from isthmus.estimator.pca_start import PCAStart
from isthmus.estimator.samples import EvaluationSample

BIAS = 0.5
"""Standard deviation of the biases at the start."""
NOISE = 0.1
"""Standard deviation of the independent part of outgoing weights at the start."""


@dataclass(frozen=True)
class Start:
    """What the start is made from.

    Attributes:
        sample: points, in the coordinates of the computation, on which it is brought to PCA.
        components: the principal directions, shape (k, r).
        activations: of encoder and decoder.
        preactivation_scale: root mean square of ⟨w, x⟩.
        incoming_variances: of the encoder, up to a factor, shape (r,); None where all are equal.
        encoding: what gives the components where entries are missing, shape (k, r); None for the components.
        axes: orthonormal, shape (r, q), along which incoming weights have these variances; None for those of R^r.

    """

    sample: EvaluationSample
    components: np.ndarray
    activations: tuple[Activation, Activation]
    preactivation_scale: float
    incoming_variances: np.ndarray | None = None
    encoding: np.ndarray | None = None
    axes: np.ndarray | None = None

    @property
    def law(self) -> Law:
        """The law of the neurons at the start, whatever their number."""
        encoder, decoder = (side.law(BIAS, NOISE) for side in self._sides)
        if self.axes is not None:
            encoder, decoder = encoder.in_axes(incoming=self.axes.T), decoder.in_axes(outgoing=self.axes.T)
        return Law(encoder, decoder, self.activations, self.correction)

    @property
    def correction(self) -> PCAStart:
        """What brings drawn neurons to PCA."""
        points, encoding = np.nan_to_num(self.sample.points), None if self.encoding is None else self.encoding.T
        return PCAStart(points, self.sample.weights, self.components.T, encoding)

    def network(self, random: np.random.Generator, width: int) -> Autoencoder:
        """Return a network of neurons drawn from the law, brought to PCA, in double precision."""
        encoder, decoder = self._sides
        sides = encoder.draw(random, width, BIAS, NOISE), decoder.draw(random, width, BIAS, NOISE)
        return self.correction.of(self._autoencoder(sides))

    def independent(self, random: np.random.Generator, width: int) -> Autoencoder:
        """Return a network of independent weights, with incoming ones as large as those of the law."""
        encoder, decoder = (side._replace(slope=0 * side.slope) for side in self._sides)
        sides = encoder.draw(random, width, BIAS, 1.0), decoder.draw(random, width, BIAS, 1.0)
        return self._autoencoder(sides)

    def _autoencoder(self, sides: tuple[NeuronMeasure, NeuronMeasure]) -> Autoencoder:
        network = Autoencoder(*sides, *self.activations)
        return network if self.axes is None else embedded(network, self.axes)

    @cached_property
    def _sides(self) -> tuple[AlignedSide, AlignedSide]:
        points, weights = np.nan_to_num(self.sample.points), self.sample.weights
        code = LinearCode((self.components if self.encoding is None else self.encoding).T, self.components.T)
        if self.axes is not None:
            points, code = points @ self.axes, code.in_axes(self.axes)
        return alignment(
            points, weights, code, self.activations, 1.0, self.preactivation_scale, BIAS, self.incoming_variances
        )


def pca_network(components: np.ndarray, encoding: np.ndarray | None = None) -> Autoencoder:
    """Return PCA as an autoencoder: k linear neurons of mass 1/k on either side.

    Components and encoding have shape (k, d); the encoding is the components where it is left out.
    """
    linear, k = ACTIVATIONS["linear"], len(components)
    encoder = NeuronMeasure.of(k * np.eye(k), components if encoding is None else encoding)  # k/k is 1 without rounding
    decoder = NeuronMeasure.of(k * components, np.eye(k))
    return Autoencoder(encoder, decoder, linear, linear)
