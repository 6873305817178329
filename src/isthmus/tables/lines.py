"""The lines of a text file, whatever its packing, its encoding and its ends of lines."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PACKED = (".gz", ".bz2", ".xz", ".zip")
"""Suffixes of files that are packed."""
FIRST_BYTES = (
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"PK\x03\x04", "a zip archive, as Excel's .xlsx and NumPy's .npz are"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "a Feather file"),
    (b"\x93NUMPY", "an array of NumPy (.npy)"),
    (b"\x89HDF", "an HDF5 file"),
    (b"%PDF", "a PDF"),
    (b"\x80\x04\x95", "a pickle"),
    (b"\x80\x05\x95", "a pickle"),
)
"""How files of other kinds begin."""
ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
NO_TEXT = re.compile(r"[\0-\x08\x0e-\x1b\x7f]")
"""Characters that stand in no text."""


class Unreadable(ValueError):
    """Why a file is no table of numbers, in words that end a sentence."""


class Text(NamedTuple):
    """The lines of a file, without their ends, and what was assumed in decoding them."""

    lines: list[str]
    notes: tuple[str, ...] = ()


def unpacked(path: Path) -> bytes:
    """Return what a file holds, unpacked as its suffix says."""
    content, suffix = path.read_bytes(), path.suffix.lower()
    unpack: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.decompress,
        ".bz2": bz2.decompress,
        ".xz": lzma.decompress,
        ".zip": _only_member,
    }
    if suffix not in unpack:
        return content
    try:
        return unpack[suffix](content)
    except (OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile, RuntimeError) as error:
        raise Unreadable(f"it can't be unpacked as {suffix} says: {error}") from error


def _only_member(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [member for member in archive.namelist() if not member.startswith("__MACOSX/")]
        if len(members) != 1:
            raise Unreadable(f"it holds {len(members)} files, and must hold one")
        return archive.read(members[0])


def kind_of(content: bytes) -> str | None:
    """Return what kind of file the first bytes say it is, in words, or None where they say nothing."""
    return next((kind for mark, kind in FIRST_BYTES if content.startswith(mark)), None)


def text_of(content: bytes) -> Text:
    """Return the lines of a text."""
    if not content.strip():
        raise Unreadable("it is empty")
    if kind := kind_of(content):
        raise Unreadable(f"it is not text but {kind}, as its first bytes say")
    text, notes = _decoded(content)
    text = text.removesuffix("\x1a").replace("\r\n", "\n").replace("\r", "\n")  # the end of a file of DOS, of a line
    if strange := NO_TEXT.search(text):
        line = text.count("\n", 0, strange.start()) + 1
        raise Unreadable(f"it is not text: line {line} holds the byte {ord(strange.group()):#04x}")
    return Text(text.split("\n"), notes)


def _decoded(content: bytes) -> tuple[str, tuple[str, ...]]:
    for mark, encoding in ORDER_MARKS:
        if content.startswith(mark):
            try:
                return content[len(mark) :].decode(encoding), ()
            except UnicodeDecodeError:
                raise Unreadable(f"it is not text: it begins as {encoding.upper()}, and goes on otherwise") from None
    if b"\0" in content:
        raise Unreadable("it is not text: it holds bytes of value 0")
    try:
        return content.decode("utf-8"), ()
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252"), ("read as Windows-1252, since it is no UTF-8",)
    except UnicodeDecodeError:
        return content.decode("latin-1"), ("read as Latin-1, since it is no UTF-8",)
