"""Which points the steps of training take, read off the steps themselves, and what noise they add."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

import isthmus as im
from isthmus._precision import computing_in
from isthmus.dynamics.integrators import moved

DOUBLE = np.dtype(np.float64)
SIZE, STEP_SIZE = 8, 0.125
WIDTHS = 3, 4


@pytest.fixture(scope="module")
def problem():
    points = np.random.default_rng(0).standard_normal((SIZE, 3))
    weights = np.arange(1.0, SIZE + 1)
    data = im.Data(points, weights / weights.sum(), center=True)
    return im.Problem(data, im.aligned_law(data, 1))


@jax.jit
def moves(networks, points):
    """Return the velocity of the encoder's incoming weights that each point alone gives, (networks, n, N, d)."""
    alone = lambda network: jax.lax.map(lambda point: network.velocity(point[None]).encoder.incoming, points)
    return jax.lax.map(alone, networks)


def points_of_steps(problem, steps, sampling="with_replacement", runs=1, **options):
    """Return the point of each step of batches of one, (runs, steps), and of its velocity the multiple in the step.

    Every step is followed by a recorded time, at which the network is kept.
    """
    times = STEP_SIZE * np.arange(steps + 1)
    options |= {"sampling": sampling, "runs": runs, "snapshot_times": times, "dtype": "float64"}
    networks = im.train(problem, times, WIDTHS, STEP_SIZE, **options).snapshots
    with computing_in(DOUBLE):
        before = jax.tree.map(lambda leaf: jnp.asarray(leaf[:, :-1].reshape(-1, *leaf.shape[2:])), networks)
        candidates = np.asarray(moves(before, jnp.asarray(problem.population.points)))
    step = (np.diff(networks.encoder.incoming, axis=1) / STEP_SIZE).reshape(-1, 1, *networks.encoder.incoming.shape[2:])
    multiples = (candidates * step).sum((2, 3)) / (candidates**2).sum((2, 3))
    errors = np.abs(multiples[..., None, None] * candidates - step).max((2, 3))
    found = errors.argmin(axis=1)
    assert errors.min(axis=1).max() < 1e-9
    chosen = np.take_along_axis(multiples, found[:, None], axis=1)
    return found.reshape(runs, steps), chosen.reshape(runs, steps)


def test_steps_draw_points_anew_in_proportion_to_their_weights(problem):
    draws, _ = points_of_steps(problem, 40, runs=5)
    counts = np.bincount(draws.ravel(), minlength=SIZE)
    assert chisquare(counts, draws.size * problem.population.weights).pvalue > 1e-5
    assert chisquare(counts).pvalue < 1e-5  # they are not equally likely
    chance = (problem.population.weights**2).sum()
    for one, next_one in ((draws[:, :-1], draws[:, 1:]), (draws[:-1], draws[1:])):  # in time, and of another run
        assert abs((one == next_one).mean() - chance) < 5 * np.sqrt(chance / one.size)


def test_each_epoch_takes_every_point_once_in_an_order_of_its_own(problem):
    draws, multiples = points_of_steps(problem, 3 * SIZE, "without_replacement")
    epochs = draws[0].reshape(3, SIZE)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(SIZE), (3, 1)))
    assert len({tuple(epoch) for epoch in epochs}) == 3
    np.testing.assert_allclose(multiples, SIZE * problem.population.weights[draws], rtol=1e-9)


def test_steps_between_recorded_times_draw_anew_too(problem):
    """No point taken again and again leads from the first network to the last."""
    times = [0.0, 6 * STEP_SIZE]
    runs = im.train(problem, times, WIDTHS, STEP_SIZE, snapshot_times=times, dtype="float64")
    with computing_in(DOUBLE):

        @jax.jit
        def repeated(network, point):
            step = lambda _, state: moved(state, STEP_SIZE, state.velocity(point[None]))
            return jax.lax.fori_loop(0, 6, step, network)

        start = jax.tree.map(jnp.asarray, runs.at(0.0))
        for point in problem.population.points:
            end = repeated(start, jnp.asarray(point)).encoder.incoming
            assert np.abs(end - runs.at(times[1]).encoder.incoming).max() > 1e-6


def test_a_stream_gives_fresh_points_at_every_step():
    """The only neuron of a linear encoder moves along the point: no two steps go the same way."""
    stream = im.gaussian_stream([1.0, 1.0, 1.0])
    neurons = im.GaussianNeurons(1, 3, mean=[1.0, 0.5, 0.2, 0.1, 0.0], covariance=np.zeros((5, 5)))
    decoder = im.GaussianNeurons(3, 1, mean=[0.5, 0.2, 0.1, 1.0, 0.0], covariance=np.zeros((5, 5)))
    problem = im.Problem(stream, im.Law(neurons, decoder), "linear", train_biases=False, population_points=64)
    times = 0.05 * np.arange(9)
    runs = im.train(problem, times, 1, 0.05, snapshot_times=times, runs=2, dtype="float64")
    path = np.stack([np.stack([runs.at(time, run).encoder.incoming[0] for time in times]) for run in range(2)])
    steps = np.diff(path, axis=1).reshape(16, 3)
    directions = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    cosines = np.abs(directions @ directions.T)[np.triu_indices(16, 1)]
    assert cosines.max() < 1 - 1e-6
    assert abs((cosines**2).mean() - 1 / 3) < 5 * np.sqrt(4 / 45 / len(cosines))  # isotropic in three dimensions


@pytest.mark.filterwarnings("ignore::isthmus.TrivialLimitWarning")
def test_noise_of_each_step_is_its_own_and_of_variance_twice_temperature_times_rate(double):
    """Where data pull at nothing, steps are the noise: independent normals in all that is trained."""
    data = im.Data(1e-9 * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    law = im.Law(im.GaussianNeurons(1, 2), im.GaussianNeurons(2, 1))
    problem = im.Problem(data, law, temperature=0.3, encoder_rate=2.0, decoder_rate=0.5)
    times = 0.1 * np.arange(4)
    runs = im.train(problem, times, 512, 0.1, snapshot_times=times, dtype="float64")
    kicks = []
    for side, rate in (("encoder", 2.0), ("decoder", 0.5)):
        measures = [getattr(runs.at(time), side) for time in times]
        for name in ("outgoing", "incoming", "bias"):
            path = np.stack([np.asarray(getattr(measure, name)).reshape(512, -1)[:, 0] for measure in measures])
            kicks.append(np.diff(path, axis=0) / np.sqrt(2 * rate * 0.3 * 0.1))
    flat = np.concatenate(kicks)
    np.testing.assert_allclose(np.corrcoef(flat), np.eye(len(flat)), atol=5 / np.sqrt(512))
    np.testing.assert_allclose((flat**2).mean(axis=1), 1, atol=5 * np.sqrt(2 / 512))
