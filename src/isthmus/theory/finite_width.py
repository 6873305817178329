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

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus._precision import Precision, floating
from isthmus.core.problem import Problem
from isthmus.core.quadrature import check_quadrature
from isthmus.dynamics.mean_field import check_memory_of_particles, solve_mean_field
from isthmus.dynamics.parallel import Progress, Stages, check_number_of_jobs
from isthmus.dynamics.results import MeanFieldPath
from isthmus.theory.finite_width_law import FiniteWidthLaw
from isthmus.theory.fresh_neurons import fresh_influences
from isthmus.theory.influence import LinearisedPath, require_closed_form, size_of_fields
from isthmus.theory.leading_order import Settings, leading_order, particles_of
from isthmus.theory.prediction import Noise

FRESH = 1 << 11
"""Fresh neurons where activations have kinks and none are asked for."""
MOST_FIELDS = 1 << 30
"""Bytes of what their influence is read from, beyond which there are none unless they are asked for."""


@with_bar
def predict_finite_width(
    problem: Problem,
    times: ArrayLike,
    *,
    path: MeanFieldPath | None = None,
    particles: int = 1024,
    curvature_particles: int = 128,
    samples: int = 32,
    neurons: int | None = None,
    seed: int = 0,
    rtol: float = 1e-3,
    max_steps: int = 20_000,
    dtype: Precision | Any = "float32",
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
        neurons: fresh ones a side (a power of 2), four times so many in all, from which K_E and K_D and their errors
            come, at the cost of a second linearisation; 0 for those of the particles, which in many dimensions or with
            kinks are too small by some per cent. By default 2,048 for kinks, where their influence is known.
        seed: of the scramblings and of the noises in the pairs.
        rtol: relative tolerance of the time steps of the linearisation.
        max_steps: the largest number of these steps.
        dtype: 'float64' or 'float32'.
        workers: threads.
        progress: True for a bar, or called as ``progress(done, total)``.

    Returns:
        `FiniteWidthLaw`, with ``mean``, ``std``, ``covariance``, ``band``, ``gap_quantile``, ``width_for`` and
        ``step_size_for``, ``sources`` and ``influence``.

    Raises:
        ArgumentError: where an argument breaks its rule, an activation jumps, or the limit is trivial, or the influence
            of the neurons asked for isn't known (`FiniteWidthLaw.influence_of`).
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
    if neurons is not None and _checks.integer("neurons", neurons, minimum=0) > 0:
        neurons = _checks.power_of_2("neurons", neurons, minimum=2)
        require_closed_form(problem)
        check_memory_of_particles(problem, "neurons", neurons, np.dtype(np.float64))
    seed = _checks.seed("seed", seed)
    precision = floating("dtype", dtype)
    rtol = _checks.real("rtol", rtol, minimum=1e-5 if precision == np.float32 else 1e-10, maximum=0.1)
    max_steps = _checks.integer("max_steps", max_steps, minimum=1)
    _checks.function("progress", progress, optional=True)
    check_memory_of_particles(problem, "particles", particles, precision)
    check_memory_of_particles(problem, "curvature_particles", curvature_particles, precision)
    check_number_of_jobs("samples", samples, 8 * len(grid))
    stages = Stages(progress)
    if path is None:
        options = {"snapshot_times": (), "seed": seed, "workers": workers, "progress": stages.next()}
        path = solve_mean_field(problem, grid, quadrature=problem.quadrature, **options)
    elif not (isinstance(path, MeanFieldPath) and np.array_equal(path.times, grid)):
        _checks.refuse("path", "be a MeanFieldPath at the same times", _checks.described("not"))
    settings = Settings(particles, curvature_particles, samples, seed, rtol, max_steps, precision)
    start = particles_of(problem, settings, in_span=True)
    found = leading_order(problem, grid, start, settings, workers, stages)
    sources = found.sources
    behind = LinearisedPath(problem, settings, found.trajectory.thinned(), start.frame, start.drawn, found.means)
    noises = sources.noises | _of_fresh_neurons(behind, sources.noises, neurons)
    return FiniteWidthLaw(
        *(grid, path, sources.influence, noises, sources.weights),
        *(sources.only_batches, sources.one_pass_is_fresh, behind),
    )


def _of_fresh_neurons(behind: LinearisedPath, noises: dict[str, Noise], neurons: int | None) -> dict[str, Noise]:
    """Return the noise of initial neurons with kernels of fresh ones, where these are wanted."""
    problem, settings = behind.problem, behind.settings
    if neurons is None:
        smooth = all(phi.smooth for phi in problem.activations)
        known = behind.closed_form_because is None and size_of_fields(behind.trajectory) <= MOST_FIELDS
        neurons = FRESH if known and not smooth else 0
    if neurons == 0:
        return {}
    sides = fresh_influences(problem, behind.sensitivity, neurons, settings.seed)
    of_side = zip(("encoder", "decoder"), sides, strict=True)
    return {name: replace(noises[name], kernel=side.kernel, kernel_error=side.kernel_error) for name, side in of_side}
