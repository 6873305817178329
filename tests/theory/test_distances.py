"""Distances between a network's neurons and its ideal particles: on clouds made by hand, and from what is kept."""

import jax
import numpy as np
import pytest

import isthmus as im

SHIFT = np.array([0.3, 0.0, -0.4, 1.2])
SIZE = np.linalg.norm(SHIFT)


def cloud(random, count, outputs, inputs):
    return im.NeuronMeasure.of(
        random.standard_normal((count, outputs)), random.standard_normal((count, inputs)), random.standard_normal(count)
    )


@pytest.fixture(scope="module")
def coupling():
    """One run at one time; the encoder is its ideal particles, in another order, shifted."""
    random, tanh = np.random.default_rng(0), im.ACTIVATIONS["tanh"]
    ideal = im.Autoencoder(cloud(random, 200, 1, 2), cloud(random, 200, 2, 1), tanh, tanh)
    order, encoder = random.permutation(200), ideal.encoder
    moved = im.NeuronMeasure.of(
        encoder.outgoing[order] + SHIFT[:1], encoder.incoming[order] + SHIFT[1:3], encoder.bias[order] + SHIFT[3]
    )
    leading = lambda network: jax.tree.map(lambda leaf: np.asarray(leaf)[None, None], network)
    nothing = np.zeros((1, 1))
    return im.Coupling(
        np.array([0.0]),
        (200, 200),
        nothing,
        nothing,
        nothing,
        leading(ideal.with_measures(moved, ideal.decoder)),
        leading(ideal),
        ideal,
    )


def test_a_shifted_cloud_lies_at_the_length_of_the_shift(coupling):
    assert coupling.wasserstein("encoder", 0.0, exact=True) == pytest.approx([SIZE])
    sliced = [coupling.wasserstein("encoder", 0.0, seed=seed)[0] ** 2 for seed in range(8)]
    # (direction · shift)² times the dimension has mean |shift|² and, in four dimensions, as variance its square.
    assert np.mean(sliced) == pytest.approx(SIZE**2, rel=5 / np.sqrt(8 * 200))
    assert coupling.wasserstein("decoder", 0.0) == pytest.approx([0.0], abs=1e-12)


def test_the_distance_of_a_coupling_is_the_mean_square_over_its_neurons():
    points = np.random.default_rng(1).standard_normal((6, 2))
    data = im.Data(points, center=True)
    problem = im.Problem(data, im.aligned_law(data, 1))
    found = im.couple(problem, [0.0, 1.0], 5, runs=2, particles=16)
    for side in ("encoder", "decoder"):
        ours, ideal = getattr(found.networks, side), getattr(found.ideal, side)
        squares = (ours.bias - ideal.bias) ** 2
        for part in ("outgoing", "incoming"):
            squares = squares + ((getattr(ours, part) - getattr(ideal, part)) ** 2).sum(axis=-1)
        np.testing.assert_allclose(getattr(found, side), squares.mean(axis=-1), rtol=1e-10, atol=1e-15)
        assert not getattr(found, side)[:, 0].any() and np.all(getattr(found, side)[:, 1] > 0)
        np.testing.assert_allclose(found.supremum(side), getattr(found, side)[:, 1])
