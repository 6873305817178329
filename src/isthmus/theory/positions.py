"""The objective as a function of the atoms of a network, in the variables √m(1, v, w, b), for Newton's method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.dynamics.field import VectorField
from isthmus.theory.hessian import Lines, derivatives, height, measure_of, rows_of, slopes, with_best_outgoing
from isthmus.theory.newton import Function

LEAST_UNIT = 1e-2
"""Of the variables of a light atom, relative to those of the largest, so that a light one may also grow."""


@dataclass(frozen=True)
class Positions(Function):
    """F with softened kinks, of the variables of atoms that have mass.

    Attributes:
        field: whose objective it is.
        network: with the atoms at the start, none of mass 0.
        softness: of kinks.
        moving: indices of the variables that F depends on among those of all atoms.

    """

    field: VectorField
    network: Autoencoder
    softness: float
    moving: np.ndarray

    @classmethod
    def of(cls, field: VectorField, network: Autoencoder, softness: float, free_masses: bool) -> Positions:
        """Return F about the atoms of a network, whose masses are variables too unless F doesn't depend on them."""
        alive = network.with_measures(_alive(network.encoder), _alive(network.decoder))
        pair, moving = (network.encoder_activation, network.decoder_activation), []
        for measure, activation in zip((alive.encoder, alive.decoder), pair, strict=True):
            rows = np.ones((measure.width, 2 + measure.outputs + measure.inputs), bool)
            rows[:, 0] = free_masses and not activation.homogeneous
            rows[:, -1] = field.motion.train_biases
            moving.append(rows.ravel())
        return cls(field, alive, softness, np.flatnonzero(np.concatenate(moving)))

    @property
    def start(self) -> np.ndarray:
        """The variables of the network."""
        return self._of(self.network)

    def value(self, point: np.ndarray) -> float:
        """Return F."""
        return height(self.field, self.at(point), self.softness)

    def slope(self, point: np.ndarray, lines: Lines = (None, None)) -> np.ndarray:
        """Return the gradient of F, with lines in place of φ if given."""
        return _in_one_row(slopes(self.field, self.at(point), self.softness, lines))[self.moving]

    def derivatives(self, point: np.ndarray, lines: Lines = (None, None)) -> tuple[float, np.ndarray, np.ndarray]:
        """Return F, its gradient and its Hessian, with lines in place of φ if given."""
        value, gradients, hessian = derivatives(self.field, self.at(point), self.softness, lines)
        return value, _in_one_row(gradients)[self.moving], hessian[np.ix_(self.moving, self.moving)]

    def lowered(self, point: np.ndarray) -> np.ndarray:
        """Return a point with the best outgoing weights of the decoder beside all other variables."""
        return self._of(with_best_outgoing(self.field, self.at(point), self.softness))

    def units(self, point: np.ndarray) -> np.ndarray:
        """Return the size of each variable's atom where there are kinks, which a light atom meets in shorter steps."""
        if self.softness == 0:
            return np.ones_like(point)
        rows = [rows_of(side) for side in _sides(self.at(point))]
        sizes = [np.linalg.norm(part[:, 1:], axis=1, keepdims=True) for part in rows]
        least = LEAST_UNIT * max(part.max() for part in sizes)
        spread = [np.broadcast_to(np.maximum(size, least), part.shape) for size, part in zip(sizes, rows, strict=True)]
        return _in_one_row(spread)[self.moving]

    def at(self, point: np.ndarray) -> Autoencoder:
        """Return the network of variables."""
        flat = _in_one_row([rows_of(side) for side in _sides(self.network)])
        flat[self.moving] = point
        rows, count = flat.reshape(-1, 2 + self.network.dim + self.network.latent_dim), self.network.encoder.width
        encoder, decoder = measure_of(rows[:count], self.network.latent_dim), measure_of(rows[count:], self.network.dim)
        return self.network.with_measures(encoder, decoder)

    def put_into(self, network: Autoencoder, point: np.ndarray) -> Autoencoder:
        """Return the network with the atoms of a point in the places of those that have mass."""
        found = self.at(point)
        return network.with_measures(
            _in_places(network.encoder, found.encoder), _in_places(network.decoder, found.decoder)
        )

    def _of(self, network: Autoencoder) -> np.ndarray:
        return _in_one_row([rows_of(side) for side in _sides(network)])[self.moving]


def alive_with_lines(network: Autoencoder, lines: Lines) -> tuple[Autoencoder, Lines]:
    """Return a network without atoms of mass 0, and the lines in place of φ of those left, or none where any is NaN."""
    sides = zip((network.encoder, network.decoder), lines, strict=True)
    encoder, decoder = (None if part is None else part[:, np.asarray(side.masses) > 0] for side, part in sides)
    known = all(np.isfinite(part).all() for part in (encoder, decoder) if part is not None)
    alive = network.with_measures(_alive(network.encoder), _alive(network.decoder))
    return alive, (encoder, decoder) if known else (None, None)


def _sides(network: Autoencoder) -> tuple[NeuronMeasure, NeuronMeasure]:
    return network.encoder, network.decoder


def _in_one_row(parts: Any) -> np.ndarray:
    """Return the variables of all atoms in one row, the encoder's first."""
    return np.concatenate([part.ravel() for part in parts])


def _alive(measure: NeuronMeasure) -> NeuronMeasure:
    """Return the measure without atoms of mass 0."""
    return jax.tree.map(lambda part: np.asarray(part)[np.asarray(measure.masses) > 0], measure)


def _in_places(measure: NeuronMeasure, atoms: NeuronMeasure) -> NeuronMeasure:
    """Return the measure with atoms in the places of those that have mass."""
    places = np.flatnonzero(np.asarray(measure.masses) > 0)

    def put(part: Any, new: Any) -> np.ndarray:
        part = np.array(part)
        part[places] = new
        return part

    return jax.tree.map(put, measure, atoms)
