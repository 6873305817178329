"""Batches found again from the seed: the steps they lead to are those of training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus._precision import computing_in
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.integrators import moved
from isthmus.dynamics.replay import batch_noise
from isthmus.dynamics.sgd import run_keys

DOUBLE = np.dtype(np.float64)
STEP = 0.1


@pytest.fixture(scope="module")
def problem():
    points = im.load_data("wine", max_points=12).points
    data = im.Data(points, np.arange(1.0, 13.0) / 78, center=True)
    return im.Problem(data, im.aligned_law(data, 1))


@jax.jit
def step(network, points, weights):
    return moved(network, STEP, VectorField(points, weights).velocity_at_rates(network, (1.0, 1.0)))


@pytest.mark.parametrize(("sampling", "size"), [("with_replacement", 3), ("without_replacement", 5), ("one_pass", 1)])
def test_steps_by_the_weights_of_the_batches_lead_where_training_does(problem, sampling, size):
    """Over more than one chunk of steps, with points of unequal weights."""
    count = 12 if sampling == "one_pass" else 30
    times = np.array([0.0, STEP, STEP * count])
    options = {"batch_size": size, "sampling": sampling, "seed": 3, "dtype": "float64", "snapshot_times": times}
    trained = im.train(problem, times, 4, STEP, runs=2, **options)
    ends = np.arange(count + 1) * STEP
    noise = batch_noise(problem, times, STEP, size, sampling, 3, 1, ends, DOUBLE)
    network = problem.draw(run_keys(3, 1)[0], (4, 4), DOUBLE)
    with computing_in(DOUBLE):
        network = jax.tree.map(jnp.asarray, network)
        for taken in noise / STEP + problem.population.weights:
            network = step(network, jnp.asarray(problem.population.points), jnp.asarray(taken))
    ours, theirs = np.asarray(network.encoder.incoming), trained.encoder.incoming[1]
    np.testing.assert_allclose(ours, theirs[-1] if theirs.ndim == 3 else theirs, rtol=1e-10)


def test_full_batches_have_no_noise(problem):
    even = im.Problem(im.Data(problem.population.points), problem.law)
    noise = batch_noise(even, np.array([0.0, 1.0]), STEP, 12, "without_replacement", 0, 0, np.array([0.0, 1.0]), DOUBLE)
    np.testing.assert_allclose(noise, 0, atol=1e-15)


def test_a_step_belongs_to_the_interval_of_its_middle(problem):
    fine, coarse = np.linspace(0, 3, 31), np.linspace(0, 3, 4)
    by_step, by_interval = (
        batch_noise(problem, np.array([0.0, 3.0]), STEP, 2, "with_replacement", 0, 0, ends, DOUBLE)
        for ends in (fine, coarse)
    )
    np.testing.assert_allclose(by_interval, by_step.reshape(3, 10, -1).sum(axis=1), atol=1e-14)
