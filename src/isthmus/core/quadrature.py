"""Nodes for an initial law: the particles with which the mean-field flow is solved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import roots_hermitenorm

from isthmus import _checks
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.covariance import RELATIVE_ROUNDING
from isthmus.core.data import Data
from isthmus.core.frame import Frame
from isthmus.core.neuron_laws import GaussianNeurons
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.sobol import matched, sobol_normals

Quadrature = Literal["sobol", "iid", "gauss_hermite"]
QUADRATURES: tuple[Quadrature, ...] = ("sobol", "iid", "gauss_hermite")

NEURONS_AT_ONCE = 1 << 15
"""Neurons that are made from their normals together."""
LARGEST_SOBOL_SET = 1 << 30
"""The largest number of Sobol' points."""
LARGEST_TENSOR_RULE = 1 << 20
"""The largest number of nodes of a tensor rule on one side."""


@dataclass(frozen=True)
class Particles:
    """Particles that stand for the initial law of a problem.

    Attributes:
        drawn: the autoencoder of these particles before the correction of the law.
        network: where they start.
        population: the points, in the coordinates of the particles.
        frame: these coordinates, None for those of the data.
        seed: of the components outside the frame.

    """

    drawn: Autoencoder
    network: Autoencoder
    population: Data
    frame: Frame | None
    seed: int

    def lifted(self, network: Autoencoder) -> Autoencoder:
        """Return a network that began as these particles in the coordinates of the data; leading axes may be there."""
        return network if self.frame is None else self.frame.lifted(network, self.network, self.seed)


def check_quadrature(quadrature: Quadrature, particles: int) -> None:
    """Refuse an unknown rule, and a number of Sobol' points that isn't a power of 2."""
    _checks.choice("quadrature", quadrature, QUADRATURES)
    if quadrature == "sobol" and particles > LARGEST_SOBOL_SET:
        _checks.refuse("particles", f"be at most {LARGEST_SOBOL_SET:,} for quadrature='sobol'", particles)
    if quadrature == "sobol" and particles & (particles - 1):
        lower = 1 << (particles.bit_length() - 1)
        hint = f"try {lower} or {2 * lower}"
        _checks.refuse("particles", "be a power of 2 for quadrature='sobol'", particles, hint)


def sobol_particles(
    frame: Frame, count: int, seed: int, replicate: int, dtype: np.dtype
) -> tuple[NeuronMeasure, NeuronMeasure]:
    """Return encoder and decoder particles at scrambled Sobol' points with matched moments.

    The earlier coordinates of a Sobol' set are the more uniform. They drive the side of the bottleneck and the bias,
    then the principal directions of the data in order. Then the sample mean and covariance of the standard normals are
    made exact, which makes the initial second moments exact, and with them the whole path where φ is linear.
    Replicates are independent scramblings.
    """
    seeds = np.random.SeedSequence([seed, replicate]).spawn(2)
    sides = (
        (frame.encoder, frame.encoder.factor_leading("outgoing")),
        (frame.decoder, frame.decoder.factor_leading("incoming")),
    )
    encoder, decoder = (
        _measure(law, matched(sobol_normals(law.number_of_normals, count, np.random.default_rng(child))), factor, dtype)
        for (law, factor), child in zip(sides, seeds, strict=True)
    )
    return encoder, decoder


def gauss_hermite_particles(frame: Frame, count: int, dtype: np.dtype) -> tuple[NeuronMeasure, NeuronMeasure]:
    """Return encoder and decoder particles at tensor Gauss–Hermite nodes with their masses, at most ``count`` a side.

    Raises:
        ArgumentError: where the law has too many parameters that vary for 3 nodes in each direction.

    """
    encoder, decoder = (_tensor_measure(law, count, dtype) for law in (frame.encoder, frame.decoder))
    return encoder, decoder


def _tensor_measure(law: GaussianNeurons, count: int, dtype: np.dtype) -> NeuronMeasure:
    scales = np.sqrt(np.diag(law.covariance))
    units = np.where(scales > 0, scales, 1.0)  # weights of different units have different sizes
    values, vectors = np.linalg.eigh(law.covariance / np.outer(units, units))
    varying = values > RELATIVE_ROUNDING * max(values[-1], 1e-300)
    dim = int(varying.sum())
    limit = min(count, LARGEST_TENSOR_RULE)
    nodes_a_side = int(np.floor(limit ** (1 / dim) + 1e-9)) if dim else 1
    if dim and nodes_a_side < 3:
        least = f"{3**dim:,}" if dim <= 40 else f"3^{dim}"
        hint = (
            f"set particles to at least {least}"
            if dim <= 12
            else f"at least {least} nodes would be needed; use quadrature='sobol'"
        )
        described = _checks.described(f"'gauss_hermite' with {dim} parameters a neuron and at most {limit:,} nodes")
        _checks.refuse("quadrature", "have at least 3 nodes for each parameter that varies", described, hint)
    roots, weights = roots_hermitenorm(nodes_a_side)
    weights = weights / weights.sum()
    grids = np.meshgrid(*[roots] * dim, indexing="ij")
    normals = np.stack([grid.ravel() for grid in grids], axis=1) if dim else np.zeros((1, 0))
    masses = np.ones(1)
    for _ in range(dim):
        masses = np.outer(masses, weights).ravel()
    factor = units[:, None] * (vectors * np.sqrt(np.maximum(values, 0)))[:, varying]
    return _measure(law, normals, factor, dtype, masses)


def _measure(
    law: GaussianNeurons, normals: np.ndarray, factor: np.ndarray, dtype: np.dtype, masses: np.ndarray | None = None
) -> NeuronMeasure:
    """Map normals to neurons, a few at a time, so that no second copy of all is made in double precision."""
    joint = np.empty((len(normals), len(law.mean)), dtype)
    for rows in range(0, len(normals), NEURONS_AT_ONCE):
        joint[rows : rows + NEURONS_AT_ONCE] = normals[rows : rows + NEURONS_AT_ONCE] @ factor.T + law.mean
    masses = np.full(len(joint), 1 / len(joint)) if masses is None else masses
    v, w = law.outputs, law.outputs + law.inputs
    return NeuronMeasure.of(joint[:, :v], joint[:, v:w], joint[:, w], masses.astype(dtype))
