"""A network that was trained elsewhere as a fitted estimator."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus.core.activations import ACTIVATIONS
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.points import normalised
from isthmus.core.scaling import Scaling
from isthmus.estimator.anomalies import Fence
from isthmus.estimator.coordinates import Coordinates
from isthmus.estimator.partial import Stream
from isthmus.estimator.running import Running
from isthmus.estimator.samples import EvaluationSample
from isthmus.estimator.settings import Settings
from isthmus.estimator.span import Rows, Span


class AdoptsNetworks:
    """What makes a fitted estimator of a network."""

    _coordinates: Coordinates
    _stream: Stream
    _fence: Fence

    @abstractmethod
    def _settings(self) -> Settings: ...

    @abstractmethod
    def _checked(self, X: ArrayLike, sample_weight: Any, settings: Settings, *, reset: bool) -> Any: ...

    @abstractmethod
    def _begin(self, coordinates: Coordinates, components: np.ndarray, network: Autoencoder) -> None: ...

    @abstractmethod
    def _offset(self, points: np.ndarray, rows: Rows, weights: np.ndarray, settings: Settings) -> float: ...

    @classmethod
    def from_network(
        cls, network: Autoencoder, X: ArrayLike, sample_weight: ArrayLike | None = None, **parameters: Any
    ) -> Self:
        """Return the estimator that has an `Autoencoder`, trained elsewhere, as its network; nothing is trained.

        It transforms, scores, finds anomalies, is resized, saved and diagnosed like a fitted one, and `partial_fit`
        goes on with its training. The network acts on X as it is: ``mean_`` is 0 and ``unit_`` is 1.

        Args:
            network: such as `isthmus.from_torch` returns.
            X: points of the population, shape (n, d), as the network takes them.
            sample_weight: their weights, shape (n,).
            parameters: others of the estimator.

        Raises:
            ArgumentError: where X hasn't the network's dimension, or an argument breaks its rule.

        """
        _checks.instance("network", network, Autoencoder)
        pair = [
            phi.name if ACTIVATIONS.get(phi.name) is phi else phi
            for phi in (network.encoder_activation, network.decoder_activation)
        ]
        activation = pair[0] if pair[0] == pair[1] else tuple(pair)
        known = {"n_components": network.latent_dim, "width": network.encoder.width, "activation": activation}
        model = cls(**(parameters | known))
        settings = model._settings()
        points, given = model._checked(X, sample_weight, settings, reset=True)
        if points.shape[1] != network.dim:
            shape = _checks.described(f"of shape {points.shape}")
            _checks.refuse("X", f"have the network's {network.dim} columns", shape)
        weights = normalised(given)
        rows = Span.of(points, weights, network.latent_dim).rows
        coordinates = Coordinates(Scaling(np.zeros(network.dim), 1.0))
        components = rows.spectrum(weights, network.latent_dim).components
        model._begin(coordinates, components, network.in_precision(points.dtype))
        seen = Running.along(coordinates.scaling, components, points, given)
        model._stream = Stream(started=seen.count, seen=seen)
        model._fence = Fence(-model._offset(points, rows, weights, settings), 1.0)
        sample = EvaluationSample.of(points, weights, coordinates)
        vars(model).update(n_iter_=0, risk_=sample.risk(network), chosen_="The network was trained elsewhere.")
        return model
