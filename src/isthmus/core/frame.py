"""The coordinates in which a mean-field limit lives: those of the span of the data, leading direction first.

The component of an incoming weight of the encoder orthogonal to all points never acts. The component c⊥ of an outgoing
weight of the decoder orthogonal to them contributes E[c⊥ φ(s)] to the reconstruction, which stays 0 where c⊥ is centred
and independent of the rest, since then nothing moves it. So the limit of n points lives in at most n dimensions. A
finite network does see c⊥, as noise.
"""

from __future__ import annotations

import equinox as eqx
import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.covariance import covariance_factor
from isthmus.core.data import Data
from isthmus.core.laws import GaussianNeurons


class Frame:
    """Data and Gaussian laws in the coordinates of the span of the data.

    Attributes:
        basis: orthonormal, shape (d, r).
        data: the points in these coordinates, shape (n, r).
        encoder, decoder: the laws of the neurons in these coordinates.
        hidden_variance: the total variance of the decoder's outgoing weights outside the span.

    """

    def __init__(self, data: Data, encoder: GaussianNeurons, decoder: GaussianNeurons, *, whole: bool = False) -> None:
        self._encoder = encoder
        if data.has_missing:  # what is missing is so along the axes of the data, and along no others
            self.basis, self.data = np.eye(data.dim), data
        else:
            self.basis = data.span
            if whole or not _decouples(decoder, self.basis):
                self.basis = _completed(self.basis)
            self.data = Data(data.points @ self.basis, data.weights, name=data.name)
        self.encoder = encoder.in_axes(incoming=self.basis)
        self.decoder = decoder.in_axes(outgoing=self.basis)
        total, inside = (np.trace(law.covariance[: law.outputs, : law.outputs]) for law in (decoder, self.decoder))
        self.hidden_variance = float(total - inside) if total - inside > 1e-12 * total else 0.0

    def lifted(self, network: Autoencoder, start: Autoencoder, seed: int) -> Autoencoder:
        """Return a network that began as ``start`` in the coordinates of the data; leading axes may stand in front.

        Outgoing weights of the decoder get no component outside the span, since in the limit it contributes nothing.
        Incoming weights of the encoder get draws of theirs, which don't act on these data but do on other ones.
        """
        encoder, decoder = network.encoder, network.decoder
        with np.errstate(invalid="ignore"):  # times that a failed solve did not reach hold infinity
            incoming = np.asarray(encoder.incoming) @ self.basis.T + self._silent_weights(start, seed)
            outgoing = np.asarray(decoder.outgoing) @ self.basis.T
        return eqx.tree_at(
            lambda state: (state.encoder.incoming, state.decoder.outgoing),
            network,
            (incoming.astype(encoder.incoming.dtype), outgoing.astype(decoder.outgoing.dtype)),
        )

    def _silent_weights(self, start: Autoencoder, seed: int) -> np.ndarray:
        """Draw the components of incoming weights outside the span, given the rest of each neuron at time 0."""
        outside = _completed(self.basis)[:, self.basis.shape[1] :]
        if outside.shape[1] == 0:
            return np.zeros(self.basis.shape[0])
        law, size = self._encoder.in_axes(incoming=np.concatenate([self.basis, outside], axis=1)), outside.shape[1]
        silent = np.arange(law.outputs + law.inputs - size, law.outputs + law.inputs)
        acting = np.delete(np.arange(law.number_of_normals), silent)
        slope = law.covariance[np.ix_(silent, acting)] @ np.linalg.pinv(law.covariance[np.ix_(acting, acting)])
        left = law.covariance[np.ix_(silent, silent)] - slope @ law.covariance[np.ix_(acting, silent)]
        joint = np.concatenate([start.encoder.outgoing, start.encoder.incoming, start.encoder.bias[:, None]], axis=1)
        normals = np.random.default_rng([seed, joint.shape[0]]).standard_normal((len(joint), size))
        draws = law.mean[silent] + (joint - law.mean[acting]) @ slope.T
        return (draws + normals @ covariance_factor("covariance", (left + left.T) / 2).T) @ outside.T


def _decouples(decoder: GaussianNeurons, basis: np.ndarray) -> bool:
    """Whether the outgoing weights orthogonal to the basis are centred and independent of everything else."""
    orthogonal = np.eye(len(basis)) - basis @ basis.T
    across, mean = orthogonal @ decoder.covariance[: len(basis)], orthogonal @ decoder.mean[: len(basis)]
    across[:, : len(basis)] = across[:, : len(basis)] @ basis @ basis.T
    scale = max(1.0, float(np.abs(decoder.covariance).max()), float(np.abs(decoder.mean).max()))
    return bool(np.abs(across).max() < 1e-10 * scale and np.abs(mean).max() < 1e-10 * scale)


def _completed(basis: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the whole space that begins with the given one."""
    rest = np.linalg.svd(basis, full_matrices=True)[0][:, basis.shape[1] :]
    return np.concatenate([basis, rest], axis=1)
