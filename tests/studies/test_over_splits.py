"""Intervals over random splits of one table: their coverage by simulation, and that they stay positive."""

import numpy as np
import pytest

from isthmus.studies.over_splits import mean_over_splits, ratio_over_splits

SPLITS, TABLES, POINTS, HELD_OUT = 4, 600, 128, 32
SHARE = HELD_OUT / POINTS
SCALES = np.array([2.0, 1.5, 1.0, 0.7, 0.5, 0.3])


def pca_risks(training, points, components):
    mean = training.mean(axis=0)
    directions = np.linalg.svd(training - mean, full_matrices=False)[2]
    squares = np.square((points - mean) @ directions.T).mean(axis=0)
    return [squares[count:].sum() / 2 for count in components]


@pytest.fixture(scope="module")
def simulated():
    """Held-out risks of PCA with 2 and 3 components, shape (tables, splits, 2), and their truth for new points."""
    random = np.random.default_rng(0)
    draw = lambda count: random.standard_normal((count, 6)) * SCALES
    found = np.empty((TABLES, SPLITS, 2))
    for table in range(TABLES):
        points = draw(POINTS)
        for split in range(SPLITS):
            order = random.permutation(POINTS)
            found[table, split] = pca_risks(points[order[HELD_OUT:]], points[order[:HELD_OUT]], (2, 3))
    truth = np.mean([pca_risks(draw(POINTS - HELD_OUT), draw(2000), (2, 3)) for _ in range(400)], axis=0)
    return found, truth


def covered(estimates, truth):
    return np.mean([one.contains(truth) for one in estimates])


def test_intervals_of_means_and_ratios_hold_their_level(simulated):
    found, truth = simulated
    assert 0.9 < covered([mean_over_splits(risks[:, 0], SHARE) for risks in found], truth[0]) < 0.97
    ratios = [ratio_over_splits(risks[:, 1], risks[:, 0], SHARE) for risks in found]
    assert 0.9 < covered(ratios, truth[1] / truth[0]) < 0.97


def test_intervals_that_take_splits_for_independent_do_not(simulated):
    found, truth = simulated
    assert covered([mean_over_splits(risks[:, 0], 0.0) for risks in found], truth[0]) < 0.89


def test_intervals_are_positive_however_far_splits_differ():
    estimate = mean_over_splits(np.array([0.01, 0.02, 0.9, 0.01]), SHARE)
    assert estimate.value == pytest.approx(0.235) and 0 < estimate.lower < estimate.value < estimate.upper
    nothing = mean_over_splits(np.zeros(3), SHARE)
    assert (nothing.value, nothing.lower, nothing.upper) == (0, 0, 0)
    assert ratio_over_splits(np.ones(3), np.zeros(3), SHARE).value == np.inf


def test_ratios_are_compared_in_pairs():
    level = np.array([1.0, 5.0, 0.2, 3.0])  # splits differ by far more than what is compared
    ratio = ratio_over_splits(0.9 * level, level, SHARE)
    assert (ratio.lower, ratio.value, ratio.upper) == pytest.approx((0.9, 0.9, 0.9))
