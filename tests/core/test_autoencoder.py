"""The explicit equations against automatic differentiation, and their exact symmetries."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus as im
from isthmus._precision import computing_in
from isthmus.dynamics.field import VectorField

NAMES = sorted(im.ACTIVATIONS)
PAIRS = list(zip(NAMES, NAMES[1:] + NAMES[:1], strict=True))
"""Each activation once on each side."""


@eqx.filter_jit
def gradient_of(network, points, weights):
    """Return ∂R/∂θ by automatic differentiation."""
    return eqx.filter_grad(lambda network: network.risk(points, weights))(network)


@eqx.filter_jit
def velocity_of(network, points, weights, **rates):
    return network.velocity(points, weights, **rates)


@eqx.filter_jit
def risk_of(network, points, weights):
    return network.risk(points, weights)


def system(seed, activations=("tanh", "gelu"), widths=(7, 5), d=4, k=2, n=9, masses="uniform"):
    """Return an autoencoder with standard normal neurons, points and weights."""
    random = np.random.default_rng(seed)
    draw = lambda *shape: random.standard_normal(shape)
    weigh = lambda count: random.dirichlet(np.ones(count)) if masses == "random" else None
    encoder = im.NeuronMeasure.of(draw(widths[0], k), draw(widths[0], d), draw(widths[0]), weigh(widths[0]))
    decoder = im.NeuronMeasure.of(draw(widths[1], d), draw(widths[1], k), draw(widths[1]), weigh(widths[1]))
    network = im.Autoencoder(encoder, decoder, *(im.ACTIVATIONS[name] for name in activations))
    return jax.tree.map(jnp.asarray, network), jnp.asarray(draw(n, d)), jnp.asarray(random.dirichlet(np.ones(n)))


def neurons(measure):
    return measure.outgoing, measure.incoming, measure.bias


def close(actual, expected, tolerance=1e-10):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), actual, expected)


def with_neurons(measure, outgoing, incoming, bias):
    return im.NeuronMeasure(measure.masses, outgoing, incoming, bias)


@pytest.mark.parametrize("activations", PAIRS)
def test_velocity_is_minus_the_gradient_over_the_mass(activations, double):
    network, points, weights = system(1, activations, masses="random")
    gradient, velocity = gradient_of(network, points, weights), velocity_of(network, points, weights)
    for side in ("encoder", "decoder"):
        measure, slope, speed = (getattr(tree, side) for tree in (network, gradient, velocity))
        per_mass = jax.tree.map(lambda g, m=measure: -g / m.masses.reshape(-1, *[1] * (g.ndim - 1)), neurons(slope))
        close(neurons(speed), per_mass)


def test_velocity_of_a_network_is_minus_width_times_the_gradient(double):
    network, points, weights = system(2)
    gradient = gradient_of(network, points, weights)
    velocity = velocity_of(network, points, weights, encoder_rate=2.0, decoder_rate=0.5)
    close(neurons(velocity.encoder), jax.tree.map(lambda g: -2.0 * 7 * g, neurons(gradient.encoder)))
    close(neurons(velocity.decoder), jax.tree.map(lambda g: -0.5 * 5 * g, neurons(gradient.decoder)))
    assert not velocity.encoder.masses.any() and not velocity.decoder.masses.any()


def test_first_variations_are_derivatives_in_the_masses(double):
    network, points, weights = system(3, masses="random")
    gradient = gradient_of(network, points, weights)
    psi_e, psi_d = jax.jit(lambda network: network.first_variations(points, weights))(network)
    close((psi_e, psi_d), (gradient.encoder.masses, gradient.decoder.masses))


def test_velocity_is_minus_the_gradient_of_the_first_variation_at_any_neuron(double):
    network, points, weights = system(4)
    elsewhere, _, _ = system(5, widths=(7, 5))
    psi = lambda at: sum(part.sum() for part in network.first_variations(points, weights, at=at))
    slope = eqx.filter_jit(eqx.filter_grad(psi))(elsewhere)
    # The velocity field of `network` at the neurons of `elsewhere`: put them in with mass 0.
    tag_along = lambda ours, theirs: im.NeuronMeasure(
        jnp.concatenate([ours.masses, 0 * theirs.masses]),
        *(jnp.concatenate(pair) for pair in zip(neurons(ours), neurons(theirs), strict=True)),
    )
    joined = im.Autoencoder(
        tag_along(network.encoder, elsewhere.encoder),
        tag_along(network.decoder, elsewhere.decoder),
        network.encoder_activation,
        network.decoder_activation,
    )
    velocity = velocity_of(joined, points, weights)
    close([v[7:] for v in neurons(velocity.encoder)], [-g for g in neurons(slope.encoder)])
    close([v[5:] for v in neurons(velocity.decoder)], [-g for g in neurons(slope.decoder)])


def test_jacobian_is_that_of_automatic_differentiation(double):
    network, points, _ = system(6)
    latents = network.encode(points)
    one = lambda z: network.decode(z[None])[0]
    close(jax.jit(lambda z: network.jacobian(z))(latents), jax.jit(jax.vmap(jax.jacfwd(one)))(latents))


def test_uniform_weights_are_the_default(double):
    network, points, _ = system(7)
    uniform = jnp.full(9, 1 / 9)
    close(velocity_of(network, points, None), velocity_of(network, points, uniform))
    close(network.risk(points), network.risk(points, uniform))


@pytest.mark.parametrize("activations", PAIRS)
def test_energy_identity(activations, double):
    network, points, weights = system(8, activations, masses="random")

    @eqx.filter_jit
    def both(network):
        """Return the change of the risk along the velocity, and the dissipation."""
        velocity = network.velocity(points, weights)
        tangent = network.with_measures(velocity.encoder, velocity.decoder)
        _, change = eqx.filter_jvp(lambda state: state.risk(points, weights), (network,), (tangent,))
        return change, VectorField(points, weights).dissipation(network)

    change, dissipation = both(network)
    close(change, -dissipation)


seeds = st.integers(0, 2**32 - 1)


def rotation(seed, size):
    return jnp.asarray(np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0])


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_a_rotation_of_the_bottleneck_is_a_gauge(seed):
    with computing_in(np.dtype(np.float64)):
        network, points, weights = system(seed)
        q = rotation(seed, 2)
        turn = lambda state: eqx.tree_at(
            lambda state: (state.encoder.outgoing, state.decoder.incoming),
            state,
            (state.encoder.outgoing @ q.T, state.decoder.incoming @ q.T),
        )
        close(risk_of(turn(network), points, weights), risk_of(network, points, weights), 1e-9)
        close(velocity_of(turn(network), points, weights), turn(velocity_of(network, points, weights)), 1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_a_rotation_of_data_and_wide_weights_changes_nothing(seed):
    with computing_in(np.dtype(np.float64)):
        network, points, weights = system(seed)
        q = rotation(seed, 4)
        turn = lambda state: eqx.tree_at(
            lambda state: (state.encoder.incoming, state.decoder.outgoing),
            state,
            (state.encoder.incoming @ q.T, state.decoder.outgoing @ q.T),
        )
        close(risk_of(turn(network), points @ q.T, weights), risk_of(network, points, weights), 1e-9)
        close(velocity_of(turn(network), points @ q.T, weights), turn(velocity_of(network, points, weights)), 1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, name=st.sampled_from([n for n, phi in im.ACTIVATIONS.items() if phi.odd]))
def test_an_odd_activation_does_not_see_the_sign_of_a_neuron(seed, name):
    with computing_in(np.dtype(np.float64)):
        network, points, weights = system(seed, (name, name))
        signs = jnp.asarray(np.random.default_rng(seed).choice([-1.0, 1.0], 7))
        flip = lambda m: with_neurons(m, signs[:, None] * m.outgoing, signs[:, None] * m.incoming, signs * m.bias)
        flipped = eqx.tree_at(lambda state: state.encoder, network, flip(network.encoder))
        close(risk_of(flipped, points, weights), risk_of(network, points, weights), 1e-9)
        velocity = velocity_of(network, points, weights)
        expected = eqx.tree_at(lambda state: state.encoder, velocity, flip(velocity.encoder))
        close(velocity_of(flipped, points, weights), expected, 1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, name=st.sampled_from([n for n, phi in im.ACTIVATIONS.items() if phi.homogeneous]))
def test_a_homogeneous_activation_conserves_the_balance_of_each_neuron(seed, name):
    with computing_in(np.dtype(np.float64)):
        network, points, weights = system(seed, (name, name), masses="random")
        velocity = velocity_of(network, points, weights)
        for side in ("encoder", "decoder"):
            state, speed = getattr(network, side), getattr(velocity, side)
            change = (
                (state.outgoing * speed.outgoing).sum(1)
                - (state.incoming * speed.incoming).sum(1)
                - state.bias * speed.bias
            )
            np.testing.assert_allclose(change, 0, atol=1e-9 * float(1 + jnp.abs(speed.outgoing).max()))


@settings(max_examples=20, deadline=None)
@given(seed=seeds, share=st.floats(0.05, 0.95))
def test_splitting_a_neuron_changes_nothing(seed, share):
    with computing_in(np.dtype(np.float64)):
        network, points, weights = system(seed, masses="random")
        m = network.decoder
        twice = lambda leaf: jnp.concatenate([leaf, leaf[:1]])
        split = im.NeuronMeasure(twice(m.masses).at[0].mul(share).at[-1].mul(1 - share), *map(twice, neurons(m)))
        other = eqx.tree_at(lambda state: state.decoder, network, split)
        close(risk_of(other, points, weights), risk_of(network, points, weights), 1e-9)
        expected = velocity_of(network, points, weights)
        actual = velocity_of(other, points, weights)
        close(neurons(actual.encoder), neurons(expected.encoder), 1e-9)
        close(neurons(actual.decoder), tuple(map(twice, neurons(expected.decoder))), 1e-9)


def test_measures_are_checked():
    with pytest.raises(im.ArgumentError, match="'incoming' must have shape"):
        im.NeuronMeasure.of(np.ones((3, 1)), np.ones((2, 4)))
    with pytest.raises(im.ArgumentError, match="'masses' must be non-negative with sum 1"):
        im.NeuronMeasure.of(np.ones((2, 1)), np.ones((2, 4)), masses=[0.9, 0.3])
    with pytest.raises(im.ArgumentError, match="'bias' must be finite"):
        im.NeuronMeasure.of(np.ones((2, 1)), np.ones((2, 4)), bias=[0.0, np.nan])
