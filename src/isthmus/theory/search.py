"""The search for the optimum from one start: descents, mergers and births, until the certificate meets a tolerance."""

from __future__ import annotations

import contextlib
import functools
import operator
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from isthmus import _checks
from isthmus._words import number
from isthmus.core.autoencoder import Autoencoder
from isthmus.dynamics.parallel import Progress
from isthmus.theory.atoms import consolidated, number_of_atoms, with_births, with_room
from isthmus.theory.certificates import SOFTNESS, Certificate, certified
from isthmus.theory.hessian import Lines
from isthmus.theory.kinked_descent import lines_beside, settled_at_kinks
from isthmus.theory.kinks import has_kink
from isthmus.theory.landscape import Landscape

FIRST_SOFTNESS = 0.3
"""Of the descent from the start, relative to the size of neurons as those below."""
SOFTNESSES = (0.1, 0.03, 0.01, 3e-3, 1e-3, 1e-4, 1e-5, SOFTNESS)
"""By how much kinks are softened, one after the other."""
SOFT_TOLERANCE = 1e-3
"""Of the certificate of softened kinks, relative to the objective, before they are softened less."""
LOOSE = 0.1
"""Share of the softness that is tolerated in that certificate where it is more."""
BIRTHS = 8
"""New atoms on each side in a round."""
TRIES = 16
"""Starts of a restart."""
HEATS = (250, 4), (1500, 1)
"""Iterations of their first descents, and how many of them, the lowest, go on."""
DESCENTS = TRIES + sum(kept for _, kept in HEATS[:-1])
"""First descents of a restart."""
ITERATIONS = 1500
"""Iterations of a descent between births, at most."""
STEPS = 100
"""Steps of Newton's method that end a descent, at most."""
BRIEFLY, AMPLY, FULLY = (15, 1e-8), (60, 1e-13), (10, 1e-14)
"""Such steps, and what ten of them must gain, where kinks keep them short: before the last two softnesses, then, and
where they aren't softened any more, there twice as many in each round as in the one before."""
LONGEST = 5
"""Times that their number is doubled, at most."""
LEAST_GAIN = 1e-7
"""A round that lowers the objective by a smaller share of it is idle,"""
NEARER = 0.8
"""unless it brings the certificate down to this share of the least so far."""
SOFT_GAIN = 1e-5
"""Instead, before the last softness, where nothing is final."""
SOFT_SHARE = 0.8
"""Share of the rounds that all softnesses but the last may take."""
IDLE_ROUNDS = 4
"""Idle rounds after which the search ends."""
AGAIN = 10_000
"""Added to the seed where a certificate that meets the tolerance is searched once more."""


class End(NamedTuple):
    """Where a restart ended, or is: a network in the coordinates of the landscape, its certificate and objective."""

    network: Autoencoder
    certificate: Certificate
    objective: float
    lines: Lines = (None, None)

    @property
    def excess(self) -> float:
        """How far the certificate is from 0, relative to the objective."""
        return self.certificate.worst / self.objective


class _Stages:
    """The stages of a search, each with its softness, and whether its rounds still gain anything."""

    def __init__(self, network: Autoencoder, rounds: int) -> None:
        self._kinky = any(has_kink(phi) for phi in (network.encoder_activation, network.decoder_activation))
        count = min(len(SOFTNESSES), max(1, int(SOFT_SHARE * rounds)))
        self._path = SOFTNESSES[-count:] if self._kinky else (0.0,)
        self._left = int(SOFT_SHARE * rounds)
        self._at, self._exact, self._idle, self._objective, self._nearest = 0, 0, 0, np.inf, np.inf

    @property
    def share(self) -> float:
        """The softness of this stage, relative to the size of neurons."""
        return self._path[self._at]

    @property
    def last(self) -> bool:
        """Whether this is the last stage."""
        return self._at + 1 == len(self._path)

    @property
    def steps(self) -> tuple[int, float]:
        """Steps of Newton's method in this stage, and what ten of them must gain."""
        if not self._kinky:
            return STEPS, 0.0
        if self.last:
            return FULLY[0] << min(self._exact, LONGEST), FULLY[1]
        return BRIEFLY if self._at + 2 < len(self._path) else AMPLY

    def go_on(self, end: End) -> bool:
        """Return whether another round is worth it, after one that ended so; where a stage is done, go to the next."""
        least = LEAST_GAIN if self.last else SOFT_GAIN
        gained = end.objective < self._objective * (1 - least) or (self.last and end.excess < NEARER * self._nearest)
        self._idle, self._objective = 0 if gained else self._idle + 1, end.objective
        if self.last:
            self._exact, self._nearest = self._exact + 1, min(self._nearest, end.excess)
            return self._idle < IDLE_ROUNDS
        self._left -= 1
        late = self._left < len(self._path) - 1 - self._at  # one round for each softness that is left
        if self._idle or late or end.excess <= max(SOFT_TOLERANCE, LOOSE * self.share):
            self._at, self._idle = self._at + 1, 0
        return True


class Search:
    """The restarts of one search, which may run side by side, and what they have found so far.

    Attributes:
        tolerance, rounds, starts, restarts: as for `solve_optimum`.
        stopped: whether it was told to stop; restarts that run then end with the round that they are in.

    """

    def __init__(
        self, landscape: Landscape, tolerance: float, rounds: int, starts: int, restarts: int, progress: Progress | None
    ) -> None:
        _checks.function("progress", progress, optional=True)
        self.tolerance, self.rounds, self.starts, self.stopped = tolerance, rounds, starts, False
        self._landscape, self._progress, self._lock = landscape, progress, threading.Lock()
        self._ends: dict[int, End] = {}
        self._done, self._each, self.restarts = 0, rounds + 1 + DESCENTS, restarts
        if progress is not None:
            progress(0, self._each * restarts)

    @property
    def ends(self) -> list[End]:
        """The ends of those restarts that have one, in order."""
        return [self._ends[index] for index in sorted(self._ends)]

    def stop(self) -> None:
        """Let restarts end with the round that they are in."""
        self.stopped = True

    def from_best_of(self, networks: Iterable[Autoencoder], index: int, seed: int) -> End:
        """Descend from several starts, and go on from the one that came furthest.

        Most local optima differ so much that the first descent tells them apart.

        Args:
            networks: ``TRIES`` of them, in the coordinates of the landscape, their atoms of equal mass.
            index: of the restart.
            seed: of the searches for least first variations.

        """
        with self._counting() as count:
            found = [(np.inf, with_room(network)) for network in networks]
            for iterations, kept in HEATS:
                left, found = found, []
                for _, network in left:
                    if not (found and self.stopped):
                        found.append(self._descended(network, iterations))
                        count()
                found = sorted(found, key=operator.itemgetter(0))[:kept]
            return self._refined(found[0][1], index, seed, count)

    def _descended(self, network: Autoencoder, iterations: int) -> tuple[float, Autoencoder]:
        """Return the objective after a descent from a start, and the network there."""
        softness = self._landscape.softness(network, FIRST_SOFTNESS)
        network = self._landscape.descended(network, free_masses=False, iterations=iterations, softness=softness)
        return self._landscape.objective(network, softness), network

    def _refined(self, network: Autoencoder, index: int, seed: int, count: Callable[[], None]) -> End:
        """Merge, give birth and descend until the certificate meets the tolerance, or nothing is gained any more.

        Where φ has a kink, it is softened less and less, and at last preactivations are kept on it.
        """
        landscape, tolerance = self._landscape, self.tolerance
        stages, best, exact = _Stages(network, self.rounds), None, False
        lines: Lines = (None, None)
        for number_of_round in range(self.rounds + 1):
            last, scaled = stages.last, landscape.softness(network, stages.share)
            softness, settled = 0.0 if last else scaled, network
            network = consolidated(network, landscape, BIRTHS, softness)
            lines = lines_beside(network, settled, lines)
            end, candidates = self._examined(network, scaled, last, seed + number_of_round, lines)
            best, exact = (end, last) if best is None or not exact or end.excess < best.excess else (best, exact)
            self._note(index, best)
            done = last and end.certificate.meets(end.objective, tolerance)
            if done or self.stopped or number_of_round == self.rounds or not stages.go_on(end):
                break
            settled = network
            for side in (1, 0):
                network = with_births(network, side, candidates[side], BIRTHS, landscape, softness)
            former, scaled, (steps, gain) = scaled, landscape.softness(network, stages.share), stages.steps
            if stages.last and landscape.keeps_kinks(network):
                known = lines_beside(network, settled, lines)
                over = lambda: self.stopped
                network, lines = settled_at_kinks(landscape.field, network, former, steps, gain, known, over)
            else:
                lines = None, None
                network = landscape.descended(network, iterations=ITERATIONS, softness=scaled)
                network = landscape.settled(network, iterations=steps, softness=scaled, gain=gain)
            count()
        assert best is not None
        self._note(index, best)
        return best

    def _examined(
        self, network: Autoencoder, softness: float, last: bool, seed: int, lines: Lines
    ) -> tuple[End, tuple]:
        """Return a network with its certificate, and neurons for births; one that is good enough is searched twice."""
        objective = self._landscape.objective(network)
        enough = self.tolerance * objective
        search = functools.partial(
            certified,
            network,
            self._landscape,
            self.starts,
            softness=softness,
            enough=enough,
            soft=not last,
            lines=lines,
        )
        certificate, candidates = search(seed)
        if last and certificate.meets(objective, self.tolerance):
            again, others = search(seed + AGAIN)
            if not again.meets(objective, self.tolerance):  # what the first search had missed
                certificate, candidates = again, others
        return End(network, certificate, objective, lines), candidates

    @contextlib.contextmanager
    def _counting(self) -> Iterator[Callable[[], None]]:
        """Give what a restart calls after each of its rounds; one that ends early has done all of its own."""
        left = self._each

        def count() -> None:
            nonlocal left
            left -= 1
            self._add(1)

        yield count
        self._add(left)

    def _add(self, rounds: int) -> None:
        with self._lock:
            self._done += rounds
            if self._progress is not None and rounds > 0:
                self._progress(self._done, self._each * self.restarts)

    def _note(self, index: int, end: End) -> None:
        """Keep where a restart is, and tell a progress that takes notes about the best so far."""
        self._ends[index] = end
        note = getattr(self._progress, "note", None)
        if note is None:
            return
        with self._lock:
            best = min(self._ends.values(), key=lambda end: end.objective)
            encoder, decoder = number_of_atoms(best.network)
            note(f"objective {number(best.objective, 6)}, gap {number(best.excess, 2)}, {encoder} + {decoder} atoms")


@contextlib.contextmanager
def one_thread_for_matrices() -> Iterator[None]:
    """Compute products of matrices on one thread each: to start several takes longer than a small product."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield
