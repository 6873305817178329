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
from isthmus.estimator.coordinates import ROUNDING_SHARE, Coordinates, Spectrum
from isthmus.estimator.explicit import explicit_start, first_network, stable_step
from isthmus.estimator.reservoir import MOST_ROWS, Reservoir, capacity_of
from isthmus.estimator.running import Running
from isthmus.estimator.samples import EvaluationSample, Pool
from isthmus.estimator.schedule import Schedule
from isthmus.estimator.settings import Settings, check_memory, gradient_motion, rounded_down
from isthmus.estimator.start import pca_network

COMPARISON_ROWS = 256
"""Rows, at most, on which risks are measured where a network is compared with PCA."""
CHECK_ROWS = 64
"""Rows, at most, on which risks are measured where it isn't."""
GROWTH = 1.02
"""Growth of the number of rows after which they are compared; with a batch of ``batch_size`` rows they always are."""
SHIFT = 0.02
"""Change of the mean in units, or of the logarithm of the unit, with which they are compared at once."""
SLACK = 0.03
"""Share of what PCA explains by which a network may explain less and go on: in training it soon explains more."""
SLACK_OF_GIVEN_STEPS = 0.5
"""The same where a given step size says how fast the network may move, unless it began with less than half the rows."""
KEPT_VARIANCE = 0.5
"""Share of the variance so far that kept rows must stand for in a comparison, since those of a fit aren't kept."""
DIVERGENCE = 10.0
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


class ScaledNetwork(NamedTuple):
    """A network, the units that it acts in, and the principal directions, shape (k, d)."""

    network: Autoencoder
    units: Scaling
    components: np.ndarray


def advanced(
    state: ScaledNetwork | None, stream: Stream, points: np.ndarray, weights: np.ndarray, settings: Settings, seed: int
) -> tuple[ScaledNetwork, Stream]:
    """Return the network and the stream after a step for each ``batch_size`` of the rows.

    Until the rows so far vary in k directions the network is PCA of them. Weights count beside those of earlier rows.
    """
    seen, kept = _known(state, stream, points, settings)
    settings = settings if state is None else _settings_of_network(settings, state, stream.begun)
    state = state if stream.begun else None  # None where no network is in training
    dtype = points.dtype if state is None else np.dtype(state.network.encoder.bias.dtype)
    old, known = kept.sample(), kept.share_of(seen.weight, seen.exponent) if seen.count else np.inf
    random = np.random.default_rng([seed, seen.count])
    seen, kept = seen.with_rows(points, weights), kept.with_rows(points, weights, random, merged=state is None)
    stream, units = stream._replace(seen=seen, kept=kept), seen.scaling(dtype)
    due = state is None or points.shape[0] >= settings.batch_size or seen.count > GROWTH * stream.compared
    if state is not None:
        due = due or _moved(state.units, units)
        state, stream = _in_units(units, state, stream, kept.rows, settings)
    sample, bar = _sample(kept, COMPARISON_ROWS if due else CHECK_ROWS, units), np.inf
    if due:
        spectrum = seen.spectrum(dtype)
        components, stream = spectrum.components, stream._replace(compared=seen.count)
        enough = _varies(spectrum) and kept.share_of(seen.weight, seen.exponent) * 2 * sample.mean_risk >= KEPT_VARIANCE
        if state is None and not enough:
            return ScaledNetwork(pca_network(components), units, components), stream._replace(begun=False)
        if enough and (state is None or settings.init != "independent"):
            free = not settings.step_size or seen.count >= 2 * stream.started
            bar = _bar(sample, components, SLACK if free else SLACK_OF_GIVEN_STEPS)
        risk = np.inf if state is None else sample.risk(state.network)
        if state is None or not risk <= bar:
            start = explicit_start(spectrum, EvaluationSample.of(*kept.sample(), Coordinates(units)), settings)
            network = first_network(start, settings, random, dtype)
            if state is None or not risk <= sample.risk(network):
                state = ScaledNetwork(network, units, components)
                stream = stream._replace(memory=None, begun=True, started=seen.count)
        if seen.count >= 2 * stream.looked and (stream.memory is None or stream.looked < COMPARISON_ROWS):
            stream = stream._replace(step_size=None)  # the curvature that few rows have, or another network
        state = state._replace(components=components)
    assert state is not None  # what isn't in training is compared, and begins or is left
    chances, length = _chances(weights, old[1], known, settings.batch_size)
    pool = Pool(_stacked(points, old[0]), chances, Coordinates(units), dtype, settings.batch_size)
    steps = max(1, points.shape[0] // settings.batch_size)
    network, stream = _trained(state.network, stream, pool, steps, length, sample, bar, settings, seed)
    return state._replace(network=network), stream


def _settings_of_network(settings: Settings, state: ScaledNetwork, begun: bool) -> Settings:
    """Return the settings with what a network in training has, whatever they are now."""
    settings = replace(settings, n_components=len(state.components))
    if not begun:
        return settings
    network = state.network
    activations = (network.encoder_activation, network.decoder_activation)
    return replace(settings, width=network.encoder.width, activations=activations)


def _known(
    state: ScaledNetwork | None, stream: Stream, points: np.ndarray, settings: Settings
) -> tuple[Running, Reservoir]:
    """Return what is known of the rows so far, and those that are kept."""
    dim, seen = points.shape[1], stream.seen
    if seen is None:
        fresh = state is None
        seen = Running.empty(dim, settings.n_components) if fresh else Running.assumed(state.units, state.components)
    return seen, stream.kept or Reservoir.empty(dim, points.dtype)


def _in_units(
    units: Scaling, state: ScaledNetwork, stream: Stream, rows: np.ndarray, settings: Settings
) -> tuple[ScaledNetwork, Stream]:
    """Return a network in training and its optimizer's memory in other units."""
    optimizer = gradient_motion(settings.optimizer).optimizer
    network, memory = carried(state.network, state.units, units, rows), None
    if stream.optimizer == optimizer:
        memory = carried_memory(stream.memory, optimizer, network, state.units, units)
    return state._replace(network=network, units=units), stream._replace(optimizer=optimizer, memory=memory)


def _moved(before: Scaling, after: Scaling) -> bool:
    """Whether mean or unit have changed so much that the network may not suit any more."""
    kappa = after.unit / before.unit
    return bool(max(abs(np.log(kappa)), np.linalg.norm((after.mean - before.mean) / after.unit)) > SHIFT)


def _varies(spectrum: Spectrum) -> bool:
    """Whether rows vary in k directions."""
    return bool(spectrum.variances[spectrum.latent_dim - 1] > ROUNDING_SHARE * spectrum.variances.sum())


def _sample(kept: Reservoir, count: int, units: Scaling) -> EvaluationSample:
    """Return some of the kept rows, with rows of weight 0 where there are few, so that few programs are compiled."""
    sample = EvaluationSample.of(*kept.sample(count), Coordinates(units))
    count = min(count if len(sample.points) > CHECK_ROWS else CHECK_ROWS, capacity_of(sample.points.shape[1]))
    filling = [(0, count - len(sample.points))]
    points = np.pad(sample.points, [*filling, (0, 0)])
    return EvaluationSample(points, np.pad(sample.weights, filling), np.pad(sample.outside, filling))


def _bar(sample: EvaluationSample, components: np.ndarray, slack: float) -> float:
    """Return the risk above which a network is clearly worse than PCA."""
    best = sample.pca_risk(components)
    return best + slack * (sample.mean_risk - best)


def _chances(weights: np.ndarray, old: np.ndarray, known: float, batch_size: int) -> tuple[np.ndarray, float]:
    """Return the chances of new rows and of those that stand for a share ``known`` of the rows before, and their sum.

    Half of a batch is new, and less where there are fewer than ``batch_size`` new rows. What was there before and isn't
    kept pulls nowhere, on average, in a network that has learned it; so the sum is what a step is multiplied with.
    """
    count = len(weights)
    share = max(0.5 * min(1.0, count / batch_size), count / (count + MOST_ROWS)) if known < np.inf else 1.0
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
    sample: EvaluationSample,
    bar: float,
    settings: Settings,
    seed: int,
) -> tuple[Autoencoder, Stream]:
    """Return a network after steps of a size times ``length``; an automatic size is reduced where they do harm."""
    motion, size, looked = gradient_motion(settings.optimizer), settings.step_size or stream.step_size, stream.looked
    if size is None:
        assert stream.seen is not None
        size, looked = stable_step(settings, network, pool, seed), stream.seen.count
    check_memory(motion.optimizer, size)
    learner = Learner(network, settings.penalised(motion), stream.memory)
    before = sample.risk(network)
    with np.errstate(over="ignore", invalid="ignore"):
        pool.train(
            learner, Schedule(length * size, motion=motion), 0, steps, np.random.default_rng([seed, stream.steps])
        )
        after = sample.risk(learner.network)
    diverged = not after <= DIVERGENCE * max(before, sample.mean_risk)
    if diverged and settings.step_size:
        stable = rounded_down(min(size / 4, stable_step(settings, network, pool, seed)))
        raise NumericalError(
            f"the step size {size:g} made the network diverge in partial_fit, which leaves it as it was; set "
            f"step_size to at most {stable:g}"
        )
    kept = stream._replace(optimizer=motion.optimizer, steps=stream.steps + steps, looked=looked)
    if settings.step_size:
        return learner.network, kept._replace(memory=learner.memory, step_size=None)
    if diverged or after > max(before, bar):
        return network, kept._replace(memory=None, step_size=size / 4)
    return learner.network, kept._replace(memory=learner.memory, step_size=size)
