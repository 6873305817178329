"""What a fit leaves, whichever way it was trained."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.estimator.coordinates import Coordinates, Spectrum
from isthmus.estimator.schedule import Schedule
from isthmus.estimator.settings import Settings
from isthmus.estimator.start import pca_network


class HeldOutCurve(NamedTuple):
    """The risk on held-out points at mean-field times, shape (T,), and PCA's risk on the same points."""

    times: np.ndarray
    risks: np.ndarray
    pca_risk: float


@dataclass(frozen=True)
class Run:
    """A trained network, which acts on (x − mean)/unit, and how it came about.

    Attributes:
        spectrum: mean, unit and principal directions.
        times, training_curve: mean-field times, and the risk of the running network there, in units of the variance.
        validation: the same for held-out points, None without them.
        pca_risk, risk: of PCA and of the kept network, on the training data.
        schedule: of the steps that were taken, None for PCA.
        steps: how many were taken.
        chosen: what was chosen and why, in one sentence.
        held_out: the rows held out for early stopping.

    """

    network: Autoencoder
    spectrum: Spectrum
    times: np.ndarray
    training_curve: np.ndarray
    validation: HeldOutCurve | None
    pca_risk: float
    risk: float
    schedule: Schedule | None
    steps: int
    chosen: str
    held_out: np.ndarray | None = None


def pca_run(spectrum: Spectrum, pca_risk: float, why: str, validation: HeldOutCurve | None = None) -> Run:
    """Return PCA as a network, whose learning curve is constant, since gradients vanish there.

    ``why`` is a clause that says why it was chosen, ``validation`` what was learned of held-out points before.
    """
    return Run(
        network=pca_network(spectrum.components, spectrum.encoding),
        spectrum=spectrum,
        times=np.array([0.0, 1.0 if validation is None or len(validation.times) < 2 else validation.times[-1]]),
        training_curve=np.full(2, pca_risk),
        validation=validation,
        pca_risk=pca_risk,
        risk=pca_risk,
        schedule=None,
        steps=0,
        chosen=f"{why}.",
    )


def record_marks(steps: int, records: int) -> list[int]:
    """Return the numbers of steps after which a learning curve is measured, from 0 to all of them, evenly spaced."""
    return np.unique(np.rint(np.linspace(0, steps, min(records, steps) + 1)).astype(int)).tolist()


@dataclass(frozen=True)
class FitState:
    """What a fitted estimator knows of itself, for its diagnosis.

    Attributes:
        settings: its parameters.
        network, coordinates: the network, and the coordinates in which it acts.
        components: the principal directions, shape (k, d).
        schedule, steps, horizon: of its training; no schedule and 0 where it is PCA or comes from `partial_fit`.
        times, curve: the recorded learning curve, None where there is none.
        held_out: the rows held out for early stopping.

    """

    settings: Settings
    network: Autoencoder
    coordinates: Coordinates
    components: np.ndarray
    schedule: Schedule | None
    steps: int
    horizon: float
    times: np.ndarray | None
    curve: np.ndarray | None
    held_out: np.ndarray | None


class Watch:
    """The outside of training: printed lines, records for callbacks, and the time allowed."""

    def __init__(self, name: str, verbose: bool, max_time: float | None, report: Callable[[], bool]) -> None:
        self._name, self._verbose, self._report = name, verbose, report
        self._begun, self._max_time = time.monotonic(), max_time

    def say(self, text: str) -> None:
        """Print a line, if lines are wanted."""
        if self._verbose:
            print(f"[{self._name}] {text}", flush=True)

    def recorded(self) -> bool:
        """Report a record to callbacks, and return whether one of them wants to stop."""
        return self._report()

    def spent(self, share: float = 1.0) -> bool:
        """Whether a share of the time allowed has passed."""
        return self._max_time is not None and time.monotonic() - self._begun > share * self._max_time
