r"""Second derivatives of the objective that know of the kinks which a step crosses.

With φ(s) softened by τ, a pair of a point and a neuron whose preactivation s lies near the kink has the curvature
κ φ''(s) ~ κ/τ, with κ = ∂F/∂φ, and one a few τ away has none. So the quadratic model of a step overshoots the kinks
that it doesn't see yet, and clings to those that it is about to leave; both keep steps as short as τ. Once a step d
has failed, the slope of the secant

    q = [φ'(s(d)) − φ'(s)] / [s(d) − s]

takes the place of φ''(s), so that H becomes H + Σ κ (q − φ'') ∇s ∇sᵀ over the pairs for which it matters. A step that
the secants of its own end give minimises the model in which only the kinks are exact.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder
from isthmus.dynamics.field import VectorField
from isthmus.theory.hessian import added_by, in_rows, summed
from isthmus.theory.kinks import has_kink, softened

WORTH = 1e-3
"""A pair counts whose secant changes the model by this share of the fall that was foretold,"""
MOST_PAIRS = 2000
"""but no more than so many: those that change it most."""


class _Pairs(NamedTuple):
    """Of all pairs of a point and an atom of a side: s, φ'(s), φ''(s) and κ, each of shape (n, N)."""

    preactivations: Any
    slopes: Any
    curvatures: Any
    pulls: Any


class _Layers(NamedTuple):
    """Both sides, with the latents, shape (n, k), and their derivatives by the encoder's variables, (N, n, k, p)."""

    sides: tuple[_Pairs, _Pairs]
    latents: Any
    latent_slopes: Any


def with_secants(
    field: VectorField,
    network: Autoencoder,
    moved: Autoencoder,
    hessian: np.ndarray,
    moving: np.ndarray,
    softness: float,
    foretold: float,
) -> np.ndarray | None:
    """Return a Hessian with secants of softened kinks in place of their curvatures; None where no pair counts.

    Args:
        field: whose objective it is.
        network: where a step begins.
        moved: where it ends, with the same number of atoms.
        hessian: at its beginning, over the variables in ``moving``.
        moving: indices of these among the variables of all atoms, as in `derivatives`.
        softness: τ.
        foretold: the fall of the objective that the model had foretold.

    """
    pair = network.encoder_activation, network.decoder_activation
    here, there = (_layers(field, *in_rows(at), softness, pair) for at in (network, moved))
    changes, atoms = [], (network.encoder.width, network.decoder.width)
    for side in (0, 1):
        before, after = (
            _Pairs(*(np.asarray(part)[:, : atoms[side]] for part in at.sides[side])) for at in (here, there)
        )
        distance = after.preactivations - before.preactivations
        secant = (after.slopes - before.slopes) / np.where(distance != 0, distance, 1.0)
        change = before.pulls * (secant - before.curvatures) if has_kink(pair[side]) else np.zeros_like(secant)
        worth = np.abs(change) * distance**2
        least = max(WORTH * foretold, np.sort(worth, axis=None)[-MOST_PAIRS] if worth.size > MOST_PAIRS else 0.0)
        pairs = np.nonzero(worth > least)
        changes.append((pairs, change[pairs]))
    directions = np.concatenate([_directions(field, network, here, side, changes[side][0]) for side in (0, 1)])[
        :, moving
    ]
    if not len(directions):
        return None
    return hessian + directions.T @ (np.concatenate([change for _, change in changes])[:, None] * directions)


def _directions(
    field: VectorField, network: Autoencoder, at: _Layers, side: int, pairs: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return the derivatives of the preactivations of some pairs by the variables of all atoms, in rows."""
    points, atoms = pairs
    count, size = network.encoder.width, 2 + network.dim + network.latent_dim
    outputs = (network.latent_dim, network.dim)[side]
    inputs = np.asarray((field.points, at.latents)[side])[points]
    rows = np.zeros((len(points), count + network.decoder.width, size))
    rows[np.arange(len(points)), side * count + atoms, 1 + outputs :] = np.column_stack([inputs, np.ones(len(points))])
    if side == 1:  # through the latents
        roots = np.sqrt(np.asarray(network.decoder.masses))[:, None]
        incoming = (roots * np.asarray(network.decoder.incoming))[atoms]
        slopes = np.asarray(at.latent_slopes)[:count, points]
        rows[:, :count] = np.einsum("pk,Npkv->pNv", incoming, slopes)
    return rows.reshape(len(points), (count + network.decoder.width) * size)


@partial(jax.jit, static_argnums=4)
def _layers(
    field: VectorField, encoder: Any, decoder: Any, softness: Any, pair: tuple[Activation, Activation]
) -> _Layers:
    points, dim = field.points, field.points.shape[1]
    latent_dim = decoder.shape[1] - 2 - dim
    phis = [softened(phi, softness) for phi in pair]
    latents = summed(encoder, points, phis[0], latent_dim)
    pull = field.weights[:, None] * (summed(decoder, latents, phis[1], dim) - points)
    lower = _pairs(decoder, latents, phis[1], pull)
    pull = (lower.pulls * lower.slopes) @ decoder[:, 1 + dim : -1]
    slopes = jax.vmap(jax.jacfwd(lambda atom: added_by(atom, points, phis[0], latent_dim)))(encoder)
    return _Layers((_pairs(encoder, points, phis[0], pull), lower), latents, slopes)


def _pairs(atoms: jax.Array, inputs: jax.Array, phi: Activation, pull: jax.Array) -> _Pairs:
    outputs, roots = pull.shape[1], jnp.abs(atoms[None, :, 0])
    safe = jnp.where(roots > 0, roots, 1.0)
    preactivations = inputs @ atoms[:, 1 + outputs : -1].T + atoms[None, :, -1]
    scaled = preactivations / safe
    return _Pairs(preactivations, phi.first(scaled), phi.second(scaled) / safe, pull @ atoms[:, 1 : 1 + outputs].T)
