"""The gradient flow of weighted neurons, with whatever else moves them: of particles, or of a finite network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from isthmus import _checks
from isthmus._errors import Status
from isthmus._precision import computing_in
from isthmus._words import counted, number
from isthmus.core.autoencoder import Autoencoder
from isthmus.dynamics.field import State, VectorField
from isthmus.dynamics.integrators import BOGACKI_SHAMPINE, TSITOURAS, Method, Tolerances, states_at
from isthmus.dynamics.langevin import NoisySolver
from isthmus.dynamics.low_memory import LowMemorySolver
from isthmus.dynamics.stabilised import stiff_states_at

MOST_STEPS = 2**31 - 1
"""Steps are counted in 32 bits."""
LEAST_NOISY_RTOL = 1e-4
"""Below it the error of time steps is lost in the noise of any affordable number of particles."""
FIRST_NOISY_STEPS = 64
"""Steps over the whole horizon of the coarsest solve with noise that is tried."""
LOOSE_RTOL = 1e-3
"""From here on steps end at recorded times, or at the border of stability, more often than the error asks for."""


class Flow(NamedTuple):
    """What an integrator returns.

    Attributes:
        risk: at the recorded times, shape (T,), NaN where they weren't reached.
        snapshots: the networks at the times that were kept, in arrays with a leading axis; None where there are none.
        status: how it ended.
        step_error: the error of the time steps, shape (T,), for a flow with noise.

    """

    risk: np.ndarray
    snapshots: Autoencoder | None
    status: Status
    step_error: np.ndarray | None = None


class FlowSettings(NamedTuple):
    """Tolerances of the time steps, the most of them, the fewest between two recorded times, and the method.

    ``low_memory`` and ``stabilised`` take another one, each of its own.
    """

    rtol: float
    atol: float
    max_steps: int
    least_steps: int = 1
    method: Method = TSITOURAS
    low_memory: bool = False
    stabilised: bool = False

    def finer(self, dtype: np.dtype) -> FlowSettings:
        """Return settings of the same method under which the error of the time steps is at most about a tenth."""
        factor = max(0.1, _smallest_rtol(dtype) / self.rtol)
        return self._replace(rtol=self.rtol * factor, atol=self.atol * factor, least_steps=2 * self.least_steps)

    @property
    def tolerances(self) -> Tolerances:
        """What bounds the steps."""
        return Tolerances(self.rtol, self.atol, self.max_steps)


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


def integrate(
    field: VectorField,
    start: Autoencoder,
    times: np.ndarray,
    settings: FlowSettings,
    kept: Sequence[int] | np.ndarray = (),
    noise_key: jax.Array | None = None,
) -> Flow:
    """Follow a network from ``start`` along a field; return the risk at the times and the networks at some of them.

    Args:
        field: what moves the neurons; at a temperature they also move by noise.
        start: the network at time 0, in NumPy arrays.
        times: shape (T,), increasing from 0 or later.
        settings: of the time steps.
        kept: indices of the times at which networks are kept.
        noise_key: of the Brownian motions, needed at a temperature.

    """
    with computing_in(field.dtype):
        if field.motion.temperature > 0:
            assert noise_key is not None
            return _with_noise(field, start, times, settings, kept, noise_key)
        solver = LowMemorySolver(field, start) if settings.low_memory else _AdaptiveSolver(field, start, settings)
        stops = _stops(times, settings.least_steps)
        risk, snapshots, reached, steps = _followed(solver, times, stops, settings.tolerances, kept)
    return Flow(risk, snapshots, _status(risk, reached, steps, times, settings))


def integrate_together(
    field: VectorField,
    starts: list[Autoencoder],
    times: np.ndarray,
    settings: FlowSettings,
    kept: Sequence[int] | np.ndarray = (),
) -> list[Flow]:
    """Follow independent networks of one shape, without noise, that share their time steps."""
    with computing_in(field.dtype):
        stacked = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *starts)
        solver = _AdaptiveSolver(field, stacked, settings, together=True)
        stops = _stops(times, settings.least_steps)
        risks, snapshots, reached, steps = _followed(solver, times, stops, settings.tolerances, kept)
    flows = []
    for index, risk in enumerate(risks.T):
        own = jax.tree.map(lambda leaf, index=index: leaf[:, index], snapshots)
        flows.append(Flow(risk, own, _status(risk, reached, steps, times, settings)))
    return flows


class _Solver(Protocol):
    """How states of any representation move, and what is read off them."""

    def states_at(self, stops: np.ndarray, tolerances: Tolerances) -> Iterator[tuple[Any, bool, int]]: ...

    def risk(self, state: Any) -> float | np.ndarray: ...

    def network(self, state: Any) -> Autoencoder: ...


class _AdaptiveSolver:
    """Follows a network, or several along the leading axis of the arrays, by a Runge–Kutta method on the device."""

    def __init__(
        self, field: VectorField, start: Autoencoder, settings: FlowSettings, *, together: bool = False
    ) -> None:
        self._field, self._settings, self._together = field, settings, together
        placed = field.placement.place(start, spread=True)
        self._begin = _begun(field, placed, together) if field.motion.optimizer.has_averages else (placed, ())

    def states_at(self, stops: np.ndarray, tolerances: Tolerances) -> Iterator[tuple[State, bool, int]]:
        """Yield at each stop the state, whether it was reached, and the number of steps so far."""
        if self._settings.stabilised:
            return stiff_states_at(self._field, self._begin, stops, tolerances)
        return states_at(self._field, self._begin, stops, self._settings.method, tolerances, together=self._together)

    def risk(self, state: State) -> np.ndarray:
        """Return the risk, of each of several networks."""
        return self._field.placement.fetch(_risk(self._field, state[0], self._together))

    def network(self, state: State) -> Autoencoder:
        """Return the network in NumPy arrays."""
        return self._field.placement.fetch(state[0])


@partial(jax.jit, static_argnames="together")
def _risk(field: VectorField, network: Autoencoder, together: bool) -> jax.Array:
    return jax.vmap(field.risk)(network) if together else field.risk(network)


@partial(jax.jit, static_argnames="together")
def _begun(field: VectorField, network: Autoencoder, together: bool) -> State:
    return jax.vmap(field.start)(network) if together else field.start(network)


def _followed(
    solver: _Solver,
    times: np.ndarray,
    stops: np.ndarray,
    tolerances: Tolerances,
    kept: Sequence[int] | np.ndarray,
) -> tuple[np.ndarray, Autoencoder | None, bool, int]:
    """Return risks (T, …) and snapshots at the times, whether the horizon was reached, and the number of steps.

    Risks are NaN at times that weren't reached; so are the snapshots there.
    """
    index_of, wanted = {float(time): index for index, time in enumerate(times)}, set(np.asarray(kept, int).tolist())
    states = solver.states_at(stops, tolerances)
    risks, snapshots, reached, steps, state = [], [], True, 0, None
    for stop in stops:
        state = None  # A state may be large, so the former one is given up before the next one is computed.
        state, reached, steps = next(states)
        index = index_of.get(float(stop))
        if index is None or not reached:
            continue
        risks.append(np.asarray(solver.risk(state), float))
        if index in wanted:
            snapshots.append(solver.network(state))
    first = risks[0] if risks else np.asarray(solver.risk(state), float)
    risk = np.full((len(times), *first.shape), np.nan)
    risk[: len(risks)] = np.array(risks).reshape(-1, *first.shape)
    risk[~np.isfinite(risk)] = np.nan
    if not wanted:
        return risk, None, reached, steps
    if len(snapshots) < len(wanted):
        missing = jax.tree.map(lambda leaf: np.full(leaf.shape, np.nan, leaf.dtype), solver.network(state))
        snapshots += [missing] * (len(wanted) - len(snapshots))
    return risk, jax.tree.map(lambda *leaves: np.stack(leaves), *snapshots), reached, steps


def _with_noise(
    field: VectorField,
    start: Autoencoder,
    times: np.ndarray,
    settings: FlowSettings,
    kept: Sequence[int] | np.ndarray,
    key: jax.Array,
) -> Flow:
    """Halve the steps until the difference of solves with steps of two sizes is below ``rtol`` of the largest risk."""
    rtol, wanted = max(settings.rtol, LEAST_NOISY_RTOL), FIRST_NOISY_STEPS
    while True:
        solver = NoisySolver(field, start, wanted, key)
        pair, snapshots, _, steps = _followed(solver, times, times, settings.tolerances, kept)
        error, risk = np.abs(pair[:, 0] - pair[:, 1]), pair[:, 1]
        accurate = bool(np.all(error <= rtol * np.abs(risk).max()))  # not so where one is NaN
        if accurate or 2 * steps > settings.max_steps:
            break
        wanted *= 2
    return Flow(risk, snapshots, _status(risk, accurate, steps, times, settings), error)


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
