r"""Activations with a kink at 0, such as ReLU: their slopes, and smooth ones that tend to them.

φ(s) = d s⁻ + u s⁺ has the slopes d and u; softened by τ it is d s + (u − d)(s + √(s² + τ²))/2, which lies at most
(u − d)τ/2 above φ. Where the optimum of φ puts preactivations onto the kink, its smooth neighbours put them within
about τ, and their slopes there tend to those members of the subdifferential by which the optimum is stationary.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.kinks import kinks


def has_kink(activation: Activation) -> bool:
    """Return whether φ consists of two different lines through 0."""
    return activation.homogeneous and _jump(activation) != 0


@functools.cache
def _jump(activation: Activation) -> float:
    """Return the jump of the slope of φ at its kink, 0 where there is none."""
    with jax.ensure_compile_time_eval():
        found = () if activation.smooth else kinks(activation)
    return found[0].jump if found else 0.0


@functools.cache
def slopes(activation: Activation, at: float = 1.0) -> tuple[float, float]:
    """Return the slopes of φ at ``at`` below 0 and above it."""
    with jax.ensure_compile_time_eval():
        down, up = np.asarray(activation.first(jnp.asarray([-at, at])))
    return float(down), float(up)


def between(activation: Activation, found: np.ndarray, least: float) -> np.ndarray:
    """Return which slopes differ from those of both sides of a kink by a share of the jump, at least."""
    down, up = slopes(activation)
    shares = (found - down) / (up - down)
    return (shares > least) & (shares < 1 - least)


def softened(activation: Activation, softness: Any) -> Activation:
    """Return φ softened by τ where it has a kink, and else φ itself; τ may be traced."""
    if not has_kink(activation):
        return activation
    down, jump = slopes(activation)[0], _jump(activation) / 2
    root = lambda s: jnp.sqrt(jnp.square(s) + softness**2)
    return Activation(
        f"soft {activation.name}",
        lambda s: down * s + jump * (s + root(s)),
        lambda s: down + jump * (1 + s / root(s)),
        lambda s: jump * softness**2 / root(s) ** 3,
        smooth=True,
    )


def with_soft_kinks(network: Autoencoder, softness: Any) -> Autoencoder:
    """Return the network with its activations softened by τ."""
    pair = network.encoder_activation, network.decoder_activation
    encoder, decoder = (softened(activation, softness) for activation in pair)
    return dataclasses.replace(network, encoder_activation=encoder, decoder_activation=decoder)
