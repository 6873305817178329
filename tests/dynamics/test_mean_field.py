import jax.numpy as jnp
import numpy as np
import pytest
from linear import Example
from nonlinear import Scalar

import isthmus as im


@pytest.fixture(scope="module")
def digits():
    data = im.load_data("digits", max_points=64)
    return im.Problem(data, im.aligned_law(data, 2))


@pytest.mark.parametrize("quadrature", ["sobol", "iid"])
def test_particles_follow_the_closed_system_within_their_error(quadrature):
    path = im.solve_mean_field(
        Example.problem(), Example.times, particles=4096, replicates=8, quadrature=quadrature, rtol=1e-8
    )
    # A bias of second order in the sampling error, Var/2N, comes on top of the interval: here of order 20/4096.
    bias = {"sobol": 2e-5, "iid": 5e-3}[quadrature]
    assert path.risk_error.max() < {"sobol": 2e-3, "iid": 5e-2}[quadrature]
    np.testing.assert_array_less(np.abs(path.risk - Example.risk), 1.5 * path.risk_error + bias)


def test_the_nonlinear_path_is_that_of_a_spectral_rule():
    system = Scalar()
    times = np.array([0.0, 1.0, 3.0, 6.0])
    exact = system.risk(times)
    np.testing.assert_allclose(system.risk(times, nodes=32), exact, rtol=1e-9)
    path = im.solve_mean_field(system.problem, times, particles=1 << 13, rtol=1e-9)
    np.testing.assert_allclose(path.risk, exact, rtol=2e-5)


def test_error_of_particles_falls_at_its_rate():
    """I.i.d. particles as N^(−1/2), Sobol' points at least as N^(−0.8), by regression over four sizes."""
    exact = Example.risk[3]
    sizes = 2 ** np.arange(6, 13, 2)

    def slope(quadrature):
        errors = []
        for size in sizes:
            path = im.solve_mean_field(
                Example.problem(), [0.2], particles=int(size), replicates=24, quadrature=quadrature, rtol=1e-5
            )
            errors.append(np.sqrt(np.mean((path.replicate_risk - exact) ** 2)))
        return np.polyfit(np.log(sizes), np.log(errors), 1)[0]

    assert -0.65 < slope("iid") < -0.35
    assert slope("sobol") < -0.8


def test_error_of_time_steps_falls_with_the_tolerance(digits):
    solve = lambda rtol: im.solve_mean_field(digits, [0.0, 10.0, 20.0], particles=64, replicates=1, rtol=rtol).risk
    reference = solve(1e-10)
    errors = [np.abs(solve(rtol) - reference).max() for rtol in (1e-4, 1e-6, 1e-8)]
    assert errors[0] < 1e-3 and errors[1] < 1e-5 and errors[2] < 1e-7


def test_energy_is_dissipated_at_the_rate_of_the_identity(digits, double):
    times = np.linspace(0, 20, 401)
    path = im.solve_mean_field(digits, times, particles=64, replicates=1, rtol=1e-9, snapshot_times=times)
    points = digits.population.points
    rates = [float(path.at(t).dissipation(points)) for t in times]
    # Simpson's rule of the dissipation gives the loss of risk.
    simpson = (times[1] / 3) * (rates[0] + rates[-1] + 4 * sum(rates[1:-1:2]) + 2 * sum(rates[2:-1:2]))
    assert path.risk[0] - path.risk[-1] == pytest.approx(simpson, rel=1e-6)
    assert np.all(np.diff(path.risk) < 0)


def test_homogeneous_neurons_keep_their_balance_along_the_flow():
    data = im.load_data("digits", max_points=64)
    problem = im.Problem(data, im.aligned_law(data, 2, activation="linear"), activation="linear")
    path = im.solve_mean_field(problem, [0.0, 30.0], particles=64, replicates=1, rtol=1e-9, snapshot_times=[0.0, 30.0])

    def balance(measure):
        return (measure.outgoing**2).sum(1) - (measure.incoming**2).sum(1) - measure.bias**2

    start, end = path.at(0.0), path.at(30.0)
    np.testing.assert_allclose(balance(end.encoder), balance(start.encoder), atol=1e-6)
    np.testing.assert_allclose(balance(end.decoder), balance(start.decoder), atol=1e-6)
    assert np.abs(end.decoder.outgoing - start.decoder.outgoing).max() > 0.1


def test_a_schedule_is_a_change_of_time(digits):
    rate = lambda t: jnp.exp(-t / 10)
    slowed = im.Problem(digits.data, digits.law, encoder_rate=rate, decoder_rate=rate)
    times = np.array([0.0, 5.0, 20.0])
    slow = im.solve_mean_field(slowed, times, particles=64, replicates=1, rtol=1e-9)
    plain = im.solve_mean_field(digits, 10 * (1 - np.exp(-times / 10)), particles=64, replicates=1, rtol=1e-9)
    np.testing.assert_allclose(slow.risk, plain.risk, rtol=1e-7)


def test_a_rate_of_zero_freezes_its_side(digits):
    frozen = im.Problem(digits.data, digits.law, encoder_rate=0.0)
    path = im.solve_mean_field(frozen, [0.0, 5.0], particles=64, replicates=1, snapshot_times=[0.0, 5.0])
    np.testing.assert_array_equal(path.at(0.0).encoder.incoming, path.at(5.0).encoder.incoming)
    assert path.risk[1] < path.risk[0]


def test_the_trivial_limit_stands_still():
    data = im.load_data("digits", max_points=64)
    with pytest.warns(im.TrivialLimitWarning):
        problem = im.Problem(data, im.independent_law(64, 2))
    path = im.solve_mean_field(problem, [0.0, 1.0], particles=4096, rtol=1e-4)
    np.testing.assert_allclose(path.risk, 0.5, atol=2e-3)


def test_single_precision_agrees_to_its_rounding(digits):
    times = [0.0, 5.0, 20.0]
    double, single = (
        im.solve_mean_field(digits, times, particles=256, dtype=dtype, rtol=1e-5) for dtype in ("float64", "float32")
    )
    np.testing.assert_allclose(single.risk, double.risk, rtol=3e-5)


def test_results_repeat_and_do_not_depend_on_workers(digits):
    solve = lambda **options: im.solve_mean_field(digits, [0.0, 3.0], particles=64, **options).replicate_risk
    np.testing.assert_array_equal(solve(workers=1), solve(workers=3))
    assert np.abs(solve(seed=1) - solve(seed=2)).min() > 0


def test_a_stream_is_represented_by_its_sample():
    stream = im.manifold_stream(dim=4, seed=1)
    sample = stream.draw(128, seed=7)
    law = im.aligned_law(im.Data(sample.points, center=True), 1)
    streamed = im.Problem(stream, law, population_points=128, population_seed=7)
    fixed = im.Problem(sample, law)
    solve = lambda problem: im.solve_mean_field(problem, [0.0, 2.0], particles=64).risk
    np.testing.assert_array_equal(solve(streamed), solve(fixed))


def test_failure_is_a_status_with_a_remedy(digits):
    options = {"particles": 16, "replicates": 2, "max_steps": 3}
    path = im.solve_mean_field(digits, [0.0, 500.0], throw=False, **options)
    assert not path.status.ok
    assert "followed only until t=0 of 500" in path.status.message and "raise max_steps" in path.status.message
    with pytest.raises(im.NumericalError, match="raise max_steps"):
        im.solve_mean_field(digits, [0.0, 500.0], **options)


def test_progress_counts_replicates(digits):
    seen = []
    im.solve_mean_field(digits, [0.0], particles=16, replicates=3, progress=lambda *at: seen.append(at))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_snapshots_are_found_by_time(digits):
    path = im.solve_mean_field(digits, [0.0, 1.0, 2.0], particles=16, snapshot_times=[2.0, 0.0])
    np.testing.assert_array_equal(path.snapshot_times, [0.0, 2.0])
    assert path.encoder is path.at(2.0).encoder
    with pytest.raises(im.ArgumentError, match="must contain only recorded times, but it is 1.0"):
        path.at(1.0)
    assert float(path.at(0.0).risk(digits.population.points)) == pytest.approx(path.replicate_risk[0, 0], rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": [1.0, 0.5]}, "'times' must be non-negative and strictly increasing"),
        ({"times": [-1.0, 0.5]}, "'times' must be non-negative"),
        ({"times": [np.nan]}, "'times' must be finite"),
        ({"times": []}, "'times' must not be empty"),
        ({"particles": 0}, "'particles' must be an integer of at least 1, but it is 0"),
        ({"particles": 2.5}, "'particles' must be an integer"),
        ({"quadrature": "sobel"}, "did you mean 'sobol'"),
        ({"replicates": 0}, "'replicates' must be an integer of at least 1"),
        ({"rtol": 0.0}, "'rtol' must be a finite number at least 1e-13"),
        ({"rtol": 1e-8, "dtype": "float32"}, "'rtol' must be a finite number at least 1e-05"),
        ({"dtype": "float16"}, "'dtype' must be one of 'float32', 'float64'"),
        ({"snapshot_times": [0.3]}, "'snapshot_times' must contain only recorded times"),
        ({"workers": 0}, "'workers' must be an integer of at least 1"),
        ({"seed": -1}, "'seed' must be an integer of at least 0"),
    ],
)
def test_arguments_are_checked(digits, arguments, message):
    with pytest.raises(im.IsthmusError, match=message):
        im.solve_mean_field(digits, **({"times": [0.0, 1.0], "particles": 16} | arguments))


def test_a_problem_must_be_a_problem():
    with pytest.raises(im.ArgumentTypeError, match="'problem' must be an instance of Problem"):
        im.solve_mean_field("digits", [0.0])


def test_biases_that_are_not_trained_stay(digits):
    fixed = im.Problem(digits.data, digits.law, train_biases=False)
    path = im.solve_mean_field(fixed, [0.0, 9.0], particles=64, replicates=1, snapshot_times=[0.0, 9.0])
    np.testing.assert_array_equal(path.at(0.0).decoder.bias, path.at(9.0).decoder.bias)
    trained = im.solve_mean_field(digits, [0.0, 9.0], particles=64, replicates=1)
    assert abs(trained.risk[1] - path.risk[1]) > 1e-6
