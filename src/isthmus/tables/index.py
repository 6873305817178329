"""Columns that are no features, since they only count, number or name the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

INDEX = (
    *("", "Unnamed: 0", "Unnamed: 0.1", "Unnamed: 0.2", "Unnamed_0", "__index_level_0__"),
    *("index", "level_0"),
)
"""What R, pandas and NumPy call an index without a name of its own, also after it was read and written again."""
SURELY_A_COUNT = 5
"""Without names, so many rows make a column that counts them an index."""


def index_of(names: Sequence[str] | None, columns: Iterable[np.ndarray | str], known: Iterable[int]) -> dict[int, str]:
    """Return the first columns that hold an index, by place, each with what it does to the rows.

    Args:
        names: of the columns, or None where they have none.
        columns: the first columns, but never all, each as numbers or as the word for what it holds instead.
        known: places of columns that are said to hold the names of the rows.

    """
    found = dict.fromkeys(sorted(known), "holds the names of the rows")
    for place, column in enumerate(columns):
        if place in found:
            continue
        why = _why(None if names is None else names[place], column)
        if not why:
            break
        found[place] = why
        if names is None:
            break
    return found


def _why(name: str | None, column: np.ndarray | str) -> str:
    if name is None:
        return "counts the rows" if len(column) >= SURELY_A_COUNT and _counts(column) else ""
    if name not in INDEX:
        return ""
    if isinstance(column, str):
        return "names the rows"
    return "counts the rows" if counts_rows(column) else "numbers the rows" if _numbers(column) else ""


def _counts(column: np.ndarray | str) -> bool:
    return not isinstance(column, str) and counts_rows(column)


def counts_rows(values: np.ndarray) -> bool:
    """Return whether a column counts the rows: 0, 1, 2, … or 1, 2, 3, …"""
    return bool(len(values) > 1 and values[0] in (0, 1) and np.array_equal(values, np.arange(len(values)) + values[0]))


def _numbers(column: np.ndarray) -> bool:
    """Return whether a column holds different integers, as the index of a frame that was filtered or shuffled."""
    return bool((column >= 0).all() and (column % 1 == 0).all() and len(np.unique(column)) == len(column))
