"""The best network of a finite width that can be found, to be compared with the optimum over measures."""

from __future__ import annotations

import numpy as np

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus._precision import DOUBLE, computing_in
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.frame import in_axes
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.problem import Problem
from isthmus.dynamics.parallel import Progress, check_number_of_jobs, number_of_workers, run_jobs
from isthmus.theory.atoms import apportioned
from isthmus.theory.landscape import Landscape
from isthmus.theory.optimum import Optimum
from isthmus.theory.starts import Starts


@with_bar
def best_networks(
    problem: Problem,
    optimum: Optimum,
    width: int,
    *,
    restarts: int = 8,
    beside: Autoencoder | None = None,
    iterations: int = 3000,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[np.ndarray, Autoencoder]:
    r"""Train networks of width N to a local minimum of the objective; return the objectives and the best network.

    min over θ_1…θ_N, ω_1…ω_N of R_N + (λ_E/2N) Σ|θ_i|² + (λ_D/2N) Σ|ω_j|², by L-BFGS on full batches, from several
    starts: the optimum's atoms, each with its share of the neurons; a given narrower network whose neurons are
    doubled; draws from the optimum; and starts as for the optimum itself. By draws from the optimum alone, without
    training, a network pays what `expressivity` says.

    Args:
        problem: as for `solve_optimum`.
        optimum: of that problem.
        width: N, of both layers.
        restarts: how many starts.
        beside: a network whose width divides N, which is one more start.
        iterations: of each descent, at most.
        seed: of the draws.
        workers: threads; restarts run side by side.
        progress: True for a bar, or called as ``progress(done, total)`` after each restart.

    Raises:
        ArgumentError: where an argument breaks its rule.

    See Also:
        `solve_optimum`: the optimum over measures, below which no width goes.
        `expressivity`: the excess risk of networks drawn from the optimum, without training.
        `expressivity_curve`: the study that compares all three at several widths.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine", max_points=16)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=1, activation="linear"), activation="linear")
        >>> optimum = im.solve_optimum(problem, atoms=2, restarts=1)
        >>> objectives, network = im.best_networks(problem, optimum, width=4, restarts=2)
        >>> bool(objectives.min() >= optimum.objective * (1 - 1e-5))
        True

    """
    _checks.instance("problem", problem, Problem)
    _checks.instance("optimum", optimum, Optimum)
    width = _checks.integer("width", width, minimum=1)
    restarts = _checks.integer("restarts", restarts, minimum=1)
    if beside is not None:
        _checks.instance("beside", beside, Autoencoder)
    iterations = _checks.integer("iterations", iterations, minimum=1)
    seed = _checks.seed("seed", seed)
    workers = number_of_workers(workers)
    _checks.function("progress", progress, optional=True)
    size = 16 * width * (problem.dim + problem.latent_dim + 2)
    _checks.memory("width", width, size)
    check_number_of_jobs("restarts", restarts, size)
    with computing_in(DOUBLE):
        landscape = Landscape.of(problem, optimum.radius)
    starts = [_apportioned(optimum.autoencoder, width)]
    if beside is not None and width % beside.encoder.width == 0:
        starts.append(_repeated(beside, width // beside.encoder.width))
    others = Starts(problem, seed)
    for index in range(len(starts), restarts):
        if index % 2:
            starts.append(optimum.draw(width, seed + index))
        else:
            starts.append(others.drawn(index, width))

    def descend(index: int) -> tuple[float, Autoencoder]:
        with computing_in(DOUBLE):
            inside = in_axes(starts[index], landscape.basis)
            network = landscape.descended(inside, free_masses=False, iterations=iterations)
            return landscape.objective(network), in_axes(network, landscape.basis.T)

    ends = run_jobs(descend, restarts, workers, progress)
    objectives = np.array([objective for objective, _ in ends])
    return objectives, ends[int(objectives.argmin())][1]


def _apportioned(network: Autoencoder, width: int) -> Autoencoder:
    """Return a network of N neurons in which every atom has its share."""

    def side(measure: NeuronMeasure) -> NeuronMeasure:
        counts = apportioned(np.asarray(measure.masses, float), width)
        return measure.chosen(np.repeat(np.arange(measure.width), counts))

    return network.with_measures(side(network.encoder), side(network.decoder))


def _repeated(network: Autoencoder, times: int) -> Autoencoder:
    """Return the network in which each neuron stands several times: the same measure."""
    side = lambda measure: measure.chosen(np.tile(np.arange(measure.width), times))
    return network.with_measures(side(network.encoder), side(network.decoder))
