"""What a solver returns: risks at times, networks at chosen times, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from isthmus import _checks
from isthmus._errors import Status
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure


@dataclass(frozen=True)
class MeanFieldPath:
    """The mean-field path on a grid of times.

    Attributes:
        times: shape (T,), in mean-field time.
        risk: R(t), the mean over replicates, shape (T,).
        errors: the parts of the numerical error by name, each of shape (T,): 'particles', half the width of the 95 %
            interval over replicates (NaN for a single one); 'time_steps', from a solve with finer ones;
            'population', for a stream, half the width of the 95 % interval over samples of the population.
        replicate_risk: shape (replicates, T).
        particles: particles a side in each replicate.
        snapshot_times: shape (S,), those of ``times`` at which the measures were kept.
        snapshots: the autoencoders at these times, of the first replicate.
        status: how the solve ended.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine", max_points=32)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=2))
        >>> path = im.solve_mean_field(problem, [0.0, 1.0, 2.0], particles=64, snapshot_times=[0.0, 2.0])
        >>> bool(path.risk_error.max() < 0.1 * path.risk.min()), sorted(path.errors)
        (True, ['particles', 'population', 'time_steps'])
        >>> path.at(2.0).encode(data.points).shape
        (32, 2)

    """

    times: np.ndarray
    risk: np.ndarray
    errors: dict[str, np.ndarray]
    replicate_risk: np.ndarray
    particles: int
    snapshot_times: np.ndarray
    snapshots: tuple[Autoencoder, ...]
    status: Status

    @property
    def risk_error(self) -> np.ndarray:
        """How far ``risk`` may be from the truth, shape (T,): the sum of all parts of the error."""
        return np.sum(list(self.errors.values()), axis=0)

    def at(self, time: float) -> Autoencoder:
        """Return the autoencoder at one of ``snapshot_times``."""
        return self.snapshots[_checks.index_of_time("time", time, self.snapshot_times)]

    @property
    def encoder(self) -> NeuronMeasure:
        """The encoder's measure ρ at the last snapshot."""
        return self.snapshots[-1].encoder

    @property
    def decoder(self) -> NeuronMeasure:
        """The decoder's measure ν at the last snapshot."""
        return self.snapshots[-1].decoder


@dataclass(frozen=True)
class TrainingRuns:
    """Independent runs of networks of one width, on a grid of times.

    Attributes:
        times: shape (T,), t = step size × steps.
        risk: shape (runs, T).
        width: (N_E, N_D), neurons of the encoder and of the decoder.
        snapshot_times: shape (S,), those of ``times`` at which the networks were kept.
        snapshots: the networks, each array with leading axes (runs, S); None where S = 0.
        diverged_at: the recorded time at which a run was first seen to have diverged, else NaN, shape (runs,).
        status: how the runs ended.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine", max_points=32)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=2))
        >>> runs = im.train(problem, [0.0, 1.0], 32, 0.25, batch_size=4, runs=3, snapshot_times=[1.0])
        >>> runs.risk.shape, runs.at(1.0, run=2).encode(data.points).shape
        ((3, 2), (32, 2))

    """

    times: np.ndarray
    risk: np.ndarray
    width: tuple[int, int]
    snapshot_times: np.ndarray
    snapshots: Autoencoder | None
    diverged_at: np.ndarray
    status: Status

    def at(self, time: float, run: int = 0) -> Autoencoder:
        """Return the network of ``run`` at ``time``, which must be one of ``snapshot_times``.

        Raises:
            ArgumentError: where there is no such run, or no network was kept at this time.

        """
        run = _checks.integer("run", run, 0, len(self.risk) - 1, "the last run")
        if self.snapshots is None:
            _checks.refuse("time", "be one of the snapshot times", time, "no network was kept")
        index = _checks.index_of_time("time", time, self.snapshot_times)
        return jax.tree.map(lambda leaf: leaf[run, index], self.snapshots)

    @property
    def encoder(self) -> NeuronMeasure:
        """The encoders at the last snapshot, with a leading axis of runs."""
        return self._last.encoder

    @property
    def decoder(self) -> NeuronMeasure:
        """The decoders at the last snapshot, with a leading axis of runs."""
        return self._last.decoder

    @property
    def _last(self) -> Autoencoder:
        if self.snapshots is None:
            _checks.refuse("snapshot_times", "hold at least one time at which networks are kept", ())
        return jax.tree.map(lambda leaf: leaf[:, -1], self.snapshots)
