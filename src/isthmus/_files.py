"""Files that are never seen half written, and files of arrays that carry what they are and a checksum."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
import tokenize
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from isthmus._errors import StudyFileError, reason

HEADER = "header"
"""The entry of a file of arrays that says what it is; no array may have its name."""
BROKEN = (
    *(KeyError, TypeError, ValueError, AttributeError, EOFError, MemoryError, RuntimeError, ArithmeticError),
    *(struct.error, zipfile.BadZipFile, tokenize.TokenError),
)
"""What reading a damaged or foreign archive raises."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file in full beside its place, then move it there, so that it is never seen half written."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, StudyFileError):
            raise StudyFileError(f"File '{path}' can't be written: {reason(error)}.") from error
        raise


def write_arrays(path: Path, kind: str, version: int, values: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays and JSON values to one file (NumPy's .npz, no pickle), with kind, version and checksum."""
    header = {"kind": kind, "version": version, "values": values}
    text = json.dumps(header | {"sha256": _checksum(header, arrays)}, allow_nan=False)
    entries: dict[str, Any] = {HEADER: np.array(text), **arrays}

    def write(place: Path) -> None:
        with place.open("wb") as file:
            np.savez(file, **entries)
            file.flush()
            os.fsync(file.fileno())

    write_atomically(path, write)


def read_arrays(path: Path, kind: str, version: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the values and arrays of a file, or refuse it by name where it isn't whole or is something else.

    Reading runs nothing: the file is data.
    """
    refused = lambda why: StudyFileError(f"File '{path}' {why}.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.zip.infolist()):
                raise ValueError("compressed entries, which could unpack to any size")
            arrays = {name: archive[name] for name in archive.files}
        text = json.loads(str(arrays.pop(HEADER)))
        header = {key: text[key] for key in ("kind", "version", "values")}
        checksum = text["sha256"]
    except FileNotFoundError:
        raise refused("does not exist") from None
    except OSError as error:
        raise refused(f"can't be read: {reason(error)}") from error
    except BROKEN as error:
        raise refused(f"is damaged, or no file of {kind}") from error
    if header["kind"] != kind:
        raise refused(f"is no file of {kind}")
    if header["version"] != version:
        raise refused(f"is of version {header['version']}, and this release reads version {version}")
    if checksum != _checksum(header, arrays):
        raise refused("is damaged: its checksum is another one")
    return header["values"], arrays


def _checksum(header: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
