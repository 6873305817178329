"""The predicted law of a curve, made by hand: what is drawn has its moments, and curvature belongs to it."""

import numpy as np
import pytest
from scipy.stats import norm

import isthmus as im
from isthmus.theory.prediction import Noise

TIMES = np.array([0.0, 1.0, 2.0])
SHAPE = np.array([0.0, 1.0, 0.5])


def predicted(**noises):
    return im.Prediction(TIMES, np.array([0.5, 0.3, 0.2]), noises)


def test_without_a_kernel_the_curve_is_that_of_the_curvature():
    """One sample in four lies at 2, the others at −1: so does the sup-gap."""
    samples = np.outer([2.0, -1.0, -1.0, -1.0], SHAPE)
    law = predicted(encoder=Noise(np.zeros((3, 3)), samples))
    assert law.gap_quantile(0.6) == pytest.approx(1.0)
    assert law.gap_quantile(0.9) == pytest.approx(2.0)
    assert (law.gaps > 1.5).mean() == pytest.approx(1 / 4, abs=5 * np.sqrt(3 / 16 / len(law.gaps)))
    np.testing.assert_allclose(law.gaps_over(np.array([True, False, True])), law.gaps / 2)


def test_draws_have_the_mean_and_the_covariance_of_all_sources():
    random = np.random.default_rng(0)
    kernel = lambda: (lambda root: root @ root.T)(random.standard_normal((3, 2)))
    law = predicted(
        encoder=Noise(kernel(), random.standard_normal((64, 3))),
        batches=Noise(kernel(), 2 * random.standard_normal((64, 3)) + 1),
        steps=Noise(np.zeros((3, 3)), np.full((1, 3), 0.3)),
    )
    draws = law.deviations
    error = law.std / np.sqrt(len(draws))
    assert np.all(np.abs(draws.mean(axis=0) - law.shift) < 5 * error)
    size = np.outer(law.std, law.std) * np.sqrt(2 / len(draws))
    assert np.all(np.abs(np.cov(draws.T) * 64 / 63 - law.covariance) < 5 * size + 0.01 * np.abs(law.covariance))
    np.testing.assert_allclose(law.covariance, sum(law.covariances.values()))


def test_a_gaussian_curve_has_the_quantiles_of_the_normal_law():
    law = predicted(decoder=Noise(0.04 * np.outer(SHAPE, SHAPE), np.zeros((1, 3))))
    np.testing.assert_allclose(law.gap_quantile(0.9), 0.2 * norm.ppf(0.95), rtol=0.02)
    lower, upper = law.band(0.9)
    np.testing.assert_allclose(upper - lower, 2 * 0.2 * norm.ppf(0.95) * SHAPE)


def test_the_error_of_the_shift_is_the_standard_error_of_its_samples():
    random = np.random.default_rng(1)
    one, two = random.standard_normal((9, 3)), random.standard_normal((16, 3))
    law = predicted(encoder=Noise(np.eye(3), one), decoder=Noise(np.eye(3), two))
    expected = np.hypot(one.std(axis=0, ddof=1) / 3, two.std(axis=0, ddof=1) / 4)
    np.testing.assert_allclose(law.shift_error, expected)
    np.testing.assert_allclose(
        predicted(encoder=Noise(np.eye(3), one).scaled(0.1)).covariance, 0.1 * np.eye(3) + 0.01 * np.cov(one.T)
    )


def test_the_error_of_the_standard_deviation_comes_from_those_of_the_kernels_that_have_one():
    one, nothing = np.array([0.0, 0.4, 0.2]), np.zeros((2, 3))
    law = predicted(
        encoder=Noise(np.diag([0.0, 4.0, 1.0]), nothing, one),
        decoder=Noise(np.diag([0.0, 2.0, 1.0]), nothing, one / 2),
        batches=Noise(np.diag([0.0, 3.0, 2.0]), nothing),
    )
    np.testing.assert_allclose(law.std_error, [0.0, np.hypot(0.4, 0.2) / 6, np.hypot(0.2, 0.1) / 4])
    scaled = predicted(encoder=Noise(np.eye(3), nothing, one).scaled(0.01))
    np.testing.assert_allclose(scaled.std_error, 0.1 * one / 2)
    assert not predicted(encoder=Noise(np.eye(3), nothing)).std_error.any()
