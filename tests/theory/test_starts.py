"""Where the search for the optimum starts: what is unfolded, what is fitted, and that it matters."""

import warnings

import numpy as np
import pytest

import isthmus as im
from isthmus._precision import DOUBLE, computing_in
from isthmus.theory.starts import MOST_POINTS, Starts, fitted_to, unfolded


def spiral(points=60):
    """Points along one and a quarter turns of a spiral, shuffled, and their places along it."""
    places = np.random.default_rng(0).permutation(np.linspace(0.0, 1.0, points))
    angles = 2.5 * np.pi * places
    return (0.3 + places)[:, None] * np.column_stack([np.cos(angles), np.sin(angles)]), places


def rank_correlation(left, right):
    return abs(np.corrcoef(np.argsort(np.argsort(left)), np.argsort(np.argsort(right)))[0, 1])


@pytest.fixture(scope="module")
def problem():
    points, _ = spiral()
    data = im.Data(points, center=True, scale="total")
    return im.Problem(data, im.aligned_law(data, latent_dim=1), weight_decay=1e-3)


def test_latents_unfold_a_spiral_that_its_principal_component_folds(problem):
    _, places = spiral()
    leading = problem.population.points @ np.linalg.eigh(problem.population.covariance)[1][:, -1]
    assert rank_correlation(leading, places) < 0.5
    path, lengths, *geodesics = unfolded(problem)
    for latents in (path, lengths, geodesics[0]):
        assert rank_correlation(latents[:, 0], places) > 0.999
        assert latents.mean() == pytest.approx(0, abs=1e-12) and np.square(latents).mean() == pytest.approx(1)
    assert np.diff(np.sort(path[:, 0])) == pytest.approx(np.sqrt(12 / (60**2 - 1)))  # in even steps


def test_two_latents_unfold_a_rolled_sheet():
    along, across = np.random.default_rng(1).uniform(size=(2, 400))
    angles = 1.5 * np.pi * (1 + along)
    points = np.column_stack([angles * np.cos(angles), 20 * across, angles * np.sin(angles)])
    data = im.Data(points, center=True, scale="total")
    length = along**2 + 2 * along  # of the roll up to there, but for a factor and a small curvature
    left = lambda columns: np.linalg.lstsq(np.column_stack([columns, np.ones(400)]), length, rcond=None)[1][0]
    unrolled = min(left(latents) for latents in unfolded(im.Problem(data, latent_dim=2, weight_decay=1e-3)))
    assert unrolled < 0.05 * left(points)


def test_many_points_get_the_latents_of_their_neighbours():
    places = np.linspace(-1.0, 1.0, 3 * MOST_POINTS)
    data = im.Data(np.column_stack([places, places**2]), center=True)
    latents = next(unfolded(im.Problem(data, latent_dim=1, weight_decay=1e-3)))
    assert latents.shape == (len(places), 1) and rank_correlation(latents[:, 0], places) > 0.999


@pytest.mark.parametrize("points", [np.diag([1.0, 2.0]), np.repeat(np.eye(3), 30, axis=0)])
def test_points_that_can_not_be_laid_along_latents_leave_the_laws(points):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", im.TrivialLimitWarning)
        problem = im.Problem(points, im.independent_law(points.shape[1], 1), weight_decay=1e-3)
    starts = Starts(problem, seed=0)
    for index in range(8):
        network = starts.drawn(index, 4)
        assert all(np.isfinite(part).all() for part in (network.encoder.outgoing, network.decoder.outgoing))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_wide_encoder_is_fitted_to_latents_and_its_decoder_to_the_data(problem, activation):
    problem = im.Problem(problem.data, activation=activation, latent_dim=1, weight_decay=1e-3)
    latents = next(unfolded(problem))
    with computing_in(DOUBLE):
        network = fitted_to(latents, problem, 2000, np.random.default_rng(0))
        encoded = np.asarray(network.encode(problem.population.points))
        assert np.square(encoded - latents).mean() < 0.1
        assert network.risk(problem.population.points) < 0.5 * problem.population.pca_risk(1)


def test_starts_differ_and_a_seed_gives_the_same_ones_again(problem):
    first, again, other = (Starts(problem, seed) for seed in (0, 0, 1))
    drawn = [[np.asarray(starts.drawn(index, 6).decoder.outgoing) for index in range(8)] for starts in (first, again)]
    assert all(np.array_equal(*pair) for pair in zip(*drawn, strict=True))
    assert len({part.tobytes() for part in drawn[0]}) == 8
    assert not np.array_equal(drawn[0][5], other.drawn(5, 6).decoder.outgoing)


def test_frozen_biases_stay_0(problem):
    law = im.aligned_law(problem.data, latent_dim=1, bias_scale=0.0)
    frozen = Starts(im.Problem(problem.data, law, weight_decay=1e-3, train_biases=False), seed=0)
    for index in range(8):
        network = frozen.drawn(index, 5)
        assert not np.any(network.encoder.bias) and not np.any(network.decoder.bias)


def test_the_search_leaves_the_optima_in_which_the_latent_folds_the_data():
    """From principal components, and from most draws, a search on this curve ends at .2203 or above."""
    points = im.manifold_stream(4, 1, seed=3).draw(64, 0).points
    problem = im.Problem(im.Data(points, center=True, scale="total"), latent_dim=1, weight_decay=0.01)
    optimum = im.solve_optimum(problem, atoms=16, restarts=1, rounds=12, starts=128)
    assert optimum.objective == pytest.approx(0.218934, abs=2e-6)
