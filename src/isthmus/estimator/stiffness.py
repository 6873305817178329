"""The highest curvature of the objective at a start, from the program that trains."""

from __future__ import annotations

import jax
import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.optimizers import Motion
from isthmus.dynamics.learner import Learner, Steps

BATCHES = 8
"""Batches over which velocities are averaged."""
ITERATIONS = 24
"""Steps of the power method, after which the curvature is known to a few hundredths."""
SHIFT = 1e-3
"""Length of the shift between the two networks whose velocities are compared, relative to the weights'."""


def stiffness(network: Autoencoder, batches: np.ndarray, motion: Motion, seed: int) -> float:
    """Return λ, the top eigenvalue of the Hessian in mean-field scaling, on batches of shape (`BATCHES`, B, r).

    By the power method on (v(θ) − v(θ + h p))/h. The velocity is the average that the heavy ball of ``motion`` keeps
    where steps move nothing, so that no other program than that of training has to be compiled.
    """
    here = _velocity(network, batches, motion)
    random = np.random.default_rng(seed)
    leaves, structure = jax.tree.flatten(network)
    direction = [random.standard_normal(part.shape) * bool(part.any()) for part in here]  # masses don't move
    length = SHIFT * _norm([np.asarray(leaf) for leaf in leaves])
    curvature = 0.0
    for _ in range(ITERATIONS):
        size = _norm(direction)
        if size == 0 or not np.isfinite(size):
            break
        direction = [part / size for part in direction]
        shifted = [np.asarray(leaf + length * part, leaf.dtype) for leaf, part in zip(leaves, direction, strict=True)]
        there = _velocity(jax.tree.unflatten(structure, shifted), batches, motion)
        direction = [(one - other) / length for one, other in zip(here, there, strict=True)]
        curvature = _norm(direction)
    return curvature


def _velocity(network: Autoencoder, batches: np.ndarray, motion: Motion) -> list[np.ndarray]:
    """Return the mean velocity over batches, leaf by leaf."""
    memory = motion.optimizer.inertia
    assert memory
    learner = Learner(network, motion, averaging=True)
    shares = memory / np.arange(1, len(batches) + 1)  # the mean of all batches so far
    still = np.zeros(len(batches))
    learner.learn(batches, Steps(shares, still, still))
    return [part.astype(float) for part in learner.memory.averages]


def _norm(parts: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.vdot(part, part) for part in parts)))
