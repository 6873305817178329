"""The mean-field path: the coupled gradient flows of encoder and decoder, by particles, with its error."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus._errors import Status
from isthmus._precision import Precision, floating
from isthmus._words import counted, number, setting
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Stream
from isthmus.core.neuron_laws import GaussianNeurons
from isthmus.core.problem import Problem
from isthmus.core.quadrature import Quadrature, check_quadrature
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.flow import Flow, FlowSettings, flow_settings, integrate
from isthmus.dynamics.parallel import Progress, check_number_of_jobs, run_jobs
from isthmus.dynamics.placement import Placement
from isthmus.dynamics.results import MeanFieldPath

CONFIDENCE = 0.95
MARGIN = 1.5
"""On the difference to a solve with finer time steps, whose own error is at most about a tenth of it."""

MOST_TIME_STEPS = 20_000
LARGE_STATE = 128 << 20
"""Bytes of a state from which on it is integrated with little memory."""

Integrator = Literal["auto", "adaptive", "low_memory", "stabilised"]
INTEGRATORS: tuple[Integrator, ...] = ("auto", "adaptive", "low_memory", "stabilised")


@with_bar
def solve_mean_field(
    problem: Problem,
    times: ArrayLike,
    *,
    particles: int = 2048,
    quadrature: Quadrature = "sobol",
    replicates: int = 4,
    tolerance: float | None = None,
    max_particles: int = 1 << 16,
    seed: int = 0,
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = MOST_TIME_STEPS,
    snapshot_times: ArrayLike | None = None,
    dtype: Precision | Any = "float64",
    integrator: Integrator = "auto",
    devices: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    throw: bool = True,
) -> MeanFieldPath:
    r"""Solve the mean-field learning dynamics and return the risk R(t) of the infinitely wide autoencoder.

    ∂_t ρ = ∇·(ρ ξ_E ∇Ψ_E),  ∂_t ν = ∇·(ν ξ_D ∇Ψ_D),  R = ½ E‖x − x̂‖²  (arXiv:2606.07120)

    with ∇Ψ + λθ in place of ∇Ψ where the problem has weight decay, a term ξ τ Δρ at a temperature, and measures on
    parameters and averages where it has an optimizer with memory. Each measure is a set of weighted particles that
    start at nodes of the initial law and move along characteristics (with noise, by Heun's method for stochastic
    equations). A network of width N trained at step size ε is at time t = ε × steps.

    Args:
        problem: data, law, activations and rates.
        times: shape (T,), non-negative and increasing; the solve starts at 0.
        particles: particles a side, in each replicate; a power of 2 for Sobol' points. With ``tolerance``, how many to
            begin with.
        quadrature: 'sobol', scrambled Sobol' points in the principal axes of the data with matched moments;
            'gauss_hermite', a tensor rule for laws with few parameters a neuron (at most ``particles`` nodes);
            'iid', random draws.
        replicates: independent scramblings (or draws), whose mean is the result and whose spread its error.
        tolerance: ask for max_t ``risk_error`` at most this: particles are added, and the time steps refined, until
            the estimate meets it.
        max_particles: with ``tolerance``, the most particles a side; the status says where they don't suffice.
        seed: of the scramblings.
        rtol, atol: tolerances of the adaptive time steps; by default 1e-6 and rtol/100 in double
            precision, 1e-4 and rtol/100 in single. At a temperature ``rtol`` bounds the error of the risk over its
            largest value, and is at least 1e-4.
        max_steps: the largest number of time steps.
        snapshot_times: those of ``times`` at which to keep the measures; the last one if left out.
        dtype: 'float64' or 'float32', whatever the type of the data.
        integrator: 'adaptive', Tsitouras' method of order 5(4); 'low_memory', Bogacki's and Shampine's of 3(2), which
            needs 6 times the memory of the particles; 'auto' takes the second for a state beyond 128 MiB. 'stabilised',
            of order 2 (Runge–Kutta–Chebyshev), is for gradient flows over long times, whose steps the highest
            curvature would bound: its steps cost as the square root of that.
        devices: spread the particles over so many devices, of all processes where there are several.
        workers: threads; replicates run side by side, unless memory or several devices speak against it.
        progress: True for a bar, or called as ``progress(done, total)`` after each flow (replicates, and those that
            show the error).
        throw: raise `NumericalError` on failure; otherwise the status of the result says it.

    Raises:
        ArgumentError: where an argument breaks its rule.
        NumericalError: where the time steps fail, or the tolerance isn't met; the message names how far it came, and a
            remedy.

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
    check_quadrature(quadrature, particles)
    replicates = _checks.integer("replicates", replicates, minimum=1)
    if tolerance is not None:
        tolerance = _checks.real("tolerance", tolerance, above=0)
        if replicates == 1 and quadrature != "gauss_hermite":
            _checks.refuse("replicates", "be at least 2 for a tolerance", replicates)
    max_particles = _checks.integer("max_particles", max_particles, minimum=1)
    seed = _checks.seed("seed", seed)
    precision = floating("dtype", dtype)
    settings = flow_settings(rtol, atol, max_steps, precision)
    kept = _checks.subset_of_times("snapshot_times", grid[-1] if snapshot_times is None else snapshot_times, grid)
    _checks.choice("integrator", integrator, INTEGRATORS)
    placement = Placement(devices)
    _checks.flag("throw", throw)
    check_number_of_jobs("replicates", replicates, 8 * len(grid))
    if quadrature != "gauss_hermite":  # whose nodes are a bounded number
        check_memory_of_particles(problem, "particles", particles, precision)

    solver = _Solver(
        problem, grid, kept, quadrature, replicates, seed, precision, integrator, placement, workers, progress
    )
    path = solver.solve(particles, settings)
    while tolerance is not None and path.status.ok and not path.risk_error.max() <= tolerance:
        particles, settings, exhausted = _refined(path, particles, settings, tolerance, max_particles, precision)
        if exhausted:
            path = dataclasses.replace(path, status=_unmet(path, particles, tolerance))
            break
        path = solver.solve(particles, settings)
    if throw:
        path.status.raise_if_failed()
    return path


class Replicate(NamedTuple):
    """One set of particles alone: its risk (T,), and its networks at the times that were kept."""

    risk: np.ndarray
    networks: tuple[Autoencoder, ...]


def follow_replicate(
    problem: Problem,
    times: ArrayLike,
    *,
    kept: Sequence[int],
    particles: int,
    replicate: int,
    seed: int,
    rtol: float,
    dtype: Precision | Any = "float64",
    finer: bool = False,
    integrator: Integrator = "auto",
    quadrature: Quadrature = "sobol",
) -> Replicate:
    """Follow the particles of one scrambling, or draw, those of this replicate in `solve_mean_field`, and no others.

    Args:
        problem, times, particles, seed, rtol, dtype, integrator, quadrature: as in `solve_mean_field`.
        kept: indices of the times at which to keep the network.
        replicate: the number of the scrambling.
        finer: take finer time steps, whose error is at most about a tenth.

    Raises:
        NumericalError: where the time steps fail.

    """
    precision, grid, indices = floating("dtype", dtype), np.asarray(times, float), np.array(kept)
    settings = flow_settings(rtol, None, MOST_TIME_STEPS, precision)
    solver = _Solver(problem, grid, indices, quadrature, 1, seed, precision, integrator, Placement(None), 1, None)
    flow = solver.flow(particles, replicate, 0, settings.finer(precision) if finer else settings, keep=True)
    flow.status.raise_if_failed()
    return Replicate(flow.risk, _apart(flow.snapshots, len(indices)))


def check_memory_of_particles(problem: Problem, name: str, particles: int, dtype: np.dtype) -> None:
    """Refuse a number of particles, in the coordinates of the span of the points, that can't fit in memory."""
    columns = problem.dim if problem.population.has_missing else problem.population.span.shape[1]
    size = 2 * (columns + problem.latent_dim + 2) * dtype.itemsize
    _checks.memory(name, particles, particles * size)


@dataclass(frozen=True)
class _Solver:
    """Solves one problem with any number of particles; ``kept`` are indices of times at which to keep networks."""

    problem: Problem
    times: np.ndarray
    kept: np.ndarray
    quadrature: Quadrature
    replicates: int
    seed: int
    dtype: np.dtype
    integrator: Integrator
    placement: Placement
    workers: int | None
    progress: Progress | None

    def __post_init__(self) -> None:
        laws = (self.problem.law.encoder, self.problem.law.decoder)
        if self.quadrature != "iid" and not all(isinstance(law, GaussianNeurons) for law in laws):
            named = _checks.described(f"{self.quadrature!r} with a law of type {type(laws[0]).__name__}")
            _checks.refuse("quadrature", "be 'iid' unless the law is GaussianNeurons", named)
        if self.integrator in ("low_memory", "stabilised"):
            self.problem.require_gradient_flow(f"integrator={self.integrator!r}")
        if self.placement.mesh is not None:
            self.problem.require_gradient_flow("several devices")
        if self.quadrature == "gauss_hermite" and self.problem.temperature > 0:
            _checks.refuse("quadrature", "be 'sobol' or 'iid' at a temperature", self.quadrature)

    def solve(self, particles: int, settings: FlowSettings) -> MeanFieldPath:
        """Return the path with the error of its particles, of its time steps, and of its population."""
        replicates = 1 if self.quadrature == "gauss_hermite" else self.replicates
        jobs = [(particles, replicate, 0, settings) for replicate in range(replicates)]
        noisy = self.problem.temperature > 0
        if not noisy:
            jobs.append((particles, 0, 0, settings.finer(self.dtype)))
        if self.quadrature == "gauss_hermite":
            jobs.append((_fewer_nodes(particles), 0, 0, settings))
        if isinstance(self.problem.data, Stream):
            jobs += [(particles, 0, sample, settings) for sample in range(1, max(replicates, 4))]
        alone = self._low_memory(particles) or self.placement.mesh is not None
        workers = 1 if alone else self.workers
        follow = lambda index: self.flow(*jobs[index], keep=index == 0)
        flows = run_jobs(follow, len(jobs), workers, self.progress)
        risks = np.stack([flow.risk for flow in flows])
        own, others = risks[:replicates], risks[replicates:]
        steps = flows[0].step_error if noisy else MARGIN * np.abs(own[0] - others[0])
        errors = {"time_steps": np.asarray(steps)}
        if self.quadrature == "gauss_hermite":
            errors["particles"] = np.abs(own[0] - others[1])
        else:
            errors["particles"] = half_width(own)
        samples = [risk for risk, job in zip(risks, jobs, strict=True) if job[2] > 0]
        errors["population"] = _spread([own[0], *samples]) if samples else np.zeros_like(own[0])
        return MeanFieldPath(
            times=self.times,
            risk=own.mean(axis=0),
            errors=errors,
            replicate_risk=own,
            particles=particles,
            snapshot_times=self.times[self.kept],
            snapshots=_apart(flows[0].snapshots, len(self.kept)),
            status=next((flow.status for flow in flows if not flow.status.ok), Status()),
        )

    def flow(self, particles: int, replicate: int, sample: int, settings: FlowSettings, *, keep: bool) -> Flow:
        """Follow one replicate on one sample of the population; keep its measures where that is asked."""
        problem, placement = self.problem, self.placement
        start = problem.particles(
            particles, self.seed, replicate, self.dtype, quadrature=self.quadrature, sample=sample
        )
        placement.check(start.network.encoder.width)
        field = VectorField.of(start.population, problem.motion, self.dtype, placement)
        stabilised = self.integrator == "stabilised"
        settings = settings._replace(low_memory=self._low_memory(particles), stabilised=stabilised)
        # All flows run the same compiled solve, but only the first one's measures are kept.
        kept = self.kept if keep else ()
        flow = integrate(
            field, start.network, self.times, settings, kept, jax.random.fold_in(jax.random.key(self.seed), replicate)
        )
        return flow if flow.snapshots is None else flow._replace(snapshots=start.lifted(flow.snapshots))

    def _low_memory(self, particles: int) -> bool:
        if self.integrator != "auto" or not self.problem.motion.is_gradient_flow:
            return self.integrator == "low_memory"
        return 2 * particles * (self.problem.dim + self.problem.latent_dim + 2) * self.dtype.itemsize > LARGE_STATE


def _apart(snapshots: Autoencoder | None, count: int) -> tuple[Autoencoder, ...]:
    return tuple(jax.tree.map(lambda leaf, i=i: leaf[i], snapshots) for i in range(count))


def _fewer_nodes(particles: int) -> int:
    """Return a number of nodes for which a tensor rule has fewer in every direction."""
    return max(1, particles // 3)


def half_width(risks: np.ndarray) -> np.ndarray:
    """Return half the width of Student's interval of the mean over replicates, NaN for a single one."""
    return _spread(list(risks)) / np.sqrt(len(risks))


def _spread(risks: list[np.ndarray]) -> np.ndarray:
    """Return half the width of Student's interval of one replicate about the truth, NaN for a single one."""
    count = len(risks)
    if count == 1:
        return np.full_like(risks[0], np.nan)
    return float(student.ppf((1 + CONFIDENCE) / 2, count - 1)) * np.std(risks, axis=0, ddof=1)


def _refined(
    path: MeanFieldPath, particles: int, settings: FlowSettings, tolerance: float, most: int, dtype: np.dtype
) -> tuple[int, FlowSettings, bool]:
    """Return more particles, or finer time steps, where they make the larger part of the error; or that neither can."""
    parts = {name: float(np.nanmax(error)) for name, error in path.errors.items()}
    if parts["time_steps"] > max(parts["particles"], tolerance / 4):
        finer = settings.finer(dtype)
        return particles, finer, finer.rtol == settings.rtol
    # The error of Sobol' points falls nearly as 1/N; no more than 8 times as many at once, since the estimate is rough.
    doublings = min(3, max(1, math.ceil(math.log2(parts["particles"] / tolerance))))
    return particles << doublings, settings, particles << doublings > most


def _unmet(path: MeanFieldPath, particles: int, tolerance: float) -> Status:
    parts = ", ".join(f"{name.replace('_', ' ')} {number(np.nanmax(error), 2)}" for name, error in path.errors.items())
    return Status(
        ok=False,
        message=(
            f"the error of the mean-field risk is {number(path.risk_error.max(), 2)} ({parts}) with "
            f"{counted(path.particles, 'particle')}, above the tolerance {setting(tolerance)}; raise max_particles to "
            f"{particles:,} or more, add replicates, or for a stream raise population_points"
        ),
    )
