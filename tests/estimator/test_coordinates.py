"""The coordinates in which tables are learned: none of them lost, none of a wide table's squares, digits kept."""

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

import isthmus as im
from isthmus.core.scaling import Scaling
from isthmus.estimator.automatic import automatic_start
from isthmus.estimator.coordinates import Coordinates, Spectrum
from isthmus.estimator.samples import EvaluationSample
from isthmus.estimator.settings import Settings

RANDOM = np.random.default_rng(0)
WINE = StandardScaler().fit_transform(load_wine().data)


def uniform(points):
    return np.full(len(points), 1 / len(points))


def test_coordinates_and_what_lies_outside_make_the_whole():
    weights = uniform(WINE)
    spectrum = Spectrum.of(5 + WINE, weights, 2)
    inside = spectrum.coordinates(4)
    scaled = spectrum.scaling.precisely(5 + WINE)
    np.testing.assert_allclose(
        (inside.of(5 + WINE) ** 2).sum(axis=1) + inside.parts(5 + WINE)[1], (scaled**2).sum(axis=1)
    )
    sample = EvaluationSample.of(5 + WINE, weights, inside)
    assert sample.pca_risk(np.eye(2, 4)) == pytest.approx(spectrum.variances[2:].sum() / 2)
    network = beginning_network(spectrum, sample)
    lifted = inside.embedded(network)
    whole = EvaluationSample.of(5 + WINE, weights, Coordinates(spectrum.scaling))
    np.testing.assert_allclose(whole.errors(lifted), sample.errors(network), rtol=1e-9)


def beginning_network(spectrum, sample):
    start = automatic_start(spectrum, sample, Settings.of(im.MeanFieldAutoencoder().get_params(deep=False)))
    return start.network(np.random.default_rng(0), 16)


def test_wide_tables_have_no_matrix_of_their_columns(monkeypatch):
    points = RANDOM.standard_normal((20, 400))
    asked = []
    monkeypatch.setattr("numpy.linalg.eigh", lambda matrix: asked.append(matrix.shape))
    spectrum = Spectrum.of(points, uniform(points), 3)
    centred = points - points.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False) ** 2 / 20
    np.testing.assert_allclose(spectrum.variances[:19], values[:19] / values.sum(), rtol=1e-9)
    assert not asked and spectrum.directions.shape == (400, 20)
    assert Spectrum.of(points, uniform(points), 30).directions.shape == (400, 30)
    np.testing.assert_allclose(
        Spectrum.of(points, uniform(points), 30).components @ Spectrum.of(points, uniform(points), 30).components.T,
        np.eye(30),
        atol=1e-9,
    )


def test_means_keep_their_digits_beside_large_offsets():
    for dtype, offset in ((np.float32, 101_325.0), (np.float64, 1e9)):
        points = (offset + RANDOM.standard_normal((5000, 2)) * [1.0, 0.0]).astype(dtype)
        spectrum = Spectrum.of(points, uniform(points), 1)
        scaled = spectrum.scaling.precisely(points)
        assert np.abs(scaled.mean(axis=0)).max() < 1e-6 and not scaled[:, 1].any()
        assert (scaled**2).sum(axis=1).mean() == pytest.approx(1)


def test_constant_tables_have_unit_1_whatever_their_value():
    for value, dtype in ((0.1, np.float64), (0.0, np.float64), (1 / 3, np.float32)):
        model = im.MeanFieldAutoencoder(1).fit(np.full((7, 3), value, dtype))
        assert model.unit_ == 1.0 and model.score(np.full((2, 3), value, dtype)) == 1.0
        np.testing.assert_array_equal(
            model.inverse_transform(model.transform(np.full((2, 3), value, dtype))), dtype(value)
        )
    alone = im.MeanFieldAutoencoder(1).fit(np.eye(3), sample_weight=[1, 0, 0])
    assert alone.unit_ == 1.0 and isinstance(alone._scaling, Scaling)
