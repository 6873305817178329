r"""The curvature of the objective for the mean-field flow: how large steps may be, and whether a rest is a saddle.

A neuron of mass m_i moves with v_i = −(1/m_i) ∂F/∂θ_i. About a network the flow is δθ̇ = −L δθ, L = −Dv, which is
symmetric in the metric Σ m_i ⟨a_i, b_i⟩: its eigenvalues are the curvatures of F in that metric, which converge as the
network widens. Explicit steps of size ε of gradient descent are stable along a curvature λ where ελ < 2. Where λ < 0
deviations grow as e^(|λ|t).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.optimizers import GradientDescent, Momentum, Optimizer

DOUBLE = np.dtype(np.float64)
DEPTH = 64
"""Applications of L, after which the ends of its spectrum are known to a few digits."""
FLAT = 1e-9
"""A highest curvature that is nothing but rounding."""
CALM = 100
"""Steps in which the noise of batches dies out, along all but the flattest directions."""


class Curvature(NamedTuple):
    """Both ends of the spectrum of L, and how far a true eigenvalue may be from each.

    Both are means of L over unit vectors: the true ends lie no further inside, so that ``lowest`` < 0 is certain.
    """

    lowest: float
    highest: float
    lowest_error: float
    highest_error: float


def curvature(network: Autoencoder, points: np.ndarray, weights: np.ndarray, depth: int = DEPTH) -> Curvature:
    """Return the lowest and the highest curvature of the objective at a network, by the method of Lanczos."""
    with computing_in(DOUBLE):
        network = network.in_precision(DOUBLE)
        points, weights = np.asarray(points, DOUBLE), np.asarray(weights, DOUBLE)
        roots = np.asarray(ravel_pytree(_roots(network))[0])
        unravel = ravel_pytree(network)[1]
        inverse = np.divide(1, roots, out=np.zeros_like(roots), where=roots > 0)

        def bend(vector: np.ndarray) -> np.ndarray:
            """Return √m L (vector/√m), which is symmetric in the ordinary sense."""
            bent = _bent(network, unravel(jnp.asarray(inverse * vector)), points, weights)
            return -roots * np.asarray(ravel_pytree(bent)[0])

        start = np.random.default_rng(0).standard_normal(len(roots)) * (roots > 0)
        return lanczos(bend, start, depth)


def lanczos(apply: Callable[[np.ndarray], np.ndarray], start: np.ndarray, depth: int) -> Curvature:
    """Return both ends of the spectrum of a symmetric matrix from its action on vectors, at most ``depth`` of them."""
    basis = [start / np.linalg.norm(start)]
    diagonal, beside = [], []
    for _ in range(depth):
        vector = apply(basis[-1])
        diagonal.append(float(basis[-1] @ vector))
        together = np.array(basis)
        for _ in range(2):  # once leaves rounding of the size of what was taken away
            vector = vector - together.T @ (together @ vector)
        beside.append(float(np.linalg.norm(vector)))
        if beside[-1] <= 1e-12 * max(np.abs(diagonal).max(), *beside, 1e-300):
            break
        basis.append(vector / beside[-1])
    matrix = np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)
    values, vectors = np.linalg.eigh(matrix)
    errors = beside[-1] * np.abs(vectors[-1])
    return Curvature(float(values[0]), float(values[-1]), float(errors[0]), float(errors[-1]))


def stability_limit(optimizer: Optimizer, step_size: float) -> float | None:
    """Return below which step size × curvature steps are stable; None where it isn't known (Adam).

    For the heavy ball, θ″ = (1 + β − ε²λ/τ) θ′ − β θ with β = 1 − ε/τ, it is 4τ/ε − 2.
    """
    if isinstance(optimizer, GradientDescent):
        return 2.0
    return 4 * optimizer.memory / step_size - 2 if isinstance(optimizer, Momentum) else None


def settled(network: Autoencoder, points: np.ndarray, weights: np.ndarray, bent: Curvature) -> Autoencoder:
    """Return the network after steps of size 1/highest on all points, in which the noise of batches dies out.

    There are `CALM` of them, or fewer where a deviation along the lowest curvature would grow more than e²-fold.
    """
    if bent.highest <= FLAT:
        return network
    most = 2 * bent.highest / -bent.lowest if bent.lowest < 0 else CALM
    with computing_in(DOUBLE):
        start = network.in_precision(DOUBLE)
        arguments = np.asarray(points, DOUBLE), np.asarray(weights, DOUBLE), np.asarray(1 / bent.highest, DOUBLE)
        return jax.tree.map(np.asarray, _settled(start, *arguments, np.asarray(int(min(CALM, most)))))


@jax.jit
def _settled(
    network: Autoencoder, points: jax.Array, weights: jax.Array, size: jax.Array, steps: jax.Array
) -> Autoencoder:
    def step(_: jax.Array, state: Autoencoder) -> Autoencoder:
        return jax.tree.map(lambda leaf, slope: leaf + size * slope, state, state.velocity(points, weights))

    return jax.lax.fori_loop(0, steps, step, network)


@jax.jit
def _bent(network: Autoencoder, direction: Autoencoder, points: jax.Array, weights: jax.Array) -> Autoencoder:
    """Return Dv along a direction."""
    return jax.jvp(lambda state: state.velocity(points, weights), (network,), (direction,))[1]


def _roots(network: Autoencoder) -> Autoencoder:
    """Return √m in the place of every parameter that moves, and 0 elsewhere."""

    def side(measure: NeuronMeasure) -> NeuronMeasure:
        roots = np.sqrt(np.asarray(measure.masses))
        wide = lambda part: np.broadcast_to(roots[:, None], part.shape)
        bias = roots if network.train_biases else np.zeros_like(roots)
        parts = (np.zeros_like(roots), wide(measure.outgoing), wide(measure.incoming), bias)
        return NeuronMeasure(*parts)  # pyright: ignore[reportArgumentType]  (NumPy arrays serve as JAX arrays)

    return network.with_measures(side(network.encoder), side(network.decoder))
