"""Two finished studies of one kind on one page: what differs between them, and everything side by side."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any, NamedTuple

from isthmus import _checks
from isthmus._words import counted, listed
from isthmus.show.gap_comparison import GapComparison, gap_comparison
from isthmus.show.pages import result_page
from isthmus.show.report import Page, Plate, Table, marked, rendered_template
from isthmus.studies.result import StudyResult
from isthmus.studies.tracking_result import TrackingResult

LETTERS = ("A", "B")
NOT_SET = "not set"
ORIGIN = {"release": "by different releases", "machine": "on different machines"}


class Side(NamedTuple):
    """One of the two studies."""

    letter: str
    folder: str
    page: Page


class Comparison(NamedTuple):
    """What the page of two studies says; plates of one heading stand side by side."""

    title: str
    question: str
    answer: str
    findings: Sequence[str]
    tables: Sequence[Table]
    sides: Sequence[Side]
    plates: Sequence[tuple[str, Sequence[tuple[Side, Plate]]]]
    predicted: bool
    command: str


def compare(results: Sequence[StudyResult], folders: Sequence[str]) -> Comparison:
    """Return the page of two studies of one kind, from two folders.

    Numbers are compared only where both studies ask the same of the same data; otherwise the page says why not.

    Raises:
        ArgumentError: where they are of different kinds.

    """
    first, second = results
    if type(first) is not type(second):
        kinds = [str(result.dataset.attrs["title"]).removeprefix("isthmus ") for result in results]
        _checks.refuse(
            "other", f"hold a study of the kind of '{folders[0]}', a {kinds[0]}", _checks.described(f"a {kinds[1]}")
        )
    sides = [_side(*each) for each in zip(LETTERS, folders, results, strict=True)]
    rows = differences(first.dataset.attrs, second.dataset.attrs)
    numbers = GapComparison([], [])
    if isinstance(first, TrackingResult) and isinstance(second, TrackingResult):
        numbers = gap_comparison(first, second, rows)
    answer, *findings = [*numbers.sentences, _what_differs(rows)]
    folded = [(side, plate) for side in sides for section in side.page.sections for plate in section.plates]
    return Comparison(
        title=f"{sides[0].page.title} beside {sides[1].page.title}",
        question=f"How does {folders[1]} (B) differ from {folders[0]} (A)?",
        answer=answer,
        findings=findings,
        tables=[*([_differing(rows)] if rows else []), *numbers.tables],
        sides=sides,
        plates=[
            (heading, [(side, plate) for side, plate in folded if plate.heading == heading])
            for heading in dict.fromkeys(plate.heading for _, plate in folded)
        ],
        predicted=any(side.page.animation.predicted for side in sides if side.page.animation),
        command=f"isthmus report {folders[0]} {folders[1]}",
    )


def render_comparison(comparison: Comparison) -> str:
    """Return the page of two studies as HTML."""
    return rendered_template("comparison.html.j2", comparison=comparison)


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the settings in which two studies differ, with their values; data, release and machine count too."""
    values = [
        _flat(tomllib.loads(attrs["study"]))
        | {"data": attrs["data"], "release": attrs["isthmus"], "machine": attrs["machine"]}
        for attrs in (first, second)
    ]
    keys = dict.fromkeys([*values[0], *values[1]])
    rows = [(key, _said(values[0].get(key)), _said(values[1].get(key))) for key in keys]
    return [row for row in rows if row[1] != row[2]]


def _side(letter: str, folder: str, result: StudyResult) -> Side:
    page = result_page(result)
    animation = page.animation and page.animation._replace(name=f"animation-{letter}", heading=f"{letter}: {folder}")
    sections = [
        section._replace(plates=[marked(plate, letter) for plate in section.plates]) for section in page.sections
    ]
    return Side(letter, folder, page._replace(animation=animation, lead=marked(page.lead, letter), sections=sections))


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested tables as one, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _said(value: object) -> str:
    if value is None:
        return NOT_SET
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _what_differs(rows: list[tuple[str, str, str]]) -> str:
    asked = [key for key, *_ in rows if key not in ORIGIN]
    others = [ORIGIN[key] for key, *_ in rows if key in ORIGIN]
    also = f" They were made {listed(others)}." if others else ""
    if not asked:
        return f"All settings are the same in both studies.{also}"
    return f"{counted(len(asked), 'setting')} {'differ' if len(asked) > 1 else 'differs'}: {listed(asked)}.{also}"


def _differing(rows: list[tuple[str, str, str]]) -> Table:
    return Table(
        "Settings that differ",
        "All other settings are the same in both studies.",
        ["setting", *LETTERS],
        [(key, [(a, ""), (b, "")]) for key, a, b in rows],
    )
