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

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._precision import Precision, computing_in, floating
from isthmus.core.autoencoder import Autoencoder, preactivations
from isthmus.core.data import Stream
from isthmus.core.kinks import rounded, smoothed
from isthmus.core.problem import Problem
from isthmus.core.quadrature import Particles, check_quadrature
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.mean_field import check_memory_of_particles, solve_mean_field
from isthmus.dynamics.parallel import Progress, check_number_of_jobs
from isthmus.dynamics.results import MeanFieldPath
from isthmus.theory.finite_steps import StepShifts, step_shifts
from isthmus.theory.finite_width_law import FiniteWidthLaw, Influence
from isthmus.theory.influence import LinearisedPath
from isthmus.theory.linearisation import Linearisation, linearised
from isthmus.theory.prediction import Noise, centred, covariance
from isthmus.theory.second_order import SecondOrder, second_order
from isthmus.theory.trajectory import Trajectory

SCALE = 0.1
"""At what part of the spread of preactivations kinks are smoothed in the linearisation."""


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
        problem: data, law, activations and dynamics. For a stream the population is its fixed sample.
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
        ArgumentError: where an argument breaks its rule, an activation jumps, or the limit is trivial.
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
    problem.require_predictable()
    grid = _checks.times("times", times)
    check_quadrature(problem.quadrature, _checks.integer("particles", particles, minimum=2))
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
    stages = _Stages(progress)
    if path is None:
        options = {"snapshot_times": (), "seed": seed, "workers": workers, "progress": stages.next()}
        path = solve_mean_field(problem, grid, quadrature=problem.quadrature, **options)
    elif not (isinstance(path, MeanFieldPath) and np.array_equal(path.times, grid)):
        _checks.refuse("path", "be a MeanFieldPath at the same times", _checks.described("not"))
    start = problem.particles(particles, seed, 0, precision, quadrature=problem.quadrature, in_span=True)
    field = VectorField.of(start.population, problem.motion, precision)
    correction, to_draws = problem.law.correction, None
    if correction is not None:  # the mass of a neuron acts on the risk by way of the correction of all others, too
        turned = correction if start.frame is None else correction.in_axes(start.frame.basis)
        to_draws = partial(turned.pulled_back, start.drawn)
    smooth = _smoothing(start, SCALE)
    trajectory = Trajectory(smooth(start.network), field, grid, rtol, max_steps, jax.random.key(seed))
    linear = linearised(trajectory, seed, workers, stages.next(), to_draws)
    shifts = step_shifts(trajectory, seed)
    nodes, recorded = trajectory.nodes, trajectory.recorded
    curved = second_order(
        problem, smooth, nodes, recorded, curvature_particles, samples, seed, precision, workers, stages.next()
    )
    return _law(problem, grid, path, start, trajectory, linear, shifts, curved)


def _smoothing(particles: Particles, scale: float) -> Callable[[Autoencoder], Autoencoder]:
    """Return the function that smooths a network's activations, at this part of the spread of preactivations."""
    network, points = particles.network, np.asarray(particles.population.filled)
    phis = network.encoder_activation, network.decoder_activation
    if all(phi.smooth for phi in phis):
        return lambda network: network
    dtype = np.dtype(network.encoder.bias.dtype)
    with computing_in(dtype):
        latents = np.asarray(network.encode(points.astype(dtype)))
    spread = lambda measure, inputs: float(np.sqrt(np.mean(preactivations(measure, inputs) ** 2)))
    sides = ((network.encoder, points.astype(dtype)), (network.decoder, latents))
    chosen = [smoothed(phi, rounded(scale * spread(*side))) for phi, side in zip(phis, sides, strict=True)]
    return lambda network: replace(network, encoder_activation=chosen[0], decoder_activation=chosen[1])


def _law(
    problem: Problem,
    times: np.ndarray,
    path: MeanFieldPath,
    start: Particles,
    trajectory: Trajectory,
    linear: Linearisation,
    shifts: StepShifts,
    curved: SecondOrder,
) -> FiniteWidthLaw:
    neurons, weights = start.lifted(start.network), np.asarray(problem.population.weights, float)
    masses = [np.asarray(side.masses, float) for side in (neurons.encoder, neurons.decoder)]
    by_step = centred(np.asarray(linear.points, float), weights)
    influence = Influence(
        neurons,
        centred(linear.encoder, masses[0]),
        centred(linear.decoder, masses[1]),
        by_step.sum(axis=1) + centred(linear.first, weights),
        centred(linear.direct, weights),
        trajectory.halves,
        by_step,
    )
    nothing = np.zeros((len(times),) * 2)
    white = (covariance(by_step[:, i], weights) / length for i, length in enumerate(np.diff(trajectory.halves)))
    batches = sum(white, nothing) + _of_pairs(linear.pairs, np.diff(trajectory.nodes), problem.optimizer.noise_batch)
    noises = {
        "encoder": Noise(covariance(influence.encoder, masses[0]), curved.encoder),
        "decoder": Noise(covariance(influence.decoder, masses[1]), curved.decoder),
        "batches": Noise(batches, curved.batches),
        "steps": Noise(nothing, shifts.steps[None]),
        "shuffled": Noise(nothing, shifts.shuffled[None]),
        "sample": Noise(covariance(influence.points, weights), curved.sample),
        "own_sample": Noise(covariance(influence.points + influence.direct, weights), curved.own_sample),
    }
    means = (linear.encoder @ masses[0])[:, None], (linear.decoder @ masses[1])[:, None]
    behind = LinearisedPath(problem, trajectory.thinned(), start.frame, means)
    fresh = isinstance(problem.data, Stream)
    only = (problem.optimizer.noise_batch,) if problem.optimizer.limit_depends_on_batches else ()
    return FiniteWidthLaw(times, path, influence, noises, weights, only, fresh, behind)


def _of_pairs(pairs: np.ndarray, lengths: np.ndarray, size: int | None) -> np.ndarray | float:
    """Return what pairs of points in a batch of B add to K_S, (B − 1)/B² ∫ Cov of the quadratic part, shape (T, T)."""
    if size is None or pairs.shape[-1] == 0:
        return 0.0
    draws = pairs.shape[-1]
    equal = np.full(draws, 1 / (draws - 1))
    deviations = pairs - pairs.mean(axis=-1, keepdims=True)
    terms = ((deviations[:, i] * equal) @ deviations[:, i].T / length for i, length in enumerate(lengths))
    return (size - 1) / size**2 * sum(terms)


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
