"""Columns that are no features, since they only count, number or name the rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

INDEX = (
    *("", "Unnamed: 0", "Unnamed: 0.1", "Unnamed: 0.2", "Unnamed_0", "__index_level_0__"),
    *("index", "level_0"),
)
"""What R, pandas and NumPy call an index without a name of its own, also after it was read and written again."""
COUNTED_ROWS = 5
"""Rows from which on a column without a name that counts them is an index."""
KEYS = {"id", "idx", "identifier", "key", "uid"}
"""The last words of the names of columns that tell rows apart."""
LONE_KEYS = {"index", "no", "nr", "row"}
"""Words that say so only where they are the whole name."""


def index_of(names: Sequence[str] | None, columns: Iterable[np.ndarray | str], known: Iterable[int]) -> dict[int, str]:
    """Return the first columns that hold an index, by position, each with what it does to the rows.

    Args:
        names: of the columns, or None where they have none.
        columns: the first columns, but never all, each as numbers or as the word for what it holds instead.
        known: positions of columns that are said to hold the names of the rows.

    """
    found = dict.fromkeys(sorted(known), "holds the names of the rows")
    for j, column in enumerate(columns):
        if j in found:
            continue
        why = _why(None if names is None else names[j], column)
        if not why:
            break
        found[j] = why
        if names is None:
            break
    return found


def _why(name: str | None, column: np.ndarray | str) -> str:
    if name is None:
        return "counts the rows" if len(column) >= COUNTED_ROWS and counts_rows(column) else ""
    if name not in INDEX:
        return ""
    if isinstance(column, str):
        return "names the rows"
    return "counts the rows" if counts_rows(column) else "numbers the rows" if numbers_rows(column) else ""


def counts_rows(values: np.ndarray | str) -> bool:
    """Return whether a column counts the rows: 0, 1, 2, … or 1, 2, 3, …; a word for what it holds does not."""
    if isinstance(values, str):
        return False
    return bool(len(values) > 1 and values[0] in (0, 1) and np.array_equal(values, np.arange(len(values)) + values[0]))


def numbers_rows(column: np.ndarray) -> bool:
    """Return whether a column holds different integers, as the index of a frame that was filtered or shuffled."""
    whole = bool((column >= 0).all() and _are_whole(column).all())
    return whole and len(column) > 1 and len(np.unique(column)) == len(column)


def in_equal_steps(values: np.ndarray) -> list[int]:
    """Return the columns of a table in which each row differs from the one above by the same integer, which isn't 0."""
    if len(values) < COUNTED_ROWS:
        return []
    with np.errstate(invalid="ignore"):  # infinite values, which are refused later, have no difference
        first = np.diff(values[:COUNTED_ROWS], axis=0)
        steady = (first == first[0]).all(axis=0) & (first[0] != 0) & _are_whole(first[0]) & _are_whole(values[0])
        return [j for j in np.flatnonzero(steady).tolist() if (np.diff(values[:, j]) == first[0, j]).all()]


def _are_whole(values: np.ndarray) -> np.ndarray:
    """Return where values are integers; infinite ones and NaN aren't."""
    return np.isfinite(values) & (values == np.rint(values))


def is_key(name: str) -> bool:
    """Return whether a name says that its column tells rows apart, as patient_id, userId and No do."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    return name in INDEX or bool(KEYS.intersection(words[-1:])) or (len(words) == 1 and words[0] in LONE_KEYS)
