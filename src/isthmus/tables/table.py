"""What every file, frame or array becomes: numbers with NaN where one is missing, names, and what was assumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers in rows and columns.

    Attributes:
        values: shape (n, d), float32 or float64, NaN where a value is missing.
        columns: d distinct names, or None where the columns have none.
        labels: shape (n,), the column that isn't a feature, or None.
        notes: what was assumed in reading, a clause each, as in "column '' counts the rows and was left out".
        doubts: which columns of a frame or array may be no measurements, a clause each.

    """

    values: np.ndarray
    columns: tuple[str, ...] | None = None
    labels: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass
class Raw:
    """All columns of a file.

    Attributes:
        values: shape (n, d), NaN where a number is missing and in columns that hold none.
        names: those of the columns, '' where one has none, or None where all have none.
        odd: what columns hold that hold no numbers, in words, by their position.
        entries: returns the entries of a column as they stand.
        where: returns where in the file a row stands, in words.
        notes: what was assumed.
        index: positions of columns that the file itself says hold the names of rows.
        label_arrays: other arrays of the file, of shape (n,), that may label points.

    """

    values: np.ndarray
    names: Sequence[str] | None
    odd: dict[int, str]
    entries: Callable[[int], np.ndarray]
    where: Callable[[int], str]
    notes: list[str] = field(default_factory=list)
    index: set[int] = field(default_factory=set)
    label_arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def name_of(self, j: int) -> str:
        """Return the name of a column, or its position where it has none."""
        return repr(self.names[j]) if self.names is not None else str(j)
