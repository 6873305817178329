"""Columns: numbers from whatever holds them, or the word for what they hold instead; and their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, time, timedelta
from typing import Any

import numpy as np

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
CONTENTS = dict.fromkeys("UST", "text") | {"M": "dates", "m": "durations", "c": "complex numbers", "V": "records"}
"""What an array holds that isn't of numbers, by the kind of its type; objects where it isn't listed."""
HINTS = {
    "text": "by float where each is one",
    "categories": "by a column of 0 and 1 for each (pandas.get_dummies)",
    "dates": "by the time since the first",
    "durations": "by division by a unit of time",
    "complex numbers": "by real and imaginary parts",
}
"""How what isn't a number becomes one."""
NO_NUMBERS = (str, bytes, complex, np.complexfloating, np.datetime64, np.timedelta64, np.void)
MISSING_TYPES = {"NoneType", "NAType", "NaTType", "MaskedConstant"}
"""The types, by name, of objects that stand for a missing value: they belong to libraries that may not be there."""
LISTED = 8
"""How many columns a message names."""


def numbers(values: np.ndarray) -> np.ndarray | str:
    """Return an array as float32 or float64, NaN where a value is missing, or the word for what it holds instead.

    float32 and float64 keep their type, and are not copied; everything else becomes float64.
    """
    if isinstance(values, np.ma.MaskedArray):
        return _unmasked(values)
    dtype = values.dtype
    if dtype.kind == "O":
        return _of_objects(values)
    if dtype.kind in "fiub" or dtype.type.__module__ == "ml_dtypes":  # bfloat16 and its kind
        with np.errstate(over="ignore"):  # what double precision can't hold is found as infinite
            return values.astype(SINGLE if dtype.newbyteorder("=") == SINGLE else DOUBLE, copy=False)
    return CONTENTS.get(dtype.kind, "objects")


def _unmasked(values: np.ma.MaskedArray) -> np.ndarray | str:
    """Return a masked array with NaN for what is masked, which is never looked at."""
    mask = np.ma.getmaskarray(values)
    plain = values.data
    if plain.dtype.kind == "O":
        plain = plain.copy()
        plain[mask] = None
    found = numbers(plain)
    if isinstance(found, str) or not mask.any():
        return found
    return np.where(mask, found.dtype.type(np.nan), found)


def _of_objects(values: np.ndarray) -> np.ndarray | str:
    flat = values.ravel()
    kinds = set(map(type, flat))
    missing = {kind for kind in kinds if kind.__name__ in MISSING_TYPES}
    for kind in kinds - missing:
        if issubclass(kind, NO_NUMBERS) or not hasattr(kind, "__float__"):
            return _word(kind)
    if missing:
        flat = np.array([np.nan if type(value) in missing else value for value in flat], dtype=object)
    try:
        return flat.astype(DOUBLE).reshape(values.shape)
    except OverflowError:
        return "numbers beyond the range of double precision"
    except (TypeError, ValueError):
        return "objects"


def _word(kind: type) -> str:
    if issubclass(kind, str | bytes):
        return "text"
    if issubclass(kind, complex | np.complexfloating):
        return "complex numbers"
    if issubclass(kind, timedelta | np.timedelta64):
        return "durations"
    return "dates" if issubclass(kind, date | time | np.datetime64) else "objects"


def side_by_side(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Return columns as one array, shape (n, d), in single precision if all of them are."""
    dtype = SINGLE if all(column.dtype == SINGLE for column in columns) else DOUBLE
    result = np.empty((len(columns[0]), len(columns)), dtype)
    for j, column in enumerate(columns):
        result[:, j] = column
    return result


def name_of(label: Any) -> str:
    """Return the name of a column from whatever labels it; the parts of a label with levels are joined by _."""
    if isinstance(label, tuple):
        return "_".join(part for part in map(name_of, label) if part)
    nothing = label is None or type(label).__name__ in MISSING_TYPES or (isinstance(label, float) and label != label)
    return "" if nothing else str(label)


def names_of(labels: Iterable[Any]) -> tuple[str, ...] | None:
    """Return distinct names, or None where the labels only count the columns."""
    given = list(labels)
    if given == list(range(len(given))):
        return None
    return distinct([name_of(label) for label in given])


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Return names that are all different: the second a becomes a.1, the third a.2."""
    taken, found, counts = set(names), set(), dict.fromkeys(names, 0)
    result = []
    for name in names:
        unique = name
        while unique in found or (unique != name and unique in taken):
            counts[name] += 1
            unique = f"{name}.{counts[name]}"
        found.add(unique)
        result.append(unique)
    return tuple(result)


def repeated(names: Sequence[str]) -> list[str]:
    """Return the names that stand more than once."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return [name for name, count in counts.items() if count > 1]


def listed(parts: Sequence[str]) -> str:
    """Return parts in one enumeration, cut where it is long."""
    shown = list(parts[:LISTED])
    if len(parts) > LISTED:
        shown.append(f"{len(parts) - LISTED} more")
    return ", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 else shown[0]
