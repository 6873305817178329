"""What all studies share: a description that is a TOML file, and names for stages and variables."""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable
from typing import Any, Self

import tomli_w
from pydantic import ValidationError

from isthmus import _checks
from isthmus._errors import ArgumentError
from isthmus._version import __version__
from isthmus.core.specification import ProblemSpecification, commented_toml, parsed_toml, translated

StageProgress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)``."""

FORMAT = 1
"""Of result files; it changes when old ones can't be read any more."""


class Study(ProblemSpecification):
    """A question about one problem, in words: every field is a key of a study file (TOML)."""

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise translated(error, type(self)) from None

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.model_dump() == other.model_dump()

    __hash__ = ProblemSpecification.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (type(self), self.to_toml())

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

    @classmethod
    def example_toml(cls) -> str:
        """Return a study file in which every key stands with its default and what it means."""
        return commented_toml(cls())


@functools.lru_cache(maxsize=4)
def _received(kind: type[Study], text: str) -> Study:
    """Return a study that was sent to this process: the same one each time, so that its problem is built once."""
    return kind.from_toml(text)


def stage(progress: StageProgress | None, name: str) -> Callable[[int, int], None] | None:
    """Return the progress of one stage by its name."""
    _checks.function("progress", progress, optional=True)
    return None if progress is None else functools.partial(progress, name)


def named(long_name: str) -> dict[str, str]:
    """Return the attributes of a variable."""
    return {"long_name": long_name}


def optimum_settings(study: Study) -> dict[str, Any]:
    """Return the keys of a study that say how `solve_optimum` searches, as its arguments."""
    keys = ("radius", "atoms", "restarts", "tolerance", "rounds", "starts")
    return {key: getattr(study, key) for key in keys}


def provenance(title: str, study: Study, data: object) -> dict[str, object]:
    """Return the attributes of every result: what it is, and of which study, data, version and machine."""
    return {
        "title": title,
        "format": FORMAT,
        "isthmus": __version__,
        "study": study.to_toml(),
        "data": repr(data),
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
