r"""The influence of any neuron along its ideal path, in closed form.

A neuron of mass m adds to three fields at each moment: m aφ(s) to the latents f(x), m cφ(s) to the outputs, and
m u⟨c, p_x r(x)⟩φ′(s) to the pull on the latents. With z̄, r̄ and q̄ the derivatives of R(t) by these fields at time s,

    I_E(θ; t) = Ψ_E(θ_t) + ∫₀ᵗ Σ_x ⟨z̄(x, s), a_s φ(⟨w_s, x⟩ + b_s)⟩ ds,
    I_D(ω; t) = Ψ_D(ω_t) + ∫₀ᵗ Σ_x (⟨r̄(x, s), c_s φ⟩ + ⟨q̄(x, s), u_s⟩ ⟨c_s, p_x r(x)⟩ φ′) ds,

where θ_s and ω_s follow the velocity field of the limit. One backward solve finds the derivatives by the fields; then
each neuron costs a solve of its own path and no more, however many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus import _checks
from isthmus._display import Summary
from isthmus._precision import computing_in
from isthmus._words import counted, setting
from isthmus.core.autoencoder import (
    Autoencoder,
    Velocity,
    features,
    network_outputs,
    network_response,
    preactivations,
    residuals,
    seen,
)
from isthmus.core.frame import Frame, in_axes
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.problem import Problem
from isthmus.dynamics.field import State, VectorField
from isthmus.dynamics.integrators import BOGACKI_SHAMPINE, combined, moved, no_slopes, with_slope
from isthmus.theory.leading_order import Settings
from isthmus.theory.linearisation import lane_by_lane, pulled_to_start
from isthmus.theory.observed import RISK
from isthmus.theory.trajectory import SLOPES, Trajectory, step_by_slopes

AT_ONCE = 1 << 11
"""Neurons, at most, whose paths are followed together."""


class Fields(NamedTuple):
    """Latents (…, n, k), outputs (…, n, d) and pull on the latents (…, n, k) of the points, or derivatives by them."""

    latents: Any
    outputs: Any
    pull: Any


def _shapes(trajectory: Trajectory) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the leading axes (steps, slopes, T, n) of derivatives by fields, and the columns of each."""
    network, steps = trajectory.network, len(trajectory.nodes) - 1
    shape = (steps, SLOPES, len(trajectory.recorded), len(trajectory.field.points))
    return shape, (network.latent_dim, network.dim, network.latent_dim)


def size_of_fields(trajectory: Trajectory) -> int:
    """Return how many bytes a `Sensitivity` keeps."""
    shape, sizes = _shapes(trajectory)
    return trajectory.field.dtype.itemsize * int(np.prod(shape)) * sum(sizes)


class Sensitivity:
    """The derivatives of R(t), at all recorded times, by the fields at each slope of each step of a trajectory.

    It serves gradient descent and momentum without noise, whose neurons act on one another by these fields alone:
    `LinearisedPath.closed_form_because` says where it doesn't.
    """

    def __init__(self, trajectory: Trajectory) -> None:
        self.trajectory, field = trajectory, trajectory.field
        motion, nodes = field.motion, trajectory.recorded
        assert motion.temperature == 0 and not motion.optimizer.limit_depends_on_batches
        lanes, dtype = len(nodes), field.dtype
        shape, sizes = _shapes(trajectory)
        _checks.memory("times", _checks.described(f"{lanes:,} of them"), size_of_fields(trajectory))
        self._by_fields = Fields(*(np.zeros((*shape, size), dtype) for size in sizes))

        def pull(node: int, state: State, cotangents: State, begun: np.ndarray) -> State:
            cotangents, by_fields = _pull(cotangents, state, field, *trajectory.interval(node), begun)
            for all_steps, one in zip(self._by_fields, by_fields, strict=True):
                all_steps[node] = np.asarray(one).swapaxes(0, 1)
            return cotangents

        with computing_in(dtype):
            pulled_to_start(trajectory, RISK, np.stack([nodes, np.zeros_like(nodes)]), lanes, pull)

    def of(self, neurons: Autoencoder) -> tuple[np.ndarray, np.ndarray]:
        """Return I_E, shape (T, N_E), and I_D, shape (T, N_D), not centred, of neurons in the trajectory's coordinates.

        Args:
            neurons: those of encoder and decoder at time 0, of any number; their masses don't matter.

        """
        parts = [self._of_side(side, measure) for side, measure in enumerate((neurons.encoder, neurons.decoder))]
        return parts[0], parts[1]

    def _of_side(self, side: int, measure: NeuronMeasure) -> np.ndarray:
        found = []
        size = min(AT_ONCE, 1 << (measure.width - 1).bit_length())  # few sizes, so that programs are shared
        for first in range(0, measure.width, size):
            chunk = jax.tree.map(lambda leaf, first=first: np.asarray(leaf)[first : first + size], measure)
            filled = jax.tree.map(lambda leaf: np.resize(leaf, (size, *leaf.shape[1:])), chunk)
            found.append(self._of_chunk(side, filled)[:, : chunk.width])
        return np.concatenate(found, axis=1)

    def _of_chunk(self, side: int, chunk: NeuronMeasure) -> np.ndarray:
        trajectory, field = self.trajectory, self.trajectory.field
        dtype, recorded = field.dtype, trajectory.recorded
        total = np.zeros((len(recorded), chunk.width))
        with computing_in(dtype):
            chunk = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), chunk)
            state = trajectory.begin
            neurons = (chunk, _averages_of(field, chunk, side))
            for node in range(int(recorded[-1]) + 1):
                for lane in np.flatnonzero(recorded == node):
                    total[lane] += np.asarray(_first_variation(field, state[0], neurons[0], side), float)
                if node == recorded[-1]:
                    break
                by_fields = Fields(*(part[node] for part in self._by_fields))
                clock = trajectory.interval(node)
                neurons, gained = _followed(field, state, neurons, *clock, by_fields, side)
                total += np.asarray(gained, float)
                state = trajectory.advanced(node, state)
        return total


def _not_closed_because(problem: Problem) -> str | None:
    if problem.temperature > 0:
        return "one whose neurons move by noise"
    if problem.optimizer.limit_depends_on_batches:
        return f"one trained by {type(problem.optimizer).__name__}"
    if problem.law.correction is not None:
        return "one whose initial law corrects all neurons together"
    return None


def require_closed_form(problem: Problem) -> None:
    """Refuse a problem in which the influence of other neurons than a path's own isn't known in closed form."""
    reason = _not_closed_because(problem)
    if reason is not None:
        rule = "be one whose neurons act on one another by the reconstruction alone"
        _checks.refuse("problem", rule, _checks.described(reason))


@dataclass(frozen=True, repr=False)
class LinearisedPath(Summary):
    """The path of the particles that a law is made from, and what is needed to ask it for the influence of others.

    Attributes:
        problem: whose path it is.
        settings: with which it was made.
        trajectory: the path.
        frame: the coordinates it is in, None for those of the data.
        drawn: the particles before the correction of the law.
        means: of the influence of its particles, shapes (T, 1), which the closed form doesn't take off.

    """

    problem: Problem
    settings: Settings
    trajectory: Trajectory
    frame: Frame | None
    drawn: Autoencoder
    means: tuple[np.ndarray, np.ndarray]

    def _lines(self) -> list[tuple[str, object]]:
        because, nodes = self.closed_form_because, self.trajectory.nodes
        others = "of any neuron" if because is None else f"of its own particles alone: the problem is {because}"
        return [
            ("particles", f"{self.trajectory.network.encoder.width:,} a side"),
            ("path", f"{counted(len(nodes) - 1, 'step')} up to t = {setting(float(nodes[-1]))}"),
            ("influence", others),
        ]

    @property
    def closed_form_because(self) -> str | None:
        """Why the influence of other neurons isn't known in closed form, as 'one …', or None."""
        return _not_closed_because(self.problem)

    @cached_property
    def sensitivity(self) -> Sensitivity:
        """The derivatives by the fields, from one backward solve."""
        return Sensitivity(self.trajectory)

    def influence_of(self, neurons: Autoencoder) -> tuple[np.ndarray, np.ndarray]:
        """Return I_E and I_D, not centred, of neurons in the coordinates of the data."""
        require_closed_form(self.problem)
        return self.sensitivity.of(self.in_coordinates(neurons))

    def in_coordinates(self, neurons: Autoencoder) -> Autoencoder:
        """Return neurons of the coordinates of the data in those of the path."""
        return neurons if self.frame is None else in_axes(neurons, self.frame.basis)


def _fields(field: VectorField, network: Autoencoder, added: Fields | None = None) -> Fields:
    """Return latents, weighted residuals and the pull on the latents, with something added to each where it is made."""
    added = Fields(0.0, 0.0, 0.0) if added is None else added
    blocks = network.encoder.width, network.decoder.width
    phis = network.encoder_activation, network.decoder_activation
    latents = network_outputs(network.encoder, phis[0], seen(field.points), blocks[0]) + added.latents
    outputs = network_outputs(network.decoder, phis[1], latents, blocks[1]) + added.outputs
    pull = field.weights[:, None] * residuals(outputs, field.points)
    _, on_latents = network_response(network.decoder, phis[1], latents, pull, -1.0, blocks[1], None)
    return Fields(latents, pull, on_latents + added.pull)


def _side_velocity(
    field: VectorField, network: Autoencoder, fields: Fields, side: int, measure: NeuronMeasure
) -> NeuronMeasure:
    """Return the velocity of neurons of a side in given fields, at unit rates."""
    phi = (network.encoder_activation, network.decoder_activation)[side]
    inputs = (seen(field.points), fields.latents)[side]
    pull = (fields.pull, fields.outputs)[side]
    velocity, _ = network_response(measure, phi, inputs, pull, -1.0, measure.width, None)
    return field.penalised(side, measure, velocity, 1.0, field.weights)


def _slope(field: VectorField, time: jax.Array, state: State, added: Fields) -> tuple[Velocity, Any]:
    """Return the rate of change of a state with something added to the fields."""
    network, averages = state
    fields = _fields(field, network, added)
    sides = [
        _side_velocity(field, network, fields, side, measure)
        for side, measure in enumerate((network.encoder, network.decoder))
    ]
    motion, change = field.motion.optimizer.slope(time, averages, Velocity(*sides), None)
    return motion.scaled(*field.rates(time)), change


@partial(jax.jit, donate_argnums=0)
def _pull(
    after: State, state: State, field: VectorField, time: jax.Array, size: jax.Array, begun: jax.Array
) -> tuple[State, Fields]:
    """Pull cotangents (lanes first) back through one step; return them, and those of the fields, (lanes, slopes, …)."""
    count, network = len(field.points), state[0]
    zeros = lambda columns: jnp.zeros((SLOPES, count, columns), field.points.dtype)
    nothing = Fields(zeros(network.latent_dim), zeros(network.dim), zeros(network.latent_dim))

    advance = lambda state, added: step_by_slopes(partial(_slope, field), state, added, time, size)
    _, pull = jax.vjp(advance, state, nothing)
    return lane_by_lane(pull, (state, nothing), begun, after)


@partial(jax.jit, static_argnames="side")
def _averages_of(field: VectorField, chunk: NeuronMeasure, side: int) -> Any:
    """Return the averages of an optimizer of neurons at time 0, which is at rest."""
    resting = jax.tree.map(jnp.zeros_like, chunk)
    return _of_side(field.motion.optimizer.flow_start(_on_both(resting), None), side)


def _on_both(measure: NeuronMeasure) -> Velocity:
    """Return a velocity whose sides are the same, since an optimizer moves each neuron by itself."""
    return Velocity(measure, measure)


def _of_side(averages: Any, side: int) -> Any:
    is_velocity = lambda part: isinstance(part, Velocity)
    return jax.tree.map(lambda part: (part.encoder, part.decoder)[side], averages, is_leaf=is_velocity)


@partial(jax.jit, static_argnames="side")
def _first_variation(field: VectorField, network: Autoencoder, measure: NeuronMeasure, side: int) -> jax.Array:
    """Return Ψ of the risk at neurons of a side."""
    at = (
        network.with_measures(measure, network.decoder)
        if side == 0
        else network.with_measures(network.encoder, measure)
    )
    return network.first_variations(field.points, field.weights, at)[side]


@partial(jax.jit, static_argnames="side")
def _followed(
    field: VectorField,
    state: State,
    neurons: tuple[NeuronMeasure, Any],
    time: jax.Array,
    size: jax.Array,
    by_fields: Fields,
    side: int,
) -> tuple[tuple[NeuronMeasure, Any], jax.Array]:
    """Return neurons of a side after a step in the fields of a state, and what their influence gains, (lanes, N)."""
    method, optimizer = BOGACKI_SHAMPINE, field.motion.optimizer
    rows = jnp.asarray(method.steps, time.dtype)
    phi = (state[0].encoder_activation, state[0].decoder_activation)[side]
    slopes, own_slopes, gains = no_slopes(method, state), no_slopes(method, neurons), []
    for stage in range(SLOPES):
        at = moved(state, size, combined(rows[stage], slopes))
        own = moved(neurons, size, combined(rows[stage], own_slopes))
        now = time + method.shares[stage] * size
        fields = _fields(field, at[0])
        cotangents = Fields(*(part[stage] for part in by_fields))
        gains.append(_gain(own[0], phi, seen(field.points), fields, cotangents, side))
        velocity = _on_both(_side_velocity(field, at[0], fields, side, own[0]))
        motion, change = optimizer.slope(now, _as_both(own[1]), velocity, None)
        scaled = motion.scaled(*field.rates(now))
        own_slope = ((scaled.encoder, scaled.decoder)[side], _of_side(change, side))
        slopes = with_slope(slopes, stage, field(now, at))
        own_slopes = with_slope(own_slopes, stage, own_slope)
    return moved(neurons, size, combined(rows[-1], own_slopes)), jnp.sum(jnp.stack(gains), axis=0)


def _as_both(averages: Any) -> Any:
    is_measure = lambda part: isinstance(part, NeuronMeasure)
    return jax.tree.map(_on_both, averages, is_leaf=is_measure)


def _gain(
    measure: NeuronMeasure, phi: Any, points: jax.Array, fields: Fields, by_fields: Fields, side: int
) -> jax.Array:
    """Return Σ_x of the products of what a neuron adds to the fields and the derivatives by them, (lanes, N)."""

    def along(cotangent: jax.Array, values: jax.Array, weights: jax.Array) -> jax.Array:
        return jnp.sum((values @ cotangent) * weights, axis=1)

    if side == 0:
        values = features(measure, phi, points)
        return jax.lax.map(lambda latents: along(latents, values, measure.outgoing), by_fields.latents)
    s = preactivations(measure, fields.latents)
    values, slope_pull = phi.value(s), (measure.outgoing @ fields.outputs.T) * phi.first(s)

    def both(part: tuple[jax.Array, jax.Array]) -> jax.Array:
        return along(part[0], values, measure.outgoing) + along(part[1], slope_pull, measure.incoming)

    return jax.lax.map(both, (by_fields.outputs, by_fields.pull))
