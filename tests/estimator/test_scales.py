"""What the estimator says is the same in every unit, beside every offset, and at the ends of what types can hold."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

import isthmus as im

pytestmark = pytest.mark.filterwarnings("ignore:the learning curve")  # runs too short to learn anything

X = np.random.default_rng(0).standard_normal((60, 4)) * [3, 2, 1, 0.5]
QUICK = {"width": 8, "horizon": 0.1, "step_size": 0.002, "records": 1, "random_state": 0}


def quick(**changes):
    return im.MeanFieldAutoencoder(2, **QUICK | changes)


SPOILED = np.r_[X, [[30.0] * 4], [[-50.0, 0.0, 20.0, 0.0]]]


@pytest.mark.parametrize("contamination", ["auto", 0.05])
@pytest.mark.parametrize("unit", [1e-100, 1e-160, 1e-170, 1e-250, 1e-300, 1e-310, 1e100])
def test_the_same_rows_are_anomalies_in_every_unit(unit, contamination, tmp_path):
    plain = quick(contamination=contamination).fit(X)
    model = quick(contamination=contamination).fit(X * unit)
    expected = plain.predict(SPOILED)
    assert list(expected[-2:]) == [-1, -1] and (expected == 1).sum() > 50
    model.save(tmp_path / "model")
    for one in (model, im.MeanFieldAutoencoder.load(tmp_path / "model")):
        np.testing.assert_array_equal(one.predict(SPOILED * unit), expected)
        np.testing.assert_array_equal(one.decision_function(SPOILED * unit) < 0, expected == -1)
        np.testing.assert_allclose(one.offset_, plain.offset_ * unit * unit, rtol=1e-6, atol=1e-322)
    assert model.score(SPOILED * unit) == pytest.approx(plain.score(SPOILED), rel=1e-6)


def test_rows_beyond_double_precision_are_anomalies():
    model = quick().fit(X * 1e-250)
    assert list(model.predict(np.ones((2, 4)))) == [-1, -1]


def test_single_precision_near_its_lower_end():
    expected = quick().fit(X.astype(np.float32)).predict(SPOILED.astype(np.float32))
    for unit in (1e-25, 1e-37):
        table = (SPOILED * unit).astype(np.float32)
        np.testing.assert_array_equal(quick().fit(table[:60]).predict(table), expected)


def test_the_threshold_can_be_set_and_is_not_moved_by_a_stream():
    model = quick().fit(X)
    model.offset_ = -2.0
    assert model.offset_ == -2
    np.testing.assert_array_equal(model.predict(X) == -1, model.score_samples(X) < -2)
    model.partial_fit(5 * X)
    assert model.offset_ == -2
    np.testing.assert_array_equal(model.predict(X) == -1, model.score_samples(X) < -2)
    with pytest.raises(im.ArgumentError, match="'offset_' must be a finite number at most 0"):
        model.offset_ = 1.0
    with pytest.raises(NotFittedError, match="This estimator has no threshold"):
        quick().partial_fit(X).predict(X)


def offset(table):
    return table + 1e12


TABLES = {
    "ids": np.c_[np.arange(17_000_000_000, 17_000_000_060), X],
    "stamps with jitter": np.c_[1.7e18 + np.round(np.random.default_rng(3).normal(0, 400, 60) / 256) * 256, 400 * X],
    "constant columns": np.c_[np.full(60, 14.62), X, np.full(60, 1.7e18)],
    "an offset": offset(X),
    "small beside an offset": np.c_[101_325 + 0.03 * X[:, 0], X[:, 1:]],
    "columns of many sizes": X * [1e8, 1.0, 1e-4, 1e4],
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("options", [{}, {"horizon": "auto", "step_size": "auto", "max_time": 0.5}])
def test_the_score_is_that_of_the_risk(name, options):
    model = quick(**options).fit(TABLES[name])
    assert model.score(TABLES[name]) == pytest.approx(1 - 2 * model.risk_, abs=1e-6)
    assert 0.1 < model.score(TABLES[name]) <= 1


@pytest.mark.parametrize("unit", [1e-160, 1.0, 1e100])
def test_a_column_beside_which_others_hardly_count_is_told(unit):
    said = " Column {} holds more than 99 % of the variance: standardise columns first."
    loud = X * [1, 40, 1, 1] * unit
    assert quick().fit(loud).chosen_.endswith(said.format(1))
    frame = pd.DataFrame(loud, columns=list("abcd"))
    assert quick().fit(frame).chosen_.endswith(said.format("'b'"))
    assert quick(missing="ignore").fit(frame.mask(frame > 30 * unit)).chosen_.endswith(said.format("'b'"))
    alone = np.zeros(60)
    for quiet in (X * unit, X[:, [1]] * unit, np.column_stack([alone, X[:, 1] * unit, alone])):
        assert "Column" not in quick().set_params(n_components=1).fit(quiet).chosen_
