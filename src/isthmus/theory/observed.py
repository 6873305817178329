"""What is observed of a network along its path: the risk, or the values of any function of the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.dynamics.field import VectorField, Weights


class Observed(eqx.Module):
    """Values of a network.

    Programs are compiled once for each function, whatever the numbers are that it is given.

    Attributes:
        function: of the field, the network, weights of the points, and ``given``, with values of shape (count,);
            differentiable by the network.
        count: how many they are.
        given: arrays that the function needs besides.

    """

    function: Callable[[VectorField, Autoencoder, Weights, Any], jax.Array] = eqx.field(static=True)
    count: int = eqx.field(static=True)
    given: Any = ()

    def values(self, field: VectorField, network: Autoencoder, weights: Weights) -> jax.Array:
        """Return the values, shape (count,)."""
        return self.function(field, network, weights, self.given)

    def gradient(self, field: VectorField, network: Autoencoder, output: int) -> tuple[Autoencoder, jax.Array]:
        """Return the derivatives of one value by the network and by the weights of the points."""
        return _gradient(self, field, network, output)

    def changes(self, field: VectorField, network: Autoencoder, changes: Autoencoder) -> np.ndarray:
        """Return the derivatives of all values along changes of the network (leading axis), (changes, count)."""
        return np.asarray(_changes(self, field, network, changes), float)


def _risk(field: VectorField, network: Autoencoder, weights: Weights, nothing: tuple[()]) -> jax.Array:
    return field.risk(network, weights)[None]


RISK = Observed(_risk, 1)
"""R(t) on the points that the field has."""


@jax.jit
def _gradient(
    observed: Observed, field: VectorField, network: Autoencoder, output: jax.Array
) -> tuple[Autoencoder, jax.Array]:
    one = lambda network, weights: observed.values(field, network, weights)[output]
    return jax.grad(one, (0, 1))(network, field.weights)


@jax.jit
def _changes(observed: Observed, field: VectorField, network: Autoencoder, changes: Autoencoder) -> jax.Array:
    values = lambda network: observed.values(field, network, field.weights)
    return jax.vmap(lambda change: jax.jvp(values, (network,), (change,))[1])(changes)
