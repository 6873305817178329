"""The predicted law of linear networks against the one that their moments' own equations give, source by source."""

from functools import partial

import linear_law
import numpy as np
import pytest

import isthmus as im
from isthmus._precision import computing_in

TIMES = np.array([0.0, 0.3, 0.8])
MEMORY = 0.4


@pytest.fixture(scope="module")
def exact():
    with computing_in(np.dtype(np.float64)):
        return linear_law.exact(TIMES)


@pytest.fixture(scope="module")
def predict():
    """Return the function of seed and samples that predicts, with steps that resolve the noise of batches."""
    problem = linear_law.problem()
    path = im.solve_mean_field(problem, TIMES, particles=16, replicates=2)
    options = {"particles": 512, "curvature_particles": 32, "rtol": 1e-5, "dtype": "float64"}
    return partial(im.predict_finite_width, problem, TIMES, path=path, **options)


@pytest.fixture(scope="module")
def law(predict):
    return predict(samples=256)


@pytest.mark.parametrize("source", ["encoder", "decoder", "batches", "sample", "own_sample"])
def test_kernels_are_those_of_the_moments(law, exact, source):
    variance = exact[1][source][0]
    np.testing.assert_allclose(np.diagonal(law.noises[source].kernel), variance, rtol=0.1, atol=1e-12)


@pytest.mark.parametrize("source", ["encoder", "decoder", "batches", "steps", "sample", "own_sample"])
def test_shifts_are_those_of_the_moments(law, exact, source):
    noise, shift = law.noises[source], exact[1][source][1]
    tolerance = 4 * noise.shift_error + 0.06 * np.abs(shift)
    assert np.all(np.abs(noise.shift - shift) <= tolerance + 1e-12)
    assert (np.abs(shift) / (tolerance + 1e-12)).max() > 1.4  # so that a factor of 2 or a sign would show


@pytest.fixture(scope="module")
def with_momentum():
    """Return the law of the same networks under momentum, and the exact one."""
    problem = linear_law.problem(MEMORY)
    path = im.solve_mean_field(problem, TIMES, particles=16, replicates=2)
    options = {"particles": 512, "curvature_particles": 32, "rtol": 1e-5, "samples": 128, "dtype": "float64"}
    with computing_in(np.dtype(np.float64)):
        exact = linear_law.exact(TIMES, MEMORY)
    return im.predict_finite_width(problem, TIMES, path=path, **options), exact


@pytest.mark.parametrize("source", ["encoder", "decoder", "batches", "steps", "sample"])
def test_momentum_has_the_law_of_the_moments_of_neurons_and_averages(with_momentum, source):
    law, (limit, exact) = with_momentum
    np.testing.assert_allclose(law.path.risk, limit, rtol=1e-5)
    noise, (variance, shift) = law.noises[source], exact[source]
    np.testing.assert_allclose(np.diagonal(noise.kernel), variance, rtol=0.1, atol=1e-12)
    tolerance = 4 * noise.shift_error + 0.06 * np.abs(shift)
    assert np.all(np.abs(noise.shift - shift) <= tolerance + 1e-12)
    assert (np.abs(shift) / (tolerance + 1e-12)).max() > 1.4


def test_the_drift_of_random_orders_is_that_of_the_moments(predict, exact):
    """It is estimated by random signs of the points, new ones for each seed."""
    shifts = np.mean([predict(samples=2, seed=seed).noises["shuffled"].shift for seed in range(8)], axis=0)
    np.testing.assert_allclose(shifts, exact[1]["shuffled"][1], rtol=0.2, atol=1e-12)


def test_the_limit_is_that_of_the_moments(law, exact):
    np.testing.assert_allclose(law.path.risk, exact[0], rtol=1e-5)


def test_the_influence_of_a_point_is_resolved_to_halves_of_steps(law):
    """It is smooth in time: as much of its change lies between the halves of a step as between steps."""
    influence = law.influence
    rate = influence.points_by_step[-1, :, 0] / np.diff(influence.steps)
    within, between = np.abs(rate[1::2] - rate[::2]).sum(), np.abs(rate[2::2] - rate[1:-1:2]).sum()
    assert 0.6 < within / between < 1.6


def test_influences_have_mean_0(law):
    influence, equal = law.influence, np.full(512, 1 / 512)
    for values, weights in (
        (influence.encoder, equal),
        (influence.decoder, equal),
        (influence.points, linear_law.WEIGHTS),
        (influence.direct, linear_law.WEIGHTS),
    ):
        np.testing.assert_allclose(values @ weights, 0, atol=1e-10)
    np.testing.assert_allclose(influence.points_by_step.sum(axis=1), influence.points, atol=1e-12)
