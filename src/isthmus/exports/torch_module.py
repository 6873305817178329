"""A trained autoencoder as a torch module. It needs the package torch (extra ``torch``)."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np

from isthmus._errors import ArgumentError
from isthmus.exports.plain import LEAK, PlainAutoencoder

LINEAR_FROM = 40
"""Where torch's softplus becomes the identity; at its customary 20 double precision would see the difference."""


def torch_module(plain: PlainAutoencoder) -> Any:
    """Return a ``torch.nn.Module`` with ``encoder`` and ``decoder``, which are ordinary linear layers about φ.

    It trains like any other: in the standard parameterisation, the factor 1/N being part of the outgoing weights.
    """
    try:
        torch: Any = importlib.import_module("torch")
    except ImportError:
        raise ArgumentError("Export to torch needs the package torch: pip install 'isthmus[torch]'.") from None
    return _module_class(torch)(plain)


@functools.cache
def _module_class(torch: Any) -> Any:
    nn = torch.nn

    class Erf(nn.Module):
        def forward(self, s: Any) -> Any:
            return torch.erf(s)

    activations = {
        "tanh": nn.Tanh,
        "erf": Erf,
        "relu": nn.ReLU,
        "leaky_relu": functools.partial(nn.LeakyReLU, LEAK),
        "softplus": functools.partial(nn.Softplus, threshold=LINEAR_FROM),
        "gelu": nn.GELU,
        "sigmoid": nn.Sigmoid,
        "linear": nn.Identity,
    }

    def side(weights: dict[str, np.ndarray], activation: str) -> Any:
        into, out = (nn.utils.skip_init(nn.Linear, 1, 1, bias=bias) for bias in (True, False))
        for layer, name, value in ((into, "weight", "incoming"), (into, "bias", "bias"), (out, "weight", "outgoing")):
            setattr(layer, name, nn.Parameter(torch.tensor(weights[value])))
        for layer in (into, out):
            layer.out_features, layer.in_features = layer.weight.shape
        return nn.Sequential(into, activations[activation](), out)

    class MeanFieldAutoencoder(nn.Module):
        """x̂ = mean + unit g(f((x − mean)/unit))."""

        def __init__(self, plain: PlainAutoencoder) -> None:
            super().__init__()
            self.register_buffer("mean", torch.tensor(plain.mean))
            self.register_buffer("unit", torch.tensor(plain.unit, dtype=self.mean.dtype))
            self.register_buffer("axes", None if plain.axes is None else torch.tensor(plain.axes))
            self.ignores_missing = plain.ignores_missing
            self.encoder = side(plain.encoder, plain.activations[0])
            self.decoder = side(plain.decoder, plain.activations[1])

        def encode(self, points: Any) -> Any:
            """Return latents."""
            centred = (points - self.mean) / self.unit
            centred = torch.where(torch.isnan(centred), 0.0, centred) if self.ignores_missing else centred
            return self.encoder(centred if self.axes is None else centred @ self.axes)

        def decode(self, latents: Any) -> Any:
            """Return reconstructions."""
            decoded = self.decoder(latents)
            return (decoded if self.axes is None else decoded @ self.axes.T) * self.unit + self.mean

        def forward(self, points: Any) -> Any:
            return self.decode(self.encode(points))

    return MeanFieldAutoencoder
