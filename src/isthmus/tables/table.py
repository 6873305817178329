"""What every file, frame or array becomes: numbers with NaN where one is missing, names, and what was assumed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers in rows and columns.

    Attributes:
        values: shape (n, d), float32 or float64, NaN where a value is missing.
        columns: d distinct names, or None where the columns have none.
        labels: shape (n,), the column that isn't a feature, or None.
        notes: what was assumed in reading, a clause each, as in "column '' counts the rows and was left out".

    """

    values: np.ndarray
    columns: tuple[str, ...] | None = None
    labels: np.ndarray | None = None
    notes: tuple[str, ...] = ()
