"""Gaussian laws without a covariance: the same as those with one, in every question that is asked of them."""

import jax
import numpy as np
import pytest

import isthmus as im
from isthmus.core import neuron_laws
from isthmus.core.neuron_laws import GaussianNeurons, LinearNeurons, completed, linear_neurons

RANDOM = np.random.default_rng(0)
SLOPE = RANDOM.standard_normal((2, 5))
NO_SLOPE = np.zeros((2, 5))
SCALES = (0.7, 0.3, 0.5)


def pair(slope=SLOPE):
    incoming, noise, bias = SCALES
    return linear_neurons(slope, np.full(slope.shape[1], incoming**2), noise, bias), LinearNeurons(slope, SCALES)


def axes(rows, columns, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((rows, columns)))[0]


@pytest.mark.parametrize("slope", [SLOPE, NO_SLOPE])
def test_the_covariance_is_that_of_the_dense_law(slope):
    dense, linear = pair(slope)
    assert type(dense) is GaussianNeurons
    np.testing.assert_allclose(linear.covariance, dense.covariance, atol=1e-15)
    np.testing.assert_allclose(linear.second_moments(), dense.second_moments(), atol=1e-15)
    assert linear.outgoing_variance == pytest.approx(dense.outgoing_variance)
    assert linear.bias_variance == pytest.approx(dense.bias_variance)
    assert linear.outgoing_is_noise == dense.outgoing_is_noise == (not slope.any())


@pytest.mark.parametrize("slope", [SLOPE, NO_SLOPE])
def test_in_axes_it_is_the_marginal_law(slope):
    dense, linear = pair(slope)
    for turn in ({"incoming": axes(5, 3)}, {"outgoing": axes(2, 1)}, {"incoming": axes(5, 5), "outgoing": axes(2, 2)}):
        np.testing.assert_allclose(linear.in_axes(**turn).covariance, dense.in_axes(**turn).covariance, atol=1e-14)


def test_what_lies_outside_axes_is_noise_only_where_the_slope_lies_inside():
    inside, other = axes(5, 2), axes(5, 2, seed=1)
    slope = inside @ RANDOM.standard_normal((2, 2))
    for law in pair(slope):
        assert law.outgoing_outside_is_noise(inside)
        assert not law.outgoing_outside_is_noise(other)


def test_draws_have_the_moments_of_the_law(double):
    count = 40_000
    for law in pair()[1], pair(NO_SLOPE)[1]:
        drawn = law.sample(jax.random.key(1), count)
        joint = np.concatenate([drawn.outgoing, drawn.incoming, drawn.bias[:, None]], axis=1)
        variances = np.diag(law.covariance)
        error = np.sqrt((np.outer(variances, variances) + law.covariance**2) / count)
        assert np.all(np.abs(joint.T @ joint / count - law.covariance) < 5 * error)


def test_what_is_drawn_outside_has_the_conditional_law():
    basis = axes(5, 3)
    slope = RANDOM.standard_normal((2, 3)) @ basis.T  # outgoing weights tell nothing of what is outside
    count = 40_000
    for law in pair(slope):
        start = law.in_axes(incoming=basis).sample(jax.random.key(2), count)
        silent = law.drawn_outside(basis, start, np.random.default_rng(3))
        np.testing.assert_allclose(silent @ basis, 0, atol=1e-6)
        outside = completed(basis)[:, 3:]
        covariance = (silent @ outside).T @ (silent @ outside) / count
        np.testing.assert_allclose(covariance, SCALES[0] ** 2 * np.eye(2), atol=5 * SCALES[0] ** 2 * np.sqrt(2 / count))


def test_limit_and_networks_are_those_of_the_dense_law(monkeypatch):
    data = im.Data(RANDOM.standard_normal((6, 12)), center=True, scale="total")
    found = []
    for largest in (2048, 4):
        monkeypatch.setattr(neuron_laws, "LARGEST_COVARIANCE", largest)
        problem = im.Problem(data, im.aligned_law(data, 2))
        assert isinstance(problem.law.encoder, LinearNeurons) == (largest == 4)
        frame = problem.frame
        found.append((frame.encoder.covariance, frame.decoder.covariance, np.eye(2) * frame.hidden_variance))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_a_law_in_a_hundred_thousand_dimensions_needs_no_covariance():
    points = RANDOM.standard_normal((8, 100_000))
    problem = im.Problem(im.Data(points, center=True, scale="total"), im.aligned_law(points, 2))
    assert problem.frame.data.points.shape == (8, 7)
    assert problem.frame.encoder.number_of_normals == 2 + 7 + 1
    with pytest.raises(im.ArgumentError, match="must fit in memory"):
        _ = im.independent_law(10_000_000, 1).encoder.covariance
