"""How long the next step of an adaptive method of order 3(2) is."""

from __future__ import annotations

import numpy as np

SAFETY, SMALLEST_FACTOR = 0.9, 0.2


def step_factor(error: float, largest: float) -> float:
    """Return by how much the next step is longer, given the error of this one over the tolerance."""
    if not np.isfinite(error):
        return SMALLEST_FACTOR
    return min(largest, max(SMALLEST_FACTOR, SAFETY * max(error, 1e-12) ** (-1 / 3)))
