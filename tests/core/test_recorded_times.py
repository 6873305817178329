"""Recorded times: exact multiples of steps, as many as asked for, and close to the curve that is drawn through them."""

import itertools
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linear import OneNumber

import isthmus as im
from isthmus.core.recorded_times import distinct

thorough = settings(max_examples=60, deadline=None, derandomize=True)
decimals = st.integers(1, 60).map(lambda value: value / 200)


class Curve(NamedTuple):
    times: np.ndarray
    risk: np.ndarray


def curve(times, risk):
    return Curve(np.asarray(times, float), np.asarray(risk, float))


def exact(value: float) -> Fraction:
    """Return the decimal that a person reads."""
    return Fraction(repr(value))


@thorough
@given(
    step_sizes=st.sets(decimals, min_size=1, max_size=3),
    multiple=st.integers(1, 300),
    records=st.integers(1, 50),
    spacing=st.sampled_from(["log", "even", "follow"]),
)
def test_times_are_exact_multiples_of_all_step_sizes(step_sizes, multiple, records, spacing):
    sizes = [exact(step_size) for step_size in step_sizes]
    unit = next(k * sizes[0] for k in range(1, 10**6) if all((k * sizes[0] / size).denominator == 1 for size in sizes))
    horizon = float(multiple * unit)
    grid = np.linspace(0, horizon, 50)
    how: dict[str, Any] = {"follow": curve(grid, np.exp(-grid))} if spacing == "follow" else {"spacing": spacing}
    times = im.Problem.times(horizon, records, step_size=sorted(step_sizes), **how).tolist()
    assert times[0] == 0 and times[-1] == horizon
    assert all((exact(time) / size).denominator == 1 for time in times for size in sizes)
    assert len(times) == min(multiple, records) + 1
    gaps = [exact(after) - exact(before) for before, after in itertools.pairwise(times)]
    assert min(gaps) > 0
    if spacing == "even":
        assert max(gaps) - min(gaps) <= unit
    if spacing == "log":
        assert all(after - before >= -unit for before, after in itertools.pairwise(gaps))


@thorough
@given(horizon=st.floats(1e-3, 1e6), records=st.integers(1, 2000))
def test_without_steps_gaps_begin_small_and_grow_in_proportion_to_time(horizon, records):
    times = im.Problem.times(horizon, records)
    assert len(times) == records + 1 and times[0] == 0 and times[-1] == horizon
    if records > 1:
        np.testing.assert_allclose(times[1], horizon / max(1000, records), rtol=1e-6)
    if records > 2:  # p'' = h² p: the ratio of gaps tends to that of times
        curvature = (times[2:] + times[:-2]) / times[1:-1]
        np.testing.assert_allclose(curvature, curvature[0], rtol=1e-6)
        assert curvature[0] > 2 - 1e-9


@thorough
@given(st.lists(st.floats(1e-3, 100), min_size=1, max_size=40, unique=True).map(sorted))
def test_distinct_numbers_are_the_nearest_where_these_are_apart(positions):
    found = distinct(positions, 100)
    assert np.all(np.diff(found) >= 1) and found[0] >= 1 and found[-1] <= 100
    nearest = np.rint(positions)
    if np.all(np.diff(nearest) >= 1) and nearest[0] >= 1:
        assert found.tolist() == nearest.tolist()


def drawn_error(risk, horizon, times):
    """Return the largest error of straight lines between records, as drawn: linear first, then logarithmic in time."""
    dense = np.concatenate([[0.0], np.geomspace(1e-4 * horizon, horizon, 20_000)])
    axis = lambda t: np.arcsinh(1000 * t / horizon)
    return np.abs(np.interp(axis(dense), axis(times), risk(times)) - risk(dense)).max()


def decay(times):
    """A fast start, and a slow end."""
    return np.exp(-8 * times) + np.exp(-times / 50)


def plateau(times):
    """A fast start, a plateau, and a late drop that is sharp on the axis of time."""
    return np.exp(-8 * times) + 1 / (1 + np.exp(2 * (times - 60)))


def test_curves_are_drawn_well_where_even_times_miss_the_start():
    even, log = (im.Problem.times(100.0, 40, spacing=spacing) for spacing in ("even", "log"))
    pilot = np.concatenate([[0.0], np.geomspace(0.01, 100, 400)])
    followed = im.Problem.times(100.0, 40, follow=curve(pilot, plateau(pilot)))
    assert drawn_error(decay, 100.0, even) > 0.4 and drawn_error(decay, 100.0, log) < 0.04
    assert all(drawn_error(plateau, 100.0, times) > 0.3 for times in (even, log))
    assert drawn_error(plateau, 100.0, followed) < 0.02


def test_a_flat_curve_is_no_harder_than_none():
    grid = np.linspace(0, 10, 30)
    times = im.Problem.times(10.0, 20, follow=curve(grid, np.ones(30)))
    np.testing.assert_allclose(np.diff(np.arcsinh(100 * times)), np.arcsinh(1000) / 20)


def test_a_pilot_finds_where_the_path_of_a_problem_bends():
    system = OneNumber(variance=2.0, start=0.02)  # a plateau at 0, left at about t = 1.6
    times = im.recorded_times(system.problem, 4.0, 16, step_size=0.01)
    assert len(times) == 17 and all((exact(time) / exact(0.01)).denominator == 1 for time in times.tolist())
    errors = [drawn_error(system.risk, 4.0, grid) for grid in (times, im.Problem.times(4.0, 16, spacing="even"))]
    assert errors[0] < 0.015 and errors[1] > 2 * errors[0], errors
    assert np.array_equal(times, im.recorded_times(system.problem, 4.0, 16, step_size=0.01))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"horizon": 0}, r"'horizon' must be a finite number above 0, but it is 0\.0"),
        ({"records": 0}, "'records' must be an integer of at least 1, but it is 0"),
        ({"step_size": 0.3}, r"'horizon' must be a multiple of every step size, so of 0\.3, but it is 4\.0; the near"),
        ({"step_size": []}, r"'step_size' must be a number, or several, but it is \[\]"),
        ({"step_size": [0.1, -1]}, r"'step_size' must be a finite number above 0, but it is -1\.0"),
        ({"step_size": 1e-9}, "'horizon' must be within 100,000,000 steps of every step size"),
        ({"spacing": "lin"}, "'spacing' must be one of 'log', 'even', but it is 'lin'"),
        ({"follow": [0, 1]}, "'follow' must be a learning curve with times and risk, but it is of type list"),
        ({"follow": curve([0, 1, 2], [1, 1, 1])}, r"'follow' must be a learning curve from 0 to the horizon 4, but "),
        ({"follow": curve([0, 4], [1, 1])}, "'follow' must be a learning curve with at least 3 times up to the horizo"),
        ({"follow": curve([0, 2, 4], [1, np.nan, 1])}, "'follow' must be finite"),
    ],
)
def test_what_makes_no_times_is_refused_by_name(values, message):
    with pytest.raises((im.ArgumentError, im.ArgumentTypeError), match=f"^Argument {message}"):
        im.Problem.times(**{"horizon": 4.0, **values})
