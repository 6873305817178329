"""Random numbers that must have nothing to do with each other: of both sides, of widths, of samples."""

import jax
import numpy as np
import pytest

import isthmus as im

DOUBLE = np.dtype(np.float64)
WIDTH = 400


@pytest.fixture(scope="module")
def problem():
    """Neurons that are their own normals, so that shared ones would show, on a stream."""
    law = im.Law(im.GaussianNeurons(1, 2), im.GaussianNeurons(2, 1, mean=[0.5, 0.5, 0.5, 0.0]))
    return im.Problem(im.gaussian_stream([1.0, 0.5]), law, population_points=64)


def columns(measure, count=WIDTH):
    return np.column_stack([measure.outgoing, measure.incoming, measure.bias])[:count]


def test_sides_and_widths_and_keys_draw_for_themselves(problem):
    draw = lambda key, widths: problem.draw(jax.random.key(key), widths, DOUBLE)
    widths = (WIDTH, WIDTH), (WIDTH, WIDTH + 1), (WIDTH + 1, WIDTH)
    networks = [draw(1, widths[0]), *(draw(0, pair) for pair in widths)]
    drawn = np.column_stack([columns(side) for network in networks for side in (network.encoder, network.decoder)])
    correlations = np.corrcoef(drawn.T)
    np.testing.assert_allclose(correlations, np.eye(len(correlations)), atol=5 / np.sqrt(WIDTH))


def test_samples_of_a_population_differ_and_repeat(problem):
    one, other = problem.population_sample(0).points, problem.population_sample(1).points
    assert np.abs(one - other).max() > 0.1
    np.testing.assert_array_equal(one, problem.population.points)


def test_particles_of_both_sides_and_of_replicates_are_scrambled_apart(problem):
    options = {"particles": 64, "quadrature": "sobol", "rtol": 0.1, "dtype": "float64"}
    drawn = []
    for seed in (0, 1):
        path = im.solve_mean_field(problem, [0.0], replicates=1, seed=seed, **options)
        drawn += [columns(path.encoder), columns(path.decoder)]
    for index, ours in enumerate(drawn):
        for theirs in drawn[:index]:
            assert np.abs(ours[:, -1] - theirs[:, -1]).max() > 1e-3  # biases, which are normals as they were drawn


def test_what_never_acts_is_drawn_given_the_rest_of_its_neuron():
    """Along the second axis there are no points, but w_2 follows a: together they keep their covariance."""
    covariance = np.eye(4)
    covariance[0, 2] = covariance[2, 0] = 0.8
    covariance[0, 1] = covariance[1, 0] = 0.3
    law = im.Law(im.GaussianNeurons(1, 2, covariance=covariance), im.GaussianNeurons(2, 1))
    problem = im.Problem(im.Data([[1.0, 0.0], [-1.0, 0.0]]), law)
    encoder = im.solve_mean_field(problem, [0.0], particles=1024, replicates=1).encoder
    found = np.cov(columns(encoder, 1024).T)
    np.testing.assert_allclose(found, covariance, atol=5 * np.sqrt(2 / 1024))


@pytest.mark.parametrize("changes", [{"optimizer": im.Adam()}, {"temperature": 0.1}, {"weight_decay": 0.1}])
def test_what_moves_outside_the_span_of_the_points_is_drawn_there_too(changes):
    """Coordinates are moved one by one, by noise or by decay: a weight keeps its law along all axes."""
    law = im.Law(im.GaussianNeurons(1, 2, mean=[0.5, 0.0, 0.0, 0.0]), im.GaussianNeurons(2, 1))
    problem = im.Problem(im.Data([[0.8, 0.6], [-0.8, -0.6], [0.4, 0.3]]), law, **changes)
    path = im.solve_mean_field(problem, [0.0], particles=1024, replicates=1)
    for weights in (path.encoder.incoming, path.decoder.outgoing):
        np.testing.assert_allclose(np.cov(weights.T), np.eye(2), atol=5 * np.sqrt(2 / 1024))
