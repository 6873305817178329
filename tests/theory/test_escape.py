"""Escape from a dead law by the linear theory: how its times grow with the width, and with a level."""

import numpy as np
import pytest

import isthmus as im


@pytest.fixture(scope="module")
def saddle():
    points = np.random.default_rng(0).standard_normal((8, 3)) * [1.5, 1.0, 0.5]
    data = im.Data(points, center=True)
    with pytest.warns(im.TrivialLimitWarning):
        problem = im.Problem(data, im.independent_law(3, 1, incoming_scale=0.7, bias_scale=0.4))
    return im.saddle(problem, neurons=256)


def test_the_mean_escape_time_grows_with_the_logarithm_of_the_width_at_the_slope(saddle):
    narrow, wide = saddle.escape_time(10**5), saddle.escape_time(10**9)
    assert (wide - narrow) / np.log(10**4) == pytest.approx(saddle.slope, rel=0.03)
    assert saddle.slope == pytest.approx(0.5 / saddle.growth_rate)


def test_escape_takes_the_time_in_which_deviations_grow_to_the_level(saddle):
    """Far from the start one direction is left, whose gain grows as e^{2γt}."""
    point, width, runs = saddle._point, 10**9, 64
    values, vectors = np.linalg.eig(point.generator)
    top = np.argmax(values.real)
    dual = np.linalg.inv(vectors)[top]
    random = np.random.default_rng([0, width, width])
    start = np.concatenate(
        [
            random.standard_normal((runs, len(parts))) @ (parts - parts.mean(axis=0)) / np.sqrt(len(parts) * width)
            for parts in (point.encoder_parts, point.decoder_parts)
        ],
        axis=1,
    )
    along = np.real(np.outer(start @ dual, vectors[:, top]))
    expected = np.log(saddle.drop / point.gain(along)) / (2 * saddle.growth_rate)
    np.testing.assert_allclose(saddle.escape_times(width, runs), expected, rtol=0.01)
