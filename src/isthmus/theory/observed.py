"""What is observed of a network along its path: the risk, or the values of any function of the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.dynamics.field import VectorField, Weights


@dataclass(frozen=True)
class Observed:
    """Values of a network.

    Attributes:
        values: of the field, the network, and weights of the points, shape (count,); differentiable.
        count: how many they are.

    """

    values: Callable[[VectorField, Autoencoder, Weights], jax.Array]
    count: int

    def gradient(self, field: VectorField, network: Autoencoder, output: int) -> tuple[Autoencoder, jax.Array]:
        """Return the derivatives of one value by the network and by the weights of the points."""
        return _gradient(self, field, network, output)

    def changes(self, field: VectorField, network: Autoencoder, changes: Autoencoder) -> np.ndarray:
        """Return the derivatives of all values along changes of the network (leading axis), (changes, count)."""
        return np.asarray(_changes(self, field, network, changes), float)


def _risk(field: VectorField, network: Autoencoder, weights: Weights) -> jax.Array:
    return field.risk(network, weights)[None]


RISK = Observed(_risk, 1)
"""R(t) on the points that the field has."""


@partial(jax.jit, static_argnums=0)
def _gradient(
    observed: Observed, field: VectorField, network: Autoencoder, output: jax.Array
) -> tuple[Autoencoder, jax.Array]:
    one = lambda network, weights: observed.values(field, network, weights)[output]
    return jax.grad(one, (0, 1))(network, field.weights)


@partial(jax.jit, static_argnums=0)
def _changes(observed: Observed, field: VectorField, network: Autoencoder, changes: Autoencoder) -> jax.Array:
    values = lambda network: observed.values(field, network, field.weights)
    return jax.vmap(lambda change: jax.jvp(values, (network,), (change,))[1])(changes)
