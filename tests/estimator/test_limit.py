"""A learning curve beside its limit: how far is too far, and networks that are trained as it was."""

import copy

import numpy as np
import pytest

import isthmus as im
from isthmus.estimator import automatic, explicit
from isthmus.estimator.diagnosis import beginning
from isthmus.estimator.ensemble import Bound, Ensemble, Training, simulated
from isthmus.estimator.limit import Distance

TIMES, LIMIT = np.array([0.0, 1.0, 2.0]), np.array([0.4, 0.2, 0.1])


def distance(gaps):
    """Return the distance of a curve by these gaps beside networks of which the farthest is .02 away."""
    others = LIMIT + np.linspace(-0.02, 0.015, 19)[:, None] * np.array([0.0, 1.0, 0.5])
    return Distance(TIMES, LIMIT + gaps, LIMIT, np.zeros(3), Ensemble(TIMES, LIMIT, others, others[:2]))


@pytest.mark.parametrize(
    ("gaps", "inside"),
    [([0.0, 0.0, 0.019], True), ([0.0, 0.0, 0.021], False), ([0.0, -0.019, 0.0], True), ([0.0, -0.021, 0.0], False)],
)
def test_a_gap_is_held_to_those_of_other_networks_at_whatever_time(gaps, inside):
    assert distance(np.array(gaps)).inside is inside


def test_without_other_networks_nothing_is_expected():
    alone = Distance(TIMES, LIMIT, LIMIT, np.zeros(3), None)
    assert alone.inside is None and alone.expected is None


def test_the_gap_is_the_largest_over_times_and_the_fall_that_of_the_limit():
    found = distance(np.array([0.01, -0.03, 0.02]))
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


@pytest.mark.parametrize(("runs", "confidence", "share"), [(19, 0.95, 0.95), (16, 0.95, 16 / 17), (39, 0.5, 0.5)])
def test_the_bound_of_gaps_holds_another_network_as_often_as_it_says_whatever_their_law(runs, confidence, share):
    """Curves of heavy tails, about a mean that is far from the limit."""
    random, held = np.random.default_rng(0), []
    for _ in range(4000):
        curves = LIMIT + 0.5 + random.standard_cauchy((runs + 1, 3))
        found = Ensemble(TIMES, LIMIT, curves[1:], curves[:2]).gap_bound(confidence)
        held.append(np.abs(curves[0] - LIMIT).max() <= found.value)
        assert found.share == pytest.approx(share)
    assert np.mean(held) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 4000))


def test_a_bound_is_the_gap_of_one_of_the_networks():
    found = made(19, 1.0, 1.0)
    assert found.gap_bound(0.95) == Bound(float(np.abs(found.risk - LIMIT).max()), 0.95)
    assert found.gap_bound(0.5).value == np.median(np.abs(found.risk - LIMIT).max(axis=1))


def test_a_band_holds_another_network():
    held = []
    for seed in range(200):
        found, random = made(8, 1.0, 0.0, 0.0, seed), np.random.default_rng([1, seed])
        lower, upper = found.band(0.9)
        another = LIMIT + random.standard_normal(3)
        held.append((lower <= another) & (another <= upper))
    assert np.mean(held) == pytest.approx(0.9, abs=0.05)


ANGLES = np.linspace(0, 4.5, 60)
POINTS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def training_of(model, points, marks):
    """Return how a fit trained its network."""
    state = model._fit_state()
    begun = beginning(state, points, np.full(len(points), 1 / len(points)))
    motion = state.settings.penalised(state.schedule.motion)
    return Training(begun.start, begun.pool, state.schedule, motion, marks, model.encoder_.width, begun.dtype)


def test_networks_trained_again_share_their_neurons_and_no_batch():
    model = im.MeanFieldAutoencoder(1, width=8, horizon=1.0, step_size=0.1, batch_size=8, random_state=0).fit(POINTS)
    training = training_of(model, POINTS, [0, 10])
    made = lambda workers: simulated(training, np.array([0.0, 1.0]), np.ones(2), runs=8, seed=3, workers=workers)
    found = made(1)
    np.testing.assert_array_equal(found.risk[:2, 0], found.again[:, 0])
    assert len(set(found.risk[:, 0])) == 8 and len(set(np.r_[found.risk[:, 1], found.again[:, 1]])) == 10
    np.testing.assert_array_equal(found.risk, made(2).risk)


def test_given_the_same_numbers_a_network_of_the_ensemble_is_that_of_an_automatic_fit(monkeypatch):
    """Whose choice of steps uses other numbers: no copy has the neurons that the network begins with."""
    seen, full, part = [], automatic._full_run, automatic._Part
    monkeypatch.setattr(automatic, "_full_run", lambda *given: seen.append(given[4]) or full(*given))
    monkeypatch.setattr(automatic, "MARKS", (0, 128, 256))
    monkeypatch.setattr(automatic, "_Part", lambda *given: seen.append(part(*given)) or seen[-1])
    for options in ({}, {"optimizer": "momentum"}):
        seen.clear()
        model = im.MeanFieldAutoencoder(1, width=128, records=3, random_state=0, **options).fit(POINTS)
        *parts, seed = seen
        training = training_of(model, POINTS, model._schedule.numbers(model.times_).tolist())
        random = np.random.default_rng([seed, *automatic.FULL_NETWORK])
        first = copy.deepcopy(random)
        assert model.times_[-1] > 1 and np.ptp(model.training_curve_) > 0.01
        np.testing.assert_allclose(training.curve(random, random), model.training_curve_, rtol=1e-4)
        biases = training.start.network(first, 128).encoder.bias
        assert max(np.abs(np.corrcoef(biases, one.network.encoder.bias)[0, 1]) for one in parts) < 0.5


def test_given_the_same_numbers_a_network_of_the_ensemble_is_that_of_a_fit_for_a_horizon(monkeypatch):
    seen, first = [], explicit.first_network
    monkeypatch.setattr(explicit, "first_network", lambda *given: seen.append(copy.deepcopy(given[2])) or first(*given))
    options = {"horizon": 20.0, "step_size": 0.1, "records": 4, "weight_decay": 0.01}
    model = im.MeanFieldAutoencoder(1, width=32, random_state=0, **options).fit(POINTS)
    training = training_of(model, POINTS, model._schedule.numbers(model.times_).tolist())
    (neurons,) = seen
    batches = copy.deepcopy(neurons)
    training.start.network(batches, 32)
    batches.integers(2**31)
    np.testing.assert_allclose(training.curve(neurons, batches), model.training_curve_, rtol=1e-9)
