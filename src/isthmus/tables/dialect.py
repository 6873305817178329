"""What stands between the numbers of a text file and around them, and its lines taken apart by that."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from isthmus import _checks
from isthmus.tables.entries import is_missing, is_number
from isthmus.tables.lines import Unreadable

SPACE = " "
"""Stands for white space of any length."""
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", SPACE: "white space"}
"""What is looked for, in this order, each with its name."""
NOTHING = "\x1f"
"""Stands for no separator at all, in a table of one column."""
SPELLED = {"tab": "\t", "\\t": "\t", "space": SPACE, "whitespace": SPACE, "comma": ",", "semicolon": ";"}
DECIMALS = (".", ",")
COMMENTS = ("#", "%")
"""What a line that is no part of the table begins with."""
NO_COMMENT = re.compile(r"#(N/A|NA\b|DIV/0!|VALUE!|REF!|NAME\?|NUM!|NULL!)")
"""What a spreadsheet puts in place of a number."""
COMMENT_BEHIND = re.compile(r"(\S+)\s+#(?!N/A|NA\b|DIV/0!|VALUE!|REF!|NAME\?|NUM!|NULL!)")
"""A comment at the end of a line, if what stands before it is a number."""
DRAWN = re.compile(r"[-=+|:\s]+"), re.compile(r"[-=]{3}.*[|+:\s]|[|+:\s].*[-=]{3}|[-=]\+[-=]")
"""A line that is drawn below the names of columns, between bars or spaces, or around a table."""


class Record(NamedTuple):
    """The fields between the separators of one line, and the number of the line, counted from 1 as editors do."""

    line: int
    fields: list[str]


class Dialect(NamedTuple):
    """What stands between numbers, before their decimals, and around texts."""

    separator: str
    decimal: str = "."
    quote: str = '"'

    def records(self, lines: Iterable[tuple[int, str]]) -> Iterator[Record]:
        """Yield the records of numbered lines, but for comments and lines that hold nothing but separators."""
        numbers, texts = [], []  # two lists, for a million of pairs takes long to make
        for number, line in lines:
            if not is_aside(line):
                numbers.append(number)
                texts.append(_without_comment(line) if "#" in line else line)
        if self.separator == SPACE:
            texts = (line.replace("\t", SPACE).strip() for line in texts)
        reader = csv.reader(texts, delimiter=self.separator, quotechar=self.quote, skipinitialspace=True, strict=True)
        begun = 0
        try:
            for fields in reader:
                if any(map(str.strip, fields)):
                    yield Record(numbers[begun], fields)
                begun = reader.line_num
        except csv.Error as error:
            why = "a quotation mark is not closed" if "end of data" in str(error) else str(error)
            raise Unreadable(f"in line {numbers[begun]} {why}") from None


def is_comment(line: str) -> bool:
    """Return whether a line is a comment."""
    start = line.lstrip()
    return start.startswith(COMMENTS) and not NO_COMMENT.match(start)


def is_aside(line: str) -> bool:
    """Return whether a line is no part of the table: without entries, a comment, or drawn."""
    text = line.strip()
    return not text.strip(",;|\t ") or is_comment(text) or (text[0] in "-=+|:" and _is_drawn(text))


def _is_drawn(text: str) -> bool:
    characters, line = DRAWN
    return characters.fullmatch(text) is not None and line.search(text) is not None


def _without_comment(line: str) -> str:
    """Return a line without a comment that follows a number, or what stands for a missing one."""
    found = COMMENT_BEHIND.search(line)
    if found is None or '"' in line[: found.start(1)]:
        return line
    before = re.split(r"[,;\t|]", found.group(1))[-1]
    number = is_missing(before) or any(is_number(before, mark) for mark in DECIMALS)
    return line[: found.end(1)] if number else line


def without_bars(lines: list[str]) -> None:
    """Take the bars from both ends of all lines that make a table, as in one of Markdown."""
    first = next((line for line in lines if not is_aside(line)), "")
    if not _has_bars(first) or not all(_has_bars(line) for line in lines if not is_aside(line)):
        return
    lines[:] = [line.strip()[1:-1] if _has_bars(line) and not is_aside(line) else line for line in lines]


def _has_bars(line: str) -> bool:
    text = line.strip()
    return len(text) > 1 and text[0] == text[-1] == "|"


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
