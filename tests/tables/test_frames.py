"""Arrays, sequences and frames become the same numbers, with NaN where one is missing, or are refused by column."""

import datetime
import decimal
import fractions
import io
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import xarray as xr

import isthmus as im
from isthmus.tables.columns import distinct
from isthmus.tables.frames import as_table
from isthmus.tables.index import counts_rows
from isthmus.tables.table import Table

NAN = np.nan
PLAIN = np.array([[1.0, 2.0], [3.0, 4.5]])


def of(value) -> np.ndarray:
    return as_table("points", value).values


def refusal(value) -> str:
    with pytest.raises((im.ArgumentError, im.ArgumentTypeError)) as caught:
        as_table("points", value)
    assert str(caught.value).startswith("Argument 'points' must ")
    return str(caught.value)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "g", ">f4", ">f8", "i1", "u8", "?"])
def test_arrays_become_single_or_double(dtype):
    array = np.array([[1, 0], [0, 1]], dtype)
    found = of(array)
    assert found.dtype == (np.float32 if dtype in ("f4", ">f4") else np.float64)
    np.testing.assert_array_equal(found, [[1, 0], [0, 1]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_is_not_copied(dtype, tmp_path):
    array = np.zeros((3, 4), dtype)
    assert of(array) is array
    assert np.shares_memory(of(array[:, ::2]), array)
    mapped = np.memmap(tmp_path / "map", dtype, mode="w+", shape=(3, 4))
    assert np.shares_memory(of(mapped), mapped)
    frame = pd.DataFrame(array)
    assert np.shares_memory(of(frame), frame.to_numpy())


@pytest.mark.parametrize(
    "value",
    [
        [[1, None], [2, 3]],
        [[1, np.ma.masked], [2, 3]],
        [np.ma.array([1, 5], mask=[0, 1]), np.array([2, 3])],
        np.ma.array([[1, 1e9], [2, 3]], mask=[[0, 1], [0, 0]]),
        np.ma.array([[1, -999], [2, 3]], mask=[[0, 1], [0, 0]]),
        np.ma.array([[1, "x"], [2, 3]], mask=[[0, 1], [0, 0]], dtype=object),
        np.array([[1, pd.NA], [decimal.Decimal(2), fractions.Fraction(3)]], dtype=object),
        np.ma.array([(1, 7), (2, 3)], mask=[(0, 1), (0, 0)], dtype=[("a", "i4"), ("b", "f8")]),
        pd.DataFrame({"a": [1, 2], "b": [None, 3]}),
        pd.DataFrame({"a": [True, 2], "b": pd.Series([None, decimal.Decimal(3)], dtype=object)}),
        pd.DataFrame({"a": [1, 2], "b": pd.array([None, 3], dtype="Int64")}),
        pd.DataFrame({"a": [1, 2], "b": pd.array([None, 3], dtype="Float32")}),
        pd.DataFrame({"a": [1, 2], "b": pd.array([None, 3], dtype="int16[pyarrow]")}),
        pd.DataFrame({"a": [1, 2], "b": pd.arrays.SparseArray([NAN, 3.0])}, index=pd.Index([7, 8], name="id")),
        pl.DataFrame({"a": [1, 2], "b": [None, 3]}),
        pl.LazyFrame({"a": [1, 2], "b": [None, 3.0]}),
        pa.table({"a": [1, 2], "b": [None, 3]}),
        pa.record_batch({"a": [1.0, 2.0], "b": pa.array([None, 3], "uint8")}),
        xr.DataArray([[1, NAN], [2, 3]], dims=("row", "column")),
    ],
)
def test_what_is_missing_becomes_nan_and_a_mask_is_never_read_through(value):
    found = of(value)
    assert found.dtype == np.float64 and type(found) is np.ndarray
    np.testing.assert_array_equal(found, [[1, NAN], [2, 3]])


def test_booleans_decimals_and_columns_of_nothing_are_numbers():
    expected = [[1, 1.5, NAN], [NAN, 2, NAN]]
    columns = {"a": [True, None], "b": [decimal.Decimal("1.5"), decimal.Decimal(2)], "c": [None, None]}
    nullable = pd.DataFrame(columns).astype({"a": "boolean"})
    for frame in (pd.DataFrame(columns), nullable, pl.DataFrame(columns), pa.table(columns)):
        np.testing.assert_array_equal(of(frame), expected)


def test_frames_of_single_precision_keep_it():
    single = PLAIN.astype(np.float32)
    frame = pd.DataFrame(single, columns=["a", "b"])
    for value in (frame, frame.astype("Float32"), pl.DataFrame(single), pa.table({"a": single[:, 0]})):
        assert of(value).dtype == np.float32
    for value in (frame.assign(c=[1, 2]), frame.assign(c=[True, False]), frame.astype({"a": np.float64})):
        assert of(value).dtype == np.float64


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["a", "b"], ("a", "b")),
        ([2019, 2020], ("2019", "2020")),
        (["a", "a"], ("a", "a.1")),
        (pd.MultiIndex.from_tuples([("x", "mean"), ("x", "")]), ("x_mean", "x")),
        (range(2), None),
        ([0, "b"], ("0", "b")),
        ([0, "0"], ("0", "0.1")),
        ([None, "b"], ("", "b")),
        ([NAN, "b"], ("", "b")),
        ([pd.NaT, "b"], ("", "b")),
        (["", "b"], ("", "b")),
        ([None, NAN], ("", ".1")),
        ([("x", NAN), ("x", "y")], ("x", "x_y")),
    ],
)
def test_names_of_columns_are_kept(labels, names):
    assert as_table("points", pd.DataFrame(PLAIN, columns=labels)).columns == names


def test_names_told_apart_are_said():
    table = as_table("points", pd.DataFrame(np.eye(3), columns=["a", "a", "b"]))
    assert table.notes == ("columns with one name, 'a', were told apart by .1, .2, …",)


def test_every_frame_has_its_names():
    columns = {"a": [1.0, 3.0], "b": [2.0, 4.5]}
    array = xr.DataArray(PLAIN, dims=("t", "v"), coords={"v": ["a", "b"]})
    records = np.array([(1, 2), (3, 4.5)], [("a", float), ("b", float)])
    for value in (pd.DataFrame(columns), pl.DataFrame(columns), pa.table(columns), array, records):
        table = as_table("points", value)
        assert table.columns == ("a", "b")
        np.testing.assert_array_equal(table.values, PLAIN)
    assert as_table("points", PLAIN).columns is None
    assert as_table("points", array.drop_vars("v")).columns is None


def test_distinct_names_stay_distinct():
    assert distinct(["a", "a", "a.1", "b", "a"]) == ("a", "a.2", "a.1", "b", "a.3")


def test_an_index_that_a_file_has_made_a_column_of_is_said():
    frame = pd.DataFrame({"Unnamed: 0": [0, 1, 2], "a": [1.0, 2.0, 4.0]})
    table = as_table("points", frame)
    assert table.values.shape == (3, 2)
    assert table.notes == ("column 'Unnamed: 0' counts the rows: leave it out",)
    assert as_table("points", frame.set_index("Unnamed: 0")).notes == ()
    assert "'Unnamed: 0' holds a different integer in each row" in as_table("points", frame[::-1]).notes[0]


RECORDS = pd.DataFrame([[0.5, 1.5], [2.5, 3], [1, 4]], columns=["a", "b"])


@pytest.mark.parametrize(
    ("records", "why"),
    [
        (RECORDS.to_records(), "column 'index' counts the rows"),
        (RECORDS.set_index(pd.Index([4, 9, 7])).to_records(), "column 'index' numbers the rows"),
        (RECORDS.set_index(pd.Index(["x", "y", "z"])).to_records(), "column 'index' names the rows"),
        (RECORDS.rename_axis("Unnamed: 0").to_records(), "column 'Unnamed: 0' counts the rows"),
        (
            np.genfromtxt(io.StringIO("Unnamed: 0,a,b\n0,.5,1.5\n1,2.5,3\n2,1,4"), names=True, delimiter=","),
            "column 'Unnamed_0' counts the rows",
        ),
    ],
)
def test_the_index_that_records_begin_with_is_left_out_and_said(records, why):
    table = as_table("points", records)
    assert (table.columns, table.notes) == (("a", "b"), (f"{why} and was left out",))
    np.testing.assert_array_equal(table.values, RECORDS)
    assert as_table("points", records[1:]).values.shape == (2, 2)


def test_other_fields_of_records_stay():
    assert as_table("points", RECORDS.to_records(index=False)).notes == ()
    assert as_table("points", RECORDS.rename_axis("n").to_records()).columns == ("n", "a", "b")
    assert as_table("points", RECORDS.to_records()[["index"]]).values.tolist() == [[0], [1], [2]]


@pytest.mark.parametrize(("column", "counts"), [([0, 1, 2], True), ([1, 2], True), ([1, 3], False), ([0], False)])
def test_counting_rows(column, counts):
    assert counts_rows(np.array(column, float)) is counts


COLUMNS = {
    "a": [1.0, 2.0],
    "city": ["Oslo", None],
    "day": [datetime.date(2020, 1, 1), None],
    "since": [datetime.timedelta(1), None],
    "many": [[1, 2], [3]],
}


@pytest.mark.parametrize("frame", [pd.DataFrame(COLUMNS), pl.DataFrame(COLUMNS), pa.table(COLUMNS)])
def test_what_is_no_number_is_refused_by_column_and_all_of_it_at_once(frame):
    text = refusal(frame)
    assert "must hold numbers in every column, but it is text in column 'city'; leave out columns 'city' (text)" in text
    assert "'day' (dates), 'since' (durations) and 'many' (objects), or turn them into numbers, text by float" in text


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        (pd.DataFrame({"b": pd.Categorical([1, 2])}), "categories"),
        (pl.DataFrame({"b": pl.Series(["x"]).cast(pl.Categorical)}), "categories"),
        (pa.table({"b": pa.array(["x"]).dictionary_encode()}), "categories"),
        (pd.DataFrame({"b": pd.array(["1.5"], dtype="string")}), "text"),
        (pd.DataFrame({"b": ["1.5", 2.0]}), "text"),
        (pd.DataFrame({"b": pd.to_datetime(["2020-01-01"])}), "dates"),
        (pd.DataFrame({"b": pd.to_datetime(["2020-01-01"], utc=True)}), "dates"),
        (pd.DataFrame({"b": pd.to_timedelta([1])}), "durations"),
        (pd.DataFrame({"b": pd.period_range("2020", periods=1)}), "objects"),
        (pd.DataFrame({"b": [1 + 2j]}), "complex numbers"),
        (pd.DataFrame({"b": [10**400]}, dtype=object), "numbers beyond the range of double precision"),
        (np.array([(1, "x")], [("a", int), ("b", "U1")]), "text"),
    ],
)
def test_the_word_for_what_a_column_holds(frame, word):
    assert f"{word} in column 'b'; leave out column 'b' ({word})" in refusal(frame)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([["a", "b"]], "be a real array of shape (n, d), but it is of type <U1; turn text into numbers"),
        ([[1, "2"]], "be a real array of shape (n, d), but it is of type <U"),
        ([[1, None], [2, "x"]], "hold numbers in every column, but it is text in column '1'"),
        ([[1j]], "be a real array of shape (n, d), but it is of type complex128"),
        (np.zeros((2, 2), "M8[D]"), "be a real array of shape (n, d), but it is of type datetime64[D]; turn dates"),
        ([1.0, 2.0], "have shape (n, d), but it is of shape (2,); one column is reshape(-1, 1), one point is reshape"),
        (np.float64(1.0), "have shape (n, d), but it is of shape ()"),
        (np.zeros((2, 2, 2)), "have shape (n, d), but it is of shape (2, 2, 2)"),
        ([[1], [1, 2]], "be an array of shape (n, d), but it is ragged or not an array"),
        ({"a": [1]}, "be an array of shape (n, d), but it is {'a': [1]}; pandas.DataFrame(...) makes a table"),
        ((row for row in [[1, 2]]), "be an array of shape (n, d), but it is <generator"),
        (map(list, [[1, 2]]), "; list(...) makes rows of it"),
        (pl.Series([1.0]), "a Series of 1 entries; a table of one column is series.to_frame()"),
        ("digits", "be an array of shape (n, d), but it is 'digits'"),
        (None, "be an array of shape (n, d), but it is None"),
        ([[]], "not be empty, but it is of shape (1, 0)"),
        (np.zeros((0, 3)), "not be empty, but it is of shape (0, 3)"),
        (pd.DataFrame(), "not be empty, but it is of shape (0, 0)"),
        (pd.DataFrame({"a": []}), "not be empty, but it is of shape (0, 1)"),
        (pl.DataFrame({"a": []}), "not be empty, but it is of shape (0, 1)"),
        (pd.Series([1.0]), "have shape (n, d), but it is a Series of 1 entries; a table of one column is"),
        (xr.DataArray([1.0]), "have shape (n, d), but it is of shape (1,)"),
        (xr.Dataset({"a": ("t", [1.0])}), "be one array or a frame, but it is a Dataset"),
        (scipy.sparse.eye_array(2).tocsr(), "be a dense array, but it is a sparse one of type csr_array; MeanField"),
        (scipy.sparse.csc_matrix(np.eye(2)), "be a dense array, but it is a sparse one of type csc_matrix"),
    ],
)
def test_what_is_no_table_is_refused(value, message):
    assert message in refusal(value)


def test_a_table_stays_what_it_is():
    table = Table(PLAIN, ("a", "b"))
    assert as_table("points", table) is table


def test_tensors_are_read_whatever_their_type_and_their_gradient():
    torch = pytest.importorskip("torch")
    jnp = pytest.importorskip("jax.numpy")
    values = [[1.0, 0.5], [2.0, 4.0]]
    for tensor in (
        torch.tensor(values, requires_grad=True),
        torch.tensor(values).bfloat16(),
        torch.tensor(values).half(),
        [torch.tensor(row, requires_grad=True) for row in values],
        jnp.array(values, jnp.bfloat16),
    ):
        assert of(tensor).tolist() == values
    assert of(torch.tensor(values, dtype=torch.float64, requires_grad=True)).dtype == np.float64
    assert "reshape(-1, 1)" in refusal(torch.tensor([1.0]))
    assert "of type torch.Tensor; NumPy makes no array of it" in refusal(torch.tensor(values).to_sparse())


def test_no_frame_library_is_imported_for_an_array():
    code = """
import sys
from isthmus.tables.frames import as_table
from isthmus.tables.index import counts_rows
as_table("points", [[1.0, None]])
print(sorted({"pandas", "polars", "pyarrow", "xarray", "scipy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
