r"""The objective over measures of finitely many atoms, with free masses, and its descent.

    F(ρ, ν) = R(ρ, ν) + (λ_E/2) ∫|θ|²dρ + (λ_D/2) ∫|ω|²dν

over measures of mass 1, whose neurons may be held in balls |θ| ≤ r, |ω| ≤ r. Everything is done in the coordinates of
the span of the data, since components outside it only cost. Masses are m_i = s_i²/Σ s², and an atom in a ball is 2r
y/(1 + |y|²): smooth, onto the closed ball, with its boundary at |y| = 1.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.linalg import null_space

from isthmus import _checks
from isthmus._precision import DOUBLE
from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder, squares
from isthmus.core.data import Data
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.problem import Problem
from isthmus.dynamics.field import VectorField
from isthmus.theory.hessian import Lines
from isthmus.theory.kinks import has_kink, with_soft_kinks
from isthmus.theory.newton import newton
from isthmus.theory.pairs import planes_of_kinks
from isthmus.theory.positions import Positions, alive_with_lines
from isthmus.theory.quasi_newton import descended

GAIN = 1e-15
"""Least share of the objective that steps of a descent must gain."""
MOST_FOR_NEWTON, MOST_AT_KINKS = 1000, 600
"""Variables up to which Newton's method ends a descent, and those where kinks ask for many of its steps."""
MOST_ON_KINKS = 3000
"""Variables up to which a descent keeps preactivations on kinks."""
FLAT = 1e-9
"""Least share of a direction across planes of kinks that is told from 0."""
LIGHTEST_ROOT = 1e-3
"""A root of a mass below it counts as this much in the unit of its atom's variables."""
INSIDE = 1 - 1e-6
"""Largest share of the radius at which an atom begins a descent: at the boundary the gradient along y is 0."""


class Landscape(NamedTuple):
    """The objective of a problem in the coordinates of the span of its data.

    Attributes:
        field: whose objective it is, over the points in these coordinates, shape (n, r).
        basis: orthonormal, shape (d, r).
        radius: of the balls in which neurons are held, None for none.

    """

    field: VectorField
    basis: np.ndarray
    radius: float | None

    @classmethod
    def of(cls, problem: Problem, radius: float | None) -> Landscape:
        """Return the landscape of a problem."""
        population = problem.population
        basis = population.span
        inside = Data(population.points.astype(float) @ basis, population.weights.astype(float), name=population.name)
        return cls(VectorField.of(inside, problem.motion, DOUBLE), basis, radius)

    def objective(self, network: Autoencoder, softness: float = 0.0) -> float:
        """Return F, with softened kinks where there is a softness."""
        return float(_soft_objective(self.field, network, softness) if softness else _objective(self.field, network))

    def softness(self, network: Autoencoder, share: float) -> float:
        """Return a share of the size of neurons whose activation has a kink, by which it may be softened."""
        pair = network.encoder_activation, network.decoder_activation
        squared = [
            float(np.asarray(side.masses) @ np.asarray(squares(side))) / 2
            for side, phi in zip((network.encoder, network.decoder), pair, strict=True)
            if has_kink(phi)
        ]
        return share * float(np.sqrt(np.mean(squared))) if squared else share

    def risk(self, network: Autoencoder) -> float:
        """Return R."""
        return float(_risk(self.field, network))

    def descended(
        self,
        network: Autoencoder,
        *,
        free_masses: bool = True,
        iterations: int = 3000,
        tolerance: float = 1e-9,
        softness: float = 0.0,
    ) -> Autoencoder:
        """Return a local minimum near a network, of the same number of atoms, in the coordinates of the span.

        Atoms of mass 0 stay where they are.

        Args:
            network: where the descent begins, in these coordinates too.
            free_masses: whether masses are variables, or stay as they are.
            iterations: at most.
            tolerance: the largest entry of the gradient at which the descent ends.

        Source: L-BFGS, Liu and Nocedal, Mathematical Programming 45 (1989), with variables in units in which they are
        about equally stiff.

        """
        raw = _raw(network, self.radius)
        start, units = (np.asarray(ravel_pytree(tree)[0]) for tree in (raw, _units(raw, self.radius)))
        found, *_ = descended(
            _derived_at,
            start / units,
            *(self.field, raw, units, softness, free_masses),
            iterations=iterations,
            tolerance=tolerance,
            gain=GAIN,
            settings=(("radius", self.radius),),
        )
        return jax.tree.map(np.asarray, _network_at(self.field, raw, found, units, free_masses, radius=self.radius))

    def settled(
        self,
        network: Autoencoder,
        *,
        free_masses: bool = True,
        iterations: int,
        softness: float = 0.0,
        gain: float = 0.0,
    ) -> Autoencoder:
        """Return the local minimum near a network by Newton's method, where there are few enough atoms and no ball."""
        positions = Positions.of(self.field, network, softness, free_masses)
        most = MOST_AT_KINKS if softness else MOST_FOR_NEWTON
        if not 0 < len(positions.moving) <= most or self.radius is not None:
            return network
        return positions.put_into(network, newton(positions, positions.start, iterations=iterations, gain=gain))

    def keeps_kinks(self, network: Autoencoder) -> bool:
        """Return whether a descent can keep preactivations on kinks: where there are kinks, few atoms and no ball."""
        pair = network.encoder_activation, network.decoder_activation
        moving = Positions.of(self.field, network, 0.0, True).moving
        return self.radius is None and any(map(has_kink, pair)) and len(moving) <= MOST_ON_KINKS

    def curvature(self, network: Autoencoder, softness: float = 0.0, lines: Lines = (None, None)) -> float | None:
        """Return the least eigenvalue of the Hessian of F in the variables √m(1, v, w, b), relative to the largest one.

        It is 0 to rounding, for moves along which F stays the same, where no move of atoms lowers F at second order;
        None where there are too many variables, or a ball. Where lines are given that take the place of φ on kinks,
        moves are those that keep preactivations on them; else kinks are softened.
        """
        network, lines = alive_with_lines(network, lines)
        softness = softness if all(part is None for part in lines) else 0.0
        positions = Positions.of(self.field, network, softness, True)
        if not 0 < len(positions.moving) <= MOST_FOR_NEWTON or self.radius is not None:
            return None
        hessian = positions.derivatives(positions.start, lines)[2]
        largest = float(np.abs(np.linalg.eigvalsh(hessian)).max())
        free = null_space(planes_of_kinks(self.field, positions.network, lines)[:, positions.moving], rcond=FLAT)
        return float(np.linalg.eigvalsh(free.T @ hessian @ free)[0]) / largest if free.size else 0.0


def check_bounded(problem: Problem, radius: float | None) -> None:
    """Refuse a problem that has no optimum: one without a penalty or a compact set of neurons, unless it is linear."""
    problem.population.require_complete("problem", "the optimum")
    if problem.temperature > 0:
        hint = "at a positive temperature the optimum has no atoms; set it to 0"
        _checks.refuse(
            "problem", "have temperature 0", _checks.described(f"one at temperature {problem.temperature:g}"), hint
        )
    linear = all(activation.name == "linear" for activation in problem.activations) and max(problem.decays) == 0
    if radius is None and min(problem.decays) == 0 and not linear:
        hint = (
            "otherwise larger and larger neurons may bring the risk to 0 at any latent_dim, and no optimum exists; set "
            "weight_decay on both sides, or a radius"
        )
        _checks.refuse(
            "problem",
            "have a weight decay or bounded neurons",
            _checks.described(f"one with weight_decay={problem.weight_decay}"),
            hint,
        )
    if not problem.train_biases:
        _require_no_biases(problem)


def _require_no_biases(problem: Problem) -> None:
    drawn = problem.draw(jax.random.key(0), (16, 16), DOUBLE)
    if np.any(drawn.encoder.bias) or np.any(drawn.decoder.bias):
        hint = "the optimum is over biases too; train them, or use a law without biases"
        _checks.refuse("problem", "have no frozen biases", _checks.described("one with train_biases=False"), hint)


_objective = jax.jit(VectorField.objective)
_risk = jax.jit(VectorField.risk)


@jax.jit
def _soft_objective(field: VectorField, network: Autoencoder, softness: Any) -> jax.Array:
    return field.objective(with_soft_kinks(network, softness))


def _height(
    field: VectorField,
    like: Autoencoder,
    scaled: Any,
    units: Any,
    softness: Any,
    free_masses: Any,
    radius: float | None,
) -> jax.Array:
    """Return F with softened kinks as a function of the raw variables, in one row and in units."""
    network = _realised(field, ravel_pytree(like)[1](scaled * units), radius, free_masses)
    return field.objective(with_soft_kinks(network, softness))


def _derived_at(scaled: Any, field: VectorField, like: Autoencoder, *rest: Any, radius: float | None) -> tuple:
    """Return F and its gradient."""
    return jax.value_and_grad(_height, argnums=2)(field, like, scaled, *rest, radius=radius)


_compiled = partial(jax.jit, static_argnames="radius")


@_compiled
def _network_at(
    field: VectorField, like: Autoencoder, scaled: Any, units: Any, free_masses: Any, radius: float | None
) -> Autoencoder:
    return _realised(field, ravel_pytree(like)[1](scaled * units), radius, free_masses)


def _realised(field: VectorField, raw: Autoencoder, radius: float | None, free_masses: Any) -> Autoencoder:
    """Return the network of the raw variables; masses that aren't free are constants."""

    def side(measure: NeuronMeasure, activation: Activation) -> NeuronMeasure:
        roots = jnp.where(free_masses, measure.masses, jax.lax.stop_gradient(measure.masses))
        if activation.homogeneous and radius is None:  # sizes do what masses would
            roots = jax.lax.stop_gradient(measure.masses)
        bias = measure.bias if field.motion.train_biases else jnp.zeros_like(measure.bias)
        parts, masses = (measure.outgoing, measure.incoming, bias), jnp.square(roots) / jnp.square(roots).sum()
        if radius is None:
            scale = 1 / jnp.sqrt(jnp.where(masses > 0, masses, jnp.inf))
        else:
            scale = 2 * radius / (1 + squares(NeuronMeasure(roots, *parts)))
        return NeuronMeasure(masses, *(part * scale.reshape(-1, *[1] * (part.ndim - 1)) for part in parts))

    pair = raw.encoder_activation, raw.decoder_activation
    return raw.with_measures(side(raw.encoder, pair[0]), side(raw.decoder, pair[1]))


def _units(raw: Autoencoder, radius: float | None) -> Autoencoder:
    """Return in which units variables are equally stiff: an atom of mass m pulls with m, and so do its curvatures."""

    def side(measure: NeuronMeasure) -> NeuronMeasure:
        roots = np.asarray(measure.masses)
        unit = np.ones_like(roots) if radius is None else 1 / np.maximum(roots, LIGHTEST_ROOT)
        of_part = lambda part: np.broadcast_to(unit.reshape(-1, *[1] * (part.ndim - 1)), part.shape)
        return dataclasses.replace(jax.tree.map(of_part, measure), masses=np.ones_like(unit))

    return raw.with_measures(side(raw.encoder), side(raw.decoder))


def _raw(network: Autoencoder, radius: float | None) -> Autoencoder:
    """Return variables of which a network is the image; neurons outside the ball are brought to its boundary first."""

    def side(measure: NeuronMeasure) -> NeuronMeasure:
        masses, v, w, b = (np.asarray(part, float) for part in jax.tree.leaves(measure))
        scale = roots = np.sqrt(masses)
        if radius is not None:
            scale = scale_in_ball(np.sqrt(np.asarray(squares(measure))), radius, INSIDE)
        return NeuronMeasure(roots, v * scale[:, None], w * scale[:, None], b * scale)  # pyright: ignore[reportArgumentType]

    return network.with_measures(side(network.encoder), side(network.decoder))


def scale_in_ball(norms: np.ndarray, radius: float, largest: float) -> np.ndarray:
    """Return |y|/|θ| of neurons θ = 2r y/(1 + |y|²) of some norms, those beyond ``largest`` × radius brought there.

    Of the two y that give a θ it is the inner one.
    """
    share = np.minimum(norms / radius, largest)
    return share / (1 + np.sqrt(1 - share**2)) / np.where(norms > 0, norms, 1.0)
