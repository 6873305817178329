r"""The coupling of a finite network to its limit: each neuron beside the ideal particle that starts at the same place.

An ideal particle moves in the velocity field −∇Ψ of the mean-field measures and doesn't act on them. Propagation of
chaos says that sup_t (1/N) Σ_i |θ_i(t) − θ̄_i(t)|² is of order 1/N.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import equinox as eqx
import jax
import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus._display import Shown, Summary
from isthmus._precision import Precision, floating
from isthmus._words import counted, number, setting
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.problem import Problem
from isthmus.core.quadrature import check_quadrature
from isthmus.dynamics.batches import SAMPLINGS, Sampling
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.flow import flow_settings, integrate
from isthmus.dynamics.mean_field import check_memory_of_particles
from isthmus.dynamics.network_flow import gradient_flow
from isthmus.dynamics.parallel import Progress, check_number_of_jobs, run_jobs
from isthmus.dynamics.results import of_width
from isthmus.dynamics.sgd import check_memory_of_networks, check_width, run_keys, train

LARGEST_ASSIGNMENT = 4096
PROJECTIONS = 200

Side = Literal["encoder", "decoder"]


@dataclass(frozen=True, repr=False)
class Coupling(Summary):
    """Finite networks and their ideal particles, from the same initial neurons.

    Attributes:
        times: shape (T,).
        width: (N_E, N_D).
        encoder, decoder: (1/N) Σ_i |θ_i(t) − θ̄_i(t)|², shapes (runs, T).
        risk: of the finite networks, shape (runs, T).
        networks, ideal: the neurons at each time, each array with leading axes (runs, T).
        limit: the mean-field particles at each time, each array with a leading axis T.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine", max_points=32)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=2))
        >>> coupling = im.couple(problem, [0.0, 1.0], width=32, runs=2, particles=64)
        >>> distance = coupling.encoder[:, -1] ** 0.5
        >>> bool((coupling.wasserstein("encoder", 1.0, exact=True) <= distance + 1e-9).all())
        True

    """

    times: np.ndarray
    width: tuple[int, int]
    encoder: np.ndarray
    decoder: np.ndarray
    risk: np.ndarray
    networks: Autoencoder
    ideal: Autoencoder
    limit: Autoencoder

    plot = Shown("plots.coupling")

    def _lines(self) -> list[tuple[str, object]]:
        far = lambda side: number(float(self.supremum(side).mean()))
        return [
            ("networks", f"{counted(len(self.risk), 'run')} of {of_width(self.width)}"),
            ("times", f"{len(self.times):,}, up to t = {setting(float(self.times[-1]))}"),
            ("distance", f"largest mean square {far('encoder')} of encoder, {far('decoder')} of decoder neurons"),
        ]

    def _curve(self) -> tuple[np.ndarray, np.ndarray]:
        return self.times, self.encoder.mean(axis=0)

    def supremum(self, side: Side) -> np.ndarray:
        """Return sup_t of the mean-square distance of one side, shape (runs,)."""
        return getattr(self, _side(side)).max(axis=1)

    def wasserstein(self, side: Side, time: float, *, exact: bool = False, seed: int = 0) -> np.ndarray:
        """Return the Wasserstein-2 distance between the laws of the network's neurons and of the limit's, (runs,).

        The ideal particles stand for the limit: they are as many independent draws from it as there are neurons.

        Args:
            side: 'encoder' or 'decoder'.
            time: one of ``times``.
            exact: solve the assignment of neurons to ideal particles (at most 4,096 neurons). Otherwise the distance
                is sliced: the root mean square of the distances of 200 random projections, times the root of the
                dimension.
            seed: of the random projections.

        Raises:
            ArgumentError: where there are too many neurons for ``exact``, or another argument breaks its rule.

        """
        index = _checks.index_of_time("time", time, self.times)
        exact = _checks.flag("exact", exact)
        ours, ideal = (_parameters(getattr(state, _side(side)))[:, index] for state in (self.networks, self.ideal))
        if exact:
            if ours.shape[1] > LARGEST_ASSIGNMENT:
                _checks.refuse("exact", f"be False beyond {LARGEST_ASSIGNMENT:,} neurons", exact)
            return np.array([_assigned(a, b) for a, b in zip(ours, ideal, strict=True)])
        directions = np.random.default_rng(_checks.seed("seed", seed)).standard_normal((ours.shape[2], PROJECTIONS))
        directions /= np.linalg.norm(directions, axis=0)
        difference = np.sort(ours @ directions, axis=1) - np.sort(ideal @ directions, axis=1)
        return np.sqrt(ours.shape[2] * (difference**2).mean(axis=(1, 2)))


@with_bar
def couple(
    problem: Problem,
    times: ArrayLike,
    width: int | tuple[int, int],
    *,
    step_size: float = 0.0,
    batch_size: int = 1,
    sampling: Sampling | None = None,
    runs: int = 8,
    particles: int = 2048,
    seed: int = 0,
    rtol: float | None = None,
    max_steps: int = 20_000,
    dtype: Precision | Any = "float64",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Coupling:
    r"""Follow finite networks and, from the same initial neurons, ideal particles in the mean-field velocity field.

    θ_i moves with the network's own velocity (or its SGD steps), θ̄_i by dθ̄_i/dt = −ξ ∇Ψ(θ̄_i; ρ_t, ν_t) with the
    mean-field measures (ρ_t, ν_t): particles without mass beside those that carry it.

    Args:
        problem: data, Gaussian law, activations and rates.
        times: shape (T,); all neurons are kept at all of them.
        width: N, or (N_E, N_D).
        step_size: of SGD, or 0 for the gradient flow of the network.
        batch_size, sampling: of SGD, as in `train`.
        runs: independent networks; those of `train` and `gradient_flow` with the same seed.
        particles: of the mean-field measures, a side (a power of 2).
        seed, rtol, max_steps, dtype, workers, progress: as in `gradient_flow`.

    Raises:
        ArgumentError: where an argument breaks its rule.
        NumericalError: where time steps fail or a run diverges.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine", max_points=32)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=2))
        >>> coupling = im.couple(problem, [0.0, 1.0], width=32, runs=2, particles=64)
        >>> coupling.encoder.shape, float(coupling.encoder[:, 0].max())
        ((2, 2), 0.0)

    """
    _checks.instance("problem", problem, Problem)
    problem.require_gradient_flow("couple")
    grid = _checks.times("times", times)
    widths = check_width(width)
    step_size = _checks.real("step_size", step_size, minimum=0)
    runs = _checks.integer("runs", runs, minimum=1)
    check_quadrature("sobol", _checks.integer("particles", particles, minimum=1))
    seed = _checks.seed("seed", seed)
    precision = floating("dtype", dtype)
    settings = flow_settings(rtol, None, max_steps, precision)
    _checks.integer("batch_size", batch_size, minimum=1)
    if sampling is not None:
        _checks.choice("sampling", sampling, SAMPLINGS)
    _checks.function("progress", progress, optional=True)
    check_memory_of_networks(problem, "width", width, widths, precision)
    check_number_of_jobs("runs", runs, 8 * len(grid))
    check_memory_of_particles(problem, "particles", particles, precision)
    start = problem.particles(particles, seed, 0, precision, in_span=True)
    carriers = start.lifted(start.network)
    field = VectorField.of(problem.population, problem.motion, precision)
    everywhere = range(len(grid))

    def follow(run: int) -> Autoencoder:
        drawn = problem.draw(run_keys(seed, run)[0], widths, precision)
        joint = problem.autoencoder(
            _with_tracers(carriers.encoder, drawn.encoder), _with_tracers(carriers.decoder, drawn.decoder)
        )
        flow = integrate(field, joint, grid, settings, everywhere)
        flow.status.raise_if_failed()
        assert flow.snapshots is not None
        return flow.snapshots

    options: dict[str, Any] = {
        "runs": runs,
        "seed": seed,
        "snapshot_times": grid,
        "dtype": precision,
        "workers": workers,
    }
    if step_size > 0:
        finite = train(problem, grid, widths, step_size, batch_size=batch_size, sampling=sampling, **options)
    else:
        finite = gradient_flow(problem, grid, widths, rtol=rtol, max_steps=max_steps, **options)
    together = jax.tree.map(lambda *leaves: np.stack(leaves), *run_jobs(follow, runs, workers, progress))
    ideal = jax.tree.map(lambda leaf: leaf[:, :, particles:], together)
    assert finite.snapshots is not None
    distance = lambda side: (
        ((_parameters(getattr(finite.snapshots, side)) - _parameters(getattr(ideal, side))) ** 2).sum(-1).mean(-1)
    )
    return Coupling(
        times=grid,
        width=widths,
        encoder=distance("encoder"),
        decoder=distance("decoder"),
        risk=finite.risk,
        networks=finite.snapshots,
        ideal=ideal,
        limit=jax.tree.map(lambda leaf: leaf[0, :, :particles], together),
    )


def _with_tracers(carriers: NeuronMeasure, tracers: NeuronMeasure) -> NeuronMeasure:
    """Return the carriers' measure with neurons of mass 0 beside them, which move and don't act."""
    weightless = eqx.tree_at(lambda measure: measure.masses, tracers, np.zeros_like(tracers.masses))
    return jax.tree.map(lambda *leaves: np.concatenate([np.asarray(leaf) for leaf in leaves]), carriers, weightless)


def _parameters(measure: NeuronMeasure) -> np.ndarray:
    parts = (measure.outgoing, measure.incoming, measure.bias[..., None])
    return np.concatenate([np.asarray(part, float) for part in parts], axis=-1)


def _assigned(ours: np.ndarray, theirs: np.ndarray) -> float:
    costs = cdist(ours, theirs, "sqeuclidean")
    return float(np.sqrt(costs[linear_sum_assignment(costs)].mean()))


def _side(side: Side) -> str:
    return _checks.choice("side", side, ("encoder", "decoder"))
