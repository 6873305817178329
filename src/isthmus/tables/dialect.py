"""How a text file separates and writes its numbers: told by the caller, by the file itself, or by its first lines."""

from __future__ import annotations

import contextlib
import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from isthmus import _checks
from isthmus.tables.entries import NUMBER, THOUSANDS, is_missing, is_number
from isthmus.tables.lines import Unreadable

SPACE = " "
"""Stands for white space of any length."""
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", SPACE: "white space"}
"""What is looked for, in this order, each with its name."""
SPELLED = {"tab": "\t", "\\t": "\t", "space": SPACE, "whitespace": SPACE, "comma": ",", "semicolon": ";"}
DECIMALS = (".", ",")
COMMENTS = ("#", "%")
"""What a line that is no part of the table begins with."""
NO_COMMENT = re.compile(r"#(N/A|NA\b|DIV/0!|VALUE!|REF!|NAME\?|NUM!|NULL!)")
"""What a spreadsheet puts in place of a number."""
SAMPLE_LINES, SAMPLE_CHARACTERS = 200, 1 << 20
"""How much of a file is looked at; five lines at the least."""
ENOUGH = 5


class Record(NamedTuple):
    """The fields between the separators of one line, and the number of the line, counted from 1 as editors do."""

    line: int
    fields: list[str]


class Dialect(NamedTuple):
    """What stands between numbers, before their decimals, and around texts."""

    separator: str
    decimal: str = "."
    quote: str = '"'

    def records(self, lines: Sequence[str], first: int) -> Iterator[Record]:
        """Yield the records of lines that are no comments and not empty; ``first`` is the number of the first line."""
        numbers = [number for number, line in enumerate(lines, first) if not _is_aside(line)]
        kept = (lines[number - first] for number in numbers)
        if self.separator == SPACE:
            kept = (line.replace("\t", SPACE).strip() for line in kept)
        reader = csv.reader(kept, delimiter=self.separator, quotechar=self.quote, skipinitialspace=True, strict=True)
        begun = 0
        try:
            for fields in reader:
                yield Record(numbers[begun], fields)
                begun = reader.line_num
        except csv.Error as error:
            why = "a quotation mark is not closed" if "end of data" in str(error) else str(error)
            raise Unreadable(f"in line {numbers[begun]} {why}") from None


def is_comment(line: str) -> bool:
    """Return whether a line is a comment."""
    start = line.lstrip()
    return start.startswith(COMMENTS) and not NO_COMMENT.match(start)


def _is_aside(line: str) -> bool:
    return not line.strip() or is_comment(line)


def checked_separator(separator: object) -> str | None:
    """Return a separator that was asked for, or None where it is to be found."""
    rule = "be one character, 'tab' or 'space'"
    if separator is None:
        return None
    if not isinstance(separator, str):
        _checks.refuse_type("separator", rule, separator)
    found = SPELLED.get(separator.lower(), separator)
    if len(found) != 1 or found.isalnum() or found in "\"'.+-\n\r":
        _checks.refuse("separator", rule, separator)
    return found


def declared_separator(lines: list[str]) -> str | None:
    """Return the separator that the first line of a file declares for Excel, as in sep=; and leave out that line."""
    match = re.fullmatch(r'"?sep=(.)"?', lines[0].strip("\ufeff \n"), re.IGNORECASE) if lines else None
    if match is None:
        return None
    lines[0] = ""
    return match.group(1)


def dialect_of(lines: Sequence[str], separator: str | None, decimal: str | None, suffix: str) -> Dialect:
    """Return the dialect of the lines of a file, with what is told about it."""
    sample = _sample(lines)
    quote = "'" if not any('"' in line for line in sample) and _quoted_by_apostrophes(sample) else '"'
    if separator is not None:
        return _with_decimal(Dialect(separator, quote=quote), sample, decimal, certain=True)
    order = sorted(SEPARATORS, key=lambda mark: mark != "\t") if suffix == ".tsv" else list(SEPARATORS)
    best, most = Dialect(order[0], quote=quote), 0.0
    for mark in order:
        for one in [decimal] if decimal else DECIMALS:
            found = Dialect(mark, one, quote)
            score = _score(found, sample)
            if score > most + 1e-9:
                best, most = found, score
    if most <= 1:  # no separator at all: one column
        best = Dialect(order[0] if decimal != "," or order[0] != "," else ";", quote=quote)
    return _with_decimal(best, sample, decimal, certain=False)


def _sample(lines: Sequence[str]) -> list[str]:
    chosen, characters = [], 0
    for line in lines:
        if not _is_aside(line):
            chosen.append(line)
            characters += len(line)
        if len(chosen) >= SAMPLE_LINES or (len(chosen) >= ENOUGH and characters > SAMPLE_CHARACTERS):
            break
    return chosen


def _quoted_by_apostrophes(sample: list[str]) -> bool:
    return any(re.search(r"(^|[,;\t|])\s*'[^']*'\s*($|[,;\t|])", line) for line in sample[:ENOUGH])


def _fields(dialect: Dialect, sample: Sequence[str]) -> list[list[str]]:
    """Return the fields of a sample, up to where it is cut within quotation marks."""
    found = []
    with contextlib.suppress(Unreadable):
        found.extend(record.fields for record in dialect.records(sample, 1))
    return found


def _score(dialect: Dialect, sample: Sequence[str]) -> float:
    """Return how much the sample looks like a table: more than 1 where it has several columns of numbers."""
    rows = _fields(dialect, sample)
    if not rows:
        return 0.0
    width = Counter(map(len, rows)).most_common(1)[0][0]
    body = [row for row in rows[1:] if len(row) == width] or rows
    entries = [entry for row in body for entry in row]
    numeric = sum(is_number(entry, dialect.decimal) or is_missing(entry) for entry in entries) / len(entries)
    if width == 1:
        return numeric
    agreeing = sum(len(row) == width for row in rows) + (len(rows[0]) == width - 1)
    return 1 + (0.01 + numeric) * agreeing / len(rows)


def _with_decimal(dialect: Dialect, sample: list[str], decimal: str | None, *, certain: bool) -> Dialect:
    """Return the dialect with its decimal mark, or refuse a file that may mean either."""
    if decimal is not None:
        return dialect._replace(decimal=decimal)
    if not certain and _is_one_column_or_two(dialect, sample):
        raise Unreadable(
            f"its lines, such as {sample[1]!r}, are numbers with a decimal comma or two columns; say separator=';' or "
            f"separator=',' (--separator)"
        )
    entries = [entry.strip() for row in _fields(dialect, sample) for entry in row]
    points, commas = (
        [entry for entry in entries if mark in entry and NUMBER[mark].fullmatch(entry)] for mark in DECIMALS
    )
    if points and commas:
        if all(map(THOUSANDS["."].fullmatch, points)):
            return dialect._replace(decimal=",")
        if all(map(THOUSANDS[","].fullmatch, commas)):
            return dialect
        raise Unreadable(
            f"some of its numbers have decimal points and others decimal commas ({points[0]!r}, {commas[0]!r}); say "
            f"decimal='.' or decimal=',' (--decimal)"
        )
    mark, found = (".", points) if points else (",", commas)
    if found and (mark == "," or dialect.separator == ";") and all(map(THOUSANDS[mark].fullmatch, found)):
        raise Unreadable(
            f"its numbers, such as {found[0]!r}, have decimals or marks between thousands; say decimal={mark!r} "
            f"(--decimal) where those are decimals, and leave such marks out where they aren't"
        )
    return dialect._replace(decimal=mark if found else ".")


def _is_one_column_or_two(dialect: Dialect, sample: list[str]) -> bool:
    plain = all(re.fullmatch(r"\s*[+-]?\d+,\d+\s*", row) for row in sample[1:])
    return dialect.separator == "," and len(sample) > 1 and "," not in sample[0] and plain
