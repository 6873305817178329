"""Networks of another width: wider ones compute the same, narrower ones cost less than random draws."""

import dataclasses

import jax
import numpy as np
import pytest

import isthmus as im
from isthmus._precision import computing_in

DOUBLE = np.dtype(np.float64)


@pytest.fixture(scope="module")
def trained():
    data = im.load_data("wine", max_points=100)
    problem = im.Problem(data, im.aligned_law(data, 2))
    return problem, im.train(problem, [20.0], 96, 0.1, batch_size=8, dtype="float64").at(20.0)


def risk(problem, network):
    with computing_in(DOUBLE):
        return float(network.risk(problem.population.points))


@pytest.mark.parametrize("width", [96, 97, 150, (192, 300)])
def test_a_wider_network_computes_the_same_everywhere(trained, width):
    problem, network = trained
    wide = im.resize(network, width, problem.data)
    elsewhere = 3 * np.random.default_rng(0).standard_normal((50, 13))
    with computing_in(DOUBLE):
        np.testing.assert_allclose(
            wide.autoencoder.reconstruct(elsewhere), network.reconstruct(elsewhere), rtol=1e-9, atol=1e-11
        )
    assert wide.risk_after == pytest.approx(wide.risk_before, rel=1e-10)
    assert wide.risk_before == pytest.approx(risk(problem, network), rel=1e-12)
    expected = width if isinstance(width, tuple) else (width, width)
    assert (wide.autoencoder.encoder.width, wide.autoencoder.decoder.width) == expected
    assert np.ptp(wide.autoencoder.encoder.masses) == 0


def test_copies_part_in_training_only_where_they_are_spread(trained):
    problem, network = trained
    for spread, parts in ((0.0, False), (0.1, True)):
        wide = im.resize(network, 192, problem.data, spread=spread).autoencoder
        with computing_in(DOUBLE):
            velocity = jax.jit(lambda network: network.velocity(problem.population.points))(wide)
        first, second = np.asarray(velocity.encoder.incoming)[:2]  # copies stand side by side
        np.testing.assert_array_equal(*np.asarray(wide.encoder.incoming)[:2])
        assert np.any(np.abs(first - second) > 1e-6) == parts


def test_an_optimum_with_unequal_masses_becomes_an_ordinary_network(trained):
    problem, network = trained
    masses = np.arange(1.0, 97) / np.arange(1.0, 97).sum()
    heavy = network.with_measures(dataclasses.replace(network.encoder, masses=masses), network.decoder)
    wide = im.resize(heavy, 200, problem.data)
    assert wide.risk_after == pytest.approx(risk(problem, heavy), rel=1e-10)


def test_a_narrower_network_costs_far_less_than_a_random_draw(trained):
    problem, network = trained
    after = [im.resize(network, width, problem.data) for width in (16, 32, 64)]
    excess = np.array([one.risk_after - one.risk_before for one in after])
    drawn = np.array([one.drawn_risk - one.risk_before for one in after])
    assert np.all(excess < 0.05 * drawn)
    assert after[2].autoencoder.encoder.width == 64
    assert after[2].risk_after == pytest.approx(risk(problem, after[2].autoencoder), rel=1e-9)
    # The predicted cost of a random draw, against draws: means of 200, at the largest width.
    random, masses, risks = np.random.default_rng(0), np.full(64, 1 / 64), []
    evaluate = jax.jit(lambda network, points: network.risk(points))
    for _ in range(200):
        sides = []
        for side in (network.encoder, network.decoder):
            rows = random.integers(96, size=64)
            sides.append(type(side)(masses, side.outgoing[rows], side.incoming[rows], side.bias[rows]))
        with computing_in(DOUBLE):
            risks.append(float(evaluate(network.with_measures(*sides), problem.population.points)))
    error = np.std(risks, ddof=1) / np.sqrt(200)
    assert abs(np.mean(risks) - after[2].drawn_risk) < 5 * error + 0.1 * drawn[2]


def test_training_goes_on_from_a_resized_network(trained):
    problem, network = trained
    wide = im.resize(network, 192, problem.data).autoencoder
    later = im.train(problem, [0.0, 20.0], 192, 0.1, batch_size=8, start=wide, dtype="float64", runs=2)
    assert later.risk[0, 0] == pytest.approx(risk(problem, network), rel=1e-9)
    assert later.risk[0, 0] == later.risk[1, 0] and later.risk[0, 1] != later.risk[1, 1]
    assert np.all(later.risk[:, 1] < later.risk[:, 0])
    with pytest.raises(im.ArgumentError, match="'start' must be of the width"):
        im.train(problem, [1.0], 96, 0.1, start=wide)


def test_wrong_arguments_are_named(trained):
    problem, network = trained
    with pytest.raises(im.ArgumentError, match="'width' must be an integer of at least 1"):
        im.resize(network, 0, problem.data)
    with pytest.raises(im.ArgumentError, match="'data' must have shape"):
        im.resize(network, 8, np.zeros((5, 3)))
