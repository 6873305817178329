"""How long a network is trained: past a saddle, not past the lowest validation risk."""

import numpy as np
import pytest

from isthmus.studies.settling import best_stop, has_settled


def stopped(risk, horizon=8.0, max_horizon=128.0, tolerance=0.01):
    """Return when a validation risk stops, and all times at which it was looked at."""
    looks = []

    def validate(times):
        looks.append(times)
        return risk(times)

    return best_stop(validate, horizon, max_horizon, tolerance, 1e-6), np.concatenate(looks)


def test_a_risk_is_followed_to_its_minimum_and_not_much_further():
    stop, looks = stopped(lambda t: 1 + np.square(np.log(t / 16)))
    assert (stop.time, stop.settled) == (16.0, True) and looks.max() == 32


def test_a_saddle_is_left_behind():
    # After a quick fall to 1 the risk stays, and leaves as e^{0.1 t}: slow at first, but ever faster.
    stop, _ = stopped(lambda t: np.exp(-t) + 1 / (1 + 1e-3 * np.expm1(0.1 * t)), horizon=32.0, max_horizon=1024.0)
    assert stop.settled and stop.time > 200
    assert has_settled(np.array([1.0, 0.999, 0.9985]), 0.01) and not has_settled(np.array([1.0, 0.9999, 0.998]), 0.01)


def test_where_time_is_up_it_says_so():
    stop, looks = stopped(lambda t: 1 / t, max_horizon=20.0)
    assert (stop.time, stop.settled, looks.max()) == (20.0, False, 20.0)
    assert stop.fall == pytest.approx(0.5)


def test_nothing_left_to_learn_is_settled():
    stop, _ = stopped(lambda t: np.exp(-10 * t))
    assert stop.settled and stop.fall == 0
