"""From flags and a study file to the values of a study."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from isthmus._errors import ArgumentError, ArgumentTypeError, StudyFileError, reason
from isthmus.cli.options import FLAGS, Flag

if TYPE_CHECKING:
    from isthmus.studies.study import Study

Kind = TypeVar("Kind", bound="Study")
_ARGUMENT = re.compile("Argument '([^']+)'")


def study_of(kind: type[Kind], given: Mapping[str, Any], flags: Mapping[str, Flag], base: Mapping[str, Any]) -> Kind:
    """Return the study that a command is asked for: by a file, overridden by flags and ``--set``, and ``--quick``.

    Args:
        kind: its class.
        given: the values of all options of the command, by name.
        flags: the flags that set keys of the study.
        base: the values of the study where there is no file.

    """
    file = given.get("study")
    values = dict(base) if file is None else _read_study(file)
    chosen = {
        flag.key or name: flag.read(name, given[name]) if flag.read else given[name]
        for name, flag in flags.items()
        if given[name] is not None
    }
    chosen |= _assignments(given.get("settings") or [])
    for key, value in chosen.items():
        _assign(values, key, value)
    study = kind(**values)
    return study.quick(keep=chosen) if given["quick"] else study


@contextlib.contextmanager
def in_flags(given: Mapping[str, Any], flags: Mapping[str, Flag]) -> Iterator[None]:
    """Name what is refused in the terms of the command line: the flag that brought it, or else the key.

    Args:
        given: the values of all options of the command, by name.
        flags: the flags that set keys of its study.

    """
    try:
        yield
    except (ArgumentError, ArgumentTypeError) as error:
        message = _ARGUMENT.sub(lambda found: _as_typed(found[1], given, {**FLAGS, **flags}), str(error))
        raise type(error)(message) from error


def _as_typed(name: str, given: Mapping[str, Any], flags: Mapping[str, Flag]) -> str:
    """Return what the user calls an argument: the flag that was given for it, or else the key of a study file."""
    keys = {option: flag.key or option for option, flag in flags.items()}
    for option, value in given.items():
        if value is not None and name in (option, keys.get(option)):
            return f"--{'no-' if value is False else ''}{option.replace('_', '-')}"
    key = keys.get(name, name)
    return name if name.startswith("--") else f"'{key if key.endswith(name) else name}'"


def _read_study(path: Path) -> dict[str, Any]:
    from isthmus import _checks
    from isthmus.studies.specification import parsed_toml

    _checks.path("study", path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyFileError(f"Study file '{path}' can't be read: {reason(error)}.") from error
    try:
        return parsed_toml(text)
    except ValueError as error:
        raise StudyFileError(f"Study file '{path}' is not TOML: {error}.") from error


def _assignments(settings: list[str]) -> dict[str, Any]:
    """Return the keys and TOML values of ``--set`` flags; what is no TOML value is taken as a string."""
    from isthmus.studies.specification import parsed_toml

    values: dict[str, Any] = {}
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator or not key:
            raise ArgumentError(f"Argument '--set' must be KEY=VALUE, but it is {setting!r}.")
        try:
            parsed = parsed_toml(f"value = {text}")
            values[key] = parsed["value"] if len(parsed) == 1 else text
        except ValueError:
            values[key] = text
    return values


def _assign(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key in nested tables."""
    *tables, last = key.split(".")
    for table in tables:
        inner = values.setdefault(table, {})
        if not isinstance(inner, dict):
            raise ArgumentError(f"Argument '{table}' must be a table, but it is {inner!r}.")
        values[table] = inner = dict(inner)
        values = inner
    values[last] = value
