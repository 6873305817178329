r"""The law of finite networks from a few simulated ones, each beside the fluctuation that its own draw predicts.

Of one network the leading-order fluctuation is known: with θ_i, ω_j its initial neurons and b_s its batches,

    ζ(t) = (1/N_E) Σ_i I_E(θ_i; t) + (1/N_D) Σ_j I_D(ω_j; t) + Σ_s ε (1/B) Σ_{x ∈ b_s} G(x, s; t),

each influence less its mean. ζ has mean 0 exactly, and covariance K. So R_N − ζ has the mean of R_N at any width and
step size, whatever leading order is worth there, and far less variance where it is worth much:

    E R_N = E (R_N − ζ),    Cov R_N = K + 2 Cov(ζ, R_N − ζ) + Cov(R_N − ζ) .
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus._display import Summary
from isthmus._precision import Precision, floating
from isthmus._words import number
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Stream
from isthmus.core.problem import Problem
from isthmus.core.sobol import sobol_normals
from isthmus.dynamics.batches import SAMPLINGS, Sampling, check_sampling
from isthmus.dynamics.mean_field import check_memory_of_particles
from isthmus.dynamics.network_flow import gradient_flow
from isthmus.dynamics.parallel import Progress, Stages, check_number_of_jobs
from isthmus.dynamics.replay import batch_noise
from isthmus.dynamics.results import TrainingRuns, fall
from isthmus.dynamics.sgd import check_memory_of_networks, check_width, run_keys, train
from isthmus.dynamics.step_plan import plan_steps
from isthmus.theory.finite_width import predict_finite_width
from isthmus.theory.finite_width_law import FiniteWidthLaw
from isthmus.theory.fresh_neurons import Known, Side, fresh_influences
from isthmus.theory.influence import LinearisedPath, require_closed_form
from isthmus.theory.surrogate import Surrogate

InfluenceBy = Literal["exact", "surrogate"]
DRAWS = 1 << 12
"""Draws of ζ for each run, from which quantiles of the sup-gap are taken."""
MINIMUM = 4
"""Runs from which errors are estimated, at least."""


@dataclass(frozen=True, repr=False)
class FiniteWidthEstimate(Summary):
    """Mean, standard deviation and sup-gap of one kind of network, from a few runs beside their prediction.

    Attributes:
        times: shape (T,).
        limit: the mean-field risk R(t), shape (T,), from which the sup-gap is measured.
        runs: the simulated networks.
        fluctuation: ζ(t) of each run, shape (runs, T).
        kernel: the covariance K of ζ, shape (T, T).
        mean_error: the standard error of the mean of ζ, which is 0 up to it, shape (T,).
        kernel_error: the standard error of the diagonal of K, shape (T,).

    Example:
        >>> import numpy as np
        >>> import isthmus as im
        >>> problem = im.Problem(im.load_data("wine", max_points=24), latent_dim=1)
        >>> runs = im.train(problem, [0.0, 1.0], width=64, step_size=0.5, runs=4)
        >>> nothing = np.zeros((4, 2)), np.zeros((2, 2)), np.zeros(2), np.zeros(2)  # that is, plain runs
        >>> found = im.FiniteWidthEstimate(runs.times, runs.risk[0], runs, *nothing)
        >>> bool(np.allclose(found.mean, runs.risk.mean(axis=0))), round(found.variance_ratio, 6)
        (True, 1.0)

    """

    times: np.ndarray
    limit: np.ndarray
    runs: TrainingRuns
    fluctuation: np.ndarray
    kernel: np.ndarray
    mean_error: np.ndarray
    kernel_error: np.ndarray

    def _lines(self) -> list[tuple[str, object]]:
        worst, gap = int(self.std.argmax()), self.gap_quantile(0.9)
        return [
            ("networks", self.runs.networks_in_words),
            ("mean risk", f"{fall(self.times, self.mean)}, ± {number(float(self.error.max()), 2)} at most"),
            ("spread", f"at most {number(float(self.std[worst]))} ± {number(float(self.std_error[worst]), 2)}"),
            ("sup-gap", f"90 % within {number(gap[0])} ± {number(gap[1], 2)}"),
            ("worth", f"{number(self.variance_ratio * len(self.runs.risk))} runs without a prediction beside them"),
        ]

    def _curve(self) -> tuple[np.ndarray, np.ndarray]:
        return self.times, self.mean

    @property
    def rest(self) -> np.ndarray:
        """R_N − R − ζ of each run, shape (runs, T): what leading order leaves."""
        return self.runs.risk - self.limit - self.fluctuation

    @property
    def mean(self) -> np.ndarray:
        """E R_N(t), shape (T,)."""
        return self.limit + self.rest.mean(axis=0)

    @property
    def error(self) -> np.ndarray:
        """The standard error of the mean, shape (T,)."""
        count = len(self.rest)
        return np.sqrt(self.rest.var(axis=0, ddof=1) / count + self.mean_error**2)

    @property
    def std(self) -> np.ndarray:
        """The standard deviation of R_N(t), shape (T,)."""
        return self._std(self.fluctuation, self.rest)

    @property
    def std_error(self) -> np.ndarray:
        """The standard error of the standard deviation, shape (T,): of the jackknife over runs, and of K."""
        by_runs = jackknife(lambda keep: self._std(self.fluctuation[keep], self.rest[keep]), len(self.rest))
        return np.hypot(by_runs, self.kernel_error / (2 * self.std))

    @property
    def variance_ratio(self) -> float:
        """Var R_N over that of R_N − ζ, summed over times: so many times as many plain runs have the same error."""
        plain = self.runs.risk.var(axis=0, ddof=1).sum()
        rest = self.rest.var(axis=0, ddof=1).sum()
        return float(plain / rest) if rest > 0 else math.inf

    def gap_quantile(self, confidence: float) -> tuple[float, float]:
        """Return the quantile of the sup-gap max_t |R_N(t) − R(t)|, and its standard error.

        The gap is that of a draw of ζ plus what is left of a run.
        """
        level = _checks.real("confidence", confidence, above=0, below=1)
        values, vectors = np.linalg.eigh(self.kernel)
        normals = sobol_normals(len(self.times), DRAWS, np.random.default_rng(0))
        drawn = normals @ (vectors * np.sqrt(np.maximum(values, 0))).T
        gaps = np.stack([np.abs(drawn + rest).max(axis=1) for rest in self.rest])
        quantile = lambda keep: np.quantile(gaps[keep], level)
        found, by_runs = float(quantile(np.arange(len(gaps)))), float(jackknife(quantile, len(gaps)))
        # A kernel that is off by a factor shifts the quantile by at most half of that.
        size = np.diagonal(self.kernel)
        relative = np.divide(self.kernel_error, 2 * size, out=np.zeros_like(size), where=size > 0)
        return found, math.hypot(by_runs, found * float(np.sqrt(np.mean(relative**2))))

    def _std(self, fluctuation: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Return the root of K + 2 Cov(ζ, rest) + Var(rest), which is not below that of the rest alone."""
        centred = rest - rest.mean(axis=0)
        cross = (fluctuation * centred).sum(axis=0) / (len(rest) - 1)
        variance = rest.var(axis=0, ddof=1)
        return np.sqrt(np.maximum(np.diagonal(self.kernel) + 2 * cross + variance, variance / len(rest)))


@with_bar
def estimate_finite_width(
    problem: Problem,
    times: ArrayLike,
    width: int | tuple[int, int],
    step_size: float = 0.0,
    batch_size: int | None = None,
    *,
    runs: int = 16,
    sampling: Sampling | None = None,
    law: FiniteWidthLaw | None = None,
    influence: InfluenceBy | None = None,
    neurons: int = 1 << 12,
    seed: int = 0,
    dtype: Precision | Any = "float32",
    workers: int | None = None,
    progress: Progress | None = None,
) -> FiniteWidthEstimate:
    r"""Estimate the law of one kind of network from a few simulated ones, each less its predicted fluctuation.

    E R_N = E (R_N − ζ),  Cov R_N = K + 2 Cov(ζ, R_N − ζ) + Cov(R_N − ζ), with ζ(t) the leading-order fluctuation that
    a network's own initial neurons and batches predict. It is unbiased at any width and step size. Time is step size ×
    steps; outputs carry 1/N; R is the risk with the ½.

    Args:
        problem, times: as in `predict_finite_width`.
        width, step_size, batch_size, sampling: of the networks, as in `train`; gradient flow at step size 0.
        runs: networks that are simulated, at least 4.
        law: of this problem at these times, where there is one already.
        influence: 'exact' for that of each neuron in closed form; 'surrogate' for a regression on the law's own
            particles, which costs next to nothing and leaves more to the runs. By default exact, where it is known.
        neurons: fresh ones a side (a power of 2), four times so many in all, over which influences have mean 0.
        seed: of the networks.
        dtype: of the networks, 'float32' or 'float64'.
        workers: threads.
        progress: True for a bar, or called as ``progress(done, total)``.

    Raises:
        ArgumentError: where an argument breaks its rule, or the exact influence is asked for and isn't known
            (`FiniteWidthLaw.influence_of`).
        NumericalError: where a run diverges, or the time steps fail.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine", max_points=24)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=1))
        >>> law = im.predict_finite_width(problem, [0.0, 1.0], particles=32, samples=2)
        >>> found = im.estimate_finite_width(problem, [0.0, 1.0], 64, runs=4, law=law, neurons=256)
        >>> bool((found.error < found.std).all())
        True

    """
    _checks.instance("problem", problem, Problem)
    grid = _checks.times("times", times)
    widths = check_width(width)
    step_size = _checks.real("step_size", step_size, minimum=0)
    runs = _checks.integer("runs", runs, minimum=MINIMUM)
    if influence is not None:
        _checks.choice("influence", influence, ("exact", "surrogate"))
        if influence == "exact":
            require_closed_form(problem)
    neurons = _checks.power_of_2("neurons", neurons, minimum=2)
    seed = _checks.seed("seed", seed)
    precision = floating("dtype", dtype)
    _checks.function("progress", progress, optional=True)
    check_memory_of_networks(problem, "width", width, widths, precision)
    check_memory_of_particles(problem, "neurons", neurons, np.dtype(np.float64))
    check_number_of_jobs("runs", runs, 8 * len(grid))
    chosen = _sampling(problem, grid, step_size, batch_size, sampling)
    stages = Stages(progress)
    if law is None:
        law = predict_finite_width(problem, grid, workers=workers, progress=stages.next())
    elif not (isinstance(law, FiniteWidthLaw) and np.array_equal(law.times, grid)):
        _checks.refuse("law", "be a FiniteWidthLaw at the same times", _checks.described("not"))
    linear = law.linearised
    if linear is None or linear.problem is not problem:
        _checks.refuse("law", "be that of this problem", _checks.described("that of another"))
    options: dict[str, Any] = {"runs": runs, "seed": seed, "snapshot_times": (), "dtype": precision, "workers": workers}
    if step_size == 0:
        simulated = gradient_flow(problem, grid, widths, progress=stages.next(), **options)
    else:
        full = {"batch_size": problem.population.size, "sampling": "without_replacement"}
        drawn = full if batch_size is None else {"batch_size": batch_size, "sampling": chosen}
        simulated = train(problem, grid, widths, step_size, progress=stages.next(), **drawn, **options)
    known: Known = linear.sensitivity if _is_exact(linear, influence) else _surrogate(linear, law)
    sides = fresh_influences(problem, known, neurons, seed)
    kernel = sides[0].kernel / widths[0] + sides[1].kernel / widths[1]
    kernel_error = np.hypot(*(side.kernel_error / width for side, width in zip(sides, widths, strict=True)))
    mean_error = np.hypot(*(side.mean_error for side in sides))
    networks = [problem.drawn(run_keys(seed, run)[0], widths)[0] for run in range(runs)]
    fluctuation = _of_neurons(linear, known, networks, sides)
    # Of batches whose noise is in the limit the part that is linear isn't all: it is left to the runs.
    follows_batches = not (isinstance(problem.data, Stream) or law.only_batches)
    if chosen is not None and batch_size is not None and follows_batches:
        rates = law.influence.points_by_step / np.diff(law.influence.steps)[:, None]
        for run in range(runs):
            noise = batch_noise(problem, grid, step_size, batch_size, chosen, seed, run, law.influence.steps, precision)
            fluctuation[run] += np.tensordot(rates, noise, axes=((1, 2), (0, 1)))
        kernel = kernel + law.at(math.inf, step_size, batch_size, sampling=chosen).noises["batches"].kernel
    return FiniteWidthEstimate(grid, law.path.risk, simulated, fluctuation, kernel, mean_error, kernel_error)


def _sampling(
    problem: Problem, times: np.ndarray, step_size: float, batch_size: int | None, sampling: Sampling | None
) -> Sampling | None:
    """Return how batches are drawn, None where there are none."""
    if batch_size is not None:
        _checks.integer("batch_size", batch_size, minimum=1)
    if sampling is not None:
        _checks.choice("sampling", sampling, SAMPLINGS)
    if step_size == 0:
        if batch_size is not None:
            _checks.refuse("batch_size", "be None at step size 0", batch_size)
        return None
    steps = plan_steps(problem, times, step_size).number_of_steps
    return None if batch_size is None else check_sampling(problem, sampling, batch_size, steps)


def _is_exact(linear: LinearisedPath, influence: InfluenceBy | None) -> bool:
    return linear.closed_form_because is None if influence is None else influence == "exact"


def _surrogate(linear: LinearisedPath, law: FiniteWidthLaw) -> Surrogate:
    points = np.asarray(linear.trajectory.field.points, float)
    return Surrogate(linear.drawn, (law.influence.encoder, law.influence.decoder), np.nan_to_num(points))


def _of_neurons(linear: LinearisedPath, known: Known, networks: list[Autoencoder], sides: list[Side]) -> np.ndarray:
    """Return what the initial neurons of each network make of the risk, shape (runs, T)."""
    # All in one call: the path of the particles is followed once for many neurons.
    together = jax.tree.map(lambda *leaves: np.concatenate(leaves), *networks)
    found = known.of(linear.in_coordinates(together))
    by_run = (np.split(influence, len(networks), axis=1) for influence in found)
    means = (np.array([one.mean(axis=1) for one in runs]) for runs in by_run)
    return np.sum([mean - side.mean for mean, side in zip(means, sides, strict=True)], axis=0)


def jackknife(statistic: Any, count: int) -> np.ndarray:
    """Return the standard error of a statistic of runs, given as a function of the indices of some of them."""
    every = np.arange(count)
    without = np.stack([np.asarray(statistic(np.delete(every, index))) for index in every])
    return np.sqrt((count - 1) / count * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
