"""Means and kernels of influences over fresh neurons, drawn independently of the particles whose path is linearised.

The particles that make a path are a sample that it has adapted to, and their own influences spread too little. Those of
fresh neurons, in the fields of the same path, don't.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.problem import Problem

SCRAMBLINGS = 4
"""Independent ones, from which the errors come."""
FIRST = 2000
"""The number of the first of them; those of the law's own particles are lower."""


class Known(Protocol):
    """What knows the influence of any neurons."""

    def of(self, neurons: Autoencoder) -> tuple[np.ndarray, np.ndarray]:
        """Return those of encoder and decoder, shapes (T, N_E) and (T, N_D)."""
        ...


class Side(NamedTuple):
    """Mean (T,) and covariance (T, T) of the influence of a side's neurons, with errors of mean and variance (T,)."""

    mean: np.ndarray
    kernel: np.ndarray
    mean_error: np.ndarray
    kernel_error: np.ndarray


def fresh_influences(problem: Problem, known: Known, count: int, seed: int) -> list[Side]:
    """Return what fresh neurons, of several scramblings of ``count``, say of the influences of encoder and decoder."""
    found: tuple[list, list] = ([], [])
    for replicate in range(SCRAMBLINGS):
        drawn = problem.particles(count, seed, FIRST + replicate, quadrature=problem.quadrature, in_span=True)
        for side, influence in zip(found, known.of(drawn.drawn), strict=True):
            deviations = influence - influence.mean(axis=1, keepdims=True)
            side.append((influence.mean(axis=1), deviations @ deviations.T / (count - 1)))
    sides = []
    for side in found:
        means, kernels = (np.stack(part) for part in zip(*side, strict=True))
        spread = lambda values: values.std(axis=0, ddof=1) / math.sqrt(SCRAMBLINGS)
        variances = np.diagonal(kernels, axis1=1, axis2=2)
        sides.append(Side(means.mean(axis=0), kernels.mean(axis=0), spread(means), spread(variances)))
    return sides
