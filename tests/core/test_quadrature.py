import jax
import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus.core.frame import Frame
from isthmus.core.quadrature import gauss_hermite_particles, sobol_particles
from isthmus.core.sobol import matched, sobol_normals

DOUBLE = np.dtype(np.float64)


@pytest.fixture(scope="module")
def problem():
    data = im.load_data("digits", max_points=40)
    return im.Problem(data, im.aligned_law(data, 2))


@pytest.fixture(scope="module")
def frame(problem):
    return Frame(problem.data, problem.law.encoder, problem.law.decoder)


def test_second_moments_of_the_particles_are_those_of_the_law(frame, double):
    for measure, law in zip(sobol_particles(frame, 256, 0, 0, DOUBLE), (frame.encoder, frame.decoder), strict=True):
        np.testing.assert_allclose(measure.second_moments(), law.second_moments(), atol=1e-12)
        np.testing.assert_allclose(measure.bias.mean(), 0, atol=1e-12)


def test_higher_moments_are_closer_than_those_of_random_draws():
    fourth = lambda z: np.abs((z[:, :3] ** 4).mean(axis=0) - 3).max()
    random = [np.random.default_rng(seed).standard_normal((1024, 20)) for seed in range(8)]
    sobol = [matched(sobol_normals(20, 1024, np.random.default_rng(seed))) for seed in range(8)]
    assert np.mean([fourth(z) for z in sobol]) < np.mean([fourth(z) for z in random]) / 4


def test_matching_leaves_few_points_nearly_alone():
    normals = sobol_normals(100, 64, np.random.default_rng(0))
    result = matched(normals)
    np.testing.assert_allclose(result[:, :32].T @ result[:, :32] / 64, np.eye(32), atol=1e-12)
    np.testing.assert_array_equal(result[:, 32:], normals[:, 32:])


def test_replicates_differ_and_repeat(frame):
    first, again, other = (sobol_particles(frame, 64, 3, replicate, DOUBLE)[0] for replicate in (0, 0, 1))
    np.testing.assert_array_equal(first.incoming, again.incoming)
    assert np.abs(first.incoming - other.incoming).min() > 0


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_particles_come_in_the_precision_asked_for(frame, precision):
    encoder, decoder = sobol_particles(frame, 16, 0, 0, np.dtype(precision))
    assert {leaf.dtype for leaf in (encoder.masses, decoder.outgoing)} == {np.dtype(precision)}


def test_gauss_hermite_integrates_polynomials_exactly(double):
    covariance = np.array([[1.0, 0.5, 0], [0.5, 2.0, 0], [0, 0, 0]])
    law = im.GaussianNeurons(1, 1, mean=[0.3, -0.2, 0.7], covariance=covariance)
    frame = Frame(im.Data([[1.0], [-1.0]]), law, law)
    measure, _ = gauss_hermite_particles(frame, 36, DOUBLE)
    assert measure.width == 36 and abs(measure.masses.sum() - 1) < 1e-14
    np.testing.assert_array_equal(measure.bias, 0.7)
    v, w = np.asarray(measure.outgoing)[:, 0] - 0.3, np.asarray(measure.incoming)[:, 0] * frame.basis[0, 0] + 0.2
    # E v⁴ = 3, E w⁴ = 12, E v²w² = 2 + 2·¼
    moments = [float(measure.masses @ value) for value in (v**4, w**4, v**2 * w**2)]
    np.testing.assert_allclose(moments, [3.0, 12.0, 2.5], rtol=1e-12)


def test_the_frame_spans_the_data_and_no_more(problem, frame):
    assert frame.basis.shape == (64, 39)  # 40 centred points
    np.testing.assert_allclose(frame.data.points @ frame.basis.T, problem.data.points, atol=1e-12)
    np.testing.assert_allclose(frame.basis.T @ frame.basis, np.eye(39), atol=1e-12)
    assert np.all(np.diff((frame.data.points**2).mean(axis=0)) <= 1e-15)


def correlated(problem):
    """Return a law of the same problem in which nothing decouples."""
    root = np.random.default_rng(0).standard_normal((67, 67)) / 67
    laws = (problem.law.encoder, problem.law.decoder)
    return im.Law(*(im.GaussianNeurons(s.outputs, s.inputs, covariance=s.covariance + root @ root.T) for s in laws))


def test_a_correlated_complement_is_kept(problem):
    law = correlated(problem)
    assert Frame(problem.data, law.encoder, law.decoder).basis.shape == (64, 64)


@pytest.mark.slow
@pytest.mark.parametrize("change", [None, correlated])
def test_the_frame_does_not_change_the_limit(problem, change):
    """Independent route: many random particles in all 64 dimensions."""
    other = problem if change is None else im.Problem(problem.data, change(problem))
    times = [0.0, 10.0]
    path = im.solve_mean_field(other, times, particles=1024)
    random = im.solve_mean_field(other, times, particles=4096, quadrature="iid", rtol=1e-4)
    assert random.risk_error.max() < 6e-3
    # 8e-4 is for the shift of second order, of the order 1/4096, of the random particles.
    np.testing.assert_array_less(np.abs(path.risk - random.risk), 1.5 * random.risk_error + path.risk_error + 8e-4)


@pytest.mark.slow
def test_networks_come_back_with_the_law_of_what_never_acted(problem):
    path = im.solve_mean_field(problem, [0.0, 5.0], particles=4096, replicates=1, snapshot_times=[0.0, 5.0])
    start, end = path.at(0.0), path.at(5.0)
    outside = np.eye(64) - problem.data.span @ problem.data.span.T
    np.testing.assert_allclose(start.encoder.incoming @ outside, end.encoder.incoming @ outside, atol=1e-12)
    np.testing.assert_allclose(end.decoder.outgoing @ outside, 0, atol=1e-12)
    # Incoming weights have their variance in every direction, also where the 40 points have none.
    spread = np.asarray(start.encoder.incoming).var(axis=0)
    np.testing.assert_allclose(spread, problem.law.encoder.covariance[10, 10], rtol=5 * np.sqrt(2 / 4096))
    # On points that were never seen the network at time 0 is that of the law.
    fresh = im.load_data("digits", max_points=50, seed=1).points
    expected = problem.draw(jax.random.key(0), (200_000, 1), DOUBLE).encode(fresh)
    np.testing.assert_allclose(start.encode(fresh), expected, atol=0.03)


def test_refusals_name_what_to_do(problem):
    with pytest.raises(im.ArgumentError, match="'particles' must be a power of 2 .* it is 100; try 64 or 128"):
        im.solve_mean_field(problem, [1.0], particles=100)
    sampled = im.SampledNeurons(lambda key, n: (jnp.ones((n, 2)), jnp.ones((n, 64)), jnp.ones(n)), 2, 64)
    other = im.Problem(problem.data, im.Law(sampled, problem.law.decoder))
    with pytest.raises(im.ArgumentError, match="'quadrature' must be 'iid' unless the law is GaussianNeurons"):
        im.solve_mean_field(other, [1.0], particles=16)
    with pytest.raises(im.ArgumentError, match="'gauss_hermite' with 42 parameters .* use quadrature='sobol'"):
        im.solve_mean_field(problem, [1.0], particles=1024, quadrature="gauss_hermite")
    points = im.Data([[1.0], [-1.0]])
    with pytest.raises(im.ArgumentError, match="set particles to at least 27"):
        im.solve_mean_field(
            im.Problem(points, im.aligned_law(points, 1)), [1.0], particles=10, quadrature="gauss_hermite"
        )
