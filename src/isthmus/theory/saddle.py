r"""Dead initial laws: the saddle at which their limit stands, how fast networks leave it, and when.

Under a law with f = 0, g(0) = 0 and Dg(0) = 0, and E x = 0, the mean-field flow never moves. In a network of width N
small deviations are of order N^(−1/2). They enter through C = E[x f(x)ᵀ] (d × k), J = Dg(0) (d × k) and g_0 = g(0)
alone, which obey

    Ċ = ξ_E E_{x,x'} x′ xᵀ J M(x, x′),    M = E[φ(s)φ(s′)] I + E[a aᵀ φ′(s)φ′(s′)] (⟨x, x′⟩ + 1)
    J̇ = ξ_D E[ċ uᵀφ′ + c u̇ᵀφ′ + c uᵀφ″ ė],    ġ_0 = ξ_D E[ċ φ + c φ′ ė]
    ċ = φ′ C u − φ g_0,    u̇ = φ′ Cᵀc,    ė = φ″ cᵀC u − φ′ ⟨c, g_0⟩

with φ, φ′, φ″ of the decoder at its biases e, expectations over the law, and neither "+ 1" nor ė where biases aren't
trained. The risk is R = ½E‖x‖² − ⟨J, C⟩ + ½|g_0|² to second order. Deviations grow as e^(γt), γ the largest eigenvalue
of the system, so that a network escapes at a time that grows as (ln N)/(2γ).

Source: the linearisation of the mean-field dynamics of arXiv:2606.07120.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from scipy.linalg import expm

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus._display import Shown, Summary
from isthmus._errors import NumericalError
from isthmus._precision import DOUBLE, computing_in
from isthmus._words import counted, number
from isthmus.core.autoencoder import features, preactivations
from isthmus.core.data import Data
from isthmus.core.neuron_laws import GaussianNeurons
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.problem import Problem
from isthmus.core.quadrature import sobol_particles
from isthmus.dynamics.network_flow import gradient_flow
from isthmus.dynamics.parallel import Progress
from isthmus.dynamics.sgd import check_width

DRAWS = 512
"""Networks whose escape times are averaged."""
STEPS_A_FOLD = 20
"""Times at which growth is looked at while the deviations grow e times as large."""
LONGEST = 60.0
"""e-folds of growth after which a network that still hasn't left is given up."""


@dataclass(frozen=True)
class SaddlePoint:
    """The linear system of (C, J, g_0), columns of C and J one after the other, and what each neuron adds to them.

    Attributes:
        generator: shape (2dk + d, 2dk + d).
        encoder_parts: each encoder neuron's part of C, shape (N, dk).
        decoder_parts: each decoder neuron's part of (J, g_0), shape (N, dk + d).

    """

    generator: np.ndarray
    encoder_parts: np.ndarray
    decoder_parts: np.ndarray

    @property
    def growth_rate(self) -> float:
        """The largest real part γ of the generator's eigenvalues."""
        return float(np.linalg.eigvals(self.generator).real.max())

    def gain(self, deviations: np.ndarray) -> np.ndarray:
        """Return by how much the risk lies below that of x̂ = 0, for deviations in the last axis."""
        size = self.encoder_parts.shape[1]
        c, j, g = np.split(deviations, [size, 2 * size], axis=-1)
        return (c * j).sum(axis=-1) - (g * g).sum(axis=-1) / 2


@dataclass(frozen=True, repr=False)
class Saddle(Summary):
    """Whether the limit of a problem is trivial, and how finite networks leave it; the result of `saddle`.

    Attributes:
        trivial: the mean-field flow stands still.
        growth_rate: γ, the rate at which deviations grow in mean-field time; NaN where the limit isn't trivial.
        drop: a network has escaped when its risk is by so much below that of x̂ = 0.
        delay: what is added to the times of the linear theory, 0 until it is calibrated by `calibrated`.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine", max_points=16)
        >>> im.saddle(im.Problem(data, im.aligned_law(data, latent_dim=1))).trivial
        False

    """

    trivial: bool
    growth_rate: float
    drop: float
    delay: float = 0.0
    _problem: Problem | None = dataclasses.field(default=None, repr=False)
    _point: SaddlePoint | None = dataclasses.field(default=None, repr=False)

    plot = Shown("plots.saddle")

    def _lines(self) -> list[tuple[str, object]]:
        if not self.trivial:
            return [("limit", "moves: there is no saddle to escape from")]
        calibrated = f", with a delay of {number(self.delay)}" if self.delay else ", by the linear theory"
        return [
            ("limit", "stands still"),
            ("growth rate", f"γ = {number(self.growth_rate)}; escape times grow by ln(N)/(2γ){calibrated}"),
            ("escape", f"mean time {number(self.escape_time(256))} at N = 256"),
        ]

    @property
    def slope(self) -> float:
        """By how much the mean escape time grows as the width grows e-fold, 1/(2γ), in the limit of large widths."""
        return 1 / (2 * self.growth_rate)

    def escape_times(self, width: int | tuple[int, int], runs: int = DRAWS, seed: int = 0) -> np.ndarray:
        """Return draws of the escape time of networks of a width by the linear theory plus the delay, shape (runs,).

        Initial deviations are Gaussian with the covariance of a neuron over N, and grow by the linear system. A time is
        NaN where a network has not escaped after 60 e-folds.

        Args:
            width: N, or (N_E, N_D).
            runs: how many draws.
            seed: of the draws.

        Raises:
            NumericalError: where the limit isn't trivial.

        """
        point, _ = self._checked_saddle()
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
        gains = [point.gain(state)]
        escaped = gains[0] >= self.drop
        while not escaped.all() and len(gains) < LONGEST * STEPS_A_FOLD:
            state = state @ forward
            gains.append(point.gain(state))
            escaped |= gains[-1] >= self.drop
        times = _times_of_reaching(self.drop, step * np.arange(len(gains)), np.stack(gains, axis=1))
        return np.maximum(times + self.delay, 0.0)

    def escape_time(self, width: int | tuple[int, int]) -> float:
        """Return the mean escape time of networks of a width."""
        return float(np.mean(self.escape_times(width)))

    @with_bar
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

        Args:
            width: of the networks.
            runs: how many of them.
            seed: of their draws.
            workers: threads; networks are followed side by side.
            progress: True for a bar, or called as ``progress(done, total)``.

        Raises:
            NumericalError: where the limit isn't trivial, or a network hasn't escaped after twice the time predicted
                for the slowest one.

        """
        _, problem = self._checked_saddle()
        expected = dataclasses.replace(self, delay=0.0).escape_times(width)
        measured = measured_escape_times(
            problem, self, width, runs, horizon=2 * float(expected.max()), seed=seed, workers=workers, progress=progress
        )
        return dataclasses.replace(self, delay=float(measured.mean() - expected.mean()))

    def _checked_saddle(self) -> tuple[SaddlePoint, Problem]:
        if self._point is None or self._problem is None:
            raise NumericalError("the limit of this problem is not trivial: there is no saddle to escape from")
        return self._point, self._problem


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
            or the slope of the decoder's activation jumps while its biases are trained: then Dg(0) has no linear
            equation.
        NumericalError: where no deviation grows.

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
    _require_linear_theory(problem)
    point = linearised_at_rest(problem, *_population_and_neurons(problem, neurons, seed))
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
    risk_at_rest = float(population.weights @ (population.points.astype(float) ** 2).sum(axis=1)) / 2
    escape_times = _times_of_reaching(saddle.drop, times, risk_at_rest - flows.risk)
    late = int(np.isnan(escape_times).sum())
    if late:
        raise NumericalError(
            f"{late} of {counted(runs, 'network')} of width {width:,} had not escaped by t = {horizon:g}"
        )
    return escape_times


def _times_of_reaching(level: float, times: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Return when each row of a gain, shape (runs, T), first reaches a level, between times by linear interpolation.

    It is NaN where a row never does.
    """
    reached, rows = gain >= level, np.arange(len(gain))
    first = reached.argmax(axis=1)
    before = np.maximum(first - 1, 0)
    rise = gain[rows, first] - gain[rows, before]
    share = np.divide(level - gain[rows, before], rise, out=np.zeros(len(rows)), where=first > 0)
    return np.where(reached.any(axis=1), times[before] + share * (times[first] - times[before]), np.nan)


def _require_linear_theory(problem: Problem) -> None:
    """Refuse rates that are functions of time, and a decoder for which Dg(0) has no linear equation."""
    for name, rate in zip(("encoder_rate", "decoder_rate"), problem.rates, strict=True):
        if callable(rate):
            _checks.refuse("problem", f"have a constant {name}", _checks.described("a function of time"))
    phi, decoder = problem.activations[1], problem.law.decoder
    without_biases = isinstance(decoder, GaussianNeurons) and decoder.bias_variance == 0
    if not phi.smooth and (problem.train_biases or without_biases):
        hint = "use a smooth one, or train_biases=False with biases of positive variance"
        _checks.refuse("problem", "have a decoder activation with a continuous slope", phi.name, hint)


def _population_and_neurons(problem: Problem, count: int, seed: int) -> tuple[Data, NeuronMeasure, NeuronMeasure]:
    """Return the population and neurons of the law, in coordinates of the span of the data where these are known."""
    encoder, decoder = problem.law.encoder, problem.law.decoder
    if isinstance(encoder, GaussianNeurons) and isinstance(decoder, GaussianNeurons):
        return problem.frame.data, *sobol_particles(problem.frame, count, seed, 0, DOUBLE)
    with computing_in(DOUBLE):
        keys = jax.random.split(jax.random.key(seed))
        return problem.population, encoder.sample(keys[0], count), decoder.sample(keys[1], count)


def linearised_at_rest(problem: Problem, data: Data, encoder: NeuronMeasure, decoder: NeuronMeasure) -> SaddlePoint:
    """Return the linear system about the law that neurons represent.

    Args:
        problem: whose activations, rates and trained parameters count.
        data: its population, in the coordinates of the neurons.
        encoder, decoder: uniform measures on neurons of the law.

    """
    encoder, decoder = (jax.tree.map(lambda part: np.asarray(part, float), side) for side in (encoder, decoder))
    encoder_rate, decoder_rate = (float(rate) for rate in problem.rates)  # pyright: ignore[reportArgumentType]
    from_j, encoder_parts = _encoder_part(problem, data, encoder)
    from_c, from_g, g_from_g, decoder_parts = _decoder_part(problem, decoder)
    size = len(from_c)
    generator = np.zeros((2 * size + data.dim,) * 2)
    c, j, g = slice(0, size), slice(size, 2 * size), slice(2 * size, None)
    generator[c, j] = encoder_rate * from_j
    generator[j, c], generator[j, g] = decoder_rate * from_c, decoder_rate * from_g
    generator[g, c], generator[g, g] = -decoder_rate * from_g.T, decoder_rate * g_from_g
    return SaddlePoint(generator, encoder_parts, decoder_parts)


def _encoder_part(problem: Problem, data: Data, encoder: NeuronMeasure) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix from J to Ċ, and each neuron's part of C."""
    phi, points, weights = problem.activations[0], data.points.astype(float), data.weights.astype(float)
    slope = phi.of(preactivations(encoder, points), 1)
    weighted = points * weights[:, None]
    moments = features(encoder, phi, points) @ weighted  # E[x φ(s)] of each neuron
    products = points @ points.T + (1.0 if problem.train_biases else 0.0)
    masses, outgoing = encoder.masses, encoder.outgoing

    def block(row: int, column: int) -> np.ndarray:
        kernel = slope.T @ ((masses * outgoing[:, row] * outgoing[:, column])[:, None] * slope)
        return weighted.T @ (kernel * products) @ weighted

    k = encoder.outputs
    matrix = np.block([[block(row, column) for column in range(k)] for row in range(k)])
    matrix += np.kron(np.eye(k), moments.T @ (masses[:, None] * moments))
    return matrix, _columns(moments, outgoing)


def _decoder_part(problem: Problem, decoder: NeuronMeasure) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the matrices from C to J̇, from g_0 to J̇ and from g_0 to ġ_0, and each neuron's part of (J, g_0).

    That from C to ġ_0 is minus the transpose of the second.
    """
    m, c, u = decoder.masses, decoder.outgoing, decoder.incoming
    value, slope, curvature = (problem.activations[1].of(decoder.bias, order) for order in (0, 1, 2))
    if not problem.train_biases:
        curvature = np.zeros_like(curvature)
    mean_of = lambda left, weight, right: left.T @ ((m * weight)[:, None] * right)  # E[weight left rightᵀ]
    identity, by_slope = np.eye(decoder.outputs), mean_of(c, slope**2, c)
    by_bias = _columns(c, curvature[:, None] * u)
    from_c = np.kron(mean_of(u, slope**2, u), identity) + np.kron(np.eye(decoder.inputs), by_slope)
    from_c += mean_of(by_bias, 1.0, by_bias)
    blocks = [identity * (m @ (value * slope * w)) + mean_of(c, slope * curvature * w, c) for w in u.T]
    g_from_g = -identity * (m @ value**2) - (by_slope if problem.train_biases else 0.0)
    parts = np.concatenate([_columns(c, slope[:, None] * u), c * value[:, None]], axis=1)
    return from_c, -np.concatenate(blocks), g_from_g, parts


def _columns(left: Any, right: Any) -> np.ndarray:
    """Return the matrices left_i right_iᵀ, (d, k) each, as rows, column by column: shape (N, dk)."""
    return (right[:, :, None] * left[:, None, :]).reshape(len(left), -1)
