"""Which columns of a file are features, which one is a label, and which only counts or names the rows."""

from __future__ import annotations

import csv
import difflib
import numbers
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from isthmus import _checks
from isthmus.tables.columns import distinct, listed
from isthmus.tables.entries import is_missing
from isthmus.tables.index import index_of
from isthmus.tables.lines import Unreadable
from isthmus.tables.remarks import notes_on_names, remarks
from isthmus.tables.table import Raw, Table

Columns = str | int | Sequence[str | int] | None
"""How columns are chosen: by name, or by position, counted from 0; several also in one text with commas between."""
NO_NUMBERS_HINT = (
    "write plain numbers there, or leave such columns out with drop (--drop), choose others with columns (--columns), "
    "or colour points by one with label (--label)"
)


def selected(raw: Raw, columns: Columns, drop: Columns, label: str | int | None, ignores_missing: bool) -> Table:
    """Return the features and the label of a file as a table.

    Args:
        raw: all that the file holds.
        columns: the features, in this order; all by default.
        drop: columns that are no features; by default those without a name that count or name the rows, and nothing
            where it is empty.
        label: the column that is no feature, but what points are labelled by.
        ignores_missing: whether to keep NaN where a value is missing.

    Raises:
        Unreadable: where a feature holds no finite numbers.
        ArgumentError: where there is no such column.

    """
    notes = list(raw.notes)
    candidates = ("text" if j in raw.odd else raw.values[:, j] for j in range(raw.values.shape[1] - 1))
    out = {} if _is_empty(drop) else index_of(raw.names, candidates, raw.index)
    out |= {j: "is empty" for j in range(raw.values.shape[1]) if j not in out and _is_blank(raw, j)}
    notes += [f"column {raw.name_of(j)} {why} and was left out" for j, why in out.items()]
    finder = _Finder([j for j in range(raw.values.shape[1]) if j not in out], raw.names)
    notes += notes_on_names([] if raw.names is None else [raw.names[j] for j in finder.positions])
    features = finder.positions if columns is None else finder.of("columns", columns)
    dropped = set() if drop is None else set(finder.of("drop", drop))
    label_array = raw.label_arrays.get(label) if isinstance(label, str) else None
    label_column = None if label is None or label_array is not None else finder.one("label", label)
    features = [j for j in features if j not in dropped and j != label_column]
    if not features:
        raise Unreadable("no column is left as a feature")
    _refuse_odd(raw, features, finder)
    values = raw.values if features == list(range(raw.values.shape[1])) else raw.values[:, features]
    _refuse_missing(raw, values, features, finder, ignores_missing)
    if absent := int(np.isnan(values).sum()):
        notes.append(f"{absent:,} of its {values.size:,} values {'is' if absent == 1 else 'are'} missing")
    names = None if raw.names is None else tuple(map(finder.called, features))
    found = remarks(
        values,
        names,
        lambda at: finder.shown(features[at]),
        lambda at: _are_integers(raw.entries(features[at])),
        drop=" with drop (--drop)",
    )
    notes += [remark.note for remark in found]
    labels = label_array if label_column is None else _label(raw, label_column)
    if labels is not None:
        notes.append(f"labelled by column {label!r}")
    return Table(values, names, labels, tuple(notes))


def _is_empty(choice: object) -> bool:
    return isinstance(choice, str | list | tuple) and not len(choice)


def _are_integers(entries: np.ndarray) -> bool:
    return all(entry.lstrip("+-").isdigit() for entry in entries if not is_missing(entry))


def _is_blank(raw: Raw, j: int) -> bool:
    """Return whether a column has neither a name nor any entry, as between two separators at the end of all lines."""
    if (raw.names is not None and raw.names[j]) or j in raw.odd or not np.isnan(raw.values[:, j]).all():
        return False
    return not any(raw.entries(j))


class _Finder:
    """The columns that can be chosen, by name or by position.

    Attributes:
        positions: where they stand in the file.
        names: distinct ones, or the number of each where they have none.

    """

    def __init__(self, positions: list[int], names: Sequence[str] | None) -> None:
        self.positions = positions
        self.named = names is not None
        self.names = list(distinct([names[j] for j in positions]) if names else map(str, range(len(positions))))
        self._called = dict(zip(positions, self.names, strict=True))

    def called(self, j: int) -> str:
        """Return the name of a column."""
        return self._called[j]

    def shown(self, j: int) -> str:
        """Return what a column is called in messages."""
        return repr(self.called(j)) if self.named else self.called(j)

    def of(self, argument: str, choice: Any) -> list[int]:
        """Return the positions of columns that were chosen."""
        if isinstance(choice, str):
            choice = [choice] if choice in self.names else _split(choice)
        elif not isinstance(choice, list | tuple | np.ndarray):
            choice = [choice]
        if not len(choice) and argument == "columns":
            _checks.refuse(argument, "hold at least 1 column", _checks.described("empty"))
        return [self.one(argument, one) for one in choice]

    def one(self, argument: str, choice: Any) -> int:
        """Return the position of one column that was chosen."""
        if isinstance(choice, numbers.Integral) and not isinstance(choice, bool):
            return self.positions[_checks.integer(argument, choice, 0, len(self.positions) - 1, "the last column")]
        if not isinstance(choice, str):
            _checks.refuse_type(argument, "be names of columns, or their places counted from 0", choice)
        for known in (self.names, [name.partition(" [")[0] for name in self.names]):  # the second without units
            if known.count(choice) == 1:
                return self.positions[known.index(choice)]
        if choice.isdigit() and int(choice) < len(self.positions):
            return self.positions[int(choice)]
        return self._refuse(argument, choice)

    def _refuse(self, argument: str, choice: str) -> NoReturn:
        near = difflib.get_close_matches(choice, self.names, n=1)
        known = listed([repr(name) for name in self.names]) if self.named else f"0 to {len(self.positions) - 1}"
        hint = f"did you mean {near[0]!r}?" if near else f"the columns are {known}"
        _checks.refuse(argument, "name columns of the file", choice, hint)


def _split(text: str) -> list[str]:
    """Return the names in a text with commas between; quotation marks keep a name with commas together."""
    return [name.strip() for row in csv.reader([text], skipinitialspace=True) for name in row]


def _refuse_odd(raw: Raw, features: list[int], finder: _Finder) -> None:
    odd = [f"column {finder.shown(j)} holds {raw.odd[j]}" for j in features if j in raw.odd]
    if odd:
        raise Unreadable(f"{listed(odd)}; {NO_NUMBERS_HINT}")


def _refuse_missing(raw: Raw, values: np.ndarray, features: list[int], finder: _Finder, ignores_missing: bool) -> None:
    with np.errstate(invalid="ignore"):
        total = values.sum()
    if np.isfinite(total):
        return
    for wrong, what, hint in (
        (np.isinf(values), "infinite", ""),
        (np.isnan(values), "missing", "; missing='ignore' (--missing ignore) leaves what is missing out of the risk"),
    ):
        count = int(wrong.sum())
        if count and not (what == "missing" and ignores_missing):
            row, j = divmod(int(wrong.argmax()), wrong.shape[1])
            where = f"{raw.where(row)}, column {finder.shown(features[j])}"
            are = "1 value is" if count == 1 else f"{count} values are"
            raise Unreadable(f"{are} {what}, the first in {where}{hint}")


def _label(raw: Raw, j: int) -> np.ndarray:
    """Return what points are labelled by: whole numbers, numbers, or texts, which may be empty."""
    if j in raw.odd:
        return raw.entries(j)
    values = raw.values[:, j]
    if np.isnan(values).any():
        return np.where(np.isnan(values), "", values.astype(str))
    whole = (np.abs(values) < 2**53).all() and (values % 1 == 0).all()
    return values.astype(np.int64) if whole else values
