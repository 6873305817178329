"""Where the estimator starts: neurons of an aligned law that are brought to the PCA reconstruction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from isthmus.core.activations import Activation
from isthmus.core.laws import AlignedSide, Law, alignment
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.pca_start import PCAStart
from isthmus.estimator.judge import DOUBLE, Judge

BIAS, NOISE = 0.5, 0.1
"""Standard deviations of the biases, and of the independent part of outgoing weights, at the start."""


@dataclass(frozen=True)
class Start:
    """What the start is made from.

    Attributes:
        sample: points, in the units of the computation, on which it is brought to PCA.
        components: the principal directions, shape (k, d).
        activations: of encoder and decoder.
        preactivation_scale: root mean square of ⟨w, x⟩.

    """

    sample: Judge
    components: np.ndarray
    activations: tuple[Activation, Activation]
    preactivation_scale: float

    def on_fewer(self, points: int) -> Start:
        """Return the start on so many of the points, at most."""
        return replace(self, sample=self.sample.on_fewer(points))

    @property
    def law(self) -> Law:
        """The law of the neurons at the start, whatever their number."""
        encoder, decoder = (side.law(BIAS, NOISE) for side in self._sides)
        return Law(encoder, decoder, (self.activations[0].name, self.activations[1].name), self.correction)

    @property
    def correction(self) -> PCAStart:
        """What brings drawn neurons to PCA."""
        return PCAStart(self.sample.points.astype(DOUBLE), self.sample.weights, self.components.T)

    def aligned(self, random: np.random.Generator, width: int) -> tuple[NeuronMeasure, ...]:
        """Return encoder and decoder of neurons drawn from the law, not corrected yet."""
        return tuple(side.draw(random, width, BIAS, NOISE) for side in self._sides)

    def independent(self, random: np.random.Generator, width: int) -> tuple[NeuronMeasure, ...]:
        """Return encoder and decoder of independent weights, with incoming ones as large as those of the law."""
        return tuple(side._replace(slope=0 * side.slope).draw(random, width, BIAS, 1.0) for side in self._sides)

    @cached_property
    def _sides(self) -> tuple[AlignedSide, AlignedSide]:
        points, weights = self.sample.points.astype(DOUBLE), self.sample.weights
        return alignment(points, weights, self.components.T, self.activations, 1.0, self.preactivation_scale, BIAS)
