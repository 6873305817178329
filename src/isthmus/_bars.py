"""``progress=True``: a bar on standard error, in a terminal and in a notebook alike."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

P = ParamSpec("P")
Returned = TypeVar("Returned")
LENGTH = 24
"""Of a bar, in letters."""
PAUSE = 0.1
"""The shortest time between two pictures of a bar, in seconds."""


class Bar:
    """A bar, called as ``bar(done, total)`` or ``bar(stage, done, total)``; in a file it is one line, at the end."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._clock, self._begun, self._drawn = name, clock, clock(), float("-inf")
        self._stages: dict[str, tuple[int, int]] = {}
        self._moves = sys.stderr.isatty() or "ipykernel" in sys.modules
        self._longest, self._noted = 0, ""

    def __call__(self, *reported: Any) -> None:
        """Note how far it is."""
        *stage, done, total = reported
        self._stages[stage[0] if stage else ""] = done, total
        if self._moves and self._clock() - self._drawn >= PAUSE:
            self._drawn = self._clock()
            self._write("\r")

    def note(self, text: str) -> None:
        """Show a few words on what has been found so far."""
        self._noted = text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._stages:
            self._write("\r" if self._moves else "", "\n")

    def _write(self, before: str, after: str = "") -> None:
        done, total = (sum(numbers) for numbers in zip(*self._stages.values(), strict=True))
        full = round(LENGTH * done / total) if total else 0
        stage = list(self._stages)[-1]
        text = f"{self._name} {'█' * full}{'░' * (LENGTH - full)} {done}/{total}, {self._clock() - self._begun:.0f} s"
        text += f" ({stage})" if stage and done < total else ""
        text += f": {self._noted}" if self._noted else ""
        self._longest = max(self._longest, len(text))
        sys.stderr.write(f"{before}{text:<{self._longest}}{after}")
        sys.stderr.flush()


def with_bar(function: Callable[P, Returned]) -> Callable[P, Returned]:
    """Let a function that takes ``progress`` by name show a bar where it is True, and nothing where it is False."""

    @functools.wraps(function)
    def shown(*args: P.args, **options: P.kwargs) -> Returned:
        if options.get("progress") is True:
            with Bar(function.__qualname__) as bar:
                return function(*args, **(options | {"progress": bar}))  # pyright: ignore[reportCallIssue]
        if options.get("progress") is False:
            options["progress"] = None
        return function(*args, **options)

    return shown
