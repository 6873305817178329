"""From flags and a study file to the values of a study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from isthmus._errors import ArgumentError, StudyFileError


def study_values(context: typer.Context) -> dict[str, Any]:
    """Return what the study file says, overridden by a command's flags, read by name, and by ``--set``."""
    given = context.params
    flags = {key: given[flag] for flag, key in STUDY_KEYS.items() if given.get(flag) is not None}
    for name, parse in PARSED.items():
        if name in flags:
            flags[name] = parse(flags[name])
    values = _read_study(given["study"]) if given["study"] is not None else {}
    for key, value in (flags | _assignments(given["settings"] or [])).items():
        _assign(values, key, value)
    return values


def _read_study(path: Path) -> dict[str, Any]:
    from isthmus import _checks
    from isthmus.core.specification import parsed_toml

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
    "records", "runs", "sampling", "seed", "splits", "step_size", "step_sizes", "weight_decay", "widths",
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
    from isthmus.core.specification import parsed_toml

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
