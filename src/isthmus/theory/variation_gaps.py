"""How much lower the objective could be, by the first variation of one side: gaps, and what they rest on.

The equations, and their sources, are those of `isthmus.theory.certificates`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import jax
import numpy as np

from isthmus.core.neurons import NeuronMeasure
from isthmus.theory.branching import can_prove, proven_minimum
from isthmus.theory.lowest_neurons import (
    TINY,
    Side,
    largest_ray,
    lowest_neurons,
    neurons_along,
    squared_forces,
    steepest_ray,
)

BELOW_RAYS = 1 - 1e-9
"""Share of the largest s up to which rays allow a minimum, for φ that are only at infinity like two lines."""
SCALINGS = 3
"""Scales s that are tried, at most."""
SHARPER = 0.9
"""Share of the former gap that another scale must bring it to, to be worth one more."""
FAR_OUT = 30.0
"""How many times larger than others a neuron is born along a ray, where it acts as at infinity."""
CANDIDATES = 16
"""Neurons along rays that are offered for births."""


@dataclass(frozen=True)
class Found:
    """The least first variation of a side: Φ there, the gap it leaves, neurons for births, and whether it is proven."""

    minimum: float
    gap: float
    neurons: NeuronMeasure
    proven: bool


@dataclass(frozen=True)
class Linearised:
    """A side at a network: what decides how much lower the objective could be.

    Attributes:
        side: its pulls.
        mean: ∫Φ of its measure.
        square: ∫|θ|² of its measure.
        risk: R for the decoder, in which F is convex; None for the encoder.
        values: Φ at its atoms.
        sizes: |θ|² of its atoms.
        slack: by how much a proof of the minimum may miss it; None for no proof other than by enumeration.
        enough: a gap that need not be bounded more sharply.

    """

    side: Side
    mean: float
    square: float
    risk: float | None
    values: np.ndarray
    sizes: np.ndarray
    slack: float | None
    enough: float

    def found(self, starts: int, seed: int) -> Found:
        """Return what is known, by searches from so many starts, unless minima are enumerated."""
        if self.side.activation.homogeneous:
            return self.along_rays(starts, seed)
        return self.at(starts, seed)

    def along_rays(self, starts: int, seed: int) -> Found:
        """Return what is known for a homogeneous φ, whose least first variation lies on a ray."""
        side, decay = self.side, self.side.decay
        steepest, units, proven = steepest_ray(side, starts, seed)
        own = decay - 2 * self.values / np.maximum(self.sizes, TINY)  # the pull on each atom, where they are balanced
        steepest = max(steepest, float(own.max()))  # a search may miss it
        neurons = _offered(units, side, self.square)
        half = np.inf if side.radius is None else side.radius**2 / 2
        least = lambda scale: half * (decay - scale * steepest) if scale * steepest > decay * (1 + 1e-15) else 0.0
        if self.risk is None:
            lowest = least(1.0)
            gap = self.mean - max(lowest, min(0.0, (decay - steepest) / 2 * self.square))
            return Found(lowest, gap, neurons, proven)
        scale = self._best_scale(steepest)
        gap = min(self._gap(s, least(s)) for s in scale)
        return Found(least(1.0), gap, neurons, proven)

    def at(self, starts: int, seed: int) -> Found:
        """Return what is known for any other φ."""
        side, decay, bounded = self.side, self.side.decay, self.side.radius is not None
        steepest, units, _ = (0.0, None, False) if bounded else steepest_ray(side, starts, seed)
        far = None
        if units is not None and steepest > decay:
            far = neurons_along(units, side, FAR_OUT * max(1.0, float(np.sqrt(self.square))), CANDIDATES // 2)
        ends, tries = [np.zeros((1, side.inputs.shape[1] + 1))], []
        scale, extra, largest = self._first(steepest)
        while True:
            found, heights = lowest_neurons(self._scaled(scale, extra), starts, seed)
            ends.append(np.column_stack([found.incoming, found.bias]))
            ray = 0.0 if bounded else largest_ray(ends[-1], side)
            if ray > max(steepest, decay) * (1 + 1e-12):  # one that the search before had not found
                steepest = ray
                scale, extra, largest = self._first(steepest)
                continue
            least = float(heights[0]) if decay == 0 else min(0.0, float(heights[0]))
            if scale == 1.0 and extra == 0:
                least = min(least, float(self.values.min()))
            gap = self._gap(scale, least) if self.risk is not None else self.mean - least + extra / 2 * self.square
            tries.append((gap, least, found, scale))
            if (
                bounded
                or gap <= self.enough
                or len(tries) == SCALINGS
                or (len(tries) > 1 and gap >= tries[-2][0] * SHARPER)
            ):
                break
            scale, extra = self._next(np.concatenate(ends), largest, max(0.0, steepest - decay))
        minimum, neurons = tries[0][1], _together(far, tries[0][2])
        gap, least, _, scale = min(tries, key=lambda attempt: attempt[0])
        if self.slack is None or self.risk is None or not can_prove(side):
            return Found(minimum, gap, neurons, False)
        bound, proven = proven_minimum(self._scaled(scale, 0.0), least, self.slack)
        return Found(minimum, self._gap(scale, bound) if proven else gap, neurons, proven)

    def _first(self, steepest: float) -> tuple[float, float, float]:
        """Return s and the extra decay that rays ask for, and the largest s that they allow."""
        decay = self.side.decay
        largest = BELOW_RAYS * decay / steepest if steepest > 0 else np.inf
        return min(1.0, largest), max(0.0, steepest - decay), largest

    def _scaled(self, scale: float, extra: float) -> Side:
        """Return the side with its pull scaled, in the decoder, or with more decay, in the encoder."""
        if self.risk is None:
            return dataclasses.replace(self.side, decay=self.side.decay + extra)
        return dataclasses.replace(self.side, pull=scale * self.side.pull)

    def _next(self, ends: np.ndarray, largest: float, least_extra: float) -> tuple[float, float]:
        """Return the s, or the extra decay, at which the gap is smallest as far as some (w, b) tell."""
        forces, sizes = squared_forces(ends, self.side), (ends**2).sum(axis=1)
        shares = np.concatenate([[0.0], np.geomspace(1e-9, 0.5, 120)])
        decay = self.side.decay
        if self.risk is not None:
            scales = min(1.0, largest) * (1 - shares)
            lowest = (decay / 2 * sizes - scales[:, None] ** 2 / (2 * decay) * forces).min(axis=1)
            return float(scales[np.argmin([self._gap(s, m) for s, m in zip(scales, lowest, strict=True)])]), 0.0
        extras = least_extra + decay * shares / (1 - shares)
        decays = decay + extras[:, None]
        lowest = (decays / 2 * sizes - forces / (2 * decays)).min(axis=1)
        return 1.0, float(extras[np.argmin(extras / 2 * self.square - lowest)])

    def _gap(self, scale: float, least: float) -> float:
        """Return the duality gap at s, given min [sΨ + (λ/2)|ω|²]."""
        penalty = self.side.decay / 2 * self.square
        assert self.risk is not None
        return (1 - scale) ** 2 * self.risk + scale * (self.mean - penalty) + penalty - least

    def _best_scale(self, steepest: float) -> list[float]:
        """Return the s at which the gap can be least, for a homogeneous φ."""
        side = self.side
        assert self.risk is not None
        slope = self.mean - side.decay / 2 * self.square
        half = 2 * max(self.risk, 1e-300)
        largest = side.decay / max(steepest, 1e-300)
        scales = [max(0.0, min(1 - slope / half, largest))]
        if side.radius is not None:
            scales.append(max(1 - (slope + side.radius**2 / 2 * steepest) / half, largest))
        return scales


def _offered(units: np.ndarray, side: Side, square: float) -> NeuronMeasure:
    """Return neurons for births along unit (w, b), as large as those with ∫|θ|² = ``square``, or as the ball allows."""
    size = np.sqrt(square / 2) if side.radius is None else side.radius / np.sqrt(2)
    return neurons_along(units, side, max(size, 1e-3), CANDIDATES)


def _together(first: NeuronMeasure | None, second: NeuronMeasure) -> NeuronMeasure:
    """Return the neurons of both, in turns."""
    if first is None:
        return second
    count = first.width + second.width
    order = np.argsort(np.concatenate([2 * np.arange(first.width), 2 * np.arange(second.width) + 1]), kind="stable")
    joined = jax.tree.map(lambda *parts: np.concatenate(parts)[order], first, second)
    return dataclasses.replace(joined, masses=np.full(count, 1 / count))
