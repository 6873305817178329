"""A tolerance is met by refining what makes the error: particles, or time steps."""

import numpy as np
import pytest
from linear import Example
from nonlinear import Scalar

import isthmus as im


def test_time_steps_are_refined_where_particles_are_exact():
    """With matched moments a linear path has no error of particles: none may be added."""
    problem, options = Example.problem(), {"particles": 16, "replicates": 2, "rtol": 1e-2}
    rough = im.solve_mean_field(problem, Example.times, **options)
    tolerance = rough.risk_error.max() / 50
    path = im.solve_mean_field(problem, Example.times, tolerance=tolerance, max_particles=32, **options)
    assert rough.errors["particles"].max() < tolerance < rough.errors["time_steps"].max()
    assert path.particles == 16
    exact = im.linear_closure(problem, Example.times)
    assert np.abs(path.risk - exact).max() <= path.risk_error.max() <= tolerance


def test_particles_are_added_where_time_steps_are_exact():
    system, times = Scalar(), np.array([0.0, 2.0])
    options = {"particles": 16, "replicates": 4, "rtol": 1e-8}
    rough = im.solve_mean_field(system.problem, times, **options)
    tolerance = rough.risk_error.max() / 6
    path = im.solve_mean_field(system.problem, times, tolerance=tolerance, max_particles=1024, **options)
    assert rough.errors["time_steps"].max() < tolerance / 100
    assert path.particles in (64, 128, 256)  # 6 to 16 times as many at an error of 1/N, in one or two rounds
    assert path.risk_error.max() <= tolerance
    assert np.abs(path.risk - system.risk(times)).max() < 3 * tolerance


def test_the_error_of_particles_is_half_of_students_interval():
    path = im.solve_mean_field(Scalar().problem, [0.0, 2.0], particles=16, replicates=4, rtol=1e-8)
    deviations = path.replicate_risk - path.risk
    expected = 3.182446 * np.sqrt((deviations**2).sum(axis=0) / 3 / 4)  # t of 97.5 % with 3 degrees of freedom
    np.testing.assert_allclose(path.errors["particles"], expected, rtol=1e-5)
    assert len(set(path.replicate_risk[:, 1])) == 4
    assert path.risk == pytest.approx(path.replicate_risk.mean(axis=0))


def test_the_error_of_a_population_is_that_of_independent_samples():
    """Half of Student's interval of one sample among four, here the populations of problems of other seeds."""
    stream, law = im.gaussian_stream([1.5]), Scalar().problem.law
    solve = lambda seed: im.solve_mean_field(
        im.Problem(stream, law, train_biases=False, population_points=16, population_seed=seed),
        [0.0],
        particles=64,
        replicates=2,
    )
    risks = [solve(seed).replicate_risk[0, 0] for seed in range(4)]
    assert solve(0).errors["population"][0] == pytest.approx(3.182446 * np.std(risks, ddof=1), rel=1e-5)
    assert len(np.unique(risks)) == 4
