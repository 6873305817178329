"""Escape from a dead law by the linear theory: how its times grow with the width, and with a level."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus.core.neurons import NeuronMeasure
from isthmus.theory.saddle import linearised_at_rest


@pytest.fixture(scope="module")
def saddle():
    points = np.random.default_rng(0).standard_normal((8, 3)) * [1.5, 1.0, 0.5]
    data = im.Data(points, center=True)
    with pytest.warns(im.TrivialLimitWarning):
        problem = im.Problem(data, im.independent_law(3, 1, incoming_scale=0.7, bias_scale=0.4))
    return im.saddle(problem, neurons=256)


def test_the_mean_escape_time_grows_with_the_logarithm_of_the_width_at_the_slope(saddle):
    narrow, wide = saddle.escape_time(10**5), saddle.escape_time(10**9)
    assert (wide - narrow) / np.log(10**4) == pytest.approx(saddle.slope, rel=0.03)
    assert saddle.slope == pytest.approx(0.5 / saddle.growth_rate)


def test_escape_takes_the_time_in_which_deviations_grow_to_the_level(saddle):
    """Far from the start one direction is left, whose gain grows as e^{2γt}."""
    point, width, runs = saddle._point, 10**9, 64
    values, vectors = np.linalg.eig(point.generator)
    top = np.argmax(values.real)
    dual = np.linalg.inv(vectors)[top]
    random = np.random.default_rng([0, width, width])
    start = np.concatenate(
        [
            random.standard_normal((runs, len(parts))) @ (parts - parts.mean(axis=0)) / np.sqrt(len(parts) * width)
            for parts in (point.encoder_parts, point.decoder_parts)
        ],
        axis=1,
    )
    along = np.real(np.outer(start @ dual, vectors[:, top]))
    expected = np.log(saddle.drop / point.gain(along)) / (2 * saddle.growth_rate)
    np.testing.assert_allclose(saddle.escape_times(width, runs), expected, rtol=0.01)


@pytest.mark.parametrize("train_biases", [True, False])
def test_the_linear_system_is_that_of_velocities_near_a_dead_network(train_biases, double):
    """Neurons in pairs ±v make f = 0 and g = 0; changed a little, C = E[x f(x)ᵀ], Dg(0) and g(0) move by the system."""
    random, (d, k, pairs) = np.random.default_rng(3), (3, 2, 4)
    points, weights = random.standard_normal((6, d)), random.dirichlet(np.ones(6))
    data = im.Data(points - weights @ points, weights)
    rates = {"encoder_rate": 1.7, "decoder_rate": 0.6}
    law = im.independent_law(d, k, bias_scale=0.5)
    with pytest.warns(im.TrivialLimitWarning):
        problem = im.Problem(data, law, ("tanh", "gelu"), train_biases=train_biases, **rates)
    halves = [random.standard_normal((pairs, size)) for size in (k, d, 1, d, k, 1)]
    near, tiny = np.repeat([1.0, 0.0], pairs)[:, None], 1e-4

    def network(h):
        sides = []
        for v, w, b in (halves[:3], halves[3:]):
            outgoing = np.concatenate([v, -v]) + h * near * np.concatenate([np.cos(v), v])
            sides.append(im.NeuronMeasure.of(outgoing, np.concatenate([w, w]), np.concatenate([b, b])[:, 0]))
        return jax.tree.map(jnp.asarray, problem.autoencoder(*sides))

    def deviations(network):
        origin, points = jnp.zeros((1, k)), jnp.asarray(data.points)
        correlation = points.T @ (jnp.asarray(data.weights)[:, None] * network.encode(points))
        jacobian, centre = network.jacobian(origin)[0], network.decode(origin)[0]
        return jnp.concatenate([correlation.T.ravel(), jacobian.T.ravel(), centre])

    @jax.jit
    def moving(network):
        moved = network.velocity(data.points, data.weights, 1.7, 0.6)
        bias = lambda side: side.bias if train_biases else 0 * side.bias
        keep = lambda side: NeuronMeasure(side.masses, side.outgoing, side.incoming, bias(side))
        tangent = network.with_measures(keep(moved.encoder), keep(moved.decoder))
        state, change = jax.jvp(deviations, (network,), (tangent,))
        return state, change, network.risk(data.points, data.weights)

    point = linearised_at_rest(problem, data, network(0.0).encoder, network(0.0).decoder)
    (up, rise, risk), (down, fall, _) = moving(network(tiny)), moving(network(-tiny))
    state, change = (up - down) / (2 * tiny), (rise - fall) / (2 * tiny)
    np.testing.assert_allclose(point.generator @ state, change, rtol=1e-5, atol=1e-5 * np.abs(change).max())
    rest = weights @ (data.points**2).sum(axis=1) / 2
    assert (rest - risk) / tiny**2 == pytest.approx(point.gain(np.asarray(state)), rel=2e-3)
