r"""Slopes of the decoder on its kinks by which an encoder is nearest to stationary.

Where preactivations s_ij of the decoder lie on a kink of φ, F has a kink along latents. One with κ_ij = ∂F/∂φ(s_ij) of
the sign of the jump of φ' is convex: for each choice of a slope σ_ij between those of both sides

    q_i = Σ_j σ_ij κ_ij u_j,    Φ_E(θ) = Σ_i ⟨v, q_i⟩ φ(⟨w, x_i⟩ + b) + (λ/2)|θ|²,

and ∫Φ_E dρ − min Φ_E bounds the rate at which F falls when mass is moved to better neurons. The bound is convex in σ.
Where the minimum is over some neurons only, its least value is that of a linear programme.

Source: cutting planes, Kelley, Journal of the Society for Industrial and Applied Mathematics 8 (1960).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from scipy.optimize import linprog

from isthmus.core.autoencoder import Autoencoder, features, squares
from isthmus.core.neurons import NeuronMeasure
from isthmus.dynamics.field import VectorField
from isthmus.theory.hessian import Lines
from isthmus.theory.kinks import slopes

NEAR = 0.1
"""Share of the jump by which slopes may differ from those of the start, by which a network is nearly stationary."""


class SlopesAtKinks(NamedTuple):
    """The pairs of a point and a decoder neuron on a kink, and the pull on latents for any slopes there.

    Attributes:
        field: whose objective it is.
        network: the network.
        fixed: Σ_j σ_ij κ_ij u_j over all other pairs, shape (n, k).
        turned: κ_ij u_j of each pair, shape (pairs, k).
        points: i of each pair.
        ends: least and largest slope.
        start: slopes that are known already, or None.

    """

    field: VectorField
    network: Autoencoder
    fixed: np.ndarray
    turned: np.ndarray
    points: np.ndarray
    ends: tuple[float, float]
    start: np.ndarray | None

    @classmethod
    def of(
        cls,
        field: VectorField,
        network: Autoencoder,
        latents: np.ndarray,
        pull: np.ndarray,
        softness: float,
        lines: Lines,
    ) -> SlopesAtKinks:
        """Return those of a network whose decoder has kinks.

        Args:
            field: whose objective it is.
            network: the network.
            latents: z, shape (n, k).
            pull: the residual times the weight of its point, shape (n, d).
            softness: distance, in preactivations, within which a pair lies on the kink.
            lines: slopes in place of φ by which the network is stationary, where these are known.

        """
        masses, outgoing, incoming, bias = (np.asarray(part, float) for part in jax.tree.leaves(network.decoder))
        preactivations = latents @ incoming.T + bias
        felt = masses * (pull @ outgoing.T)
        down, up = slopes(network.decoder_activation)
        on = (np.abs(preactivations) <= softness) & (felt * (up - down) > 0)
        points, atoms = np.nonzero(on)
        fixed = (felt * np.where(on, 0.0, np.where(preactivations > 0, up, down))) @ incoming
        turned = felt[on][:, None] * incoming[atoms]
        start = None if lines[1] is None else np.asarray(lines[1])[on]
        start = None if start is None or np.isnan(start).any() else start
        return cls(field, network, fixed, turned, points, (min(down, up), max(down, up)), start)

    def pull(self, chosen: np.ndarray) -> np.ndarray:
        """Return q for chosen slopes, shape (n, k)."""
        found = self.fixed.copy()
        np.add.at(found, self.points, chosen[:, None] * self.turned)
        return found

    def least(self, neurons: Sequence[NeuronMeasure]) -> np.ndarray:
        """Return the slopes by which ∫Φ_E dρ − min Φ_E is least, with some neurons, those of ρ and 0 in the minimum."""
        encoder = self.network.encoder
        constant, linear = (
            np.concatenate(parts) for parts in zip(*map(self._variations, (encoder, *neurons)), strict=True)
        )
        mean = np.asarray(encoder.masses) @ linear[: encoder.width]
        low, high = np.full(len(self.points), self.ends[0]), np.full(len(self.points), self.ends[1])
        if self.start is not None:
            around = NEAR * (self.ends[1] - self.ends[0])
            low, high = np.maximum(low, self.start - around), np.minimum(high, self.start + around)
        found = linprog(  # over σ and a bound −min Φ_E ≥ 0
            np.append(mean, 1.0),
            A_ub=np.column_stack([-linear, -np.ones(len(linear))]),
            b_ub=constant,
            bounds=np.column_stack([np.append(low, 0.0), np.append(high, np.inf)]),
        )
        return (low + high) / 2 if found.x is None else np.clip(found.x[:-1], low, high)

    def _variations(self, neurons: NeuronMeasure) -> tuple[np.ndarray, np.ndarray]:
        """Return Φ_E at neurons as a constant, shape (N,), and what slopes add to it, shape (N, pairs)."""
        motion = self.field.motion
        outgoing = np.asarray(neurons.outgoing)
        shapes = np.asarray(features(neurons, self.network.encoder_activation, np.asarray(self.field.points)))
        constant = (outgoing @ self.fixed.T * shapes).sum(axis=1)
        constant += motion.decays[0] / 2 * np.asarray(squares(neurons, motion.train_biases))
        return constant, outgoing @ self.turned.T * shapes[:, self.points]
