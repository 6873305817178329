import jax.numpy as jnp
import numpy as np
import pytest
from linear import Example
from nonlinear import Scalar

import isthmus as im
from isthmus.dynamics.field import VectorField


@pytest.fixture(scope="module")
def digits():
    data = im.load_data("digits", max_points=64)
    return im.Problem(data, im.aligned_law(data, 2))


@pytest.mark.slow
def test_random_particles_follow_the_closed_system_within_their_error():
    path = im.solve_mean_field(
        Example.problem(), Example.times, particles=4096, replicates=8, quadrature="iid", rtol=1e-8
    )
    assert path.risk_error.max() < 5e-2
    # A shift of second order in the sampling error, of the order 20/4096, comes on top of the interval.
    np.testing.assert_array_less(np.abs(path.risk - Example.risk), 1.5 * path.risk_error + 5e-3)


def test_matched_moments_make_the_linear_path_exact():
    path = im.solve_mean_field(Example.problem(), Example.times, particles=64, rtol=1e-10)
    np.testing.assert_allclose(path.risk, im.linear_closure(Example.problem(), Example.times), rtol=1e-8)


@pytest.mark.slow
def test_the_nonlinear_path_is_that_of_a_spectral_rule():
    system = Scalar()
    times = np.array([0.0, 1.0, 3.0, 6.0])
    exact = system.risk(times)
    np.testing.assert_allclose(system.risk(times, nodes=32), exact, rtol=1e-9)
    sobol = im.solve_mean_field(system.problem, times, particles=1 << 12, rtol=1e-9)
    np.testing.assert_allclose(sobol.risk, exact, rtol=1e-4)
    tensor = im.solve_mean_field(system.problem, times, particles=900, quadrature="gauss_hermite", rtol=1e-11)
    np.testing.assert_allclose(tensor.risk, system.risk(times, nodes=32), rtol=1e-9)
    assert np.all(tensor.risk_error < 1e-9)


@pytest.mark.slow
def test_a_tensor_rule_converges_exponentially():
    system, errors = Scalar(), []
    exact = system.risk(np.array([0.0, 2.0]), nodes=32)
    for nodes in (6, 10, 14):
        path = im.solve_mean_field(
            system.problem, [0.0, 2.0], particles=nodes**2, quadrature="gauss_hermite", rtol=1e-12
        )
        errors.append(np.abs(path.risk - exact).max())
        assert errors[-1] <= path.risk_error.max() + 1e-12
    assert errors[1] < errors[0] / 20 and errors[2] < errors[1] / 20


@pytest.mark.slow
@pytest.mark.parametrize(("quadrature", "slowest", "fastest"), [("iid", -0.3, -0.7), ("sobol", -0.8, -2.5)])
def test_error_of_particles_falls_at_its_rate(quadrature, slowest, fastest):
    """I.i.d. particles as N^(−1/2), Sobol' points at least as N^(−0.8), by regression over sizes."""
    system = Scalar()
    exact, sizes = system.risk(np.array([0.0, 2.0]), nodes=32)[1], np.array([64, 256, 1024])
    paths = [
        im.solve_mean_field(system.problem, [2.0], particles=int(n), replicates=32, quadrature=quadrature)
        for n in sizes
    ]
    errors = [np.sqrt(np.mean((path.replicate_risk - exact) ** 2)) for path in paths]
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert fastest < slope < slowest


def coverage(solve, exact, trials=40):
    """Return how often the error estimate bounds the error at all times, and its size over the true error's."""
    paths = [solve(seed) for seed in range(trials)]
    errors = np.array([np.abs(path.risk - exact) for path in paths])
    bounds = np.array([path.risk_error for path in paths])
    assert all(path.status.ok for path in paths)
    sizes = np.sqrt((bounds**2).mean(axis=0)) / np.sqrt((errors**2).mean(axis=0))
    return (errors <= bounds).mean(), np.all(errors <= bounds, axis=1).mean(), sizes


def test_the_error_estimate_covers_the_error_and_is_not_much_too_large():
    system, times = Scalar(), np.array([0.0, 1.0, 3.0, 6.0])
    exact = system.risk(times, nodes=32)
    solve = lambda seed: im.solve_mean_field(system.problem, times, particles=128, seed=seed)
    pointwise, everywhere, sizes = coverage(solve, exact)
    # 40 trials of a 95 % interval: a standard error of 3.4 %.
    assert pointwise >= 0.9 and everywhere >= 0.85
    assert np.all(sizes < 5)


def test_the_error_estimate_of_time_steps_covers_their_error():
    times = np.linspace(0, 0.5, 11)
    exact = im.linear_closure(Example.problem(), times)
    for rtol in (1e-2, 1e-4, 1e-6, 1e-8):
        path = im.solve_mean_field(Example.problem(), times, particles=64, rtol=rtol)
        error, bound = np.abs(path.risk - exact).max(), path.risk_error.max()
        assert error <= bound < 3 * error


@pytest.mark.slow
def test_the_error_estimate_of_a_population_covers_its_error():
    """Linear activations and a Gaussian population: the path depends on its covariance, which is known."""
    stream = im.Stream(im.gaussian_stream([1.0, 0.5]).sample, 2)  # without its transform: a random sample
    data = im.Data(np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]]) * np.sqrt([2.0, 1.0]))
    law, times = im.aligned_law(data, 1, activation="linear", bias_scale=0.0), np.array([0.0, 1.0, 4.0])
    exact = im.linear_closure(im.Problem(data, law, activation="linear"), times)

    def solve(seed):
        problem = im.Problem(
            stream, law, activation="linear", population_points=200, population_seed=100 * seed, train_biases=False
        )
        return im.solve_mean_field(problem, times, particles=32, seed=seed)

    pointwise, _, sizes = coverage(solve, exact)
    assert pointwise >= 0.9
    assert np.all(sizes < 5)


@pytest.mark.slow
def test_sobol_points_of_a_population_beat_a_random_sample():
    stream = im.manifold_stream(dim=5, seed=1)
    law = im.aligned_law(im.Data(stream.draw(4096, seed=0).points, center=True), 1)
    plain = im.Stream(stream.sample, 5)
    error = lambda source: im.solve_mean_field(
        im.Problem(source, law, population_points=256), [0.0, 3.0], particles=32
    ).errors["population"]
    assert np.all(error(stream) < error(plain) / 3)


@pytest.mark.slow
def test_particles_are_added_until_the_tolerance_is_met():
    system, times = Scalar(), np.array([0.0, 1.0, 3.0])
    exact = system.risk(times, nodes=32)
    path = im.solve_mean_field(system.problem, times, particles=32, tolerance=1e-4)
    assert path.risk_error.max() <= 1e-4 and np.abs(path.risk - exact).max() <= 2e-4
    assert path.particles > 32
    coarse = im.solve_mean_field(Example.problem(), Example.times, particles=32, tolerance=1e-7, rtol=1e-3)
    assert np.abs(coarse.risk - im.linear_closure(Example.problem(), Example.times)).max() < 2e-7


def test_a_tolerance_that_is_not_met_is_said():
    options = {"particles": 64, "tolerance": 1e-7, "max_particles": 128}
    path = im.solve_mean_field(Scalar().problem, [0.0, 1.0], throw=False, **options)
    assert not path.status.ok and path.particles <= 128
    with pytest.raises(im.NumericalError, match=r"the error of .* above the tolerance 1e−07; raise max_particles"):
        im.solve_mean_field(Scalar().problem, [0.0, 1.0], **options)


def test_error_of_time_steps_falls_with_the_tolerance(digits):
    solve = lambda rtol: im.solve_mean_field(digits, [0.0, 10.0, 20.0], particles=64, replicates=1, rtol=rtol).risk
    reference = solve(1e-10)
    errors = [np.abs(solve(rtol) - reference).max() for rtol in (1e-4, 1e-6, 1e-8)]
    assert errors[0] < 1e-3 and errors[1] < 1e-5 and errors[2] < 1e-7


@pytest.mark.slow
def test_energy_is_dissipated_at_the_rate_of_the_identity(digits, double):
    times = np.linspace(0, 20, 401)
    path = im.solve_mean_field(digits, times, particles=64, replicates=1, rtol=1e-9, snapshot_times=times)
    field = VectorField.of(digits.population, digits.motion, np.dtype(np.float64))
    rates = [float(field.dissipation(path.at(t))) for t in times]
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
    path = im.solve_mean_field(problem, [0.0, 1.0], particles=4096, replicates=1, rtol=1e-4)
    np.testing.assert_allclose(path.risk, 0.5, atol=2e-3)


@pytest.mark.slow
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
    sample = stream.quadrature(128, seed=7)
    law = im.aligned_law(im.Data(sample.points, center=True), 1)
    streamed = im.Problem(stream, law, population_points=128, population_seed=7)
    fixed = im.Problem(sample, law)
    solve = lambda problem: im.solve_mean_field(problem, [0.0, 2.0], particles=64).risk
    np.testing.assert_array_equal(solve(streamed), solve(fixed))


def test_failure_is_a_status_with_a_remedy(digits):
    options = {"particles": 16, "replicates": 2, "max_steps": 3}
    path = im.solve_mean_field(digits, [0.0, 500.0], throw=False, **options)
    assert not path.status.ok
    assert "did not reach its first recorded time, t = 500, from a risk of 0.3" in path.status.message
    assert "raise max_steps" in path.status.message
    with pytest.raises(im.NumericalError, match="raise max_steps"):
        im.solve_mean_field(digits, [0.0, 500.0], **options)


def test_progress_counts_replicates(digits):
    seen = []
    im.solve_mean_field(digits, [0.0], particles=16, replicates=3, progress=lambda *at: seen.append(at))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]  # and one with finer time steps


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
        ({"tolerance": 0.0}, "'tolerance' must be a finite number above 0"),
        ({"tolerance": 1e-3, "replicates": 1}, "'replicates' must be at least 2 for a tolerance"),
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
