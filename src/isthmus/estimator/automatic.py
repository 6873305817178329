r"""Training that chooses for itself: the step from the curvature, the horizon from held-out rows, PCA where it is best.

Narrower copies of the network are trained on parts of the data, and evaluated on the rows left out. The full network is
then trained on all rows for the time at which the copies had the lowest held-out risk, by the same steps: in the
mean-field scaling what suits one width suits all. It is the average of its weights, mostly over the last fifth of the
run, that is evaluated and kept. If no copy is better than PCA on the rows left out, PCA is kept.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from isthmus._words import number
from isthmus.core.scaling import DOUBLE
from isthmus.dynamics.learner import Learner
from isthmus.estimator.coordinates import Spectrum
from isthmus.estimator.folds import Split
from isthmus.estimator.run import HeldOutCurve, Run, Watch, pca_run, record_marks
from isthmus.estimator.samples import EvaluationSample, Pool
from isthmus.estimator.schedule import HEAVY_BALL, LONGEST, Schedule
from isthmus.estimator.settings import Settings, gradient_motion
from isthmus.estimator.span import Rows
from isthmus.estimator.start import Start
from isthmus.estimator.stiffness import BATCHES, stiffness

SINGLE = np.dtype(np.float32)
"""Networks are trained in single precision, whose rounding is far below the noise of batches."""
COPY_WIDTH = 128
"""Width of the copies."""
MARKS = (0, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)
"""Steps after which copies are evaluated."""
SEARCH_STEPS = 512
"""Steps that a search takes at the least: on curved data a curve may stay level, at PCA, before it falls."""
PATIENCE = 3
"""Marks without a gain after which a search ends, if the risk has risen above its minimum."""
RISEN = 1.01
"""Multiple of the minimum from which the risk has risen."""
OVERSHOOT = 3.0
"""Multiple of the risk at the start from which steps count as too long."""
RETRIES = 3
"""How often steps of some length are tried, each a quarter as long as the last, before PCA is kept."""
HOPELESS = 2.0
"""Multiple of PCA's risk from which the start itself is too far above it, where PCA leaves nearly nothing."""
STEPS_TIMES_COORDINATES = 1_600_000
"""The most work of a run: images are trained for fewer steps than tables, which keeps the time in bounds."""
GAIN = 0.015
"""Share of PCA's risk by which a network must be better than PCA."""
ERRORS = 1.0
"""Standard errors over rows by which a network must be better than PCA."""
RECORDS = 8
"""How often, at most, the learning curve of the full network is measured."""
BULKS = (0.8, 0.9, 0.95)
"""Shares of the rows nearest to the mean, among which a network is compared with PCA once more."""
BULK_LOSS = 0.01
"""The R² among these rows that a network may lose against PCA."""
SEARCH_TIME = 0.5
"""Share of the time allowed that may be spent on the choice."""
FULL_NETWORK = (0, 0, 1)
"""What the seed of the full network's neurons and batches ends in, unlike those of copies: the choice depends on
nothing that it is made of. (A seed that ends in 0 is the seed without it.)"""


@dataclass(frozen=True)
class TrainingTable:
    """Rows with weights of sum 1, their spectrum, and how they are split to choose the horizon.

    Attributes:
        splits: what to learn from and what is held out.
        validation: rows to evaluate on in place of the table's own, None for those.
        lack: why there are no splits, where there are none.

    """

    rows: Rows
    weights: np.ndarray
    spectrum: Spectrum
    splits: list[Split]
    validation: Rows | None
    lack: str = ""


class Choice(NamedTuple):
    """The steps to train for (0: keep PCA), the best copies' held-out curve (None: all steps are too long), and why."""

    steps: int
    schedule: Schedule
    validation: HeldOutCurve | None
    why: str


def trained_automatically(table: TrainingTable, settings: Settings, random: np.random.Generator, watch: Watch) -> Run:
    """Return the network trained for the best horizon, or PCA."""
    spectrum = table.spectrum
    sample = table.rows.sample(table.weights, spectrum.coordinates(spectrum.rank))
    pca_risk = sample.pca_risk(*spectrum.pca(spectrum.rank))
    if spectrum.pca_residual == 0:
        return pca_run(spectrum, pca_risk, f"PCA: with n_components={spectrum.latent_dim} it is exact")
    if not table.splits:
        return pca_run(spectrum, pca_risk, f"PCA: {table.lack} to find a better network")
    start = automatic_start(spectrum, sample, settings)
    seed = int(random.integers(2**31))
    choice = _chosen(table, settings, start, seed, watch)
    if choice.steps == 0:
        return pca_run(spectrum, pca_risk, f"PCA: {choice.why}", choice.validation)
    return _full_run(table, settings, start, choice, seed, pca_risk, watch)


def automatic_start(spectrum: Spectrum, sample: EvaluationSample, settings: Settings) -> Start:
    """Return what the start is made from: incoming weights along a direction vary as the points do."""
    rank = sample.points.shape[1]
    components, encoding = spectrum.pca(rank)
    axes = None if encoding is None else spectrum.directions
    variances = spectrum.incoming_variances(rank if axes is None else axes.shape[1])
    sizes = settings.activations, settings.preactivation_scale, variances
    return Start(sample, components, *sizes, encoding=encoding, axes=axes)


def _chosen(table: TrainingTable, settings: Settings, start: Start, seed: int, watch: Watch) -> Choice:
    """Return the steps and the horizon at which narrower copies have the lowest held-out risk."""
    schedules = _first_schedules(table, settings, start, seed)
    for _ in range(RETRIES):
        found = _searched(table, settings, schedules, seed, watch)
        if found is not None:
            return found
        schedules = [schedule.slower() for schedule in schedules]
        watch.say(f"steps overshoot; trying a step size of {schedules[0].first:.3g}")
    why = f"steps of size {number(4 * schedules[0].first, 2)} still overshoot"
    return Choice(0, schedules[0], None, why)


def _first_schedules(table: TrainingTable, settings: Settings, start: Start, seed: int) -> list[Schedule]:
    """Return the steps to try first, side by side."""
    if settings.step_size is not None:
        return [Schedule(settings.step_size, motion=gradient_motion(settings.optimizer))]
    random = np.random.default_rng(seed)
    network = start.network(random, min(COPY_WIDTH, settings.width)).in_precision(SINGLE)
    coordinates = table.spectrum.coordinates(table.spectrum.rank)
    pool = Pool(table.rows.points, table.weights, coordinates, SINGLE, settings.batch_size)
    curvature = stiffness(network, pool.batches(random, BATCHES), settings.penalised(HEAVY_BALL), seed)
    if settings.optimizer is None:
        return [Schedule.automatic(curvature, longest) for longest in LONGEST]
    return [Schedule(settings.optimizer.natural_step(curvature), motion=gradient_motion(settings.optimizer))]


class _Part:
    """One split of the data: what copies of the network begin with, learn from, and are evaluated on."""

    def __init__(self, table: TrainingTable, number: int, settings: Settings, seed: int) -> None:
        learning, held_out = table.splits[number]
        spectrum = table.rows.spectrum(learning, settings.n_components)
        coordinates = spectrum.coordinates(table.spectrum.rank)
        if table.validation is None:
            self.sample = table.rows.sample(held_out, coordinates)
        else:
            self.sample = table.validation.sample(None, coordinates)
        start = automatic_start(spectrum, table.rows.sample(learning, coordinates), settings)
        random = np.random.default_rng([seed, number])
        width = min(COPY_WIDTH, settings.width)
        self.network = start.network(random, width).in_precision(SINGLE)
        self.pool = Pool(table.rows.points, learning, coordinates, SINGLE, settings.batch_size)
        self.seeds, self.settings = (seed, number, 1), settings
        self.square = (spectrum.scaling.unit / table.spectrum.scaling.unit) ** 2  # to the units of the whole table
        self.weights = self.sample.weights * (float(held_out.sum()) or 1.0)
        self.pca_errors = self.square * self.sample.pca_errors(start.components, start.encoding)
        self.sizes = self.square * self.sample.sizes


class _Copy:
    """A narrower network in training on one part by one schedule."""

    def __init__(self, part: _Part, schedule: Schedule) -> None:
        self._part, self._schedule, self._steps = part, schedule, 0
        self._learner = Learner(part.network, part.settings.penalised(schedule.motion), averaging=True)
        self._random = np.random.default_rng(part.seeds)

    def errors_at(self, mark: int) -> np.ndarray:
        """Return ‖x − x̂‖² of the held-out points after so many steps, in units of the whole table's variance."""
        self._part.pool.train(self._learner, self._schedule, self._steps, mark, self._random)
        self._steps = mark
        with np.errstate(over="ignore", invalid="ignore"):
            return self._part.square * self._part.sample.errors(self._learner.average)


class _Candidate:
    """Copies that are trained by one schedule, one for each split, and their held-out risks."""

    def __init__(self, schedule: Schedule, parts: list[_Part]) -> None:
        self.schedule, self.copies = schedule, [_Copy(part, schedule) for part in parts]
        weights, self._pca_errors, self._sizes = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("weights", "pca_errors", "sizes")
        )
        self._weights, self._repeats = weights / weights.sum(), max(1.0, float(weights.sum()))
        self._bulks = _bulks(self._sizes, self._weights)
        self.pca_risk = float(self._weights @ self._pca_errors / 2)
        self.risks: list[float] = []
        self.best, self._better = (np.inf, 0), np.zeros_like(weights)
        self.overshoots = self.is_hopeless = False

    def record(self, mark: int, parts: list[np.ndarray]) -> None:
        """Record the errors of the held-out points of all splits after so many steps."""
        errors = np.concatenate(parts)
        self.risks.append(float(self._weights @ errors / 2))
        self.overshoots = not self.risks[-1] <= OVERSHOOT * self.risks[0]
        self.is_hopeless = self.risks[0] > HOPELESS * self.pca_risk
        if mark == 0 or not self.risks[-1] < self.best[0]:
            return
        if _keeps_the_bulk(errors, self._pca_errors, self._sizes, self._weights, self._bulks):
            self.best, self._better = (self.risks[-1], mark), self._pca_errors - errors

    @property
    def is_done(self) -> bool:
        """Whether more steps promise nothing."""
        idle = len(self.risks) - 1 - int(np.argmin(self.risks))
        overfits = idle >= PATIENCE and self.risks[-1] > RISEN * min(self.risks)
        return self.is_hopeless or self.overshoots or (overfits and MARKS[len(self.risks) - 1] >= SEARCH_STEPS)

    @property
    def beats_pca(self) -> bool:
        """Whether the best network is better than PCA, by more than the noise of rows."""
        gain = float(self._weights @ self._better / 2)
        error = float(np.sqrt(self._repeats * self._weights**2 @ (self._better / 2 - gain) ** 2))
        return gain > max(GAIN * self.pca_risk, ERRORS * error)


def _marks(rank: int) -> tuple[int, ...]:
    """Return the marks that are within the work allowed."""
    return tuple(mark for mark in MARKS if mark * rank <= STEPS_TIMES_COORDINATES or mark <= SEARCH_STEPS)


def _searched(
    table: TrainingTable, settings: Settings, schedules: list[Schedule], seed: int, watch: Watch
) -> Choice | None:
    """Return the best schedule and mark of copies that are trained side by side, None where all steps are too long."""
    stopped = False
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        numbers = range(len(table.splits))
        parts = list(threads.map(lambda number: _Part(table, number, settings, seed), numbers))
        candidates = [_Candidate(schedule, parts) for schedule in schedules]
        for mark in _marks(table.spectrum.rank):
            running = [candidate for candidate in candidates if not (candidate.risks and candidate.is_done)]
            copies = [copy for candidate in running for copy in candidate.copies]
            errors = list(threads.map(lambda copy, mark=mark: copy.errors_at(mark), copies))
            for index, candidate in enumerate(running):
                candidate.record(mark, errors[len(numbers) * index : len(numbers) * (index + 1)])
            shown = ", ".join(f"{candidate.risks[-1]:.4g}" for candidate in running)
            watch.say(f"{mark:,d} steps: held-out risk {shown}; PCA's {candidates[0].pca_risk:.4g}")
            stopped = watch.recorded() or watch.spent(SEARCH_TIME)
            if stopped or all(candidate.is_done for candidate in candidates):
                break
    usable = [candidate for candidate in candidates if not candidate.overshoots]
    if not usable:
        return None
    winner = min(usable, key=lambda candidate: candidate.best[0])
    times = np.array([winner.schedule.time(mark) for mark in MARKS[: len(winner.risks)]])
    steps = winner.best[1] if winner.beats_pca else 0
    lowest = winner.best[0] if steps else min(winner.risks)
    why = (
        f"the lowest held-out risk of narrower copies was {number(lowest, 4)}, that of PCA {number(winner.pca_risk, 4)}"
    )
    why += ", when the search was stopped" if stopped else ""
    return Choice(steps, winner.schedule, HeldOutCurve(times, np.array(winner.risks), winner.pca_risk), why)


def _bulks(sizes: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    """Return which points belong to the shares `BULKS` of the weight that are nearest to the mean."""
    order = np.argsort(sizes, kind="stable")
    reached = np.empty_like(weights)
    reached[order] = np.cumsum(weights[order])
    return [reached <= share * reached.max() for share in BULKS]


def _keeps_the_bulk(
    errors: np.ndarray, pca_errors: np.ndarray, sizes: np.ndarray, weights: np.ndarray, bulks: list[np.ndarray]
) -> bool:
    """Whether most points are reconstructed about as well as by PCA, however much of the risk outliers carry."""
    lost = weights * (errors - pca_errors)
    return all(lost[bulk].sum() <= BULK_LOSS * (weights * sizes)[bulk].sum() for bulk in bulks)


def _full_run(
    table: TrainingTable, settings: Settings, start: Start, choice: Choice, seed: int, pca_risk: float, watch: Watch
) -> Run:
    """Return the full network trained on all rows for the chosen number of steps."""
    spectrum, schedule, sample = table.spectrum, choice.schedule, start.sample
    coordinates = spectrum.coordinates(spectrum.rank)
    marks = record_marks(choice.steps, min(settings.records, RECORDS))
    random = np.random.default_rng([seed, *FULL_NETWORK])
    network = start.network(random, settings.width).in_precision(SINGLE)
    pool = Pool(table.rows.points, table.weights, coordinates, SINGLE, settings.batch_size)
    learner, curve = Learner(network, settings.penalised(schedule.motion), averaging=True), []
    for mark in pool.trained_up_to(marks, learner, schedule, random):
        curve.append(sample.risk(learner.network))
        watch.say(f"full network, {mark:,d} of {choice.steps:,d} steps: training risk {curve[-1]:.4g}")
        if not np.isfinite(curve[-1]) or watch.recorded() or watch.spent():
            break
    steps = marks[len(curve) - 1]
    kept = coordinates.embedded(learner.average.in_precision(DOUBLE))
    risk, errors = np.inf, sample.errors(learner.average)
    if np.isfinite(errors).all():
        risk = float(sample.weights @ errors / 2)
    pca_errors = sample.pca_errors(start.components, start.encoding)
    bulks = _bulks(sample.sizes, sample.weights)
    if not (risk < pca_risk and _keeps_the_bulk(errors, pca_errors, sample.sizes, sample.weights, bulks)):
        why = "PCA: the full network was no better on all rows"
        return pca_run(spectrum, pca_risk, why, choice.validation)
    first = f"step size {schedule.first:.3g}{'' if schedule.is_constant else ', growing'}"
    chosen = f"A network: {first}, horizon {schedule.time(steps):.4g} ({steps:,d} steps), since {choice.why}"
    times = np.array([schedule.time(mark) for mark in marks[: len(curve)]])
    return Run(
        network=kept,
        spectrum=spectrum,
        times=times,
        training_curve=np.array(curve),
        validation=choice.validation,
        pca_risk=pca_risk,
        risk=risk,
        schedule=schedule,
        steps=steps,
        chosen=f"{chosen}.",
    )
