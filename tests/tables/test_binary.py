"""Arrays and columns in files: NumPy's, Parquet and Feather; nothing is unpickled."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import isthmus as im
from isthmus.tables.files import read_table

VALUES = np.array([[1.5, 2], [3, 4.25], [0, -1]])


def refusal(path: Path, **options) -> str:
    with pytest.raises(im.StudyFileError) as caught:
        read_table(path, **options)
    return str(caught.value).partition(" can't be read as a table of numbers: ")[2]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16, np.bool_])
def test_arrays_keep_their_precision(dtype, tmp_path):
    array = np.array([[0, 1], [1, 1]], dtype)
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", array)
    for name in ("a.npy", "a.npz"):
        found = read_table(tmp_path / name).values
        assert found.dtype == (np.float32 if dtype == np.float32 else np.float64)
        np.testing.assert_array_equal(found, array)


def test_records_have_names(tmp_path):
    np.save(tmp_path / "a.npy", np.array([(1, 2.5, "x"), (3, 4.5, "y")], [("a", "i4"), ("b", "f8"), ("c", "U1")]))
    (tmp_path / "a.npy").rename(tmp_path / "a.NPY")
    found = read_table(tmp_path / "a.NPY", label="c")
    assert found.columns == ("a", "b") and found.labels is not None and found.labels.tolist() == ["x", "y"]
    np.testing.assert_array_equal(found.values, [[1, 2.5], [3, 4.5]])
    assert refusal(tmp_path / "a.NPY").startswith("column 'c' holds text; ")


def test_an_archive_gives_its_one_table_or_the_one_that_is_called_x(tmp_path):
    np.savez(tmp_path / "a.npz", X=VALUES, y=np.array([0, 1, 1]), weights=np.eye(3))
    found = read_table(tmp_path / "a.npz", label="y")
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.labels is not None and found.labels.tolist() == [0, 1, 1]
    assert found.notes == ("array 'X' of 'X', 'y' and 'weights'", "labelled by column 'y'")
    np.savez(tmp_path / "columns.npz", a=VALUES[:, 0], b=VALUES[:, 1])
    assert read_table(tmp_path / "columns.npz").columns == ("a", "b")
    np.savez(tmp_path / "two.npz", first=VALUES, second=VALUES)
    assert refusal(tmp_path / "two.npz").startswith(
        "it holds 'first' of shape (3, 2) and 'second' of shape (3, 2), and"
    )


@pytest.mark.parametrize("write", [pd.DataFrame.to_parquet, pd.DataFrame.to_feather])
def test_columns_of_pandas_without_its_index(write, tmp_path):
    frame = pd.DataFrame(VALUES, columns=["a", "b"]).assign(kind=["x", None, "z"], n=pd.array([1, None, 3], "Int64"))
    path = tmp_path / f"t.{write.__name__.removeprefix('to_')}"
    write(frame, path)
    found = read_table(path, label="kind", missing="ignore")
    assert found.columns == ("a", "b", "n") and found.labels is not None and found.labels.tolist() == ["x", "", "z"]
    np.testing.assert_array_equal(found.values, np.column_stack([VALUES, [1, np.nan, 3]]))
    assert refusal(path, drop="n").startswith("column 'kind' holds text; ")
    assert refusal(path, drop="kind").startswith("1 value is missing, the first in row 1, counted from 0, column 'n'; ")
    if "parquet" in path.name:
        for index in (pd.Index([7, 3, 5]), pd.Index([7, 3, 5], name="id")):
            write(frame.set_index(index), path)
            found = read_table(path, columns=["b", "a"])
            np.testing.assert_array_equal(found.values, VALUES[:, ::-1])
            assert found.notes[0].endswith(" holds the names of the rows and was left out")


def test_columns_of_polars_keep_single_precision(tmp_path):
    frame = pl.DataFrame(VALUES.astype(np.float32), schema=["a", "b"])
    frame.write_parquet(tmp_path / "t.PARQUET")
    frame.write_ipc(tmp_path / "t.feather", compression="zstd")
    for name in ("t.PARQUET", "t.feather"):
        found = read_table(tmp_path / name)
        assert (found.values.dtype, found.columns, found.notes) == (np.float32, ("a", "b"), ())
        np.testing.assert_array_equal(found.values, VALUES)


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    pl.DataFrame(VALUES).write_parquet(tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert refusal(tmp_path / "t.parquet") == "it needs pyarrow, of the extra 'tables': pip install 'isthmus[tables]'."


@pytest.mark.parametrize("suffix", ["npy", "npz", "parquet", "feather"])
@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"\x93NUMPY\x01\x00v\x00{'descr'", b"PK\x03\x04but", b"PAR1..PAR1"]
)
def test_what_is_something_else_or_damaged_is_refused(suffix, content, tmp_path):
    (tmp_path / f"t.{suffix}").write_bytes(content)
    assert refusal(tmp_path / f"t.{suffix}").startswith("it is no ")


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.arange(3.0), "it is an array of shape (3,), and must have shape (n, d)."),
        (np.zeros((2, 2, 2)), "it is an array of shape (2, 2, 2), and must have shape (n, d)."),
        (np.zeros((0, 2)), "it is empty."),
        (np.array([["a", "b"]]), "it holds text, as an array of type <U1."),
        (np.array([[1j]]), "it holds complex numbers, as an array of type complex128."),
        (np.array([[1.0, np.inf]]), "1 value is infinite, the first in row 0, counted from 0, column 1."),
    ],
)
def test_an_array_of_another_kind_is_refused(array, reason, tmp_path):
    np.save(tmp_path / "a.npy", array)
    assert refusal(tmp_path / "a.npy") == reason


def test_keys_of_texts_are_refused_for_other_files(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    with pytest.raises(im.ArgumentError, match=r"Argument 'header' must be left out for a \.npy file, but it is True"):
        read_table(tmp_path / "a.npy", header=True)


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("save", [np.save, np.savez])
def test_objects_are_refused_without_unpickling(save, tmp_path):
    trap = tmp_path / "sprung"
    path = tmp_path / ("a.npy" if save is np.save else "a.npz")
    save(path, np.array([[_Trap(trap)]], dtype=object), allow_pickle=True)
    assert refusal(path).startswith("it is no a")
    assert not trap.exists()
