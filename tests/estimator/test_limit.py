"""A learning curve beside its limit: how far is too far, where the limit has an error of its own."""

import numpy as np
import pytest
from scipy.stats import norm

import isthmus as im
from isthmus.estimator.limit import Distance
from isthmus.theory.prediction import Noise

TIMES, LIMIT = np.array([0.0, 1.0, 2.0]), np.array([0.4, 0.2, 0.1])
STD = 0.01
EXPECTED = STD * norm.ppf(0.975)


def distance(gaps, errors, std=STD):
    """Return the distance of a curve by these gaps from a limit of these errors; only the last time fluctuates."""
    noise = Noise(std**2 * np.diag([0.0, 0.0, 1.0]), np.zeros((1, 3)))
    prediction = im.Prediction(TIMES, LIMIT, {"encoder": noise})
    return Distance(TIMES, LIMIT + gaps, LIMIT, np.array(errors), prediction, None)


@pytest.mark.parametrize(
    ("gaps", "errors", "inside"),
    [
        ([0.0, 0.0, 0.9 * EXPECTED], [0.0, 0.0, 0.0], True),
        ([0.0, 0.0, 1.1 * EXPECTED], [0.0, 0.0, 0.0], False),
        ([0.0, 0.0, 1.1 * EXPECTED], [0.0, 0.0, 0.2 * EXPECTED], True),
        ([0.0, 0.0, -1.1 * EXPECTED], [0.0, 0.0, 0.2 * EXPECTED], True),
        ([0.0, 0.0, 1.3 * EXPECTED], [0.0, 0.0, 0.2 * EXPECTED], False),
        ([0.0, 1.1 * EXPECTED, 0.0], [0.0, 0.0, 0.2 * EXPECTED], False),  # the error of another time is no excuse
        ([0.0, 1.1 * EXPECTED, 0.0], [0.0, 0.2 * EXPECTED, 0.0], True),
    ],
)
def test_a_gap_is_held_to_the_law_up_to_the_error_of_the_limit_at_its_time(gaps, errors, inside):
    found = distance(np.array(gaps), errors)
    assert found.expected == pytest.approx(EXPECTED, rel=0.02)
    assert found.inside is inside


def test_a_law_wider_than_the_risk_says_nothing():
    assert distance(np.array([0.0, 0.0, 0.01]), np.zeros(3), std=0.5).inside is None
    alone = Distance(TIMES, LIMIT, LIMIT, np.zeros(3), None, "there is none")
    assert alone.inside is None and alone.expected is None and alone.source is None


def test_the_gap_is_the_largest_over_times_and_the_fall_that_of_the_limit():
    found = distance(np.array([0.01, -0.03, 0.02]), np.zeros(3))
    assert found.gap == pytest.approx(0.03) and found.farthest == 1.0
    assert found.learned == pytest.approx(0.3)
