r"""The objective over measures of finitely many atoms, with free masses, and its descent.

    F(ρ, ν) = R(ρ, ν) + (λ_E/2) ∫|θ|²dρ + (λ_D/2) ∫|ω|²dν

over measures of mass 1, whose neurons may be held in balls |θ| ≤ r, |ω| ≤ r. Everything is done in the coordinates of
the span of the data, since components outside it only cost. Masses are m_i = s_i²/Σ s², and an atom in a ball is 2r
y/(1 + |y|²): smooth, onto the closed ball, with its boundary at |y| = 1.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.optimize import minimize

from isthmus import _checks
from isthmus.core.autoencoder import Autoencoder, squares
from isthmus.core.data import Data
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.problem import Problem

DOUBLE = np.dtype(np.float64)
MEMORY = 30
"""Pairs of steps and gradients that the quasi-Newton method keeps."""
LIGHTEST = 1e-3
"""Roots of masses below it count as this much in the units of their atoms."""


class Landscape(NamedTuple):
    """The objective of a problem in the coordinates of the span of its data.

    Attributes:
        population: the points in these coordinates, shape (n, r).
        basis: orthonormal, shape (d, r).
        radius: of the balls in which neurons are held, None for none.

    """

    population: Data
    basis: np.ndarray
    radius: float | None

    @classmethod
    def of(cls, problem: Problem, radius: float | None) -> Landscape:
        """Return the landscape of a problem."""
        population = problem.population
        basis = population.span
        inside = Data(population.points.astype(float) @ basis, population.weights.astype(float), name=population.name)
        return cls(inside, basis, radius)

    def inside(self, network: Autoencoder) -> Autoencoder:
        """Return a network in the coordinates of the span, without what lies outside."""
        return self._turned(network, self.basis)

    def outside(self, network: Autoencoder) -> Autoencoder:
        """Return a network in the coordinates of the data."""
        return self._turned(network, self.basis.T)

    def objective(self, network: Autoencoder) -> float:
        """Return F."""
        return float(_objective(network, *self.arrays))

    def risk(self, network: Autoencoder) -> float:
        """Return R."""
        return float(_risk(network, *self.arrays))

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Points and weights."""
        return self.population.points, self.population.weights

    def descended(
        self, network: Autoencoder, *, free_masses: bool = True, iterations: int = 3000, tolerance: float = 1e-9
    ) -> Autoencoder:
        """Return a local minimum near a network, of the same number of atoms, by the quasi-Newton method L-BFGS.

        Atoms of mass 0 stay where they are.
        """
        raw = _raw(network, self.radius)
        start, unravel = ravel_pytree(raw)
        units = np.asarray(ravel_pytree(_units(raw))[0])
        points, weights = self.arrays

        def function(scaled: np.ndarray) -> tuple[float, np.ndarray]:
            variables = unravel(jnp.asarray(scaled * units))
            value, gradient = _value_and_gradient(variables, points, weights, self.radius, free_masses)
            return float(value), np.asarray(ravel_pytree(gradient)[0]) * units

        options = {"maxiter": iterations, "maxfun": 2 * iterations, "maxcor": MEMORY, "gtol": tolerance, "ftol": 1e-15}
        found = minimize(function, np.asarray(start) / units, jac=True, method="L-BFGS-B", options=options)
        return jax.tree.map(np.asarray, _realised(unravel(jnp.asarray(found.x * units)), self.radius, free_masses))

    def _turned(self, network: Autoencoder, basis: np.ndarray) -> Autoencoder:
        return eqx.tree_at(
            lambda state: (state.encoder.incoming, state.decoder.outgoing),
            network,
            (np.asarray(network.encoder.incoming) @ basis, np.asarray(network.decoder.outgoing) @ basis),
        )


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


@jax.jit
def _objective(network: Autoencoder, points: jax.Array, weights: jax.Array) -> jax.Array:
    return network.objective(points, weights)


@jax.jit
def _risk(network: Autoencoder, points: jax.Array, weights: jax.Array) -> jax.Array:
    return network.risk(points, weights)


@partial(jax.jit, static_argnames=("radius", "free_masses"))
def _value_and_gradient(
    raw: Autoencoder, points: jax.Array, weights: jax.Array, radius: float | None, free_masses: bool
) -> tuple[jax.Array, Autoencoder]:
    def objective(raw: Autoencoder) -> jax.Array:
        return _realised(raw, radius, free_masses).objective(points, weights)

    return jax.value_and_grad(objective)(raw)


def _realised(raw: Autoencoder, radius: float | None, free_masses: bool) -> Autoencoder:
    """Return the network of the raw variables; masses that aren't free are constants."""

    def side(measure: NeuronMeasure) -> NeuronMeasure:
        roots = measure.masses if free_masses else jax.lax.stop_gradient(measure.masses)
        bias = measure.bias if raw.train_biases else jnp.zeros_like(measure.bias)
        parts = (measure.outgoing, measure.incoming, bias)
        if radius is not None:
            square = squares(NeuronMeasure(roots, *parts))
            scale = 2 * radius / (1 + square)
            parts = tuple(part * scale.reshape(-1, *[1] * (part.ndim - 1)) for part in parts)
        return NeuronMeasure(jnp.square(roots) / jnp.square(roots).sum(), *parts)

    return raw.with_measures(side(raw.encoder), side(raw.decoder))


def _units(raw: Autoencoder) -> Autoencoder:
    """Return in which units variables are equally stiff: an atom of mass m pulls with m, and so do its curvatures."""

    def side(measure: NeuronMeasure) -> NeuronMeasure:
        unit = 1 / np.maximum(np.asarray(measure.masses), LIGHTEST)
        wide = lambda part: np.broadcast_to(unit[:, None], part.shape)
        parts = (np.ones_like(unit), wide(measure.outgoing), wide(measure.incoming), unit)
        return NeuronMeasure(*parts)  # pyright: ignore[reportArgumentType]  (NumPy arrays serve as JAX arrays)

    return raw.with_measures(side(raw.encoder), side(raw.decoder))


def _raw(network: Autoencoder, radius: float | None) -> Autoencoder:
    """Return variables of which a network is the image; neurons outside the ball are brought to its boundary first."""

    def side(measure: NeuronMeasure) -> NeuronMeasure:
        parts = tuple(np.asarray(part, float) for part in (measure.outgoing, measure.incoming, measure.bias))
        if radius is not None:
            norms = np.sqrt(sum((part.reshape(measure.width, -1) ** 2).sum(axis=1) for part in parts))
            share = np.minimum(norms / radius, 1.0)
            # 2|y|/(1 + |y|²) = share, on the inner branch; slightly inside, since at the boundary |y| can't move.
            y = share / (1 + np.sqrt(1 - np.minimum(share, 1 - 1e-6) ** 2))
            scale = y / np.where(norms > 0, norms, 1.0)
            parts = tuple(part * (scale if part.ndim == 1 else scale[:, None]) for part in parts)
        return NeuronMeasure(np.sqrt(np.asarray(measure.masses, float)), *parts)  # pyright: ignore[reportArgumentType]

    return network.with_measures(side(network.encoder), side(network.decoder))
