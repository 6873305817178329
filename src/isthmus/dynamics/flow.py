"""The gradient flow of weighted neurons by an adaptive Runge–Kutta method: of particles, or of a finite network."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from isthmus import _checks
from isthmus._errors import Status
from isthmus._precision import computing_in
from isthmus._words import counted, number
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data
from isthmus.core.optimizers import GradientDescent, Motion
from isthmus.core.rates import both_at
from isthmus.dynamics.integrators import BOGACKI_SHAMPINE, TSITOURAS, Method, Tolerances, states_at
from isthmus.dynamics.langevin import langevin_path
from isthmus.dynamics.low_memory import System, low_memory_path
from isthmus.dynamics.placement import Placement

ONE_DEVICE = Placement(None)
MOST_STEPS = 2**31 - 1
"""They are counted in 32 bits."""
LEAST_NOISY_RTOL = 1e-4
"""Below it the error of time steps is lost in the noise of any affordable number of particles."""
LOOSE_RTOL = 1e-3
"""From here on steps end at recorded times, or at the border of stability, more often than the error asks for."""


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
    method: Method = TSITOURAS

    def finer(self, dtype: np.dtype) -> FlowSettings:
        """Return settings of the same method under which the error of the time steps is at most about a tenth."""
        factor = max(0.1, _smallest_rtol(dtype) / self.rtol)
        return self._replace(rtol=self.rtol * factor, atol=self.atol * factor, least_steps=2 * self.least_steps)


def flow_settings(rtol: float | None, atol: float | None, max_steps: int, dtype: np.dtype) -> FlowSettings:
    """Return the checked settings of the time steps; rounding bounds the tolerance from below."""
    rtol = (1e-4 if dtype == np.float32 else 1e-6) if rtol is None else rtol
    rtol = _checks.real("rtol", rtol, minimum=_smallest_rtol(dtype), maximum=0.1)
    return FlowSettings(
        rtol,
        rtol / 100 if atol is None else _checks.real("atol", atol, above=0),
        _checks.integer("max_steps", max_steps, 1, MOST_STEPS),
        method=BOGACKI_SHAMPINE if rtol >= LOOSE_RTOL else TSITOURAS,
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
        points, weights = _placed(population, dtype, placement)
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
            tolerances, stops = (settings.rtol, settings.atol), _stops(times, settings.least_steps)
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
        field = Field(points, weights, motion, placement)
        path = _path(field, placement.place(start, spread=True), times, snapshot_indices, settings, together=False)
    return Flow(path.risk, path.snapshots, _status(path.risk, path.reached, path.steps, times, settings))


def integrate_flows(
    starts: list[Autoencoder],
    population: Data,
    motion: Motion,
    times: np.ndarray,
    snapshot_indices: np.ndarray,
    settings: FlowSettings,
    dtype: np.dtype,
) -> list[Flow]:
    """Follow independent networks of one shape, without noise, that share their time steps."""
    with computing_in(dtype):
        field = Field(*_placed(population, dtype, ONE_DEVICE), motion, ONE_DEVICE)
        stacked = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *starts)
        path = _path(field, stacked, times, snapshot_indices, settings, together=True)
    flows = []
    for index, risk in enumerate(path.risk.T):
        snapshots = jax.tree.map(lambda leaf, index=index: leaf[:, index], path.snapshots)
        flows.append(Flow(risk, snapshots, _status(risk, path.reached, path.steps, times, settings)))
    return flows


class Field(eqx.Module):
    """What moves the state: a network with the averages of its optimizer, over points (n, d) with weights (n,)."""

    points: jax.Array
    weights: jax.Array
    motion: Motion = eqx.field(static=True)
    placement: Placement = eqx.field(static=True)

    def __call__(self, time: jax.Array, state: tuple[Autoencoder, Any]) -> tuple[Autoencoder, Any]:
        """Return the rate of change of the network and of the averages."""
        network, averages = state
        moved, change = self.motion.optimizer.slope(time, averages, *self.pulls(time, network))
        return moved.times(*both_at(self.motion.rates, time, self.points.dtype)), change

    def pulls(self, time: jax.Array, network: Autoencoder) -> tuple[Autoencoder, Autoencoder | None]:
        """Return the velocity at unit rates, and its second moment where that is wanted."""
        velocity = self.placement.velocity((1.0, 1.0), time, network, self.points, self.weights)
        if self.motion.optimizer.noise_batch is None:
            return velocity, None
        return velocity, network.second_moment(self.points, self.weights)


class _Path(NamedTuple):
    """Risks (T,), or (T, networks), snapshots with a leading axis, whether the horizon was reached, and the steps."""

    risk: np.ndarray
    snapshots: Autoencoder | None
    reached: bool
    steps: int


def _path(
    field: Field,
    start: Autoencoder,
    times: np.ndarray,
    snapshot_indices: np.ndarray,
    settings: FlowSettings,
    *,
    together: bool,
) -> _Path:
    """Follow a network, or several along the leading axis of the arrays; NaN at times that weren't reached."""
    places, kept = {float(time): place for place, time in enumerate(times)}, set(snapshot_indices.tolist())
    tolerances = Tolerances(settings.rtol, settings.atol, settings.max_steps)
    stops = _stops(times, settings.least_steps)
    remembers = not isinstance(field.motion.optimizer, GradientDescent)
    began = (start, _averages(field, start, together) if remembers else ())
    risks, snapshots, reached, steps = [], [], True, 0
    states = states_at(field, began, stops, settings.method, tolerances, together=together)
    for stop, (state, reached, steps) in zip(stops, states, strict=True):  # noqa: B007  (steps are told at the end)
        place = places.get(float(stop))
        if place is None or not reached:
            continue
        risks.append(np.asarray(field.placement.fetch(_risk(field, state[0], together)), float))
        if place in kept:
            snapshots.append(field.placement.fetch(state[0]))
    risk = np.full((len(times), *np.shape(start.encoder.masses)[: int(together)]), np.nan)
    risk[: len(risks)] = np.array(risks).reshape(-1, *risk.shape[1:])
    risk[~np.isfinite(risk)] = np.nan
    whole = None
    if len(kept):
        missing = jax.tree.map(lambda leaf: np.full(leaf.shape, np.nan, leaf.dtype), start)
        snapshots += [missing] * (len(kept) - len(snapshots))
        whole = jax.tree.map(lambda *leaves: np.stack(leaves), *snapshots)
    return _Path(risk, whole, reached, steps)


def _placed(population: Data, dtype: np.dtype, placement: Placement) -> tuple[jax.Array, jax.Array]:
    return placement.place((population.points.astype(dtype), population.weights.astype(dtype)), spread=False)


@partial(jax.jit, static_argnames="together")
def _risk(field: Field, network: Autoencoder, together: bool) -> jax.Array:
    risk = lambda network: field.placement.risk(network, field.points, field.weights)
    return jax.vmap(risk)(network) if together else risk(network)


@partial(jax.jit, static_argnames="together")
def _averages(field: Field, network: Autoencoder, together: bool) -> Any:
    """Return the averages at time 0."""
    at_rest = lambda network: field.motion.optimizer.flow_start(
        *field.pulls(jnp.zeros((), field.points.dtype), network)
    )
    return jax.vmap(at_rest)(network) if together else at_rest(network)


def _stops(times: np.ndarray, least_steps: int) -> np.ndarray:
    """Return the times at which a step ends: the recorded ones, with others spread evenly between them."""
    ends = np.concatenate([[0.0], times]) if times[0] > 0 else times
    shares = np.arange(least_steps) / least_steps
    stops = np.append((ends[:-1, None] + np.diff(ends)[:, None] * shares[None, :]).ravel(), ends[-1])
    return stops if times[0] == 0 else stops[1:]


def _status(risk: np.ndarray, successful: bool, steps: int, times: np.ndarray, settings: FlowSettings) -> Status:
    if successful and np.isfinite(risk).all():
        return Status()
    reached = times[np.isfinite(risk)]
    if reached.max(initial=0.0) > 0:
        found = f"reached only t = {reached[-1]:g} of {times[-1]:g}"
    else:
        start = f" from a risk of {number(risk[0])}" if len(reached) else ""
        found = f"did not reach its first recorded time, t = {np.append(times[times > 0], 0.0)[0]:g},{start}"
    return Status(
        ok=False,
        message=(
            f"the gradient flow {found} in {counted(steps, 'step')} (max_steps={settings.max_steps}); raise max_steps, "
            f"loosen rtol={settings.rtol:g}, or shorten the horizon; very large data or initial weights make it stiff"
        ),
    )
