r"""The curvature of the objective for the mean-field flow: how large steps may be, and where saddles are.

A neuron of mass m_i moves with v_i = −(1/m_i) ∂F/∂θ_i. About a network the flow is δθ̇ = −L δθ, L = −Dv, which is
symmetric in the metric Σ m_i ⟨a_i, b_i⟩: its eigenvalues are the curvatures of F in that metric, which converge as the
network widens. Explicit steps of size ε of gradient descent are stable along a curvature λ where ελ < 2. Where λ < 0
deviations grow as e^(|λ|t).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.sparse.linalg import LinearOperator, eigsh

from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.optimizers import GradientDescent, Momentum, Optimizer

DOUBLE = np.dtype(np.float64)
KRYLOV_DIMENSION = 64
"""Lanczos vectors between restarts for the lowest curvature, which others lie close to; mostly none is needed."""
TOLERANCE = 1e-4
"""Residual ‖Lv − λv‖ relative to the highest curvature; the error of λ is mostly in proportion to its square."""
NO_CURVATURE = 1e-9
"""A highest curvature that is nothing but rounding."""
RELAXATION_STEPS = 100
"""Steps in which the noise of batches dies out, along all but the flattest directions."""


class Curvature(NamedTuple):
    """Both ends of the spectrum of L, and how far a true eigenvalue may be from each.

    Both are means of L over unit vectors: the true ends lie no further inside, so that ``lowest`` < 0 is certain.
    """

    lowest: float
    highest: float
    lowest_error: float
    highest_error: float


def curvature(network: Autoencoder, points: np.ndarray, weights: np.ndarray) -> Curvature:
    """Return the lowest and the highest curvature of the objective, for points, shape (n, d), and weights of sum 1."""
    with computing_in(DOUBLE):
        network = network.in_precision(DOUBLE)
        points, weights = np.asarray(points, DOUBLE), np.asarray(weights, DOUBLE)
        flat_roots, unravel = ravel_pytree(_roots(network))
        moving = np.asarray(flat_roots) > 0
        roots = np.asarray(flat_roots)[moving]

        def product(vector: np.ndarray) -> np.ndarray:
            """Return √m L (vector/√m), which is symmetric in the ordinary sense, over the parameters that move."""
            direction = np.zeros(len(moving))
            direction[moving] = np.ravel(vector) / roots
            applied = _hessian_vector_product(network, unravel(jnp.asarray(direction)), points, weights)
            return roots * np.asarray(ravel_pytree(applied)[0])[moving]

        return ends_of_spectrum(product, len(roots))


def ends_of_spectrum(product: Callable[[np.ndarray], np.ndarray], size: int) -> Curvature:
    """Return both ends of the spectrum of a symmetric matrix from its products with vectors of a size.

    By ARPACK's restarted Lanczos method. The errors are the residuals ‖Lv − λv‖ of its unit vectors v, λ = ⟨v, Lv⟩.

    Source: Lehoucq, Sorensen and Yang, ARPACK Users' Guide, SIAM, 1998.
    """
    start = np.random.default_rng(0).standard_normal(size)
    if not product(start).any():  # ARPACK takes no matrix that is 0
        return Curvature(0.0, 0.0, 0.0, 0.0)

    def end(which: str, shift: float, krylov_dimension: int | None = None) -> tuple[float, float]:
        shifted = LinearOperator((size, size), lambda vector: product(vector) + shift * np.ravel(vector))
        options: dict[str, Any] = {"v0": start, "ncv": krylov_dimension, "tol": TOLERANCE}
        vector = eigsh(shifted, 1, which=which, **options)[1][:, 0]
        applied = product(vector)
        value = float(vector @ applied)
        return value, float(np.linalg.norm(applied - value * vector))

    highest, highest_error = end("LA", 0.0)
    # ARPACK's tolerance is relative to the eigenvalue: the shift makes it relative to the highest one
    lowest, lowest_error = end("SA", highest, min(KRYLOV_DIMENSION, size))
    return Curvature(lowest, highest, lowest_error, highest_error)


def stability_limit(optimizer: Optimizer, step_size: float) -> float | None:
    """Return the step size × curvature below which steps are stable; None where it isn't known (Adam).

    For the heavy ball, θ″ = (1 + β − ε²λ/τ) θ′ − β θ with β = 1 − ε/τ, it is 4τ/ε − 2.
    """
    if isinstance(optimizer, GradientDescent):
        return 2.0
    return 4 * optimizer.memory / step_size - 2 if isinstance(optimizer, Momentum) else None


def relaxed(network: Autoencoder, points: np.ndarray, weights: np.ndarray, found: Curvature) -> Autoencoder:
    """Return the network after steps of size 1/highest on all points, in which the noise of batches dies out.

    There are `RELAXATION_STEPS`, or fewer where a deviation along the lowest curvature would grow more than e²-fold.
    """
    if found.highest <= NO_CURVATURE:
        return network
    most = 2 * found.highest / -found.lowest if found.lowest < 0 else RELAXATION_STEPS
    with computing_in(DOUBLE):
        start = network.in_precision(DOUBLE)
        arguments = np.asarray(points, DOUBLE), np.asarray(weights, DOUBLE), np.asarray(1 / found.highest, DOUBLE)
        return jax.tree.map(np.asarray, _descended(start, *arguments, np.asarray(int(min(RELAXATION_STEPS, most)))))


@jax.jit
def _descended(
    network: Autoencoder, points: jax.Array, weights: jax.Array, size: jax.Array, steps: jax.Array
) -> Autoencoder:
    def step(_: jax.Array, state: Autoencoder) -> Autoencoder:
        return jax.tree.map(lambda leaf, slope: leaf + size * slope, state, state.velocity(points, weights))

    return jax.lax.fori_loop(0, steps, step, network)


@jax.jit
def _hessian_vector_product(
    network: Autoencoder, direction: Autoencoder, points: jax.Array, weights: jax.Array
) -> Autoencoder:
    """Return L δ = −Dv δ along a direction δ."""
    change = jax.jvp(lambda state: state.velocity(points, weights), (network,), (direction,))[1]
    return jax.tree.map(jnp.negative, change)


def _roots(network: Autoencoder) -> Autoencoder:
    """Return √m for every parameter that moves, and 0 for all others."""

    def side(measure: NeuronMeasure) -> NeuronMeasure:
        roots = jnp.sqrt(jnp.asarray(measure.masses))
        per_weight = lambda weights: jnp.broadcast_to(roots[:, None], weights.shape)
        bias = roots if network.train_biases else jnp.zeros_like(roots)
        return NeuronMeasure(jnp.zeros_like(roots), per_weight(measure.outgoing), per_weight(measure.incoming), bias)

    return network.with_measures(side(network.encoder), side(network.decoder))
