"""From flags and a study file to the values of a study."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from isthmus._errors import ArgumentError, ArgumentTypeError, StudyFileError

if TYPE_CHECKING:
    from isthmus.studies.study import Study

Kind = TypeVar("Kind", bound="Study")
_ARGUMENT = re.compile("Argument '([^']+)'")


def study_of(context: typer.Context, kind: type[Kind]) -> Kind:
    """Return the study that a command is asked for: by a file, overridden by flags and ``--set``, and ``--quick``."""
    return quickened(context, kind(**study_values(context, kind)))


def quickened(context: typer.Context, study: Kind) -> Kind:
    """Return a study, or with ``--quick`` a cheap one in which what flags set stays as it is."""
    return study.quick(keep=_given(context, type(study))) if context.params["quick"] else study


def study_values(context: typer.Context, kind: type[Study]) -> dict[str, Any]:
    """Return what the study file says, overridden by a command's flags, read by name, and by ``--set``."""
    file = context.params["study"]
    values = _read_study(file) if file is not None else {}
    for key, value in _given(context, kind).items():
        _assign(values, key, value)
    return values


def _given(context: typer.Context, kind: type[Study]) -> dict[str, Any]:
    """Return the values of flags and of ``--set`` by dotted key."""
    given = context.params
    flags = {
        key: PARSED[flag](given[flag]) if flag in PARSED else given[flag]
        for flag, key in STUDY_KEYS.items()
        if given.get(flag) is not None and key.split(".")[0] in kind.model_fields
    }
    return flags | _assignments(given.get("settings") or [])


@contextlib.contextmanager
def in_flags(context: typer.Context) -> Iterator[None]:
    """Name what is refused in the terms of the command line: the flag that brought it, or else the key."""
    try:
        yield
    except (ArgumentError, ArgumentTypeError) as error:
        message = _ARGUMENT.sub(lambda found: _as_typed(found[1], context.params), str(error))
        raise type(error)(message) from error


def _as_typed(name: str, given: dict[str, Any]) -> str:
    """Return what the user calls an argument: the flag that was given for it, or else the key of a study file."""
    for flag, value in given.items():
        if value is not None and name in (flag, STUDY_KEYS.get(flag)):
            return f"--{'no-' if value is False else ''}{flag.replace('_', '-')}"
    key = STUDY_KEYS.get(name, name)
    return name if name.startswith("--") else f"'{key if key.endswith(name) else name}'"


def _read_study(path: Path) -> dict[str, Any]:
    from isthmus import _checks
    from isthmus.studies.specification import parsed_toml

    _checks.path("study", path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyFileError(f"Study file '{path}' can't be read: {error}.") from error
    try:
        return parsed_toml(text)
    except ValueError as error:
        raise StudyFileError(f"Study file '{path}' is not TOML: {error}.") from error


def _names(text: str) -> str | list[str]:
    return text.split(",") if "," in text else text


def _numbers(name: str, text: str, kind: type[int] | type[float]) -> list[int] | list[float]:
    try:
        return [kind(part) for part in text.split(",")]  # pyright: ignore[reportReturnType]
    except ValueError:
        from isthmus._checks import shown

        numbers = "whole numbers" if kind is int else "numbers"
        raise ArgumentError(
            f"Argument '{name}' must be {numbers} with commas between, but it is {shown(text)}."
        ) from None


def _one_or_pair(name: str, text: str) -> float | list[float]:
    numbers: list[float] = _numbers(name, text, float)  # pyright: ignore[reportAssignmentType]
    return numbers[0] if len(numbers) == 1 else numbers


SAME_KEYS = (
    "activation", "batch_size", "confidence", "flow_runs", "horizon", "max_latent_dim", "method", "particles", "radius",
    "records", "runs", "sampling", "seed", "splits", "step_size", "step_sizes", "tolerance", "weight_decay",
    "widths",
)  # fmt: skip
DATA_KEYS = (
    "max_points", "scale", "columns", "drop", "label", "header", "separator", "decimal", "missing",
)  # fmt: skip
STUDY_KEYS = {
    "data": "data.source",
    **{name: f"data.{name}" for name in DATA_KEYS},
    "latent_dim": "law.latent_dim",
    "law": "law.kind",
    "strength": "law.strength",
    **{name: name for name in SAME_KEYS},
}
"""The key of a study file that each flag stands for."""
PARSED: dict[str, Callable[[str], Any]] = {
    "activation": _names,
    "widths": lambda text: _numbers("widths", text, int),
    "step_sizes": lambda text: _numbers("step_sizes", text, float),
    "weight_decay": lambda text: _one_or_pair("weight_decay", text),
}
"""How flags with several values are read."""


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
