r"""Mean shifts of second order: what the curvature of the risk in each noise adds to the mean risk of a finite network.

With F_t the map from initial masses (or weights of the data) to R(t), or to another value that is observed at time t,
and h a centred noise of the right covariance,

    b(t) = ½ E D²F_t[h, h] ≈ E [F_t(h) + F_t(−h) − 2 F_t(0)] / 2

by antithetic pairs: the first order cancels exactly, and a small h makes what is left the second. Noise of batches
enters in the middle of each half of a step, by its coefficients before the kick (Itô), as in stochastic gradient
descent: what relaxes at a rate λ is then right to (λ × step)²/24, where one at an end would be wrong by λ × step / 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data
from isthmus.core.problem import Problem
from isthmus.core.quadrature import Particles
from isthmus.dynamics.field import State, VectorField
from isthmus.dynamics.integrators import moved
from isthmus.dynamics.parallel import Progress, run_jobs
from isthmus.theory.linearisation import point_noise
from isthmus.theory.observed import RISK, Observed
from isthmus.theory.trajectory import Kicks, kicked, kicks_of, step

MASS_NOISE = 0.1
"""Relative size of the noise on masses: a network 100 times as wide as there are particles."""
POINT_NOISE = 0.03
"""√(ε/B), and 1/√n, of the noise on the weights of the data."""
FEWEST_STEPS = 16
"""Steps of the shortest program; longer ones have a power of 2, the rest of which is passed over."""


class SecondOrder(NamedTuple):
    """Samples of b_E, b_D, b_S, and of b_P measured on the population and on the sample itself, (samples, V) each.

    V = T for the risk; else values of one time follow one another.
    """

    encoder: np.ndarray
    decoder: np.ndarray
    batches: np.ndarray
    sample: np.ndarray
    own_sample: np.ndarray


def second_order(
    problem: Problem,
    smooth: Callable[[Autoencoder], Autoencoder],
    nodes: np.ndarray,
    recorded: np.ndarray,
    particles: int,
    samples: int,
    seed: int,
    dtype: np.dtype,
    workers: int | None,
    progress: Progress | None,
    observed: Observed = RISK,
    in_span: bool = True,
) -> SecondOrder:
    """Return independent samples of the shifts, each from particles of its own scrambling.

    Where an activation has kinks, ``smooth`` replaces it for noise of batches, which reads its second derivative.
    """
    plan, recorded = _filled_plan(nodes, recorded)

    def sample(index: int) -> tuple[np.ndarray, ...]:
        random = np.random.default_rng([seed, 2, index])
        drawn = problem.particles(particles, seed, 1000 + index, dtype, quadrature=problem.quadrature, in_span=in_span)
        key = jax.random.key(int(random.integers(1 << 31)))
        return _one_sample(problem, drawn, smooth, plan, recorded, random, key, observed)

    parts = run_jobs(sample, samples, workers, progress)
    return SecondOrder(*(np.stack(part) for part in zip(*parts, strict=True)))


class _Plan(NamedTuple):
    """Where steps begin, how long they are, which they are, and whether they begin at a recorded time.

    Those of size 0, behind all others, fill up the plan: a program serves all plans of as many steps.
    """

    times: Any
    sizes: Any
    numbers: Any
    recorded: Any


def _filled_plan(nodes: np.ndarray, recorded: np.ndarray) -> tuple[_Plan, np.ndarray]:
    """Return the plan of the steps between nodes, and the places of the recorded ones among the values it shows."""
    steps = len(nodes) - 1
    length = max(FEWEST_STEPS, 1 << (steps - 1).bit_length())
    numbers = np.arange(length)
    sizes = np.pad(np.diff(nodes), (0, length - steps))
    times = np.pad(nodes[:-1], (0, length - steps), constant_values=nodes[-1])
    plan = _Plan(times, sizes, numbers, np.isin(numbers, recorded[recorded < steps]))
    return plan, np.where(recorded < steps, recorded, length)


def _one_sample(
    problem: Problem,
    particles: Particles,
    smooth: Callable[[Autoencoder], Autoencoder],
    plan: _Plan,
    recorded: np.ndarray,
    random: np.random.Generator,
    key: jax.Array,
    observed: Observed,
) -> tuple[np.ndarray, ...]:
    drawn, frame, dtype = particles.drawn, particles.frame, np.dtype(particles.network.encoder.bias.dtype)
    basis = None if frame is None else frame.basis
    field = VectorField.of(particles.population, problem.motion, dtype)
    on_decoder, wide, wide_basis = drawn, field, basis
    if frame is not None and frame.hidden_variance > 0:
        on_decoder = _pair(drawn, frame.hidden_variance)
        wide = VectorField.of(_with_hidden_axis(particles.population), problem.motion, dtype)
        # A network's correction acts on the hidden axis too, along which the points have no component.
        wide_basis = np.concatenate([frame.basis, np.zeros((len(frame.basis), 1))], axis=1)
    start, weights = problem.started(drawn, basis), np.asarray(field.weights, float)
    encoders = [problem.started(noisy, basis) for noisy in _noisy(drawn, "encoder", random)]
    decoders = [problem.started(noisy, wide_basis) for noisy in _noisy(on_decoder, "decoder", random)]
    sizes = plan.sizes[plan.sizes > 0]
    kicks = POINT_NOISE * point_noise(weights, (len(sizes), 2), random) / np.sqrt(sizes / 2)[:, None, None]
    kicks = np.pad(kicks, [(0, len(plan.sizes) - len(sizes)), (0, 0), (0, 0)])
    fixed = POINT_NOISE * point_noise(weights, (), random)
    with computing_in(dtype):
        plan = plan._replace(times=jnp.asarray(plan.times, dtype), sizes=jnp.asarray(plan.sizes, dtype))

        def followed(field: VectorField, flows: list[tuple[Autoencoder, np.ndarray]]) -> np.ndarray:
            """Return what flows from given starts under given weights show, (flows, V, 2).

            The last axis is that of the weights under which it is measured: those of the field, and the flow's own.
            """
            starts, driven = zip(*flows, strict=True)
            stacked = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *starts)
            found = _values(stacked, field, plan, jnp.asarray(np.array(driven), dtype), key, observed)
            return np.asarray(found, float)[:, recorded].reshape(len(flows), -1, 2)

        still = [(start, weights)]
        on_points = [(start, weights + fixed), (start, weights - fixed)]
        on_encoder = [(noisy, weights) for noisy in encoders]
        on_decoders = [(noisy, weights) for noisy in decoders]
        if wide is field:
            values = followed(field, still + on_points + on_encoder + on_decoders)
        else:  # without noise the pairs cancel, so that flows of both kinds have the same values
            values = np.concatenate([followed(field, still + on_points + on_encoder), followed(wide, on_decoders)])
        (noiseless, *by_points), by_encoder, by_decoder = values[:3], values[3:5], values[5:]
        without = noiseless[:, 0]
        by_kicks = np.zeros((3, len(without)))
        if not problem.optimizer.limit_depends_on_batches:  # of those the shift isn't proportional to ε/B
            pairs = jnp.asarray([kicks, 0 * kicks, -kicks], dtype)
            found = _kicked_values(smooth(start), field, plan, pairs, key, observed)
            by_kicks = np.asarray(found, float)[:, recorded].reshape(by_kicks.shape)
    plus, unkicked, minus = by_kicks
    on_population, on_sample = np.moveaxis(np.array(by_points), -1, 0)
    return (
        _shift(by_encoder[..., 0], without, MASS_NOISE**2 / drawn.encoder.width),
        _shift(by_decoder[..., 0], without, MASS_NOISE**2 / on_decoder.decoder.width),
        _shift((plus, minus), unkicked, POINT_NOISE**2),
        _shift(on_population, without, POINT_NOISE**2),
        _shift(on_sample, without, POINT_NOISE**2),
    )


def _shift(pair: Any, without: np.ndarray, size: float) -> np.ndarray:
    """Return half the second derivative along a noise, from what it and its opposite of this squared size show."""
    return (pair[0] + pair[1] - 2 * without) / (2 * size)


def _noisy(drawn: Autoencoder, side: str, random: np.random.Generator) -> list[Autoencoder]:
    """Return networks whose masses of a side have a noise and its opposite, both of sum 0."""
    measure = getattr(drawn, side)
    signs = random.choice([-1.0, 1.0], measure.width)
    signs -= np.asarray(measure.masses, float) @ signs
    masses = lambda sign: (measure.masses * (1 + sign * MASS_NOISE * signs)).astype(measure.bias.dtype)
    return [eqx.tree_at(lambda state: getattr(state, side).masses, drawn, masses(sign)) for sign in (1, -1)]


@jax.jit
def _values(
    starts: Autoencoder, field: VectorField, plan: _Plan, weights: jax.Array, key: jax.Array, observed: Observed
) -> jax.Array:
    """Return what flows show at recorded nodes, (flows, S + 1, count, 2), under the field's weights and their own."""

    def follow(flow: tuple[Autoencoder, jax.Array]) -> jax.Array:
        start, weights = flow

        def measured(network: Autoencoder) -> jax.Array:
            return jnp.stack([observed.values(field, network, over) for over in (field.weights, weights)], axis=1)

        def take_step(state: State, part: _Plan) -> State:
            return step(field, state, weights, part.times, part.sizes, _kicks(field, start, part, key))

        def advance(state: State, part: _Plan) -> tuple[State, jax.Array]:
            return _unless_filling(part, take_step, state, part), _if_recorded(part, measured, state[0])

        end, values = jax.lax.scan(advance, field.start(start, weights), plan)
        return jnp.concatenate([values, measured(end[0])[None]])

    return jax.lax.map(follow, (starts, weights))


@jax.jit
def _kicked_values(
    start: Autoencoder, field: VectorField, plan: _Plan, noises: jax.Array, key: jax.Array, observed: Observed
) -> jax.Array:
    """Return what flows with noise show at recorded nodes, (flows, S + 1, count), from its values, (flows, S, 2, n)."""
    dtype = noises.dtype
    # Two kicks, each in the middle of a half of the step; after the last part there is none.
    begins, lengths = jnp.asarray([0, 1 / 4, 3 / 4], dtype), jnp.asarray([1 / 4, 1 / 2, 1 / 4], dtype)
    measured = lambda network: observed.values(field, network, field.weights)

    def follow(noises: jax.Array) -> jax.Array:
        def take_step(state: State, plan: _Plan, noise: jax.Array) -> State:
            time, size, own = plan.times, plan.sizes, _kicks(field, start, plan, key)

            def between(state: State, part: tuple) -> tuple[State, None]:
                begin, length, noise = part
                following = step(field, state, field.weights, time + begin * size, length * size)
                kick = field.kick(time + (begin + length) * size, following, noise)
                return moved(following, size / 2, kick), None

            padded = jnp.concatenate([noise, jnp.zeros_like(noise[:1])])
            before = kicked(state, own, 0)
            return kicked(jax.lax.scan(between, before, (begins, lengths, padded))[0], own, 1)

        def advance(state: State, part: tuple[_Plan, jax.Array]) -> tuple[State, jax.Array]:
            return _unless_filling(part[0], take_step, state, *part), _if_recorded(part[0], measured, state[0])

        end, values = jax.lax.scan(advance, field.start(start), (plan, noises))
        return jnp.concatenate([values, measured(end[0])[None]])

    return jax.lax.map(follow, noises)


def _unless_filling(part: _Plan, take_step: Callable[..., State], state: State, *rest: Any) -> State:
    """Return the state after a step, and the state itself where the step only fills up the plan."""
    return jax.lax.cond(part.sizes > 0, take_step, lambda state, *_: state, state, *rest)


def _if_recorded(part: _Plan, measured: Callable[[Autoencoder], jax.Array], network: Autoencoder) -> jax.Array:
    """Return what is measured of a network at a recorded node, and 0 at others."""
    shown = jax.eval_shape(measured, network)
    return jax.lax.cond(part.recorded, measured, lambda _: jnp.zeros(shown.shape, shown.dtype), network)


def _kicks(field: VectorField, network: Autoencoder, part: _Plan, key: jax.Array) -> Kicks:
    """Return the noise of a temperature in a step, the same in all flows of a sample; None at temperature 0."""
    if field.motion.temperature == 0:
        return None
    return kicks_of(field, network, part.times, part.sizes, jax.random.fold_in(key, part.numbers))


def _with_hidden_axis(data: Data) -> Data:
    points = np.concatenate([data.points, np.zeros((data.size, 1))], axis=1)
    return Data(points, data.weights, missing="ignore", name=data.name)


def _pair(start: Autoencoder, variance: float) -> Autoencoder:
    """Return the state with one axis more, where decoder neurons come in pairs of opposite outgoing weights.

    In the limit the decoder's outgoing weights outside the span of the points cancel. In a finite network they add to
    the risk at second order, in proportion to their total variance alone, since each component evolves by the same
    linear equation: so one axis stands for all.
    """
    dtype = start.encoder.incoming.dtype
    encoder = eqx.tree_at(
        lambda measure: measure.incoming,
        start.encoder,
        np.concatenate([start.encoder.incoming, np.zeros((start.encoder.width, 1), dtype)], axis=1),
    )
    twice = jax.tree.map(lambda leaf: np.concatenate([leaf, leaf]), start.decoder)
    signs = np.repeat(np.asarray([1, -1], dtype), start.decoder.width)[:, None]
    decoder = eqx.tree_at(
        lambda measure: (measure.masses, measure.outgoing),
        twice,
        (twice.masses / 2, np.concatenate([twice.outgoing, signs * np.asarray(np.sqrt(variance), dtype)], axis=1)),
    )
    return eqx.tree_at(lambda state: (state.encoder, state.decoder), start, (encoder, decoder))
