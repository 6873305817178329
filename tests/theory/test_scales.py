"""How each source of noise scales with widths, step size, batch size and sample, on a law made by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

import isthmus as im
from isthmus.theory.prediction import Noise

TIMES = np.array([0.0, 1.0])
SIZES = {"encoder": 1, "decoder": 2, "batches": 3, "steps": 5, "shuffled": 7, "sample": 11, "own_sample": 13}


@pytest.fixture(scope="module")
def law():
    """Return a law whose kernels are the sizes times a matrix, and whose shifts are the sizes times 10."""
    shape = np.array([[1.0, 0.5], [0.5, 2.0]])
    noises = {name: Noise(size * shape, np.full((1, 2), 10 * size)) for name, size in SIZES.items()}
    noises["steps"] = Noise(0 * shape, np.full((1, 2), 10 * SIZES["steps"]))
    return im.FiniteWidthLaw(TIMES, SimpleNamespace(risk=np.array([3.0, 1.0])), None, noises, np.ones(4) / 4)


@pytest.mark.parametrize(("measured_on", "sampled"), [("population", 11.0), ("sample", 13.0)])
def test_every_source_has_its_scale(law, measured_on, sampled):
    network = law.at((100, 400), 0.2, 8, sample_size=50, measured_on=measured_on)
    kernels = {"encoder": 1 / 100, "decoder": 2 / 400, "batches": 3 * 0.2 / 8, "sample": sampled / 50}
    shifts = kernels | {"steps": 5 * 0.2}
    assert set(network.shifts) == set(shifts) and set(network.covariances) == set(kernels)
    for name, scale in kernels.items():
        np.testing.assert_allclose(np.diagonal(network.covariances[name]), scale * np.array([1.0, 2.0]))
    for name, scale in shifts.items():
        np.testing.assert_allclose(network.shifts[name], 10 * scale)
    np.testing.assert_allclose(network.mean, np.array([3.0, 1.0]) + 10 * sum(shifts.values()))
    np.testing.assert_allclose(network.std, np.sqrt(sum(kernels.values()) * np.array([1.0, 2.0])))


def test_what_is_left_out_adds_nothing(law):
    assert set(law.at(10).noises) == {"encoder", "decoder"}
    np.testing.assert_allclose(law.at(10).std ** 2, 0.3 * np.array([1.0, 2.0]))
    assert not law.at(math.inf).std.any()
    np.testing.assert_allclose(law.at(math.inf, 0.1).mean, np.array([3.0, 1.0]) + 5.0)
    assert not law.at(math.inf, 0.1).std.any()
