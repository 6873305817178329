"""What every finished study is: its numbers, its answer, and what else it found, in sentences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import xarray as xr

from isthmus._display import Shown, Summary
from isthmus._version import __version__
from isthmus.studies.contents import Contents
from isthmus.studies.study import Study

MOST_VERDICTS = 7
"""Of those that a summary holds."""
AskedStudy = TypeVar("AskedStudy", bound=Study | None)


@dataclass(frozen=True, repr=False)
class StudyResult(Summary, ABC, Generic[AskedStudy]):
    """A finished study.

    Attributes:
        study: what was asked.
        dataset: every number as a labelled `xarray.Dataset`; each variable's ``long_name`` says what it is.

    """

    study: AskedStudy
    dataset: xr.Dataset

    figures = Shown("pages.drawn_figures")
    report = Shown("pages.write_report")

    def _lines(self) -> list[tuple[str, object]]:
        sizes = ", ".join(f"{name} {size}" for name, size in self.dataset.sizes.items())
        found = [("", sentence) for sentence in self.verdicts()]
        return [("answer", self.answer()), *found[:MOST_VERDICTS], ("dataset", sizes)]

    @abstractmethod
    def answer(self) -> str:
        """Return the answer to the question of the study, in one sentence."""

    @abstractmethod
    def verdicts(self) -> list[str]:
        """Return what else was found, in sentences."""

    def summary(self) -> dict[str, object]:
        """Return the main figures as plain numbers, for JSON."""
        return {"isthmus": __version__, "answer": self.answer(), **self._figures(), "verdicts": self.verdicts()}

    def validation_error(self) -> str | None:
        """Return in what the numbers can't be those of the study, None where they can."""
        return "there is no study" if self.study is None else self._contents.error(self.dataset)

    @abstractmethod
    def _figures(self) -> dict[str, object]:
        """Return the main figures as plain numbers."""

    @property
    @abstractmethod
    def _contents(self) -> Contents:
        """What the dataset holds."""
