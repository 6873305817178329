r"""Mean shifts of second order: what the curvature of the risk in each noise adds to the mean risk of a finite network.

With F_t the map from initial masses (or weights of the data) to R(t), and h a centred noise of the right covariance,

    b(t) = ½ E D²F_t[h, h] ≈ E [F_t(h) + F_t(−h) − 2 F_t(0)] / 2

by antithetic pairs: the first order cancels exactly, and a small h makes what is left the second. Noise of batches
enters between two halves of each step, by its coefficients before the kick (Itô), as in stochastic gradient descent:
what relaxes at a rate λ is then right to (λ × step)²/6, where a kick at an end would be wrong by λ × step.
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
from isthmus.core.frame import Frame
from isthmus.core.problem import Problem
from isthmus.core.quadrature import sobol_particles
from isthmus.dynamics.parallel import Progress, run_jobs
from isthmus.theory.linearisation import System

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
    frame: Frame,
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
    hidden = frame.hidden_variance
    system = System.of(frame.data, problem.rates, dtype)
    wide = System.of(_with_hidden_axis(frame.data), problem.rates, dtype) if hidden > 0 else system
    with computing_in(dtype):
        plan = _Plan(
            jnp.asarray(nodes[:-1], dtype),
            jnp.asarray(np.diff(nodes), dtype),
            jnp.asarray(np.isin(np.arange(1, len(nodes)), recorded)),
        )

    # A network's correction acts on the hidden axis too, along which the points have no component.
    bases = frame.basis, np.concatenate([frame.basis, np.zeros((len(frame.basis), 1))], axis=1)

    def started(network: Autoencoder) -> Autoencoder:
        return problem.started(network, bases[network.dim - frame.data.dim])

    def sample(index: int) -> tuple[np.ndarray, ...]:
        random = np.random.default_rng([seed, 2, index])
        drawn = problem.autoencoder(*sobol_particles(frame, particles, seed, 1000 + index, dtype))
        with computing_in(dtype):
            return _one_sample(drawn, started, system, wide, hidden, plan, recorded, random)

    parts = run_jobs(sample, samples, workers, progress)
    return SecondOrder(*(np.stack(part) for part in zip(*parts, strict=True)))


class _Plan(NamedTuple):
    times: jax.Array
    sizes: jax.Array
    records: jax.Array


def _one_sample(
    drawn: Autoencoder,
    started: Callable[[Autoencoder], Autoencoder],
    system: System,
    wide: System,
    hidden: float,
    plan: _Plan,
    recorded: np.ndarray,
    random: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    dtype, weights = np.dtype(system.points.dtype), np.asarray(system.weights, float)

    def shift(risks: jax.Array, middle: jax.Array, size: float) -> np.ndarray:
        values = np.asarray(risks, float)
        return (values[0] + values[1] - 2 * np.asarray(middle, float))[recorded] / (2 * size)

    pair = _pair(drawn, hidden) if hidden > 0 else drawn
    starts = [started(pair)]
    for side in ("encoder", "decoder"):
        measure = getattr(pair, side)
        signs = random.choice([-1.0, 1.0], measure.width)
        signs -= np.asarray(measure.masses, float) @ signs
        for sign in (1, -1):
            masses = np.asarray(measure.masses * (1 + sign * MASS_NOISE * signs), dtype)
            noisy = eqx.tree_at(lambda state, side=side: getattr(state, side).masses, pair, masses)
            starts.append(started(noisy))
    stacked = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *starts)
    masses = _risks_of_starts(stacked, wide, plan)
    b_encoder, b_decoder = (
        shift(masses[1 + 2 * side : 3 + 2 * side], masses[0], MASS_NOISE**2 / width)
        for side, width in enumerate((pair.encoder.width, pair.decoder.width))
    )

    def noise(shape: tuple[int, ...]) -> np.ndarray:
        """Return normals of covariance diag(p) − ppᵀ on the weights."""
        roots = np.sqrt(weights)
        normals = random.standard_normal((*shape, len(weights)))
        return roots * normals - weights * (normals @ roots)[..., None]

    start = started(drawn)
    steps = jnp.asarray(
        POINT_NOISE * noise((len(plan.sizes),)) / np.sqrt(np.asarray(plan.sizes, float))[:, None], dtype
    )
    fixed = jnp.asarray(POINT_NOISE * noise(()), dtype)
    calm = _risks(start, system, plan, system.weights, None)[0]
    noisy = jnp.stack([_risks(start, system, plan, system.weights, sign * steps)[0] for sign in (1, -1)])
    sampled = [_risks(start, system, plan, system.weights + sign * fixed, None) for sign in (1, -1)]
    elsewhere, own = (jnp.stack(risks) for risks in zip(*sampled, strict=True))
    size = POINT_NOISE**2
    return b_encoder, b_decoder, shift(noisy, calm, size), shift(elsewhere, calm, size), shift(own, calm, size)


@jax.jit
def _risks_of_starts(starts: Autoencoder, system: System, plan: _Plan) -> jax.Array:
    return jax.lax.map(lambda start: _risks(start, system, plan, system.weights, None)[0], starts)


@jax.jit
def _risks(
    start: Autoencoder, system: System, plan: _Plan, weights: jax.Array, noise: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """Return the risk at the nodes, (S + 1,), under the system's weights and under those that drive the flow."""

    def measured(state: Autoencoder) -> jax.Array:
        return jnp.stack([state.risk(system.points, w) for w in (system.weights, weights)])

    def advance(state: Autoencoder, part: tuple) -> tuple[Autoencoder, jax.Array]:
        time, size, record, steps_noise = part
        if steps_noise is None:
            following = system.step(state, weights, time, size)
        else:
            middle = system.step(state, weights, time, size / 2)
            kick = system.velocity(middle, time + size / 2, steps_noise)
            kicked = jax.tree.map(lambda leaf, slope: leaf + size * slope, middle, kick)
            following = system.step(kicked, weights, time + size / 2, size / 2)
        nothing = jnp.zeros(2, weights.dtype)
        return following, jax.lax.cond(record, measured, lambda _: nothing, following)

    _, risks = jax.lax.scan(advance, start, (*plan, noise))
    first, second = jnp.concatenate([measured(start)[None], risks]).T
    return first, second


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
