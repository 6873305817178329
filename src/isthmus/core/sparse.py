"""Sparse tables, matrices of SciPy with compressed rows (CSR), without copies in which zeros are stored.

Small ones are treated as what they are when they are dense, some rows at a time, so that results are the same to the
last bit. Of large ones means, spreads and products are made from the entries that are stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus._precision import DOUBLE

LARGE = 1 << 27
"""Entries, zeros included, from which on a sparse table is treated by the entries that are stored."""


def dense(points: Any, rows: Any = slice(None), columns: slice = slice(None)) -> np.ndarray:
    """Return a part of a table, sparse or not, as an array of its type."""
    part = points[rows, columns]
    return part if isinstance(part, np.ndarray) else part.toarray()


def is_sparse(points: Any) -> bool:
    """Whether a table is sparse."""
    return not isinstance(points, np.ndarray)


def by_entries(points: Any) -> bool:
    """Whether a table is sparse, and so large that only the entries that are stored should be looked at."""
    return is_sparse(points) and points.shape[0] * points.shape[1] > LARGE


def means(points: Any, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the means of columns, what they have beyond their last digits, and 1, for weights of sum 1."""
    points, chances = _present(points, weights)
    origin = np.where(_full(points), points[[0]].toarray()[0].astype(DOUBLE), 0.0)  # other columns begin at 0
    total = _column_sums(points, chances * (points.data - origin[points.indices]))
    mean = origin + total
    return mean, (origin - mean) + total, np.ones_like(mean)


def largest(points: Any, weights: np.ndarray, units: Any) -> np.ndarray:
    """Return the largest |x − mean| in each column, shape (d,)."""
    points, _ = _present(points, weights)
    found = np.where(_full(points), 0.0, np.abs(units.mean))
    np.maximum.at(found, points.indices, np.abs(_from_mean(points, units)))
    return found


def squares(points: Any, weights: np.ndarray, units: Any, size: np.ndarray) -> np.ndarray:
    """Return the mean of ((x − mean)/size)² in each column, shape (d,), for weights of sum 1."""
    points, chances = _present(points, weights)
    stored = _column_sums(points, chances * (_from_mean(points, units) / size[points.indices]) ** 2)
    absent = np.where(_full(points), 0.0, np.maximum(1 - _column_sums(points, chances), 0.0))
    return stored + absent * (units.mean / size) ** 2


def row_squares(points: Any, mean: np.ndarray) -> np.ndarray:
    """Return |x − mean|² of each row, shape (n,)."""
    centre = mean[points.indices]
    changes = points.data.astype(DOUBLE) * (points.data - 2 * centre)  # (x − m)² − m²
    rows = np.repeat(np.arange(points.shape[0]), np.diff(points.indptr))
    return np.bincount(rows, changes, minlength=points.shape[0]) + float(mean @ mean)


def row_sums(points: Any, values: np.ndarray) -> np.ndarray:
    """Return the sums over rows of unsigned integers that belong to the stored entries, modulo 2⁶⁴, shape (n,)."""
    ends = np.concatenate([np.zeros(1, values.dtype), np.cumsum(values, dtype=values.dtype)])
    return np.diff(ends[points.indptr])


def _from_mean(points: Any, units: Any) -> np.ndarray:
    """Return x − mean of the stored entries, in double precision."""
    return (points.data - units.mean[points.indices]) - units.rest[points.indices]


def _present(points: Any, weights: np.ndarray) -> tuple[Any, np.ndarray]:
    """Return the rows of positive weight, and the weight of each entry."""
    rows = weights > 0
    points = points if rows.all() else points[rows]
    return points, np.repeat(weights[rows], np.diff(points.indptr))


def _full(points: Any) -> np.ndarray:
    """Return which columns have every entry stored, shape (d,)."""
    return np.bincount(points.indices, minlength=points.shape[1]) == points.shape[0]


def _column_sums(points: Any, values: np.ndarray) -> np.ndarray:
    return np.bincount(points.indices, values, minlength=points.shape[1])
