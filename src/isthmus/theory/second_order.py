r"""Mean shifts of second order: what the curvature of the risk in each noise adds to the mean risk of a finite network.

With F_t the map from initial masses (or weights of the data) to R(t), and h a centred noise of the right covariance,

    b(t) = ½ E D²F_t[h, h] ≈ E [F_t(h) + F_t(−h) − 2 F_t(0)] / 2

by antithetic pairs: the first order cancels exactly, and a small h makes what is left the second. Noise of batches
enters in the middle of each half of a step, by its coefficients before the kick (Itô), as in stochastic gradient
descent: what relaxes at a rate λ is then right to (λ × step)²/24, where one at an end would be wrong by λ × step / 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.data import Data
from isthmus.core.problem import Problem
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.integrators import moved
from isthmus.dynamics.parallel import Progress, run_jobs
from isthmus.theory.linearisation import step

MASS_NOISE = 0.1
"""Relative size of the noise on masses: a network 100 times as wide as there are particles."""
POINT_NOISE = 0.03
"""√(ε/B), and 1/√n, of the noise on the weights of the data."""


class SecondOrder(NamedTuple):
    """Samples of b_E, b_D, b_S, and of b_P measured on the population and on the sample itself, (samples, T) each."""

    encoder: np.ndarray
    decoder: np.ndarray
    batches: np.ndarray
    sample: np.ndarray
    own_sample: np.ndarray


def second_order(
    problem: Problem,
    nodes: np.ndarray,
    recorded: np.ndarray,
    particles: int,
    samples: int,
    seed: int,
    dtype: np.dtype,
    workers: int | None,
    progress: Progress | None,
) -> SecondOrder:
    """Return independent samples of the shifts, each from particles of its own scrambling."""
    # In the limit the decoder's outgoing weights outside the span cancel. In a finite network they add to the risk at
    # second order, in proportion to their total variance alone, since each component evolves by the same linear
    # equation: so one axis stands for all.
    frame = problem.frame
    hidden = frame.hidden_variance
    field = VectorField.of(frame.data, problem.motion, dtype)
    wide = VectorField.of(_with_hidden_axis(frame.data), problem.motion, dtype) if hidden > 0 else field
    with computing_in(dtype):
        plan = _Plan(jnp.asarray(nodes[:-1], dtype), jnp.asarray(np.diff(nodes), dtype))

    # A network's correction acts on the hidden axis too, along which the points have no component.
    bases = frame.basis, np.concatenate([frame.basis, np.zeros((len(frame.basis), 1))], axis=1)

    def started(network: Autoencoder) -> Autoencoder:
        return problem.started(network, bases[network.dim - frame.data.dim])

    def sample(index: int) -> tuple[np.ndarray, ...]:
        random = np.random.default_rng([seed, 2, index])
        drawn = problem.particles(particles, seed, 1000 + index, dtype, in_span=True).drawn
        with computing_in(dtype):
            return _one_sample(drawn, started, field, wide, hidden, plan, recorded, random)

    parts = run_jobs(sample, samples, workers, progress)
    return SecondOrder(*(np.stack(part) for part in zip(*parts, strict=True)))


class _Plan(NamedTuple):
    """Where steps begin, and how long they are."""

    times: jax.Array
    sizes: jax.Array


def _one_sample(
    drawn: Autoencoder,
    started: Callable[[Autoencoder], Autoencoder],
    field: VectorField,
    wide: VectorField,
    hidden: float,
    plan: _Plan,
    recorded: np.ndarray,
    random: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    dtype, weights = field.dtype, np.asarray(field.weights, float)
    pair = _pair(drawn, hidden) if hidden > 0 else drawn
    starts = [started(pair)] * 3
    for side in ("encoder", "decoder"):
        measure = getattr(pair, side)
        signs = random.choice([-1.0, 1.0], measure.width)
        signs -= np.asarray(measure.masses, float) @ signs
        for sign in (1, -1):
            masses = np.asarray(measure.masses * (1 + sign * MASS_NOISE * signs), dtype)
            noisy = eqx.tree_at(lambda state, side=side: getattr(state, side).masses, pair, masses)
            starts.append(started(noisy))

    def noise(shape: tuple[int, ...]) -> np.ndarray:
        """Return normals of covariance diag(p) − ppᵀ on the weights."""
        roots = np.sqrt(weights)
        normals = random.standard_normal((*shape, len(weights)))
        return roots * normals - weights * (normals @ roots)[..., None]

    halves = np.asarray(plan.sizes, float)[:, None, None] / 2
    kicks = POINT_NOISE * noise((len(halves), 2)) / np.sqrt(halves)
    fixed = POINT_NOISE * noise(())
    driven = np.array([weights, weights + fixed, weights - fixed, *[weights] * 4])
    stacked = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *starts)
    risks = np.asarray(_risks(stacked, wide, plan, jnp.asarray(driven, dtype)), float)[:, recorded]
    noiseless, elsewhere, on_sample = risks[0, :, 0], risks[1:3, :, 0], risks[1:3, :, 1]
    kicked = np.asarray(_kicked_risks(started(drawn), field, plan, jnp.asarray([kicks, -kicks], dtype)), float)

    def shift(pair: np.ndarray, size: float) -> np.ndarray:
        return (pair[0] + pair[1] - 2 * noiseless) / (2 * size)

    on_masses = (
        shift(risks[first : first + 2, :, 0], MASS_NOISE**2 / side.width)
        for first, side in ((3, pair.encoder), (5, pair.decoder))
    )
    on_points = (shift(noisy, POINT_NOISE**2) for noisy in (kicked[:, recorded], elsewhere, on_sample))
    return (*on_masses, *on_points)


@jax.jit
def _risks(starts: Autoencoder, field: VectorField, plan: _Plan, weights: jax.Array) -> jax.Array:
    """Return the risks of flows at the nodes, (flows, S + 1, 2), under the field's weights and under those of each."""

    def follow(flow: tuple[Autoencoder, jax.Array]) -> jax.Array:
        start, weights = flow

        def measured(state: Autoencoder) -> jax.Array:
            return jnp.stack([field.risk(state), field.risk(state, weights)])

        def advance(state: Autoencoder, part: _Plan) -> tuple[Autoencoder, jax.Array]:
            return step(field, state, weights, part.times, part.sizes), measured(state)

        end, risks = jax.lax.scan(advance, start, plan)
        return jnp.concatenate([risks, measured(end)[None]])

    return jax.lax.map(follow, (starts, weights))


@jax.jit
def _kicked_risks(start: Autoencoder, field: VectorField, plan: _Plan, kicks: jax.Array) -> jax.Array:
    """Return the risks at the nodes of flows with noise, (flows, S + 1), from its values, (flows, S, 2, n)."""
    dtype = kicks.dtype
    # Two kicks, each in the middle of a half of the step; after the last part there is none.
    begins, lengths = jnp.asarray([0, 1 / 4, 3 / 4], dtype), jnp.asarray([1 / 4, 1 / 2, 1 / 4], dtype)

    def follow(kicks: jax.Array) -> jax.Array:
        def advance(state: Autoencoder, part: tuple[_Plan, jax.Array]) -> tuple[Autoencoder, jax.Array]:
            (time, size), noise = part

            def between(state: Autoencoder, part: tuple) -> tuple[Autoencoder, None]:
                begin, length, noise = part
                following = step(field, state, field.weights, time + begin * size, length * size)
                kick = field.velocity(following, time + (begin + length) * size, noise)
                return moved(following, size / 2, kick), None

            padded = jnp.concatenate([noise, jnp.zeros_like(noise[:1])])
            return jax.lax.scan(between, state, (begins, lengths, padded))[0], field.risk(state)

        end, risks = jax.lax.scan(advance, start, (plan, kicks))
        return jnp.append(risks, field.risk(end))

    return jax.lax.map(follow, kicks)


def _with_hidden_axis(data: Data) -> Data:
    points = np.concatenate([data.points, np.zeros((data.size, 1))], axis=1)
    return Data(points, data.weights, missing="ignore", name=data.name)


def _pair(start: Autoencoder, variance: float) -> Autoencoder:
    """Return the state with one axis more, where decoder neurons come in pairs of opposite outgoing weights."""
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
