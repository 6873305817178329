import numpy as np
import pytest
from linear import Example

import isthmus as im
from isthmus.dynamics import low_memory, mean_field


@pytest.fixture(scope="module")
def digits():
    data = im.load_data("digits", max_points=64)
    return im.Problem(data, im.aligned_law(data, 2))


@pytest.mark.slow
def test_it_follows_the_closed_system_to_its_tolerance():
    exact = im.linear_closure(Example.problem(), Example.times)
    errors = []
    for rtol in (1e-3, 1e-5, 1e-7):
        path = im.solve_mean_field(Example.problem(), Example.times, particles=32, rtol=rtol, integrator="low_memory")
        errors.append(np.abs(path.risk - exact).max())
        assert errors[-1] <= path.risk_error.max()
    assert errors[2] < errors[1] < errors[0] < 1e-2 and errors[2] < 1e-6


def test_it_is_of_third_order():
    """Error against the number of steps, by regression, in a narrow band about −3."""
    times, exact, counts, errors = np.array([0.5]), Example.risk[-1], [], []
    for steps in (8, 16, 32, 64):
        grid = np.linspace(0, 0.5, steps + 1)  # steps end at recorded times, and a loose tolerance adds no others
        path = im.solve_mean_field(
            Example.problem(), grid, particles=32, replicates=1, rtol=0.1, atol=10.0, integrator="low_memory"
        )
        counts.append(steps)
        errors.append(abs(path.risk[-1] - im.linear_closure(Example.problem(), times)[0]))
    assert exact == pytest.approx(path.risk[-1], abs=1e-3)
    slope = np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert -3.4 < slope < -2.6


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [24, 1000])
def test_the_path_does_not_depend_on_chunks_nor_much_on_the_method(digits, monkeypatch, chunk):
    times = [0.0, 4.0, 20.0]
    options = {"particles": 64, "replicates": 2, "rtol": 1e-7, "snapshot_times": [0.0, 20.0]}
    usual = im.solve_mean_field(digits, times, **options)
    monkeypatch.setattr(low_memory, "NEURONS_AT_ONCE", chunk)
    frugal = im.solve_mean_field(digits, times, integrator="low_memory", **options)
    np.testing.assert_allclose(frugal.risk, usual.risk, rtol=1e-6)
    np.testing.assert_allclose(frugal.at(0.0).encoder.incoming, usual.at(0.0).encoder.incoming, rtol=1e-12)
    np.testing.assert_allclose(frugal.decoder.outgoing, usual.decoder.outgoing, atol=1e-4)


def test_rates_and_fixed_biases_are_heeded(digits):
    problem = im.Problem(
        digits.data, digits.law, encoder_rate=lambda t: 1 / (1 + t), decoder_rate=0.5, train_biases=False
    )
    options = {"particles": 32, "replicates": 1, "rtol": 1e-7, "snapshot_times": [0.0, 5.0]}
    usual, frugal = (
        im.solve_mean_field(problem, [0.0, 5.0], integrator=name, **options) for name in ("adaptive", "low_memory")
    )
    np.testing.assert_allclose(frugal.risk, usual.risk, rtol=1e-6)
    np.testing.assert_array_equal(frugal.at(0.0).decoder.bias, frugal.at(5.0).decoder.bias)


def test_a_large_state_is_integrated_with_little_memory(digits, monkeypatch):
    called = []
    original = mean_field.integrate
    monkeypatch.setattr(mean_field, "integrate", lambda *a: called.append(a[3].low_memory) or original(*a))
    im.solve_mean_field(digits, [0.0, 0.5], particles=64, replicates=1)
    monkeypatch.setattr(mean_field, "LARGE_STATE", 1000)
    im.solve_mean_field(digits, [0.0, 0.5], particles=64, replicates=1)
    assert called == [False, False, True, True]


def test_a_failure_says_how_far_it_came(digits):
    with pytest.raises(im.NumericalError, match="did not reach its first recorded time, t = 500"):
        im.solve_mean_field(digits, [0.0, 500.0], particles=16, max_steps=3, integrator="low_memory")


@pytest.mark.slow
def test_a_million_particles_take_at_most_six_times_their_own_memory():
    """In a process of its own, since the peak of a process never falls."""
    import subprocess
    import sys

    code = """
import resource, isthmus as im
data = im.load_data("digits", max_points=256)
problem = im.Problem(data, im.aligned_law(data, 2))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
options = dict(replicates=1, dtype="float32", rtol=1e-3, snapshot_times=())
path = im.solve_mean_field(problem, [0.0, 0.2], particles=1 << 20, **options)
state = 2 * (1 << 20) * (data.span.shape[1] + 4) * 4 / 2**20
print((peak() - before) / state)
"""
    ratio = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    print(f"peak memory over the particles' own: {ratio:.2f}")
    assert ratio < 6
