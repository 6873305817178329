"""The coordinates in which a mean-field limit lives: those of the span of the data, leading direction first.

The component of an incoming weight of the encoder orthogonal to all points never acts. The component c⊥ of an outgoing
weight of the decoder orthogonal to them contributes E[c⊥ φ(s)] to the reconstruction, which stays 0 where c⊥ is centred
and independent of the rest, since then nothing moves it. So the limit of n points lives in at most n dimensions. A
finite network does see c⊥, as noise.
"""

from __future__ import annotations

import equinox as eqx
import numpy as np

from isthmus import _checks
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data
from isthmus.core.neuron_laws import GaussianNeurons, completed


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
            if whole or not decoder.outgoing_outside_is_noise(self.basis):
                _checks.memory("data", _checks.described(f"of {data.dim:,} columns"), 8 * data.dim**2)
                self.basis = completed(self.basis)
            self.data = Data(data.points @ self.basis, data.weights, name=data.name)
        self.encoder = encoder.in_axes(incoming=self.basis)
        self.decoder = decoder.in_axes(outgoing=self.basis)
        total, inside = decoder.outgoing_variance, self.decoder.outgoing_variance
        self.hidden_variance = float(total - inside) if total - inside > 1e-12 * total else 0.0

    def lifted(self, network: Autoencoder, start: Autoencoder, seed: int) -> Autoencoder:
        """Return a network that began as ``start`` in the coordinates of the data; leading axes may stand in front.

        Outgoing weights of the decoder get no component outside the span, since in the limit it contributes nothing.
        Incoming weights of the encoder get draws of theirs, which don't act on these data but do on other ones.
        """
        random = np.random.default_rng([seed, start.encoder.width])
        silent = self._encoder.drawn_outside(self.basis, start.encoder, random)
        lifted = in_axes(network, self.basis.T)
        incoming = lifted.encoder.incoming
        return eqx.tree_at(lambda state: state.encoder.incoming, lifted, incoming + silent.astype(incoming.dtype))


def in_axes(network: Autoencoder, axes: np.ndarray) -> Autoencoder:
    """Return a network in the coordinates along orthonormal axes, in the columns of a (d, r) array, as NumPy arrays.

    Weights on the side of the data, of shape (…, N, d), lose what they have outside the axes. With the transpose of the
    axes a network in these coordinates becomes one in R^d.
    """
    weights = (network.encoder.incoming, network.decoder.outgoing)
    with np.errstate(invalid="ignore"):  # times that a failed solve did not reach hold infinity
        products = tuple((np.asarray(part) @ axes).astype(part.dtype) for part in weights)
    return eqx.tree_at(lambda state: (state.encoder.incoming, state.decoder.outgoing), network, products)
