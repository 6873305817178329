"""A pilot solve that tells at which times a path is worth recording."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isthmus import _checks
from isthmus.core.neuron_laws import GaussianNeurons
from isthmus.core.problem import Problem
from isthmus.dynamics.mean_field import solve_mean_field

PARTICLES, RTOL = 128, 1e-3
RESOLUTION = 8
"""Times of the pilot for each one that is asked for."""


def recorded_times(
    problem: Problem,
    horizon: float,
    records: int = 40,
    *,
    step_size: float | Sequence[float] | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Return times to record a problem's path at, denser where its risk bends, shape (T,).

    A solve with few particles finds the bends; linear interpolation between these times has about the same error
    everywhere on a logarithmic axis of time. `Problem.times` gives log-spaced ones at no cost.

    Args:
        problem: whose path is to be recorded.
        horizon: the last time.
        records: how many times after 0; fewer where there are fewer steps.
        step_size: ε of SGD, or several: every time is then an exact multiple of each.
        seed: of the particles.

    Raises:
        ArgumentError: where the horizon is no multiple of the step size, or an argument breaks its rule.
        NumericalError: where the solve fails.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine")
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=2))
        >>> times = im.recorded_times(problem, horizon=40.0, records=10, step_size=0.1)
        >>> len(times), float(times[0]), float(times[-1])
        (11, 0.0, 40.0)

    """
    _checks.instance("problem", problem, Problem)
    problem.times(horizon, records, step_size=step_size)  # refuses what would be refused after the solve
    gaussian = all(isinstance(law, GaussianNeurons) for law in (problem.law.encoder, problem.law.decoder))
    pilot = solve_mean_field(
        problem,
        problem.times(horizon, RESOLUTION * records),
        particles=PARTICLES,
        quadrature="sobol" if gaussian else "iid",
        replicates=1,
        rtol=RTOL,
        seed=seed,
        snapshot_times=(),
    )
    return problem.times(horizon, records, step_size=step_size, follow=pilot)
