"""The Runge–Kutta methods against those of diffrax, their order, and systems that share their steps."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from isthmus._precision import computing_in
from isthmus.dynamics.integrators import BOGACKI_SHAMPINE, TSITOURAS, Tolerances, states_at

DOUBLE = np.dtype(np.float64)
METHODS = {"Bogacki–Shampine": (BOGACKI_SHAMPINE, diffrax.Bosh3), "Tsitouras": (TSITOURAS, diffrax.Tsit5)}


def decay(time, state):
    """Return the velocity of y′ = −2 t y², whose solution from 1 is 1/(1 + t²)."""
    return -2 * time * state**2


FIELD = jax.tree_util.Partial(decay)


def end(start, stops, rtol, method, **options):
    with computing_in(DOUBLE):
        tolerances = Tolerances(rtol, 1e-14, 5000)
        *_, (state, reached, _) = states_at(FIELD, jnp.asarray(start), stops, method, tolerances, **options)
    assert reached
    return np.asarray(state)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_that_of_diffrax(name):
    ours, theirs = METHODS[name][0], METHODS[name][1]().tableau
    rows = [row[: len(row)] for row in theirs.a_lower]
    for own, row in zip(ours.steps[1:], rows, strict=True):
        np.testing.assert_allclose(own[: len(row)], row, rtol=1e-13)
        assert not any(own[len(row) :])
    np.testing.assert_allclose(ours.shares[1:], theirs.c, rtol=1e-13)
    np.testing.assert_allclose(np.abs(ours.errors), np.abs(theirs.b_error), rtol=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_the_error_falls_with_the_order(name):
    """Steps of the length of the stops, which a tolerance that everything meets lets pass."""
    method, counts = METHODS[name][0], np.array([32, 64, 128])
    errors = [abs(end([1.0], np.linspace(0, 2, count + 1), 1e9, method)[0] - 1 / 5) for count in counts]
    assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(method.order, abs=0.5)


@pytest.mark.parametrize("name", METHODS)
def test_the_tolerance_bounds_the_error(name):
    for rtol in (1e-4, 1e-6, 1e-8):
        error = abs(5 * end([1.0], np.array([0.5, 2.0]), rtol, METHODS[name][0])[0] - 1)
        assert error < 30 * rtol


def test_systems_that_share_their_steps_are_those_alone_within_the_tolerance():
    together = end([[1.0], [3.0]], np.array([0.5, 2.0]), 1e-6, TSITOURAS, together=True)
    np.testing.assert_allclose(together[:, 0], [1 / 5, 3 / 13], rtol=1e-5)


def test_steps_that_run_out_are_said():
    with computing_in(DOUBLE):
        *_, (_, reached, steps) = states_at(
            FIELD, jnp.ones(1), np.array([0.0, 2.0]), TSITOURAS, Tolerances(1e-10, 1e-14, 3)
        )
    assert not reached and steps == 3
