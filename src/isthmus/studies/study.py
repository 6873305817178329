"""What all studies share: a description that is a TOML file, and names for stages and variables."""

from __future__ import annotations

import functools
import math
import platform
import textwrap
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, Self

import tomli_w
from pydantic import BaseModel, ValidationError

from isthmus import _checks
from isthmus._display import LONGEST, MOST_LINES
from isthmus._errors import ArgumentError
from isthmus._version import __version__
from isthmus.studies.specification import ProblemSpecification, commented_toml, parsed_toml, translated

StageProgress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)``."""

FORMAT = 2
"""Of result files; it changes when old ones can't be read any more."""


class Study(ProblemSpecification):
    """A question about one problem, in words: every field is a key of a study file (TOML).

    Attributes:
        QUICK: numbers that make a study of this kind cheap, by dotted key: ``{"runs": 8, "data.max_points": 100}``.

    """

    QUICK: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise translated(error, type(self)) from None

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.model_dump() == other.model_dump()

    __hash__ = ProblemSpecification.__hash__

    def __repr__(self) -> str:
        """Return what differs from the defaults, as it would be asked for."""
        asked = (f"{key}={value!r}" for key, value in self.model_dump(exclude_defaults=True).items())
        text = f"{type(self).__name__}({', '.join(asked)})"
        return textwrap.fill(text, LONGEST, subsequent_indent="    ", max_lines=MOST_LINES, break_long_words=False)

    __str__ = __repr__

    def __dir__(self) -> list[str]:
        """Return the keys and what can be done with them, without what pydantic would show beside them."""
        return sorted(name for name in super().__dir__() if name.startswith("_") or name not in dir(BaseModel))

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self), self.to_toml())

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Return the study that a TOML text describes."""
        if not isinstance(text, str):
            _checks.refuse_type("study", "be the text of a study file", text)
        try:
            values = parsed_toml(text)
        except ValueError as error:
            raise ArgumentError(f"Argument 'study' must be TOML, but it is not: {error}.") from None
        return cls(**values)

    def to_toml(self) -> str:
        """Return the study as TOML, every key written out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    def quick(self, keep: Collection[str] = ()) -> Self:
        """Return a much cheaper study of the same question, whose answer is rougher.

        Args:
            keep: dotted keys that stay as they are. Others stay where they are cheap already, or where the cheaper
                value would break a rule.

        Example:
            >>> import isthmus as im
            >>> study = im.TrackingStudy(data={"source": "wine"}, runs=64)
            >>> study.quick().runs < study.runs, study.quick(keep=["runs"]).runs
            (True, 64)

        """
        default, quick = type(self)(), self
        for key, value in self.QUICK.items():
            if key in keep or not _is_cheaper(value, _at(quick, key), _at(default, key)):
                continue
            try:
                quick = type(self)(**_changed(quick, key.split("."), value))
            except ArgumentError:
                continue
        return quick

    @classmethod
    def example_toml(cls) -> str:
        """Return a study file in which every key stands with its default and what it means."""
        return commented_toml(cls())


def _at(model: BaseModel, key: str) -> Any:
    """Return the value at a dotted key."""
    return functools.reduce(getattr, key.split("."), model)


def _changed(model: BaseModel, path: list[str], value: Any) -> dict[str, Any]:
    """Return the values that a description was given, with another value for the key at a path."""
    given = {name: getattr(model, name) for name in model.model_fields_set}
    name, *rest = path
    return given | {name: _changed(getattr(model, name), rest, value) if rest else value}


def _is_cheaper(value: Any, current: Any, default: Any) -> bool:
    """Whether a value is cheaper than the current one; it lies on the cheap side of the default."""
    new, now, usual = map(_size, (value, current, default))
    return new < now if new < usual else new > now


def _size(value: Any) -> float:
    """Return how much a value asks for: a number itself, the sum of several, and infinity for None."""
    return math.inf if value is None else float(sum(value)) if isinstance(value, tuple | list) else float(value)


@functools.lru_cache(maxsize=4)
def _unpickled(kind: type[Study], text: str) -> Study:
    """Return a study that was sent to this process: the same object each time, so that its problem is built once."""
    return kind.from_toml(text)


def stage(progress: StageProgress | None, name: str) -> Callable[[int, int], None] | None:
    """Return the progress of one stage by its name."""
    _checks.function("progress", progress, optional=True)
    return None if progress is None else functools.partial(progress, name)


def named(long_name: str) -> dict[str, str]:
    """Return the attributes of a variable."""
    return {"long_name": long_name}


def check_distinct(name: str, values: Collection[object]) -> None:
    """Refuse values of which two are the same."""
    if len(set(values)) < len(values):
        _checks.refuse(name, "hold each value once", list(values))


def optimum_settings(study: Study) -> dict[str, Any]:
    """Return the keys of a study that say how `solve_optimum` searches, as its arguments."""
    keys = ("radius", "atoms", "restarts", "tolerance", "rounds", "starts")
    return {key: getattr(study, key) for key in keys}


def provenance(title: str, study: Study, data: object) -> dict[str, object]:
    """Return the attributes of every result: its title, and of which study, data, version and machine it is."""
    return {
        "title": title,
        "format": FORMAT,
        "isthmus": __version__,
        "study": study.to_toml(),
        "data": repr(data),
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
