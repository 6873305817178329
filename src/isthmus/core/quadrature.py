"""Nodes for an initial law: the particles with which the mean-field flow is solved."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from isthmus import _checks
from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.laws import GaussianNeurons, NeuronLaw
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.problem import Problem

Quadrature = Literal["sobol", "iid"]


def initial_particles(
    problem: Problem, count: int, quadrature: Quadrature, seed: int, replicate: int, dtype: np.dtype
) -> Autoencoder:
    """Return the autoencoder at time 0 with ``count`` particles on each side.

    'sobol' takes scrambled Sobol' points, mapped so that the leading ones drive the principal directions of the
    data (the earlier coordinates of a Sobol' set are the more uniform, and there the risk is decided); 'iid' draws
    at random. Replicates are independent scramblings, or independent draws.
    """
    if quadrature == "iid":
        return problem.draw(jax.random.fold_in(jax.random.key(seed), replicate), (count, count), dtype)
    sides = (problem.law.encoder, problem.law.decoder)
    directions = problem.population.principal_directions
    axes = ((None, directions), (directions, None))
    seeds = np.random.SeedSequence([seed, replicate]).spawn(2)
    measures = [
        _sobol_measure(law, count, outgoing, incoming, np.random.default_rng(child), dtype)
        for law, (outgoing, incoming), child in zip(sides, axes, seeds, strict=True)
    ]
    return problem.autoencoder(*measures)


def _sobol_measure(
    law: NeuronLaw,
    count: int,
    outgoing_axes: np.ndarray | None,
    incoming_axes: np.ndarray | None,
    random: np.random.Generator,
    dtype: np.dtype,
) -> NeuronMeasure:
    if not isinstance(law, GaussianNeurons):
        named = _checks.described(f"'sobol' with a law of type {type(law).__name__}")
        _checks.refuse("quadrature", "be 'iid' unless the law is GaussianNeurons", named)
    if count & (count - 1):
        lower = 1 << (count.bit_length() - 1)
        hint = f"try {lower} or {2 * lower}"
        _checks.refuse("particles", "be a power of 2 for quadrature='sobol'", count, hint)
    uniforms = qmc.Sobol(law.number_of_normals, scramble=True, rng=random).random(count)
    # A scrambled coordinate is uniform on multiples of 2^-30; half a cell keeps the normals finite.
    normals = ndtri(uniforms + 2.0**-31)
    with computing_in(np.dtype(np.float64)):
        measure = law.from_normals(jnp.asarray(normals), law.factor_along(outgoing_axes, incoming_axes))
        return jax.tree.map(lambda leaf: np.asarray(leaf, dtype), measure)
