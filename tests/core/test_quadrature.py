import jax.numpy as jnp
import numpy as np
import pytest

import isthmus as im
from isthmus.core.quadrature import initial_particles

DOUBLE = np.dtype(np.float64)


@pytest.fixture(scope="module")
def problem():
    data = im.load_data("digits", max_points=96)
    return im.Problem(data, im.aligned_law(data, 2))


def moment_error(problem, quadrature, count, replicate):
    """Return the largest error of the second moments of encoder neurons along the leading directions."""
    start = initial_particles(problem, count, quadrature, 0, replicate, DOUBLE)
    directions = problem.population.principal_directions[:, :4]
    law = problem.law.encoder
    keep = np.zeros((6, 66))
    keep[:2, :2], keep[2:, 2:] = np.eye(2), directions.T
    return np.abs(keep @ (np.asarray(start.encoder.second_moments()) - law.second_moments()) @ keep.T).max()


def test_sobol_points_integrate_the_leading_directions_better(problem, double):
    iid = np.mean([moment_error(problem, "iid", 1024, r) for r in range(4)])
    sobol = np.mean([moment_error(problem, "sobol", 1024, r) for r in range(4)])
    assert sobol < iid / 10


@pytest.mark.parametrize("quadrature", ["sobol", "iid"])
def test_replicates_differ_and_repeat(problem, quadrature):
    first, again = (initial_particles(problem, 64, quadrature, 3, 0, DOUBLE) for _ in range(2))
    other = initial_particles(problem, 64, quadrature, 3, 1, DOUBLE)
    np.testing.assert_array_equal(first.encoder.incoming, again.encoder.incoming)
    assert np.abs(first.encoder.incoming - other.encoder.incoming).min() > 0


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("quadrature", ["sobol", "iid"])
def test_particles_come_in_the_precision_asked_for(problem, quadrature, precision):
    start = initial_particles(problem, 16, quadrature, 0, 0, np.dtype(precision))
    assert {leaf.dtype for leaf in (start.encoder.masses, start.decoder.outgoing)} == {np.dtype(precision)}


def test_refusals_name_what_to_do(problem):
    with pytest.raises(im.ArgumentError, match="'particles' must be a power of 2 .* it is 100; try 64 or 128"):
        im.solve_mean_field(problem, [1.0], particles=100)
    sampled = im.SampledNeurons(lambda key, n: (jnp.ones((n, 2)), jnp.ones((n, 64)), jnp.ones(n)), 2, 64)
    other = im.Problem(problem.data, im.Law(sampled, problem.law.decoder))
    with pytest.raises(im.ArgumentError, match="'quadrature' must be 'iid' unless the law is GaussianNeurons"):
        im.solve_mean_field(other, [1.0], particles=16)
