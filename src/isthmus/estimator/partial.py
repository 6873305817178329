"""Training that goes on with each batch of rows that arrives.

Mean, unit and principal directions are those of all rows so far (`Running`); some rows are kept that stand for all
(`Reservoir`). With each batch the network is carried along to the new mean and unit, compared with PCA of all rows so
far on those that are kept, and begun anew at PCA where it is clearly worse. Then it learns from new rows and kept ones.
So the order of a stream, a quiet beginning, or batches of one row do little harm.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from isthmus._errors import NumericalError
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.optimizers import GradientDescent, Optimizer
from isthmus.core.scaling import Scaling
from isthmus.core.sparse import is_sparse
from isthmus.dynamics.learner import Learner, Memory
from isthmus.estimator.carrying import carried, carried_memory
from isthmus.estimator.coordinates import NOTHING, Coordinates, Spectrum
from isthmus.estimator.explicit import calm_step, explicit_start, first_network
from isthmus.estimator.judge import Judge
from isthmus.estimator.pool import Pool
from isthmus.estimator.reservoir import MOST, Reservoir, most_rows
from isthmus.estimator.running import Running
from isthmus.estimator.schedule import Schedule
from isthmus.estimator.settings import Settings, check_memory, gradient_motion, rounded_down
from isthmus.estimator.start import pca_network

LOOKED_AT, GLANCED_AT = 256, 64
"""Rows, at most, on which risks are measured where a network is compared with PCA, and where it isn't."""
AGAIN = 1.02
"""Growth of the number of rows after which they are compared; with a batch of ``batch_size`` rows they always are."""
MOVED = 0.02
"""Change of the mean in units, or of the logarithm of the unit, with which they are compared at once."""
SLACK = 0.03
"""Share of what PCA explains by which a network may explain less and go on: in training it soon explains more."""
LOST = 0.5
"""The same where a given step size says how fast the network may move, unless it began with less than half the rows."""
ENOUGH = 0.5
"""Share of the variance so far that kept rows must stand for in a comparison, since those of a fit aren't kept."""
WORSE = 10.0
"""Multiple of the risk before, or of that of the mean, from which a network has diverged."""


class Stream(NamedTuple):
    """What `partial_fit` needs besides the network.

    Attributes:
        optimizer, memory: of the steps so far; the memory holds for this optimizer alone.
        steps: taken so far.
        step_size: the one that the curvature asked for, None before it was looked at.
        looked: the number of rows so far when it was looked at.
        compared, started: the same when the network was last compared with PCA, and when it began.
        begun: whether the network is in training; otherwise it is PCA.
        seen: all rows so far in short, None where nothing is known of them.
        kept: rows that stand for them, None before the first batch.

    """

    optimizer: Optimizer = GradientDescent()
    memory: Memory | None = None
    steps: int = 0
    step_size: float | None = None
    looked: int = 0
    compared: int = 0
    started: int = 0
    begun: bool = True
    seen: Running | None = None
    kept: Reservoir | None = None


class State(NamedTuple):
    """A network, the units that it acts in, and the principal directions, shape (k, d)."""

    network: Autoencoder
    units: Scaling
    components: np.ndarray


def advanced(
    state: State | None, stream: Stream, points: np.ndarray, weights: np.ndarray, settings: Settings, seed: int
) -> tuple[State, Stream]:
    """Return the network and the stream after a step for each ``batch_size`` of the rows.

    Until the rows so far vary in k directions the network is PCA of them. Weights count beside those of earlier rows.
    """
    seen, kept = _known(state, stream, points, settings)
    settings = settings if state is None else _as_it_is(settings, state, stream.begun)
    state = state if stream.begun else None  # None where no network is in training
    dtype = points.dtype if state is None else np.dtype(state.network.encoder.bias.dtype)
    old, known = kept.sample(), kept.share_of(seen.weight, seen.exponent) if seen.count else np.inf
    random = np.random.default_rng([seed, seen.count])
    seen, kept = seen.with_rows(points, weights), kept.with_rows(points, weights, random, merged=state is None)
    stream, units = stream._replace(seen=seen, kept=kept), seen.scaling(dtype)
    due = state is None or points.shape[0] >= settings.batch_size or seen.count > AGAIN * stream.compared
    if state is not None:
        due = due or _moved(state.units, units)
        state, stream = _in_units(units, state, stream, kept.rows, settings)
    judge, bar = _judge(kept, LOOKED_AT if due else GLANCED_AT, units), np.inf
    if due:
        spectrum = seen.spectrum(dtype)
        components, stream = spectrum.components, stream._replace(compared=seen.count)
        enough = _varies(spectrum) and kept.share_of(seen.weight, seen.exponent) * 2 * _nothing(judge) >= ENOUGH
        if state is None and not enough:
            return State(pca_network(components), units, components), stream._replace(begun=False)
        if enough and (state is None or settings.init != "independent"):
            free = not settings.step_size or seen.count >= 2 * stream.started
            bar = _bar(judge, components, SLACK if free else LOST)
        risk = np.inf if state is None else judge.risk(state.network)
        if state is None or not risk <= bar:
            start = explicit_start(spectrum, Judge.of(*kept.sample(), Coordinates(units)), settings)
            network = first_network(start, settings, random, dtype)
            if state is None or not risk <= judge.risk(network):
                state = State(network, units, components)
                stream = stream._replace(memory=None, begun=True, started=seen.count)
        if seen.count >= 2 * stream.looked and (stream.memory is None or stream.looked < LOOKED_AT):
            stream = stream._replace(step_size=None)  # the curvature that few rows have, or another network
        state = state._replace(components=components)
    assert state is not None  # what isn't in training is compared, and begins or is left
    chances, length = _chances(weights, old[1], known, settings.batch_size)
    pool = Pool(_stacked(points, old[0]), chances, Coordinates(units), dtype, settings.batch_size)
    steps = max(1, points.shape[0] // settings.batch_size)
    network, stream = _trained(state.network, stream, pool, steps, length, judge, bar, settings, seed)
    return state._replace(network=network), stream


def _as_it_is(settings: Settings, state: State, begun: bool) -> Settings:
    """Return the settings with what a network in training has, whatever they are now."""
    settings = replace(settings, n_components=len(state.components))
    if not begun:
        return settings
    network = state.network
    activations = (network.encoder_activation, network.decoder_activation)
    return replace(settings, width=network.encoder.width, activations=activations)


def _known(state: State | None, stream: Stream, points: np.ndarray, settings: Settings) -> tuple[Running, Reservoir]:
    """Return what is known of the rows so far, and those that are kept."""
    dim, seen = points.shape[1], stream.seen
    if seen is None and state is None:
        seen = Running.empty(dim, settings.n_components)
    elif seen is None and state is not None:
        seen = Running.assumed(state.units, state.components)
    assert seen is not None
    return seen, stream.kept or Reservoir.empty(dim, points.dtype)


def _in_units(
    units: Scaling, state: State, stream: Stream, rows: np.ndarray, settings: Settings
) -> tuple[State, Stream]:
    """Return a network in training and its optimizer's memory in other units."""
    optimizer = gradient_motion(settings.optimizer).optimizer
    network, memory = carried(state.network, state.units, units, rows), None
    if stream.optimizer == optimizer:
        memory = carried_memory(stream.memory, optimizer, network, state.units, units)
    return state._replace(network=network, units=units), stream._replace(optimizer=optimizer, memory=memory)


def _moved(before: Scaling, after: Scaling) -> bool:
    """Whether mean or unit have changed so much that the network may not suit any more."""
    kappa = after.unit / before.unit
    return bool(max(abs(np.log(kappa)), np.linalg.norm((after.mean - before.mean) / after.unit)) > MOVED)


def _varies(spectrum: Spectrum) -> bool:
    """Whether rows vary in k directions."""
    return bool(spectrum.variances[spectrum.latent_dim - 1] > NOTHING * spectrum.variances.sum())


def _judge(kept: Reservoir, count: int, units: Scaling) -> Judge:
    """Return some of the kept rows, with rows of weight 0 where there are few, so that few programs are compiled."""
    judge = Judge.of(*kept.sample(count), Coordinates(units))
    count = min(count if len(judge.points) > GLANCED_AT else GLANCED_AT, most_rows(judge.points.shape[1]))
    filling = [(0, count - len(judge.points))]
    points = np.pad(judge.points, [*filling, (0, 0)])
    return Judge(points, np.pad(judge.weights, filling), np.pad(judge.outside, filling))


def _nothing(judge: Judge) -> float:
    """Return the risk of the mean."""
    return float(judge.weights @ judge.sizes) / 2


def _bar(judge: Judge, components: np.ndarray, slack: float) -> float:
    """Return the risk above which a network is clearly worse than PCA."""
    best = judge.pca_risk(components)
    return best + slack * (_nothing(judge) - best)


def _chances(weights: np.ndarray, old: np.ndarray, known: float, batch_size: int) -> tuple[np.ndarray, float]:
    """Return the chances of new rows and of those that stand for a share ``known`` of the rows before, and their sum.

    Half of a batch is new, and less where there are fewer than ``batch_size`` new rows. What was there before and isn't
    kept pulls nowhere, on average, in a network that has learned it; so the sum is what a step is multiplied with.
    """
    count = len(weights)
    share = max(0.5 * min(1.0, count / batch_size), count / (count + MOST)) if known < np.inf else 1.0
    new = weights / weights.max()  # so that their sum is finite
    chances = np.concatenate([share / new.sum() * new, (1 - share) * min(known, 1.0) * old])
    return chances / chances.sum(), float(chances.sum())


def _stacked(points: Any, rows: np.ndarray) -> Any:
    """Return points, an array or sparse, with further rows."""
    return sparse.csr_array(sparse.vstack([points, rows])) if is_sparse(points) else np.concatenate([points, rows])


def _trained(
    network: Autoencoder,
    stream: Stream,
    pool: Pool,
    steps: int,
    length: float,
    judge: Judge,
    bar: float,
    settings: Settings,
    seed: int,
) -> tuple[Autoencoder, Stream]:
    """Return a network after steps of a size times ``length``; a size of our own is made less where they do harm."""
    motion, size, looked = gradient_motion(settings.optimizer), settings.step_size or stream.step_size, stream.looked
    if size is None:
        assert stream.seen is not None
        size, looked = calm_step(settings, network, pool, seed), stream.seen.count
    check_memory(motion.optimizer, size)
    learner = Learner(network, motion, stream.memory)
    before = judge.risk(network)
    with np.errstate(over="ignore", invalid="ignore"):
        pool.train(
            learner, Schedule(length * size, motion=motion), 0, steps, np.random.default_rng([seed, stream.steps])
        )
        after = judge.risk(learner.network)
    diverged = not after <= WORSE * max(before, _nothing(judge))
    if diverged and settings.step_size:
        calm = rounded_down(min(size / 4, calm_step(settings, network, pool, seed)))
        raise NumericalError(
            f"the step size {size:g} made the network diverge in partial_fit, which leaves it as it was; set "
            f"step_size to at most {calm:g}"
        )
    kept = stream._replace(optimizer=motion.optimizer, steps=stream.steps + steps, looked=looked)
    if settings.step_size:
        return learner.network, kept._replace(memory=learner.memory, step_size=None)
    if diverged or after > max(before, bar):
        return network, kept._replace(memory=None, step_size=size / 4)
    return learner.network, kept._replace(memory=learner.memory, step_size=size)
