"""What the estimator is given as X: arrays, frames and sparse tables, as numbers that scikit-learn can check."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, validate_data

from isthmus import _checks
from isthmus._errors import ArgumentTypeError
from isthmus.core.scaling import row_slices
from isthmus.tables.frames import as_table

FLOATS = [np.float64, np.float32]


def checked(estimator: Any, X: Any, *, reset: bool, holes: bool = False, **options: Any) -> Any:
    """Return X as finite numbers of float32 or float64, an array or sparse with compressed rows, as scikit-learn does.

    With ``holes`` entries of an array may be NaN, which those are that are masked, or missing in a frame. The names of
    columns, and their number, are remembered by the estimator, or compared with those it has (``reset``).
    """
    validate: Any = validate_data
    finite: Any = "allow-nan" if holes and not sparse.issparse(X) else True
    options = {"dtype": FLOATS, "accept_sparse": "csr", "ensure_all_finite": finite} | options
    X = X.collect() if _is_of(X, "polars", "LazyFrame") else X
    numbers = _numbers(X)
    if numbers is X:
        points = validate(estimator, X, reset=reset, **options)
    else:
        points = check_array(numbers, input_name="X", estimator=estimator, **options)
        validate(estimator, X, reset=reset, skip_check_array=True)
    if sparse.issparse(points) and not points.has_canonical_format:
        points = points.copy()  # the caller's stays as it is
        points.sum_duplicates()
    stored = points.data if sparse.issparse(points) else points
    _checks.finite_squares("X", stored, points.shape[1])
    return points


def has_missing(points: Any) -> bool:
    """Return whether an entry of checked points is missing; None has none."""
    if points is None or sparse.issparse(points):
        return False
    return any(np.isnan(points[rows]).any() for rows in row_slices(points.shape))


def _numbers(X: Any) -> Any:
    """Return what no array can say of itself, frames, masked entries and missing objects, as an array; else X."""
    if sparse.issparse(X):
        return X
    objects = isinstance(X, np.ndarray) and X.dtype.kind == "O"
    plain = isinstance(X, np.ndarray) and not np.ma.isMaskedArray(X) and not objects
    if plain or (isinstance(X, list | tuple) and not any(map(np.ma.isMaskedArray, X))):
        return X
    if not (isinstance(X, list | tuple | np.ndarray) or hasattr(X, "shape")):
        return X  # scikit-learn says what is wrong with it
    try:
        return as_table("X", X).values
    except ArgumentTypeError:
        if objects:
            return X
        raise


def _is_of(value: Any, library: str, kind: str) -> bool:
    found = getattr(sys.modules.get(library), kind, None)
    return found is not None and isinstance(value, found)
