"""Tables in text files, read by Python's own reader of separated values, so that nothing else is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import numpy as np

from isthmus import _checks
from isthmus.tables.dialect import (
    DECIMALS,
    ENOUGH,
    SAMPLE_LINES,
    SEPARATORS,
    Dialect,
    Record,
    checked_separator,
    declared_separator,
    dialect_of,
    is_comment,
)
from isthmus.tables.entries import Odd, block_of, is_missing, is_number
from isthmus.tables.header import head_of
from isthmus.tables.lines import Unreadable, text_of
from isthmus.tables.raw import Raw

BLOCK_ENTRIES = 1 << 20
"""How many entries are turned into numbers together: as texts they take ten times the memory."""
SAMPLE_ENTRIES = 1 << 16
"""How many entries at the top of a file show where the points begin."""
USUAL = {".csv": ",", ".tsv": "\t"}
"""The separators that go without saying, by suffix."""


def read_text(
    content: bytes,
    suffix: str,
    *,
    header: bool | None = None,
    separator: str | None = None,
    decimal: str | None = None,
) -> Raw:
    """Return all columns of a text file.

    Args:
        content: what the file holds, unpacked.
        suffix: of its name, in small letters.
        header: whether the first line holds names; None where that is to be found.
        separator: what stands between entries; None where that is to be found.
        decimal: the decimal mark; None where that is to be found.

    Raises:
        Unreadable: where the file holds no table, or one of which it isn't certain how it is meant.

    """
    header = None if header is None else _checks.flag("header", header)
    decimal = None if decimal is None else _checks.choice("decimal", decimal, DECIMALS)
    separator = checked_separator(separator)
    lines, notes = text_of(content)
    declared = declared_separator(lines)
    dialect = dialect_of(lines, separator or declared, decimal, suffix)
    records = _not_empty(dialect.records(lines, 1))
    sample = list(islice(records, ENOUGH))
    sample += islice(records, min(SAMPLE_ENTRIES // len(sample[0].fields), SAMPLE_LINES) if sample else 0)
    if not sample:
        raise Unreadable("all its lines are empty or comments")
    width = _width(sample)
    above = _above_the_table(sample, width, dialect)
    sample = [_fitted(record, width) for record in sample[above:]]
    comments = [line for line in lines[: sample[0].line - 1] if is_comment(line)]
    head = head_of(sample, comments, header, dialect)
    named = len(sample[0].fields) + 1 == width and head.rows > 0  # by R, which has no name for the names of rows
    names = ["", *head.names] if named and head.names else head.names
    if head.rows and len(sample[0].fields) + named != width:
        raise _ragged(sample[0], width)
    body = _of_width(chain(sample[head.rows :], (_fitted(record, width) for record in records)), width)
    values, numbers, odd = _numbers(body, width, dialect.decimal)
    if not len(values):
        raise Unreadable("it holds names of columns and no rows" if head.rows else "it holds no rows")
    first_row = above + head.rows

    def entries(place: int) -> np.ndarray:
        again = islice(_not_empty(dialect.records(lines, 1)), first_row, None)
        return np.array([record.fields[place].strip() for record in again])

    return Raw(
        values,
        names,
        {place: f"{one.word} ({one.entry.strip()!r} in line {numbers[one.row]})" for place, one in odd.items()},
        entries,
        lambda row: f"line {numbers[row]}",
        [*notes, *_said_of(dialect, suffix), *_said_of_lines(above), *head.notes],
        {0} if named else set(),
    )


def _not_empty(records: Iterable[Record]) -> Iterator[Record]:
    """Leave out lines that hold nothing but separators, which spreadsheets put below a table."""
    return (record for record in records if any(map(str.strip, record.fields)))


def _width(sample: list[Record]) -> int:
    """Return how many columns a table has, but for empty ones at the end of all lines."""
    width = Counter(len(record.fields) for record in sample[1:] or sample).most_common(1)[0][0]
    while width > 1 and not any(record.fields[-1].strip() for record in sample if len(record.fields) == width):
        sample = [_fitted(record, width - 1) for record in sample]
        width -= 1
    return width


def _fitted(record: Record, width: int) -> Record:
    """Return a record without the empty fields beyond a width."""
    if len(record.fields) > width and not any(map(str.strip, record.fields[width:])):
        return record._replace(fields=record.fields[:width])
    return record


def _above_the_table(sample: list[Record], width: int, dialect: Dialect) -> int:
    """Return how many lines, such as a title, stand above a table and have other fields than it has columns."""
    count = 0
    for record in sample[:-1]:
        filled = [field for field in record.fields if field.strip()]
        aside = len(filled) < width - 1 and not is_number(filled[0], dialect.decimal) and not is_missing(filled[0])
        if not aside or (len(record.fields) == width and len(filled) > 1):
            break
        count += 1
    return count


def _of_width(records: Iterable[Record], width: int) -> Iterator[Record]:
    for record in records:
        if len(record.fields) != width:
            raise _ragged(record, width)
        yield record


def _ragged(record: Record, width: int) -> Unreadable:
    count = len(record.fields)
    fields = "1 field" if count == 1 else f"{count} fields"
    return Unreadable(f"line {record.line} has {fields}, where the table has {width} columns")


def _numbers(records: Iterator[Record], width: int, decimal: str) -> tuple[np.ndarray, np.ndarray, dict[int, Odd]]:
    """Return all numbers of a table, the line of each row, and the first odd entry of columns that hold others."""
    blocks, lines, odd, truths = [], [], {}, set()
    while some := list(islice(records, max(BLOCK_ENTRIES // width, 1))):
        block = block_of([record.fields for record in some], decimal)
        odd = {place: one._replace(row=one.row + len(lines)) for place, one in block.odd.items()} | odd
        truths |= block.truths
        lines += [record.line for record in some]
        blocks.append(block.values)
    values = np.concatenate(blocks) if blocks else np.empty((0, width))
    for place in truths - odd.keys():
        if (other := (values[:, place] != 0) & (values[:, place] != 1) & ~np.isnan(values[:, place])).any():
            row = int(other.argmax())
            odd[place] = Odd(row, f"{values[row, place]:g}", "numbers beside True and False")
    return values, np.array(lines), odd


def _said_of(dialect: Dialect, suffix: str) -> Iterator[str]:
    if dialect.separator != USUAL.get(suffix, dialect.separator):
        yield f"{SEPARATORS.get(dialect.separator, repr(dialect.separator))} stand between its entries"
    if dialect.decimal == ",":
        yield "its numbers have decimal commas"


def _said_of_lines(above: int) -> list[str]:
    if not above:
        return []
    return [f"the first {above} lines stand above the table" if above > 1 else "its first line is a title"]
