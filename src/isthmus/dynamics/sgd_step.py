"""One step of stochastic gradient descent: the only home of what a step does."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.optimizers import GradientDescent, Motion
from isthmus.dynamics.langevin import noise


def sgd_step(
    network: Autoencoder,
    averages: Any,
    batch: tuple[jax.Array, jax.Array],
    sizes: tuple[jax.Array, jax.Array, jax.Array],
    motion: Motion,
    noise_key: jax.Array,
) -> tuple[Autoencoder, Any]:
    """Return the network and the optimizer's averages after a step on a batch (points, weights).

    Sizes are ε, εξ_E and εξ_D. A step of size 0 changes nothing.
    """
    size, encoder_size, decoder_size = sizes
    if isinstance(motion.optimizer, GradientDescent):  # sizes enter early, where they cost nothing
        move = network.velocity(*batch, encoder_size, decoder_size)
    else:
        move, averages = motion.optimizer.step(size, averages, network.velocity(*batch))
        move = move.times(encoder_size, decoder_size)
    if motion.temperature > 0:
        kick = noise(network, noise_key, [jnp.sqrt(2 * motion.temperature * size) for size in sizes[1:]])
        move = jax.tree.map(jnp.add, move, kick)
    return jax.tree.map(jnp.add, network, move), averages
