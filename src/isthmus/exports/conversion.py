"""From a trained network to one in plain NumPy."""

from __future__ import annotations

import numpy as np

from isthmus import _checks
from isthmus.core.activations import ACTIVATIONS
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.scaling import Scaling
from isthmus.exports.plain import PlainAutoencoder


def plain_autoencoder(
    network: Autoencoder, units: Scaling, axes: np.ndarray | None = None, ignores_missing: bool = False
) -> PlainAutoencoder:
    """Return the network behind its scaling, and axes along which it acts, in arrays of its precision."""
    activations = (network.encoder_activation, network.decoder_activation)
    for activation in activations:
        if ACTIVATIONS.get(activation.name) is not activation:
            _checks.refuse("activation", "be one of im.ACTIVATIONS to be exported", activation.name)
    names = (activations[0].name, activations[1].name)
    dtype = np.asarray(network.encoder.bias).dtype
    mean, axes = units.mean.astype(dtype), None if axes is None else axes.astype(dtype)
    sides = _side(network.encoder), _side(network.decoder)
    return PlainAutoencoder(mean, float(units.unit), *sides, names, axes, ignores_missing)


def _side(measure: NeuronMeasure) -> dict[str, np.ndarray]:
    incoming, bias, outgoing, masses = (
        np.asarray(part) for part in (measure.incoming, measure.bias, measure.outgoing, measure.masses)
    )
    return {"incoming": incoming, "bias": bias, "outgoing": (outgoing * masses[:, None]).T}
