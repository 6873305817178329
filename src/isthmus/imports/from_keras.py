"""An autoencoder written in Keras as an `Autoencoder`. It needs the package keras, with any backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from isthmus import _checks
from isthmus.core.autoencoder import Autoencoder
from isthmus.imports.layers import Given, Layer, Linear, Nonlinear, autoencoder_of, imported

DOES_NOTHING = ("InputLayer", "Flatten", "Dropout", "Identity")
"""Layers that do nothing when a model is used."""
FUNCTIONS = ("tanh", "relu", "leaky_relu", "softplus", "gelu", "sigmoid")
"""Activations that have the same name here and in Keras."""
MODULES = {"ReLU": "relu", "LeakyReLU": "leaky_relu"}
"""Layers of Keras that are activations, and their names here."""


def from_keras(model: Any, *, activation: Given = None) -> Autoencoder:
    """Return a Keras autoencoder of two layers on each side as an `Autoencoder` with the same outputs, to rounding.

    Args:
        model: a ``keras.Model`` whose layers, and those of the models among them, follow one another: Dense with an
            activation, Dense, Dense with an activation, Dense; activations may be layers too.
        activation: an `Activation`, or a pair, that stands for what isn't on the shelf.

    Raises:
        ArgumentError: where it is another network; the message names the layer that doesn't fit.

    Example:
        >>> import isthmus as im
        >>> try:
        ...     import keras
        ... except ImportError:
        ...     network = None
        ... else:
        ...     Dense, tanh = keras.layers.Dense, "tanh"
        ...     layers = [keras.Input((3,)), Dense(8, tanh), Dense(1), Dense(8, tanh), Dense(3)]
        ...     network = im.from_keras(keras.Sequential(layers))
        >>> network is None or network.latent_dim
        1

    """
    keras = imported("keras", "Models of Keras", "keras")
    _checks.instance("model", model, keras.Model)
    forward = lambda points: np.asarray(model.predict(points, verbose=0))
    return autoencoder_of(list(_layers(model)), forward, "model", activation)


def _layers(model: Any) -> Iterator[Layer]:
    for layer in model.layers:
        kind = type(layer).__name__
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        elif kind == "Dense":
            weight, *bias = (np.asarray(one) for one in layer.get_weights())
            yield Linear(layer.name, weight.T.copy(), bias[0] if bias else np.zeros(weight.shape[1], weight.dtype))
            yield from _function(layer)
        elif kind == "Activation":
            yield from _function(layer)
        elif kind not in DOES_NOTHING:
            yield Nonlinear(layer.name, kind, MODULES.get(kind))


def _function(layer: Any) -> Iterator[Layer]:
    name = layer.activation.__name__
    if name != "linear":
        yield Nonlinear(layer.name, name, name if name in FUNCTIONS else None)
