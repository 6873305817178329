"""Tables in text files, read by Python's own reader of separated values, so that nothing else is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

import numpy as np

from isthmus import _checks
from isthmus.tables.dialect import (
    DECIMALS,
    NOTHING,
    SEPARATORS,
    SPACE,
    Record,
    checked_separator,
    declared_separator,
    is_comment,
    without_bars,
)
from isthmus.tables.entries import Odd, block_of
from isthmus.tables.header import head_of
from isthmus.tables.layout import FEWEST_LINES, SAMPLE_LINES, Layout, layout_of
from isthmus.tables.lines import Unreadable, text_of
from isthmus.tables.table import Raw

BLOCK_ENTRIES = 1 << 20
"""How many entries are turned into numbers together: as texts they take ten times the memory."""
HEAD_ENTRIES = 1 << 16
"""How many entries at the top of a file show where the points begin."""
USUAL = {".csv": ",", ".tsv": "\t"}
"""The separators that go without saying, by suffix."""
DIALECT_HINT = (
    "; say separator and decimal (--separator, --decimal) where its entries are meant to be taken apart otherwise"
)


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
    told = separator or declared_separator(lines)
    without_bars(lines)
    layout = layout_of(lines, told, decimal, suffix)
    dialect, width = layout.dialect, layout.width
    records = islice(layout.fitted(dialect.records(enumerate(lines, 1))), layout.above, None)
    sample = list(islice(records, FEWEST_LINES))
    sample += islice(records, min(HEAD_ENTRIES // width, SAMPLE_LINES))
    hint = "" if told else DIALECT_HINT
    if len(sample[0].fields) not in (width, width - layout.has_row_names):
        raise _ragged(sample[0], width, hint)
    comments = [line for line in lines[: sample[0].line - 1] if is_comment(line)]
    head = head_of(sample, comments, header, dialect)
    named = layout.has_row_names and head.rows > 0
    names = ["", *head.names] if named and head.names else head.names
    body = _of_width(chain(sample[head.rows :], records), width, hint)
    values, numbers, odd = _numbers(body, width, dialect.decimal)
    if not len(values):
        raise Unreadable("it holds names of columns and no rows" if head.rows else "it holds no rows")
    first_row = layout.above + head.rows

    def entries(j: int) -> np.ndarray:
        again = islice(dialect.records(enumerate(lines, 1)), first_row, None)
        return np.array([record.fields[j].strip() for record in again])

    return Raw(
        values,
        names,
        {j: f"{one.word} ({one.entry.strip()!r} in line {numbers[one.row]})" for j, one in odd.items()},
        entries,
        lambda row: f"line {numbers[row]}",
        [*notes, *layout.notes, *_notes_on(layout, suffix), *head.notes],
        {0} if named else set(),
    )


def _of_width(records: Iterable[Record], width: int, hint: str) -> Iterator[Record]:
    for record in records:
        if len(record.fields) != width:
            raise _ragged(record, width, hint)
        yield record


def _ragged(record: Record, width: int, hint: str) -> Unreadable:
    fields, columns = (
        f"{count} {what}{'s' * (count > 1)}" for count, what in ((len(record.fields), "field"), (width, "column"))
    )
    return Unreadable(f"line {record.line} has {fields}, where the table has {columns}{hint}")


def _numbers(records: Iterator[Record], width: int, decimal: str) -> tuple[np.ndarray, np.ndarray, dict[int, Odd]]:
    """Return all numbers of a table, the line of each row, and the first odd entry of columns that hold others."""
    blocks, lines, odd, truths = [], [], {}, set()
    while some := list(islice(records, max(BLOCK_ENTRIES // width, 1))):
        block = block_of([record.fields for record in some], decimal)
        odd = {j: one._replace(row=one.row + len(lines)) for j, one in block.odd.items()} | odd
        truths |= block.truths
        lines += [record.line for record in some]
        blocks.append(block.values)
    values = np.concatenate(blocks) if blocks else np.empty((0, width))
    for j in truths - odd.keys():
        if (other := (values[:, j] != 0) & (values[:, j] != 1) & ~np.isnan(values[:, j])).any():
            row = int(other.argmax())
            odd[j] = Odd(row, f"{values[row, j]:g}", "numbers beside True and False")
    return values, np.array(lines), odd


def _notes_on(layout: Layout, suffix: str) -> Iterator[str]:
    separator = layout.dialect.separator
    if separator not in (NOTHING, USUAL.get(suffix, separator)):
        stand = "stands" if separator == SPACE else "stand"
        yield f"{SEPARATORS.get(separator, repr(separator))} {stand} between its entries"
    if layout.dialect.decimal == ",":
        yield "its numbers have decimal commas"
    if layout.above:
        yield (
            f"the first {layout.above} lines stand above the table" if layout.above > 1 else "its first line is a title"
        )
