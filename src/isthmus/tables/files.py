"""Tables in files, of whatever kind the name of a file says."""

from __future__ import annotations

import difflib
import io
from pathlib import Path
from typing import BinaryIO

from isthmus import _checks
from isthmus._errors import StudyFileError, reason
from isthmus.tables.binary import read_archive, read_array, read_feather, read_parquet
from isthmus.tables.lines import PACKED, Unreadable, unpacked
from isthmus.tables.selection import Columns, selected
from isthmus.tables.table import Raw, Table
from isthmus.tables.text import read_text

TEXTS = (".csv", ".tsv", ".txt", ".dat")
"""Suffixes of text files."""
READERS = {".npy": read_array, ".npz": read_archive, ".parquet": read_parquet, ".feather": read_feather}
"""The readers of other files."""
SUFFIXES = (*TEXTS, *READERS)


def is_table_file(path: Path) -> bool:
    """Return whether a path has the suffix of a file that can be read, in any case, packed or not."""
    return _suffix(path) in SUFFIXES


def read_table(
    path: Path,
    *,
    columns: Columns = None,
    drop: Columns = None,
    label: str | int | None = None,
    header: bool | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    missing: str = "refuse",
) -> Table:
    """Return the table that a file holds.

    Args:
        path: a file whose name ends in .csv, .tsv, .txt, .dat, .npy, .npz, .parquet or .feather, in any case; each may
            be packed, as in .csv.gz.
        columns: the features, by name or by position counted from 0, in this order; all by default.
        drop: columns that are no features; by default a column without a name that counts or names the rows.
        label: the column that is no feature, but what points are labelled by.
        header: text: whether the first line holds names; None where the file shows it.
        separator: text: one character, 'tab' or 'space'; None where the file shows it.
        decimal: text: '.' or ','; None where the file shows it.
        missing: 'refuse', or 'ignore' to keep NaN where a value is missing.

    Raises:
        StudyFileError: where the file can't be read, or it isn't certain how; the message names line, column and key.
        ArgumentError: where an argument makes no sense for any file, or names no column of this one.

    """
    ignores_missing = _checks.choice("missing", missing, ("refuse", "ignore")) == "ignore"
    try:
        raw = _read(path, header=header, separator=separator, decimal=decimal)
        return selected(raw, columns, drop, label, ignores_missing)
    except Unreadable as error:
        raise _refused(path, str(error)) from None
    except FileNotFoundError as error:
        near = difflib.get_close_matches(
            path.name, [one.name for one in path.parent.glob("*") if is_table_file(one)], 1
        )
        raise _refused(path, f"there is no such file{f'; did you mean {near[0]!r}?' if near else ''}") from error
    except OSError as error:
        raise _refused(path, reason(error)) from error


def _refused(path: Path, why: str) -> StudyFileError:
    end = "" if why.endswith("?") else "."
    return StudyFileError(f"Data file '{path}' can't be read as a table of numbers: {why}{end}")


def _read(path: Path, *, header: bool | None, separator: str | None, decimal: str | None) -> Raw:
    suffix = _suffix(path)
    if suffix in TEXTS:
        return read_text(unpacked(path), suffix, header=header, separator=separator, decimal=decimal)
    for name, value in {"header": header, "separator": separator, "decimal": decimal}.items():
        if value is not None:
            _checks.refuse(name, f"be left out for a {suffix} file", value)
    with _opened(path) as file:
        return READERS[suffix](file)


def _opened(path: Path) -> BinaryIO:
    return io.BytesIO(unpacked(path)) if path.suffix.lower() in PACKED else path.open("rb")


def _suffix(path: Path) -> str:
    """Return the suffix that says what a file holds, in small letters, without that of its packing."""
    name = Path(path.stem) if path.suffix.lower() in PACKED else path
    return name.suffix.lower()
