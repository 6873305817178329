"""What weight decay does point by point: the velocity is a sum over points, and so is its second moment."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus.core.optimizers import Motion
from isthmus.dynamics.field import VectorField


def system(train_biases, missing=False):
    """Return a network of unequal masses, and a field with weight decay over points whose weights don't sum to 1."""
    random = np.random.default_rng(0)
    draw = lambda *shape: random.standard_normal(shape)
    encoder = im.NeuronMeasure.of(draw(4, 2), draw(4, 3), draw(4), random.dirichlet(np.ones(4)))
    decoder = im.NeuronMeasure.of(draw(5, 3), draw(5, 2), draw(5), random.dirichlet(np.ones(5)))
    phis = im.ACTIVATIONS["tanh"], im.ACTIVATIONS["gelu"]
    points = draw(6, 3)
    if missing:
        points[1, 2] = points[4, 0] = np.nan
    network = jax.tree.map(jnp.asarray, im.Autoencoder(encoder, decoder, *phis))
    motion = Motion(decays=(0.7, 0.4), train_biases=train_biases)
    return network, VectorField(jnp.asarray(points), jnp.asarray(random.dirichlet(np.ones(6)) / 2), motion)


UNIT = (1.0, 1.0)


def assert_same(actual, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), actual, expected)


def by_point(network, field):
    """Return the velocity that each point alone gives, with a leading axis of points."""
    alone = lambda network, point: VectorField(point[None], jnp.ones(1), field.motion).velocity_at_rates(network, UNIT)
    single = jax.jit(alone)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *(single(network, point) for point in field.points))


@pytest.mark.parametrize(("train_biases", "missing"), [(True, False), (False, True)])
def test_velocity_and_second_moment_are_sums_over_single_points(train_biases, missing, double):
    network, field = system(train_biases, missing)
    alone = by_point(network, field)
    average = lambda power: jax.tree.map(lambda leaf: np.tensordot(field.weights, leaf**power, 1), alone)
    assert_same(jax.jit(lambda n: field.velocity_at_rates(n, UNIT))(network), average(1))
    assert_same(jax.jit(lambda n: field.second_moment(n))(network), average(2))


def test_without_decay_the_second_moment_is_that_of_the_pulls(double):
    network, field = system(True)
    field = dataclasses.replace(field, motion=Motion())
    squares = jax.tree.map(lambda leaf: np.tensordot(field.weights, leaf**2, 1), by_point(network, field))
    assert_same(jax.jit(lambda n: n.second_moment(field.points, field.weights))(network), squares)


@pytest.mark.parametrize("train_biases", [True, False])
def test_weight_decay_pulls_at_what_is_trained_and_no_more(train_biases, double):
    """Against the gradient of the objective over the mass, whose penalty is written out here."""
    network, field = system(train_biases)
    field = dataclasses.replace(field, weights=field.weights / field.weights.sum())

    def objective(network):
        total = network.risk(field.points, field.weights)
        for side, decay in ((network.encoder, 0.7), (network.decoder, 0.4)):
            squares = (side.outgoing**2).sum(axis=1) + (side.incoming**2).sum(axis=1)
            total = total + decay / 2 * side.masses @ (squares + (side.bias**2 if train_biases else 0.0))
        return total

    value, gradient = jax.jit(jax.value_and_grad(objective))(network)
    velocity = jax.jit(lambda n: field.velocity_at_rates(n, UNIT))(network)
    for side in ("encoder", "decoder"):
        masses, slope, speed = (getattr(tree, side) for tree in (network, gradient, velocity))
        masses = masses.masses
        np.testing.assert_allclose(speed.outgoing, -slope.outgoing / masses[:, None], atol=1e-12)
        np.testing.assert_allclose(speed.incoming, -slope.incoming / masses[:, None], atol=1e-12)
        np.testing.assert_allclose(speed.bias, -slope.bias / masses if train_biases else 0.0, atol=1e-12)
    np.testing.assert_allclose(field.objective(network), value, rtol=1e-12)


def test_rates_multiply_all_of_the_velocity_of_their_side(double):
    network, field = system(True)
    rated = jax.jit(lambda n: field.velocity_at_rates(n, (2.0, 0.5)))(network)
    assert_same(rated, jax.jit(lambda n: field.velocity_at_rates(n, UNIT))(network).scaled(2.0, 0.5))
