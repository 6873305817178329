"""Anomalies: scores and a threshold as those of other detectors, and errors by feature."""

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.ensemble import IsolationForest

import isthmus as im
from isthmus.estimator.anomalies import offset_of

RANDOM = np.random.default_rng(0)
PLAIN = RANDOM.standard_normal((200, 2)) @ RANDOM.standard_normal((2, 6)) + 0.1 * RANDOM.standard_normal((200, 6))
SPOILED = PLAIN.copy()
SPOILED[:6] += 1.5 * RANDOM.standard_normal((6, 6))


@pytest.fixture(scope="module")
def fitted():
    return im.MeanFieldAutoencoder(2, width=16, random_state=0).fit(SPOILED)


def test_planted_anomalies_are_found(fitted):
    found = fitted.predict(SPOILED)
    assert set(np.unique(found)) == {-1, 1} and found.dtype.kind == "i"
    assert (found[:6] == -1).sum() >= 5 and (found[6:] == -1).mean() < 0.04


def test_scores_threshold_and_decision_belong_together(fitted):
    scores = fitted.score_samples(SPOILED)
    np.testing.assert_allclose(scores, -fitted.reconstruction_error(SPOILED))
    np.testing.assert_allclose(fitted.decision_function(SPOILED), scores - fitted.offset_)
    np.testing.assert_array_equal(fitted.predict(SPOILED) == -1, scores < fitted.offset_)
    np.testing.assert_array_equal(
        im.MeanFieldAutoencoder(2, width=16, random_state=0).fit_predict(SPOILED), fitted.predict(SPOILED)
    )


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_the_contamination_is_the_share_of_anomalies_among_the_training_rows(share):
    model = im.MeanFieldAutoencoder(2, width=16, contamination=share, random_state=0).fit(SPOILED)
    assert (model.predict(SPOILED) == -1).mean() == share
    forest = IsolationForest(contamination=share, random_state=0).fit(SPOILED)
    assert (forest.predict(SPOILED) == -1).mean() == share  # the custom elsewhere
    with pytest.raises(im.ArgumentError, match="'contamination' must be a finite number above 0 and at most 0.5"):
        im.MeanFieldAutoencoder(contamination=0.6).fit(SPOILED)


def test_the_threshold_counts_weights():
    errors, weights = np.array([1.0, 2.0, 3.0, 100.0]), np.array([0.3, 0.3, 0.39, 0.01])
    assert offset_of(errors, weights, 0.2) == -3.0
    assert offset_of(errors, weights, None) == pytest.approx(-min((3**0.5 + 1.5 * (3**0.5 - 1)) ** 2, 3.0))


def test_errors_by_feature_sum_to_those_of_rows(fitted):
    by_feature = fitted.reconstruction_error(SPOILED, per_feature=True)
    assert by_feature.shape == SPOILED.shape
    np.testing.assert_allclose(by_feature.sum(axis=1), fitted.reconstruction_error(SPOILED))
    found = fitted.inverse_transform(fitted.transform(SPOILED))
    np.testing.assert_allclose(by_feature, (SPOILED - found) ** 2, rtol=1e-6, atol=1e-12)


def test_the_column_that_is_wrong_has_the_error(fitted):
    row = PLAIN[100:101].copy()
    row[0, 3] += 5
    before, after = (fitted.reconstruction_error(one, per_feature=True)[0] for one in (PLAIN[100:101], row))
    assert (after - before).argmax() == 3


def test_errors_are_those_of_double_precision_in_units_of_the_data():
    """In single precision beside a large offset: to the rounding of the data, not to that of their squares."""
    points = load_wine().data[:, [0, 6, 10]] * [1e-3, 1e-3, 1e-3] + 1000
    model = im.MeanFieldAutoencoder(1, width=16, random_state=0).fit(points.astype(np.float32))
    exact = points.astype(np.float32).astype(float)
    wanted = ((exact - model._scaling.undone(
        np.asarray(model.autoencoder_.in_precision(np.dtype(float)).reconstruct(model._scaling.precisely(exact)), float)
    )) ** 2).sum(axis=1)  # fmt: skip
    np.testing.assert_allclose(model.reconstruction_error(points.astype(np.float32)), wanted, rtol=1e-3)


def test_the_score_is_finite_where_all_rows_are_the_mean(fitted):
    with np.errstate(all="raise"):
        assert fitted.score(fitted.mean_[None]) in (0.0, 1.0)
        exact = im.MeanFieldAutoencoder(1).fit(np.ones((5, 2)))
        assert exact.score(np.ones((3, 2))) == 1.0
        assert fitted.score(SPOILED) > 0.9
