"""How finite networks approach the limit: the mean shift as 1/N, the fluctuation as N^(−1/2)."""

import numpy as np
import pytest
from linear import Example

import isthmus as im


def rates(problem, limit, times, widths, runs):
    """Return the slopes, against log N, of the log of mean shift and of fluctuation at the last time."""
    flows = [im.gradient_flow(problem, times, n, runs=runs, rtol=1e-5, dtype="float64").risk for n in widths]
    shifts = np.array([np.abs(risk.mean(axis=0) - limit)[-1] for risk in flows])
    fluctuations = np.array([risk.std(axis=0)[-1] for risk in flows])
    slope = lambda values: np.polyfit(np.log(widths), np.log(values), 1)[0]
    return slope(shifts), slope(fluctuations), shifts, fluctuations


@pytest.mark.slow
def test_fluctuation_falls_as_the_root_of_the_width():
    problem, times = Example.problem(), np.array([0.0, 0.1])
    _, fluctuation, _, _ = rates(problem, im.linear_closure(problem, times), times, (64, 256, 1024), 96)
    # A standard deviation of 96 runs has a relative error of 7 %; over a factor 16 in N the slope is good to 0.04.
    assert fluctuation == pytest.approx(-0.5, abs=0.15)


@pytest.mark.slow
def test_on_digits_the_shift_falls_as_the_width_and_the_fluctuation_as_its_root():
    data = im.load_data("digits", max_points=128)
    problem = im.Problem(data, im.aligned_law(data, 2))
    times = np.array([0.0, 5.0, 20.0])
    limit = im.solve_mean_field(problem, times, particles=1 << 13, replicates=8).risk
    shift, fluctuation, shifts, _ = rates(problem, limit, times, (32, 128, 512), 512)
    assert fluctuation == pytest.approx(-0.5, abs=0.1)
    assert shifts[0] > shifts[1] > shifts[2]
    assert shift == pytest.approx(-1, abs=0.25)


@pytest.mark.slow
def test_on_digits_the_gap_of_wide_networks_goes_as_the_root_of_the_width():
    study = im.TrackingStudy(
        data={"source": "digits", "max_points": 96},
        widths=[512, 2048, 8192],
        step_sizes=[0.1],
        horizon=10.0,
        records=10,
        runs=64,
        flow_runs=64,
        particles=8192,
        confidence=0.5,
    )
    result = im.track(study)
    rate = result.estimate("flow_width_rate", level=0.5)
    print(*result.verdicts(), sep="\n")
    assert rate is not None and rate.contains(-0.5)
