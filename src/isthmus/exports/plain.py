"""A trained autoencoder in plain NumPy. This file needs nothing else, and may be copied to where it is used."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def _erf(s: np.ndarray) -> np.ndarray:
    """Return the error function, which NumPy lacks."""
    return np.vectorize(math.erf, otypes=[float])(s).astype(s.dtype)


LEAK = 0.01
"""The slope of leaky ReLU at negative preactivations."""
PHI: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "erf": _erf,
    "relu": lambda s: np.maximum(s, 0),
    "leaky_relu": lambda s: np.where(s > 0, s, s * np.array(LEAK, s.dtype)),
    "softplus": lambda s: np.logaddexp(s, np.zeros_like(s)),
    "gelu": lambda s: s * (1 + _erf(s / np.sqrt(np.array(2, s.dtype)))) / 2,
    "sigmoid": lambda s: (1 + np.tanh(s / 2)) / 2,
    "linear": lambda s: s,
}
"""The activations φ by name."""
WEIGHTS = ("incoming", "bias", "outgoing")


class PlainAutoencoder:
    """An autoencoder x ↦ x̂ in NumPy arrays: z = V φ(W(x − mean)/unit + b) is encoded, and x̂ decoded likewise.

    Where there are axes A, it acts on Aᵀ(x − mean)/unit: that of a table with many columns.

    Attributes:
        mean: shape (d,). unit: one number.
        encoder, decoder: 'incoming' W, shape (N, inputs), 'bias' b, shape (N,), and 'outgoing' V, shape (outputs, N),
            with the factor 1/N in it.
        activations: their names, of encoder and decoder.
        axes: orthonormal, in columns, shape (d, r), or None.
        ignores_missing: whether the mean stands for an entry that is NaN.

    Example:
        >>> import isthmus as im
        >>> from sklearn.datasets import load_wine
        >>> X = load_wine().data
        >>> model = im.MeanFieldAutoencoder(2, width=16, horizon=1.0, random_state=0).fit(X)
        >>> bool(abs(model.to_numpy().transform(X) - model.transform(X)).max() < 1e-9)
        True

    """

    def __init__(
        self,
        mean: np.ndarray,
        unit: float,
        encoder: dict[str, np.ndarray],
        decoder: dict[str, np.ndarray],
        activations: tuple[str, str],
        axes: np.ndarray | None = None,
        ignores_missing: bool = False,
    ) -> None:
        self.mean, self.unit, self.encoder, self.decoder, self.activations = mean, unit, encoder, decoder, activations
        self.axes, self.ignores_missing = axes, ignores_missing

    def transform(self, points: Any) -> np.ndarray:
        """Return the latents z, shape (n, k), of points, shape (n, d)."""
        centred = (np.asarray(points, self.mean.dtype) - self.mean) / self.mean.dtype.type(self.unit)
        if self.ignores_missing:
            centred = np.where(np.isnan(centred), 0, centred)
        return _outputs(self.encoder, self.activations[0], centred if self.axes is None else centred @ self.axes)

    def inverse_transform(self, latents: Any) -> np.ndarray:
        """Return the reconstructions x̂, shape (n, d), of latents, shape (n, k)."""
        dtype = self.mean.dtype
        decoded = _outputs(self.decoder, self.activations[1], np.asarray(latents, dtype))
        decoded = decoded if self.axes is None else decoded @ self.axes.T
        return decoded * dtype.type(self.unit) + self.mean

    def save(self, path: str | Path) -> None:
        """Write the arrays to a file of NumPy's (.npz), which `load` reads, here or in a copy of this file."""
        sides = {f"{side}_{name}": getattr(self, side)[name] for side in ("encoder", "decoder") for name in WEIGHTS}
        sides |= {} if self.axes is None else {"axes": self.axes}
        sides["ignores_missing"] = np.array(self.ignores_missing)
        with Path(path).open("wb") as file:
            np.savez(file, mean=self.mean, unit=self.unit, activations=np.array(self.activations), **sides)

    @classmethod
    def load(cls, path: str | Path) -> PlainAutoencoder:
        """Return the autoencoder in a file that `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            sides = {side: {name: file[f"{side}_{name}"] for name in WEIGHTS} for side in ("encoder", "decoder")}
            encoder, decoder = (str(name) for name in file["activations"])
            axes = file["axes"] if "axes" in file.files else None
            ignores = "ignores_missing" in file.files and bool(file["ignores_missing"])
            scaling, names = (file["mean"], float(file["unit"])), (encoder, decoder)
            return cls(*scaling, sides["encoder"], sides["decoder"], names, axes, ignores)


def _outputs(side: dict[str, np.ndarray], activation: str, inputs: np.ndarray) -> np.ndarray:
    return PHI[activation](inputs @ side["incoming"].T + side["bias"]) @ side["outgoing"].T
