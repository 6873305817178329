r"""Networks that start at the PCA reconstruction: draws from a law whose outgoing weights are then corrected.

With features Φ = φ(⟨w, x⟩ + b), one row a neuron and one column a point, masses m, weights p of the points and targets
y, the correction δv of outgoing weights minimises

    E‖y − ∫ (v + δv) φ dμ‖² + λ ∫ |δv|² dμ,    δv = (ΦpΦᵀm + λ)⁻¹ Φp (y − Φᵀmv) = Φp (ΦᵀmΦp + λ)⁻¹ (y − Φᵀmv).

The last form is a function of the neuron, δv(w, b) = Σ_x φ(⟨w, x⟩ + b) c(x), whose coefficients c depend on the measure
alone. So with λ in proportion to E ∫ φ² dμ the correction has a limit of infinite width, which a hard cut of
eigenvalues, over which one slips as neurons are drawn, hasn't.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from isthmus._precision import computing_in
from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder, features
from isthmus.core.laws import Correction
from isthmus.core.neurons import NeuronMeasure

DOUBLE = np.dtype(np.float64)
RIDGE = 1e-5
"""λ relative to E ∫ φ² dμ, the sum of the eigenvalues of the second moments of features."""


def at_pca(network: Autoencoder, points: Any, weights: Any, encoding: Any, directions: Any) -> Autoencoder:
    """Return the network with a small change of its outgoing weights after which f(x) = Aᵀx and g(f(x)) = VAᵀx.

    The equations hold in the least-squares sense. A few hundred neurons meet them to three or more digits.

    Args:
        network: the network to change.
        points: centred, shape (n, d), NumPy arrays or JAX's, as all that follows.
        weights: of sum 1, shape (n,).
        encoding: A, shape (d, k).
        directions: V, shape (d, k), which is A where no entry is missing.

    """
    latents = points @ encoding
    encoder = _corrected(network.encoder, network.encoder_activation, points, latents, weights)
    reached = _outputs(encoder, features(encoder, network.encoder_activation, points))
    decoder = _corrected(network.decoder, network.decoder_activation, reached, latents @ directions.T, weights)
    return network.with_measures(encoder, decoder)


def with_best_decoder(network: Autoencoder, points: np.ndarray, weights: np.ndarray) -> Autoencoder:
    """Return the network with a small change of the decoder's outgoing weights that makes x̂ best.

    Where entries of points are missing, x̂ itself stands in their place, so that it gets better, if not best.
    """
    missing, points = np.isnan(points), np.nan_to_num(points)
    latents = _outputs(network.encoder, features(network.encoder, network.encoder_activation, points))
    outputs = _outputs(network.decoder, features(network.decoder, network.decoder_activation, latents))
    points = np.where(missing, outputs, points)
    decoder = _corrected(network.decoder, network.decoder_activation, latents, points, weights)
    return network.with_measures(network.encoder, decoder)


@dataclass(frozen=True)
class PCAStart(Correction):
    """The correction that starts networks at the PCA reconstruction of points, (n, d), along directions V, (d, k).

    ``encoding`` is A, (d, k), where the components are Aᵀx of points whose missing entries are 0; None for V itself.
    """

    points: np.ndarray
    weights: np.ndarray
    directions: np.ndarray
    encoding: np.ndarray | None = None

    @property
    def _of_points(self) -> tuple[np.ndarray, ...]:
        encoding = self.directions if self.encoding is None else self.encoding
        return self.points, self.weights, encoding, self.directions

    def of(self, network: Autoencoder) -> Autoencoder:
        """Return a network of NumPy arrays, in double precision, at the PCA reconstruction."""
        with computing_in(DOUBLE):
            return at_pca(network.in_precision(DOUBLE), *self._of_points)

    def pulled_back(self, network: Autoencoder, cotangents: Autoencoder) -> Autoencoder:
        """Return cotangents at a network from those at its correction, with leading axes, in double precision."""
        with computing_in(DOUBLE):
            arguments = network.in_precision(DOUBLE), cotangents.in_precision(DOUBLE)
            return jax.tree.map(np.asarray, _pulled_back(*arguments, *self._of_points))

    def in_axes(self, basis: np.ndarray) -> PCAStart:
        """Return the same in the coordinates along orthonormal axes."""
        encoding = None if self.encoding is None else basis.T @ self.encoding
        return PCAStart(self.points @ basis, self.weights, basis.T @ self.directions, encoding)


@jax.jit
def _pulled_back(
    network: Autoencoder,
    cotangents: Autoencoder,
    points: jax.Array,
    weights: jax.Array,
    encoding: jax.Array,
    directions: jax.Array,
) -> Autoencoder:
    _, pull = jax.vjp(lambda state: at_pca(state, points, weights, encoding, directions), network)
    return jax.vmap(lambda cotangent: pull(cotangent)[0])(cotangents)


def _outputs(measure: NeuronMeasure, values: Any) -> Any:
    """Return ∫ v φ dμ, shape (n, outputs), from the features φ, shape (N, n)."""
    return values.T @ (measure.masses[:, None] * measure.outgoing)


def _corrected(measure: NeuronMeasure, phi: Activation, inputs: Any, targets: Any, weights: Any) -> NeuronMeasure:
    """Return the measure with ∫ v φ dμ brought to the targets, by the form whose system is smaller."""
    xp = targets.__array_namespace__()
    values, masses = features(measure, phi, inputs), measure.masses
    residual, weighted = targets - _outputs(measure, values), values * weights[None, :]
    ridge = RIDGE * (masses @ values**2) @ weights
    ridge = xp.where(ridge > 0, ridge, 1.0)  # without features there is nothing to correct
    by_neurons = measure.width <= len(inputs)
    if by_neurons:
        system, right_side = (weighted @ values.T) * masses[None, :], weighted @ residual
    else:
        system, right_side = (values.T * masses[None, :]) @ weighted, residual
    solution = xp.linalg.solve(system + ridge * xp.eye(len(system), dtype=DOUBLE), right_side)
    change = solution if by_neurons else weighted @ solution
    return NeuronMeasure(measure.masses, measure.outgoing + change, measure.incoming, measure.bias)
