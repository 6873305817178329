"""What is said of columns that may be no measurements: identifiers, days, and what stands for a missing value."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from isthmus.tables.files import read_table
from isthmus.tables.frames import as_table

BIG = [10**17 + 7, 10**17 + 8, 10**17 + 9]
SAID = "column 'id' holds integers beyond 2**53, of which a float keeps the first 15 digits: identifiers? leave it out"


def notes(value) -> tuple[str, ...]:
    return as_table("points", value).notes


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"id": BIG, "a": [1.5, 2, 4]}),
        pd.DataFrame({"id": np.array(BIG, np.uint64), "a": [1.5, 2, 4]}),
        pd.DataFrame({"id": pd.array([*BIG[:2], None], "Int64"), "a": [1.5, 2, 4]}),
        pd.DataFrame({"id": [10**20, -1, None], "a": [1, 2, 3]}, dtype=object),
        pl.DataFrame({"id": BIG, "a": [1.5, 2, 4]}),
        pa.table({"id": BIG, "a": [1.5, 2, 4]}),
        np.array([(one, 1.5) for one in BIG], [("id", "i8"), ("a", "f8")]),
    ],
)
def test_integers_of_which_a_float_loses_digits_are_said(frame):
    (note,) = notes(frame)
    assert note.startswith(SAID)


def test_they_are_said_of_files_and_arrays_too(tmp_path):
    (tmp_path / "t.csv").write_text("id,a\n" + "".join(f"{one},{one % 7}.5\n" for one in BIG))
    pd.DataFrame({"id": BIG, "a": [1.5, 2, 4]}).to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        assert read_table(tmp_path / name).notes == (f"{SAID} with drop (--drop)",)
        assert read_table(tmp_path / name, drop="id").notes == ()
    assert notes(pd.DataFrame({"id": BIG, "a": [1.5, 2, 4]})) == (SAID,)
    assert notes(np.array([BIG[:2], BIG[1:]]))[0].startswith("columns 0 and 1 hold integers beyond 2**53")


def test_floats_of_that_size_are_measurements(tmp_path):
    assert notes(np.array([[6.02e23, 1], [1e16, 2]])) == ()
    (tmp_path / "t.csv").write_text("a,b\n6.02e23,1\n1e16,2\n1e17,4\n")
    assert read_table(tmp_path / "t.csv").notes == ()
    assert notes(pd.DataFrame({"n": [2**53, 1], "a": [1.5, 2]})) == ()


def column(values) -> np.ndarray:
    return np.column_stack([values, np.arange(len(values)) % 3])


GOOD = np.random.default_rng(0).normal(10, 3, 50)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "stand_in", [-999, -9999, -99999, 999, 9999, -99, -999.9, 1e20, 9.96921e36, -1e30, -(2**31), 2**15 - 1]
)
def test_what_stands_for_missing_values_is_said(stand_in, dtype):
    values = np.concatenate([GOOD, [stand_in] * 12]).astype(dtype)
    assert notes(column(values).astype(dtype)) == (
        f"column 0 holds {stand_in:.7g} in 12 rows: missing? write NaN there and say missing='ignore'",
    )
    assert notes(column(values[:51]).astype(dtype)) == ()  # once is an outlier


def test_several_of_them_are_said_together():
    values = np.concatenate([GOOD, [-999] * 2, [-9999] * 3])
    frame = pd.DataFrame({"x": values, "y": values[::-1], "z": np.sin(values)})
    (note,) = notes(frame)
    assert note.startswith("column 'x' holds -9999 in 3 rows, column 'x' holds -999 in 2 rows, column 'y' holds")
    assert np.array_equal(as_table("points", frame).values, frame)


@pytest.mark.parametrize(
    "values",
    [
        np.concatenate([GOOD * 100, [-999] * 3]),  # not far from the others
        np.concatenate([GOOD, [-998] * 3]),
        np.tile([99, 98, 97, 101], 9),
        np.full(20, 999),
        GOOD * 1e22,
        np.tile([999, 9999], 9),
    ],
)
def test_numbers_among_others_are_numbers(values):
    assert notes(column(values)) == ()


def test_days_as_numbers_are_said(tmp_path):
    days = pd.date_range("2023-12-30", periods=9).strftime("%Y%m%d").astype(int)
    said = "column 'day' holds days as numbers such as 20231230: leave it out{}, or count days from one of them"
    assert notes(pd.DataFrame({"day": days, "a": GOOD[:9]})) == (said.format(""),)
    (tmp_path / "t.csv").write_text("day,a\n" + "".join(f"{day},{day % 5}.5\n" for day in days))
    assert read_table(tmp_path / "t.csv").notes == (said.format(" with drop (--drop)"),)
    for other in (days + 1300, days + 0.5, np.full(9, days[0]), days % 10**6):
        assert notes(pd.DataFrame({"day": other, "a": GOOD[:9]})) == ()


COUNT = np.arange(50)
COUNTS = "column {} counts the rows: leave it out"
STEPS = "column {} goes in equal steps of integers: a running number? leave it out"
APART = "column {} holds a different integer in each row: an identifier? leave it out"
SHUFFLED = np.random.default_rng(1).permutation(1000)[:50]


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("n", COUNT, COUNTS),
        ("n", COUNT + 1, COUNTS),
        ("n", COUNT.astype(float), COUNTS),  # as in an array of floats with the rows' numbers
        ("n", COUNT + 1017, STEPS),
        ("n", 1000 - 10 * COUNT, STEPS),
        ("id", SHUFFLED, APART),
        ("patient_id", SHUFFLED, APART),
        ("userId", SHUFFLED.astype(float), APART),
        ("CustomerID", SHUFFLED, APART),
        ("No", SHUFFLED, APART),
        ("index", SHUFFLED, APART),
        ("id", [7, 3], APART),
    ],
)
def test_what_numbers_the_rows_is_said_and_stays(name, values, said, tmp_path):
    frame = pd.DataFrame({"a": GOOD[: len(values)], name: values})
    frame.to_csv(tmp_path / "t.csv", index=False)
    tables = as_table("points", frame), as_table("points", pl.from_pandas(frame)), read_table(tmp_path / "t.csv")
    for table, way in zip(tables, ("", "", " with drop (--drop)"), strict=True):
        assert table.notes == (said.format(repr(name)) + way,)
        np.testing.assert_allclose(table.values, frame)
    assert read_table(tmp_path / "t.csv", drop=name).notes == ()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("t", COUNT + 0.5),
        ("t", COUNT * 0.5),
        ("wavelength", 400.0 + 10 * COUNT),  # a sorted axis of reals that are whole
        ("rank", SHUFFLED),
        ("id", SHUFFLED // 2),  # some are equal
        ("id", SHUFFLED + 0.5),
        ("acid", SHUFFLED),
        ("row number of seats", SHUFFLED),
        ("n", np.full(50, 3)),
        ("n", np.r_[COUNT[:-1], 7]),
        ("n", [0, 1, 2]),  # few rows, and no name that says so
    ],
)
def test_measurements_in_order_and_different_integers_are_measurements(name, values, tmp_path):
    frame = pd.DataFrame({"a": GOOD[: len(values)], name: values})
    assert notes(frame) == ()
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert read_table(tmp_path / "t.csv").notes == ()


def test_what_numbers_the_rows_of_arrays_is_said_by_place_and_together():
    floats = np.column_stack([COUNT, GOOD, COUNT + 1])
    assert notes(floats) == ("columns 0 and 2 count the rows: leave them out",)
    assert notes(np.column_stack([SHUFFLED, 5 * COUNT + 3])) == (STEPS.format(1),)
    assert notes(COUNT[:, None]) == ()  # all that is there
