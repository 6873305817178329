"""Networks that start at the PCA reconstruction: draws from a law whose outgoing weights are then corrected."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure

RIDGE = 1e-5
"""Relative to the largest eigenvalue of the second moments of neurons over the points; smaller ones count as 0."""


def at_pca(network: Autoencoder, points: np.ndarray, weights: np.ndarray, directions: np.ndarray) -> Autoencoder:
    """Return the network with the smallest change of its outgoing weights after which f(x) = Vᵀx and g(f(x)) = VVᵀx.

    The equations hold in the least-squares sense over the points (centred, shape (n, d)); V is (d, k). A few hundred
    neurons meet them to three or more digits.
    """
    latents = points @ directions
    encoder = _corrected(network.encoder, network.encoder_activation, points, latents, weights)
    reached = _outputs(encoder, network.encoder_activation, points)
    decoder = _corrected(network.decoder, network.decoder_activation, reached, latents @ directions.T, weights)
    return network.with_measures(encoder, decoder)


def with_best_decoder(network: Autoencoder, points: np.ndarray, weights: np.ndarray) -> Autoencoder:
    """Return the network with the smallest change of the decoder's outgoing weights that makes x̂ best."""
    latents = _outputs(network.encoder, network.encoder_activation, points)
    decoder = _corrected(network.decoder, network.decoder_activation, latents, points, weights)
    return network.with_measures(network.encoder, decoder)


def _outputs(measure: NeuronMeasure, phi: Activation, inputs: np.ndarray) -> np.ndarray:
    return _features(measure, phi, inputs) @ (np.asarray(measure.outgoing) * np.asarray(measure.masses)[:, None])


def _corrected(
    measure: NeuronMeasure, phi: Activation, inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> NeuronMeasure:
    """Return the measure with ∫ v φ(s) dμ brought to the targets by the smallest change of v."""
    features = _features(measure, phi, inputs) * np.asarray(measure.masses)
    missing = targets - features @ np.asarray(measure.outgoing)
    moments = (features * weights[:, None]).T @ features
    values, vectors = np.linalg.eigh(moments)
    inverse = np.where(values > RIDGE * values[-1], 1 / np.maximum(values, 1e-300), 0.0)
    change = vectors @ (inverse[:, None] * (vectors.T @ ((features * weights[:, None]).T @ missing)))
    return NeuronMeasure(measure.masses, measure.outgoing + change, measure.incoming, measure.bias)


def _features(measure: NeuronMeasure, phi: Activation, inputs: np.ndarray) -> np.ndarray:
    """Return φ(⟨w, x⟩ + b), shape (n, N)."""
    return np.asarray(phi.value(jnp.asarray(inputs @ np.asarray(measure.incoming).T + np.asarray(measure.bias))))
