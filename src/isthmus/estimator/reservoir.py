r"""Some rows of a stream that stand for all rows so far: a priority sample.

A row of weight w gets the priority w/u, with u uniform in (0, 1]; the K rows of highest priority are kept. If τ is the
highest priority among the others, a kept row counts with the weight max(w, τ): sums over the sample then have the sums
over all rows as their mean (Duffield, Lund and Thorup, 2007). With equal weights it is a uniform sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from isthmus.core.sparse import dense

MOST_ROWS = 1024
"""Rows of few columns that are kept, K."""
FEWEST_ROWS = 32
"""Rows of many columns that are kept at the least."""
MOST_ENTRIES = 1 << 20
"""Numbers that are kept, unless there are more in `FEWEST_ROWS` rows."""


def capacity_of(columns: int) -> int:
    """Return how many rows of so many columns are kept, K."""
    return min(MOST_ROWS, max(FEWEST_ROWS, MOST_ENTRIES // columns))


@dataclass(frozen=True)
class Reservoir:
    """Rows of a stream, those of highest priority first.

    Attributes:
        rows: shape (n, d).
        weights: log w, shape (n,).
        priorities: log w/u, shape (n,).
        threshold: log τ.

    """

    rows: np.ndarray
    weights: np.ndarray
    priorities: np.ndarray
    threshold: float = -np.inf

    @classmethod
    def empty(cls, dim: int, dtype: np.dtype) -> Reservoir:
        """Return one without rows."""
        return cls(np.zeros((0, dim), dtype), np.zeros(0), np.zeros(0))

    def with_rows(
        self, points: np.ndarray, weights: np.ndarray, random: np.random.Generator, *, merged: bool = False
    ) -> Reservoir:
        """Return the sample after further rows; where ``merged``, equal rows are kept as one."""
        present = np.flatnonzero(weights > 0)
        logs = np.log(weights[present])
        priorities = logs - np.log1p(-random.random(len(present)))
        capacity = capacity_of(points.shape[1])
        highest = priorities.max(initial=-np.inf)
        if len(self.rows) == capacity and highest < self.priorities[-1]:  # as mostly in a long stream
            return replace(self, threshold=max(self.threshold, highest))
        logs = np.concatenate([self.weights, logs])
        priorities = np.concatenate([self.priorities, priorities])
        order, earlier = np.argsort(-priorities, kind="stable"), len(self.rows)
        threshold = max(self.threshold, priorities[order[capacity:]].max(initial=-np.inf))
        order = np.sort(order[:capacity])  # rows that were kept before come first
        new = present[order[order >= earlier] - earlier]
        rows = np.concatenate([self.rows[order[order < earlier]], dense(points, new)])
        chosen = rows, logs[order], priorities[order]
        rows, logs, priorities = _merged(*chosen) if merged else chosen
        order = np.argsort(-priorities, kind="stable")
        return Reservoir(rows[order], logs[order], priorities[order], threshold)

    def sample(self, count: int = MOST_ROWS) -> tuple[np.ndarray, np.ndarray]:
        """Return at most so many rows and their weights, of sum 1."""
        if not len(self.rows):
            return self.rows, self.weights
        threshold = self.priorities[count] if count < len(self.rows) else self.threshold
        logs = np.maximum(self.weights[:count], threshold)
        weights = np.exp(logs - logs.max())
        return self.rows[:count], weights / weights.sum()

    def share_of(self, weight: float, exponent: int = 0) -> float:
        """Return the weight of all rows that these stand for, as a share of ``weight`` times a power of 2."""
        logs = np.maximum(self.weights, self.threshold) - (np.log(weight) + exponent * np.log(2))
        return float(np.exp(logs[logs > -700]).sum())


def _merged(rows: np.ndarray, logs: np.ndarray, priorities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return different rows with the sums of their weights."""
    rows, first, numbers = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    largest = logs.max()
    sums = largest + np.log(np.bincount(numbers.ravel(), np.exp(logs - largest)) + np.finfo(float).tiny)
    return rows, sums, priorities[first] - logs[first] + sums
