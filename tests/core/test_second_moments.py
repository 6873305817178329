"""What weight decay does point by point: the velocity is a sum over points, and so is its second moment."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im


def system(train_biases, missing=False):
    """Return a network of unequal masses with weight decay, with points and weights that don't sum to 1."""
    random = np.random.default_rng(0)
    draw = lambda *shape: random.standard_normal(shape)
    encoder = im.NeuronMeasure.of(draw(4, 2), draw(4, 3), draw(4), random.dirichlet(np.ones(4)))
    decoder = im.NeuronMeasure.of(draw(5, 3), draw(5, 2), draw(5), random.dirichlet(np.ones(5)))
    phis = im.ACTIVATIONS["tanh"], im.ACTIVATIONS["gelu"]
    points = draw(6, 3)
    if missing:
        points[1, 2] = points[4, 0] = np.nan
    network = im.Autoencoder(encoder, decoder, *phis, train_biases, (0.7, 0.4))
    return jax.tree.map(jnp.asarray, network), jnp.asarray(points), jnp.asarray(random.dirichlet(np.ones(6)) / 2)


def assert_same(actual, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), actual, expected)


def by_point(network, points):
    """Return the velocity that each point alone gives, with a leading axis of points."""
    single = jax.jit(lambda network, point: network.velocity(point[None], jnp.ones(1)))
    return jax.tree.map(lambda *leaves: np.stack(leaves), *(single(network, point) for point in points))


@pytest.mark.parametrize(("train_biases", "missing"), [(True, False), (False, True)])
def test_velocity_and_second_moment_are_sums_over_single_points(train_biases, missing, double):
    network, points, weights = system(train_biases, missing)
    alone = by_point(network, points)
    average = lambda power: jax.tree.map(lambda leaf: np.tensordot(weights, leaf**power, 1), alone)
    assert_same(jax.jit(lambda n: n.velocity(points, weights))(network), average(1))
    assert_same(jax.jit(lambda n: n.second_moment(points, weights))(network), average(2))


def test_without_decay_the_second_moment_is_that_of_the_pulls(double):
    network, points, weights = system(True)
    network = dataclasses.replace(network, weight_decay=(0.0, 0.0))
    squares = jax.tree.map(lambda leaf: np.tensordot(weights, leaf**2, 1), by_point(network, points))
    assert_same(jax.jit(lambda n: n.second_moment(points, weights))(network), squares)


@pytest.mark.parametrize("train_biases", [True, False])
def test_weight_decay_pulls_at_what_is_trained_and_no_more(train_biases, double):
    """Against the gradient of the objective over the mass, whose penalty is written out here."""
    network, points, weights = system(train_biases)
    weights = weights / weights.sum()

    def objective(network):
        total = network.risk(points, weights)
        for side, decay in ((network.encoder, 0.7), (network.decoder, 0.4)):
            squares = (side.outgoing**2).sum(axis=1) + (side.incoming**2).sum(axis=1)
            total = total + decay / 2 * side.masses @ (squares + (side.bias**2 if train_biases else 0.0))
        return total

    value, gradient = jax.jit(jax.value_and_grad(objective))(network)
    velocity = jax.jit(lambda n: n.velocity(points, weights))(network)
    for side in ("encoder", "decoder"):
        masses, slope, speed = (getattr(tree, side) for tree in (network, gradient, velocity))
        masses = masses.masses
        np.testing.assert_allclose(speed.outgoing, -slope.outgoing / masses[:, None], atol=1e-12)
        np.testing.assert_allclose(speed.incoming, -slope.incoming / masses[:, None], atol=1e-12)
        np.testing.assert_allclose(speed.bias, -slope.bias / masses if train_biases else 0.0, atol=1e-12)
    np.testing.assert_allclose(network.objective(points, weights), value, rtol=1e-12)
