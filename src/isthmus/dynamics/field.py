"""The vector field that moves the neurons of an autoencoder: the one of flows, networks, noise and linearisations."""

from __future__ import annotations

from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder, Velocity, penalty, squares
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.optimizers import GRADIENT_FLOW, Motion
from isthmus.core.rates import both_at
from isthmus.dynamics.placement import COPIED, ONE_DEVICE, SPREAD, Placement

Scalar = Float[Array, ""]
Weights = Float[Array, " n"]
Rates = tuple[Scalar | float, Scalar | float]
State = tuple[Autoencoder, Any]
"""A network with the averages of its optimizer."""


class WeightedPoints(Protocol):
    """Points (n, d) with weights (n,) of sum 1, such as `isthmus.Data`."""

    @property
    def points(self) -> np.ndarray:
        """Shape (n, d)."""
        ...

    @property
    def weights(self) -> np.ndarray:
        """Shape (n,)."""
        ...


class VectorField(eqx.Module):
    r"""The velocity of every neuron under the risk on points and the penalty of weight decay.

    v_E = −ξ_E(t) (∇Ψ_E + λ_E θ),    v_D = −ξ_D(t) (∇Ψ_D + λ_D ω)

    in mean-field time, with Ψ of `isthmus.core.autoencoder`; biases that aren't trained have velocity 0. It is linear
    in the weights of the points, also where their sum isn't 1: the penalty is part of the loss of each point.

    Attributes:
        points, weights: shapes (n, d) and (n,).
        motion: rates ξ, weight decays λ, optimizer, temperature, and whether biases are trained.
        placement: where neurons live.

    """

    points: Float[Array, "n d"]
    weights: Float[Array, " n"]
    motion: Motion = eqx.field(static=True, default=GRADIENT_FLOW)
    placement: Placement = eqx.field(static=True, default=ONE_DEVICE)

    @classmethod
    def of(
        cls, population: WeightedPoints, motion: Motion, dtype: np.dtype, placement: Placement = ONE_DEVICE
    ) -> VectorField:
        """Return the field over a population, in a precision."""
        arrays = population.points.astype(dtype), population.weights.astype(dtype)
        with computing_in(dtype):
            points, weights = placement.place(arrays, spread=False)
        return cls(points, weights, motion, placement)

    @property
    def dtype(self) -> np.dtype:
        """The precision of the computation."""
        return np.dtype(self.points.dtype)

    def rates(self, time: Scalar) -> tuple[Scalar, Scalar]:
        """Return ξ_E and ξ_D at a time."""
        return both_at(self.motion.rates, time, self.points.dtype)

    def velocity(self, network: Autoencoder, time: Scalar, weights: Weights | None = None) -> Velocity:
        """Return the velocity of the neurons at a time, under other weights of the points where some are given."""
        return self.velocity_at_rates(network, self.rates(time), weights)

    def velocity_at_rates(self, network: Autoencoder, rates: Rates, weights: Weights | None = None) -> Velocity:
        """Return the velocity of the neurons at given rates ξ_E and ξ_D."""
        weights = self.weights if weights is None else weights
        rates = jnp.asarray(rates[0], weights.dtype), jnp.asarray(rates[1], weights.dtype)
        evaluate = self.placement.on_mesh(Autoencoder.velocity, (SPREAD, *[COPIED] * 4), SPREAD)
        velocity = evaluate(network, self.points, weights, *rates)
        return Velocity(
            self.penalised(0, network.encoder, velocity.encoder, rates[0], weights),
            self.penalised(1, network.decoder, velocity.decoder, rates[1], weights),
        )

    def penalised(
        self, side: int, measure: NeuronMeasure, velocity: NeuronMeasure, rate: Scalar | float, weights: Weights
    ) -> NeuronMeasure:
        """Return the velocity of the neurons of a side with −ξλθ added, and 0 for biases that aren't trained."""
        decay = self.motion.decays[side]
        if decay > 0:
            factor = rate * decay * weights.sum()
            velocity = jax.tree.map(lambda v, theta: v - factor * theta, velocity, _without_masses(measure))
        return velocity if self.motion.train_biases else _without_bias(velocity)

    def second_moment(self, network: Autoencoder, weights: Weights | None = None) -> Velocity:
        """Return E[v_x²] of every parameter, v_x the velocity under the point x alone and at unit rates."""
        weights = self.weights if weights is None else weights
        moments = network.second_moment(self.points, weights, self.motion.decays)
        if self.motion.train_biases:
            return moments
        return Velocity(_without_bias(moments.encoder), _without_bias(moments.decoder))

    def along(
        self, network: Autoencoder, time: Scalar, direction: Velocity, weights: Weights | None = None
    ) -> Velocity:
        """Return the derivative of the velocity along a direction: minus the Hessian of the objective times it."""
        tangent = network.with_measures(direction.encoder, direction.decoder)
        return jax.jvp(lambda network: self.velocity(network, time, weights), (network,), (tangent,))[1]

    def risk(self, network: Autoencoder, weights: Weights | None = None) -> Scalar:
        """Return R = ½ E‖x − x̂‖², a scalar."""
        evaluate = self.placement.on_mesh(Autoencoder.risk, (SPREAD, COPIED, COPIED), COPIED)
        return evaluate(network, self.points, self.weights if weights is None else weights)

    def objective(self, network: Autoencoder) -> Scalar:
        """Return the risk plus the penalty of weight decay, which is what the dynamics descends."""
        return self.risk(network) + penalty(network, self.motion.decays, self.motion.train_biases)

    def dissipation(self, network: Autoencoder) -> Scalar:
        """Return ∫|∇Ψ_E + λ_E θ|²dρ + ∫|∇Ψ_D + λ_D ω|²dν.

        At unit rates it equals −d/dt of the objective (the energy identity).
        """
        velocity = self.velocity_at_rates(network, (1.0, 1.0))
        sides = ((network.encoder, velocity.encoder), (network.decoder, velocity.decoder))
        terms = [jnp.dot(measure.masses, squares(moved)) for measure, moved in sides]
        return terms[0] + terms[1]

    def noise(self, network: Autoencoder, key: jax.Array, scales: Rates) -> Velocity:
        """Return independent normals for all that is trained, with a standard deviation for each side."""

        def side(measure: NeuronMeasure, key: jax.Array, scale: Scalar | float) -> NeuronMeasure:
            keys = jax.random.split(key, 3)
            draw = lambda key, like: scale * jax.random.normal(key, like.shape, like.dtype)
            parts = zip(keys, (measure.outgoing, measure.incoming, measure.bias), strict=True)
            drawn = NeuronMeasure(jnp.zeros_like(measure.masses), *(draw(key, part) for key, part in parts))
            return drawn if self.motion.train_biases else _without_bias(drawn)

        keys = jax.random.split(key)
        return Velocity(side(network.encoder, keys[0], scales[0]), side(network.decoder, keys[1], scales[1]))

    def start(self, network: Autoencoder, weights: Weights | None = None) -> State:
        """Return a network with the averages of its optimizer at time 0, under other weights where given."""
        if not self.motion.optimizer.has_averages:
            return network, ()
        return network, self.motion.optimizer.flow_start(*self._moments(network, weights))

    def __call__(self, time: Scalar, state: State, weights: Weights | None = None) -> tuple[Velocity, Any]:
        """Return the rate of change of the network and of its optimizer's averages, under other weights where given."""
        network, averages = state
        moved, change = self.motion.optimizer.slope(time, averages, *self._moments(network, weights))
        return moved.scaled(*self.rates(time)), change

    def kick(self, time: Scalar, state: State, noise: Weights) -> tuple[Velocity, Any]:
        """Return what a small noise on the weights of the points adds to the rate of change, to first order."""
        return jax.jvp(lambda weights: self(time, state, weights), (self.weights,), (noise,))[1]

    def _moments(self, network: Autoencoder, weights: Weights | None = None) -> tuple[Velocity, Velocity | None]:
        """Return the velocity at unit rates, and its second moment where the optimizer needs it."""
        needed = self.motion.optimizer.noise_batch is not None
        second_moment = self.second_moment(network, weights) if needed else None
        return self.velocity_at_rates(network, (1.0, 1.0), weights), second_moment


def _without_masses(measure: NeuronMeasure) -> NeuronMeasure:
    return eqx.tree_at(lambda measure: measure.masses, measure, jnp.zeros_like(measure.masses))


def _without_bias(measure: NeuronMeasure) -> NeuronMeasure:
    return eqx.tree_at(lambda measure: measure.bias, measure, jnp.zeros_like(measure.bias))
