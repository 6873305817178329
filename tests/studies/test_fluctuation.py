"""Fluctuation and mean shift: their intervals and those of their exponents hold their level; broken twins don't."""

import numpy as np
import pytest

from isthmus.studies.fluctuation import fluctuation_intervals, fluctuation_slope, shift_intervals, shift_slope

TIMES = np.linspace(0, 1, 12)
SHAPE = np.cos(2 * TIMES) / np.sqrt(np.square(np.cos(2 * TIMES)).mean())
"""Of a mean shift, of mean square 1; it changes its sign."""
WIDTHS = [64, 256, 1024]


def curves(runs: int, simulations: int, length: float, seed: int) -> np.ndarray:
    """Return Gaussian curves of variance 1, shape (simulations, runs, T), with correlations of this length in time."""
    kernel = np.exp(-np.abs(TIMES[:, None] - TIMES) / length)
    noise = np.random.default_rng(seed).standard_normal((simulations, runs, len(TIMES)))
    return noise @ np.linalg.cholesky(kernel).T


def coverage(intervals: np.ndarray, truth: float) -> float:
    return float(np.mean((intervals[:, 1] <= truth) & (truth <= intervals[:, 2])))


def exact(count: int) -> np.ndarray:
    """Return replicates of a mean field R = 0 without an error."""
    return np.zeros((count, len(TIMES)))


@pytest.mark.parametrize("length", [0.5, 50])
@pytest.mark.parametrize("runs", [8, 16, 64])
def test_intervals_of_the_fluctuation_hold_their_level(runs, length):
    found = fluctuation_intervals(curves(runs, 3000, length, runs))
    assert 0.92 < coverage(found, 1.0) < 0.97  # 3000 simulations: a standard error of 0.004
    assert (found[:, 1] > 0).all()


@pytest.mark.parametrize("size", [0.0, 0.3, 1.0, 2.0])
@pytest.mark.parametrize("length", [0.5, 50])
@pytest.mark.parametrize("runs", [8, 16, 64])
def test_intervals_of_the_shift_hold_their_level_resolved_or_not(runs, length, size):
    """The standard deviation is 1: from a shift of 0, of which intervals begin at 0, to one that is plain to see."""
    found = shift_intervals(size * SHAPE + curves(runs, 2000, length, runs), exact(2))
    assert 0.91 < coverage(found, size) < 0.985  # 2000 simulations: a standard error of 0.005
    assert np.mean(found[:, 1] > 0) < 0.09 if size == 0 else True


def test_the_mean_square_of_a_noisy_mean_is_no_estimate_of_the_shift():
    """The broken twin: with the noise of the mean left in, all simulations find a shift where there is none."""
    sample = curves(16, 2000, 0.5, 0)
    raw = np.sqrt(np.square(sample.mean(axis=1)).mean(axis=-1))
    found = shift_intervals(sample, exact(2))
    assert np.median(raw) > 0.2 and np.median(found[:, 0]) < 0.1
    assert np.mean(found[:, 1] == 0) > 0.9


@pytest.mark.parametrize("runs", [8, 16, 64])
def test_the_shift_carries_the_error_of_the_mean_field(runs):
    """An error as large as that of the mean of runs; the broken twin takes the mean of replicates for exact."""
    simulations = 400
    sample = 2 * SHAPE + curves(runs, simulations, 0.5, runs)
    replicates = 2 / np.sqrt(runs) * curves(4, simulations, 50, 9)
    both = np.stack([shift_intervals(one, own) for one, own in zip(sample, replicates, strict=True)])
    means = replicates.mean(axis=1)
    blind = np.stack([shift_intervals(one, np.stack([own] * 2)) for one, own in zip(sample, means, strict=True)])
    assert 0.92 < coverage(both, 2.0) < 0.99 and coverage(blind, 2.0) < 0.9


def of_widths(sample: np.ndarray, shift: float) -> np.ndarray:
    """Return curves (widths, runs, T) that scatter as N^−1/2 about a mean shift that goes as 1/N."""
    narrow = WIDTHS[0] / np.array(WIDTHS)[:, None, None]
    return narrow * shift * SHAPE + np.sqrt(narrow) * sample


@pytest.mark.parametrize("runs", [8, 16, 64])
def test_intervals_of_both_exponents_hold_their_level(runs):
    simulations = 400
    sample = np.stack([curves(runs, simulations, 0.5, seed) for seed in range(3)])
    split = [of_widths(sample[:, i], 6.0) for i in range(simulations)]
    slack = 2 * np.sqrt(0.05 * 0.95 / simulations)
    for found, truth in (
        ([fluctuation_slope(WIDTHS, one) for one in split], -0.5),
        ([shift_slope(WIDTHS, one, exact(2)) for one in split], -1.0),
    ):
        share = coverage(np.array(found), truth)
        assert 0.90 - slack < share < 0.97 + slack, share


def test_exponents_of_widths_that_share_random_numbers_are_not_as_uncertain_as_independent_ones():
    """Curves that are the same but for a factor have an exponent that is known exactly."""
    sample = np.stack([curves(16, 1, 0.5, 0)[0]] * 3)
    value, lower, upper = fluctuation_slope(WIDTHS, of_widths(sample, 0.0))
    assert value == pytest.approx(-0.5) and upper - lower < 1e-12


def test_what_is_not_resolved_has_no_exponent_and_two_runs_no_interval_of_their_scatter():
    sample = np.stack([curves(16, 1, 0.5, seed)[0] for seed in range(3)])
    assert np.isnan(shift_slope(WIDTHS, of_widths(sample, 0.1), exact(2))).all()
    assert np.isnan(shift_slope(WIDTHS[:1], sample[:1] + 9, exact(2))).all()
    assert np.isnan(fluctuation_slope(WIDTHS[:1], sample[:1])).all()
    value, *ends = fluctuation_intervals(sample[0, :2])
    assert value > 0 and np.isnan(ends).all()
    assert np.isnan(fluctuation_intervals(np.zeros((4, 3)))).all()
