"""Training that goes on with each batch of rows that arrives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from isthmus._errors import NumericalError
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.optimizers import GradientDescent, Optimizer
from isthmus.core.scaling import Scaling
from isthmus.dynamics.learner import Learner, Memory
from isthmus.estimator.coordinates import NOTHING, Coordinates, Spectrum
from isthmus.estimator.explicit import calm_step, explicit_start, first_network
from isthmus.estimator.judge import Judge
from isthmus.estimator.pool import Pool
from isthmus.estimator.schedule import Schedule
from isthmus.estimator.settings import Settings, check_memory, gradient_motion, rounded_down
from isthmus.estimator.start import pca_network

LOOKED_AT = 256
"""Rows, at most, on which a batch's risk is measured before and after."""
WORSE = 10.0
"""Multiple of the risk before, or of the batch's own size, from which a network has diverged."""


class Stream(NamedTuple):
    """What `partial_fit` needs besides the network.

    Attributes:
        optimizer, memory: of the steps so far; the memory holds for this optimizer alone.
        steps: taken so far.
        step_size: the one that the curvature asked for, None before it was looked at.
        waiting: rows and weights that did not suffice to begin, None once it has begun.

    """

    optimizer: Optimizer = GradientDescent()
    memory: Memory | None = None
    steps: int = 0
    step_size: float | None = None
    waiting: tuple[np.ndarray, np.ndarray] | None = None


def begun(
    points: np.ndarray, weights: np.ndarray, settings: Settings, random: np.random.Generator
) -> tuple[Spectrum, Autoencoder, bool]:
    """Return the spectrum of the first rows, a network to begin with, and whether the rows suffice to train it.

    They do where they vary in k directions. Otherwise the network is PCA of the rows so far.
    """
    spectrum = Spectrum.of(points, weights, settings.n_components)
    if spectrum.variances[settings.n_components - 1] <= NOTHING * spectrum.variances.sum():
        return spectrum, pca_network(spectrum.components), False
    start = explicit_start(spectrum, Judge.of(points, weights, Coordinates(spectrum.scaling)), settings)
    return spectrum, first_network(start, settings, random, points.dtype), True


def learned(
    network: Autoencoder,
    units: Scaling,
    stream: Stream,
    points: np.ndarray,
    weights: np.ndarray,
    settings: Settings,
    seed: int,
) -> tuple[Autoencoder, Stream]:
    """Return the network and the stream after a step for each ``batch_size`` of the rows, whose weights sum to 1."""
    dtype = np.dtype(network.encoder.bias.dtype)
    coordinates = Coordinates(units)
    pool = Pool(points, weights, coordinates, dtype, settings.batch_size)
    motion, size = gradient_motion(settings.optimizer), settings.step_size or stream.step_size
    if size is None:
        size = calm_step(settings, network, pool, seed)
    check_memory(motion.optimizer, size)
    memory = stream.memory if stream.optimizer == motion.optimizer else None
    learner = Learner(network, motion, memory)
    judge = Judge.of(points, weights, coordinates).on_fewer(LOOKED_AT)
    before = judge.risk(network)
    steps = max(1, len(points) // settings.batch_size)
    with np.errstate(over="ignore", invalid="ignore"):
        pool.train(learner, Schedule(size, motion=motion), 0, steps, np.random.default_rng([seed, stream.steps]))
        after = judge.risk(learner.network)
    if not after <= WORSE * max(before, float(judge.weights @ judge.sizes) / 2):
        calm = rounded_down(min(size / 4, calm_step(settings, network, pool, seed)))
        raise NumericalError(
            f"the step size {size:g} made the network diverge in partial_fit, which leaves it as it was; set "
            f"step_size to at most {calm:g}"
        )
    kept = None if settings.step_size else size
    return learner.network, Stream(motion.optimizer, learner.memory, stream.steps + steps, kept)
