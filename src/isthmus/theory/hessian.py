r"""The Hessian of the objective over all atoms, from the derivatives of single atoms.

The variables of an atom are s = √m and √m(v, w, b), in which its penalty is half the square of the latter: so they are
of one order of magnitude, also where an atom is light and its neuron large. With T_l(x) = m_l v_l φ(⟨w_l, x⟩ + b_l)
what an atom adds to latents z = Σ T_l or outputs x̂ = Σ S_j(z), r = x̂ − x and J = ∂x̂/∂z, the blocks are, summed over
points,

    ∂²F/∂ω² = (∂x̂/∂ω)ᵀ ∂x̂/∂ω + ⟨r, ∂²S/∂ω²⟩,    ∂²F/∂θ∂ω = (∂z/∂θ)ᵀ [Jᵀ ∂x̂/∂ω + ⟨r, ∂²S/∂z∂ω⟩],
    ∂²F/∂θ² = (∂z/∂θ)ᵀ [JᵀJ + ⟨r, ∂²x̂/∂z²⟩] ∂z/∂θ + ⟨Jᵀr, ∂²T/∂θ²⟩,

and second derivatives of T and S, as those of penalties, are blocks of one atom each: a few products of matrices.
Masses are m = s²/Σs²; with P = 1 − ssᵀ and g = ∂F/∂s before normalising, at |s| = 1, their block becomes
P (∂²F/∂s²) P − ⟨s, g⟩P − s(Pg)ᵀ − (Pg)sᵀ.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.dynamics.field import VectorField
from isthmus.theory.kinks import softened

Lines = tuple[Any, Any]
"""For either side slopes, shape (n, N), of lines through 0 in place of φ for each point and atom; or None for φ."""
ATOMS = 16
"""Numbers of atoms are rounded up to a multiple of it, so that few shapes are compiled."""


def rows_of(measure: NeuronMeasure) -> np.ndarray:
    """Return the variables s and s(v, w, b) of atoms in rows, shape (N, 2 + outputs + inputs)."""
    roots = np.sqrt(np.asarray(measure.masses))[:, None]
    return np.column_stack([roots, roots * np.column_stack([measure.outgoing, measure.incoming, measure.bias])])


def measure_of(rows: np.ndarray, outputs: int) -> NeuronMeasure:
    """Return the measure of variables in rows, of mass 1; atoms of mass 0 are at 0."""
    masses = rows[:, 0] ** 2 / (rows[:, 0] ** 2).sum()
    weights = rows[:, 1:] / np.where(masses > 0, np.sqrt(masses), np.inf)[:, None]
    parts = weights[:, :outputs], weights[:, outputs:-1], weights[:, -1]
    return NeuronMeasure(masses, *parts)  # pyright: ignore[reportArgumentType]


def derivatives(
    field: VectorField, network: Autoencoder, softness: float, lines: Lines = (None, None)
) -> tuple[float, tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return F with softened kinks, its gradients by the variables of both sides, and its Hessian by all of them.

    Args:
        field: whose objective it is.
        network: masses of either side have the sum 1.
        softness: of kinks.
        lines: that take the place of φ, as on one side of its kinks.

    """
    padded, counts = in_rows(network), (network.encoder.width, network.decoder.width)
    sides = [rows[:count] for rows, count in zip(padded, counts, strict=True)]
    pair = network.encoder_activation, network.decoder_activation
    value, gradients, hessian = _derivatives(field, *padded, softness, in_columns(lines), pair)
    sizes = [rows.shape[1] for rows in sides]
    kept = np.concatenate(
        [
            np.arange(counts[0] * sizes[0]),
            padded[0].size + np.arange(counts[1] * sizes[1]),
        ]
    )
    hessian = np.asarray(hessian)[np.ix_(kept, kept)].copy()
    gradients = [np.array(part)[:count] for part, count in zip(gradients, counts, strict=True)]
    begin = 0
    for rows, gradient in zip(sides, gradients, strict=True):
        roots = begin + rows.shape[1] * np.arange(len(rows))
        s = rows[:, 0]
        pull = s @ gradient[:, 0]
        _normalised(gradient, s)
        hessian[roots] -= np.outer(s, s @ hessian[roots])
        hessian[:, roots] -= np.outer(hessian[:, roots] @ s, s)
        across = np.outer(s, gradient[:, 0])
        hessian[np.ix_(roots, roots)] -= pull * (np.eye(len(s)) - np.outer(s, s)) + across + across.T
        begin += rows.size
    return float(value), (gradients[0], gradients[1]), hessian


def in_rows(network: Autoencoder) -> tuple[np.ndarray, np.ndarray]:
    """Return the variables of the atoms of both sides in rows, with rows of zeros to a multiple of ``ATOMS``."""
    return _padded(rows_of(network.encoder)), _padded(rows_of(network.decoder))


def height(field: VectorField, network: Autoencoder, softness: float) -> float:
    """Return F with softened kinks, as `derivatives` does, for any number of atoms without another compilation."""
    pair = network.encoder_activation, network.decoder_activation
    return float(_height(field, *in_rows(network), softness, (None, None), pair))


def slopes(
    field: VectorField, network: Autoencoder, softness: float, lines: Lines = (None, None)
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients of F by the variables of both sides, as `derivatives` does."""
    pair = network.encoder_activation, network.decoder_activation
    found = _slopes(field, *in_rows(network), softness, in_columns(lines), pair)
    encoder, decoder = (
        _normalised(np.array(part)[: side.width], rows_of(side)[:, 0])
        for part, side in zip(found, (network.encoder, network.decoder), strict=True)
    )
    return encoder, decoder


def _normalised(gradient: np.ndarray, roots: np.ndarray) -> np.ndarray:
    """Return the gradient by the variables of atoms whose masses are s²/Σs², at |s| = 1."""
    gradient[:, 0] -= (roots @ gradient[:, 0]) * roots
    return gradient


def with_best_outgoing(field: VectorField, network: Autoencoder, softness: float) -> Autoencoder:
    """Return the network with the outgoing weights of the decoder that are best beside all others: a ridge regression.

    Those of atoms of mass 0 become 0.
    """
    decoder, pair = rows_of(network.decoder), (network.encoder_activation, network.decoder_activation)
    best = _best_outgoing(field, *in_rows(network), softness, pair)
    decoder[:, 1 : 1 + network.dim] = np.asarray(best)[: len(decoder)]
    return network.with_measures(network.encoder, measure_of(decoder, network.dim))


def _padded(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows, np.zeros((-len(rows) % ATOMS, rows.shape[1]))])


def in_columns(lines: Lines) -> Lines:
    """Return slopes of lines as `added_by` wants them: those of an atom in a row, with rows as `in_rows` has them."""
    encoder, decoder = (None if slopes is None else _padded(slopes.T) for slopes in lines)
    return encoder, decoder


@partial(jax.jit, static_argnums=4)
def _best_outgoing(
    field: VectorField, encoder: Any, decoder: Any, softness: Any, pair: tuple[Activation, Activation]
) -> jax.Array:
    points, weights = field.points, field.weights
    dim, latent_dim = points.shape[1], decoder.shape[1] - 2 - points.shape[1]
    phis = [softened(phi, softness) for phi in pair]
    latents = summed(encoder, points, phis[0], latent_dim)
    unit = decoder.at[:, 1 : 1 + dim].set(jnp.zeros(dim).at[0].set(1.0))
    features = jax.vmap(lambda atom: added_by(atom, latents, phis[1], dim)[:, 0])(unit)
    root = jnp.sqrt(weights)[:, None]
    regressors = jnp.concatenate([root * features.T, jnp.sqrt(field.motion.decays[1]) * jnp.eye(len(features))])
    return jnp.linalg.lstsq(regressors, jnp.concatenate([root * points, jnp.zeros((len(features), dim))]))[0]


def added_by(
    atom: jax.Array, inputs: jax.Array, phi: Activation, outputs: int, line: jax.Array | None = None
) -> jax.Array:
    """Return what an atom adds to outputs, shape (n, outputs), with a line of some slopes (n,) for φ if given."""
    root, outgoing, incoming = jnp.abs(atom[0]), atom[1 : 1 + outputs], atom[1 + outputs : -1]
    scaled = (inputs @ incoming + atom[-1]) / jnp.where(root > 0, root, 1.0)
    return root * (phi.value(scaled) if line is None else line * scaled)[:, None] * outgoing[None]


def summed(atoms: jax.Array, inputs: jax.Array, phi: Activation, outputs: int, lines: Any = None) -> jax.Array:
    """Return what atoms in rows add up to, shape (n, outputs), with lines of slopes (N, n) for φ if given."""
    return jax.vmap(lambda atom, line: added_by(atom, inputs, phi, outputs, line))(atoms, lines).sum(axis=0)


def _penalty(atom: jax.Array, decay: float, train_biases: bool) -> jax.Array:
    counted = atom[1:] if train_biases else atom[1:-1]
    return decay / 2 * jnp.square(counted).sum()


@partial(jax.jit, static_argnums=5)
def _height(
    field: VectorField, encoder: Any, decoder: Any, softness: Any, lines: Lines, pair: tuple[Activation, Activation]
) -> jax.Array:
    points, dim = field.points, field.points.shape[1]
    phis = [softened(phi, softness) for phi in pair]
    latents = summed(encoder, points, phis[0], decoder.shape[1] - 2 - dim, lines[0])
    return _objective(field, (encoder, decoder), summed(decoder, latents, phis[1], dim, lines[1]) - points)


@partial(jax.jit, static_argnums=5)
def _slopes(
    field: VectorField, encoder: Any, decoder: Any, softness: Any, lines: Lines, pair: tuple[Activation, Activation]
) -> tuple[jax.Array, jax.Array]:
    return jax.grad(_height, argnums=(1, 2))(field, encoder, decoder, softness, lines, pair)


def _objective(field: VectorField, sides: tuple[jax.Array, jax.Array], residual: jax.Array) -> jax.Array:
    """Return the risk of a residual, and the penalties of atoms in rows."""
    motion, value = field.motion, field.weights @ jnp.square(residual).sum(axis=1) / 2
    for side, atoms in enumerate(sides):
        value += jax.vmap(lambda atom, side=side: _penalty(atom, motion.decays[side], motion.train_biases))(atoms).sum()
    return value


@partial(jax.jit, static_argnums=5)
def _derivatives(
    field: VectorField, encoder: Any, decoder: Any, softness: Any, lines: Lines, pair: tuple[Activation, Activation]
) -> tuple[jax.Array, tuple[jax.Array, jax.Array], jax.Array]:
    """Return F, its gradients and its Hessian by variables in rows, before masses are normalised."""
    points, weights, motion = field.points, field.weights, field.motion
    dim, latent_dim = points.shape[1], decoder.shape[1] - 2 - points.shape[1]
    phis = [softened(phi, softness) for phi in pair]
    added = [
        lambda atom, inputs, line: added_by(atom, inputs, phis[0], latent_dim, line),
        lambda atom, inputs, line: added_by(atom, inputs, phis[1], dim, line),
    ]
    latents = summed(encoder, points, phis[0], latent_dim, lines[0])
    at_point = None if lines[1] is None else lines[1].T[:, :, None]  # of each point the slopes of all atoms, (n, N, 1)
    at = lambda z, lines: summed(decoder, z[None], phis[1], dim, lines)[0]
    outputs, jacobian = jax.vmap(at)(latents, at_point), jax.vmap(jax.jacfwd(at))(latents, at_point)
    residual = outputs - points
    pull = weights[:, None] * residual
    pulls = jnp.einsum("nd,ndk->nk", pull, jacobian), pull

    def of_side(side: int, atoms: jax.Array, inputs: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Return the gradient, the derivatives of what atoms add, and their own blocks."""

        def height(atom: jax.Array, line: jax.Array | None) -> jax.Array:
            own = _penalty(atom, motion.decays[side], motion.train_biases)
            return (pulls[side] * added[side](atom, inputs, line)).sum() + own

        slopes = jax.vmap(jax.jacfwd(added[side]), (0, None, 0))(atoms, inputs, lines[side])
        return jax.vmap(jax.grad(height))(atoms, lines[side]), slopes, jax.vmap(jax.hessian(height))(atoms, lines[side])

    gradient_e, slopes_e, own_e = of_side(0, encoder, points)
    gradient_d, slopes_d, own_d = of_side(1, decoder, latents)
    bend = jax.vmap(jax.hessian(lambda z, pull, lines: pull @ at(z, lines)))(latents, pull, at_point)
    inner = jnp.einsum("n,ndk,ndl->nkl", weights, jacobian, jacobian) + bend
    mixed = jax.jacfwd(jax.grad(lambda atom, z, pull, line: pull @ added[1](atom, z[None], line)[0]), 1)
    over_points = jax.vmap(mixed, (None, 0, 0, 0))
    own_lines = None if lines[1] is None else lines[1][:, :, None]
    mixed = jax.vmap(over_points, (0, None, None, 0))(decoder, latents, pull, own_lines)
    to_latents = jnp.einsum("n,ndk,Nndp->nkNp", weights, jacobian, slopes_d) + mixed.transpose(1, 3, 0, 2)
    flat_e = slopes_e.transpose(1, 2, 0, 3).reshape(len(points), latent_dim, -1)
    flat_d = slopes_d.transpose(1, 2, 0, 3).reshape(len(points) * dim, -1)
    flat = lambda array, rows: array.reshape(rows, -1)
    across = flat(flat_e, len(points) * latent_dim).T @ flat(to_latents, len(points) * latent_dim)
    bent = jnp.einsum("nkl,nlP->nkP", inner, flat_e)
    upper = flat(flat_e, len(points) * latent_dim).T @ flat(bent, len(points) * latent_dim) + _block_diagonal(own_e)
    root = jnp.sqrt(jnp.repeat(weights, dim))[:, None]
    lower = (root * flat_d).T @ (root * flat_d) + _block_diagonal(own_d)
    value = _objective(field, (encoder, decoder), residual)
    return value, (gradient_e, gradient_d), jnp.block([[upper, across], [across.T, lower]])


def _block_diagonal(blocks: jax.Array) -> jax.Array:
    count, size, _ = blocks.shape
    return (jnp.eye(count)[:, None, :, None] * blocks[:, :, None, :]).reshape(count * size, count * size)
