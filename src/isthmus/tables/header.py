"""The first lines of a text file: which of them hold names, which hold units, and where the points begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from isthmus.tables.columns import listed
from isthmus.tables.dialect import COMMENTS, Dialect, Record
from isthmus.tables.entries import TRUTH, block_of, is_missing, is_number
from isthmus.tables.index import counts_rows
from isthmus.tables.lines import Unreadable

YEARS = (1900, 2100)
"""The first and the last year that may be the name of a column."""
RISING_NAMES = 6
"""Numbers that rise from column to column and may be names: by chance so many do once in 720 times."""
INFINITE = ("inf", "infinity")
"""Words that some programs write for a number."""
RISING_SHARE = 0.05
"""Share of the rows below that rise, under which a first line that does is more likely one of names."""


class Head(NamedTuple):
    """What stands above the points.

    Attributes:
        names: those of the columns, '' where one has none, or None where all have none.
        rows: how many records come before the first point.
        notes: what was assumed.

    """

    names: list[str] | None
    rows: int
    notes: tuple[str, ...] = ()


def head_of(sample: Sequence[Record], comments: Sequence[str], header: bool | None, dialect: Dialect) -> Head:
    """Return what stands above the points of a table.

    Args:
        sample: the first records, of one length but for the names above nameless row names.
        comments: the lines that stand before the first record.
        header: whether the first record holds names, or None where that is to be found.
        dialect: of the file.

    Raises:
        Unreadable: where the first record may be names or a point.

    """
    first, *below = sample
    if header is None:
        header = _has_names(first, below, dialect)
    if not header:
        names = _names_in_comment(comments, len(first.fields), dialect)
        return Head(names, 0, ("the names of its columns are those of the comment above them",) if names else ())
    names = [name.strip() for name in first.fields]
    if below and _are_units(below[0], below[1:], dialect):
        units = below[0].fields
        named = [_with_unit(name, unit) for name, unit in zip(names, units, strict=False)]
        shown = ", ".join(unit.strip() for unit in units if unit.strip())
        return Head(named, 2, (f"line {below[0].line} holds units: {shown}",))
    return Head(names, 1)


def _with_unit(name: str, unit: str) -> str:
    unit = unit.strip().removeprefix("[").removesuffix("]").removeprefix("(").removesuffix(")")
    return f"{name} [{unit}]" if unit and not is_missing(unit) else name


def _are_units(record: Record, below: Sequence[Record], dialect: Dialect) -> bool:
    """Return whether a line of text without any number stands above numbers."""
    words = [j for j, entry in enumerate(record.fields) if not is_missing(entry)]
    if not words or any(is_number(record.fields[j], dialect.decimal) for j in words):
        return False
    rows = [row.fields for row in below if len(row.fields) == len(record.fields)]
    return bool(rows) and any(all(is_number(row[j], dialect.decimal) for row in rows) for j in words)


def _names_in_comment(comments: Sequence[str], width: int, dialect: Dialect) -> list[str] | None:
    """Return the names that the last comment above the points holds, if it holds as many as there are columns."""
    if not comments:
        return None
    line = comments[-1].lstrip().lstrip("".join(COMMENTS))
    try:
        split = [field for record in dialect.records([(1, line)]) for field in record.fields]
    except Unreadable:
        split = []
    for names in (split, line.split()):
        if len(names) == width and any(not is_number(name, dialect.decimal) for name in names):
            return [name.strip() for name in names]
    return None


def _has_names(first: Record, below: Sequence[Record], dialect: Dialect) -> bool:
    """Return whether the first record holds names, or refuse a file that may mean either."""
    fields, decimal = first.fields, dialect.decimal
    if below and all(len(record.fields) == len(fields) + 1 for record in below):
        return True  # R's, above rows that have names themselves
    rows = [record.fields for record in below if len(record.fields) == len(fields)]
    columns = [[row[j].strip() for row in rows] for j in range(len(fields))]
    numeric = [j for j, entry in enumerate(fields) if is_number(entry, decimal)]
    text = [j for j, entry in enumerate(fields) if not is_missing(entry) and j not in numeric]
    if text and all(fields[j].strip().lower() in TRUTH for j in text):
        return False
    if numeric and text and all(fields[j].strip().lower().lstrip("+-") in INFINITE for j in text):
        raise _ambiguous(first)
    if text and (not numeric or not rows or any(_are_numbers(columns[j], decimal) for j in text)):
        return True  # a word above numbers
    if not numeric and not text and any(_are_numbers(column, decimal) for column in columns):
        raise _ambiguous(first)  # NA may be sodium
    under = [j for j in numeric if _are_numbers(columns[j], decimal)]
    if not under or not _may_be_names([fields[j] for j in under], [columns[j] for j in under], decimal):
        return not numeric and not text
    for j in set(range(len(fields))) - set(numeric):
        words = not _are_numbers(columns[j], decimal) and fields[j].strip() not in columns[j]
        if words or counts_rows(np.array([float(entry) if entry.isdigit() else -1.0 for entry in columns[j]])):
            return True  # a name, or none, above the names or the numbers of the rows
    raise _ambiguous(first)


def _are_numbers(column: Sequence[str], decimal: str) -> bool:
    """Return whether the entries below are numbers, but for missing ones."""
    present = [entry for entry in column if not is_missing(entry)]
    return bool(present) and all(is_number(entry, decimal) for entry in present)


def _may_be_names(entries: Sequence[str], columns: Sequence[Sequence[str]], decimal: str) -> bool:
    """Return whether a line of numbers may as well hold names, judged by those below it, columns of entries."""
    integers = all(entry.strip().isdigit() for entry in entries)
    present = [entry for column in columns for entry in column if not is_missing(entry)]
    if integers and not any(entry.lstrip("+-").isdigit() for entry in present):
        return True  # integers above numbers that all have decimals
    first = _as_numbers(entries, decimal)
    below = np.array([_as_numbers(row, decimal) for row in zip(*columns, strict=True)])
    below = below[~np.isnan(below).any(axis=1)]
    if not len(below):
        return False
    steps, steps_below = np.diff(first), np.diff(below, axis=1)
    rising, all_rising = bool((steps > 0).all()), (steps_below > 0).all(axis=1)
    if integers and rising and YEARS[0] <= first[0] and first[-1] <= YEARS[1]:
        return bool(((below >= YEARS[0]) & (below <= YEARS[1])).mean() < 1 / 2)
    if integers and first[0] in (0, 1) and (steps == 1).all() and (len(first) > 1 or first[0] == 0):
        goes_on = np.array_equal(below, first + len(first) * np.arange(1, len(below) + 1)[:, None])
        return not goes_on and (first[0] == 0 or not (below == first).all(axis=1).any())
    if integers and len(first) > 1 and len(set(first)) == len(first) and (below % 1 != 0).any(axis=0).all():
        return True
    if len(first) > 2 and steps[0] != 0 and np.allclose(steps, steps[0], rtol=1e-6, atol=0):
        return bool(np.isclose(steps_below, steps_below[:, :1], rtol=1e-6, atol=0).all(axis=1).mean() <= 1 / 2)
    return len(first) >= RISING_NAMES and rising and bool(all_rising.mean() < RISING_SHARE)


def _as_numbers(entries: Sequence[str], decimal: str) -> np.ndarray:
    return block_of([list(entries)], decimal).values[0]


def _ambiguous(first: Record) -> Unreadable:
    shown = listed([entry.strip() for entry in first.fields])
    return Unreadable(
        f"line {first.line}, {shown}, may hold the names of the columns or the first point; say header=True or "
        f"header=False (--header or --no-header)"
    )
