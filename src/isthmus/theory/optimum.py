"""The optimum over measures: how good an infinitely wide autoencoder can be, with certificates."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus._display import Shown, Summary
from isthmus._errors import InterruptedWarning, Status
from isthmus._precision import DOUBLE, computing_in
from isthmus._warnings import warn
from isthmus._words import counted, number, setting
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.frame import in_axes
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.problem import Problem
from isthmus.dynamics.parallel import Progress, check_number_of_jobs, run_jobs
from isthmus.dynamics.sgd import check_width
from isthmus.theory.atoms import number_of_atoms, without_room
from isthmus.theory.certificates import SOFTNESS, Certificate, certified
from isthmus.theory.expressivity import Expressivity, expressivity
from isthmus.theory.landscape import Landscape, check_bounded
from isthmus.theory.search import TRIES, End, Search, one_thread_for_matrices
from isthmus.theory.starts import Starts

SLACK = 0.3
"""Share of the tolerance by which a proof may miss the least first variation; the search leaves so much room for it."""
AGREEMENT = 1e-4
"""Restarts whose objectives differ by a smaller share agree."""


@dataclass(frozen=True, repr=False)
class Optimum(Summary):
    """The best pair of measures that was found, and what is known of its distance from the optimum.

    It is the result of `solve_optimum`. Its ``encoder`` and ``decoder`` are measures.

    Attributes:
        risk: R = ½ E‖x − x̂‖² there.
        objective: R plus the penalty, which is what is minimised.
        autoencoder: the measures, atoms with masses, in the coordinates of the data.
        atoms: how many atoms encoder and decoder have.
        certificate: duality gap of the decoder, first-order optimality of the encoder.
        expressivity: the constants of the excess risk of networks drawn from the measures.
        restarts: the objective that each restart ended with, in order, shape (restarts,).
        radius: of the balls of neurons, None for none.
        status: whether the certificate meets the tolerance.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine", max_points=16)
        >>> law = im.aligned_law(data, latent_dim=1, activation="linear")
        >>> optimum = im.solve_optimum(im.Problem(data, law, "linear"), atoms=2, restarts=2)
        >>> optimum.agreement, optimum.draw(width=5).encoder.width
        (2, 5)

    """

    risk: float
    objective: float
    autoencoder: Autoencoder
    atoms: tuple[int, int]
    certificate: Certificate
    expressivity: Expressivity
    restarts: np.ndarray
    radius: float | None
    status: Status

    @property
    def encoder(self) -> NeuronMeasure:
        """The encoder's measure ρ."""
        return self.autoencoder.encoder

    @property
    def decoder(self) -> NeuronMeasure:
        """The decoder's measure ν."""
        return self.autoencoder.decoder

    @property
    def agreement(self) -> int:
        """How many restarts ended within 10⁻⁴ (relative) of the best one."""
        return int(np.sum(self.restarts <= self.restarts.min() * (1 + AGREEMENT)))

    def draw(self, width: int | tuple[int, int], seed: int = 0) -> Autoencoder:
        """Return a network of ``width`` N, or (N_E, N_D), whose neurons are drawn from the measures by ``seed``."""
        random = np.random.default_rng(_checks.seed("seed", seed))
        widths = check_width(width)
        sides = []
        for measure, count in zip((self.encoder, self.decoder), widths, strict=True):
            _checks.memory("width", width, 8 * count * (self.autoencoder.dim + self.autoencoder.latent_dim + 2))
            masses = np.asarray(measure.masses, float)
            chosen = random.choice(len(masses), count, p=masses / masses.sum())
            sides.append(measure.chosen(chosen))
        return self.autoencoder.with_measures(*sides)

    plot = Shown("cloud_plots.optimum")

    def _lines(self) -> list[tuple[str, object]]:
        gaps = f"decoder gap {self.certificate.decoder_gap:.2g}, encoder descent {self.certificate.encoder_descent:.2g}"
        return [
            ("risk", f"{self.risk:.6g}, objective {self.objective:.6g}"),
            ("atoms", f"{self.atoms[0]} of the encoder, {self.atoms[1]} of the decoder"),
            ("certificate", gaps),
            ("restarts", f"{self.agreement} of {len(self.restarts)} agree"),
            ("status", "ok" if self.status.ok else self.status.message),
        ]


@with_bar
def solve_optimum(
    problem: Problem,
    *,
    radius: float | None = None,
    atoms: int = 64,
    restarts: int = 4,
    tolerance: float = 1e-5,
    rounds: int = 40,
    starts: int = 1024,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
    throw: bool = True,
) -> Optimum:
    r"""Minimise the objective over all pairs of measures, and certify how close the result is.

    How good an infinitely wide autoencoder can be:

    inf over (ρ, ν) of R(ρ, ν) + (λ_E/2) ∫|θ|²dρ + (λ_D/2) ∫|ω|²dν,  |θ|, |ω| ≤ radius if there is one; rates, optimizer
    and initial law of the problem don't matter, except that starts are drawn from it, among others.

    Each restart begins with sixteen networks of many equal atoms: of the problem's law and aligned ones, of independent
    laws of many scales, and fitted to latents that unfold the data. It descends by L-BFGS from each, and goes on from
    the best. Then, round by round, atoms that came together are merged, atoms are born where the first variation is
    smallest, and positions and masses descend together, until nothing is born any more. An interrupt
    (Ctrl-C) ends it with the best that was found so far, and a warning.

    Args:
        problem: data, activations and weight decay (on both sides, unless there is a radius, or all is linear).
        radius: keep neurons (outgoing, incoming, bias) in a ball.
        atoms: a side, at the start of each restart.
        restarts: each with starts of its own, the best of which goes on.
        tolerance: of the decoder's gap and the encoder's descent, relative to the objective.
        rounds: of births and descents, at most.
        starts: points from which the minimum of a first variation is searched.
        seed: of everything random.
        workers: threads; restarts run side by side.
        progress: True for a bar with the best objective, its gap and its atoms; or called as ``progress(done, total)``
            at the start and after each round of each restart, one call at a time.
        throw: raise `NumericalError` where the certificate of the best restart misses the tolerance.

    Raises:
        ArgumentError: where the problem has no optimum, since neither a penalty nor a ball bounds its neurons, or where
            a temperature is set.
        NumericalError: where the tolerance isn't met.

    See Also:
        `expressivity`: the excess risk of networks that are drawn from given measures.
        `best_networks`: the best network of a finite width.
        `expressivity_curve`: the study of all three at several widths, described by an `ExpressivityStudy`.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine", max_points=16)
        >>> law = im.aligned_law(data, latent_dim=1, activation="linear")
        >>> problem = im.Problem(data, law, "linear", weight_decay=0.01)
        >>> optimum = im.solve_optimum(problem, atoms=4, restarts=1, starts=64)
        >>> optimum.risk < optimum.objective, optimum.certificate.decoder_gap < 1e-5
        (True, True)

    """
    _checks.instance("problem", problem, Problem)
    radius = None if radius is None else _checks.real("radius", radius, above=0)
    atoms = _checks.integer("atoms", atoms, minimum=1)
    restarts = _checks.integer("restarts", restarts, minimum=1)
    tolerance = _checks.real("tolerance", tolerance, above=0)
    rounds = _checks.integer("rounds", rounds, minimum=1)
    starts = _checks.integer("starts", starts, minimum=1)
    seed = _checks.seed("seed", seed)
    _checks.flag("throw", throw)
    check_memory_of_search(problem, atoms, restarts, starts)
    check_bounded(problem, radius)

    with computing_in(DOUBLE):
        landscape = Landscape.of(problem, radius)
    drawn = Starts(problem, seed)
    search = Search(landscape, (1 - SLACK) * tolerance, rounds, starts, restarts, progress)

    def restart(index: int) -> End:
        with computing_in(DOUBLE):
            tries = (drawn.drawn(TRIES * index + at, atoms) for at in range(TRIES))
            return search.from_best_of((in_axes(start, landscape.basis) for start in tries), index, seed + index)

    with one_thread_for_matrices():
        try:
            ends = run_jobs(restart, restarts, workers, None, on_failure=search.stop)
        except KeyboardInterrupt:
            ends = search.ends
            if not ends:
                raise
        return _chosen(problem, landscape, search, ends, seed, tolerance, throw)


def _chosen(
    problem: Problem,
    landscape: Landscape,
    search: Search,
    ends: list[End],
    seed: int,
    tolerance: float,
    throw: bool,
) -> Optimum:
    """Return the best of the ends of restarts, with the last word on its certificate; an interrupt forgoes it."""
    radius = landscape.radius
    with computing_in(DOUBLE):
        objectives = np.array([end.objective for end in ends])
        network, certificate, _, lines = ends[int(objectives.argmin())]
        objective, risk = landscape.objective(network), landscape.risk(network)
        if not (search.stopped or certificate.proven) and certificate.meets(objective, 10 * tolerance):
            enough = tolerance * objective
            certificate, _ = certified(
                network, landscape, search.starts, seed, slack=SLACK * enough, enough=enough, lines=lines
            )
        softness = landscape.softness(network, SOFTNESS)
        certificate = dataclasses.replace(certificate, curvature=landscape.curvature(network, softness, lines))
        outside = in_axes(without_room(network), landscape.basis.T)
    certificate = certificate.beside(_known_optimum(problem, radius), objective)
    status = _status(certificate, objective, tolerance, search.rounds)
    if search.stopped:
        found = f"this is the best that was found by then, in {len(ends)} of {counted(search.restarts, 'restart')}"
        status = dataclasses.replace(status, message=f"interrupted: {found}; {status.message}")
        warn(status.message, InterruptedWarning)
    elif throw:
        status.raise_if_failed()
    return Optimum(
        risk=risk,
        objective=objective,
        autoencoder=outside,
        atoms=number_of_atoms(network),
        certificate=certificate,
        expressivity=expressivity(outside, problem.population),
        restarts=objectives,
        radius=radius,
        status=status,
    )


def check_memory_of_search(problem: Problem, atoms: int, restarts: int, starts: int) -> None:
    """Refuse numbers of atoms, restarts or starting points that can't fit in memory."""
    size = problem.dim + problem.latent_dim + 2
    _checks.memory("atoms", atoms, 16 * atoms * size)
    check_number_of_jobs("restarts", restarts, 16 * size**2)
    _checks.memory("starts", starts, 8 * starts * size)


def _status(certificate: Certificate, objective: float, tolerance: float, rounds: int) -> Status:
    if certificate.meets(objective, tolerance):
        return Status()
    return Status(
        ok=False,
        message=(
            f"after at most {counted(rounds, 'round')} the objective {number(objective, 6)} may still fall by "
            f"{number(certificate.decoder_gap, 2)} in the decoder, and at a rate of "
            f"{number(certificate.encoder_descent, 2)} in the encoder, more than the relative tolerance "
            f"{setting(tolerance)}; raise rounds, atoms or the tolerance"
        ),
    )


def _known_optimum(problem: Problem, radius: float | None) -> float | None:
    r"""Return the global optimum of a linear autoencoder, where it is known.

    The least penalty of a reconstruction with singular values p_i is 2√(λ_E λ_D) Σ √p_i, so that it is the minimum of
    Σ_i [½ l_i (1 − p_i)² + 2√(λ_E λ_D p_i)] over at most k positive p's, with l_i the eigenvalues of E[x xᵀ].
    """
    if radius is not None or any(activation.name != "linear" for activation in problem.activations):
        return None
    data = problem.population
    offset = problem.train_biases and not data.is_centred
    penalty = 2 * np.sqrt(np.prod(problem.decays))
    if offset and penalty > 0:
        return None
    points = data.points.astype(float)
    second = data.covariance if problem.train_biases else (points * data.weights[:, None]).T @ points
    values = np.maximum(np.linalg.eigvalsh(second), 0)
    gains = []
    for value in values:
        cost = lambda p, value=value: value * (1 - p) ** 2 / 2 + penalty * np.sqrt(p)
        inner: Any = minimize_scalar(cost, bounds=(0.2, 1.0), method="bounded", options={"xatol": 1e-12})
        gains.append(max(0.0, value / 2 - min(cost(1.0), float(inner.fun))))
    return float(values.sum() / 2 - np.sort(gains)[::-1][: problem.latent_dim].sum())
