"""The flow of Adam against exponential averages over the past, written out and integrated by another method."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus._precision import computing_in
from isthmus.core.autoencoder import Velocity

MEAN, SQUARE, EPSILON, BATCH = 0.4, 1.5, 0.05, 3
TIMES = np.array([0.0, 0.25, 1.0])
STEPS = 32


@pytest.fixture(scope="module")
def problem():
    points = np.random.default_rng(1).standard_normal((6, 3))
    data = im.Data(points, center=True, scale="total")
    optimizer = im.Adam(MEAN, SQUARE, epsilon=EPSILON, batch_size=BATCH)
    return im.Problem(
        data, im.aligned_law(data, 1), optimizer=optimizer, encoder_rate=0.5, decoder_rate=lambda t: 1 + t
    )


def averaged(problem, start):
    """Return the risks of θ̇ = ξ m/(√s + δ), m = ∫e^{−(t−u)/τ}v du / ∫e^{−(t−u)/τ}du, by the classical method."""
    points = jnp.asarray(problem.population.points)
    both = lambda function, *trees: jax.tree.map(function, *trees)

    def slope(time, state):
        network, mean, square = state
        v = network.velocity(points)
        squares = both(lambda v, s: v**2 + (s - v**2) / BATCH, v, network.second_moment(points))
        filled = lambda memory: jnp.where(time > 0, -jnp.expm1(-time / memory) * memory, 1.0)
        m = both(lambda total, now: jnp.where(time > 0, total / filled(MEAN), now), mean, v)
        s = both(lambda total, now: jnp.where(time > 0, total / filled(SQUARE), now), square, squares)
        move = both(lambda m, s: m / (jnp.sqrt(s) + EPSILON), m, s).scaled(0.5, 1 + time)
        move = network.with_measures(move.encoder, move.decoder)  # of the type of the state it moves
        grown = lambda total, now, memory: both(lambda total, now: now - total / memory, total, now)
        return move, grown(mean, v, MEAN), grown(square, squares, SQUARE)

    @jax.jit
    def step(time, size, state):
        moved = lambda share, change: both(lambda a, b: a + share * size * b, state, change)
        one = slope(time, state)
        two = slope(time + size / 2, moved(0.5, one))
        three = slope(time + size / 2, moved(0.5, two))
        four = slope(time + size, moved(1.0, three))
        return both(lambda y, a, b, c, d: y + size / 6 * (a + 2 * b + 2 * c + d), state, one, two, three, four)

    nothing = Velocity(*both(jnp.zeros_like, (start.encoder, start.decoder)))
    state, risks = (start, nothing, nothing), [float(start.risk(points))]
    for begin, end in itertools.pairwise(TIMES):
        size = jnp.asarray((end - begin) / STEPS)
        for index in range(STEPS):
            state = step(begin + index * size, size, state)
        risks.append(float(state[0].risk(points)))
    return np.array(risks)


def test_the_flow_is_that_of_averages_over_the_past(problem):
    flow = im.gradient_flow(problem, TIMES, 4, dtype="float64", rtol=1e-7, snapshot_times=[0.0])
    with computing_in(np.dtype(np.float64)):
        expected = averaged(problem, jax.tree.map(jnp.asarray, flow.at(0.0)))
    assert expected[0] - expected[-1] > 0.02
    np.testing.assert_allclose(flow.risk[0], expected, rtol=1e-4)
