"""Reports: one HTML page for a finished study, which needs nothing beside itself and asks for nothing."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from isthmus._files import write_atomically
from isthmus._words import interval, number
from isthmus.show.animation import Animation
from isthmus.show.canvas import rendered, said
from isthmus.show.mathematics import caption, mathml, sentence
from isthmus.show.readings import json_element, readings
from isthmus.show.themes import dark_colors, themed
from isthmus.studies.result import StudyResult

LARGEST_SVG = 500_000
"""The number of characters above which an SVG gives way to a PNG, where that is smaller."""


class Plate(NamedTuple):
    """A figure on a page: an SVG element, or else a PNG in base 64; it is saved under its name.

    ``alt`` says what it shows in one sentence, ``caption`` how to read it (with ``$LaTeX$``), and ``readings`` holds
    the numbers behind it, which the page shows under the pointer.
    """

    name: str
    heading: str
    alt: str
    caption: str
    svg: str
    png: str
    readings: list[dict[str, object]]


class Table(NamedTuple):
    """A table on a page: in each row a name, and cells of a value with its bounds (or nothing) in small print."""

    heading: str
    meaning: str
    columns: Sequence[str]
    rows: Sequence[tuple[object, Sequence[tuple[str, str]]]]


def cell(value: float, lower: float = math.nan, upper: float = math.nan) -> tuple[str, str]:
    """Return a cell of a table: a number, with the ends of its interval where these are known."""
    return number(value), interval(lower, upper) if math.isfinite(lower) else ""


class Equation(NamedTuple):
    """An equation by name, in LaTeX."""

    name: str
    latex: str


RISK = Equation("risk", r"R = \tfrac12 \mathbb{E}\|x - \hat x\|^2")
SUP_GAP = Equation("sup-gap", r"\max_t |R_N(t) - R(t)|")
FINITE_NETWORKS = Equation(
    "finite networks", r"R_N(t) \approx R(t) + \zeta(t) + \beta(t), \quad \zeta \text{ Gaussian}"
)


class Section(NamedTuple):
    """A part of a page that folds out: figures, and then tables."""

    heading: str
    plates: Sequence[Plate] = ()
    tables: Sequence[Table] = ()


class Page(NamedTuple):
    """What a report says: the question, its answer and one figure; then what else was found, and all else folded in.

    ``question``, ``answer`` and ``findings`` are plain text, ``symbols`` and captions may hold ``$LaTeX$``; the study's
    TOML, the command that repeats it, and the machine close the page.
    """

    title: str
    question: str
    answer: str
    lead: Plate
    findings: Sequence[str]
    sections: Sequence[Section]
    equations: Sequence[Equation]
    symbols: str
    command: str
    toml: str
    version: str
    machine: str
    animation: Animation | None = None

    @property
    def command_line(self) -> str:
        """What makes the numbers of this page."""
        return f"isthmus {self.command} study.toml --out FOLDER"

    @property
    def plates(self) -> Iterator[Plate]:
        """All figures, the leading one first."""
        yield self.lead
        for section in self.sections:
            yield from section.plates


def study_page(
    result: StudyResult,
    figures: Mapping[str, Figure],
    words: Mapping[str, tuple[str, str]],
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    title: str,
    question: str,
    tables: Sequence[Table],
    equations: Sequence[Equation],
    symbols: str,
    command: str,
    animation: Animation | None = None,
) -> Page:
    """Return the page of a finished study, which its first figure leads.

    Args:
        result: the study.
        figures: its figures, by name.
        words: the heading and the caption of each figure, by name.
        groups: the parts of the page by heading, with the names of their figures; by default each figure is a part.
        title: of the page.
        question: that the study answers.
        tables: the last part of the page.
        equations: of the model and of what is shown.
        symbols: says what the symbols of the equations mean.
        command: runs such a study.
        animation: figures that a slider over training time moves.

    """
    lead, *others = [plate(name, figure, *words[name]) for name, figure in figures.items()]
    parts = groups or {one.heading: [one.name] for one in others}
    sections = [Section(heading, [one for one in others if one.name in names]) for heading, names in parts.items()]
    attributes = result.dataset.attrs
    return Page(
        title=title,
        question=question,
        answer=result.answer(),
        lead=lead,
        findings=result.verdicts(),
        sections=[*(section for section in sections if section.plates), Section("Numbers", tables=tables)],
        equations=equations,
        symbols=symbols,
        command=command,
        toml=attributes["study"],
        version=attributes["isthmus"],
        machine=attributes["machine"],
        animation=animation,
    )


def write_page(page: Page, path: Path) -> None:
    """Write a report to a file."""
    write_text(render_page(page), path)


def render_page(page: Page) -> str:
    """Return a report as HTML, with its own scripts inside it and without links to anything outside it."""
    return rendered_template("report.html.j2", page=page)


def write_text(text: str, path: Path) -> None:
    """Write a page to a file."""
    write_atomically(path, lambda target: target.write_text(text, encoding="utf-8"))


def rendered_template(name: str, **values: object) -> str:
    """Return a template of this package, filled in."""
    loader = PackageLoader("isthmus.show", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.globals["asset"] = lambda asset: Markup(loader.get_source(environment, asset)[0])
    environment.filters |= {
        "sentence": sentence,
        "caption": caption,
        "mathml": mathml,
        "element": json_element,
        "dark_colors": dark_colors,
    }
    return environment.get_template(name).render(**values)


def plate(name: str, figure: Figure, heading: str, caption: str) -> Plate:
    """Return a figure with its heading and caption, ready for a page."""
    svg = _inlined(rendered(figure, name, "svg").decode("utf-8"), name)
    png = base64.b64encode(rendered(figure, name, "png")).decode("ascii") if len(svg) > LARGEST_SVG else ""
    if png and len(png) < len(svg):
        svg = ""
    return Plate(name, heading, said(figure), caption, svg, "" if svg else png, readings(figure))


def _inlined(svg: str, name: str) -> str:
    """Return the element of an SVG file, with colours that follow the page, and identifiers of its own."""
    return _renamed(themed(svg[svg.index("<svg") :]), name)


def marked(plate: Plate, mark: str) -> Plate:
    """Return a plate with a mark in its name and identifiers, that stands beside its like from another study."""
    return plate._replace(name=f"{mark}-{plate.name}", svg=_renamed(plate.svg, mark))


def _renamed(element: str, name: str) -> str:
    """Return an SVG element whose identifiers begin with a name."""
    element = re.sub(r'\bid="', f'id="{name}-', element)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", element)
