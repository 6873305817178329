"""Which parts of a network do its work: neurons, directions of features, and latent dimensions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from isthmus._precision import computing_in
from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure

DOUBLE = np.dtype(np.float64)
RANK = 1e-6
"""Share of the features' second moment from which on a direction counts: an amplitude of a thousandth."""


class Activity(NamedTuple):
    """What works in a network.

    Attributes:
        neurons: 1/Σ p² for encoder and decoder, with p_i the share of neuron i in Σ E|m_i v_i φ_i|².
        ranks: directions that the features φ_i span over the points, counted where they hold a share of `RANK`.
        latents: by how much x̂ changes, E|Δx̂|²/E|x|², when one principal direction of the latents is held at its mean,
            shape (k,), the direction of largest variance first.

    """

    neurons: tuple[float, float]
    ranks: tuple[int, int]
    latents: np.ndarray


def activity(network: Autoencoder, points: np.ndarray, weights: np.ndarray) -> Activity:
    """Return what works in a network on points, shape (n, d), with weights of sum 1."""
    with computing_in(DOUBLE):
        network, points = network.in_precision(DOUBLE), np.asarray(points, DOUBLE)
        points = np.nan_to_num(points)  # what the encoder sees of missing entries
        latents = np.asarray(network.encode(points))
        encoder = _side(network.encoder, network.encoder_activation, points, weights)
        decoder = _side(network.decoder, network.decoder_activation, latents, weights)
        outputs = np.asarray(network.decode(latents))
        deviations = latents - weights @ latents
        _, axes = np.linalg.eigh((deviations * weights[:, None]).T @ deviations)
        changes = [
            np.asarray(network.decode(latents - np.outer(deviations @ axis, axis))) - outputs for axis in axes.T[::-1]
        ]
    size = float(weights @ (points**2).sum(axis=1)) or 1.0
    used = np.array([float(weights @ (change**2).sum(axis=1)) for change in changes]) / size
    return Activity((encoder[0], decoder[0]), (encoder[1], decoder[1]), used)


def _side(measure: NeuronMeasure, phi: Activation, inputs: np.ndarray, weights: np.ndarray) -> tuple[float, int]:
    """Return the effective number of neurons and the rank of their features."""
    arguments = inputs @ np.asarray(measure.incoming).T + np.asarray(measure.bias)
    features = phi.of(arguments)
    masses = np.asarray(measure.masses)
    shares = masses**2 * (np.asarray(measure.outgoing) ** 2).sum(axis=1) * (weights @ features**2)
    scaled = features * np.sqrt(weights)[:, None] * np.sqrt(masses)
    gram = scaled @ scaled.T if len(scaled) < measure.width else scaled.T @ scaled
    values = np.linalg.eigvalsh(gram)
    rank = int((values > RANK * values.sum()).sum()) if values.sum() > 0 else 0
    return (float(shares.sum() ** 2 / (shares**2).sum()) if shares.any() else 0.0), rank
