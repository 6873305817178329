"""Reports: one HTML page for a finished study, which needs nothing beside itself and asks for nothing."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from isthmus._files import write_atomically
from isthmus.show.canvas import rendered
from isthmus.show.stage import Stage

LARGE = 500_000
"""From this many characters on, an SVG gives way to a PNG where that is smaller."""


class Plate(NamedTuple):
    """A figure on a page: an SVG element, or else a PNG in base 64; it is saved under its name."""

    name: str
    heading: str
    alt: str
    caption: str
    svg: str
    png: str


class Table(NamedTuple):
    """A table on a page: in each row a name, and cells of a value with its bounds (or nothing) in small print."""

    heading: str
    meaning: str
    columns: Sequence[str]
    rows: Sequence[tuple[object, Sequence[tuple[str, str]]]]


class Page(NamedTuple):
    """What a report says; the study's TOML, the command that repeats it, and the machine close it."""

    title: str
    heading: str
    question: str
    verdicts: Sequence[str]
    tables: Sequence[Table]
    plates: Sequence[Plate]
    equations: str
    symbols: str
    command: str
    toml: str
    version: str
    machine: str
    stage: Stage | None = None

    @property
    def command_line(self) -> str:
        """What makes the numbers of this page."""
        return f"isthmus {self.command} study.toml --out FOLDER"


def write_page(page: Page, path: Path) -> None:
    """Write a report to a file."""
    write_text(render_page(page), path)


def render_page(page: Page) -> str:
    """Return a report as HTML, with its own scripts inside it and without links to anything outside it."""
    return rendered_template("report.html.j2", page=page)


def write_text(text: str, path: Path) -> None:
    """Write a page to a file."""
    write_atomically(path, lambda place: place.write_text(text, encoding="utf-8"))


def rendered_template(name: str, **values: object) -> str:
    """Return a template of this package, filled in."""
    loader = PackageLoader("isthmus.show", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.globals["asset"] = lambda asset: Markup(loader.get_source(environment, asset)[0])
    return environment.get_template(name).render(**values)


def plate(name: str, heading: str, figure: Figure, caption: str) -> Plate:
    """Return a figure with its heading and caption, ready for a page."""
    svg = _inlined(rendered(figure, name, "svg").decode("utf-8"), name)
    png = base64.b64encode(rendered(figure, name, "png")).decode("ascii") if len(svg) > LARGE else ""
    if png and len(png) < len(svg):
        svg = ""
    alt, caption = figure.get_suptitle().replace("\n", " "), caption.replace(" %", "\u00a0%")
    return Plate(name, heading, alt, caption, svg, "" if svg else png)


def _inlined(svg: str, name: str) -> str:
    """Return the element of an SVG file, with identifiers that no other figure of the page has."""
    return _renamed(svg[svg.index("<svg") :], name)


def marked(plate: Plate, mark: str) -> Plate:
    """Return a plate with a mark in its name and identifiers, that stands beside its like from another study."""
    return plate._replace(name=f"{mark}-{plate.name}", svg=_renamed(plate.svg, mark))


def _renamed(element: str, name: str) -> str:
    """Return an SVG element whose identifiers begin with a name."""
    element = re.sub(r'\bid="', f'id="{name}-', element)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", element)
