"""What a fit leaves, whichever way it was trained."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.scaling import Scaling
from isthmus.estimator.coordinates import Spectrum
from isthmus.estimator.schedule import Schedule
from isthmus.estimator.start import pca_network


@dataclass(frozen=True)
class Run:
    """A trained network, which acts on (x − mean)/unit, and how it came about.

    Attributes:
        scaling: mean and unit.
        components: the principal directions, shape (k, d).
        times, training_curve: mean-field times, and the risk of the running network there, in units of the variance.
        validation_times, validation_curve: the same for held-out points, None without them.
        validation_pca_risk: PCA's risk on the same held-out points.
        pca_risk, risk: of PCA and of the kept network, on the training data.
        schedule: of the steps that were taken, None for PCA.
        steps: how many were taken.
        chosen: what was chosen and why, in one sentence.
        held_out: the rows held out for early stopping.

    """

    network: Autoencoder
    scaling: Scaling
    components: np.ndarray
    times: np.ndarray
    training_curve: np.ndarray
    validation_times: np.ndarray | None
    validation_curve: np.ndarray | None
    validation_pca_risk: float | None
    pca_risk: float
    risk: float
    schedule: Schedule | None
    steps: int
    chosen: str
    held_out: np.ndarray | None = None


def pca_run(
    spectrum: Spectrum,
    pca_risk: float,
    why: str,
    times: np.ndarray | None = None,
    curve: np.ndarray | None = None,
    validation_pca_risk: float | None = None,
) -> Run:
    """Return PCA as a network, with what was learned of held-out points before it was chosen.

    Its learning curve is constant, since gradients vanish there.
    """
    return Run(
        network=pca_network(spectrum.components, spectrum.encoding),
        scaling=spectrum.scaling,
        components=spectrum.components,
        times=np.array([0.0, 1.0 if times is None or len(times) < 2 else times[-1]]),
        training_curve=np.full(2, pca_risk),
        validation_times=times,
        validation_curve=curve,
        validation_pca_risk=validation_pca_risk,
        pca_risk=pca_risk,
        risk=pca_risk,
        schedule=None,
        steps=0,
        chosen=f"{why}.",
    )


class Watch:
    """What training tells the outside: printed lines, records for callbacks, and whether its time is over."""

    def __init__(self, name: str, verbose: bool, max_time: float | None, report: Callable[[], bool]) -> None:
        self._name, self._verbose, self._report = name, verbose, report
        self._begun, self._max_time = time.monotonic(), max_time

    def say(self, text: str) -> None:
        """Print a line, if lines are wanted."""
        if self._verbose:
            print(f"[{self._name}] {text}", flush=True)

    def recorded(self) -> bool:
        """Tell callbacks of a record, and return whether one of them wants to stop."""
        return self._report()

    def spent(self, share: float = 1.0) -> bool:
        """Whether a share of the time allowed has passed."""
        return self._max_time is not None and time.monotonic() - self._begun > share * self._max_time
