"""The entries of a text file: numbers, what stands for a missing one, and words for what is neither."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from isthmus.tables.columns import DOUBLE

MISSING_TEXTS = (
    {"", "?", "-", "--", "."}
    | {"na", "n/a", "#n/a", "#na", "<na>", "n.a.", "nan", "-nan"}
    | {"null", "none", "nil", "missing"}
)
"""What stands for a missing value, in small letters. Numbers such as -999 do not: they are values."""
TRUTH = {"true": 1.0, "false": 0.0}
FORTRAN = re.compile(r"([+-]?[\d.]+)[dD]([+-]?\d+)")
NUMBER = {
    ".": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?"),
    ",": re.compile(r"[+-]?(\d+(,\d+)?|,\d+)([eEdD][+-]?\d+)?"),
}
"""A number by its decimal mark."""
THOUSANDS = {
    ".": re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+"),
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+"),
}
"""What may as well be an integer with a mark between its thousands."""
WORDS = (
    (re.compile(r"[+-]?[\d.,]+\s*%"), "percentages"),
    (re.compile(r"[+-]?\s*[$€£¥]\s*[\d.,]+|[+-]?[\d.,]+\s*[$€£¥]"), "amounts of money"),
    (re.compile(r"[+-]?\d{1,3}([ ,.'’\u00a0\u202f]\d{3})+([.,]\d+)?"), "numbers with marks between thousands"),
    (re.compile(r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2}([ T].*)?)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(\s.*)?"), "dates"),
    (re.compile(r"\d{1,2}\s?[-.]?\s?[A-Za-z]{3,9}[-. ]+\d{2,4}.*"), "dates"),
    (re.compile(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?"), "times of day"),
    (re.compile(r"[+-]?\d+,\d+"), "decimal commas"),
)
"""What an entry that is no number may be."""


class Odd(NamedTuple):
    """An entry that is no number: its row, what stands there, and what the column holds if that isn't seen from it."""

    row: int
    entry: str
    held: str = ""

    @property
    def word(self) -> str:
        """What a column holds, judged by this entry."""
        return self.held or next((word for pattern, word in WORDS if pattern.fullmatch(self.entry.strip())), "text")


class Block(NamedTuple):
    """Some rows as numbers, shape (n, d), NaN where one is missing or none; with the first odd entry of each column."""

    values: np.ndarray
    odd: dict[int, Odd]
    truths: set[int]


def is_number(entry: str, decimal: str) -> bool:
    """Return whether an entry is a finite number."""
    return NUMBER[decimal].fullmatch(entry.strip()) is not None


def is_missing(entry: str) -> bool:
    """Return whether an entry stands for a missing value."""
    return entry.strip().lower() in MISSING_TEXTS


def block_of(rows: Sequence[Sequence[str]], decimal: str) -> Block:
    """Return rows of entries, all of one length, as numbers: at once where all are, else column by column."""
    shape = (len(rows), len(rows[0]))
    try:
        entries = chain.from_iterable(rows)
        strict = map(float, map(_with_point, entries) if decimal == "," else map(_plain, entries))
        return Block(np.fromiter(strict, DOUBLE, shape[0] * shape[1]).reshape(shape), {}, set())
    except ValueError:
        pass
    values, odd, truths = np.empty(shape), {}, set()
    for j, column in enumerate(zip(*rows, strict=True)):
        for row, entry in enumerate(column):
            found = _value(entry, decimal)
            if found is None and entry.strip().lower() in TRUTH:
                truths.add(j)
                found = TRUTH[entry.strip().lower()]
            elif found is None and j not in odd:
                odd[j] = Odd(row, entry)
            values[row, j] = np.nan if found is None else found
    return Block(values, odd, truths)


def _value(entry: str, decimal: str) -> float | None:
    try:
        return float(_with_point(entry) if decimal == "," else _plain(entry))
    except ValueError:
        pass
    if is_missing(entry):
        return np.nan
    fortran = FORTRAN.fullmatch(_with_point(entry.strip()) if decimal == "," else entry.strip())
    return float("e".join(fortran.groups())) if fortran else None


def _plain(entry: str) -> str:
    """Return an entry as it is, unless Python reads a number where none is meant, as in 1_000."""
    return "no number" if "_" in entry else entry


def _with_point(entry: str) -> str:
    return "no number" if "_" in entry or "." in entry else entry.replace(",", ".")
