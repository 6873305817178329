"""Whether a law that is known by its sampler alone is one whose flow stands still."""

from __future__ import annotations

import jax
import numpy as np

from isthmus.core.activations import Activation
from isthmus.core.autoencoder import features
from isthmus.core.data import Data
from isthmus.core.laws import Law

DRAWS = 4096
"""Neurons of each side that are drawn."""
PROBES = 16
"""Points on which f is looked at."""


def sampled_law_is_trivial(
    law: Law, activations: tuple[Activation, Activation], population: Data, mean_error: float
) -> bool:
    """Test f = 0 on some points, g(0) = E x and Dg(0) = 0 against the sampling error of some draws.

    The mean of the population is known up to ``mean_error``.
    """
    keys = jax.random.split(jax.random.key(0))
    encoder, decoder = (
        jax.tree.map(np.asarray, side.sample(key, DRAWS))
        for side, key in zip((law.encoder, law.decoder), keys, strict=True)
    )
    phi_e, phi_d = activations
    points = population.filled[:PROBES].astype(float)
    factors = [  # f, g(0) and Dg(0) are averages of outgoing weights times these
        (encoder.outgoing, features(encoder, phi_e, points), np.zeros((1, 1)), 0.0),
        (decoder.outgoing, phi_d.of(decoder.bias)[:, None], population.mean[:, None], mean_error),
        (decoder.outgoing, phi_d.of(decoder.bias, 1)[:, None] * decoder.incoming, np.zeros((1, 1)), 0.0),
    ]
    for outgoing, factor, expected, margin in factors:
        mean = outgoing.T @ factor / DRAWS
        variance = (outgoing**2).T @ factor**2 / DRAWS - mean**2
        errors = np.sqrt(np.maximum(variance, 0) / DRAWS) + 1e-12
        if np.any(np.abs(mean - expected) > 5 * errors + margin):
            return False
    return True
