"""What all figures share: style, colours, layout, and files that are the same to the byte when drawn again."""

from __future__ import annotations

import functools
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple, ParamSpec

import numpy as np
import xarray as xr
from matplotlib import colormaps, rcParams, style
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

P = ParamSpec("P")
DARK, GREY, FLOW = "#111111", "#808080", "#08519c"
STYLE: dict[Any, Any] = {
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9.5,
    "font.size": 9.5,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "xtick.labelsize": 9.0,
    "xtick.major.width": 0.6,
    "ytick.labelsize": 9.0,
    "ytick.major.width": 0.6,
}
SIZES = {name: 8.0 for name in STYLE if name.endswith("size")}
SERIF = {
    "font.family": ["STIXGeneral", "DejaVu Serif", "DejaVu Sans"],
    "mathtext.fontset": "stix",
    "pdf.fonttype": 42,
    "lines.markersize": 4.0,
}


class Form(NamedTuple):
    """What figures are drawn for: the widths, in inches, of a column and of a whole page, and the style."""

    column: float
    page: float
    style: dict[Any, Any]


COLUMN = 5.2
"""Inches: so wide that letters can be read on a phone; wider figures are scaled down to it on a screen."""
SHRINKING = 0.6
"""Below 1, since letters don't shrink with a figure and take more of its height."""
SCREEN, PAPER = Form(COLUMN, COLUMN, STYLE), Form(3.4, 7.0, STYLE | SIZES | SERIF)
_form: ContextVar[Form] = ContextVar("form", default=SCREEN)
DPI = {"png": 200, "svg": 150, "pdf": 300}
METADATA = {
    "png": ("Software",),
    "svg": ("Creator", "Date", "Format", "Type"),
    "pdf": ("Creator", "Producer", "CreationDate"),
}
"""What is left out of files, so that they are the same when made again."""
_PLAIN = re.compile(r"[$^{}\\]")
"""What isn't seen of a formula."""
LONGEST_NAME, MOST_NAMES = 16, 16
"""How many letters of the name of a feature are shown, and how many names below one panel."""


@contextmanager
def drawing_for(form: Form) -> Iterator[None]:
    """Draw figures in a form other than that of the screen."""
    token = _form.set(form)
    try:
        yield
    finally:
        _form.reset(token)


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the style of the form, from the defaults, so that nobody’s settings show in a figure."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **options: P.kwargs) -> Figure:
        with style.context(["default", _form.get().style]):
            return draw(*args, **options)

    return drawn


def rendered(figure: Figure, name: str, kind: Literal["png", "svg", "pdf"]) -> bytes:
    """Return a figure as a file; the name keeps the identifiers inside an SVG apart from those of another one."""
    buffer = io.BytesIO()
    with style.context(["default", _form.get().style, {"svg.hashsalt": name}]):
        figure.savefig(buffer, format=kind, dpi=DPI[kind], metadata=dict.fromkeys(METADATA[kind]))
    return buffer.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, whose layout keeps labels apart, of a size in inches that is fitted to the form."""
    form = _form.get()
    given = form.column if width <= COLUMN else form.page
    return Figure(figsize=(given, height * (given / width) ** SHRINKING), layout="constrained")


def finished(figure: Figure, finding: str) -> Figure:
    """Set the sentence that says what a figure shows, and fix the layout, which isn’t computed again for each file."""
    figure.set_label(finding)
    engine = figure.get_layout_engine()
    assert engine is not None
    for _ in range(2):  # where the aspect is fixed, the margins are right only after the first pass
        engine.execute(figure)
    figure.set_layout_engine("none")
    return figure


def said(figure: Figure) -> str:
    """Return the sentence that says what a figure shows."""
    return str(figure.get_label())


def key(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Write a legend below a figure, in as many columns as fit."""
    letters = max(len(_PLAIN.sub("", label)) for label in labels)
    room = 72 * figure.get_figwidth() / (0.53 * rcParams["legend.fontsize"] * (letters + 6))
    figure.legend(handles, labels, loc="outside lower center", ncols=max(1, min(len(labels), int(room))))


def jitter(count: int) -> np.ndarray:
    """Return places in [−½, ½) that are spread evenly however many there are (multiples of the golden ratio)."""
    return (np.arange(count) * (5**0.5 - 1) / 2) % 1 - 0.5


def width_colors(widths: Sequence[int]) -> dict[int, str]:
    """Return widths in order, each with its colour; wider is darker, towards the mean field."""
    places = np.linspace(0.62, 0.2, len(widths)) if len(widths) > 1 else (0.4,)
    return {n: to_hex(colormaps["viridis"](place)) for n, place in zip(sorted(widths), places, strict=True)}


def network_colors(widths: Sequence[int]) -> dict[str, str]:
    """Return the names of networks, narrowest first and the mean field last, with their colours."""
    return {f"N = {width}": color for width, color in width_colors(widths).items()} | {"mean field": DARK}


def step_colors(step_sizes: Sequence[float]) -> dict[float, str]:
    """Return step sizes in order, each with its colour; larger is darker."""
    places = np.linspace(0.65, 0.95, len(step_sizes)) if len(step_sizes) > 1 else (0.75,)
    colors = (to_hex(colormaps["YlOrRd"](place)) for place in places)
    return dict(zip(sorted(step_sizes), colors, strict=True))


def feature_names(data: xr.Dataset) -> list[str]:
    """Return the names of features, cut where they are long, none where they have none."""
    names = data.feature.values.tolist() if "feature" in data.coords else []
    return [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in names]


def feature_axis(axes: Axes, names: Sequence[str]) -> None:
    """Write the names of features upwards below the places 1, 2, …, or every so many where not all of them fit."""
    every = max(1, math.ceil(len(names) / MOST_NAMES))
    # names are no formulas, whatever signs they hold
    axes.set_xticks(range(1, len(names) + 1, every), names[::every], rotation=90, fontsize=7.0, parse_math=False)
    axes.tick_params(axis="x", labelbottom=True)


def small_ticks(axes: Axes) -> None:
    """Write few and small numbers at the axes of one of many panels."""
    axes.tick_params(labelsize=0.75 * rcParams["axes.labelsize"], pad=1.5)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set(major_locator=MaxNLocator(3, steps=[1, 2, 5, 10]), major_formatter=StrMethodFormatter("{x:g}"))


def early_time_axis(axes: Axes, time: np.ndarray) -> None:
    """Show time on a logarithmic axis that is linear up to the first record, so that the start is seen."""
    first = float(time[1])
    axes.set_xscale("symlog", linthresh=first, linscale=0.5)
    axes.set_xlim(0, time[-1])
    later = np.asarray(
        LogLocator(subs=(1, 2, 5) if time[-1] < 200 * first else (1,), numticks=20).tick_values(first, float(time[-1]))
    )
    axes.xaxis.set(major_locator=FixedLocator([0, *later[(later >= first) & (later <= time[-1])]]))
    axes.xaxis.set(minor_locator=NullLocator(), major_formatter=StrMethodFormatter("{x:g}"))
