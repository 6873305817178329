"""What works in networks that are made so that it is known."""

import numpy as np
import pytest

import isthmus as im
from isthmus.estimator.activity import activity

LINEAR, TANH = im.ACTIVATIONS["linear"], im.ACTIVATIONS["tanh"]
POINTS = np.random.default_rng(0).standard_normal((50, 2)) * [2.0, 1.0]
WEIGHTS = np.full(50, 1 / 50)


def network(encoder, decoder, phi=TANH):
    return im.Autoencoder(encoder, decoder, phi, phi)


def test_equal_neurons_share_alike_and_have_one_feature():
    encoder = im.NeuronMeasure.of(np.ones((8, 1)), np.ones((8, 2)))
    decoder = im.NeuronMeasure.of(np.ones((8, 2)), np.repeat([[1.0], [2.0]], 4, axis=0))
    found = activity(network(encoder, decoder), POINTS, WEIGHTS)
    assert found.neurons[0] == pytest.approx(8.0) and found.ranks == (1, 2)
    assert 4 < found.neurons[1] < 8


def test_one_dominant_neuron_counts_as_one():
    outgoing = np.array([[1000.0], *[[1.0]] * 7])
    encoder = im.NeuronMeasure.of(outgoing, np.random.default_rng(1).standard_normal((8, 2)))
    decoder = im.NeuronMeasure.of(np.zeros((8, 2)), np.ones((8, 1)))
    found = activity(network(encoder, decoder), POINTS, WEIGHTS)
    assert found.neurons[0] == pytest.approx(1.0, abs=1e-3) and found.neurons[1] == 0.0


def test_shares_follow_the_mass():
    """Of two neurons with squared contributions in the ratio 1 to 9, 1/(0.1² + 0.9²) work."""
    encoder = im.NeuronMeasure.of([[1.0], [1.0]], [[1.0, 0.0], [1.0, 0.0]], masses=[0.25, 0.75])
    decoder = im.NeuronMeasure.of([[1.0, 0.0], [1.0, 0.0]], [[1.0], [1.0]])
    assert activity(network(encoder, decoder), POINTS, WEIGHTS).neurons[0] == pytest.approx(1 / (0.01 + 0.81))


def test_a_latent_dimension_counts_by_what_it_changes():
    """x̂ = x by two latents, one of which is then cut off, on either side, and the same after a turn of the latents."""
    turn = np.linalg.qr(np.random.default_rng(2).standard_normal((2, 2)))[0]
    variances = WEIGHTS @ (POINTS - WEIGHTS @ POINTS) ** 2
    share = np.sort(np.linalg.eigvalsh(np.cov(POINTS.T, bias=True)))[::-1] / (WEIGHTS @ (POINTS**2).sum(axis=1))
    assert variances.sum() > 0
    for rotation in (np.eye(2), turn):
        whole = im.NeuronMeasure.of(2 * rotation, np.eye(2))
        back = im.NeuronMeasure.of(2 * np.eye(2), rotation.T.copy())
        np.testing.assert_allclose(activity(network(whole, back, LINEAR), POINTS, WEIGHTS).latents, share, rtol=1e-9)
        cut = im.NeuronMeasure.of(2 * rotation * [[1.0], [0.0]], np.eye(2))
        found = activity(network(cut, back, LINEAR), POINTS, WEIGHTS).latents
        assert found[0] > 0.5 and found[1] < 1e-12
