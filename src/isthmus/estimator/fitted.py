"""What a fitted network computes of points, in the coordinates in which it is kept, and its measures in R^d."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from isthmus import _checks
from isthmus._display import Shown
from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.points import has_missing, normalised
from isthmus.core.scaling import DOUBLE, Scaling, tiles
from isthmus.core.sparse import dense
from isthmus.dynamics.evaluation import decoded, encoded, reconstructed
from isthmus.estimator.anomalies import in_data_units
from isthmus.estimator.coordinates import Coordinates
from isthmus.estimator.inputs import REMEDY, as_floats, check_finite, checked_weights, read
from isthmus.estimator.names import Names, refuse_others
from isthmus.exports.conversion import plain_autoencoder
from isthmus.exports.onnx_graph import onnx_graph
from isthmus.exports.plain import PlainAutoencoder
from isthmus.exports.torch_module import torch_module

ZERO_ERROR = 1e-24
"""Squared error, in units of the variance, that is nothing but rounding."""


class FittedNetwork(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """A network that acts in coordinates of scaled points: those along the axes of the span, if a table is wide."""

    _coordinates: Coordinates
    _network: Autoencoder
    _columns: Names = None
    _doubts: tuple[str, ...] = ()
    missing: str
    weight_decay: float
    n_features_in_: int

    plot_latents = Shown("estimator_plots.latents")
    plot_reconstructions = Shown("estimator_plots.reconstructions")
    plot_training = Shown("estimator_plots.training")

    @abstractmethod
    def _points(self, X: ArrayLike) -> Any: ...

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the latents f(x), shape (n, k)."""
        check_is_fitted(self, "components_")
        points = self._points(X)
        network, coordinates = self._network.in_precision(points.dtype), self._coordinates
        latents = np.empty((points.shape[0], self._n_features_out), points.dtype)
        for rows in coordinates.batches(points):
            latents[rows] = encoded(network, coordinates.of(points[rows], points.dtype))
        return latents

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Return the reconstructions g(z) of latents, shape (n, d), in the units of the data."""
        check_is_fitted(self, "components_")
        values, columns, _ = read("X", X)
        latents = as_floats(values, sparse=False)
        if latents.shape[1] != self._n_features_out:
            shape = _checks.described(f"of shape {latents.shape}")
            _checks.refuse("X", f"have the {self._n_features_out} columns of latents", shape)
        names = self.get_feature_names_out().tolist()
        if columns is not None and sorted(columns) == sorted(names):
            refuse_others("X", "latents", names, columns)
        check_finite("X", latents, columns, False, REMEDY)
        network, coordinates = self._network.in_precision(latents.dtype), self._coordinates
        return coordinates.undone(decoded(network, latents))

    def score(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """Return the share of variance about ``mean_`` that is reconstructed, 1 − Σ‖x − x̂‖²/Σ‖x − mean_‖².

        Where all rows are at the mean it is 1 if they are reconstructed to rounding, and 0 if not.
        """
        del y
        check_is_fitted(self, "components_")
        points = self._points(X)
        given = checked_weights(sample_weight, points.shape[0])
        weights = normalised(given)
        variance, error = (float(weights @ squares) for squares in self._sizes_and_errors(points))
        if variance == 0:
            return float(error <= ZERO_ERROR)
        return 1 - error / variance

    def reconstruction_error(self, X: ArrayLike, *, per_feature: bool = False) -> np.ndarray:
        """Return ‖x − x̂‖² of every row, shape (n,), or (x − x̂)² of every entry, in the units of the data squared.

        Missing entries add nothing to a row's, and are NaN among those of entries. It is computed in double precision,
        from what is left after the mean has been subtracted.
        """
        check_is_fitted(self, "components_")
        errors = self._entry_errors(self._points(X)) if per_feature else self._errors(X)
        return in_data_units(errors, self._scaling.unit)

    def to_numpy(self) -> PlainAutoencoder:
        """Return the autoencoder in NumPy arrays, in a class that needs nothing but NumPy."""
        return plain_autoencoder(self._network, self._scaling, self._coordinates.axes, self._ignores_missing)

    def to_onnx(self, part: Literal["autoencoder", "encoder", "decoder"] = "autoencoder") -> Any:
        """Return an ONNX model from 'points' to 'latents' and 'reconstructions', or its encoder or decoder alone."""
        return onnx_graph(self.to_numpy(), part)

    def to_torch(self) -> Any:
        """Return a ``torch.nn.Module`` with methods ``encode`` and ``decode``."""
        return torch_module(self.to_numpy())

    @property
    def autoencoder_(self) -> Autoencoder:
        """The network, which acts on (x − mean_)/unit_."""
        network, axes = self._inner, self._coordinates.axes
        if axes is not None:
            size = 2 * network.encoder.width * len(axes) * np.asarray(network.encoder.bias).itemsize
            _checks.memory("width", network.encoder.width, size)
        return self._coordinates.embedded(network)

    @property
    def encoder_(self) -> NeuronMeasure:
        """The encoder's measure; that of a wide table is made when it is asked for."""
        return self.autoencoder_.encoder

    @encoder_.setter
    def encoder_(self, measure: NeuronMeasure) -> None:
        self._keep(replace(self.autoencoder_, encoder=measure))

    @property
    def decoder_(self) -> NeuronMeasure:
        """The decoder's measure; that of a wide table is made when it is asked for."""
        return self.autoencoder_.decoder

    @decoder_.setter
    def decoder_(self, measure: NeuronMeasure) -> None:
        self._keep(replace(self.autoencoder_, decoder=measure))

    def _keep(self, network: Autoencoder) -> None:
        """Keep another network, which acts on (x − mean_)/unit_."""
        self._network, self._coordinates = network, Coordinates(self._scaling)

    @property
    def activations_(self) -> tuple[Activation, Activation]:
        """The activations of encoder and decoder."""
        network = self._inner
        return network.encoder_activation, network.decoder_activation

    @property
    def _inner(self) -> Autoencoder:
        """The network in the coordinates in which it is kept."""
        check_is_fitted(self, "components_")
        return self._network

    @property
    def _n_features_out(self) -> int:
        return self._network.latent_dim

    @property
    def _scaling(self) -> Scaling:
        return self._coordinates.scaling

    @property
    def _ignores_missing(self) -> bool:
        return self.missing == "ignore"

    def _errors(self, X: ArrayLike) -> np.ndarray:
        """Return ‖x − x̂‖² of every row, shape (n,), in units of the computation."""
        return self._sizes_and_errors(self._points(X))[1]

    @np.errstate(over="ignore", invalid="ignore")
    def _sizes_and_errors(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ‖x − mean‖² and ‖x − x̂‖² of every row, shape (n,) each, in the units of the computation.

        They are infinite for rows that lie beyond the range of double precision in these.
        """
        network, coordinates = self._network.in_precision(DOUBLE), self._coordinates
        sizes, errors = np.empty(points.shape[0]), np.empty(points.shape[0])
        if has_missing(points):
            scaled = Coordinates(coordinates.scaling)
            for rows in scaled.batches(points):
                sizes[rows] = np.nansum(scaled.of(points[rows]) ** 2, axis=1)
                errors[rows] = np.where(np.isnan(points[rows]), 0.0, self._entry_errors(points[rows])).sum(axis=1)
        else:
            for rows in coordinates.batches(points):
                inside, outside = coordinates.parts(points[rows])
                sizes[rows] = (inside**2).sum(axis=1) + outside
                errors[rows] = ((inside - reconstructed(network, inside)) ** 2).sum(axis=1) + outside
        return np.nan_to_num(sizes, nan=np.inf, posinf=np.inf), np.nan_to_num(errors, nan=np.inf, posinf=np.inf)

    def _entry_errors(self, points: np.ndarray) -> np.ndarray:
        """Return (x − x̂)² of every entry, shape (n, d), in the units of the computation."""
        network, coordinates = self._network.in_precision(DOUBLE), self._coordinates
        errors = np.empty(points.shape)
        for rows in coordinates.batches(points):
            part, wanted = points[rows], errors[rows]
            outputs = reconstructed(network, coordinates.of(part))
            for some, columns in tiles(part.shape, outputs.shape[1]):
                scaled = coordinates.scaling.of_columns(columns).precisely(dense(part, some, columns))
                wanted[some, columns] = (scaled - coordinates.scaled_columns(outputs[some], columns)) ** 2
        return errors
