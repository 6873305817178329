"""Tables that are in memory already: arrays, sequences, and the frames of pandas, polars, pyarrow and xarray.

No such library is imported here: what belongs to one is only there if the caller has imported it.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from isthmus import _checks
from isthmus.tables.columns import (
    DOUBLE,
    HINTS,
    MISSING_TYPES,
    SINGLE,
    listed,
    name_of,
    names_of,
    numbers,
    side_by_side,
)
from isthmus.tables.index import index_of
from isthmus.tables.remarks import notes_on_names, remarks
from isthmus.tables.table import Table

SHAPE = "shape (n, d)"
ONE_AXIS = "one column is reshape(-1, 1), one point is reshape(1, -1)"


def as_table(name: str, value: object) -> Table:
    """Return whatever holds numbers in rows and columns as a table, with NaN where a value is missing.

    Arrays of float32 and float64 keep their type and aren't copied, everything else becomes float64. Masked entries,
    None, and the missing values of pandas and polars become NaN; the names of columns are kept.

    Args:
        name: the argument that is named where ``value`` is refused.
        value: an array of shape (n, d), masked or not, a sequence of rows, records, of which a first field without a
            name that counts the rows is left out, a tensor, or a frame of pandas, polars, pyarrow or xarray.

    Raises:
        ArgumentTypeError: where a column holds no numbers; the message names all that don't.
        ArgumentError: where the shape isn't (n, d), or n or d is 0.

    Example:
        >>> import numpy as np
        >>> as_table("points", np.ma.masked_equal([[1, 2], [-9, 4]], -9)).values.tolist()
        [[1.0, 2.0], [nan, 4.0]]

    """
    if isinstance(value, Table):
        return value
    if type(value).__module__.startswith("scipy.sparse"):
        found = _checks.described(f"a sparse one of type {type(value).__name__}")
        _checks.refuse_type(name, "be a dense array", found, "MeanFieldAutoencoder takes sparse ones")
    for (library, kind), read in FRAMES.items():
        if belongs(value, library, kind):
            return read(name, value)
    return _of_array(name, value)


def belongs(value: object, library: str, kind: str) -> bool:
    """Return whether a value is of a class of a library that may not be there."""
    found = getattr(sys.modules.get(library), kind, None)
    return isinstance(found, type) and isinstance(value, found)


def _of_array(name: str, value: object) -> Table:
    array = _array(name, value)
    if array.dtype.names and array.ndim == 1:
        return _of_records(name, array)
    if array.ndim == 0 and not isinstance(value, np.ndarray | np.generic):
        _refuse_no_array(name, value)
    if array.ndim != 2:
        hint = ONE_AXIS if array.ndim == 1 and array.dtype.kind in "fiub" else ""
        _checks.refuse(name, f"have {SHAPE}", _checks.described(f"of shape {array.shape}"), hint)
    found = numbers(array)
    if isinstance(found, np.ndarray):
        return _table(name, found, None, lambda j: _are_integers(array[:, j]))
    if array.dtype.kind == "O":
        return _of_columns(name, range(array.shape[1]), list(array.T))
    hint = f"turn {found} into numbers, {HINTS[found]}" if found in HINTS else ""
    return _checks.refuse_type(name, f"be a real array of {SHAPE}", _checks.described(f"of type {array.dtype}"), hint)


def _array(name: str, value: Any) -> np.ndarray:
    """Return a value as an array of any type; its mask, if it has one, is kept."""
    if isinstance(value, np.ma.MaskedArray):
        return value
    try:
        if isinstance(value, list | tuple) and any(isinstance(row, np.ma.MaskedArray) for row in value):
            return np.ma.array(value)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Warning: converting a masked element to nan")
            tensors = isinstance(value, list | tuple) and any(belongs(row, "torch", "Tensor") for row in value[:1])
            return np.asarray(list(map(_on_the_host, value)) if tensors else _on_the_host(value))
    except Exception as error:  # asking a stranger's object for its array may raise anything
        if isinstance(value, list | tuple | np.ndarray):
            _checks.refuse_type(name, f"be an array of {SHAPE}", _checks.described("ragged or not an array"))
        why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        what = _checks.described(f"of type {type(value).__module__}.{type(value).__name__}")
        return _checks.refuse_type(name, f"be an array of {SHAPE}", what, f"NumPy makes no array of it, for {why}")


def _on_the_host(value: Any) -> Any:
    """Return a tensor of PyTorch as one that NumPy can read, and anything else as it is."""
    if not belongs(value, "torch", "Tensor"):
        return value
    value = value.detach().cpu()
    kinds = sys.modules["torch"]
    small = value.is_floating_point() and value.dtype not in (kinds.float16, kinds.float32, kinds.float64)
    return value.float() if small else value.resolve_conj().resolve_neg()


def _refuse_no_array(name: str, value: object) -> NoReturn:
    hint = ""
    if isinstance(value, Iterator):
        hint = "list(...) makes rows of it"
    elif isinstance(value, dict):
        hint = "pandas.DataFrame(...) makes a table of its columns"
    _checks.refuse_type(name, f"be an array of {SHAPE}", value, hint)


def _of_records(name: str, array: np.ndarray) -> Table:
    """Return the fields of records side by side, but for an index that pandas has made one of them."""
    names = list(array.dtype.names or ())
    found = [numbers(array[field]) for field in names]
    index = index_of(names, found[:-1], ())
    kept = [j for j in range(len(names)) if j not in index]
    notes = [f"column {names[j]!r} {why} and was left out" for j, why in index.items()]
    return _of_columns(name, [names[j] for j in kept], [array[names[j]] for j in kept], notes=notes)


def _of_pandas(name: str, frame: Any) -> Table:
    labels = list(frame.columns)
    plain = [dtype for dtype in set(frame.dtypes) if isinstance(dtype, np.dtype) and dtype.kind in "fiub"]
    if frame.shape[1] and len(plain) == frame.dtypes.nunique():  # at once, since frames may have a million columns
        values = frame.to_numpy(SINGLE if plain == [SINGLE] else DOUBLE)
        return _table(name, values, labels, lambda j: _are_integers(frame.iloc[:, j]))
    columns = [_pandas_column(frame.iloc[:, j]) for j in range(len(labels))]
    return _of_columns(name, labels, columns, lambda j: _are_integers(frame.iloc[:, j]))


def _pandas_column(series: Any) -> np.ndarray | str:
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return series.to_numpy()
    if hasattr(series, "sparse") and type(dtype).__name__ == "SparseDtype":
        return _pandas_column(series.sparse.to_dense())
    if type(dtype).__name__ == "CategoricalDtype":
        return "categories"
    if dtype.kind in "fiub":  # a type of numbers that knows of missing ones
        return series.to_numpy(dtype=SINGLE if dtype.kind == "f" and dtype.itemsize == 4 else DOUBLE, na_value=np.nan)
    return {"M": "dates", "m": "durations"}.get(dtype.kind) or series.to_numpy(dtype=object)


def _of_polars(name: str, frame: Any) -> Table:
    frame = frame.collect() if hasattr(frame, "collect") else frame
    columns = frame.get_columns()
    return _of_columns(
        name, frame.columns, list(map(_polars_column, columns)), lambda at: columns[at].dtype.is_integer()
    )


def _polars_column(series: Any) -> np.ndarray | str:
    dtype = series.dtype
    kind = str(dtype.base_type())
    if dtype.is_numeric() or kind in ("Boolean", "Null"):
        types = sys.modules["polars"]
        return series.cast(types.Float32 if kind == "Float32" else types.Float64).to_numpy()
    if dtype.is_temporal():
        return "durations" if kind == "Duration" else "dates"
    if kind in ("Categorical", "Enum"):
        return "categories"
    return np.array([None, *series.to_list()], dtype=object)[1:]  # of which no entry, a list say, is taken apart


def _of_arrow(name: str, table: Any) -> Table:
    is_integer = sys.modules["pyarrow"].types.is_integer
    columns = [arrow_column(column) for column in table.columns]
    return _of_columns(name, table.column_names, columns, lambda j: is_integer(table.column(j).type))


def arrow_column(column: Any) -> np.ndarray | str:
    """Return a column of pyarrow as an array, NaN where a number is missing, or the word for what it holds instead."""
    types = sys.modules["pyarrow"].types
    kind = column.type
    if types.is_dictionary(kind):
        return "categories"
    if types.is_temporal(kind):
        return "durations" if types.is_duration(kind) else "dates"
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if number or types.is_boolean(kind) or types.is_null(kind):
        if types.is_boolean(kind):
            column = column.cast("int8")
        elif types.is_float16(kind):
            return column.to_numpy()
        wanted = "float32" if types.is_float32(kind) else "float64"
        column = column.cast(wanted, safe=False)
        return column.to_numpy(**({} if hasattr(column, "chunks") else {"zero_copy_only": False}))
    return np.array([None, *column.to_pylist()], dtype=object)[1:]


def _of_xarray(name: str, array: Any) -> Table:
    if array.ndim != 2:
        _checks.refuse(name, f"have {SHAPE}", _checks.described(f"of shape {array.shape}"))
    axis = array.dims[1]
    labels = array.coords[axis].values.tolist() if axis in array.coords else range(array.shape[1])
    found = _of_array(name, array.values)
    return _table(name, found.values, labels, lambda j: _are_integers(array.values[:, j]))


def _of_series(name: str, series: Any) -> NoReturn:
    found = _checks.described(f"a Series of {len(series)} entries")
    _checks.refuse(name, f"have {SHAPE}", found, "a table of one column is series.to_frame()")


def _of_xarray_dataset(name: str, dataset: Any) -> NoReturn:
    found = _checks.described("a Dataset")
    _checks.refuse_type(name, "be one array or a frame", found, "dataset.to_dataframe() or dataset['...'] is one")


FRAMES: dict[tuple[str, str], Callable[[str, Any], Table]] = {
    ("pandas", "DataFrame"): _of_pandas,
    ("pandas", "Series"): _of_series,
    ("polars", "DataFrame"): _of_polars,
    ("polars", "LazyFrame"): _of_polars,
    ("polars", "Series"): _of_series,
    ("pyarrow", "Table"): _of_arrow,
    ("pyarrow", "RecordBatch"): _of_arrow,
    ("xarray", "DataArray"): _of_xarray,
    ("xarray", "Dataset"): _of_xarray_dataset,
}
"""The readers of frames, by library and class."""


def _of_columns(
    name: str,
    labels: Iterable[Any],
    columns: list[np.ndarray | str],
    are_integers: Callable[[int], bool] | None = None,
    notes: Sequence[str] = (),
) -> Table:
    """Return columns side by side, or refuse all that hold no numbers by name."""
    labels = list(labels)
    found = [column if isinstance(column, str) else numbers(column) for column in columns]
    unusable = [(name_of(label), held) for label, held in zip(labels, found, strict=True) if isinstance(held, str)]
    if unusable:
        held = listed([f"{column!r} ({word})" for column, word in unusable])
        ways = [f"{word} {HINTS[word]}" for word in dict.fromkeys(word for _, word in unusable) if word in HINTS]
        several = len(unusable) > 1
        hint = f"leave out column{'s' if several else ''} {held}, or turn {'them' if several else 'it'} into numbers"
        hint = ", ".join([hint, *ways])
        one = _checks.described(f"{unusable[0][1]} in column {unusable[0][0]!r}")
        _checks.refuse_type(name, "hold numbers in every column", one, hint)
    if not found or not len(found[0]):
        _refuse_empty(name, (len(found[0]) if found else 0, len(found)))
    values = side_by_side([column for column in found if not isinstance(column, str)])
    return _table(name, values, labels, are_integers or (lambda j: _are_integers(columns[j])), notes)


def _table(
    name: str,
    values: np.ndarray,
    labels: Sequence[Any] | None,
    are_integers: Callable[[int], bool],
    notes: Sequence[str] = (),
) -> Table:
    """Return a table with what stands out in it; ``are_integers`` says whether a column was given in integers."""
    if 0 in values.shape:
        _refuse_empty(name, values.shape)
    columns = None if labels is None else names_of(labels)
    noted = [*notes]
    if columns is not None and labels is not None:
        noted += notes_on_names(list(map(name_of, labels)))
    found = [*remarks(values, columns, lambda j: str(j) if columns is None else repr(columns[j]), are_integers)]
    notes, doubts = (*noted, *(remark.note for remark in found)), tuple(remark.doubt for remark in found)
    return Table(values, columns, notes=notes, doubts=doubts)


def _are_integers(column: Any) -> bool:
    """Return whether a column of NumPy or pandas holds integers, of its own type or as objects."""
    if column.dtype.kind != "O":
        return column.dtype.kind in "iu"
    kinds = {type(entry) for entry in column if type(entry).__name__ not in MISSING_TYPES}
    return bool(kinds) and all(issubclass(kind, int) for kind in kinds)


def _refuse_empty(name: str, shape: tuple[int, ...]) -> NoReturn:
    _checks.refuse(name, "not be empty", _checks.described(f"of shape {shape}"))
