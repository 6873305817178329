"""The gradient flow of weighted neurons by an adaptive Runge–Kutta method: of particles, or of a finite network."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from isthmus import _checks
from isthmus._errors import Status
from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data
from isthmus.core.optimizers import GradientDescent, Motion
from isthmus.core.rates import both_at
from isthmus.dynamics.langevin import langevin_path
from isthmus.dynamics.low_memory import System, low_memory_path
from isthmus.dynamics.placement import Placement

ONE_DEVICE = Placement(None)
MOST_STEPS = 2**31 - 1
"""They are counted in 32 bits."""
LEAST_NOISY_RTOL = 1e-4
"""Below it the error of time steps is lost in the noise of any affordable number of particles."""


class Flow(NamedTuple):
    """Risk (T,) and snapshots of one flow, how it ended, and for one with noise the error of its time steps (T,)."""

    risk: np.ndarray
    snapshots: Autoencoder | None  # arrays with a leading axis of snapshots
    status: Status
    step_error: np.ndarray | None = None


class FlowSettings(NamedTuple):
    """Tolerances of the time steps, the largest number of them, and the fewest between two recorded times."""

    rtol: float
    atol: float
    max_steps: int
    least_steps: int = 1

    def finer(self, dtype: np.dtype) -> FlowSettings:
        """Return settings under which the error of the time steps is at most about a tenth."""
        factor = max(0.1, _smallest_rtol(dtype) / self.rtol)
        return FlowSettings(self.rtol * factor, self.atol * factor, self.max_steps, 2 * self.least_steps)


def flow_settings(rtol: float | None, atol: float | None, max_steps: int, dtype: np.dtype) -> FlowSettings:
    """Return the checked settings of the time steps; rounding bounds the tolerance from below."""
    rtol = (1e-4 if dtype == np.float32 else 1e-6) if rtol is None else rtol
    rtol = _checks.real("rtol", rtol, minimum=_smallest_rtol(dtype), maximum=0.1)
    return FlowSettings(
        rtol,
        rtol / 100 if atol is None else _checks.real("atol", atol, above=0),
        _checks.integer("max_steps", max_steps, 1, MOST_STEPS),
    )


def _smallest_rtol(dtype: np.dtype) -> float:
    return 1e-5 if dtype == np.float32 else 1e-13


def integrate_flow(
    start: Autoencoder,
    population: Data,
    motion: Motion,
    times: np.ndarray,
    snapshot_indices: np.ndarray,
    settings: FlowSettings,
    dtype: np.dtype,
    placement: Placement = ONE_DEVICE,
    low_memory: bool = False,
    noise_key: jax.Array | None = None,
) -> Flow:
    """Follow dθ/dt = −ξ∇Ψ, or what else moves neurons, from ``start``; return the risk at the times and some states."""
    with computing_in(dtype):
        points, weights = placement.place(
            (population.points.astype(dtype), population.weights.astype(dtype)), spread=False
        )
        stops = _stops(times, settings.least_steps)
        if low_memory or times[-1] == 0:
            system = System(
                (start.encoder_activation, start.decoder_activation),
                start.train_biases,
                start.weight_decay,
                points,
                weights,
                motion.rates,
                placement,
            )
            tolerances = (settings.rtol, settings.atol)
            path = low_memory_path(start, system, stops, times, snapshot_indices, tolerances, settings.max_steps)
            return Flow(path.risk, path.snapshots, _status(path.risk, path.successful, path.steps, times, settings))
        if motion.temperature > 0:
            assert noise_key is not None
            tolerance = max(settings.rtol, LEAST_NOISY_RTOL)
            noisy = langevin_path(
                start, points, weights, motion, times, snapshot_indices, tolerance, settings.max_steps, noise_key
            )
            status = _status(noisy.risk, noisy.successful, noisy.steps, times, settings)
            return Flow(noisy.risk, noisy.snapshots, status, noisy.step_error)
        grid = jnp.asarray(times, dtype)
        risk, snapshots, successful, steps = _solve(
            placement.place(start, spread=True),
            points,
            weights,
            grid,
            grid[snapshot_indices] if len(snapshot_indices) else None,
            jnp.asarray(stops, dtype),
            jnp.asarray(settings.rtol, dtype),
            jnp.asarray(settings.atol, dtype),
            settings.max_steps,
            motion,
            placement,
        )
        risk, snapshots = np.array(placement.fetch(risk), np.float64), _fetched(placement, snapshots)
        risk[~np.isfinite(risk)] = np.nan  # times that were not reached
    return Flow(risk, snapshots, _status(risk, bool(successful), int(steps), times, settings))


def _fetched(placement: Placement, snapshots: Autoencoder | None) -> Autoencoder | None:
    return None if snapshots is None else placement.fetch(snapshots)


@partial(jax.jit, static_argnames=("max_steps", "motion", "placement"))
def _solve(
    start: Autoencoder,
    points: jax.Array,
    weights: jax.Array,
    times: jax.Array,
    snapshot_times: jax.Array | None,
    stops: jax.Array,
    rtol: jax.Array,
    atol: jax.Array,
    max_steps: int,
    motion: Motion,
    placement: Placement,
) -> tuple[jax.Array, Autoencoder | None, jax.Array, jax.Array]:
    optimizer = motion.optimizer
    remembers = not isinstance(optimizer, GradientDescent)

    def pulls(time: jax.Array, network: Autoencoder) -> tuple[Autoencoder, Autoencoder | None]:
        """Return the velocity, at unit rates where there is a memory, and its second moment where that is wanted."""
        rates = (1.0, 1.0) if remembers else motion.rates
        velocity = placement.velocity(rates, time, network, points, weights)
        return velocity, None if optimizer.noise_batch is None else network.second_moment(points, weights)

    def slope(time: jax.Array, state: tuple, _: None) -> tuple:
        if not remembers:
            return pulls(time, state[0])[:1]
        network, averages = state
        moved, change = optimizer.slope(time, averages, *pulls(time, network))
        return moved.times(*both_at(motion.rates, time, points.dtype)), change

    saves = [diffrax.SubSaveAt(ts=times, fn=lambda _, state, __: placement.risk(state[0], points, weights))]
    if snapshot_times is not None:
        saves.append(diffrax.SubSaveAt(ts=snapshot_times, fn=lambda _, state, __: state[0]))
    at_rest = (optimizer.flow_start(*pulls(jnp.zeros((), times.dtype), start)),) if remembers else ()
    # Steps end at the recorded times: between steps the error of the interpolant isn't controlled by the tolerance.
    controller = diffrax.ClipStepSizeController(
        diffrax.PIDController(rtol=rtol, atol=atol),  # pyright: ignore[reportArgumentType]
        step_ts=stops,
        store_rejected_steps=None,
    )
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(slope),  # pyright: ignore[reportArgumentType]
        diffrax.Tsit5(),
        t0=0.0,
        t1=times[-1],  # pyright: ignore[reportArgumentType]
        dt0=None,
        y0=(start, *at_rest),
        saveat=diffrax.SaveAt(subs=saves),
        stepsize_controller=controller,
        max_steps=max_steps,
        throw=False,
    )
    assert solution.ys is not None
    risk, *snapshots = solution.ys
    successful = solution.result == diffrax.RESULTS.successful
    return risk, snapshots[0] if snapshots else None, successful, solution.stats["num_steps"]


def _stops(times: np.ndarray, least_steps: int) -> np.ndarray:
    """Return the times at which a step ends: the recorded ones, with others spread evenly between them.

    Stops that are never reached fill up the array, so that a solve and its finer twin share one compiled program.
    """
    ends = np.concatenate([[0.0], times]) if times[0] > 0 else times
    shares = np.arange(least_steps) / least_steps
    stops = np.append((ends[:-1, None] + np.diff(ends)[:, None] * shares[None, :]).ravel(), ends[-1])
    spare = max(0, 2 * len(ends) - len(stops))
    return np.concatenate([stops, times[-1] * (2 + np.arange(spare))])


def _status(risk: np.ndarray, successful: bool, steps: int, times: np.ndarray, settings: FlowSettings) -> Status:
    if successful and np.isfinite(risk).all():
        return Status()
    reached = times[np.isfinite(risk)]
    until = f"t={reached[-1]:g}" if len(reached) else "t=0"
    return Status(
        ok=False,
        message=(
            f"the gradient flow was followed only until {until} of {times[-1]:g} in {steps} steps "
            f"(max_steps={settings.max_steps}); raise max_steps, loosen rtol={settings.rtol:g}, or shorten the "
            "horizon, and look for very large data or initial weights, which make the flow stiff"
        ),
    )
