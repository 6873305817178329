"""A learning curve beside its limit: how far is too far, where the limit and what is expected have errors."""

import numpy as np
import pytest

import isthmus as im
from isthmus.estimator.ensemble import Ensemble, Quantile, simulated
from isthmus.estimator.limit import ERRORS, Distance

TIMES, LIMIT = np.array([0.0, 1.0, 2.0]), np.array([0.4, 0.2, 0.1])
EXPECTED, ERROR = 0.02, 0.003


class Known(Ensemble):
    """Networks of which the expected gap is known up to an error."""

    def gap_quantile(self, confidence):
        return Quantile(EXPECTED, ERROR)


def distance(gaps, errors):
    """Return the distance of a curve by these gaps from a limit of these errors."""
    nothing = np.zeros((4, 3))
    return Distance(TIMES, LIMIT + gaps, LIMIT, np.array(errors), Known(TIMES, LIMIT, nothing, nothing[:2]))


MOST = EXPECTED + ERRORS * ERROR


@pytest.mark.parametrize(
    ("gaps", "errors", "inside"),
    [
        ([0.0, 0.0, 0.9 * MOST], [0.0, 0.0, 0.0], True),
        ([0.0, 0.0, 1.1 * MOST], [0.0, 0.0, 0.0], False),
        ([0.0, 0.0, 1.1 * MOST], [0.0, 0.0, 0.2 * MOST], True),
        ([0.0, 0.0, -1.1 * MOST], [0.0, 0.0, 0.2 * MOST], True),
        ([0.0, 0.0, 1.3 * MOST], [0.0, 0.0, 0.2 * MOST], False),
        ([0.0, 1.1 * MOST, 0.0], [0.0, 0.0, 0.2 * MOST], False),  # the error of another time is no excuse
        ([0.0, 1.1 * MOST, 0.0], [0.0, 0.2 * MOST, 0.0], True),
    ],
)
def test_a_gap_is_held_to_the_law_up_to_the_error_of_the_limit_at_its_time(gaps, errors, inside):
    found = distance(np.array(gaps), errors)
    assert found.inside is inside


def test_without_other_networks_nothing_is_expected():
    alone = Distance(TIMES, LIMIT, LIMIT, np.zeros(3), None)
    assert alone.inside is None and alone.expected is None


def test_the_gap_is_the_largest_over_times_and_the_fall_that_of_the_limit():
    found = distance(np.array([0.01, -0.03, 0.02]), np.zeros(3))
    assert found.gap == pytest.approx(0.03) and found.farthest == 1.0
    assert found.learned == pytest.approx(0.3)


def made(runs, neurons, batches, shift=0.0, seed=0):
    """Return an ensemble whose curves are the limit, a shift, and normals of known standard deviations."""
    random = np.random.default_rng(seed)
    drawn = LIMIT + shift + neurons * random.standard_normal((runs, 3))
    noise = batches * random.standard_normal((2, runs, 3))
    return Ensemble(TIMES, LIMIT, drawn + noise[0], (drawn + noise[1])[: runs // 2])


@pytest.mark.parametrize(("sizes", "source"), [((2, 1, 0), "neurons"), ((1, 2, 0), "batches"), ((1, 1, 5), "shift")])
def test_what_makes_the_gap_is_found_from_networks_trained_again(sizes, source):
    found = made(400, *sizes)
    assert found.source == source
    np.testing.assert_allclose(found.variances["neurons"], sizes[0] ** 2, atol=0.15 * sum(sizes[:2]) ** 2)
    np.testing.assert_allclose(found.variances["batches"], sizes[1] ** 2, atol=0.15 * sum(sizes[:2]) ** 2)
    np.testing.assert_allclose(found.variances["shift"], sizes[2] ** 2, atol=0.2 + 0.6 * sizes[2])


def test_the_expected_gap_is_that_of_its_curves_within_the_error_that_it_states():
    """Over 100 ensembles of 16: quantiles scatter about the true one as their own errors say."""
    draws = np.random.default_rng(1).standard_normal((1 << 17, 3))
    true = np.quantile(np.abs(0.5 + np.sqrt(2) * draws).max(axis=1), 0.95)
    found = np.array([made(16, 1.0, 1.0, 0.5, seed).gap_quantile(0.95) for seed in range(100)])
    values, errors = found.T
    assert values.mean() == pytest.approx(true, rel=0.05)
    assert errors.mean() == pytest.approx(values.std(), rel=0.25)


def test_a_band_holds_another_network():
    held = []
    for seed in range(200):
        found, random = made(8, 1.0, 0.0, 0.0, seed), np.random.default_rng([1, seed])
        lower, upper = found.band(0.9)
        another = LIMIT + random.standard_normal(3)
        held.append((lower <= another) & (another <= upper))
    assert np.mean(held) == pytest.approx(0.9, abs=0.05)


def test_networks_trained_again_share_their_neurons_and_no_batch():
    data = im.load_data("wine", max_points=24)
    problem = im.Problem(data, im.aligned_law(data, latent_dim=1))
    found = simulated(problem, np.array([0.0, 1.0]), np.ones(2), 8, 0.1, 2, runs=8, seed=3, workers=1)
    np.testing.assert_array_equal(found.risk[:2, 0], found.again[:, 0])
    assert len(set(np.r_[found.risk[:, 1], found.again[:, 1]])) == 10
    runs = im.train(problem, [0.0, 1.0], 8, 0.1, batch_size=2, runs=8, seed=3, snapshot_times=())
    np.testing.assert_array_equal(found.risk, runs.risk)
