"""The vector field against automatic differentiation of its objective, and every integrator along it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus.core.autoencoder import Velocity
from isthmus.core.optimizers import GRADIENT_DESCENT, Motion
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.flow import flow_settings, integrate, integrate_together

DOUBLE = np.dtype(np.float64)
RATES = (0.5, lambda t: 2 / (1 + t))


def system(train_biases=True, decays=(0.3, 0.1), optimizer=GRADIENT_DESCENT):
    random = np.random.default_rng(3)
    draw = lambda *shape: random.standard_normal(shape)
    encoder = im.NeuronMeasure.of(draw(5, 2), draw(5, 3), draw(5), random.dirichlet(np.ones(5)))
    decoder = im.NeuronMeasure.of(draw(4, 3), draw(4, 2), draw(4), random.dirichlet(np.ones(4)))
    network = im.Autoencoder(encoder, decoder, im.ACTIVATIONS["tanh"], im.ACTIVATIONS["gelu"])
    motion = Motion(RATES, optimizer, 0.0, decays, train_biases)
    return network, VectorField.of(im.Data(draw(7, 3), random.dirichlet(np.ones(7))), motion, DOUBLE)


@pytest.mark.parametrize("train_biases", [True, False])
def test_the_velocity_is_the_gradient_of_the_objective_over_the_masses_times_the_rates(double, train_biases):
    network, field = system(train_biases)
    time = jnp.asarray(1.0)
    both = jax.jit(lambda network: (jax.grad(field.objective)(network), field.velocity(network, time)))
    gradient, velocity = both(network)
    for side, rate in (("encoder", 0.5), ("decoder", 1.0)):
        masses = getattr(network, side).masses
        for part in ("outgoing", "incoming", "bias"):
            slope, moved = (np.asarray(getattr(getattr(tree, side), part)) for tree in (gradient, velocity))
            expected = -rate * slope / masses.reshape(-1, *[1] * (slope.ndim - 1))
            frozen = part == "bias" and not train_biases
            np.testing.assert_allclose(moved, 0 if frozen else expected, rtol=1e-10, atol=1e-13)
        assert not np.asarray(getattr(velocity, side).masses).any()


def test_it_is_linear_in_the_weights_of_the_points(double):
    network, field = system()
    one, other = (jnp.asarray(np.random.default_rng(seed).standard_normal(7)) for seed in (0, 1))
    velocity = jax.jit(lambda weights: field.velocity(network, jnp.asarray(0.0), weights))
    apart = [velocity(weights) for weights in (one, other, one + 2 * other)]
    for a, b, both in zip(*map(jax.tree.leaves, apart), strict=True):
        np.testing.assert_allclose(a + 2 * b, both, rtol=1e-10, atol=1e-12)


def test_along_a_direction_it_changes_as_central_differences_do(double):
    network, field = system(train_biases=False)
    random = np.random.default_rng(5)
    direction = jax.tree.map(lambda leaf: jnp.asarray(random.standard_normal(leaf.shape)), network)
    along = jax.jit(lambda direction: field.along(network, jnp.asarray(1.0), direction))
    change = along(Velocity(direction.encoder, direction.decoder))
    velocity = jax.jit(lambda network: field.velocity(network, jnp.asarray(1.0)))
    ahead, behind = (velocity(jax.tree.map(lambda a, b: a + h * b, network, direction)) for h in (1e-5, -1e-5))  # noqa: B023
    for ours, a, b in zip(*map(jax.tree.leaves, (change, ahead, behind)), strict=True):
        np.testing.assert_allclose(ours, (a - b) / 2e-5, rtol=1e-6, atol=1e-8)


def test_the_energy_identity_holds_with_weight_decay_and_fixed_biases(double):
    network, field = system(train_biases=False)

    @jax.jit
    def change_and_dissipation(network):
        velocity = field.velocity_at_rates(network, (1.0, 1.0))
        tangent = network.with_measures(velocity.encoder, velocity.decoder)
        return jax.jvp(field.objective, (network,), (tangent,))[1], field.dissipation(network)

    change, dissipation = change_and_dissipation(network)
    np.testing.assert_allclose(change, -dissipation, rtol=1e-10)


@pytest.mark.parametrize("low_memory", [False, True])
def test_every_method_follows_the_same_field(double, low_memory):
    """Against SciPy's solver of the same equation."""
    from scipy.integrate import solve_ivp

    network, field = system()
    times = np.array([0.0, 0.4, 1.5])
    leaves, structure = jax.tree.flatten(network)
    cuts = np.cumsum([leaf.size for leaf in leaves])[:-1]
    unflat = lambda y: jax.tree.unflatten(
        structure, [part.reshape(leaf.shape) for part, leaf in zip(np.split(y, cuts), leaves, strict=True)]
    )
    flat = lambda tree: np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])
    velocity = jax.jit(lambda network, time: field.velocity(network, time))
    exact = solve_ivp(
        lambda t, y: flat(velocity(unflat(y), jnp.asarray(t))), (0, 1.5), flat(network), "DOP853", times, rtol=1e-9,
        atol=1e-11,
    )  # fmt: skip
    settings = flow_settings(1e-7, None, 5000, DOUBLE)._replace(low_memory=low_memory)
    flow = integrate(field, network, times, settings, kept=[2])
    assert flow.status.ok
    expected = [float(field.risk(unflat(y))) for y in exact.y.T]
    np.testing.assert_allclose(flow.risk, expected, rtol=1e-6)
    np.testing.assert_allclose(
        flat(jax.tree.map(lambda leaf: leaf[0], flow.snapshots)), exact.y[:, -1], rtol=1e-4, atol=1e-5
    )


def test_networks_that_are_followed_together_are_those_alone(double):
    network, field = system(optimizer=im.Momentum(0.5))
    other = jax.tree.map(lambda leaf: leaf * 0.9 if leaf.ndim == 2 else leaf, network)
    settings, times = flow_settings(1e-8, None, 5000, DOUBLE), np.array([0.0, 1.0])
    together = integrate_together(field, [network, other], times, settings)
    for flow, start in zip(together, (network, other), strict=True):
        np.testing.assert_allclose(flow.risk, integrate(field, start, times, settings).risk, rtol=1e-7)
