r"""The influence of any neuron by regression on where it starts, for one that has no closed form, or a dear one.

The law knows I at its own particles. A ridge regression on

    a_j φ(⟨w, x⟩ + b) at points x of the data,    and products of the leading parameters,

and the like for the decoder at latents of the start, carries it to other neurons. It need not be right: any function of
a neuron with its mean taken off has mean 0 over the initial law, so that an estimate that subtracts it is unbiased, and
the better the regression the less is left.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from isthmus._precision import DOUBLE, computing_in
from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder, preactivations
from isthmus.core.neurons import NeuronMeasure

SHARE = 4
"""Particles for each feature, at least."""
LEADING = 6
"""Parameters of each kind, at most, whose products are features."""
PENALTIES = np.logspace(-8, 2, 11)
"""Of the ridge, of which leaving one particle out chooses."""


class _Side(NamedTuple):
    """What a side's influence is read off: inputs at which neurons are looked at, and the regression."""

    phi: Activation
    inputs: np.ndarray
    scaler: StandardScaler
    regression: RidgeCV

    def of(self, measure: NeuronMeasure) -> np.ndarray:
        """Return the influence of neurons, shape (T, N)."""
        features = self.scaler.transform(_features(measure, self.phi, self.inputs))
        return self.regression.predict(features).T.reshape(-1, len(features))


class Surrogate:
    """The influence of neurons on R(t), regressed on what they are at time 0."""

    def __init__(self, particles: Autoencoder, influence: tuple[np.ndarray, np.ndarray], points: np.ndarray) -> None:
        """Fit to particles, with their influence, shapes (T, particles), in the coordinates of points, (n, r)."""
        with computing_in(DOUBLE):
            latents = np.asarray(particles.in_precision(DOUBLE).encode(np.asarray(points, float)))
        phis = particles.encoder_activation, particles.decoder_activation
        sides = zip((particles.encoder, particles.decoder), phis, (points, latents), influence, strict=True)
        self._sides = [_fitted(*side) for side in sides]

    def of(self, neurons: Autoencoder) -> tuple[np.ndarray, np.ndarray]:
        """Return I_E, shape (T, N_E), and I_D, shape (T, N_D), of neurons in the coordinates of the particles."""
        encoder, decoder = (
            side.of(measure) for side, measure in zip(self._sides, (neurons.encoder, neurons.decoder), strict=True)
        )
        return encoder, decoder


def _fitted(measure: NeuronMeasure, phi: Activation, inputs: np.ndarray, influence: np.ndarray) -> _Side:
    products = len(_products(measure)[0])
    outgoing = min(measure.outgoing.shape[1], LEADING)
    places = max(1, (measure.width // SHARE - products) // outgoing)
    chosen = np.unique(np.linspace(0, len(inputs) - 1, min(places, len(inputs))).astype(int))
    features = _features(measure, phi, inputs[chosen])
    scaler = StandardScaler().fit(features)
    regression = RidgeCV(PENALTIES).fit(scaler.transform(features), influence.T)
    return _Side(phi, inputs[chosen], scaler, regression)


def _features(measure: NeuronMeasure, phi: Activation, inputs: np.ndarray) -> np.ndarray:
    """Return the features of neurons, shape (N, features)."""
    measure = _in_double(measure)
    with computing_in(DOUBLE):
        values = np.asarray(phi.value(preactivations(measure, np.asarray(inputs, float))))
    outgoing = measure.outgoing[:, :LEADING]
    at_inputs = values[:, None, :] * outgoing[:, :, None]
    return np.concatenate([at_inputs.reshape(len(values), -1), _products(measure)], axis=1)


def _in_double(measure: NeuronMeasure) -> Any:
    """Return neurons in NumPy arrays of double precision."""
    return jax.tree.map(lambda part: np.asarray(part, float), measure)


def _products(measure: NeuronMeasure) -> np.ndarray:
    """Return the leading parameters of neurons and their products, shape (N, …)."""
    neurons = _in_double(measure)
    leading = np.concatenate(
        [neurons.outgoing[:, :LEADING], neurons.incoming[:, :LEADING], neurons.bias[:, None]], axis=1
    )
    one, other = np.triu_indices(leading.shape[1])
    return np.concatenate([leading, leading[:, one] * leading[:, other]], axis=1)
