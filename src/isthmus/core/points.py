"""What points and weights must be, for `Data` and the estimator alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus.core.scaling import DOUBLE, row_slices
from isthmus.core.sparse import is_sparse

MISSING_HINT = (
    "remove or impute them (what is masked or null is NaN), or leave them out of the loss by missing='ignore'"
)


def ignores_missing(value: object) -> bool:
    """Return whether missing entries are ignored, for the argument ``missing``."""
    return _checks.choice("missing", value, ("refuse", "ignore")) == "ignore"


def checked_points(name: str, values: object, missing: bool, columns: tuple[str, ...] | None = None) -> np.ndarray:
    """Return points as a new array, shape (n, d), finite but for NaN where an entry is ``missing``, if any may be."""
    hint = "remove them" if missing else MISSING_HINT
    return _checks.array(name, values, ("n", "d"), holes=missing, hint=hint, columns=columns)


def check_observed(
    name: str, points: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"], columns: tuple[str, ...] | None
) -> None:
    """Refuse a column in which nothing is there."""
    empty = np.isnan(points[weights > 0]).all(axis=0)
    if empty.any():
        number = int(empty.argmax())
        which = _checks.column(number, columns)
        more = f", and {int(empty.sum()) - 1} more" if empty.sum() > 1 else ""
        found = _checks.described(f"without any in {which}{more}")
        _checks.refuse(name, "have a value in every column, in a row of positive weight", found, "drop the column")


def normalised_weights(name: str, weights: ArrayLike | None, count: int) -> np.ndarray:
    """Return weights of sum 1 in double precision, shape (n,), equal ones for None, whatever their unit."""
    if weights is None:
        return np.full(count, 1 / count)
    checked = _checks.array(name, weights, (count,), DOUBLE)
    largest = float(checked.max())
    if checked.min() < 0 or largest <= 0:
        described = _checks.described(f"of minimum {checked.min():g} and sum {checked.sum():g}")
        _checks.refuse(name, "be non-negative and not all 0", described)
    return normalised(checked)


def normalised(weights: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return checked weights over their sum, which itself may leave double precision."""
    relative = weights / weights.max()
    return relative / relative.sum()


def has_missing(points: Any) -> bool:
    """Return whether an entry of a table is missing, of a sparse one never; some rows are looked at together."""
    return not is_sparse(points) and any(np.isnan(points[rows]).any() for rows in row_slices(points.shape))


def square_errors(points: Float[np.ndarray, "n d"], outputs: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """Return ‖x − x̂‖² over the entries that are there, shape (n,); NaN where an output is no number."""
    return np.where(np.isnan(points), 0.0, (points - outputs) ** 2).sum(axis=1)


def check_squares_remain(name: str, points: np.ndarray) -> None:
    """Refuse points, not all 0, so small that their squares, of which risks are made, leave the precision."""
    limits = np.finfo(points.dtype)
    largest = _checks.largest(points)
    least = float(np.sqrt(limits.tiny / limits.eps))
    if 0 < largest < least:
        hint = "measure them in another unit, or let scale='total' or 'features' do so"
        _checks.refuse(name, f"have an entry of size {least:.2g} or more, so that squares aren't 0", largest, hint)
