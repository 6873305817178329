"""What jobs find, in terms of JSON and arrays."""

from __future__ import annotations

from isthmus._errors import Status
from isthmus._packing import Packer
from isthmus.core.activations import ACTIVATIONS
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.dynamics.results import MeanFieldPath, TrainingRuns
from isthmus.theory.certificates import Certificate
from isthmus.theory.expressivity import Expressivity
from isthmus.theory.finite_width_law import FiniteWidthLaw
from isthmus.theory.noise_sources import Influence
from isthmus.theory.optimum import Optimum
from isthmus.theory.prediction import Noise

KINDS = (
    *(Autoencoder, NeuronMeasure, Status),
    *(MeanFieldPath, TrainingRuns),
    *(Certificate, Expressivity, Optimum),
    *(FiniteWidthLaw, Influence, Noise),
)
"""Whose fields may be packed, and who may be made of them."""
RESULTS = Packer(KINDS, ACTIVATIONS)
"""Packs the results of jobs."""
