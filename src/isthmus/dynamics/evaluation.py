"""Latents and reconstructions of many points, some rows at a time."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder

POINTS_AT_ONCE = 1024
"""Points that go through a network together."""


def encoded(network: Autoencoder, points: np.ndarray) -> np.ndarray:
    """Return f(x) of points in the units of the computation, shape (n, k), some rows at a time."""
    return _in_rows(_encode, network, points)


def decoded(network: Autoencoder, latents: np.ndarray) -> np.ndarray:
    """Return g(z), shape (n, d), some rows at a time."""
    return _in_rows(_decode, network, latents)


def reconstructed(network: Autoencoder, points: np.ndarray) -> np.ndarray:
    """Return g(f(x)), shape (n, d), some rows at a time."""
    return _in_rows(_reconstruct, network, points)


def _in_rows(function: Any, network: Autoencoder, inputs: np.ndarray) -> np.ndarray:
    dtype = np.dtype(network.encoder.bias.dtype)
    parts = []
    with computing_in(dtype):
        for first in range(0, len(inputs), POINTS_AT_ONCE):
            part = np.asarray(inputs[first : first + POINTS_AT_ONCE], dtype)
            filled = 1 << int(np.ceil(np.log2(max(len(part), 8))))  # few shapes, few programs
            padded = np.concatenate([part, np.zeros((filled - len(part), part.shape[1]), dtype)])
            parts.append(np.asarray(function(network, padded))[: len(part)])
    return np.concatenate(parts)


@jax.jit
def _encode(network: Autoencoder, points: jax.Array) -> jax.Array:
    return network.encode(points)


@jax.jit
def _decode(network: Autoencoder, latents: jax.Array) -> jax.Array:
    return network.decode(latents)


@jax.jit
def _reconstruct(network: Autoencoder, points: jax.Array) -> jax.Array:
    return network.reconstruct(points)
