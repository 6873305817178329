"""What the estimator is given: tables as numbers that scikit-learn can check, and weights of their rows."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array

from isthmus import _checks
from isthmus.core.scaling import DOUBLE, row_slices
from isthmus.estimator.names import KeepsColumns, Names, check_features, compare, names_of
from isthmus.tables.columns import listed
from isthmus.tables.columns import numbers as numbers_of
from isthmus.tables.frames import as_table, belongs
from isthmus.tables.remarks import warn_of_columns

FLOATS = [np.float64, np.float32]
REMEDY = "remove or impute them"
REMEDY_OR_IGNORE = f"{REMEDY}, or leave them out of the loss by missing='ignore'"
"""What to do about missing entries where they can be ignored."""


def checked(
    estimator: KeepsColumns,
    X: Any,
    *,
    reset: bool,
    name: str = "X",
    holes: bool = False,
    hint: str = REMEDY_OR_IGNORE,
    ensure_min_samples: int = 1,
    learned: bool = False,
) -> Any:
    """Return X as finite numbers of float32 or float64, an array or sparse with compressed rows.

    With ``holes`` entries of an array may be NaN, which those are that are masked, or missing in a frame. The names of
    columns, and their number, are remembered by the estimator, or compared with those it has (``reset``).

    Args:
        estimator: what X is given to.
        X: points, shape (n, d).
        reset: whether this is a fit.
        name: the argument that brought them. Shapes of 'X' are refused in scikit-learn's words.
        holes: whether entries may be missing.
        hint: what to do where they may not.
        ensure_min_samples: rows at the least.
        learned: whether X is learned from, so that columns that may be no measurements are said, once an estimator.

    Raises:
        ArgumentError: where an entry is infinite, or missing and may not be; ValueError where a shape is wrong.

    """
    X = X.collect() if belongs(X, "polars", "LazyFrame") else X
    values, columns, doubts = read(name, X)
    if name == "X":
        points = as_floats(values, estimator=estimator, ensure_min_samples=ensure_min_samples)
        check_features(estimator, X, points, columns, reset=reset)
    else:
        compare(estimator, name, columns)
        _check_shape(name, values, estimator.n_features_in_)
        points = as_floats(values)
    if sparse.issparse(points) and not points.has_canonical_format:
        points = points.copy()  # the caller's stays as it is
        points.sum_duplicates()
    check_finite(name, points, columns, holes, hint)
    _checks.finite_squares(name, points.data if sparse.issparse(points) else points, points.shape[1])
    if learned:
        warn_of_columns(name, [doubt for doubt in doubts if doubt not in estimator._doubts])
        estimator._doubts = tuple(dict.fromkeys((*estimator._doubts, *doubts)))
    return points


def read(name: str, X: Any) -> tuple[Any, Names, Sequence[str]]:
    """Return a table as an array that scikit-learn can check, NaN where an entry is missing, names, and doubts."""
    if sparse.issparse(X) or (name == "X" and _is_for_sklearn(X)):
        return X, None, ()
    table = as_table(name, X)
    return table.values, names_of(X, table.columns), table.doubts


def as_floats(values: Any, *, ensure_min_samples: int = 1, estimator: Any = None, sparse: bool = True) -> Any:
    """Return an array of float32 or float64, or sparse with compressed rows, of which no entry was looked at."""
    return check_array(
        values,
        input_name="X",
        accept_sparse="csr" if sparse else False,  # pyright: ignore[reportArgumentType]
        dtype=FLOATS,  # pyright: ignore[reportArgumentType]
        ensure_all_finite=False,
        ensure_min_samples=ensure_min_samples,
        estimator=estimator,
    )


def check_finite(name: str, points: Any, columns: Names, holes: bool, hint: str) -> None:
    """Refuse entries that are missing or infinite, and say in which columns; with ``holes`` entries may be missing."""
    counts = np.zeros(points.shape[1], int)
    if sparse.issparse(points):
        kind, hint = "NaN or infinite", REMEDY
        counts += np.bincount(points.indices[~np.isfinite(points.data)], minlength=len(counts))
    else:
        kind = "plus or minus infinity" if holes else "missing, NaN or infinite"
        for rows in row_slices(points.shape):
            part = points[rows]
            bad = np.isinf(part) if holes else ~np.isfinite(part)
            if bad.any():
                counts += bad.sum(axis=0)
                hint = REMEDY if np.isinf(part).any() else hint  # what is infinite can't be ignored
    bad_columns = np.flatnonzero(counts).tolist()
    if bad_columns:
        found = f"{kind} in {int(counts.sum())} of {points.shape[0] * points.shape[1]} entries"
        which = listed([repr(j if columns is None else columns[j]) for j in bad_columns])
        where = f"they are in column{'s' if len(bad_columns) > 1 else ''} {which}"
        _checks.refuse(name, "be finite", _checks.described(found), f"{where}: {hint}")


def checked_weights(sample_weight: Any, count: int) -> np.ndarray:
    """Return weights of rows in double precision, shape (n,), in the unit in which they are given, ones for None.

    Raises:
        ArgumentError: where one is negative, missing or masked, or all are 0.
        ArgumentTypeError: where they are no numbers.

    """
    name = "sample_weight"
    if sample_weight is None:
        return np.ones(count)
    if isinstance(sample_weight, numbers.Number):
        return np.full(count, _checks.real(name, sample_weight, above=0))
    weights = _checks.array(name, _unpacked(name, sample_weight), (count,), DOUBLE)
    if weights.min() < 0:
        _checks.refuse(name, "be non-negative", _checks.described(f"{weights.min():g} in row {weights.argmin()}"))
    if not weights.any():
        _checks.refuse(name, "hold a weight that is not zero", _checks.described("zero throughout"))
    return weights


def _check_shape(name: str, values: Any, columns: int) -> None:
    """Refuse a second table that is empty or hasn't the columns of the first."""
    shape = _checks.described(f"of shape {values.shape}")
    if values.shape[1] != columns:
        _checks.refuse(name, f"have {columns} columns, as X has", shape)
    if not values.shape[0]:
        _checks.refuse(name, "not be empty", shape)


def _is_for_sklearn(X: Any) -> bool:
    """Return whether X has a shape or type that scikit-learn is to refuse, in its own well-known words."""
    if not isinstance(X, np.ndarray):
        return not (isinstance(X, list | tuple) or hasattr(X, "shape") or hasattr(X, "__array__"))
    if X.dtype.names:
        return False
    if X.ndim != 2 or 0 in X.shape or X.dtype.kind == "c":
        return True
    return X.dtype.kind == "O" and isinstance(found := numbers_of(X), str) and found == "objects"


def _unpacked(name: str, values: Any) -> Any:
    """Return values as an array of numbers, NaN for objects that stand for a missing one; masked ones stay so."""
    if np.ma.isMaskedArray(values):
        return values
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Warning: converting a masked element to nan")
            array = np.asarray(values)
    except Exception:  # asking a stranger's object for its array may raise anything
        return values
    found = numbers_of(array)
    if isinstance(found, str):
        _checks.refuse_type(name, "hold numbers", _checks.described(found))
    return found
