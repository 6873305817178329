r"""Newton's method where preactivations lie on kinks of φ, which it keeps exactly.

At a minimum of F many preactivations lie on a kink: F falls towards it from both sides. A step d minimises a model in
which only what is smooth is quadratic,

    ⟨g, d⟩ + ½⟨d, (H + δ)d⟩ + Σ c (s + ⟨a, d⟩)₊,    c = κ [φ'(0+) − φ'(0−)],    a = ∇s,

over the pairs of a point and an atom whose kink is convex, c > 0, and near (`isthmus.theory.kinked_quadratic`). There g
and H are those of F with a line in place of φ for each pair: on kinks, that of the slope between both sides by which
the model was stationary; so the bending of planes s = 0 is in H, as in sequential quadratic programming. A step ends
with corrections that bring preactivations back onto their kinks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.dynamics.field import VectorField
from isthmus.theory.hessian import Lines, rows_of
from isthmus.theory.kinked_quadratic import Kinked, KinkedQuadratic
from isthmus.theory.kinks import between, has_kink, slopes
from isthmus.theory.pairs import ON_KINK, TINY, Layers, directions, distances, layers
from isthmus.theory.positions import Positions

MOST_PAIRS = 300
"""Pairs in a model: those nearest to their kink."""
FELT = 1e-14
"""Least strength of a kink, relative to the largest, that is told from 0."""
INSIDE = 5e-4
"""Of the jump of the slope: softened slopes further than it from both ends are of pairs that lie on the kink."""
BETWEEN = 1e-7
"""Share of the jump by which a slope differs from those of both sides of its kink, at least, where it is held there."""
STILL_ON_KINK = 1e-5
"""Distance up to which a pair that lay on its kink before births still counts as on it."""
HOLD = 0.3
"""Stiffness, relative to the norm of H, that is added across the planes on which pairs are held: there kinks are
stiffer still, while H may be of any sign."""
FIRST_SHIFT, LEAST_SHIFT = 1e-4, 1e-6
"""Of H, relative to the larger weight decay."""
LARGER, SMALLER = 4.0, 1 / 6
"""Factors of the shift where a step fails, and where the model foretells its fall."""
MOST_LIFTED = 800
"""Variables up to which an H that isn't positive definite gets the absolute values of its eigenvalues."""
TRIES = 16
"""Shifts that are tried for a step."""
LEAST_SHARE, AMPLE_SHARE = 0.1, 0.7
"""Of the fall that is foretold: with less a step fails, and with more the shift may fall."""
CORRECTIONS, RETURNS = 1, 3
"""Corrections of a step by its model, and of its end by the kinks on which pairs are, at most."""
ROUNDING = 1e-15
"""Relative to the value: a fall below it can't be told from rounding."""
SAME = 1e-12
"""1 − cos of the angle between the directions (w, b) of what counts as the same neuron."""
PATIENCE = 10
"""Steps that together must gain what is asked for."""


class _Kinks(NamedTuple):
    """By the index of each side that has kinks: which pairs lie on theirs, and slopes of lines that stand for φ."""

    held: dict[int, np.ndarray]
    slopes: dict[int, np.ndarray]

    @property
    def lines(self) -> Lines:
        """The lines of both sides."""
        return self.slopes.get(0), self.slopes.get(1)


class _Model(NamedTuple):
    """F about a point: g without near kinks, H, the planes of near kinks and what holds pairs on theirs."""

    gradient: np.ndarray
    hessian: np.ndarray
    planes: np.ndarray
    offsets: np.ndarray
    strengths: np.ndarray
    shares: np.ndarray
    pairs: dict[int, tuple[np.ndarray, ...]]
    holding: np.ndarray

    def fall(self, step: np.ndarray) -> float:
        """Return by how much the model falls."""
        rise = np.maximum(self.offsets + self.planes @ step, 0) - np.maximum(self.offsets, 0)
        return -float(self.gradient @ step + step @ self.hessian @ step / 2 + self.strengths @ rise)

    def held(self) -> tuple[np.ndarray, np.ndarray]:
        """Return g and H with the springs that hold pairs on their kinks."""
        lengths = np.linalg.norm(self.planes[self.holding], axis=1)
        across = self.planes[self.holding] / lengths[:, None]
        stiffness = HOLD * float(np.linalg.norm(self.hessian))
        pull = stiffness * across.T @ (self.offsets[self.holding] / lengths)
        return self.gradient + pull, self.hessian + stiffness * across.T @ across


def settled_at_kinks(
    field: VectorField,
    network: Autoencoder,
    softness: float,
    iterations: int,
    gain: float,
    known: Lines = (None, None),
    over: Callable[[], bool] = lambda: False,
) -> tuple[Autoencoder, Lines]:
    """Return the local minimum near a network, and the lines in place of φ by which it is one; without atoms of mass 0.

    Args:
        field: whose objective it is.
        network: the start.
        softness: by which kinks were softened there: it says which pairs lie on them.
        iterations: at most.
        gain: it ends where ten steps gain a smaller share of F.
        known: lines in place of φ by which the start is nearly stationary; NaN where there is none.
        over: it ends as soon as this returns True.

    """
    positions = Positions.of(field, network, 0.0, True)
    descent = _Descent(positions, softness, lines_beside(positions.network, network, known))
    former = [np.inf] * PATIENCE
    for index in range(iterations):
        if over() or former[index % PATIENCE] - descent.value < gain * abs(descent.value):
            break
        former[index % PATIENCE] = descent.value
        if not descent.advanced() and not (index == 0 and descent.released()):
            break
    return positions.at(descent.point), descent.kinks.lines


class _End(NamedTuple):
    """Where a step ends: the point, F there, and its kinks."""

    point: np.ndarray
    value: float
    kinks: _Kinks


class _Descent:
    """A descent: where it is, which pairs it holds on their kinks, and the shift of its last step."""

    def __init__(self, positions: Positions, softness: float, known: Lines) -> None:
        self._positions, self._field, network = positions, positions.field, positions.network
        pair = network.encoder_activation, network.decoder_activation
        self._ends = {side: slopes(phi) for side, phi in enumerate(pair) if has_kink(phi)}
        self.point, self.value = positions.start, positions.value(positions.start)
        self._shift = FIRST_SHIFT * max(self._field.motion.decays)
        at, held, lines = layers(self._field, network, softness), {}, {}
        for side in self._ends:
            lines[side], near = at.sides[side].slopes, True
            if known[side] is not None:
                there = np.isfinite(known[side])
                lines[side] = np.where(there, known[side], lines[side])
                near = ~there | (distances(self._field, network, at, side) <= STILL_ON_KINK)
            held[side] = between(pair[side], lines[side], INSIDE) & near
        self.kinks = self._beside(network, held, lines)

    def _beside(self, network: Autoencoder, held: dict[int, np.ndarray], lines: dict[int, np.ndarray]) -> _Kinks:
        """Return the kinks of a network, with the lines of φ for pairs that aren't held."""
        at, found = layers(self._field, network, 0.0), {}
        for side, (down, up) in self._ends.items():
            found[side] = np.where(held[side], lines[side], np.where(at.sides[side].preactivations > 0, up, down))
        return _Kinks(held, found)

    def _model(self) -> _Model:
        """Return the model about the point."""
        network, moving, lines = self._positions.at(self.point), self._positions.moving, self.kinks.lines
        at = layers(self._field, network, 0.0, lines)
        _, gradient, hessian = self._positions.derivatives(self.point, lines)
        pairs, parts = self._near(network, at), []
        for side, (down, up) in self._ends.items():
            those, found = pairs[side], at.sides[side]
            planes = directions(self._field, network, at, side, those)[:, moving]
            shares = (self.kinks.slopes[side][those] - down) / (up - down)
            parts.append(
                (
                    planes,
                    found.preactivations[those],
                    found.pulls[those] * (up - down),
                    shares,
                    self.kinks.held[side][those],
                )
            )
        planes, offsets, strengths, shares, holding = map(np.concatenate, zip(*parts, strict=True))
        gradient = gradient - planes.T @ (strengths * shares)
        return _Model(gradient, hessian, planes, offsets, strengths, shares, pairs, holding)

    def _near(self, network: Autoencoder, at: Layers) -> dict[int, tuple[np.ndarray, ...]]:
        """Return the pairs with a convex kink that are nearest to it."""
        found = {}
        for side, (down, up) in self._ends.items():
            strengths = at.sides[side].pulls * (up - down)
            felt = strengths > FELT * np.abs(strengths).max()
            found[side] = np.where(felt, distances(self._field, network, at, side), np.inf)
        together = np.concatenate([part.ravel() for part in found.values()])
        held = sum(int(part.sum()) for part in self.kinks.held.values())
        most = min(max(MOST_PAIRS, 2 * held), int(np.isfinite(together).sum()))
        furthest = np.partition(together, most - 1)[most - 1] if most else -1.0
        return {side: np.nonzero(part <= furthest) for side, part in found.items()}

    def advanced(self) -> bool:
        """Take a step, and return whether there was one that could be seen."""
        model = self._model()
        gradient, hessian = model.held()
        least = LEAST_SHIFT * max(self._field.motion.decays)
        for index in range(TRIES):
            try:
                quadratic = self._shifted(hessian, model)
            except np.linalg.LinAlgError:
                if len(hessian) > MOST_LIFTED:
                    self._shift *= LARGER
                    continue
                hessian = _lifted(hessian)
                quadratic = self._shifted(hessian, model)
            found = quadratic.lowest(gradient, model.offsets, model.shares)
            foretold = model.fall(found.step)
            end = self._corrected(model, quadratic, gradient, found)
            gained, seen = self.value - end.value, foretold > ROUNDING * abs(self.value)
            if gained > (LEAST_SHARE * foretold if seen else -ROUNDING * abs(self.value)):
                if index == 0 and gained > AMPLE_SHARE * foretold:
                    self._shift = max(SMALLER * self._shift, least)
                self.point, self.value, self.kinks = end
                return seen
            self._shift *= LARGER
        return False

    def released(self) -> bool:
        """Hold no pairs, so that the model is right for short steps, and return whether any were held."""
        some = any(part.any() for part in self.kinks.held.values())
        none = {side: np.zeros_like(part) for side, part in self.kinks.held.items()}
        self.kinks = self._beside(self._positions.at(self.point), none, self.kinks.slopes)
        self._shift = FIRST_SHIFT * max(self._field.motion.decays)
        return some

    def _shifted(self, hessian: np.ndarray, model: _Model) -> KinkedQuadratic:
        return KinkedQuadratic(hessian + self._shift * np.eye(len(hessian)), model.planes, model.strengths)

    def _corrected(self, model: _Model, quadratic: KinkedQuadratic, gradient: np.ndarray, found: Kinked) -> _End:
        """Return the end of a step, corrected as long as that lowers F by what is found at its end.

        There F has another gradient, and preactivations are others, than the model foretold: planes and valleys bend.
        The model with both differences has its minimum at a better step.
        """
        end = self._end(model, quadratic, found)
        for _ in range(CORRECTIONS):
            network = self._positions.at(self.point + found.step)
            kinks = self._held_after(model, network, found, np.ones(len(model.offsets), bool))
            slope = self._positions.slope(self.point + found.step, kinks.lines)
            foretold = model.gradient + model.hessian @ found.step + model.planes.T @ (model.strengths * found.shares)
            surprise = slope - foretold
            offsets = self._offsets(model, network) - model.planes @ found.step
            found = quadratic.lowest(gradient + surprise, offsets, found.shares)
            other = self._end(model, quadratic, found)
            if not other.value < end.value:
                break
            end = other
        return end

    def _end(self, model: _Model, quadratic: KinkedQuadratic, found: Kinked) -> _End:
        """Return the end of a step with its pairs brought onto their kinks exactly, and F there."""
        point, on = self.point + found.step, self._on_kinks(model, found)
        value = self._positions.value(point)
        if on.any():
            gram = quadratic.gram[np.ix_(on, on)]
            scale = np.sqrt(np.diag(gram))
            inverse = np.linalg.pinv(gram / np.outer(scale, scale), rcond=1e-11, hermitian=True)
            for _ in range(RETURNS):
                offsets = self._offsets(model, self._positions.at(point))[on]
                other = point - quadratic.across[:, on] @ (inverse @ (offsets / scale) / scale)
                lower = self._positions.value(other)
                if not lower <= value:
                    break
                point, value = other, lower
        return _End(point, value, self._held_after(model, self._positions.at(point), found, on))

    def _offsets(self, model: _Model, network: Autoencoder) -> np.ndarray:
        """Return the preactivations of the model's pairs in a network."""
        sides = layers(self._field, network, 0.0).sides
        return np.concatenate([sides[side].preactivations[pairs] for side, pairs in model.pairs.items()])

    def _on_kinks(self, model: _Model, found: Kinked) -> np.ndarray:
        """Return which planes a step ends on."""
        inside = (found.shares > BETWEEN) & (found.shares < 1 - BETWEEN)
        left = np.abs(model.offsets + model.planes @ found.step)
        return inside & (left <= ON_KINK * np.linalg.norm(model.planes, axis=1))

    def _held_after(self, model: _Model, network: Autoencoder, found: Kinked, on: np.ndarray) -> _Kinks:
        """Return the kinks of a network where some pairs of the model are on theirs, with the slopes found for them."""
        held, lines, begin = {}, {}, 0
        for side, (down, up) in self._ends.items():
            pairs = model.pairs[side]
            those = slice(begin, begin + len(pairs[0]))
            held[side], lines[side] = np.zeros_like(self.kinks.held[side]), self.kinks.slopes[side].copy()
            held[side][pairs], lines[side][pairs] = on[those], down + (up - down) * found.shares[those]
            begin = those.stop
        return self._beside(network, held, lines)


def _lifted(hessian: np.ndarray) -> np.ndarray:
    """Return H with the absolute values of its eigenvalues."""
    values, vectors = np.linalg.eigh(hessian)
    below = values < 0
    return hessian - 2 * (vectors[:, below] * values[below]) @ vectors[:, below].T


def lines_beside(network: Autoencoder, known: Autoencoder, lines: Lines) -> Lines:
    """Return lines for a network given those of one that it shares neurons with; NaN for neurons of its own."""
    pairs = (network.encoder, known.encoder), (network.decoder, known.decoder)
    encoder, decoder = (None if part is None else _moved(*pair, part) for pair, part in zip(pairs, lines, strict=True))
    return encoder, decoder


def _moved(new: NeuronMeasure, old: NeuronMeasure, lines: np.ndarray) -> np.ndarray:
    """Return lines of the neurons of a measure, from those of one with the same directions (w, b) in other places."""
    units = []
    for measure in (new, old):
        rows = rows_of(measure)[:, 1 + measure.outputs :]
        units.append(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY))
    cosines = units[0] @ units[1].T
    return np.where(cosines.max(axis=1) > 1 - SAME, lines[:, cosines.argmax(axis=1)], np.nan)
