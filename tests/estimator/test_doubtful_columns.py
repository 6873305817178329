"""Columns that number rows or stand in for what is missing are learned as they are, but never in silence."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import isthmus as im

ROWS = 40
COUNT = np.arange(ROWS)
SHUFFLED = np.random.default_rng(1).permutation(1000)[:ROWS]
VALUES = np.random.default_rng(0).normal(size=(ROWS, 3))
QUICK = {"n_components": 1, "width": 8, "horizon": 0.02, "step_size": 0.002, "random_state": 0}
SAID = "Argument 'X' may hold what is no measurement: column {} numbers the rows: leave it out."


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    monkeypatch.setattr("isthmus._warnings._SAID", set())


def framed(name, column) -> pd.DataFrame:
    return pd.DataFrame(VALUES, columns=["a", "b", "c"]).assign(**{name: column})


def warnings_of(act) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    found = [
        each for each in caught if each.category is im.ColumnWarning
    ]  # raw counts make curves climb, and that is said
    assert all(each.filename == __file__ for each in found)
    return [str(each.message) for each in found]


def model() -> im.MeanFieldAutoencoder:
    return im.MeanFieldAutoencoder(**QUICK)


@pytest.mark.parametrize(
    ("X", "column"),
    [
        (np.column_stack([COUNT, VALUES]), "0"),
        (np.column_stack([VALUES, COUNT + 1.0]).astype(np.float32), "3"),
        (np.column_stack([VALUES.round() * 10, 7 * COUNT + 1000]).astype(int), "3"),
        (np.column_stack([VALUES, COUNT]).tolist(), "3"),
        (framed("id", SHUFFLED), "'id'"),
        (framed("id", SHUFFLED.astype(float)), "'id'"),
        (framed("n", COUNT.astype(float)), "'n'"),
        (framed("batch", 2000 + COUNT), "'batch'"),
        (pl.from_pandas(framed("patient_id", SHUFFLED)), "'patient_id'"),
    ],
    ids=["counts", "floats", "steps", "lists", "key", "float key", "counted", "running", "polars"],
)
def test_every_way_in_says_once_which_column_numbers_the_rows(X, column):
    said = [SAID.format(column)]
    fitted = model()
    assert warnings_of(lambda: fitted.fit(X)) == said
    assert warnings_of(lambda: (fitted.fit(X), fitted.transform(X), fitted.score(X), fitted.partial_fit(X))) == []
    streamed = model()
    assert warnings_of(lambda: [streamed.partial_fit(X) for _ in range(2)]) == said
    assert warnings_of(lambda: model().from_network(fitted.autoencoder_, X)) == said
    named = SAID.replace("'X'", "'data'").format(column)
    assert warnings_of(lambda: im.Problem(X, latent_dim=1)) == [named]


def test_other_columns_of_a_second_table_are_said_too():
    fitted = model()
    assert warnings_of(lambda: fitted.fit(framed("id", SHUFFLED))) == [SAID.format("'id'")]
    assert warnings_of(lambda: fitted.fit(framed("no", COUNT))) == [SAID.format("'no'")]
    assert warnings_of(lambda: clone(fitted).fit(framed("no", COUNT))) == [SAID.format("'no'")]


def test_a_stream_says_it_where_its_later_rows_do():
    rows = framed("id", SHUFFLED).to_numpy()[:8, None]
    streamed = model()
    assert warnings_of(lambda: [streamed.partial_fit(row) for row in rows]) == []
    fresh, frame = model(), framed("id", SHUFFLED)
    assert warnings_of(lambda: fresh.partial_fit(frame[:1])) == []
    assert warnings_of(lambda: fresh.partial_fit(frame[1:9])) == [SAID.format("'id'")]
    assert warnings_of(lambda: fresh.partial_fit(frame[9:])) == []


@pytest.mark.parametrize("column", [COUNT, COUNT.astype(float)], ids=["integers", "floats"])
def test_folds_and_pipelines_say_it_once(column):
    """Folds see other parts of a column that counts rows, and say the same, at the line that called scikit-learn."""
    X = framed("id", column).assign(age=np.where(COUNT % 3, SHUFFLED % 70, -999))
    search = GridSearchCV(model(), {"horizon": [0.01, 0.02]}, cv=3)
    piped = make_pipeline(FunctionTransformer(), model())
    said = "Argument 'X' may hold what is no measurement: column 'id' numbers the rows: leave it out; column 'age' "
    said += "holds -999 in several rows: missing? write NaN there and say missing='ignore'."
    assert warnings_of(lambda: piped.fit_transform(X)) == [said]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")  # as Python does in a script
        search.fit(X)
    assert [str(each.message) for each in caught if each.category is im.ColumnWarning] == [said]
    assert {each.filename for each in caught} == {__file__}


@pytest.mark.parametrize(
    "X",
    [
        VALUES,
        np.column_stack([VALUES, COUNT + 0.5]),
        np.column_stack([VALUES, 0.5 * COUNT]),
        np.column_stack([VALUES, 400.0 + 10 * COUNT]),
        framed("rank", SHUFFLED),
        framed("id", SHUFFLED % 30),
        framed("acid", SHUFFLED),
        framed("age", SHUFFLED % 70),
        np.array([[0.0, 1.0], [1.0, 0.0]]),
        sparse.csr_array(VALUES),
    ],
)
def test_measurements_are_learned_in_silence(X):
    assert warnings_of(lambda: (model().fit(X), model().partial_fit(X))) == []


def test_days_and_stand_ins_are_said_too():
    days = pd.date_range("2023-12-30", periods=ROWS).strftime("%Y%m%d").astype(int)
    (said,) = warnings_of(lambda: model().fit(framed("day", days)))
    assert said.endswith("column 'day' holds days as numbers: leave it out, or count days from one of them.")
    (said,) = warnings_of(lambda: model().fit(framed("id", 10**17 + COUNT)))
    assert "column 'id' holds integers beyond 2**53" in said and said.endswith("identifiers? leave it out.")


def test_data_count_their_notes():
    data = im.Data(framed("id", SHUFFLED))
    assert repr(data) == "Data('data', 40 points in 4 dimensions; 1 note)" and len(data.notes) == 1
    assert warnings_of(lambda: im.Problem(im.Data(framed("id", SHUFFLED), center=True), latent_dim=1)) == []
