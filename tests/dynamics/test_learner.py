"""Training on batches that are handed over: the steps, the average of weights, and a chunk that isn't full."""

import jax
import jax.numpy as jnp
import numpy as np

import isthmus as im
from isthmus._precision import computing_in
from isthmus.core.optimizers import Motion
from isthmus.dynamics.learner import Learner, Steps

DOUBLE = np.dtype(np.float64)


def test_the_average_follows_the_weights_by_its_shares():
    random = np.random.default_rng(0)
    data = im.Data(random.standard_normal((6, 3)), center=True)
    problem = im.Problem(data, im.aligned_law(data, 1))
    start = problem.draw(jax.random.key(0), (3, 4), DOUBLE)
    batches = random.standard_normal((5, 2, 3))
    sizes, shares = np.array([0.1, 0.2, 0.05, 0.3, 0.1]), np.array([1.0, 0.5, 0.25, 0.3, 0.2])
    learner = Learner(start, Motion((1.0, 1.0), im.GradientDescent(), 0.0), averaging=True)
    learner.learn(batches[:3], Steps(sizes[:3], sizes[:3], shares[:3]))
    learner.learn(batches[3:], Steps(sizes[3:], sizes[3:], shares[3:]))
    parts = lambda side: (side.outgoing, side.incoming, side.bias)
    flat = lambda network: np.concatenate([np.ravel(p) for s in (network.encoder, network.decoder) for p in parts(s)])
    with computing_in(DOUBLE):
        network = jax.tree.map(jnp.asarray, start)
        average = flat(network)
        velocity_on = jax.jit(lambda network, batch: network.velocity(batch))
        for batch, size, share in zip(batches, sizes, shares, strict=True):
            velocity = velocity_on(network, batch)
            network = network.with_measures(
                jax.tree.map(lambda leaf, v, size=size: leaf + size * v, network.encoder, velocity.encoder),
                jax.tree.map(lambda leaf, v, size=size: leaf + size * v, network.decoder, velocity.decoder),
            )
            average = average + share * (flat(network) - average)
    np.testing.assert_allclose(flat(learner.network), flat(network), rtol=1e-12)
    np.testing.assert_allclose(flat(learner.average), average, rtol=1e-12)
    assert np.abs(flat(learner.average) - flat(learner.network)).max() > 1e-3
