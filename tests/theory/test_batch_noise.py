"""The noise of batches without replacement against all orders in which an epoch may take the points."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest

import isthmus as im
from isthmus.theory.noise_sources import Influence
from isthmus.theory.prediction import Noise

STEP_SIZE, STEPS = 0.5, 8
WEIGHTS = np.array([0.1, 0.2, 0.3, 0.15, 0.15, 0.1])
POINTS = len(WEIGHTS)
B_BATCHES, B_SHUFFLED, B_SAMPLE = 1.0, 2.0, 3.0


@pytest.fixture(scope="module")
def influence():
    """G(x, s; t) at t after one step and after all, in each step, shape (2, steps, points)."""
    drawn = np.random.default_rng(0).standard_normal((2, STEPS, POINTS))
    drawn[0, 1:] = 0.0
    return drawn - (drawn @ WEIGHTS)[..., None]


def batch_noise(influence, size, steps=STEPS):
    """Return the noise that the law gives a network whose steps are those of the influence."""
    times, nodes = STEP_SIZE * np.array([1, steps]), STEP_SIZE * np.arange(steps + 1)
    by_step = STEP_SIZE * influence[:, :steps]
    known = Influence(None, None, None, by_step.sum(axis=1), None, nodes, by_step)
    curvatures = {"batches": B_BATCHES, "shuffled": B_SHUFFLED, "sample": B_SAMPLE}
    noises = {
        name: Noise(np.zeros((2, 2)), np.full((2, 2), curvatures.get(name, 0.0)))
        for name in ("encoder", "decoder", "steps", *curvatures)
    }
    law = im.FiniteWidthLaw(times, SimpleNamespace(risk=np.zeros(2)), known, noises, WEIGHTS)
    return law.at(math.inf, STEP_SIZE, size, sampling="without_replacement").noises["batches"]


def in_every_order(influence, size):
    """Return the covariance of Σ_steps ε (mean over the batch of n p(x) G), every order being equally likely."""
    orders = np.array(list(itertools.permutations(range(POINTS))))
    total = np.zeros((2, 2))
    for first in range(0, STEPS, POINTS // size):
        curves = np.zeros((len(orders), 2))
        for place, step in enumerate(range(first, min(first + POINTS // size, STEPS))):
            batch = orders[:, place * size : (place + 1) * size]
            values = POINTS * WEIGHTS * influence[:, step]
            curves += STEP_SIZE * values[:, batch].mean(axis=2).T
        total += np.cov(curves.T, ddof=0)
    return total


@pytest.mark.parametrize(
    "size",
    [1, 2, 3, 4],  # of 6 points: with 4 a last batch that isn't full is dropped
)
def test_the_covariance_is_that_over_all_orders(influence, size):
    np.testing.assert_allclose(batch_noise(influence, size).kernel, in_every_order(influence, size), atol=1e-12)


def test_full_batches_have_no_noise(influence):
    noise = batch_noise(influence, POINTS)
    np.testing.assert_array_equal(noise.kernel, 0)
    np.testing.assert_array_equal(noise.curvatures, 0)


def test_the_shift_is_what_the_order_leaves_of_it(influence):
    """Of batches of one point all of it; in a single epoch, that of independent draws but for their mean's."""
    np.testing.assert_allclose(batch_noise(influence, 1).shift, STEP_SIZE * B_SHUFFLED)
    np.testing.assert_allclose(batch_noise(influence, 3).shift, STEP_SIZE / 3 * 3 / 5 * B_SHUFFLED)
    once = batch_noise(influence, 2, steps=POINTS // 2)
    np.testing.assert_allclose(once.shift, 6 / 5 * (STEP_SIZE / 2 * B_BATCHES - B_SAMPLE / 6))
