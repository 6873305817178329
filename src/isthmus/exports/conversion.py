"""From a trained network to one in plain NumPy."""

from __future__ import annotations

import numpy as np

from isthmus import _checks
from isthmus.core.activations import ACTIVATIONS
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.scaling import Scaling
from isthmus.exports.plain import PlainAutoencoder


def plain_autoencoder(network: Autoencoder, units: Scaling) -> PlainAutoencoder:
    """Return the network behind its scaling in NumPy arrays, in the precision of the network."""
    activations = (network.encoder_activation, network.decoder_activation)
    for activation in activations:
        if ACTIVATIONS.get(activation.name) is not activation:
            _checks.refuse("activation", "have a name in im.ACTIVATIONS to be exported", activation.name)
    names = (activations[0].name, activations[1].name)
    mean = units.mean.astype(np.asarray(network.encoder.bias).dtype)
    return PlainAutoencoder(mean, units.unit, _side(network.encoder), _side(network.decoder), names)


def _side(measure: NeuronMeasure) -> dict[str, np.ndarray]:
    incoming, bias, outgoing, masses = (
        np.asarray(part) for part in (measure.incoming, measure.bias, measure.outgoing, measure.masses)
    )
    return {"incoming": incoming, "bias": bias, "outgoing": (outgoing * masses[:, None]).T}
