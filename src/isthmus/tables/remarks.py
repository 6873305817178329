"""What stands out in columns of numbers and may be no measurement. It is said, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from isthmus._errors import ColumnWarning
from isthmus._warnings import warn
from isthmus.tables.columns import listed, repeated
from isthmus.tables.index import counts_rows, in_equal_steps, is_key, numbers_rows

LARGEST_INTEGER = 2**53
"""Beyond it a float no longer tells an integer from the next."""
NINES = [float("9" * whole + "." + "9" * part) for whole in range(2, 8) for part in range(3)]
LIMITS = [float(2**bits - one) for bits in (15, 31, 63) for one in (0, 1)]
STAND_INS = np.array([sign * value for value in NINES + LIMITS for sign in (1, -1)])
"""What stands for a missing value where none can be written: -999 and its kind, and the limits of integers."""
FILL_VALUE = 1e20
"""The size from which on numbers may stand for a missing value too, as NetCDF's fill values do."""
FAR = 10
"""Standard deviations of the other numbers that lie between their mean and a stand-in for a missing value."""
DAYS = (1900_01_01, 2100_12_31)
"""The first and the last day, written as a number, that a column of days may hold."""


class Remark(NamedTuple):
    """What stands out in columns.

    Attributes:
        note: a clause that says what was seen, and what to do.
        doubt: the same of any part of the rows, as folds are, so that it is said once of all of them.

    """

    note: str
    doubt: str


def remarks(
    values: np.ndarray,
    names: Sequence[str] | None,
    shown: Callable[[int], str],
    are_integers: Callable[[int], bool],
    drop: str = "",
) -> Iterator[Remark]:
    """Yield what stands out in a table, shape (n, d).

    Args:
        values: the table, NaN where a value is missing.
        names: those of the columns, or None where they have none.
        shown: returns what a column is called in messages, by its position.
        are_integers: returns whether a column was given in integers, by its position; it is asked for few.
        drop: by which means columns are left out, as in " with drop (--drop)".

    """
    low, high = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    beyond = _places((high > LARGEST_INTEGER) | (low < -LARGEST_INTEGER))
    if odd := [shown(j) for j in beyond if are_integers(j)]:
        cut = "integers beyond 2**53, of which a float keeps the first 15 digits: identifiers?"
        said = f"{_each(odd)} {cut} leave {_them(odd)} out{drop}"
        yield Remark(said, said)
    within = _places((low >= DAYS[0]) & (high <= DAYS[1]))
    if days := [j for j in within if _are_days(values[:, j])]:
        called = [shown(j) for j in days]
        advice = f"leave {_them(called)} out{drop}, or count days from one of them"
        found = f"{_each(called)} days as numbers"
        yield Remark(f"{found} such as {low[days[0]]:.0f}: {advice}", f"{found}: {advice}")
    yield from _on_row_numbers(values, names, shown, are_integers, [*beyond, *days], drop)
    suspects = _places(_may_stand_in(low) | _may_stand_in(high))
    found = [(f"column {shown(j)} holds {value:.7g}", n) for j in suspects for value, n in _stand_ins(values[:, j])]
    if found:
        advice = "missing? write NaN there and say missing='ignore'"
        noted = listed([f"{said} in {count:,} rows" for said, count in found])
        doubted = listed([f"{said} in several rows" for said, _ in found])
        yield Remark(f"{noted}: {advice}", f"{doubted}: {advice}")


def _on_row_numbers(
    values: np.ndarray,
    names: Sequence[str] | None,
    shown: Callable[[int], str],
    are_integers: Callable[[int], bool],
    said: Sequence[int],
    drop: str,
) -> Iterator[Remark]:
    """Yield which columns count the rows, go in equal steps of integers, or tell rows apart by name and integers."""
    if values.shape[1] == 1:  # what is all of a table is no number of its rows
        return
    running = set(in_equal_steps(values)).difference(said)
    keys = {j for j, name in enumerate(names or ()) if is_key(name)}.difference(said)
    counts = sorted(j for j in running | keys if counts_rows(values[:, j]))
    steps = sorted(j for j in running.difference(counts) if are_integers(j))
    apart = sorted(j for j in keys.difference(counts, steps) if numbers_rows(values[:, j]))
    for found, verbs, guess in (
        (counts, ("counts", "count"), "the rows:"),
        (steps, ("goes", "go"), "in equal steps of integers: a running number?"),
        (apart, ("holds", "hold"), "a different integer in each row: an identifier?"),
    ):
        if found:
            called = [shown(j) for j in found]
            advice = f"leave {_them(called)} out{drop}"
            yield Remark(
                f"{_each(called, *verbs)} {guess} {advice}", f"{_each(called, 'numbers', 'number')} the rows: {advice}"
            )


def warn_of_columns(name: str, doubts: Sequence[str]) -> None:
    """Warn of columns of the argument ``name`` that may be no measurements, if there are such doubts."""
    if doubts:
        warn(f"Argument {name!r} may hold what is no measurement: {'; '.join(doubts)}.", ColumnWarning, once=True)


def notes_on_names(names: Sequence[str]) -> Iterator[str]:
    """Yield what was done where columns have one name."""
    if twice := repeated(names):
        yield f"columns with one name, {listed([repr(name) for name in twice])}, were told apart by .1, .2, …"


def _places(chosen: np.ndarray) -> list[int]:
    return np.flatnonzero(chosen).tolist()


def _each(columns: Sequence[str], verb: str = "holds", plural: str = "hold") -> str:
    return f"column {columns[0]} {verb}" if len(columns) == 1 else f"columns {listed(columns)} {plural}"


def _them(columns: Sequence[str]) -> str:
    return "it" if len(columns) == 1 else "them"


def _are_days(column: np.ndarray) -> bool:
    """Return whether all numbers of a column are days, as 20240131, and not all the same."""
    present = column[~np.isnan(column)]
    month, day = present // 100 % 100, present % 100
    valid = (present % 1 == 0) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    return bool(valid.all() and (present != present[0]).any())


def _may_stand_in(values: np.ndarray) -> np.ndarray:
    return np.isin(values, STAND_INS.astype(values.dtype)) | (np.abs(values) >= FILL_VALUE)


def _stand_ins(column: np.ndarray) -> Iterator[tuple[float, int]]:
    """Yield the numbers of a column that recur, are like a stand-in, and lie far from all that aren't; how often."""
    like = _may_stand_in(column)
    others = column[~like & ~np.isnan(column)].astype(float)
    if not len(others):
        return
    mean, deviation = others.mean(), others.std()
    for value, count in zip(*np.unique(column[like], return_counts=True), strict=True):
        if count > 1 and abs(value - mean) > FAR * deviation:
            yield value, count
