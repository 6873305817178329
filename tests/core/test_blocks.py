import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus.core import blocks

DOUBLE = np.dtype(np.float64)


@pytest.mark.parametrize("block", [1, 3, 4, 7, 100])
def test_sums_and_maps_do_not_depend_on_the_block(block, double):
    rows = jnp.asarray(np.random.default_rng(0).standard_normal((7, 2)))
    total = blocks.summed(lambda part: (part**2).sum(axis=0), rows, block)
    np.testing.assert_allclose(total, (rows**2).sum(axis=0), rtol=1e-14)
    each, total = blocks.mapped(lambda part: (2 * part, part.sum(axis=0)), rows, block)
    np.testing.assert_array_equal(each, 2 * rows)
    np.testing.assert_allclose(total, rows.sum(axis=0), rtol=1e-13)


@pytest.mark.parametrize(("neurons", "points"), [(1, 1), (2048, 1797), (4096, 10), (5000, 20_000), (10**6, 1797)])
def test_a_matrix_of_both_stays_small(neurons, points):
    some_neurons, some_points = blocks.block_sizes(neurons, points)
    assert 1 <= some_neurons <= neurons and 1 <= some_points <= points
    assert some_neurons * some_points <= max(blocks.NEURONS * blocks.POINTS, neurons * 64)


@pytest.mark.parametrize("weights", [pytest.param("uniform", marks=pytest.mark.slow), "random"])
def test_velocity_and_risk_do_not_depend_on_the_blocks(monkeypatch, weights, double):
    data = im.load_data("digits", max_points=150)
    if weights == "random":
        data = im.Data(data.points, np.random.default_rng(0).uniform(size=150), center=True)
    problem = im.Problem(data, im.aligned_law(data, 2))
    network = jax.tree.map(jnp.asarray, problem.draw(jax.random.key(0), (90, 70), DOUBLE))

    def evaluate():
        """Trace anew, since the sizes of blocks are no arguments."""
        both = lambda one: (one.velocity(data.points, data.weights), one.risk(data.points, data.weights))
        return jax.tree.leaves(jax.jit(both)(network))

    whole = evaluate()
    for few, some, points, entries in ((1000, 1, 1, 64 * 90), (10, 32, 40, 1), (80, 64, 10**6, 1 << 20)):
        monkeypatch.setattr(blocks, "FEW_NEURONS", few)
        monkeypatch.setattr(blocks, "NEURONS", some)
        monkeypatch.setattr(blocks, "POINTS", points)
        monkeypatch.setattr(blocks, "ENTRIES", entries)
        for blocked, reference in zip(evaluate(), whole, strict=True):
            np.testing.assert_allclose(blocked, reference, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("points", [1, 70, *(pytest.param(points, marks=pytest.mark.slow) for points in (3, 5, 20))])
def test_every_size_of_batch_has_the_gradient_of_automatic_differentiation(points, double):
    data = im.load_data("digits", max_points=70)
    for latent_dim in (2, 6):
        problem = im.Problem(data, im.aligned_law(data, latent_dim))
        network = jax.tree.map(jnp.asarray, problem.draw(jax.random.key(1), (9, 8), DOUBLE))
        batch = jnp.asarray(data.points[:points])
        slope = jax.jit(jax.grad(lambda network, batch=batch: network.risk(batch)))(network)
        velocity = jax.jit(lambda network, batch=batch: network.velocity(batch))(network)
        for side, width in (("encoder", 9), ("decoder", 8)):
            for name in ("outgoing", "incoming", "bias"):
                ours, theirs = (getattr(getattr(tree, side), name) for tree in (velocity, slope))
                np.testing.assert_allclose(ours, -width * theirs, atol=1e-10)
