"""How the lines of a text file make a table: what separates their entries, how decimals are written, where it begins.

What is not told is found by one score of all candidates on the first lines. A file that two candidates read equally
well, and differently, is refused.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from isthmus.tables.dialect import DECIMALS, NOTHING, SEPARATORS, SPACE, Dialect, Record, is_aside
from isthmus.tables.entries import NUMBER, THOUSANDS, is_missing, is_number
from isthmus.tables.index import counts_rows
from isthmus.tables.lines import Unreadable

SAMPLE_LINES = 200
"""Lines of a file, at most, that show its layout."""
SAMPLE_CHARACTERS = 1 << 20
"""Characters of a file, at most, that show its layout, unless they make fewer than `FEWEST_LINES` lines."""
FEWEST_LINES = 5
"""Lines of a file, at the least, that show its layout."""
SCORED_ENTRIES = 1 << 15
"""Entries, at most, by which a candidate is scored."""
MARKS = frozenset(SEPARATORS) - {SPACE}
TEXT_SCORE = 0.5
"""The score of an entry of text, where that of a number is 1 and that of one with another separator in it is 0."""
FOREIGN_NAME_FACTOR = 0.3
"""The factor of the score of a candidate that leaves another separator in the names."""
GOOD_SCORE = 0.5
"""The score beyond which two candidates may not be equally good."""

Lines = Sequence[tuple[int, str]]
"""Lines with their numbers."""


class Layout(NamedTuple):
    """One way to read a file.

    Attributes:
        dialect: what separates and writes its entries.
        width: how many columns it has.
        above: how many records stand above the table, such as a title.
        has_row_names: whether the names of the columns leave out the first, which names the rows, as in files of R.
        score: how much the lines then look like a table.
        rows: the entries of the first lines.
        notes: what was assumed.

    """

    dialect: Dialect
    width: int
    above: int
    has_row_names: bool
    score: float
    rows: list[list[str]]
    notes: tuple[str, ...] = ()

    def fitted(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield records without empty fields beyond the last column."""
        return (_fitted(record, self.width) for record in records)


def layout_of(lines: Sequence[str], separator: str | None, decimal: str | None, suffix: str) -> Layout:
    """Return how the lines of a file are read, with what is told about it.

    Raises:
        Unreadable: where it has no lines, or may be read in two ways; the message names the key that settles it.

    """
    sample = _sample(lines)
    quote = "'" if not any('"' in line for _, line in sample) and _quoted_by_apostrophes(sample) else '"'
    candidates = [
        _layout(Dialect(mark, one, quote), sample, decimal)
        for mark in ([separator] if separator else _candidates(sample, suffix))
        for one in ([decimal] if decimal else DECIMALS)
    ]
    candidates = [found for found in candidates if found is not None]
    if not candidates:
        raise _unreadable_because(Dialect(separator or ",", quote=quote), sample)
    best = max(candidates, key=lambda found: found.score)  # the first of those that are equally good
    notes = _doubts(best, sample) if separator is None and decimal is None else ()
    if separator is None:
        _refuse_ties(best, candidates)
    mark = decimal or _decimal_of(best)
    found = _layout(best.dialect._replace(decimal=mark), sample, decimal)
    assert found is not None
    return found._replace(notes=notes)


def _sample(lines: Sequence[str]) -> Lines:
    """Return the first lines, and the first beyond them with a point or comma where none of them has one."""
    chosen, characters, seen = [], 0, 0
    for seen, line in enumerate(lines, 1):
        if not is_aside(line):
            chosen.append((seen, line))
            characters += len(line)
        if len(chosen) >= SAMPLE_LINES or (len(chosen) >= FEWEST_LINES and characters > SAMPLE_CHARACTERS):
            break
    for mark in DECIMALS:
        if not any(mark in line for _, line in chosen[1:]):
            further = ((number, lines[number - 1]) for number in range(seen + 1, len(lines) + 1))
            chosen += islice((one for one in further if mark in one[1] and not is_aside(one[1])), 1)
    return chosen


def _quoted_by_apostrophes(sample: Lines) -> bool:
    return any(re.search(r"(^|[,;\t|])\s*'[^']*'\s*($|[,;\t|])", line) for _, line in sample[:FEWEST_LINES])


def _candidates(sample: Lines, suffix: str) -> list[str]:
    """Return the separators that occur, in the order in which the first of equally good ones is taken, and none."""
    order = sorted(SEPARATORS, key=lambda mark: mark != "\t") if suffix == ".tsv" else SEPARATORS
    return [mark for mark in order if any(mark in line.strip() for _, line in sample)] + [NOTHING]


def _records(dialect: Dialect, sample: Lines) -> list[Record]:
    """Return the records of a sample, up to where it is cut within quotation marks."""
    found = []
    with contextlib.suppress(Unreadable):
        found.extend(dialect.records(sample))
    return found


def _unreadable_because(dialect: Dialect, sample: Lines) -> Unreadable:
    try:
        list(dialect.records(sample))
    except Unreadable as error:
        return error
    return Unreadable("all its lines are empty or comments")


def _layout(dialect: Dialect, sample: Lines, told: str | None) -> Layout | None:
    """Return how a dialect reads a sample, or None where it finds no record; ``told`` is the mark that is certain."""
    records = _records(dialect, sample)
    if not records:
        return None
    width = _width(records)
    records = [_fitted(record, width) for record in records]
    above = _above(records, width, dialect.decimal)
    first, *below = records[above:]
    named = len(first.fields) == width - 1 and _names_rows(first, below, dict(sample), dialect, told)
    body = [record.fields for record in below if len(record.fields) == width] or [first.fields]
    share = (len(body) + (named or len(first.fields) == width)) / (1 + len(below)) if below else 1.0
    entries = list(islice(chain.from_iterable(body), SCORED_ENTRIES))
    worth = sum(_worth(entry, dialect) for entry in entries) / len(entries)
    names = 1.0 if not any(_is_foreign(entry, dialect) for entry in first.fields) else FOREIGN_NAME_FACTOR
    rows = [[entry.strip() for entry in record.fields] for record in records]
    return Layout(dialect, width, above, named, share * (0.01 + worth) * names, rows)


def _worth(entry: str, dialect: Dialect) -> float:
    if is_number(entry, dialect.decimal) or is_missing(entry):
        return 1.0
    return 0.0 if _is_foreign(entry, dialect) else TEXT_SCORE


def _is_foreign(entry: str, dialect: Dialect) -> bool:
    """Return whether an entry holds a separator that another candidate explains better."""
    return not (MARKS - {dialect.separator}).isdisjoint(entry) and not is_number(entry, dialect.decimal)


def _width(records: Sequence[Record]) -> int:
    """Return how many columns a table has, but for empty ones at the end of all lines."""
    width = Counter(len(record.fields) for record in records[1:] or records).most_common(1)[0][0]
    while width > 1 and not any(record.fields[-1].strip() for record in records if len(record.fields) == width):
        records = [_fitted(record, width - 1) for record in records]
        width -= 1
    return width


def _fitted(record: Record, width: int) -> Record:
    """Return a record without the empty fields beyond a width."""
    if len(record.fields) > width and not any(map(str.strip, record.fields[width:])):
        return record._replace(fields=record.fields[:width])
    return record


def _above(records: Sequence[Record], width: int, decimal: str) -> int:
    """Return how many records, such as a title, stand above a table and have other fields than it has columns."""
    names = [all(not is_number(field, decimal) for field in row.fields) and len(row.fields) == width for row in records]
    for count, record in enumerate(records[:-1]):
        filled = [field for field in record.fields if field.strip()]
        text = not is_number(filled[0], decimal) and not is_missing(filled[0])
        alone = len(filled) == 1 and MARKS.isdisjoint(filled[0])
        if len(filled) >= width - 1 or not text or not (alone or any(names[count + 1 : count + 1 + FEWEST_LINES])):
            return count
    return len(records) - 1


def _names_rows(
    first: Record, below: Sequence[Record], lines: dict[int, str], dialect: Dialect, told: str | None
) -> bool:
    """Return whether the names of columns leave out a first one that holds names of rows, as R writes them."""
    if not below or any(len(record.fields) != len(first.fields) + 1 for record in below):
        return False
    if all(lines[record.line].lstrip().startswith(dialect.quote) for record in below):
        return True
    if len(first.fields) < 2 or (dialect.separator == "," and told != "." and all(map(_may_have_a_comma, below))):
        return False
    rows = [record.fields[0] for record in below]
    if not any(is_number(entry, mark) for entry in rows for mark in DECIMALS):
        return not any(map(is_missing, rows))
    return all(entry.strip().isdigit() for entry in rows) and counts_rows(np.array(rows, float))


def _may_have_a_comma(record: Record) -> bool:
    """Return whether two fields between commas may be one number with a decimal comma."""
    pairs = zip(record.fields, record.fields[1:], strict=False)
    return any(re.fullmatch(r"[+-]?\d+,\d+", f"{left.strip()},{right.strip()}") for left, right in pairs)


def _refuse_ties(best: Layout, candidates: Sequence[Layout]) -> None:
    """Refuse a file that may be read in two ways."""
    for other in candidates:
        equal = best.score > GOOD_SCORE and other.score > best.score - 1e-9 and other.rows != best.rows
        if equal and other.dialect.separator != NOTHING:
            ways = " or ".join(SEPARATORS[found.dialect.separator] for found in (best, other))
            raise Unreadable(f"it may have {ways} between its entries; say separator (--separator)")


def _doubts(best: Layout, sample: Lines) -> tuple[str, ...]:
    """Return what is said of lines such as 1,5, which may be two integers or a number with a decimal comma.

    Names with a comma between them settle it. Lines without names are taken as two integers, unless they hold what no
    integer is written like, 05 or -0.
    """
    (_, first), *below = sample
    pairs = [re.fullmatch(r"\s*([+-]?\d+),(\d+)\s*", line) for _, line in below or sample]
    if best.dialect.separator not in (",", NOTHING):
        return ()
    without_name = is_number(first, ",")
    ragged = best.dialect.separator == NOTHING and without_name and ("," in first or any(pairs))  # or one column
    if not all(pairs) and not ragged:
        return ()
    decimals = any(pair and (re.match(r"0\d", pair[2]) or pair[1] == "-0") for pair in pairs)
    unsettled = without_name or ", " in first  # which may be one name
    if ragged or "," not in first or (decimals and unsettled):
        shown = next(line.strip() for _, line in sample[len(sample) > 1 and not ragged :] if "," in line)
        raise Unreadable(
            f"its lines, such as {shown!r}, are numbers with a decimal comma or two columns; say separator=';' or "
            f"separator=',' (--separator)"
        )
    return ("its commas are taken to separate two columns of integers, and not for decimal ones",) if unsettled else ()


def _decimal_of(layout: Layout) -> str:
    """Return the decimal mark of a file with these entries, or refuse one that may mean either."""
    entries = [entry for row in layout.rows for entry in row]
    points, commas = (
        [entry for entry in entries if mark in entry and NUMBER[mark].fullmatch(entry)] for mark in DECIMALS
    )
    if points and commas:
        if all(map(THOUSANDS["."].fullmatch, points)):
            return ","
        if all(map(THOUSANDS[","].fullmatch, commas)):
            return "."
        raise Unreadable(
            f"some of its numbers have decimal points and others decimal commas ({points[0]!r}, {commas[0]!r}); say "
            f"decimal='.' or decimal=',' (--decimal)"
        )
    mark, found = (".", points) if points else (",", commas)
    if found and (mark == "," or layout.dialect.separator == ";") and all(map(THOUSANDS[mark].fullmatch, found)):
        raise Unreadable(
            f"its numbers, such as {found[0]!r}, have decimals or marks between thousands; say decimal={mark!r} "
            f"(--decimal) where those are decimals, and leave such marks out where they aren't"
        )
    return mark if found else "."
