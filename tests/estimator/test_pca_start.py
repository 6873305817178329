"""The correction that starts networks at PCA: what it minimises, that it depends on measures alone, its derivative."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus.core.laws import Law
from isthmus.estimator.pca_start import RIDGE, PCAStart

DOUBLE = np.dtype(np.float64)


@pytest.fixture(scope="module")
def data():
    return im.load_data("wine", max_points=40)


@pytest.fixture(scope="module")
def start(data):
    return PCAStart(data.points.astype(float), data.weights.astype(float), data.principal_directions[:, :2])


@pytest.fixture(scope="module")
def law(data):
    return im.aligned_law(data, 2, strength=1.0)


def drawn(data, law, width, seed=0):
    return im.Problem(data, law).draw(jax.random.key(seed), (width, width), DOUBLE)


def twice(measure):
    """Return every neuron as two, of a quarter and three quarters of its mass."""
    parts = [np.concatenate([part, part]) for part in (measure.outgoing, measure.incoming, measure.bias)]
    return im.NeuronMeasure.of(*parts, masses=np.concatenate([measure.masses / 4, 3 * measure.masses / 4]))


@pytest.mark.parametrize("width", [30, 60])
def test_it_depends_on_the_measure_alone(data, law, start, width):
    """Split neurons have more columns than there are points, and the other form of the solution is taken."""
    network = drawn(data, law, width)
    split = start.of(network.with_measures(twice(network.encoder), twice(network.decoder)))
    whole = start.of(network)
    for ours, theirs in ((split.encoder, whole.encoder), (split.decoder, whole.decoder)):
        np.testing.assert_allclose(ours.outgoing, np.tile(theirs.outgoing, (2, 1)), rtol=1e-6, atol=1e-6)


def test_it_minimises_distance_and_change(data, law, start, double):
    network = drawn(data, law, 30)
    corrected = start.of(network)
    points, weights = jnp.asarray(start.points), jnp.asarray(start.weights)
    phi = network.encoder_activation
    features = phi.value(points @ network.encoder.incoming.T + network.encoder.bias[None, :])
    penalty = RIDGE * weights @ jnp.square(features) @ network.encoder.masses

    def aim(outgoing):
        reached = features @ (network.encoder.masses[:, None] * outgoing)
        change = network.encoder.masses @ jnp.square(outgoing - network.encoder.outgoing).sum(axis=1)
        return weights @ jnp.square(points @ start.directions - reached).sum(axis=1) + penalty * change

    gradient = lambda outgoing: float(jnp.abs(jax.grad(aim)(jnp.asarray(outgoing))).max())
    assert gradient(corrected.encoder.outgoing) < 1e-10 * gradient(network.encoder.outgoing)


def test_it_starts_at_pca(data, law, start):
    network = start.of(drawn(data, law, 256))
    assert float(network.in_precision(DOUBLE).risk(data.points)) == pytest.approx(data.pca_risk(2), rel=2e-3)


def test_it_is_rotation_equivariant(data, law, start):
    network, turn = drawn(data, law, 30), np.linalg.qr(np.random.default_rng(0).standard_normal((13, 13)))[0]
    where = lambda state: (state.encoder.incoming, state.decoder.outgoing)
    turned = eqx.tree_at(where, network, (network.encoder.incoming @ turn, network.decoder.outgoing @ turn))
    ours, theirs = start.in_axes(turn).of(turned), start.of(network)
    np.testing.assert_allclose(ours.decoder.outgoing, theirs.decoder.outgoing @ turn, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(ours.encoder.outgoing, theirs.encoder.outgoing, rtol=1e-8, atol=1e-8)


def test_its_pull_back_is_the_transpose_of_finite_differences(data, law, start):
    network, random = drawn(data, law, 30), np.random.default_rng(1)
    h = 1e-6
    noise = {side: random.standard_normal(30) / 30 for side in ("encoder", "decoder")}

    def moved(sign):
        where = lambda state: (state.encoder.masses, state.decoder.masses)
        masses = [getattr(network, side).masses + sign * h * noise[side] for side in ("encoder", "decoder")]
        return start.of(eqx.tree_at(where, network, tuple(masses)))

    change = jax.tree.map(lambda a, b: (a - b) / (2 * h), moved(1), moved(-1))
    cotangents = jax.tree.map(lambda leaf: random.standard_normal((2, *leaf.shape)), change)
    pulled = start.pulled_back(network, cotangents)
    for lane in range(2):
        terms = jax.tree.map(lambda c, d, lane=lane: float(np.sum(c[lane] * d)), cotangents, change)
        expected = jax.tree.reduce(lambda a, b: a + b, terms)
        found = sum(getattr(pulled, side).masses[lane] @ noise[side] for side in noise)
        assert found == pytest.approx(expected, rel=1e-4)


def test_all_solvers_start_there(data, law, start):
    problem = im.Problem(data, Law(law.encoder, law.decoder, law.activations, start))
    pca = data.pca_risk(2)
    assert im.train(problem, [0.0], 256, 0.1, runs=2).risk == pytest.approx(pca, rel=2e-3)
    for quadrature in ("sobol", "iid"):
        path = im.solve_mean_field(problem, [0.0], particles=256, quadrature=quadrature, replicates=2)
        assert path.risk[0] == pytest.approx(pca, rel=2e-3)
    plain = im.solve_mean_field(im.Problem(data, law), [0.0], particles=256, replicates=2)
    assert plain.risk[0] > 1.003 * pca


def test_the_closed_system_of_linear_networks_does_not_know_it(data, start):
    law = im.aligned_law(data, 2, activation="linear", bias_scale=0.0)
    problem = im.Problem(data, Law(law.encoder, law.decoder, law.activations, start), activation="linear")
    with pytest.raises(im.ArgumentError, match="'problem' must have a law without a correction"):
        im.linear_closure(problem, [0.0, 1.0])
