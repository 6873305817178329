"""Names of columns: a later table has those of the fit, in their order, or is refused.

scikit-learn looks at names that are strings and all different, and keeps them as ``feature_names_in_``. The estimator
keeps all names besides, as strings, those of years, dates and levels too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from sklearn.utils.validation import _check_n_features, _get_feature_names, validate_data

from isthmus import _checks
from isthmus._warnings import warn
from isthmus.tables.columns import listed

Names = tuple[str, ...] | None
"""Names of columns, None where a table has none."""


class KeepsColumns(Protocol):
    """An estimator that keeps the names of the columns of its fit, their number, and doubts about them."""

    _columns: Names
    _doubts: tuple[str, ...]
    n_features_in_: int


def check_features(estimator: KeepsColumns, X: Any, points: Any, columns: Names, *, reset: bool) -> None:
    """Keep the names and number of the columns of ``X``, or compare them with those of the fit.

    Where the names are strings, messages are those of scikit-learn.

    Args:
        estimator: what X is given to.
        X: a table of any kind.
        points: its numbers, an array or sparse.
        columns: its names.
        reset: whether this is a fit, whose columns are kept.

    Raises:
        ValueError: where names or number differ from those of the fit.

    """
    validate: Any = validate_data
    is_frame = not isinstance(X, list | tuple | np.ndarray)
    seen = is_frame and _strings(X) == columns and _get_feature_names(X) is not None  # by scikit-learn
    usual = columns is None or seen
    shown = X if is_frame and usual else points
    if reset:
        validate(estimator, shown, reset=True, skip_check_array=True)
        estimator._columns = columns
        return
    if usual and (estimator._columns is None or hasattr(estimator, "feature_names_in_")):
        validate(estimator, shown, reset=False, skip_check_array=True)
        return
    compare(estimator, "X", columns)
    _check_n_features(estimator, points, reset=False)


def compare(estimator: KeepsColumns, name: str, columns: Names) -> None:
    """Refuse names that are not those of the fit in their order, and warn where only one of the tables has names.

    Names that count the columns, 0, 1, 2, …, are none, unless the other table has the same in another order.
    """
    known = estimator._columns
    reordered = known is not None and columns is not None and sorted(known) == sorted(columns)
    if reordered or (_has_names(known) and _has_names(columns)):
        refuse_others(name, "the fit", known or (), columns or ())
    elif _has_names(columns):
        warn(f"{name} has feature names, but {type(estimator).__name__} was fitted without feature names", UserWarning)
    elif _has_names(known):
        warn(
            f"{name} does not have valid feature names, but {type(estimator).__name__} was fitted with feature names",
            UserWarning,
        )


def refuse_others(name: str, whose: str, known: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse names that are not the known ones in their order."""
    known, columns = tuple(known), tuple(columns)
    if known == columns:
        return
    rule = f"have the columns of {whose} in their order"
    if sorted(known) == sorted(columns):
        j = next(j for j, wanted in enumerate(known) if columns[j] != wanted)
        hint = f"column {j} is {columns[j]!r}, where {known[j]!r} is wanted"
        _checks.refuse(name, rule, _checks.described("a table of the same in another order"), hint)
    there, here = set(known), set(columns)
    missing = [repr(column) for column in known if column not in here]
    new = [repr(column) for column in columns if column not in there]
    parts = [f"{listed(some)} {kind}" for some, kind in ((missing, "missing"), (new, "new")) if some]
    _checks.refuse(name, rule, _checks.described("a table of others"), " and ".join(parts))


def names_of(X: Any, columns: Names) -> Names:
    """Return the names of a table that was read as one with ``columns``, those too that only count."""
    if columns is None and hasattr(X, "shape"):
        labels = X.coords.get(X.dims[-1]) if hasattr(X, "coords") else getattr(X, "columns", None)
        counted = labels is not None and list(labels) == list(range(X.shape[1]))
        return _counts(X.shape[1]) if counted else None
    return columns


def _has_names(columns: Names) -> bool:
    """Return whether there are names that do more than count the columns."""
    return columns is not None and columns != _counts(len(columns))


def _strings(X: Any) -> Names:
    """Return the labels of a frame's columns, none where it is no frame, and None where one of them is no string."""
    labels = list(getattr(X, "column_names", getattr(X, "columns", ())))
    return tuple(labels) if all(isinstance(label, str) for label in labels) else None


def _counts(number: int) -> tuple[str, ...]:
    return tuple(map(str, range(number)))
