r"""Dead initial laws: the saddle at which their limit stands, how fast networks leave it, and when.

Under a law with E f = 0, g(0) = 0 and Dg(0) = 0 the mean-field flow never moves. In a network of width N the same
quantities are of order N^(−1/2) and grow as e^(γt), so that it escapes at a time that grows as (ln N)/(2γ).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm

from isthmus import _checks
from isthmus._errors import NumericalError
from isthmus._words import counted
from isthmus.core.problem import Problem
from isthmus.core.saddle_point import SaddlePoint, saddle_point
from isthmus.dynamics.network_flow import gradient_flow
from isthmus.dynamics.parallel import Progress
from isthmus.dynamics.sgd import check_width

DRAWS = 512
STEPS_A_FOLD = 20
"""Times at which growth is looked at while the deviations grow e times as large."""
LONGEST = 60.0
"""Foldings after which a network that still hasn't left is given up."""


@dataclass(frozen=True)
class Saddle:
    """Whether the limit of a problem is trivial, and how finite networks leave it.

    Attributes:
        trivial: the mean-field flow stands still.
        growth_rate: γ, the rate at which deviations grow in mean-field time; NaN where the limit isn't trivial.
        drop: a network has escaped when its risk is by so much below that of x̂ = 0.
        delay: what is added to the times of the linear theory, 0 until it is calibrated by `calibrated`.

    """

    trivial: bool
    growth_rate: float
    drop: float
    delay: float = 0.0
    _problem: Problem | None = dataclasses.field(default=None, repr=False)
    _point: SaddlePoint | None = dataclasses.field(default=None, repr=False)

    @property
    def slope(self) -> float:
        """By how much the mean escape time grows as the width grows e-fold, 1/(2γ), in the limit of large widths."""
        return 1 / (2 * self.growth_rate)

    def escape_times(self, width: int | tuple[int, int], runs: int = DRAWS, seed: int = 0) -> np.ndarray:
        """Return draws of the escape time of networks of a width by the linear theory plus the delay, shape (runs,).

        Initial deviations are Gaussian with the covariance of a neuron over N, and grow by the linear system.
        """
        point = self._moving()
        widths = check_width(width)
        _checks.real("width", max(widths))
        runs = _checks.integer("runs", runs, minimum=1)
        _checks.memory("runs", runs, 8 * runs * len(point.generator))
        random = np.random.default_rng([_checks.seed("seed", seed), *widths])
        sides = (point.encoder_parts, point.decoder_parts)
        start = [
            random.standard_normal((runs, len(parts))) @ (parts - parts.mean(axis=0)) / math.sqrt(len(parts) * n)
            for parts, n in zip(sides, widths, strict=True)
        ]
        state = np.concatenate(start, axis=1)
        step = 1 / (STEPS_A_FOLD * self.growth_rate)
        forward = expm(point.generator * step).T
        times, before = np.full(runs, np.nan), point.gain(state)
        times[before >= self.drop] = 0.0
        for number in range(1, int(LONGEST * STEPS_A_FOLD)):
            if not np.isnan(times).any():
                break
            state = state @ forward
            now = point.gain(state)
            crossing = np.isnan(times) & (now >= self.drop)
            share = (self.drop - before[crossing]) / (now - before)[crossing]
            times[crossing] = (number - 1 + share) * step
            before = now
        return np.maximum(times + self.delay, 0.0)

    def escape_time(self, width: int | tuple[int, int]) -> float:
        """Return the mean escape time of networks of a width."""
        return float(np.mean(self.escape_times(width)))

    def calibrated(
        self,
        width: int = 64,
        runs: int = 32,
        *,
        seed: int = 0,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> Saddle:
        """Return the saddle with its delay set by gradient flows of small networks.

        The delay is the mean difference between measured escape times and those of the linear theory; it stands for
        the saturation of the growth, and does not depend on the width as this grows.
        """
        point, problem = self._moving(), self._problem
        assert point is not None and problem is not None
        expected = dataclasses.replace(self, delay=0.0).escape_times(width)
        measured = measured_escape_times(
            problem, self, width, runs, horizon=2 * float(expected.max()), seed=seed, workers=workers, progress=progress
        )
        return dataclasses.replace(self, delay=float(measured.mean() - expected.mean()))

    def _moving(self) -> SaddlePoint:
        if self._point is None:
            raise NumericalError("the limit of this problem is not trivial: there is no saddle to escape from")
        return self._point


def saddle(problem: Problem, *, drop: float | None = None, neurons: int = 1 << 13, seed: int = 0) -> Saddle:
    r"""Return whether the mean-field limit is trivial, and the growth rate about the saddle with escape times.

    γ is the largest eigenvalue of the linear system that C = E[x f(x)ᵀ], J = Dg(0) and g(0) obey, and the mean escape
    time of width N goes as (ln N)/(2γ) + constant. For isotropic laws γ = √(κ_D λ_max(S)).

    Args:
        problem: data (centred), law, activations; rates must be numbers.
        drop: a network has escaped when its risk lies by so much below that of x̂ = 0; by default half of what the
            first principal direction can give, λ_1/4.
        neurons: over which expectations under the law are taken (a power of 2).
        seed: of these neurons.

    Raises:
        ArgumentError: where the rates are functions of time, there is weight decay, noise or an optimizer with memory,
            or the slope of the decoder's activation jumps while its
            biases are trained: then Dg(0) has no linear equation.

    Example:
        >>> import warnings
        >>> import isthmus as im
        >>> data = im.load_data("digits", max_points=64)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", im.TrivialLimitWarning)
        ...     problem = im.Problem(data, im.independent_law(64, 2, incoming_scale=0.3))
        >>> saddle = im.saddle(problem)
        >>> saddle.trivial, bool(saddle.escape_time(1000) > saddle.escape_time(100))
        (True, True)

    """
    _checks.instance("problem", problem, Problem)
    neurons = _checks.power_of_2("neurons", neurons, minimum=2)
    seed = _checks.seed("seed", seed)
    _checks.memory("neurons", neurons, 8 * neurons * problem.dim * problem.latent_dim)
    if drop is not None:
        drop = _checks.real("drop", drop, above=0)
    else:
        drop = float(problem.population.principal_variances[0]) / 4
    problem.require_gradient_flow("saddle")
    problem.population.require_complete("problem", "saddle")
    if any(problem.decays):
        _checks.refuse(
            "problem", "have no weight decay", _checks.described(f"one with weight_decay={problem.weight_decay}")
        )
    if not problem.is_trivial:
        return Saddle(False, math.nan, drop)
    point = saddle_point(
        problem.population, problem.law, problem.activations, problem.rates, problem.train_biases, neurons, seed
    )
    growth_rate = point.growth_rate
    if not growth_rate > 0:
        raise NumericalError(
            "no deviation from this law grows, so that no network leaves it; check that rates and weights are not 0"
        )
    return Saddle(True, growth_rate, drop, 0.0, problem, point)


def measured_escape_times(
    problem: Problem,
    saddle: Saddle,
    width: int,
    runs: int,
    *,
    horizon: float,
    records: int = 200,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return when the gradient flows of networks have escaped, shape (runs,), within a horizon.

    Raises:
        NumericalError: where one of them hasn't escaped by then.

    """
    times = np.linspace(0, horizon, records + 1)
    flows = gradient_flow(
        problem, times, width, runs=runs, seed=seed, snapshot_times=(), workers=workers, progress=progress
    )
    population = problem.population
    rest = float(population.weights @ (population.points.astype(float) ** 2).sum(axis=1)) / 2
    gain = rest - flows.risk
    if (gain.max(axis=1) < saddle.drop).any():
        count = int((gain.max(axis=1) < saddle.drop).sum())
        raise NumericalError(
            f"{count} of {counted(runs, 'network')} of width {width:,} had not escaped by t = {horizon:g}"
        )
    first = (gain >= saddle.drop).argmax(axis=1)
    before = np.maximum(first - 1, 0)
    rows = np.arange(runs)
    rise = gain[rows, first] - gain[rows, before]
    share = np.where(first > 0, (saddle.drop - gain[rows, before]) / np.where(rise > 0, rise, 1), 0.0)
    return times[before] + share * (times[first] - times[before])
