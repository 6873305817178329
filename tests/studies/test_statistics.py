"""Intervals hold their level at the numbers of runs that studies have; broken twins don't."""

import numpy as np
import pytest
from scipy.stats import binom, norm
from scipy.stats.mstats import hdquantiles

from isthmus.studies import statistics
from isthmus.studies.statistics import (
    Estimate,
    leave_one_out,
    quantile_intervals,
    quantile_slope_intervals,
    runs_needed,
    supports,
    widened,
    widened_logs,
)

LAWS = {
    "exponential": (lambda random, shape: random.exponential(size=shape), lambda level: -np.log1p(-level)),
    "half-normal": (
        lambda random, shape: np.abs(random.standard_normal(shape)),
        lambda level: norm.ppf((1 + level) / 2),
    ),
}
WIDTHS = np.array([64, 256, 1024])


def coverage(intervals: np.ndarray, truth: float) -> float:
    """Return how often intervals (simulations, 3) hold the truth."""
    return float(np.mean((intervals[:, 1] <= truth) & (truth <= intervals[:, 2])))


def holds(share: float, simulations: int) -> bool:
    """Whether a coverage is between 90 and 97 %, but for two standard errors of its simulation."""
    slack = 2 * np.sqrt(0.05 * 0.95 / simulations)
    return 0.90 - slack < share < 0.97 + slack


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("runs", "level"), [(8, 0.5), (16, 0.5), (64, 0.5), (36, 0.9), (64, 0.9), (80, 0.95)])
def test_intervals_of_quantiles_hold_their_level(runs, level, law):
    draw, quantile = LAWS[law]
    samples = draw(np.random.default_rng(runs), (40_000, runs))
    share = coverage(quantile_intervals(samples, level), quantile(level))
    assert 0.942 < share < 0.954  # 40,000 simulations: a standard error of 0.0011


def test_the_bootstrap_of_an_extreme_quantile_does_not():
    """The broken twin: at 8 runs no resample lies above the largest of them, which is below the quantile too often."""
    random, simulations = np.random.default_rng(0), 1000
    samples = random.exponential(size=(simulations, 8))
    drawn = samples[:, random.integers(8, size=(400, 8))]
    ends = np.quantile(np.quantile(drawn, 0.9, axis=-1), [0.025, 0.975], axis=-1)
    share = coverage(np.stack([ends[0], *ends], axis=-1), -np.log(0.1))
    assert not holds(share, simulations) and share < 0.7


@pytest.mark.parametrize("level", [0.1, 0.5, 0.8, 0.9, 0.95])
def test_an_interval_needs_as_many_runs_as_leave_both_sides_room(level):
    """All runs lie below a quantile with probability level^n, and all above it with (1 − level)^n."""
    needed = runs_needed(level)
    for runs in (needed - 1, needed):
        room = max(binom.pmf(runs, runs, level), binom.pmf(0, runs, level)) <= 0.025
        assert supports(level, runs) == room == (runs == needed)
        ends = quantile_intervals(np.arange(float(runs)), level)[1:]
        assert np.isfinite(ends).all() == room


def test_an_interval_lies_between_neighbouring_order_statistics():
    """Of 10 runs the 2nd and 9th hold the median with probability .9785, the 3rd and 8th with .8906."""
    estimate, lower, upper = quantile_intervals(np.random.default_rng(0).permutation(np.arange(1.0, 11)), 0.5)
    assert estimate == 5.5 and 2 < lower < 3 and upper == pytest.approx(11 - lower)
    assert binom.cdf(1, 10, 0.5) < 0.025 < binom.cdf(2, 10, 0.5)
    assert (quantile_intervals(np.full(10, 3.0), 0.5) == 3).all()


def correlated(runs: int, simulations: int, seed: int) -> np.ndarray:
    """Return gaps |N(0, 1)| N^−1/2 whose correlation between widths is 0.9, shape (widths, simulations, runs)."""
    random = np.random.default_rng(seed)
    shared, own = random.standard_normal((simulations, runs)), random.standard_normal((3, simulations, runs))
    return np.abs(np.sqrt(0.9) * shared + np.sqrt(0.1) * own) / np.sqrt(WIDTHS)[:, None, None]


@pytest.mark.parametrize(
    ("runs", "level", "simulations"),
    [(8, 0.5, 2000), (16, 0.5, 2000), (64, 0.5, 2000), (40, 0.9, 2000), (64, 0.9, 2000)],
)
def test_intervals_of_exponents_hold_their_level_where_widths_share_random_numbers(runs, level, simulations):
    found = quantile_slope_intervals(WIDTHS, correlated(runs, simulations, runs), level)
    assert holds(coverage(found, -0.5), simulations)


@pytest.mark.parametrize("runs", [8, 16])
def test_leaving_out_runs_of_each_width_apart_does_not(runs):
    """The broken twin: runs shuffled within each width are as if left out apart."""
    simulations, random = 1000, np.random.default_rng(0)
    samples = correlated(runs, simulations, runs)
    estimate = quantile_slope_intervals(WIDTHS, samples, 0.5)[:, 0]
    apart = quantile_slope_intervals(WIDTHS, random.permuted(samples, axis=-1), 0.5)
    share = coverage(apart - apart[:, :1] + estimate[:, None], -0.5)
    assert not holds(share, simulations)


@pytest.mark.parametrize(("runs", "level"), [(8, 0.5), (16, 0.5), (64, 0.9)])
def test_intervals_carry_the_error_of_the_mean_field(runs, level):
    """Gaps to a limit known by 4 replicates only; the broken twin takes it for exact."""
    random, simulations, scale = np.random.default_rng(runs), 2000, 3.0
    values = np.exp(0.1 * random.standard_normal((simulations, runs)))
    replicates = scale * random.standard_normal((4, simulations, 1)) / 20
    truth = np.exp(0.1 * norm.ppf(level))
    blind = quantile_intervals(values - replicates.mean(axis=0), level)
    others = np.stack([np.quantile(values - limit, level, axis=-1) for limit in leave_one_out(replicates)])
    assert holds(coverage(widened_logs(blind, others), truth), simulations)
    assert not holds(coverage(blind, truth), simulations)


def test_the_slope_is_that_of_least_squares_with_the_size_in_front():
    samples = np.broadcast_to(np.array([[1.0, 2.0], [0.5, 2.0], [0.01, 2.0]])[..., None], (3, 2, 8))
    found = quantile_slope_intervals([10, 100, 1000], samples, 0.5)
    expected = np.polyfit(np.log([10, 100, 1000]), np.log([1.0, 0.5, 0.01]), 1)[0]
    np.testing.assert_allclose(found, [[expected] * 3, [0.0] * 3], atol=1e-12)


def test_a_run_that_is_left_out_is_as_if_it_had_not_been():
    samples = correlated(9, 2, 0)
    found = statistics._quantiles_left_out(samples, 0.8)
    for run in range(9):
        expected = hdquantiles(np.delete(samples, run, axis=-1)[1, 1], [0.8])
        np.testing.assert_allclose(found[run, 1, 1], expected[0])
    slopes = statistics.quantile_slope(WIDTHS, samples, 0.8)
    smooth = [hdquantiles(one, [0.8])[0] for one in samples[:, 0]]
    assert slopes[0] == pytest.approx(np.polyfit(np.log(WIDTHS), np.log(smooth), 1)[0])


def test_no_exponent_without_two_sizes_or_of_a_gap_of_zero_and_no_interval_of_few_runs():
    assert np.isnan(quantile_slope_intervals([10], np.ones((1, 8)), 0.5)).all()
    assert np.isnan(quantile_slope_intervals([10, 20], np.stack([np.ones(8), np.zeros(8)]), 0.5)).all()
    estimate, *ends = quantile_slope_intervals([10, 20], np.ones((2, 8)), 0.9)
    assert estimate == 0 and np.isnan(ends).all()


def test_a_common_error_widens_both_ends_as_independent_errors_add():
    """Two replicates whose leave-one-out values differ by 2: an error of 1, times Student's 12.7."""
    np.testing.assert_allclose(
        widened(np.array([0.0, -5.0, 12.0]), np.array([-1.0, 1.0])),
        [0, -np.hypot(5, 12.7062), np.hypot(12, 12.7062)],
        rtol=1e-4,
    )


def test_intervals_of_positive_numbers_stay_positive():
    found = widened_logs(np.array([1.0, 0.5, 2.0]), np.array([0.1, 9.0]))
    assert 0 < found[1] < 0.5 and found[2] > 2
    zero = np.zeros(3)
    np.testing.assert_array_equal(widened_logs(zero, np.zeros(4)), zero)


def test_an_estimate_says_its_interval_where_it_has_one():
    assert str(Estimate(0.0035, 0.003, 0.0041)) == "0.00350 (95\u00a0% CI 0.00300 to 0.00410)"
    assert str(Estimate(-0.5, np.nan, np.nan)) == "−0.500"
