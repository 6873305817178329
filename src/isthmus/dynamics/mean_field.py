"""The mean-field path: the coupled gradient flows of encoder and decoder, by particles."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from isthmus import _checks
from isthmus._errors import Status
from isthmus._precision import Precision, floating
from isthmus.core.problem import Problem
from isthmus.core.quadrature import Quadrature, initial_particles
from isthmus.dynamics.flow import Flow, flow_settings, integrate_flow
from isthmus.dynamics.parallel import Progress, run_jobs
from isthmus.dynamics.results import MeanFieldPath


def solve_mean_field(
    problem: Problem,
    times: ArrayLike,
    *,
    particles: int = 2048,
    quadrature: Quadrature = "sobol",
    replicates: int = 4,
    seed: int = 0,
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = 20_000,
    snapshot_times: ArrayLike | None = None,
    dtype: Precision | Any = "float64",
    workers: int | None = None,
    progress: Progress | None = None,
    throw: bool = True,
) -> MeanFieldPath:
    r"""Solve the mean-field learning dynamics and return the risk R(t) of the infinitely wide autoencoder.

    ∂_t ρ = ∇·(ρ ξ_E ∇Ψ_E),  ∂_t ν = ∇·(ν ξ_D ∇Ψ_D),  R = ½ E‖x − x̂‖²  (arXiv:2606.07120)

    Each measure is a set of weighted particles that start at nodes of the initial law and move along
    characteristics. A network of width N trained at step size ε is at time t = ε × steps.

    Args:
        problem: data, law, activations and rates.
        times: shape (T,), non-negative and increasing; the solve starts at 0.
        particles: particles a side, in each replicate; a power of 2 for Sobol' points.
        quadrature: 'sobol', scrambled Sobol' points in the principal axes of the data, or 'iid'.
        replicates: independent scramblings (or draws), whose mean is the result and whose spread its error.
        seed: of the scramblings.
        rtol, atol: tolerances of the adaptive time steps (Tsitouras 5(4)); by default 1e-6 and rtol/100 in double
            precision, 1e-4 and rtol/100 in single.
        max_steps: the largest number of time steps.
        snapshot_times: those of ``times`` at which to keep the measures; the last one if left out.
        dtype: 'float64' or 'float32', whatever the type of the data.
        workers: threads; replicates run side by side.
        progress: called as ``progress(done, total)`` after each replicate.
        throw: raise `NumericalError` on failure; otherwise the status of the result says it.

    Raises:
        ArgumentError: where an argument breaks its rule.
        NumericalError: where the time steps fail; the message names how far they came, and a remedy.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("digits", max_points=64)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=2))
        >>> path = im.solve_mean_field(problem, times=[0.0, 1.0, 2.0], particles=128)
        >>> bool(path.risk[2] < path.risk[0]), path.risk.shape
        (True, (3,))

    """
    _checks.instance("problem", problem, Problem)
    grid = _checks.times("times", times)
    particles = _checks.integer("particles", particles, minimum=1)
    _checks.choice("quadrature", quadrature, ("sobol", "iid"))
    replicates = _checks.integer("replicates", replicates, minimum=1)
    seed = _checks.integer("seed", seed, minimum=0)
    precision = floating("dtype", dtype)
    settings = flow_settings(rtol, atol, max_steps, precision)
    kept = _checks.subset_of_times("snapshot_times", grid[-1] if snapshot_times is None else snapshot_times, grid)

    def solve(replicate: int) -> Flow:
        start = initial_particles(problem, particles, quadrature, seed, replicate, precision)
        flow = integrate_flow(start, problem, grid, kept, settings, precision)
        # Every replicate runs the same compiled solve, but only the first one's measures are kept.
        return flow if replicate == 0 else flow._replace(snapshots=None)

    flows = run_jobs(solve, replicates, workers, progress)
    risks = np.stack([flow.risk for flow in flows])
    status = next((flow.status for flow in flows if not flow.status.ok), Status())
    if throw:
        status.raise_if_failed()
    snapshots = flows[0].snapshots
    return MeanFieldPath(
        times=grid,
        risk=risks.mean(axis=0),
        risk_error=_half_width(risks),
        replicate_risk=risks,
        snapshot_times=grid[kept],
        snapshots=tuple(jax.tree.map(lambda leaf, i=i: leaf[i], snapshots) for i in range(len(kept))),
        status=status,
    )


def _half_width(risks: np.ndarray, confidence: float = 0.95) -> np.ndarray:
    """Return half the width of Student's interval of the mean over replicates, NaN for a single one."""
    count = len(risks)
    if count == 1:
        return np.full(risks.shape[1], np.nan)
    quantile = float(student.ppf((1 + confidence) / 2, count - 1))
    return quantile * risks.std(axis=0, ddof=1) / np.sqrt(count)
