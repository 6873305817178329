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
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from isthmus import _checks
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.rates import Rate


class Optimizer(ABC):
    """How the velocity of a neuron becomes its motion, by way of averages of the velocity over its past."""

    @property
    def shortest_memory(self) -> float:
        """The largest step size that makes sense, infinite without memory."""
        return math.inf

    @property
    def turns_along(self) -> bool:
        """Whether turned data and neurons take the turned path."""
        return True

    @property
    def noise_batch(self) -> int | None:
        """The batch size whose noise enters the limit, None where none does."""
        return None

    @abstractmethod
    def flow_start(self, velocity: Autoencoder, square: Autoencoder | None) -> Any:
        """Return the averages at time 0, given the velocity there and the mean of its square over batches."""

    @abstractmethod
    def slope(
        self, time: jax.Array, averages: Any, velocity: Autoencoder, square: Autoencoder | None
    ) -> tuple[Autoencoder, Any]:
        """Return dθ/dt at unit rates, and d/dt of the averages."""

    @abstractmethod
    def step_start(self, network: Autoencoder) -> Any:
        """Return the averages before the first step."""

    @abstractmethod
    def step(self, size: jax.Array, averages: Any, velocity: Autoencoder) -> tuple[Autoencoder, Any]:
        """Return the motion of one step of size ε, in units of ε, and the averages after it."""


@dataclass(frozen=True)
class GradientDescent(Optimizer):
    """The optimizer without averages: θ̇ = v.

    Example:
        >>> import isthmus as im
        >>> im.GradientDescent().shortest_memory
        inf

    """

    def flow_start(self, velocity: Autoencoder, square: Autoencoder | None) -> tuple[()]:
        """Return nothing."""
        return ()

    def slope(
        self, time: jax.Array, averages: tuple[()], velocity: Autoencoder, square: Autoencoder | None
    ) -> tuple[Autoencoder, tuple[()]]:
        """Return the velocity."""
        return velocity, ()

    def step_start(self, network: Autoencoder) -> tuple[()]:
        """Return nothing."""
        return ()

    def step(self, size: jax.Array, averages: tuple[()], velocity: Autoencoder) -> tuple[Autoencoder, tuple[()]]:
        """Return the velocity."""
        return velocity, ()


@dataclass(frozen=True)
class Momentum(Optimizer):
    r"""The heavy ball: each neuron moves with an average of its velocities over a memory τ.

        τ ṁ = v − m,    θ̇ = ξ m;        a step is  m ← m + (ε/τ)(v − m),  θ ← θ + ε ξ m.

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

    @property
    def shortest_memory(self) -> float:
        """The memory τ."""
        return self.memory

    def flow_start(self, velocity: Autoencoder, square: Autoencoder | None) -> Autoencoder:
        """Return a ball at rest."""
        return jax.tree.map(jnp.zeros_like, velocity)

    def slope(
        self, time: jax.Array, averages: Autoencoder, velocity: Autoencoder, square: Autoencoder | None
    ) -> tuple[Autoencoder, Autoencoder]:
        """Return m and (v − m)/τ."""
        return averages, jax.tree.map(lambda m, v: (v - m) / self.memory, averages, velocity)

    def step_start(self, network: Autoencoder) -> Autoencoder:
        """Return a ball at rest."""
        return jax.tree.map(jnp.zeros_like, network)

    def step(self, size: jax.Array, averages: Autoencoder, velocity: Autoencoder) -> tuple[Autoencoder, Autoencoder]:
        """Return the new m, twice."""
        averages = jax.tree.map(lambda m, v: m + size / self.memory * (v - m), averages, velocity)
        return averages, averages


class AdamAverages(NamedTuple):
    """Averages of the velocity and of its square, and for steps the share of each memory that is filled."""

    mean: Autoencoder
    square: Autoencoder
    filled: tuple[Any, Any] | None


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

    Example:
        >>> import isthmus as im
        >>> im.Adam(mean_memory=1.0, square_memory=10.0, batch_size=8).batch_size
        8

    """

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
    def turns_along(self) -> bool:
        """Not so: coordinates are moved one by one."""
        return False

    @property
    def noise_batch(self) -> int | None:
        """The batch size B."""
        return self.batch_size

    def flow_start(self, velocity: Autoencoder, square: Autoencoder | None) -> AdamAverages:
        """Return averages over no time at all, which are what they average."""
        return AdamAverages(velocity, self._square(velocity, square), None)

    def slope(
        self, time: jax.Array, averages: AdamAverages, velocity: Autoencoder, square: Autoencoder | None
    ) -> tuple[Autoencoder, AdamAverages]:
        """Return the motion, and how averages approach what they average: at 1/t while the past is shorter than τ."""

        def approach(memory: float, average: Autoencoder, now: Autoencoder) -> Autoencoder:
            begun = time > 0
            filled = -jnp.expm1(-jnp.where(begun, time, 1.0) / memory)
            speed = jnp.where(begun, 1 / (memory * filled), 0.0)  # at time 0 they are equal, and nothing is approached
            return jax.tree.map(lambda a, b: speed.astype(a.dtype) * (b - a), average, now)

        change = AdamAverages(
            approach(self.mean_memory, averages.mean, velocity),
            approach(self.square_memory, averages.square, self._square(velocity, square)),
            None,
        )
        return self._motion(averages), change

    def step_start(self, network: Autoencoder) -> AdamAverages:
        """Return empty averages."""
        nothing, zero = jax.tree.map(jnp.zeros_like, network), jnp.zeros((), network.encoder.bias.dtype)
        return AdamAverages(nothing, nothing, (zero, zero))

    def step(self, size: jax.Array, averages: AdamAverages, velocity: Autoencoder) -> tuple[Autoencoder, AdamAverages]:
        """Return the motion by the new averages, and these."""
        assert averages.filled is not None
        shares = size / self.mean_memory, size / self.square_memory
        filled = tuple(old + share * (1 - old) for old, share in zip(averages.filled, shares, strict=True))
        weights = [share / full for share, full in zip(shares, filled, strict=True)]
        follow = lambda weight, average, now: jax.tree.map(lambda a, b: a + weight * (b - a), average, now)
        averages = AdamAverages(
            follow(weights[0], averages.mean, velocity),
            follow(weights[1], averages.square, jax.tree.map(jnp.square, velocity)),
            filled,  # pyright: ignore[reportArgumentType]  (a pair)
        )
        return self._motion(averages), averages

    def _square(self, velocity: Autoencoder, square: Autoencoder | None) -> Autoencoder:
        """Return the mean over batches of the square of the velocity."""
        if self.batch_size is None or square is None:
            return jax.tree.map(jnp.square, velocity)
        share = 1 / self.batch_size
        return jax.tree.map(lambda v, s: jnp.square(v) * (1 - share) + s * share, velocity, square)

    def _motion(self, averages: AdamAverages) -> Autoencoder:
        # An integrator may try states in which the average of squares is below 0 by its error.
        root = lambda s: jnp.sqrt(jnp.maximum(s, jnp.finfo(s.dtype).tiny))
        return jax.tree.map(lambda m, s: m / (root(s) + self.epsilon), averages.mean, averages.square)


class Motion(NamedTuple):
    """What moves neurons besides their velocity: rates ξ_E and ξ_D, the optimizer, and the temperature.

    Its parts hash, so that it can be a static argument of compiled functions.
    """

    rates: tuple[Rate, Rate]
    optimizer: Optimizer
    temperature: float

    @property
    def is_gradient_flow(self) -> bool:
        """Whether neurons move with their velocity alone, at some rate."""
        return isinstance(self.optimizer, GradientDescent) and self.temperature == 0
