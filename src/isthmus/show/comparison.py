"""Two finished studies of one kind on one page: what differs between them, and everything side by side."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any, NamedTuple

from isthmus import _checks
from isthmus.show.pages import result_page
from isthmus.show.report import Page, Plate, Table, marked, rendered_template
from isthmus.studies.statistics import CONFIDENCE
from isthmus.studies.tracking_result import TrackingResult

LETTERS = ("A", "B")
NOT_SET = "not set"


class Side(NamedTuple):
    """One of the two studies."""

    letter: str
    folder: str
    page: Page


class Comparison(NamedTuple):
    """What the page of two studies says."""

    title: str
    heading: str
    question: str
    verdicts: Sequence[str]
    tables: Sequence[Table]
    sides: Sequence[Side]
    plates: Sequence[tuple[str, Sequence[tuple[Side, Plate]]]]
    predicted: bool
    command: str


def compare(results: Sequence[Any], folders: Sequence[str]) -> Comparison:
    """Return the page of two studies of one kind, from two folders.

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
    tables = [_differing(rows)] if rows else []
    verdicts = [_what_differs(rows)]
    if isinstance(first, TrackingResult):
        verdicts += _gap_verdicts(first, second)
        tables += _gaps(first, second)
    headings = dict.fromkeys(plate.heading for side in sides for plate in side.page.plates)
    return Comparison(
        title=f"{sides[0].page.title} beside {sides[1].page.title}",
        heading="Two studies side by side",
        question=f"What does the study in {folders[0]} (A) find, what that in {folders[1]} (B), and what differs?",
        verdicts=verdicts,
        tables=tables,
        sides=sides,
        plates=[
            (heading, [(side, plate) for side in sides for plate in side.page.plates if plate.heading == heading])
            for heading in headings
        ],
        predicted=any(side.page.stage.predicted for side in sides if side.page.stage),
        command=f"isthmus report {folders[0]} {folders[1]}",
    )


def render_comparison(comparison: Comparison) -> str:
    """Return the page of two studies as HTML."""
    return rendered_template("comparison.html.j2", comparison=comparison)


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the keys in which two studies differ, with their values as TOML; release and machine count as keys."""
    values = [
        _flat(tomllib.loads(attrs["study"])) | {"(release)": attrs["isthmus"], "(machine)": attrs["machine"]}
        for attrs in (first, second)
    ]
    keys = dict.fromkeys([*values[0], *values[1]])
    rows = [(key, _said(values[0].get(key)), _said(values[1].get(key))) for key in keys]
    return [row for row in rows if row[1] != row[2]]


def _side(letter: str, folder: str, result: Any) -> Side:
    page = result_page(result)
    stage = page.stage and page.stage._replace(name=f"stage-{letter}", heading=f"{letter}: {folder}")
    plates = [marked(plate, letter) for plate in page.plates]
    return Side(letter, folder, page._replace(stage=stage, plates=plates))


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
    asked = [key for key, *_ in rows if not key.startswith("(")]
    others = [key.strip("()") for key, *_ in rows if key.startswith("(")]
    also = f" They were made by another {' and on another '.join(others)}." if others else ""
    if not asked:
        return f"Both studies ask the same: no key differs.{also}"
    return f"The studies differ in {len(asked)} key{'s' if len(asked) > 1 else ''}: {', '.join(asked)}.{also}"


def _differing(rows: list[tuple[str, str, str]]) -> Table:
    return Table(
        "Keys that differ",
        "Every key of the two study files that has not the same value in both; all others are equal.",
        ["key", *LETTERS],
        [(key, [(a, ""), (b, "")]) for key, a, b in rows],
    )


def _shared(first: TrackingResult, second: TrackingResult) -> list[tuple[int, float]]:
    """Return the widths and step sizes of both, step size 0 included."""
    widths = sorted(set(first.study.widths) & set(second.study.widths))
    return [(n, e) for n in widths for e in (0.0, *sorted(set(first.study.step_sizes) & set(second.study.step_sizes)))]


def _gap(result: TrackingResult, width: int, step_size: float) -> Any:
    where = {"level": result.study.confidence, "width": width}
    if step_size == 0:
        return result.estimate("flow_gap_quantile", **where)
    return result.estimate("gap_quantile", step_size=step_size, **where)


def _gap_verdicts(first: TrackingResult, second: TrackingResult) -> list[str]:
    """Say how the sup-gaps of the networks that both studies hold compare, and how their limits end."""
    ends = [float(result.dataset.mean_field_risk[-1]) for result in (first, second)]
    horizons = [result.study.horizon for result in (first, second)]
    sentences = [
        f"The mean-field risk ends at {ends[0]:.4f} in A (t={horizons[0]:g}) and at {ends[1]:.4f} in B "
        f"(t={horizons[1]:g})."
    ]
    if first.study.confidence != second.study.confidence:
        return [*sentences, "They report quantiles of different levels, so that their sup-gaps are not compared."]
    networks = _shared(first, second)
    if not networks:
        return [*sentences, "No width is in both studies, so that no sup-gap is compared."]
    pairs = [(_gap(first, *network), _gap(second, *network)) for network in networks]
    ratios = [b.value / a.value for a, b in pairs]
    apart = sum(a.upper < b.lower or b.upper < a.lower for a, b in pairs)
    return [
        *sentences,
        f"Over the {len(pairs)} kinds of networks that are in both, the {100 * first.study.confidence:g} % quantile of "
        f"the sup-gap in B is {min(ratios):.2f} to {max(ratios):.2f} times that in A; "
        f"the {100 * CONFIDENCE:g} % intervals of {apart} of them do not overlap.",
    ]


def _gaps(first: TrackingResult, second: TrackingResult) -> list[Table]:
    """Return the sup-gaps of the networks that both studies hold."""
    networks = _shared(first, second) if first.study.confidence == second.study.confidence else []
    if not networks:
        return []

    def cell(result: TrackingResult, width: int, step_size: float) -> tuple[str, str]:
        estimate = _gap(result, width, step_size)
        return f"{estimate.value:.3g}", f"{estimate.lower:.3g} to {estimate.upper:.3g}"

    return [
        Table(
            "Sup-gaps of the networks in both",
            f"The {100 * first.study.confidence:g} % quantile over runs of max |R_N(t) − R(t)| with its bootstrap "
            "interval; step size 0 is gradient flow.",
            ["network", *LETTERS],
            [(f"N = {n}, step size {e:g}", [cell(result, n, e) for result in (first, second)]) for n, e in networks],
        )
    ]
