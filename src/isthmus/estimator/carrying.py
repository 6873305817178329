r"""Networks in training when mean and unit of their data change: the same function of the data in the new units.

A network that acts on z = (x − m)/s is to act on z′ = (x − m′)/s′. With κ = s′/s and δ = (m′ − m)/s, z = κz′ + δ, and

    ⟨w, z⟩ + b = ⟨κw, z′⟩ + b + ⟨w, δ⟩        s g + m = s′ g′ + m′  for  g′ = (g − δ)/κ .

The encoder goes along exactly: w′ = κw, b′ = b + ⟨w, δ⟩. In the decoder c′ = (c − qδ)/κ with ∫ q φ(⟨u, y⟩ + e) dν = 1:
the smallest such q, in ∫ q² dν, at the latents y of given points, to the precision of a small ridge.

An optimizer's averages are those of the velocities v = −N ∂ℓ/∂θ, with ℓ in squares of the unit. By the chain rule the
same past has in the new units the velocities

    v_w′ = (v_w − δ v_b)/κ³    v_b′ = v_b/κ²    v_a′ = v_a/κ²        v_c′ = v_c/κ    v_u′ = v_u/κ²    v_e′ = v_e/κ² ,

but for the part of q, which neurons of the decoder would have to know of as they move: it is left out, being of the
order of δ times the mean of r. Squares are taken as if v_w and v_b were independent.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np

from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder, Velocity, features
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.optimizers import Optimizer
from isthmus.core.scaling import DOUBLE, Scaling
from isthmus.dynamics.evaluation import encoded
from isthmus.dynamics.learner import Memory
from isthmus.dynamics.sgd import at_rest

RIDGE = 1e-9
"""Relative to E ∫ φ² dν, as in the start at PCA, but smaller: the only target is a constant."""
LATENTS = 64
"""Points, some of them twice where there are fewer, at whose latents the constant is 1."""


def carried(network: Autoencoder, before: Scaling, after: Scaling, points: np.ndarray) -> Autoencoder:
    """Return the network that does in units ``after`` what it did in units ``before``, of arrays in the same type.

    Args:
        network: in units ``before``, of NumPy arrays.
        before: mean and unit that it acts in.
        after: those to act in.
        points: in the units of the data, shape (n, d), at whose latents reconstructions stay the same.

    """
    kappa, delta = _change(before, after)
    if kappa == 1 and not delta.any():
        return network
    dtype = np.asarray(network.encoder.bias).dtype
    encoder, decoder = network.in_precision(DOUBLE).encoder, network.in_precision(DOUBLE).decoder
    rows = points[np.arange(LATENTS) % len(points)]  # always as many, for which a program is compiled once
    latents = encoded(network, before.precisely(rows)).astype(DOUBLE)
    constant = _constant(decoder, features(decoder, network.decoder_activation, latents))
    return network.with_measures(
        replace(encoder, incoming=kappa * encoder.incoming, bias=encoder.bias + encoder.incoming @ delta),
        replace(decoder, outgoing=(decoder.outgoing - constant[:, None] * delta) / kappa),
    ).in_precision(dtype)


def carried_memory(
    memory: Memory | None, optimizer: Optimizer, network: Autoencoder, before: Scaling, after: Scaling
) -> Memory | None:
    """Return the averages that an optimizer would have of the same past in units ``after``, those of a network."""
    kappa, delta = _change(before, after)
    if memory is None or not memory.averages or (kappa == 1 and not delta.any()):
        return memory
    with computing_in(np.asarray(network.encoder.bias).dtype):
        structure = jax.tree.structure(optimizer.step_start(at_rest(network)))
    averages = optimizer.transformed(
        jax.tree.unflatten(structure, memory.averages),
        velocity=lambda average: _velocity(average, kappa, -delta),
        square=lambda average: _velocity(average, kappa**2, delta**2),
    )
    kept = zip(jax.tree.leaves(averages), memory.averages, strict=True)
    return Memory([np.asarray(new, old.dtype) for new, old in kept], memory.steps)


def _change(before: Scaling, after: Scaling) -> tuple[float, np.ndarray]:
    """Return κ and δ."""
    step = (after.mean - before.mean) + (after.rest - before.rest)
    return float(after.unit / before.unit), step / before.unit


def _constant(measure: NeuronMeasure, values: np.ndarray) -> np.ndarray:
    """Return q, shape (N,), for features φ at some latents, shape (N, n)."""
    system = (values.T * np.asarray(measure.masses)) @ values
    ridge = RIDGE * np.trace(system) or 1.0  # without features there is nothing to correct
    return values @ np.linalg.solve(system + ridge * np.eye(len(system)), np.ones(len(system)))


def _velocity(velocity: Velocity, kappa: float, along: np.ndarray) -> Velocity:
    """Return a velocity in other units, with ``along`` = −δ; or squares, for κ² and δ²."""
    encoder, decoder = velocity.encoder, velocity.decoder
    incoming = (encoder.incoming + encoder.bias[:, None] * along) / kappa**3
    return Velocity(
        replace(encoder, outgoing=encoder.outgoing / kappa**2, incoming=incoming, bias=encoder.bias / kappa**2),
        NeuronMeasure(decoder.masses, decoder.outgoing / kappa, decoder.incoming / kappa**2, decoder.bias / kappa**2),
    )
