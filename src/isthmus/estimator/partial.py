"""Training that goes on with each batch of rows that arrives.

Mean, unit and principal directions are those of all rows so far (`Running`); some rows are kept that stand for all
(`Reservoir`). With each batch the network is carried along to the new mean and unit, compared with PCA of all rows so
far on those that are kept, and begun anew at PCA where it is clearly worse; then it learns from batches of which half
are new rows and half are kept ones. So a stream's order, a quiet beginning, or batches of one row do little harm.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from isthmus._errors import NumericalError
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.optimizers import GradientDescent, Optimizer
from isthmus.core.scaling import Scaling
from isthmus.dynamics.learner import Learner, Memory
from isthmus.estimator.carrying import carried, carried_memory
from isthmus.estimator.coordinates import NOTHING, Coordinates, Spectrum
from isthmus.estimator.explicit import calm_step, explicit_start, first_network
from isthmus.estimator.judge import Judge
from isthmus.estimator.pool import Pool
from isthmus.estimator.reservoir import Reservoir
from isthmus.estimator.running import Running
from isthmus.estimator.schedule import Schedule
from isthmus.estimator.settings import Settings, check_memory, gradient_motion, rounded_down
from isthmus.estimator.start import pca_network

LOOKED_AT = 256
"""Rows, at most, on which risks are measured."""
WORSE = 10.0
"""Multiple of the risk before, or of the rows' own size, from which a network has diverged."""
SLACK = 0.03
"""Share of what PCA explains by which a network may explain less and go on; in training it soon explains more."""


STAT = __import__("collections").Counter()
AGAIN = 1.02
"""Growth of the number of rows after which the network is compared with PCA again."""
MOVED = 0.02
"""Change of the unit, or of the mean in units, with which they are compared at once."""
GLANCED_AT = 64
"""Rows on which risks are measured in between."""


class Stream(NamedTuple):
    """What `partial_fit` needs besides the network.

    Attributes:
        optimizer, memory: of the steps so far; the memory holds for this optimizer alone.
        steps: taken so far.
        step_size: the one that the curvature asked for, None before it was looked at.
        looked: the number of rows so far when it was looked at.
        compared: the same when the network was compared with PCA.
        seen, kept: all rows so far in short, and those that stand for them; None before the first batch.
        begun: whether the network is one in training, and not PCA.

    """

    optimizer: Optimizer = GradientDescent()
    memory: Memory | None = None
    steps: int = 0
    step_size: float | None = None
    looked: int = 0
    compared: int = 0
    seen: Running | None = None
    kept: Reservoir | None = None
    begun: bool = True


class State(NamedTuple):
    """A network, the units that it acts in, and the principal directions, shape (k, d)."""

    network: Autoencoder
    units: Scaling
    components: np.ndarray


def advanced(
    state: State | None, stream: Stream, points: np.ndarray, weights: np.ndarray, settings: Settings, seed: int
) -> tuple[State, Stream]:
    """Return the network and the stream after a step for each ``batch_size`` of the rows, with weights of any sum.

    Before the rows so far vary in k directions, the network is PCA of them.
    """
    begun = state is not None and stream.begun
    if state is not None:
        settings = _as_it_is(settings, state, begun)
    dtype = np.dtype(np.asarray(state.network.encoder.bias).dtype if begun else points.dtype)
    seen, kept = _known(state, stream, points, settings)
    before_them = kept.sample()
    random = np.random.default_rng([seed, seen.count])
    seen, kept = seen.with_rows(points, weights), kept.with_rows(points, weights, random, merged=not begun)
    units = seen.scaling(dtype)
    coordinates, motion = Coordinates(units), gradient_motion(settings.optimizer)
    network, memory, components, bar = None, None, None, np.inf
    if begun:
        network = carried(state.network, state.units, units, kept.rows)
        if stream.optimizer == motion.optimizer:
            memory = carried_memory(stream.memory, motion.optimizer, network, state.units, units)
        components = state.components
    due = not begun or len(points) >= settings.batch_size or seen.count > AGAIN * stream.compared or _moved(state.units, units)
    judge = Judge.of(*kept.sample(LOOKED_AT if due else GLANCED_AT), coordinates)
    before = np.inf if network is None else judge.risk(network)
    size, looked, compared = settings.step_size or stream.step_size, stream.looked, stream.compared
    if due:
        spectrum = seen.spectrum(dtype)
        components, compared = spectrum.components, seen.count
        if not begun and not _varies(spectrum):
            waiting = stream._replace(seen=seen, kept=kept, begun=False)
            return State(pca_network(components), units, components), waiting
        if settings.init != "independent":
            bar = _bar(judge, components)
        if network is None or not before <= bar:
            STAT["restart"] += 1
            start = explicit_start(spectrum, Judge.of(*kept.sample(), coordinates), settings)
            network, memory = first_network(start, settings, random, dtype), None
            before = judge.risk(network)
            if seen.count >= 2 * looked and not settings.step_size:
                size = None
    pool = _pool(points, weights, before_them, coordinates, dtype, settings)
    if size is None:
        STAT["calm"] += 1
        size, looked = calm_step(settings, network, pool, seed), seen.count
    check_memory(motion.optimizer, size)
    learner = Learner(network, motion, memory)
    steps = max(1, len(points) // settings.batch_size)
    with np.errstate(over="ignore", invalid="ignore"):
        pool.train(learner, Schedule(size, motion=motion), 0, steps, np.random.default_rng([seed, stream.steps]))
        after = judge.risk(learner.network)
    diverged = not after <= WORSE * max(before, _nothing(judge))
    if diverged and settings.step_size:
        calm = rounded_down(min(size / 4, calm_step(settings, network, pool, seed)))
        raise NumericalError(
            f"the step size {size:g} made the network diverge in partial_fit, which leaves it as it was; set "
            f"step_size to at most {calm:g}"
        )
    if diverged or (not settings.step_size and after > max(before, bar)):
        STAT["back"] += 1
        size, memory = size / 4, None
    else:
        network, memory = learner.network, learner.memory
    kept_size = None if settings.step_size else size
    stream = Stream(motion.optimizer, memory, stream.steps + steps, kept_size, looked, compared, seen, kept)
    return State(network, units, components), stream


def _bar(judge: Judge, components: np.ndarray) -> float:
    """Return the risk above which a network is clearly worse than PCA."""
    best = judge.pca_risk(components)
    return best + SLACK * (_nothing(judge) - best)


def _nothing(judge: Judge) -> float:
    """Return the risk of the mean."""
    return float(judge.weights @ judge.sizes) / 2


def _known(state, stream, points, settings):
    if stream.seen is not None and stream.kept is not None:
        return stream.seen, stream.kept
    dim = points.shape[1]
    seen = Running.empty(dim, settings.n_components) if state is None else Running.assumed(state.units, state.components)
    return seen, Reservoir.empty(dim, points.dtype)


def _varies(spectrum: Spectrum) -> bool:
    """Whether rows vary in k directions."""
    return bool(spectrum.variances[spectrum.latent_dim - 1] > NOTHING * spectrum.variances.sum())


def _moved(before: Scaling, after: Scaling) -> bool:
    """Whether mean or unit have changed so much that the network may not suit any more."""
    shift = np.linalg.norm((after.mean - before.mean) / after.unit)
    return shift > MOVED or abs(np.log(after.unit / before.unit)) > MOVED


def _as_it_is(settings: Settings, state: State, begun: bool) -> Settings:
    """Return the settings with what a network in training has, whatever they are now."""
    settings = replace(settings, n_components=len(state.components))
    if not begun:
        return settings
    network = state.network
    activations = (network.encoder_activation, network.decoder_activation)
    return replace(settings, width=network.encoder.width, activations=activations)


def _pool(
    points: np.ndarray,
    weights: np.ndarray,
    old: tuple[np.ndarray, np.ndarray],
    coordinates: Coordinates,
    dtype: np.dtype,
    settings: Settings,
) -> Pool:
    """Return new rows and those that stand for the rows before, in shares by which each new row is drawn about once."""
    count, rows = len(points), len(old[0])
    weights = weights / weights.max()  # so that their sum is finite
    share = 1.0 if not rows else max(0.5 * min(1.0, count / settings.batch_size), count / (count + rows))
    both = np.concatenate([share * weights / weights.sum(), (1 - share) * old[1]])
    return Pool(np.concatenate([points, old[0]]), both, coordinates, dtype, settings.batch_size)
