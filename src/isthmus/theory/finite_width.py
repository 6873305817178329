r"""The law of every finite network from one mean-field solve and one linearisation.

To leading order the risk of a network of widths (N_E, N_D), trained at step size ε on batches of B points, is

    R_N(t) ≈ R(t) + ζ(t) + β(t),    ζ Gaussian with mean 0,
    Cov ζ(t, t′) = K_E/N_E + K_D/N_D + (ε/B) K_S + K_P/n,
    β(t) = b_E/N_E + b_D/N_D + (ε/B) b_S + ε b_Δ + b_P/n,

with K_E the covariance over the initial law of a neuron's influence on R(t), K_S that of the points' influences
integrated over time, K_P for a training set of n independent points; the b are the means of the curvature terms. Where
the risk is nearly stationary, K is small and the fluctuation of the curvature terms, of order 1/N², is what is left: it
is added.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._errors import NumericalError
from isthmus._precision import Precision, floating
from isthmus._words import number
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Stream
from isthmus.core.problem import Problem
from isthmus.core.quadrature import check_quadrature, sobol_particles
from isthmus.dynamics.batches import SAMPLINGS, Sampling
from isthmus.dynamics.mean_field import check_memory_of_particles, solve_mean_field
from isthmus.dynamics.parallel import Progress, check_number_of_jobs
from isthmus.dynamics.results import MeanFieldPath
from isthmus.theory.batch_noise import noise_without_replacement
from isthmus.theory.linearisation import Linearisation, System, Trajectory, linearised
from isthmus.theory.prediction import Noise, Prediction, centred, covariance
from isthmus.theory.second_order import SecondOrder, second_order

LARGEST_WIDTH = 1 << 40

MeasuredOn = Literal["population", "sample"]


@dataclass(frozen=True)
class Influence:
    """What moves the risk, and when: derivatives of the mean-field risk, centred so that each has mean 0.

    Attributes:
        neurons: the autoencoder at time 0, at whose neurons the influence is known.
        encoder, decoder: of the mass of each initial neuron on R(t), shapes (T, particles).
        points: of the weight of each point in training on R(t), shape (T, n).
        direct: of its weight in the risk that is measured, ½|r(x)|², shape (T, n).
        steps: shape (S + 1,), the ends of the steps of time.
        points_by_step: the part of ``points`` that acts during each step, shape (T, S, n).

    """

    neurons: Autoencoder
    encoder: np.ndarray
    decoder: np.ndarray
    points: np.ndarray
    direct: np.ndarray
    steps: np.ndarray
    points_by_step: np.ndarray


@dataclass(frozen=True)
class FiniteWidthLaw:
    """The leading-order law of the risk of all finite networks of a problem, at any width, step size and batch size.

    Every method that takes a network takes ``width`` (N, a pair (N_E, N_D), or ``math.inf`` for no fluctuation of
    initial neurons), ``step_size`` (0 for gradient flow), ``batch_size`` (None for full batches), and by name
    ``sampling`` as in `train`, ``sample_size`` (n, where the training set is a sample of the population) and
    ``measured_on`` ('population', or the 'sample' itself).

    Attributes:
        times: shape (T,).
        path: the mean-field path R(t).
        influence: the influence functions of neurons and points.
        noises: at scale 1 by source: 'encoder', 'decoder', 'batches', 'steps', 'shuffled' (what remains of batches in
            random order), 'sample' and 'own_sample' (the risk measured on the population, or on the sample).
        weights: the weights of the points, shape (n,).

    """

    times: np.ndarray
    path: MeanFieldPath
    influence: Influence
    noises: dict[str, Noise]
    weights: np.ndarray
    one_pass_is_fresh: bool = field(repr=False, default=False)

    def at(
        self,
        width: float | tuple[float, float],
        step_size: float = 0.0,
        batch_size: int | None = None,
        *,
        sampling: Sampling | None = None,
        sample_size: int | None = None,
        measured_on: MeasuredOn = "population",
    ) -> Prediction:
        """Return the law of one kind of network."""
        widths = _widths(width)
        step_size = _checks.real("step_size", step_size, minimum=0)
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
        return Prediction(self.times, self.path.risk, noises)

    def mean(self, *network: Any, **options: Any) -> np.ndarray:
        """Return E R_N(t), shape (T,)."""
        return self.at(*network, **options).mean

    def std(self, *network: Any, **options: Any) -> np.ndarray:
        """Return the standard deviation of R_N(t), shape (T,)."""
        return self.at(*network, **options).std

    def covariance(self, *network: Any, **options: Any) -> np.ndarray:
        """Return Cov(R_N(t), R_N(t′)), shape (T, T)."""
        return self.at(*network, **options).covariance

    def band(self, confidence: float, *network: Any, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends between which R_N(t) lies with probability ``confidence``, at each time for itself."""
        return self.at(*network, **options).band(confidence)

    def gap_quantile(self, confidence: float, *network: Any, **options: Any) -> float:
        """Return the quantile of the sup-gap max_t |R_N(t) − R(t)|."""
        return self.at(*network, **options).gap_quantile(confidence)

    def sources(self, *network: Any, **options: Any) -> dict[str, np.ndarray]:
        """Return the variance that each source makes, shape (T,), by name."""
        parts = self.at(*network, **options).covariances
        return {name: np.diagonal(part).copy() for name, part in parts.items()}

    def width_for(
        self,
        tolerance: float,
        confidence: float = 0.9,
        step_size: float = 0.0,
        batch_size: int | None = None,
        **options: Any,
    ) -> int:
        """Return the smallest width of both sides whose sup-gap is within the tolerance with this confidence.

        Raises:
            NumericalError: where no width suffices, since batches and steps alone exceed the tolerance.

        """
        tolerance = _checks.real("tolerance", tolerance, above=0)
        gap = lambda width: self.gap_quantile(confidence, width, step_size, batch_size, **options)
        floor = gap(math.inf)
        if floor > tolerance:
            raise NumericalError(
                f"no width brings the sup-gap within {tolerance:g}: at step size {step_size:g} steps, batches and "
                f"sample alone contribute {number(floor)}; take smaller steps (see step_size_for) or larger batches"
            )
        upper = 1
        while gap(upper) > tolerance:
            upper *= 2
            if upper > LARGEST_WIDTH:
                raise NumericalError(f"no width up to {LARGEST_WIDTH:,} brings the sup-gap within {tolerance:g}")
        lower = upper // 2
        while upper - lower > 1:
            middle = (lower + upper) // 2
            lower, upper = (middle, upper) if gap(middle) > tolerance else (lower, middle)
        return upper

    def step_size_for(
        self, tolerance: float, confidence: float, width: float | tuple[float, float], batch_size: int, **options: Any
    ) -> float:
        """Return the largest step size, to a part in a thousand, whose sup-gap is within the tolerance.

        Whether steps so large are stable is another question: see what `train` says.

        Raises:
            NumericalError: where no step size suffices, since the width alone exceeds the tolerance.

        """
        tolerance = _checks.real("tolerance", tolerance, above=0)
        gap = lambda size: self.gap_quantile(confidence, width, size, batch_size, **options)
        floor = self.gap_quantile(confidence, width, **options)
        if floor > tolerance:
            raise NumericalError(
                f"no step size brings the sup-gap within {tolerance:g}: the width alone contributes {number(floor)}; "
                "take a wider network (see width_for)"
            )
        lower, upper = 0.0, 1e-3
        while gap(upper) <= tolerance and upper < 1e6:
            lower, upper = upper, 2 * upper
        while upper - lower > 1e-3 * upper:
            middle = (lower + upper) / 2
            lower, upper = (middle, upper) if gap(middle) <= tolerance else (lower, middle)
        return lower

    def _batches(self, step_size: float, size: int, sampling: Sampling | None) -> Noise:
        """Return what the noise of batches makes."""
        chosen = _checks.choice("sampling", "with_replacement" if sampling is None else sampling, SAMPLINGS)
        if chosen == "with_replacement" or self.one_pass_is_fresh:
            return self.noises["batches"].scaled(step_size / size)
        horizon, count = float(self.times[-1]), len(self.weights)
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


def predict_finite_width(
    problem: Problem,
    times: ArrayLike,
    *,
    path: MeanFieldPath | None = None,
    particles: int = 1024,
    curvature_particles: int = 128,
    samples: int = 64,
    seed: int = 0,
    rtol: float = 1e-3,
    max_steps: int = 20_000,
    dtype: Precision | Any = "float64",
    workers: int | None = None,
    progress: Progress | None = None,
) -> FiniteWidthLaw:
    r"""Predict the law of the risk curve of every finite network from one mean-field solve and one linearisation.

    R_N(t) ≈ R(t) + ζ(t) + β(t),  Cov ζ = K_E/N_E + K_D/N_D + (ε/B) K_S + K_P/n,
    β = b_E/N_E + b_D/N_D + (ε/B) b_S + ε b_Δ + b_P/n .

    The kernels come from the discrete adjoint of the particle flow, the curvatures b from antithetic pairs of noisy
    flows. Time is step size × steps; outputs carry 1/N; R is the risk with the ½.

    Args:
        problem: data, Gaussian law, activations and rates. For a stream the population is its fixed sample.
        times: shape (T,), as in `solve_mean_field`; the sup-gap is the largest over these.
        path: the mean-field path at these times, where there is one already.
        particles: a side, for the linearisation (a power of 2).
        curvature_particles: a side, for each of the pairs (a power of 2).
        samples: independent pairs for each curvature; their spread gives the errors of the shifts.
        seed: of the scramblings and of the noises in the pairs.
        rtol: relative tolerance of the time steps of the linearisation.
        max_steps: the largest number of these steps.
        dtype: 'float64' or 'float32'.
        workers: threads.
        progress: called as ``progress(done, total)``.

    Returns:
        `FiniteWidthLaw`, with ``mean``, ``std``, ``covariance``, ``band``, ``gap_quantile``, ``width_for`` and
        ``step_size_for``, ``sources`` and ``influence``.

    Raises:
        ArgumentError: where an argument breaks its rule, or an activation's slope jumps (ReLU), whose linearisation a
            finite set of particles can't see.
        NumericalError: where the time steps fail.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("digits", max_points=64)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=2))
        >>> law = im.predict_finite_width(problem, [0.0, 1.0, 2.0], particles=64, samples=2)
        >>> law.std(width=100).shape, bool(law.gap_quantile(0.9, 400) < law.gap_quantile(0.9, 100))
        ((3,), True)

    """
    _checks.instance("problem", problem, Problem)
    problem.require_gradient_flow("predict_finite_width")
    grid = _checks.times("times", times)
    check_quadrature("sobol", _checks.integer("particles", particles, minimum=2))
    curvature_particles = _checks.power_of_2("curvature_particles", curvature_particles, minimum=2)
    samples = _checks.integer("samples", samples, minimum=2)
    seed = _checks.seed("seed", seed)
    precision = floating("dtype", dtype)
    rtol = _checks.real("rtol", rtol, minimum=1e-5 if precision == np.float32 else 1e-10, maximum=0.1)
    max_steps = _checks.integer("max_steps", max_steps, minimum=1)
    _checks.function("progress", progress, optional=True)
    check_memory_of_particles(problem, "particles", particles, precision)
    check_memory_of_particles(problem, "curvature_particles", curvature_particles, precision)
    check_number_of_jobs("samples", samples, 8 * len(grid))
    frame = problem.frame
    for activation in problem.activations:
        if not activation.smooth:
            hint = "softplus and gelu are smooth"
            _checks.refuse("problem", "have activations with a continuous slope", activation.name, hint)
    stages = _Stages(progress)
    if path is None:
        path = solve_mean_field(problem, grid, snapshot_times=(), seed=seed, workers=workers, progress=stages.next())
    elif not (isinstance(path, MeanFieldPath) and np.array_equal(path.times, grid)):
        _checks.refuse("path", "be a MeanFieldPath at the same times", _checks.described("not"))
    drawn = problem.autoencoder(*sobol_particles(frame, particles, seed, 0, precision))
    start = problem.started(drawn, frame.basis)
    trajectory = Trajectory(start, System.of(frame.data, problem.rates, precision), grid, rtol, max_steps)
    correction = problem.law.correction
    if correction is None:
        linear = linearised(trajectory, seed, workers, stages.next())
    else:  # the mass of a neuron acts on the risk by way of the correction of all others, too
        corrected = correction.in_axes(frame.basis)
        linear = linearised(trajectory, seed, workers, stages.next(), partial(corrected.pulled_back, drawn))
    curved = second_order(
        problem,
        frame,
        trajectory.nodes,
        trajectory.recorded,
        curvature_particles,
        samples,
        seed,
        precision,
        workers,
        stages.next(),
    )
    return _law(problem, grid, path, frame.lifted(start, start, seed), trajectory, linear, curved)


def _law(
    problem: Problem,
    times: np.ndarray,
    path: MeanFieldPath,
    neurons: Autoencoder,
    trajectory: Trajectory,
    linear: Linearisation,
    curved: SecondOrder,
) -> FiniteWidthLaw:
    weights = np.asarray(problem.population.weights, float)
    masses = [np.asarray(side.masses, float) for side in (neurons.encoder, neurons.decoder)]
    by_step = centred(np.asarray(linear.points, float), weights)
    influence = Influence(
        neurons,
        centred(linear.encoder, masses[0]),
        centred(linear.decoder, masses[1]),
        by_step.sum(axis=1),
        centred(linear.direct, weights),
        trajectory.halves,
        by_step,
    )
    nothing = np.zeros((len(times),) * 2)
    noises = {
        "encoder": Noise(covariance(influence.encoder, masses[0]), curved.encoder),
        "decoder": Noise(covariance(influence.decoder, masses[1]), curved.decoder),
        "batches": Noise(
            sum(
                (covariance(by_step[:, i], weights) / length for i, length in enumerate(np.diff(trajectory.halves))),
                nothing,
            ),
            curved.batches,
        ),
        "steps": Noise(nothing, linear.drift[None]),
        "shuffled": Noise(nothing, linear.shuffled_drift[None]),
        "sample": Noise(covariance(influence.points, weights), curved.sample),
        "own_sample": Noise(covariance(influence.points + influence.direct, weights), curved.own_sample),
    }
    return FiniteWidthLaw(times, path, influence, noises, weights, isinstance(problem.data, Stream))


class _Stages:
    """Adds the progress of several stages up to one count, of which later stages are only known when they begin."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress, self._before = progress, 0

    def next(self) -> Progress | None:
        """Return the progress of the next stage."""
        report, before = self._progress, self._before
        if report is None:
            return None

        def progress(done: int, total: int) -> None:
            self._before = before + total
            report(before + done, before + total)

        return progress


def _widths(width: float | tuple[float, float]) -> tuple[float, float]:
    pair = width if isinstance(width, tuple | list) else (width, width)
    if len(pair) != 2:
        _checks.refuse("width", "be one width or a pair (encoder, decoder)", width)
    one, two = (
        math.inf if isinstance(side, float) and side == math.inf else _checks.integer("width", side, minimum=1)
        for side in pair
    )
    return one, two
