"""Tables in files of arrays and columns: NumPy's .npy and .npz, Parquet and Feather."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np

from isthmus._files import BROKEN
from isthmus.tables.columns import listed, numbers, side_by_side
from isthmus.tables.frames import arrow_column
from isthmus.tables.lines import Unreadable, kind_of
from isthmus.tables.table import Raw

USUAL_NAMES = ("X", "x", "data", "points", "features", "arr_0")
"""What the array of points is called in a file with others."""
EXTRA = "it needs pyarrow, of the extra 'tables': pip install 'isthmus[tables]'"


def read_array(file: BinaryIO) -> Raw:
    """Return what a .npy file holds; it is never unpickled."""
    return _of_array(_read(lambda: np.lib.format.read_array(file, allow_pickle=False), file, "array of NumPy (.npy)"))


def read_archive(file: BinaryIO) -> Raw:
    """Return the table of a .npz file: its one array with two axes, or the one that is called X, or its columns."""

    def read() -> dict[str, np.ndarray]:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    arrays = _read(read, file, "archive of arrays (.npz)")
    tables = [name for name, array in arrays.items() if array.ndim == 2]
    lines = {name: array for name, array in arrays.items() if array.ndim == 1}
    if not tables and lines and len({len(array) for array in lines.values()}) == 1:
        return _of_columns(list(lines), list(lines.values()), lambda j: list(lines.values())[j])
    chosen = tables[0] if len(tables) == 1 else next((name for name in USUAL_NAMES if name in tables), None)
    if chosen is None:
        shown = listed([f"{name!r} of shape {array.shape}" for name, array in arrays.items()]) if arrays else "nothing"
        raise Unreadable(f"it holds {shown}, and must hold one array of shape (n, d), or call it 'X'")
    raw = _of_array(arrays[chosen])
    raw.label_arrays = {name: array for name, array in lines.items() if len(array) == len(raw.values)}
    if len(arrays) > 1:
        raw.notes.append(f"array {chosen!r} of {listed([repr(name) for name in arrays])}")
    return raw


def read_parquet(file: BinaryIO) -> Raw:
    """Return what a Parquet file holds."""
    return _of_arrow("pyarrow.parquet", file, "Parquet file")


def read_feather(file: BinaryIO) -> Raw:
    """Return what a Feather file holds."""
    return _of_arrow("pyarrow.feather", file, "Feather file")


def _of_arrow(module: str, file: BinaryIO, what: str) -> Raw:
    try:
        reader = importlib.import_module(module)
    except ImportError:
        raise Unreadable(EXTRA) from None
    table = _read(lambda: reader.read_table(file), file, what)
    columns = [arrow_column(column) for column in table.columns]
    raw = _of_columns(table.column_names, columns, lambda j: table.column(j).to_pylist())
    said = (table.schema.pandas_metadata or {}).get("index_columns", [])  # a dict stands for a range, in no column
    raw.index = {table.column_names.index(name) for name in said if isinstance(name, str) and name in (raw.names or ())}
    return raw


def _read(read: Callable[[], Any], file: BinaryIO, what: str) -> Any:
    """Return what a reader of a library returns, or why it fails."""
    try:
        return read()
    except (*BROKEN, OSError) as error:
        file.seek(0)
        if kind := kind_of(file.read(16)):
            raise Unreadable(f"it is no {what}, or a damaged one; its first bytes are those of {kind}") from error
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise Unreadable(f"it is no {what}, or a damaged one: {reason}") from error


def _of_array(array: np.ndarray) -> Raw:
    names = array.dtype.names
    if names and array.ndim == 1:
        return _of_columns(names, [array[name] for name in names], lambda j: array[names[j]])
    if array.ndim != 2:
        raise Unreadable(f"it is an array of shape {array.shape}, and must have shape (n, d)")
    values = numbers(array)
    if isinstance(values, str):
        raise Unreadable(f"it holds {values}, as an array of type {array.dtype}")
    return _raw(values, None, {}, lambda j: array[:, j])


def _of_columns(
    names: Sequence[str], columns: Sequence[np.ndarray | str], entries: Callable[[int], Sequence[Any] | np.ndarray]
) -> Raw:
    found = [column if isinstance(column, str) else numbers(column) for column in columns]
    odd = {j: held for j, held in enumerate(found) if isinstance(held, str)}
    lengths = {len(column) for column in found if not isinstance(column, str)}
    nothing = np.full(lengths.pop() if lengths else len(entries(0)) if names else 0, np.nan, np.float32)
    values = side_by_side([nothing if isinstance(held, str) else held for held in found] or [nothing])
    return _raw(values, list(names), odd, entries)


def _raw(values: np.ndarray, names: list[str] | None, odd: dict[int, str], entries: Callable[[int], Any]) -> Raw:
    if 0 in values.shape or (names is not None and not names):
        raise Unreadable("it is empty")

    def texts(j: int) -> np.ndarray:
        return np.array(["" if entry is None else str(entry) for entry in entries(j)])

    return Raw(values, names, odd, texts, lambda row: f"row {row}, counted from 0")
