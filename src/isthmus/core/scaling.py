"""Centring and scaling in double precision of arrays that may be large, far from 0, or have holes.

An entry that is NaN is missing. Means and spreads are those of the entries that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from isthmus._precision import DOUBLE
from isthmus.core import sparse
from isthmus.core.sparse import by_entries, dense, is_sparse

Scale = Literal["none", "total", "features", "robust"]
SCALES: tuple[Scale, ...] = ("none", "total", "features", "robust")
ROWS_AT_ONCE = 4096
"""Rows of an array that are copied together, at most."""
ENTRIES_AT_ONCE = 1 << 20
"""Entries of an array that are copied together, at most, where a row has fewer."""
ROWS_OF_A_TILE = 256
"""Rows that are copied together where rows need not be whole, if there are so many."""
ROUNDING = 1
"""Multiple of eps × |mean| within which entries are a constant that was rounded: a few neighbouring numbers, no more.

A table of readings a few steps of its type apart is data, as time stamps or identifiers often are.
"""
LEVEL_TOLERANCE = 1e-6
"""Relative difference below which a sum of weights has reached a quartile."""
NORMAL_QUARTILES = 1.3489795003921634
"""The distance between the quartiles of the standard normal law."""


class Scaling(NamedTuple):
    """x ↦ (x − mean)/unit, computed in double precision whatever the type.

    Attributes:
        mean: shape (d,).
        unit: one number for all columns, or one for each, shape (d,).
        rest: what the mean has beyond the last digit of ``mean``, shape (d,): offsets of time stamps leave few digits.
        noise: distance from the mean within which an entry is at the mean, shape (d,): 0, but in a column that holds
            nothing but rounding. None where there is no such column.

    """

    mean: np.ndarray
    unit: float | np.ndarray
    rest: np.ndarray | float = 0.0
    noise: np.ndarray | None = None

    @property
    def is_flat(self) -> bool:
        """Whether no column varies."""
        return self.noise is not None and bool((self.noise > 0).all())

    def of_columns(self, part: slice) -> Scaling:
        """Return the scaling of some of the columns."""
        unit, rest = (field if np.ndim(field) == 0 else np.asarray(field)[part] for field in (self.unit, self.rest))
        return Scaling(self.mean[part], unit, rest, None if self.noise is None else self.noise[part])  # pyright: ignore[reportArgumentType]

    def of(self, points: Any, dtype: np.dtype | None = None) -> np.ndarray:
        """Return points, an array or sparse, in the units of the computation, in their own type or another.

        Some rows at a time are computed in double precision.
        """
        scaled = np.empty(points.shape, dtype or points.dtype)
        for rows in row_slices(points.shape):
            scaled[rows] = self.precisely(dense(points, rows))
        return scaled

    def precisely(self, points: np.ndarray) -> Float[np.ndarray, "n d"]:
        """Return points in the units of the computation, in double precision."""
        scaled = points.astype(DOUBLE)
        scaled -= self.mean
        if self.noise is not None:
            flat = np.flatnonzero(self.noise)
            scaled[:, flat] = np.where(np.abs(scaled[:, flat]) <= self.noise[flat], 0.0, scaled[:, flat])
        scaled -= self.rest
        scaled /= self.unit
        return scaled

    def undone(self, points: np.ndarray) -> np.ndarray:
        """Return points in the units of the data, in their own type."""
        restored = points.astype(DOUBLE)
        restored *= self.unit
        restored += self.rest
        restored += self.mean
        return restored.astype(points.dtype, copy=False)


def scaling(points: Any, weights: Float[np.ndarray, " n"], scale: Scale = "total") -> Scaling:
    """Return the scaling that subtracts the mean and divides by the unit that ``scale`` names, for weights of sum 1.

    - 'none': 1.
    - 'total': √Σ_j Var x_j, one number, after which E|x|² = 1.
    - 'features': √(d Var x_j), after which E|x|² = 1 too where all columns vary.
    - 'robust': √d times the distance between the quartiles, which is that of a normal law of standard deviation 1/√d
      afterwards; the standard deviation where half of the entries are the same.

    A column that doesn't vary, or by rounding alone, is at its mean, and the unit is 1 where nothing else sets it.
    Differences from one of the points are averaged, so that an offset that is large beside the spread, or a spread
    whose squares leave the range of double precision, costs no digits.

    Args:
        points: shape (n, d), an array or sparse, NaN where an entry is missing.
        weights: shape (n,).
        scale: as above.

    """
    means, largest_of, squares_of = BY_ENTRIES if by_entries(points) else BY_ROWS
    mean, rest, masses = means(points, weights)
    largest = np.nan_to_num(largest_of(points, weights, Scaling(mean, 1.0, rest)))
    limits = np.finfo(points.dtype)
    noise = np.maximum(ROUNDING * limits.eps * np.abs(mean), np.finfo(DOUBLE).smallest_subnormal)
    varies = largest > noise
    units = Scaling(mean, 1.0, np.where(varies, rest, 0.0), None if varies.all() else np.where(varies, 0.0, noise))
    if scale == "none" or not varies.any():
        return units
    size = np.where(varies, largest, 1.0)
    squares = squares_of(points, weights, units, size)
    spreads = np.where(varies, size * np.sqrt(squares / masses), 0.0)
    if scale == "total":
        biggest = float(spreads.max())
        return units._replace(unit=biggest * float(np.linalg.norm(spreads / biggest)))
    if scale == "robust":
        quartiles = _interquartile_ranges(points, weights) / NORMAL_QUARTILES
        spreads = np.where(varies & (quartiles > noise), quartiles, spreads)
    return units._replace(unit=np.where(varies, spreads * np.sqrt(len(mean)), 1.0))


def _means(points: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the means of columns, what they have beyond their last digits, and the weight of the entries there."""
    origin, total, masses = np.full(points.shape[1], np.nan), 0.0, 0.0
    for block, part in blocks(points, weights):
        observed = ~np.isnan(block)
        new = np.isnan(origin) & observed.any(axis=0)
        if new.any():
            origin[new] = block[observed.argmax(axis=0)[new], new]
        total = total + part @ np.where(observed, block - origin, 0.0)
        masses = masses + part @ observed
    origin, masses = np.nan_to_num(origin), np.where(masses > 0, masses, 1.0)
    mean = origin + total / masses
    return mean, (origin - mean) + total / masses, masses


def _largest(points: np.ndarray, weights: np.ndarray, units: Scaling) -> np.ndarray:
    """Return the largest |x| of scaled points in each column, shape (d,)."""
    largest = np.zeros(points.shape[1])
    for block, _ in blocks(points, weights):
        np.fmax(largest, np.fmax.reduce(np.abs(units.precisely(block)), axis=0), out=largest)
    return largest


def _squares(points: np.ndarray, weights: np.ndarray, units: Scaling, size: np.ndarray) -> np.ndarray:
    """Return the mean of (x/size)² of scaled points in each column, shape (d,), where entries are there."""
    squares = np.zeros(points.shape[1])
    for block, part in blocks(points, weights):
        squares += part @ np.nan_to_num((units.precisely(block) / size) ** 2)
    return squares


BY_ROWS = _means, _largest, _squares
BY_ENTRIES = sparse.means, sparse.largest, sparse.squares
"""What a scaling is made of, from rows or from the stored entries of large sparse tables."""


def _interquartile_ranges(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the distance between the quartiles of each column, shape (d,), some columns at a time."""
    rows = np.flatnonzero(weights > 0)
    chances, step = weights[rows].astype(DOUBLE), max(1, ENTRIES_AT_ONCE // len(rows))
    ranges = []
    for first in range(0, points.shape[1], step):
        columns = points[rows, first : first + step].astype(DOUBLE)
        order = np.argsort(columns, axis=0)  # NaN comes last
        ordered = np.take_along_axis(columns, order, axis=0)
        reached = np.cumsum(np.where(np.isnan(ordered), 0.0, chances[order]), axis=0)
        low, high = (
            np.take_along_axis(ordered, (reached >= level * reached[-1]).argmax(axis=0)[None, :], axis=0)[0]
            for level in (0.25 * (1 - LEVEL_TOLERANCE), 0.75 * (1 - LEVEL_TOLERANCE))
        )
        ranges.append(np.nan_to_num(high - low))
    return np.concatenate(ranges)


def blocks(points: np.ndarray, weights: np.ndarray, least: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the points of positive weight in double precision, ``least`` rows or more at a time, with their weights."""
    for rows in row_slices(points.shape, least):
        part = weights[rows]
        present = part > 0
        if present.any():
            block = dense(points, rows)
            yield (block if present.all() else block[present]).astype(DOUBLE), part[present].astype(DOUBLE)


def row_slices(shape: tuple[int, ...], least: int = 1) -> Iterator[slice]:
    """Yield the rows of a table that are copied together, ``least`` of them or more."""
    step = max(least, rows_at_once(shape[1]))
    return (slice(first, first + step) for first in range(0, shape[0], step))


def tiles(shape: tuple[int, ...], inner: int = 1) -> Iterator[tuple[slice, slice]]:
    """Yield the parts of a table that are copied together, where what is computed needs no whole rows.

    It is a product with a matrix of ``inner`` columns, of which parts are copied too.
    """
    step = max(rows_at_once(shape[1]), min(shape[0], ROWS_OF_A_TILE))
    columns = min(shape[1], max(1, ENTRIES_AT_ONCE // max(step, inner)))
    for first in range(0, shape[0], step):
        for column in range(0, shape[1], columns):
            yield slice(first, first + step), slice(column, column + columns)


def row_sums(points: Any, function: Callable[[np.ndarray, Any], np.ndarray]) -> np.ndarray:
    """Return Σ_j function(x_j, j) of each row modulo 2⁶⁴, for a function of entries and columns that is 0 where x_j is.

    It is one that returns unsigned integers.
    """
    if is_sparse(points):
        return sparse.row_sums(points, function(points.data, points.indices))
    sums = np.empty(points.shape[0], np.uint64)
    for rows in row_slices(points.shape):
        sums[rows] = function(points[rows], slice(None)).sum(axis=1, dtype=np.uint64)
    return sums


def rows_at_once(columns: int) -> int:
    """Return how many rows of so many columns are copied together."""
    return min(ROWS_AT_ONCE, max(1, ENTRIES_AT_ONCE // columns))
