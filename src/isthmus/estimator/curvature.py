r"""The curvature of the objective for the mean-field flow: how large steps may be, and where saddles are.

A neuron of mass m_i moves with v_i = −(1/m_i) ∂F/∂θ_i. About a network the flow is δθ̇ = −L δθ, L = −Dv, which is
symmetric in the metric Σ m_i ⟨a_i, b_i⟩: its eigenvalues are the curvatures of F in that metric, which converge as the
network widens. Explicit steps of size ε of gradient descent are stable along a curvature λ where ελ < 2. Where λ < 0
deviations grow as e^(|λ|t).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.sparse.linalg import LinearOperator, eigsh

from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder, Velocity
from isthmus.core.neurons import NeuronMeasure
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.integrators import moved

Product = Callable[[np.ndarray], np.ndarray]
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


def curvature(field: VectorField, network: Autoencoder) -> Curvature:
    """Return the lowest and the highest curvature of the objective of a field, in its precision, at unit rates."""
    product, size = _products(field, network)
    return ends_of_spectrum(product, size)


def highest_curvature(field: VectorField, network: Autoencoder) -> float:
    """Return the highest curvature alone, which costs a few products of the many that the lowest one needs."""
    return _end(*_products(field, network), "LA", 0.0)[0]


def lowest_curvature(field: VectorField, network: Autoencoder, scale: float) -> float:
    """Return the lowest curvature alone, to a tolerance relative to the scale of the highest one."""
    return _end(*_products(field, network), "SA", scale)[0]


def _products(field: VectorField, network: Autoencoder) -> tuple[Product, int]:
    """Return vector ↦ √m L (vector/√m), symmetric in the ordinary sense, over the parameters that move; their number.

    Vectors are of double precision; L is computed in that of the field.
    """
    with computing_in(field.dtype):
        network = jax.tree.map(jnp.asarray, network.in_precision(field.dtype))
        flat_roots, unravel = ravel_pytree(_roots(network, field.motion.train_biases))
    flat_roots = np.asarray(flat_roots, float)
    moving = flat_roots > 0
    roots = flat_roots[moving]

    def product(vector: np.ndarray) -> np.ndarray:
        direction = np.zeros(len(moving))
        direction[moving] = np.ravel(vector) / roots
        with computing_in(field.dtype):
            change = _change_along(field, network, unravel(jnp.asarray(direction, field.dtype)))
            return -roots * np.asarray(ravel_pytree(change)[0], float)[moving]

    return product, len(roots)


def ends_of_spectrum(product: Product, size: int) -> Curvature:
    """Return both ends of the spectrum of a symmetric matrix from its products with vectors of a size.

    By ARPACK's restarted Lanczos method. The errors are the residuals ‖Lv − λv‖ of its unit vectors v, λ = ⟨v, Lv⟩.

    Source: Lehoucq, Sorensen and Yang, ARPACK Users' Guide, SIAM, 1998.
    """
    highest, highest_error = _end(product, size, "LA", 0.0)
    lowest, lowest_error = _end(product, size, "SA", highest)
    return Curvature(lowest, highest, lowest_error, highest_error)


def _end(product: Product, size: int, which: Literal["LA", "SA"], shift: float) -> tuple[float, float]:
    """Return an end of the spectrum, and its residual; ARPACK's tolerance is relative to the end plus the shift."""
    start = np.random.default_rng(0).standard_normal(size)
    if not product(start).any():  # ARPACK takes no matrix that is 0
        return 0.0, 0.0
    shifted = LinearOperator((size, size), lambda vector: product(vector) + shift * np.ravel(vector))
    krylov_dimension = min(KRYLOV_DIMENSION, size) if which == "SA" else None
    options: dict[str, Any] = {"v0": start, "ncv": krylov_dimension, "tol": TOLERANCE}
    vector = eigsh(shifted, 1, which=which, **options)[1][:, 0]
    applied = product(vector)
    value = float(vector @ applied)
    return value, float(np.linalg.norm(applied - value * vector))


def relaxed(field: VectorField, network: Autoencoder, found: Curvature) -> Autoencoder:
    """Return the network after steps of size 1/highest along a field, in which the noise of batches dies out.

    There are `RELAXATION_STEPS`, or fewer where a deviation along the lowest curvature would grow more than e²-fold.
    """
    if found.highest <= NO_CURVATURE:
        return network
    most = 2 * found.highest / -found.lowest if found.lowest < 0 else RELAXATION_STEPS
    with computing_in(field.dtype):
        size, steps = np.asarray(1 / found.highest, field.dtype), np.asarray(int(min(RELAXATION_STEPS, most)))
        return jax.tree.map(np.asarray, _descended(field, network.in_precision(field.dtype), size, steps))


@jax.jit
def _descended(field: VectorField, network: Autoencoder, size: jax.Array, steps: jax.Array) -> Autoencoder:
    step = lambda _, state: moved(state, size, field.velocity(state, jnp.zeros_like(size)))
    return jax.lax.fori_loop(0, steps, step, network)


@jax.jit
def _change_along(field: VectorField, network: Autoencoder, direction: Velocity) -> Velocity:
    return field.along(network, jnp.zeros((), field.dtype), direction)


def _roots(network: Autoencoder, train_biases: bool) -> Velocity:
    """Return √m for every parameter that moves, and 0 for all others."""

    def side(measure: NeuronMeasure) -> NeuronMeasure:
        roots = jnp.sqrt(jnp.asarray(measure.masses))
        per_weight = lambda weights: jnp.broadcast_to(roots[:, None], weights.shape)
        bias = roots if train_biases else jnp.zeros_like(roots)
        return NeuronMeasure(jnp.zeros_like(roots), per_weight(measure.outgoing), per_weight(measure.incoming), bias)

    return Velocity(side(network.encoder), side(network.decoder))
