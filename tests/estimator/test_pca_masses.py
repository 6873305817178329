"""The start at PCA of neurons of unequal masses, in both forms of its solution."""

import numpy as np
import pytest

import isthmus as im
from isthmus.estimator.pca_start import RIDGE, PCAStart


@pytest.mark.parametrize("width", [6, 20])
def test_the_change_of_each_neuron_is_what_its_mass_asks_for(width):
    """At the minimum of E‖y − ∫(v + δv)φ dμ‖² + λ∫|δv|²dμ it is Φᵀp (y − Φm(v + δv))/λ, whatever the mass."""
    random = np.random.default_rng(0)
    points, weights = random.standard_normal((12, 3)), random.dirichlet(np.full(12, 5.0))
    points -= weights @ points
    directions = np.linalg.qr(random.standard_normal((3, 2)))[0]
    draw = lambda outputs, inputs: im.NeuronMeasure.of(
        random.standard_normal((width, outputs)),
        random.standard_normal((width, inputs)),
        random.standard_normal(width),
        random.dirichlet(np.ones(width)),
    )
    tanh = im.ACTIVATIONS["tanh"]
    network = im.Autoencoder(draw(2, 3), draw(3, 2), tanh, tanh)
    before, after = network.encoder, PCAStart(points, weights, directions).of(network).encoder
    phi = np.tanh(points @ before.incoming.T + before.bias)
    ridge = RIDGE * weights @ phi**2 @ before.masses
    missing = points @ directions - phi @ (before.masses[:, None] * after.outgoing)
    np.testing.assert_allclose(
        ridge * (after.outgoing - before.outgoing), phi.T @ (weights[:, None] * missing), atol=1e-9
    )
    assert np.abs(after.outgoing - before.outgoing).max() > 0.1
