"""Which parts of a network do its work: neurons, directions of features, and latent dimensions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from isthmus._precision import computing_in
from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder, features
from isthmus.core.neurons import NeuronMeasure

DOUBLE = np.dtype(np.float64)
NEGLIGIBLE_MOMENT = 1e-6
"""Share of the features' second moment up to which a direction doesn't count: an amplitude of a thousandth."""


class Activity(NamedTuple):
    """What works in a network.

    Attributes:
        neurons: 1/Σ p² for encoder and decoder, with p_i the share of neuron i in Σ E|m_i v_i φ_i|².
        ranks: directions that the features φ_i span over the points, those above `NEGLIGIBLE_MOMENT`.
        latents: by how much x̂ changes, E|Δx̂|²/E|x|², when one principal direction of the latents is held at its mean,
            shape (k,), the direction of largest variance first.

    """

    neurons: tuple[float, float]
    ranks: tuple[int, int]
    latents: np.ndarray


def activity(network: Autoencoder, points: np.ndarray, weights: np.ndarray) -> Activity:
    """Return which parts of a network do its work on points, shape (n, d), with weights of sum 1."""
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
    values, masses = features(measure, phi, inputs), np.asarray(measure.masses)
    shares = masses**2 * (np.asarray(measure.outgoing) ** 2).sum(axis=1) * (values**2 @ weights)
    scaled = np.sqrt(masses)[:, None] * values * np.sqrt(weights)
    gram = scaled.T @ scaled if len(weights) < measure.width else scaled @ scaled.T
    moments = np.linalg.eigvalsh(gram)
    rank = int((moments > NEGLIGIBLE_MOMENT * moments.sum()).sum()) if moments.sum() > 0 else 0
    return (float(shares.sum() ** 2 / (shares**2).sum()) if shares.any() else 0.0), rank
