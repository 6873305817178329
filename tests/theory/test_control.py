"""Networks beside their prediction: unbiased at any width, and far more accurate than plain runs."""

import numpy as np
import pytest

import isthmus as im
from isthmus.core.activations import ACTIVATIONS
from isthmus.theory.surrogate import Surrogate

TIMES = np.array([0.0, 0.4, 1.0, 2.0])


@pytest.fixture(scope="module")
def problem():
    data = im.Data(im.manifold_stream(3, 1, seed=3).draw(16, 0).points, center=True, scale="total")
    return im.Problem(data, im.aligned_law(data, 1))


@pytest.fixture(scope="module")
def law(problem):
    path = im.solve_mean_field(problem, TIMES, particles=1024, replicates=2, snapshot_times=())
    options = {"particles": 128, "curvature_particles": 8, "samples": 2}
    return im.predict_finite_width(problem, TIMES, path=path, **options)


@pytest.fixture(scope="module")
def found(problem, law):
    return im.estimate_finite_width(problem, TIMES, 100, 0.1, 2, runs=16, law=law, neurons=512)


@pytest.fixture(scope="module")
def plain(problem):
    return im.train(problem, TIMES, 100, 0.1, batch_size=2, runs=500, seed=9, snapshot_times=())


def test_the_fluctuation_has_mean_0_and_the_predicted_covariance(found):
    """Within 4 standard errors of 16 runs."""
    std = np.sqrt(np.diagonal(found.kernel))
    assert np.abs(found.fluctuation.mean(axis=0) / std * np.sqrt(16)).max() < 4
    assert np.abs(found.fluctuation.std(axis=0, ddof=1) / std - 1).max() < 4 / np.sqrt(32)


def test_the_mean_is_that_of_many_plain_runs_at_a_fraction_of_their_variance(found, plain):
    """A part of ζ that was forgotten, or of the wrong sign, would leave most of the variance."""
    error = np.hypot(plain.risk.std(axis=0, ddof=1) / np.sqrt(500), found.error)
    assert np.abs((found.mean - plain.risk.mean(axis=0)) / error).max() < 4
    assert found.variance_ratio > 8


def test_each_part_of_the_fluctuation_takes_variance_away(problem, law, found):
    """Neurons alone leave the noise of batches, whose part is what full batches lack."""
    full = im.estimate_finite_width(problem, TIMES, 100, 0.1, runs=8, law=law, neurons=512)
    neurons_alone = found.runs.risk[:8] - full.fluctuation
    both = found.runs.risk[:8] - found.fluctuation[:8]
    assert both.var(axis=0)[1:].sum() < 0.5 * neurons_alone.var(axis=0)[1:].sum()


def test_standard_deviations_and_quantiles_are_those_of_many_plain_runs(found, plain, law):
    std = plain.risk.std(axis=0, ddof=1)
    assert np.all(np.abs(found.std - std) < 4 * np.hypot(found.std_error, std / np.sqrt(1000)) + 0.02 * std)
    gaps = np.abs(plain.risk - law.path.risk).max(axis=1)
    for level in (0.5, 0.9):
        estimate, error = found.gap_quantile(level)
        resampled = np.random.default_rng(0).choice(gaps, (200, len(gaps)))
        noise = np.quantile(resampled, level, axis=1).std()
        assert estimate == pytest.approx(np.quantile(gaps, level), abs=4 * np.hypot(error, noise) + 0.03 * estimate)


@pytest.mark.slow
def test_it_is_unbiased_where_leading_order_is_not(problem, law):
    """Narrow networks, large steps: the plain prediction of the mean is off by many standard errors."""
    options = {"width": 12, "step_size": 0.2, "batch_size": 1}
    found = im.estimate_finite_width(problem, TIMES, runs=64, law=law, neurons=512, **options)
    plain = im.train(problem, TIMES, runs=1000, seed=9, snapshot_times=(), **options).risk
    error = np.hypot(plain.std(axis=0, ddof=1) / np.sqrt(1000), found.error)
    assert np.abs((found.mean - plain.mean(axis=0)) / error).max() < 4


def test_a_regression_of_the_influence_serves_nearly_as_well(problem, law, found, plain):
    """It has mean 0 however good it is; a regression on nothing would leave the variance of plain runs."""
    close = im.estimate_finite_width(problem, TIMES, 100, 0.1, 2, runs=16, law=law, neurons=512, influence="surrogate")
    np.testing.assert_array_equal(close.runs.risk, found.runs.risk)
    error = np.hypot(plain.risk.std(axis=0, ddof=1) / np.sqrt(500), close.error)
    assert np.abs((close.mean - plain.risk.mean(axis=0)) / error).max() < 4
    assert 0.4 * found.variance_ratio < close.variance_ratio
    np.testing.assert_allclose(close.std, found.std, rtol=0.1)


def test_a_regression_finds_what_it_can_express():
    """Influences made of its own features are found at other neurons."""
    random = np.random.default_rng(0)
    measure = lambda count, outputs, inputs: im.NeuronMeasure.of(
        random.standard_normal((count, outputs)), random.standard_normal((count, inputs)), random.standard_normal(count)
    )
    tanh = ACTIVATIONS["tanh"]
    network = lambda count: im.Autoencoder(measure(count, 1, 2), measure(count, 2, 1), tanh, tanh)
    points = random.standard_normal((5, 2))

    def influence(network):
        encoder, decoder = network.encoder, network.decoder
        of_encoder = encoder.outgoing[:, 0] * np.tanh(encoder.incoming @ points[0] + encoder.bias) + encoder.bias**2
        return np.stack([of_encoder, -of_encoder]), np.stack([decoder.outgoing[:, 1] * decoder.incoming[:, 0]] * 2)

    particles, others = network(256), network(64)
    known = Surrogate(particles, influence(particles), points)
    for ours, theirs in zip(known.of(others), influence(others), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "training", "ratio"),
    [
        ({"optimizer": im.Adam(batch_size=4), "encoder_rate": 0.3, "decoder_rate": 0.3}, (0.02, 4), 1.5),
        ({"temperature": 1e-3}, (0.05, 4), 2.0),
    ],
)
def test_adam_and_noise_are_served_by_a_regression(problem, options, training, ratio):
    other = im.Problem(problem.data, problem.law, **options)
    path = im.solve_mean_field(other, TIMES, particles=1024, replicates=2, snapshot_times=())
    law = im.predict_finite_width(other, TIMES, path=path, particles=256, curvature_particles=8, samples=2)
    found = im.estimate_finite_width(other, TIMES, 200, *training, runs=24, law=law, neurons=512)
    plain = im.train(other, TIMES, 200, training[0], batch_size=training[1], runs=500, seed=9, snapshot_times=()).risk
    error = np.hypot(plain.std(axis=0, ddof=1) / np.sqrt(500), found.error)
    assert np.abs((found.mean - plain.mean(axis=0)) / error).max() < 4
    assert found.variance_ratio > ratio


@pytest.mark.slow
def test_kinks_and_momentum_are_served(problem):
    data = problem.data
    other = im.Problem(data, im.aligned_law(data, 1, activation="relu"), "relu", optimizer=im.Momentum(0.3))
    path = im.solve_mean_field(other, TIMES[:3], particles=512, replicates=2, snapshot_times=(), rtol=1e-4)
    law = im.predict_finite_width(other, TIMES[:3], path=path, particles=128, curvature_particles=8, samples=2)
    found = im.estimate_finite_width(other, TIMES[:3], 400, 0.1, 4, runs=12, law=law, neurons=512)
    assert found.variance_ratio > 4  # a part that is missing leaves less than 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runs": 3}, "'runs' must be an integer of at least 4"),
        ({"batch_size": 4}, "'batch_size' must be None at step size 0"),
        ({"influence": "close"}, "'influence' must be one of"),
        ({"neurons": 100}, "'neurons' must be a power of 2"),
        ({"times": [0.0, 1.0]}, "'law' must be a FiniteWidthLaw at the same times"),
    ],
)
def test_arguments_are_checked(problem, law, options, message):
    with pytest.raises((im.ArgumentError, im.ArgumentTypeError)) as caught:
        im.estimate_finite_width(problem, **({"times": TIMES, "width": 10, "law": law} | options))
    assert message in str(caught.value)


def test_a_law_of_another_problem_is_refused(problem, law):
    other = im.Problem(problem.data, problem.law, weight_decay=0.1)
    with pytest.raises(im.ArgumentError, match="'law' must be that of this problem"):
        im.estimate_finite_width(other, TIMES, 10, law=law)
