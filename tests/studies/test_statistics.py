import numpy as np
import pytest

from isthmus.studies.statistics import CONFIDENCE, bootstrap_quantiles, fitted_rate


def test_quantile_is_that_of_the_sample():
    samples = np.random.default_rng(0).exponential(size=50)
    estimate, resampled = bootstrap_quantiles(samples, 0.9, seed=1)
    assert estimate.value == np.quantile(samples, 0.9)
    assert estimate.lower <= estimate.value <= estimate.upper
    assert (resampled >= samples.min()).all() and (resampled <= samples.max()).all()


def test_intervals_of_the_median_cover_it():
    random = np.random.default_rng(1)
    hits = [bootstrap_quantiles(random.exponential(size=60), 0.5, seed)[0].contains(np.log(2)) for seed in range(300)]
    # 300 trials: a standard error of 0.0126 about 0.95, and the bootstrap of a median is a little off.
    assert CONFIDENCE - 0.06 < np.mean(hits) <= 1


@pytest.mark.parametrize("rate", [-0.5, -1.0])
def test_a_power_law_is_found_with_its_interval(rate):
    random = np.random.default_rng(2)
    sizes = [32, 128, 512]
    hits = 0
    for seed in range(60):
        samples = [size**rate * np.abs(random.standard_normal(64)) for size in sizes]
        estimate = fitted_rate(sizes, samples, 0.9, seed)
        assert estimate is not None
        hits += estimate.contains(rate)
        assert abs(estimate.value - rate) < 0.35
    assert hits / 60 > 0.85


def test_the_slope_is_that_of_least_squares():
    sizes = [10, 100, 1000]
    samples = [np.full(5, value) for value in (1.0, 0.5, 0.01)]
    estimate = fitted_rate(sizes, samples, 0.5, 0)
    assert estimate is not None
    assert estimate.value == pytest.approx(np.polyfit(np.log(sizes), np.log([1.0, 0.5, 0.01]), 1)[0])


def test_no_rate_without_two_sizes_or_with_a_gap_of_zero():
    assert fitted_rate([10], [np.ones(4)], 0.5, 0) is None
    assert fitted_rate([10, 20], [np.ones(4), np.zeros(4)], 0.5, 0) is None
