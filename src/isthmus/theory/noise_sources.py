"""The sources of noise of a problem's networks, read at any width, step size and batch size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from isthmus import _checks
from isthmus._display import Summary
from isthmus._words import counted, number
from isthmus.core.autoencoder import Autoencoder
from isthmus.dynamics.batches import SAMPLINGS, Sampling
from isthmus.theory.batch_noise import noise_without_replacement
from isthmus.theory.prediction import Noise, Prediction

MeasuredOn = Literal["population", "sample"]


@dataclass(frozen=True, repr=False)
class Influence(Summary):
    """What moves the risk, and when: derivatives of the mean-field risk, centred so that each has mean 0.

    V = T for the risk; for other functions of a network values of one time follow one another.

    Attributes:
        neurons: the autoencoder at time 0, at whose neurons the influence is known.
        encoder, decoder: of the mass of each initial neuron on R(t), shapes (V, particles).
        points: of the weight of each point in training on R(t), shape (V, n).
        direct: of its weight in the risk that is measured, ½|r(x)|², shape (V, n).
        steps: shape (S + 1,), the ends of the steps of time.
        points_by_step: the part of ``points`` that acts during each step, shape (V, S, n).

    """

    neurons: Autoencoder
    encoder: np.ndarray
    decoder: np.ndarray
    points: np.ndarray
    direct: np.ndarray
    steps: np.ndarray
    points_by_step: np.ndarray

    def _lines(self) -> list[tuple[str, object]]:
        largest = lambda values: f"at most {number(float(np.abs(values).max()))} for each unit of mass"
        return [
            ("encoder", f"{counted(self.encoder.shape[1], 'neuron')}, {largest(self.encoder)}"),
            ("decoder", f"{counted(self.decoder.shape[1], 'neuron')}, {largest(self.decoder)}"),
            ("points", f"{counted(self.points.shape[1], 'point')}, {largest(self.points)}"),
            ("known of", f"{counted(len(self.points), 'value')}, over {counted(len(self.steps) - 1, 'step')} of time"),
        ]


@dataclass(frozen=True, repr=False)
class Sources(Summary):
    """What each source of noise does, at scale 1, to values that are observed of a network.

    Attributes:
        horizon: the last time at which something is observed.
        noises: by source, as in `isthmus.FiniteWidthLaw`.
        influence: of neurons and points on the values.
        weights: of the points, shape (n,).
        only_batches: the batch size whose noise is in the limit (Adam), empty where it may be any.
        one_pass_is_fresh: points come from a stream, so that none comes twice.

    """

    horizon: float
    noises: dict[str, Noise]
    influence: Influence
    weights: np.ndarray
    only_batches: tuple[int | None, ...] = ()
    one_pass_is_fresh: bool = False

    def _lines(self) -> list[tuple[str, object]]:
        return [("noises", ", ".join(self.noises)), ("known up to", f"t = {self.horizon:g}")]

    def predicted(
        self,
        times: np.ndarray,
        limit: np.ndarray,
        width: float | tuple[float, float],
        step_size: float,
        batch_size: int | None,
        sampling: Sampling | None,
        sample_size: int | None,
        measured_on: MeasuredOn,
    ) -> Prediction:
        """Return the law of one kind of network, given as to `isthmus.FiniteWidthLaw.at`.

        The values in the limit, shape (V,), are those at the times of the same shape.
        """
        widths = _widths(width)
        step_size = _checks.real("step_size", step_size, minimum=0)
        if step_size > 0 and self.only_batches:
            self._check_batches_of_limit(batch_size, sampling)
        noises = {side: self.noises[side].scaled(1 / n) for side, n in zip(("encoder", "decoder"), widths, strict=True)}
        if step_size > 0:
            noises["steps"] = self.noises["steps"].scaled(step_size)
            if batch_size is not None:
                batch_size = _checks.integer("batch_size", batch_size, minimum=1)
                noises["batches"] = self._batches(step_size, batch_size, sampling)
        elif batch_size is not None:
            _checks.refuse("batch_size", "be None at step size 0", batch_size)
        if sample_size is not None:
            n = _checks.integer("sample_size", sample_size, minimum=1)
            _checks.choice("measured_on", measured_on, ("population", "sample"))
            noises["sample"] = self.noises["sample" if measured_on == "population" else "own_sample"].scaled(1 / n)
        unknown = ("batches", "steps") if step_size > 0 and self.only_batches else ()
        return Prediction(times, limit, noises, unknown)

    def _check_batches_of_limit(self, size: int | None, sampling: Sampling | None) -> None:
        """Refuse other batches than those whose noise enters the limit."""
        (wanted,) = self.only_batches
        if size != wanted:
            _checks.refuse("batch_size", f"be {wanted}, that of the problem's optimizer", size)
        if sampling not in (None, "with_replacement"):
            _checks.refuse("sampling", "be 'with_replacement' where noise of batches is part of the limit", sampling)

    def _batches(self, step_size: float, size: int, sampling: Sampling | None) -> Noise:
        """Return what the noise of batches makes."""
        chosen = _checks.choice("sampling", "with_replacement" if sampling is None else sampling, SAMPLINGS)
        if chosen == "with_replacement" or self.one_pass_is_fresh:
            return self.noises["batches"].scaled(step_size / size)
        horizon, count = self.horizon, len(self.weights)
        if size > count:
            _checks.refuse("batch_size", f"be at most the number of points {count} without replacement", size)
        epoch = step_size * (count // size)
        if chosen == "one_pass" and horizon > epoch * (1 + 1e-9):
            taken = _checks.described(f"'one_pass' up to t = {horizon:g}")
            _checks.refuse("sampling", f"end when all points have been used, at t = {epoch:g}", taken)
        influence = self.influence
        return noise_without_replacement(
            influence.points_by_step, influence.steps, self.weights, self.noises, step_size, size
        )


def _widths(width: float | tuple[float, float]) -> tuple[float, float]:
    pair = width if isinstance(width, tuple | list) else (width, width)
    if len(pair) != 2:
        _checks.refuse("width", "be one width or a pair (encoder, decoder)", width)
    one, two = (
        math.inf if isinstance(side, float) and side == math.inf else _checks.integer("width", side, minimum=1)
        for side in pair
    )
    return one, two
