"""Training for a given horizon: the learning curve follows the mean-field flow, and its best network is kept."""

from __future__ import annotations

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from isthmus._errors import NumericalError, TrivialLimitWarning
from isthmus._precision import computing_in
from isthmus._warnings import warn
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.scaling import DOUBLE
from isthmus.dynamics.learner import Learner
from isthmus.dynamics.sgd import EXPLOSION
from isthmus.estimator.coordinates import Coordinates, Spectrum
from isthmus.estimator.folds import Split
from isthmus.estimator.pca_start import with_best_decoder
from isthmus.estimator.run import HeldOutCurve, Run, Watch, pca_run, record_marks
from isthmus.estimator.samples import EvaluationSample, Pool
from isthmus.estimator.schedule import HEAVY_BALL, Schedule
from isthmus.estimator.settings import Settings, check_number_of_steps, gradient_motion, rounded_down
from isthmus.estimator.span import Rows
from isthmus.estimator.start import Start, pca_network
from isthmus.estimator.stiffness import BATCHES, stiffness

CLIMB = 1.05
"""Multiple of its start above which a curve that ends there is said to climb."""
ZERO_RISK = 1e-12
"""A risk below it is rounding, which may well climb."""


def explicit_start(spectrum: Spectrum, sample: EvaluationSample, settings: Settings) -> Start:
    """Return what the start is made from: incoming weights of equal variance in all of R^d."""
    sizes = settings.activations, settings.preactivation_scale
    return Start(sample, spectrum.components, *sizes, encoding=spectrum.encoding)


def first_network(start: Start, settings: Settings, random: np.random.Generator, dtype: np.dtype) -> Autoencoder:
    """Return the network that training begins with."""
    if settings.init == "independent":
        warn(
            "init='independent' starts at a saddle: the wider the network, the longer it stays at x̂ = 0; "
            "init='aligned' starts at PCA",
            TrivialLimitWarning,
        )
        return start.independent(random, settings.width).in_precision(dtype)
    return start.network(random, settings.width).in_precision(dtype)


def explicit_schedule(settings: Settings, network: Autoencoder, pool: Pool, seed: int) -> Schedule:
    """Return equal steps, of the size that is given or that the curvature at a network asks for."""
    motion = gradient_motion(settings.optimizer)
    size = settings.step_size or stable_step(settings, network, pool, seed)
    return Schedule(size, motion=motion)


def stable_step(settings: Settings, network: Autoencoder, pool: Pool, seed: int) -> float:
    """Return the step size that the curvature at a network asks for, whatever the one that is given."""
    optimizer = gradient_motion(settings.optimizer).optimizer
    curvature = stiffness(
        network, pool.batches(np.random.default_rng(seed), BATCHES), settings.penalised(HEAVY_BALL), seed
    )
    size = optimizer.natural_step(curvature) if curvature > 0 else optimizer.shortest_memory
    return min(size, settings.horizon or 1.0)


def trained_explicitly(
    rows: Rows,
    split: Split,
    validation: Rows | None,
    settings: Settings,
    random: np.random.Generator,
    watch: Watch,
    dtype: np.dtype,
) -> Run:
    """Return the best network of the learning curve: on ``validation``, held-out rows, or those in training."""
    assert settings.horizon is not None
    weights, held_out = split
    spectrum = rows.spectrum(weights, settings.n_components)
    coordinates = Coordinates(spectrum.scaling)
    samples = [rows.sample(weights, coordinates)]
    if validation is not None:
        samples.append(validation.sample(None, coordinates))
    elif held_out.any():
        samples.append(rows.sample(held_out, coordinates))
    start = explicit_start(spectrum, samples[0], settings)
    pca_risk, *held_out_pca_risk = (sample.pca_risk(spectrum.components, spectrum.encoding) for sample in samples)
    if not spectrum.variances.any():
        return pca_run(spectrum, pca_risk, "PCA: all rows are the same")
    network = first_network(start, settings, random, dtype)
    pool = Pool(rows.points, weights, coordinates, dtype, settings.batch_size)
    seed = int(random.integers(2**31))
    schedule = explicit_schedule(settings, network, pool, seed)
    check_number_of_steps(settings.horizon, schedule.first)
    steps = max(1, round(settings.horizon / schedule.first))
    marks = record_marks(steps, settings.records)
    learner, best, idle, curve = Learner(network, settings.penalised(schedule.motion)), network, 0, []
    for mark in pool.trained_up_to(marks, learner, schedule, random):
        curve.append([sample.risk(learner.network) for sample in samples])
        time = mark * schedule.first
        shown = (f"  {name} {risk:.5f}" for name, risk in zip(("training", "held out"), curve[-1], strict=False))
        watch.say(f"t={time:g}{''.join(shown)}")
        _refuse_explosion(curve, schedule, time)
        better = curve[-1][-1] < min([np.inf, *(risks[-1] for risks in curve[:-1])])
        best, idle = (learner.network, 0) if better else (best, idle + 1)
        if watch.recorded() or (settings.early_stopping and idle >= settings.patience) or watch.spent():
            break
    training = np.array([risks[0] for risks in curve])
    _warn_of_climbing(training, network, pool, schedule, settings, seed)
    kept, risk, why = _no_worse_than_pca(best, samples[0], spectrum, settings, pca_risk)
    times = np.array(marks[: len(curve)]) * schedule.first
    held_out_risks = np.array([risks[1:] for risks in curve])
    return Run(
        network=kept,
        spectrum=spectrum,
        times=times,
        training_curve=training,
        validation=HeldOutCurve(times, held_out_risks[:, 0], *held_out_pca_risk) if held_out_pca_risk else None,
        pca_risk=pca_risk,
        risk=risk,
        schedule=schedule,
        steps=marks[len(curve) - 1],
        chosen=f"{why} on its learning curve, by {schedule.motion.optimizer} with step size {schedule.first:g}.",
        held_out=np.flatnonzero(held_out) if settings.early_stopping else None,
    )


def _refuse_explosion(curve: list[list[float]], schedule: Schedule, time: float) -> None:
    if not np.isfinite(curve[-1][0]) or curve[-1][0] > EXPLOSION * max(curve[0][0], 1.0):
        size = schedule.first
        raise NumericalError(
            f"the step size {size:g} made the network diverge at t = {time:g}; try at most {size / 4:g}, or larger "
            "batches"
        )


def _warn_of_climbing(
    curve: np.ndarray, start: Autoencoder, pool: Pool, schedule: Schedule, settings: Settings, seed: int
) -> None:
    """Warn of a curve that never gets below its start, or ends above it."""
    never = len(curve) > 1 and curve[1:].min() >= curve[0]
    if curve[0] < ZERO_RISK or not (never or curve[-1] > CLIMB * curve[0]):
        return
    found = "never got below its start" if never else f"ended at {curve[-1] / curve[0]:.2g} times its start"
    stable = stable_step(settings, start, pool, seed)
    if stable < schedule.first:
        advice = f"steps of {schedule.first:g} overshoot; try step_size={rounded_down(stable):g}"
    elif settings.weight_decay > 0:
        advice = f"steps are short enough, and weight_decay={settings.weight_decay:g} raises it; reduce it"
    else:
        advice = (
            f"steps are short enough, and the noise of batches of {settings.batch_size} raises it; take larger batches"
        )
    warn(
        f"the learning curve {found}: {advice}, or leave step_size and horizon at 'auto'",
        ConvergenceWarning,
    )


def _no_worse_than_pca(
    best: Autoencoder, sample: EvaluationSample, spectrum: Spectrum, settings: Settings, pca_risk: float
) -> tuple[Autoencoder, float, str]:
    """Return the network and its risk; where it is worse than PCA, with its decoder fitted, and else PCA."""
    risk = sample.risk(best)
    if risk <= pca_risk:
        return best, risk, "The best network"
    with computing_in(DOUBLE):
        repaired = with_best_decoder(best.in_precision(DOUBLE), sample.points, sample.weights)
    repaired = repaired.in_precision(np.asarray(best.encoder.bias).dtype)
    risk = sample.risk(repaired)
    if risk <= pca_risk or settings.init == "independent":
        return repaired, risk, "The best network, with its decoder fitted to its latents by least squares,"
    return pca_network(spectrum.components, spectrum.encoding), pca_risk, "PCA, since no network is better"
