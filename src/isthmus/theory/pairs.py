r"""Pairs of a point and an atom: preactivations, what the objective feels of them, and their derivatives.

With φ replaced at a pair by the line s ↦ σs, the objective changes with its preactivation s by κσ, κ = ∂F/∂φ.
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
from isthmus.theory.hessian import Lines, added_by, in_columns, in_rows, rows_of, summed
from isthmus.theory.kinks import softened

ON_KINK = 1e-9
"""Distance from a kink up to which a pair lies on it."""
TINY = 1e-300
"""It keeps quotients finite."""


class Pairs(NamedTuple):
    """Of all pairs of a point and an atom of a side: s, φ'(s), φ''(s) and κ, each of shape (n, N)."""

    preactivations: Any
    slopes: Any
    curvatures: Any
    pulls: Any


class Layers(NamedTuple):
    """Both sides, with the latents, shape (n, k), and their derivatives by the encoder's variables, (N, n, k, p)."""

    sides: tuple[Pairs, Pairs]
    latents: Any
    latent_slopes: Any


def layers(field: VectorField, network: Autoencoder, softness: float, lines: Lines = (None, None)) -> Layers:
    """Return the pairs of both sides of a network with softened kinks, or with lines in place of φ, in its variables.

    Variables are those of `isthmus.theory.hessian`.
    """
    pair, widths = (
        (network.encoder_activation, network.decoder_activation),
        (network.encoder.width, network.decoder.width),
    )
    found = _layers(field, *in_rows(network), softness, in_columns(lines), pair)
    sides = [
        Pairs(*(np.asarray(part)[:, :width] for part in side)) for side, width in zip(found.sides, widths, strict=True)
    ]
    return Layers((sides[0], sides[1]), np.asarray(found.latents), np.asarray(found.latent_slopes)[: widths[0]])


def directions(
    field: VectorField, network: Autoencoder, at: Layers, side: int, pairs: tuple[np.ndarray, ...]
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
        rows[:, :count] = np.einsum("pk,Npkv->pNv", incoming, at.latent_slopes[:, points])
        roots = np.sqrt(np.asarray(network.encoder.masses))  # whose squares have the sum 1
        rows[:, :count, 0] -= np.outer(rows[:, :count, 0] @ roots, roots)
    return rows.reshape(len(points), (count + network.decoder.width) * size)


def distances(field: VectorField, network: Autoencoder, at: Layers, side: int) -> np.ndarray:
    """Return |s|/|(w, b)||(x, 1)|, how far pairs of a side are from the kink, shape (n, N)."""
    measure, inputs = (network.encoder, network.decoder)[side], (field.points, at.latents)[side]
    sizes = np.linalg.norm(rows_of(measure)[:, 1 + measure.outputs :], axis=1)
    reach = np.sqrt(1 + np.square(np.asarray(inputs)).sum(axis=1))
    return np.abs(at.sides[side].preactivations) / (np.outer(reach, sizes) + TINY)


def planes_of_kinks(field: VectorField, network: Autoencoder, lines: Lines) -> np.ndarray:
    """Return the derivatives of the preactivations that lie on kinks, of length 1 and in rows."""
    at, size = layers(field, network, 0.0, lines), 2 + network.dim + network.latent_dim
    found = [np.zeros((0, (network.encoder.width + network.decoder.width) * size))]
    for side in (0, 1):
        if lines[side] is not None:
            on = np.nonzero(distances(field, network, at, side) <= ON_KINK)
            found.append(directions(field, network, at, side, on))
    planes = np.concatenate(found)
    return planes / np.maximum(np.linalg.norm(planes, axis=1, keepdims=True), TINY)


@partial(jax.jit, static_argnums=5)
def _layers(
    field: VectorField, encoder: Any, decoder: Any, softness: Any, lines: Lines, pair: tuple[Activation, Activation]
) -> Layers:
    points, dim = field.points, field.points.shape[1]
    latent_dim = decoder.shape[1] - 2 - dim
    phis = [softened(phi, softness) for phi in pair]
    latents = summed(encoder, points, phis[0], latent_dim, lines[0])
    pull = field.weights[:, None] * (summed(decoder, latents, phis[1], dim, lines[1]) - points)
    lower = _pairs(decoder, latents, phis[1], pull, lines[1])
    pull = (lower.pulls * lower.slopes) @ decoder[:, 1 + dim : -1]
    of_atom = jax.jacfwd(lambda atom, line: added_by(atom, points, phis[0], latent_dim, line))
    slopes = jax.vmap(of_atom)(encoder, lines[0])
    return Layers((_pairs(encoder, points, phis[0], pull, lines[0]), lower), latents, slopes)


def _pairs(atoms: jax.Array, inputs: jax.Array, phi: Activation, pull: jax.Array, lines: Any) -> Pairs:
    outputs, roots = pull.shape[1], jnp.abs(atoms[None, :, 0])
    safe = jnp.where(roots > 0, roots, 1.0)
    preactivations = inputs @ atoms[:, 1 + outputs : -1].T + atoms[None, :, -1]
    scaled, pulls = preactivations / safe, pull @ atoms[:, 1 : 1 + outputs].T
    if lines is not None:
        return Pairs(preactivations, lines.T, jnp.zeros_like(scaled), pulls)
    return Pairs(preactivations, phi.first(scaled), phi.second(scaled) / safe, pulls)
