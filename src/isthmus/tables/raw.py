"""What a file holds before it is said which of its columns are features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Raw:
    """All columns of a file.

    Attributes:
        values: shape (n, d), NaN where a number is missing and in columns that hold none.
        names: those of the columns, '' where one has none, or None where all have none.
        odd: what columns hold that hold no numbers, in words, by their place.
        entries: returns the entries of a column as they stand.
        where: returns where in the file a row stands, in words.
        notes: what was assumed.
        index: places of columns that the file itself says hold the names of rows.
        beside: other arrays of the file, of shape (n,), that may label points.

    """

    values: np.ndarray
    names: Sequence[str] | None
    odd: dict[int, str]
    entries: Callable[[int], np.ndarray]
    where: Callable[[int], str]
    notes: list[str] = field(default_factory=list)
    index: set[int] = field(default_factory=set)
    beside: dict[str, np.ndarray] = field(default_factory=dict)

    def name_of(self, place: int) -> str:
        """Return the name of a column, or its place where it has none."""
        return repr(self.names[place]) if self.names is not None else str(place)
