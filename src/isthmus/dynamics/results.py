"""What a solver returns: risks at times, networks at chosen times, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from isthmus import _checks
from isthmus._display import Shown, Summary
from isthmus._errors import Status
from isthmus._words import counted, listed, number, setting, whole
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.dynamics.batches import Sampling

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True, repr=False)
class MeanFieldPath(Summary):
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

    plot = Shown("plots.path")

    def _lines(self) -> list[tuple[str, object]]:
        largest = float(self.risk_error.max())
        parts = listed([name.replace("_", " ") for name in self.errors])
        error = f"at most {number(largest)} ({parts})" if largest == largest else "not known from 1 replicate"
        return [
            ("risk", fall(self.times, self.risk)),
            ("error", error),
            ("particles", f"{whole(self.particles)} a side, {counted(len(self.replicate_risk), 'replicate')}"),
            ("measures", kept_at(self.snapshot_times)),
            ("status", "ok" if self.status.ok else self.status.message),
        ]

    def _curve(self) -> tuple[np.ndarray, np.ndarray]:
        return self.times, self.risk

    def to_xarray(self) -> xr.Dataset:
        """Return risk, its errors and the replicates as a labelled dataset over time."""
        import xarray as xr

        errors = {f"error_{name}": ("time", error) for name, error in self.errors.items()}
        risks = {"risk": ("time", self.risk), "replicate_risk": (("replicate", "time"), self.replicate_risk)}
        return xr.Dataset(risks | errors, {"time": self.times}, {"particles": self.particles})

    def to_pandas(self) -> pd.DataFrame:
        """Return risk and its errors as a table with a row for each time."""
        return self.to_xarray().drop_dims("replicate").to_dataframe()

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


@dataclass(frozen=True, repr=False)
class TrainingRuns(Summary):
    """Independent runs of networks of one width, on a grid of times.

    Attributes:
        times: shape (T,), t = step size × steps.
        risk: shape (runs, T).
        width: (N_E, N_D), neurons of the encoder and of the decoder.
        snapshot_times: shape (S,), those of ``times`` at which the networks were kept.
        snapshots: the networks, each array with leading axes (runs, S); None where S = 0.
        diverged_at: the recorded time at which a run was first seen to have diverged, else NaN, shape (runs,).
        status: how the runs ended.
        step_size, batch_size, sampling: of the training; 0 and None for a flow.
        optimizer: what training in its steps is called, or in the flow that its small steps follow.

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
    step_size: Any = 0.0
    batch_size: int | None = None
    sampling: Sampling | None = None
    optimizer: str = "SGD"

    plot = Shown("plots.training")

    @property
    def trained_by(self) -> str:
        """The name of the steps, or of the flow, that networks took."""
        if self.step_size != 0:
            return self.optimizer
        return "gradient flow" if self.optimizer == "SGD" else f"flow of {self.optimizer}"

    @property
    def networks_in_words(self) -> str:
        """How many there are, how wide, and how they are trained."""
        size = "by a schedule" if callable(self.step_size) else setting(self.step_size)
        batches = "full batches" if self.batch_size is None else f"batches of {whole(self.batch_size)}"
        moving = self.trained_by + (f", step size {size}, {batches}" if self.step_size != 0 else "")
        return f"{counted(len(self.risk), 'run')} of {of_width(self.width)}, {moving}"

    def _lines(self) -> list[tuple[str, object]]:
        spread = f", standard deviation {number(float(self.risk[:, -1].std(ddof=1)))}" if len(self.risk) > 1 else ""
        return [
            ("networks", self.networks_in_words),
            ("risk", f"{fall(self.times, self.risk.mean(axis=0))}{' on average' if spread else ''}{spread}"),
            ("kept", kept_at(self.snapshot_times)),
            ("status", "ok" if self.status.ok else self.status.message),
        ]

    def _curve(self) -> tuple[np.ndarray, np.ndarray]:
        return self.times, self.risk.mean(axis=0)

    def to_xarray(self) -> xr.Dataset:
        """Return the risk of each run as a labelled dataset over run and time."""
        import xarray as xr

        kept = {"width": list(self.width), "batch_size": self.batch_size or 0, "sampling": self.sampling or ""}
        kept |= {} if callable(self.step_size) else {"step_size": self.step_size}
        places = {"run": np.arange(len(self.risk)), "time": self.times}
        return xr.Dataset(
            {"risk": (("run", "time"), self.risk), "diverged_at": ("run", self.diverged_at)}, places, kept
        )

    def to_pandas(self) -> pd.DataFrame:
        """Return the risk as a table with a row for each time and a column for each run."""
        return self.to_xarray().risk.transpose("time", "run").to_pandas()

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


def of_width(width: tuple[int, int]) -> str:
    """Return the widths of both sides in words, once where they are the same."""
    return f"width {listed([whole(side) for side in dict.fromkeys(width)])}"


def fall(times: np.ndarray, risk: np.ndarray) -> str:
    """Return the risk at the start and at the end in words."""
    last = f"{number(float(risk[-1]))} at t = {setting(float(times[-1]))}"
    if len(times) == 1:
        return last
    return f"{number(float(risk[0]))} at t = {setting(float(times[0]))}, {last} ({whole(len(times))} times)"


def kept_at(times: np.ndarray) -> str:
    """Return at which times networks are kept, in words."""
    if len(times) > 4:
        return f"at {whole(len(times))} times up to t = {setting(float(times[-1]))}"
    return f"at t = {listed([setting(float(time)) for time in times])}" if len(times) else "none"
