r"""Optimizers in a form that has a mean-field limit: memories are times, and gradients carry the factor N.

A network of width N has velocities v_i = −N ∂ℓ/∂θ_i of order 1 (`isthmus.core.autoencoder`), and an optimizer that
moves each neuron by a function of its own velocities alone leaves the neurons exchangeable: their empirical measure,
on parameters and averages together, then follows a transport equation as N → ∞. Two habits would spoil it. A decay β a
step forgets within 1/(1 − β) steps, whose time ε/(1 − β) shrinks with the step size: so memories are given as times τ
here, β = 1 − ε/τ. And Adam's ε, added to the root of squared gradients of order 1/N, would take over as N grows: so it
is added to velocities here.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from isthmus import _checks
from isthmus.core.autoencoder import Velocity
from isthmus.core.rates import Rate


class Optimizer(ABC):
    """How the velocity of a neuron becomes its motion, by way of averages of the velocity over its past."""

    in_words: ClassVar[str]
    """What training in steps of it is called."""

    @property
    def has_averages(self) -> bool:
        """Whether motion depends on averages of past velocities, and not on the velocity alone."""
        return True

    @property
    def shortest_memory(self) -> float:
        """The largest step size that makes sense, infinite without memory."""
        return math.inf

    @property
    def inertia(self) -> float | None:
        """The memory τ of the heavy ball τθ̈ + θ̇ = ξv that this optimizer is, 0 without one, None for another motion."""
        return None

    @property
    def is_rotation_equivariant(self) -> bool:
        """Whether the dynamics commutes with rotations of data and neurons."""
        return True

    @property
    def limit_depends_on_batches(self) -> bool:
        """Whether the noise of batches enters the limit."""
        return False

    @property
    def noise_batch(self) -> int | None:
        """The batch size whose noise enters the limit, None where none does."""
        return None

    @property
    def of_batches(self) -> Optimizer:
        """The optimizer that moves by the velocity of each batch as it is, without a mean over batches."""
        return self

    def step_excess(self, averages: Any, velocity: Velocity) -> Velocity | None:
        """Return (update − dθ/dt)/ε of a small step at unit rates, None where it has no limit as ε → 0."""
        return jax.tree.map(jnp.zeros_like, velocity)

    def stability_limit(self, step_size: float) -> float | None:
        """Return the product of step size and curvature below which steps are stable, None where it isn't known.

        For the heavy ball, θ″ = (1 + β − ε²λ/τ) θ′ − β θ with β = 1 − ε/τ, it is 4τ/ε − 2, and 2 for gradient descent.
        """
        if self.inertia is None:
            return None
        return 4 * self.inertia / step_size - 2 if self.inertia > 0 else 2.0

    def natural_step(self, curvature: float) -> float:
        """Return a step size from the highest curvature λ at the start: 1/λ, half of what is stable."""
        return 1 / curvature

    def transformed(
        self, averages: Any, velocity: Callable[[Velocity], Velocity], square: Callable[[Velocity], Velocity]
    ) -> Any:
        """Return averages in other units, given what becomes of a velocity and of its square there."""
        return averages

    @abstractmethod
    def flow_start(self, velocity: Velocity, second_moment: Velocity | None) -> Any:
        """Return the averages at time 0, given the velocity there and the mean of its square over points."""

    @abstractmethod
    def slope(
        self, time: jax.Array, averages: Any, velocity: Velocity, second_moment: Velocity | None
    ) -> tuple[Velocity, Any]:
        """Return dθ/dt at unit rates, and the rate of change of the averages."""

    @abstractmethod
    def step_start(self, nothing: Velocity) -> Any:
        """Return the averages before the first step, given a velocity of 0."""

    @abstractmethod
    def step(self, size: jax.Array, averages: Any, velocity: Velocity) -> tuple[Velocity, Any]:
        """Return the update of a step of size ε, in units of ε, and the averages after it."""


@dataclass(frozen=True)
class GradientDescent(Optimizer):
    """The optimizer without averages: θ̇ = v.

    Example:
        >>> import isthmus as im
        >>> im.GradientDescent().shortest_memory
        inf

    """

    in_words: ClassVar[str] = "SGD"

    @property
    def has_averages(self) -> bool:
        """False."""
        return False

    @property
    def inertia(self) -> float:
        """0."""
        return 0.0

    def flow_start(self, velocity: Velocity, second_moment: Velocity | None) -> tuple[()]:
        """Return no averages: neither ``velocity`` nor ``second_moment`` is remembered."""
        return ()

    def slope(
        self, time: jax.Array, averages: tuple[()], velocity: Velocity, second_moment: Velocity | None
    ) -> tuple[Velocity, tuple[()]]:
        """Return ``velocity`` at every ``time``; there are no ``averages``, and ``second_moment`` isn't used."""
        return velocity, ()

    def step_start(self, nothing: Velocity) -> tuple[()]:
        """Return no averages."""
        return ()

    def step(self, size: jax.Array, averages: tuple[()], velocity: Velocity) -> tuple[Velocity, tuple[()]]:
        """Return ``velocity`` whatever the ``size`` of the step; there are no ``averages``."""
        return velocity, ()


GRADIENT_DESCENT = GradientDescent()


@dataclass(frozen=True)
class Momentum(Optimizer):
    r"""The heavy ball: each neuron moves with an average of its velocities over a memory τ.

        τ ṁ = v − m,    θ̇ = ξ m;        a step is  m ← m + (ε/τ)(v − m),  θ ← θ + ε ξ m.

    Source: Polyak, USSR Computational Mathematics and Mathematical Physics 4 (1964).

    Args:
        memory: τ, in mean-field time. PyTorch's ``SGD(lr, momentum=β)`` is ε = lr/(1 − β) and τ = ε/(1 − β). As τ → 0
            it becomes gradient descent at the same ε.

    Example:
        >>> import isthmus as im
        >>> im.Momentum(memory=0.5).memory
        0.5

    """

    memory: float

    def __post_init__(self) -> None:
        _checks.real("memory", self.memory, above=0)

    in_words: ClassVar[str] = "SGD with momentum"

    @property
    def shortest_memory(self) -> float:
        """The memory τ."""
        return self.memory

    @property
    def inertia(self) -> float:
        """The memory τ."""
        return self.memory

    def natural_step(self, curvature: float) -> float:
        """Return √(τ/λ), at which the ball moves by a radian of its fastest oscillation."""
        return min(self.memory, math.sqrt(self.memory / curvature))

    def transformed(
        self, averages: Velocity, velocity: Callable[[Velocity], Velocity], square: Callable[[Velocity], Velocity]
    ) -> Velocity:
        """Return ``averages`` in other units: ``velocity`` converts m, and ``square`` isn't used."""
        return velocity(averages)

    def step_excess(self, averages: Velocity, velocity: Velocity) -> Velocity:
        """Return ṁ = (v − m)/τ: a step moves by its new m, of m = ``averages`` and v = ``velocity``."""
        return jax.tree.map(lambda m, v: (v - m) / self.memory, averages, velocity)

    def flow_start(self, velocity: Velocity, second_moment: Velocity | None) -> Velocity:
        """Return m = 0, a ball at rest, in the shape of ``velocity``; ``second_moment`` isn't used."""
        return self.step_start(jax.tree.map(jnp.zeros_like, velocity))

    def slope(
        self, time: jax.Array, averages: Velocity, velocity: Velocity, second_moment: Velocity | None
    ) -> tuple[Velocity, Velocity]:
        """Return m = ``averages`` and ṁ = (v − m)/τ, v = ``velocity``; ``time`` and ``second_moment`` aren't used."""
        return averages, self.step_excess(averages, velocity)

    def step_start(self, nothing: Velocity) -> Velocity:
        """Return m = 0, a ball at rest."""
        return nothing

    def step(self, size: jax.Array, averages: Velocity, velocity: Velocity) -> tuple[Velocity, Velocity]:
        """Return m + (ε/τ)(v − m) as the update and as the new m: ε = ``size``, m = ``averages``, v = ``velocity``."""
        averages = jax.tree.map(lambda m, v: m + size / self.memory * (v - m), averages, velocity)
        return averages, averages


NATURAL_STEP = 0.05
"""Adam's step size where none is given: its motion has size 1 whatever the curvature."""


class AdamAverages(NamedTuple):
    """Averages of the velocity and of its square; for steps also the part of each memory that is filled."""

    mean: Velocity
    square: Velocity
    filled: tuple[jax.Array, jax.Array] | None


@dataclass(frozen=True)
class Adam(Optimizer):
    r"""Adam: each parameter moves with an average of its velocity over the root of an average of its square.

        θ̇ = ξ m / (√s + δ),    m = ⟨v̂⟩ over a memory τ_1,    s = ⟨v̂²⟩ over a memory τ_2,

    exponential averages over the past since time 0, which is what Adam's correction of its bias makes of them. Batches
    of B points enter the limit: as ε → 0 more and more of them fall into a memory, so that noise disappears from m,
    but the square of a batch's velocity has the mean v² + (E[v_x²] − v²)/B (`Autoencoder.second_moment`), and that
    stays.

    Args:
        mean_memory, square_memory: τ_1 and τ_2, in mean-field time. ``Adam(betas=(β_1, β_2))`` at step size ε has
            τ = ε/(1 − β).
        epsilon: δ, in units of the velocity v = −N ∂ℓ/∂θ.
        batch_size: the batch size B of the limit, drawn with replacement; None for full batches. Networks must be
            trained with the same.

    Weight decay is part of the velocity.

    Source: Kingma and Ba, International Conference on Learning Representations (2015).

    Example:
        >>> import isthmus as im
        >>> im.Adam(mean_memory=1.0, square_memory=10.0, batch_size=8).batch_size
        8

    """

    in_words: ClassVar[str] = "Adam"
    mean_memory: float = 1.0
    square_memory: float = 10.0
    epsilon: float = 1e-3
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for name in ("mean_memory", "square_memory", "epsilon"):
            _checks.real(name, getattr(self, name), above=0)
        if self.batch_size is not None:
            _checks.integer("batch_size", self.batch_size, minimum=1)

    @property
    def shortest_memory(self) -> float:
        """The shorter one of both memories."""
        return min(self.mean_memory, self.square_memory)

    @property
    def is_rotation_equivariant(self) -> bool:
        """False: Adam divides coordinate by coordinate."""
        return False

    @property
    def limit_depends_on_batches(self) -> bool:
        """True: their noise enters the average of squares."""
        return True

    @property
    def noise_batch(self) -> int | None:
        """The batch size B."""
        return self.batch_size

    @property
    def of_batches(self) -> Adam:
        """Adam that averages the squares of the velocities it is given."""
        return replace(self, batch_size=None)

    def step_excess(self, averages: AdamAverages, velocity: Velocity) -> None:
        """Return None, whatever ``averages`` and ``velocity`` are: the first batches add terms of order ε log ε."""

    def natural_step(self, curvature: float) -> float:
        """Return a constant, since the size of its motion doesn't depend on that of velocities."""
        return min(self.shortest_memory, NATURAL_STEP)

    def transformed(
        self, averages: AdamAverages, velocity: Callable[[Velocity], Velocity], square: Callable[[Velocity], Velocity]
    ) -> AdamAverages:
        """Return ``averages`` in other units: ``velocity`` converts the mean, ``square`` the mean square."""
        return AdamAverages(velocity(averages.mean), square(averages.square), averages.filled)

    def flow_start(self, velocity: Velocity, second_moment: Velocity | None) -> AdamAverages:
        """Return ``velocity`` and its mean square, which is taken from ``second_moment`` where there are batches."""
        return AdamAverages(velocity, self._mean_square(velocity, second_moment), None)

    def slope(
        self, time: jax.Array, averages: AdamAverages, velocity: Velocity, second_moment: Velocity | None
    ) -> tuple[Velocity, AdamAverages]:
        """Return θ̇ at ``averages``, and the rates at which these approach ``velocity`` and its mean square.

        At ``time`` t an average over a memory τ approaches at the rate 1/(τ(1 − exp(−t/τ))), which is 1/t at first. The
        mean square is taken from ``second_moment`` where there are batches.
        """

        def approach(memory: float, average: Velocity, now: Velocity) -> Velocity:
            begun = time > 0
            filled = -jnp.expm1(-jnp.where(begun, time, 1.0) / memory)
            speed = jnp.where(begun, 1 / (memory * filled), 0.0)  # at time 0 both are equal, and nothing is approached
            return jax.tree.map(lambda a, b: speed.astype(a.dtype) * (b - a), average, now)

        change = AdamAverages(
            approach(self.mean_memory, averages.mean, velocity),
            approach(self.square_memory, averages.square, self._mean_square(velocity, second_moment)),
            None,
        )
        return self._motion(averages), change

    def step_start(self, nothing: Velocity) -> AdamAverages:
        """Return empty averages."""
        empty = jnp.zeros((), nothing.encoder.bias.dtype)
        return AdamAverages(nothing, nothing, (empty, empty))

    def step(self, size: jax.Array, averages: AdamAverages, velocity: Velocity) -> tuple[Velocity, AdamAverages]:
        """Return the update of a step of ``size`` ε by the new averages of ``velocity``, and these ``averages``."""
        assert averages.filled is not None

        def followed(memory: float, full: jax.Array, average: Velocity, now: Velocity) -> tuple[jax.Array, Velocity]:
            """Return the filled part of a memory, and the average over it, after the step."""
            share = size / memory
            full = full + share * (1 - full)
            return full, jax.tree.map(lambda a, b: a + share / full * (b - a), average, now)

        first, mean = followed(self.mean_memory, averages.filled[0], averages.mean, velocity)
        squared = jax.tree.map(jnp.square, velocity)
        second, square = followed(self.square_memory, averages.filled[1], averages.square, squared)
        averages = AdamAverages(mean, square, (first, second))
        return self._motion(averages), averages

    def _mean_square(self, velocity: Velocity, second_moment: Velocity | None) -> Velocity:
        """Return the mean over batches of the square of a batch's velocity."""
        if self.batch_size is None or second_moment is None:
            return jax.tree.map(jnp.square, velocity)
        share = 1 / self.batch_size
        return jax.tree.map(lambda v, s: jnp.square(v) * (1 - share) + s * share, velocity, second_moment)

    def _motion(self, averages: AdamAverages) -> Velocity:
        # An integrator may try states in which the average of squares is below 0 by its error.
        root = lambda s: jnp.sqrt(jnp.maximum(s, jnp.finfo(s.dtype).tiny))
        return jax.tree.map(lambda m, s: m / (root(s) + self.epsilon), averages.mean, averages.square)


class Motion(NamedTuple):
    """What moves neurons: rates ξ_E and ξ_D, optimizer, temperature, weight decays, and whether biases are trained.

    Its parts hash, so that it can be a static argument of compiled functions.
    """

    rates: tuple[Rate, Rate] = (1.0, 1.0)
    optimizer: Optimizer = GRADIENT_DESCENT
    temperature: float = 0.0
    decays: tuple[float, float] = (0.0, 0.0)
    train_biases: bool = True

    @property
    def is_gradient_flow(self) -> bool:
        """Whether neurons move with their velocity alone, at some rate."""
        return not self.optimizer.has_averages and self.temperature == 0


GRADIENT_FLOW = Motion()
"""Gradient flow at unit rates."""
