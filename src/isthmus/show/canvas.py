"""What all figures share: style, colours, layout, and files that are the same to the byte when drawn again."""

from __future__ import annotations

import functools
import inspect
import io
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar

import numpy as np
import xarray as xr
from matplotlib import colormaps, rcParams, style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from isthmus import _checks
from isthmus._files import write_atomically
from isthmus._words import listed, setting
from isthmus.show.themes import fitted_to_paper

P = ParamSpec("P")
Size = TypeVar("Size", int, float)
DARK, GREY = "#111111", "#808080"
FLOW = "#08519c"
"""The colour of gradient flow."""
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
"""The width of figures on a screen, in inches, at which a phone shows readable letters."""
SHRINKING = 0.6
"""The exponent with which the height of a figure follows its width; below 1, since letters keep their size."""
SCREEN, PAPER = Form(COLUMN, COLUMN, STYLE), Form(3.4, 7.0, STYLE | SIZES | SERIF)
INSIDE: dict[str, Any] = {"frameon": True, "framealpha": 0.75, "edgecolor": "none", "fontsize": "small"}
"""The legend inside axes that are given, where curves may run behind it."""
_form: ContextVar[Form] = ContextVar("form", default=SCREEN)
DPI = {"png": 200, "svg": 150, "pdf": 300}
"""The resolution of images in a file of each kind, in dots per inch."""
METADATA = {
    "png": ("Software",),
    "svg": ("Creator", "Date", "Format", "Type"),
    "pdf": ("Creator", "Producer", "CreationDate"),
}
"""The entries of metadata that are left out of files, so that these are the same when made again."""
_MARKUP = re.compile(r"[$^{}\\]")
"""The signs of a formula that aren't seen."""
MOST_EVEN = 50.0
"""Multiple of the first record after 0 up to which time is shown evenly."""
LONGEST_NAME = 16
"""The number of letters that are shown of the name of a feature."""
MOST_NAMES = 16
"""The number of names that fit below one panel."""
MOST_VECTOR_DOTS = 2000
"""A series with more dots goes into an SVG as an image, whose colours don't follow the page."""


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


def on_axes(width: float, height: float) -> Callable[[Callable[P, None]], Callable[P, Axes]]:
    """Let a function draw on axes that are given as ``ax``, or on those of a new figure of a size in inches.

    The figure is one of pyplot's, so that a notebook shows it and ``plt.show()`` does; its legend stands below. Axes
    that are given keep their own style, be it a dark one, and have the legend inside.
    """

    def wrapped(draw: Callable[P, None]) -> Callable[P, Axes]:
        @functools.wraps(draw)
        def drawn(*args: P.args, **options: P.kwargs) -> Axes:
            from matplotlib import interactive
            from matplotlib import pyplot as plt  # it chooses a backend, which a report needs not

            given = options.get("ax")
            with style.context([] if given is not None else ["default", _form.get().style]):
                if given is None:
                    figure = plt.figure(figsize=_size(width, height), layout="constrained")
                    options["ax"] = figure.subplots()
                axes: Any = options["ax"]
                if not isinstance(axes, Axes):
                    _checks.refuse_type("ax", "be one Axes of matplotlib", axes)
                before = set(axes.get_children())
                draw(*args, **options)
                fitted_to_paper(axes, set(axes.get_children()) - before)
                if axes.get_legend_handles_labels()[0]:
                    key(axes.figure, axes) if given is None else axes.legend(*_once(axes), **INSIDE)  # pyright: ignore
                # A notebook's backend sets it with the first figure, and needs it for later ones.
                stays = plt.isinteractive()
            interactive(stays)
            return axes

        drawn.__annotations__ = draw.__annotations__ | {"return": "Axes"}
        drawn.__signature__ = inspect.signature(draw).replace(return_annotation="Axes")  # pyright: ignore
        return drawn

    return wrapped


def _once(axes: Axes) -> tuple[list[Artist], list[str]]:
    """Return the handles of a legend, and labels of which each stands once."""
    handles, labels = axes.get_legend_handles_labels()
    entries = dict(zip(labels, handles, strict=True))
    return list(entries.values()), list(entries)


def rendered(figure: Figure, name: str, kind: Literal["png", "svg", "pdf"]) -> bytes:
    """Return a figure as a file; the name keeps the identifiers inside an SVG apart from those of another one."""
    buffer = io.BytesIO()
    with style.context(["default", _form.get().style, {"svg.hashsalt": name}]):
        figure.savefig(buffer, format=kind, dpi=DPI[kind], metadata=dict.fromkeys(METADATA[kind]))
    return buffer.getvalue()


def save_figures(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write figures to a folder under their names, as PNG and as SVG, and return the paths."""
    paths = []
    for name, figure in figures.items():
        for kind in ("png", "svg"):
            content = rendered(figure, name, kind)
            paths.append(folder / f"{name}.{kind}")
            write_atomically(paths[-1], lambda path, content=content: path.write_bytes(content))
    return paths


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, whose layout keeps labels apart, of a size in inches that is fitted to the form."""
    return Figure(figsize=_size(width, height), layout="constrained")


def _size(width: float, height: float) -> tuple[float, float]:
    form = _form.get()
    given = form.column if width <= COLUMN else form.page
    return given, height * (given / width) ** SHRINKING


def finished(figure: Figure, finding: str) -> Figure:
    """Set the sentence that says what a figure shows, with no full stop, and fix the layout for all files of it."""
    figure.set_label(finding.removesuffix("."))
    engine = figure.get_layout_engine()
    assert engine is not None
    for _ in range(2):  # where the aspect is fixed, the margins are right only after the first pass
        engine.execute(figure)
    figure.set_layout_engine("none")
    return figure


def said(figure: Figure) -> str:
    """Return the sentence that says what a figure shows."""
    return str(figure.get_label())


def key(figure: Figure, axes: Axes, *, more: Mapping[str, Artist] | None = None, first: Collection[str] = ()) -> None:
    """Write the legend of axes below a figure, in as many columns as fit; each label stands once.

    Args:
        figure: the figure.
        axes: whose labelled artists are named.
        more: other artists by label.
        first: labels that come before the others.

    """
    handles, labels = _once(axes)
    entries = {**dict(zip(labels, handles, strict=True)), **(more or {})}
    names = sorted(entries, key=lambda label: label not in first)
    letters = max(len(_MARKUP.sub("", name)) for name in names)
    room = 72 * figure.get_figwidth() / (0.53 * rcParams["legend.fontsize"] * (letters + 6))
    columns = max(1, min(len(names), int(room)))
    for fewer in range(columns, 0, -1):
        legend = figure.legend([entries[name] for name in names], names, loc="outside lower center", ncols=fewer)
        if fewer == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def color_bar(figure: Figure, panels: np.ndarray, colors: ScalarMappable, label: str) -> Colorbar:
    """Draw the scale of ``colors``, with its label, at the right of panels."""
    bar = figure.colorbar(colors, ax=panels, label=label, aspect=35, pad=0.02)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return bar


def jitter(count: int) -> np.ndarray:
    """Return offsets in [−½, ½) that are spread evenly however many there are (multiples of the golden ratio)."""
    return (np.arange(count) * (5**0.5 - 1) / 2) % 1 - 0.5


def width_colors(widths: Sequence[int]) -> dict[int, str]:
    """Return widths in order, each with its colour; wider is darker, towards the mean field."""
    return _shades(widths, "viridis", (0.62, 0.2), 0.4)


def network_colors(widths: Sequence[int]) -> dict[str, str]:
    """Return the names of networks, narrowest first and the mean field last, with their colours."""
    return {f"N = {width}": color for width, color in width_colors(widths).items()} | {"mean field": DARK}


def step_colors(step_sizes: Sequence[float]) -> dict[float, str]:
    """Return 0 for gradient flow and then step sizes in order, each with its colour; larger is darker."""
    return {0.0: FLOW} | _shades([step_size for step_size in step_sizes if step_size], "YlOrRd", (0.65, 0.95), 0.75)


def _shades(values: Sequence[Size], scale: str, ends: tuple[float, float], alone: float) -> dict[Size, str]:
    """Return values in order with colours of a scale, from one end to the other, or that of a value alone."""
    shades = np.linspace(*ends, len(values)) if len(values) > 1 else (alone,) * len(values)
    return {value: to_hex(colormaps[scale](shade)) for value, shade in zip(sorted(values), shades, strict=True)}


def dynamics_name(step_size: float) -> str:
    """Return what networks trained at a step size are called; 0 is gradient flow."""
    return f"SGD, ε = {setting(step_size)}" if step_size else "gradient flow"


def at_both_widths(widths: Sequence[int], found: Callable[[int], str]) -> str:
    """Return what was ``found`` of the narrowest and of the widest network, as words."""
    return listed([f"{found(width)} at N = {width:,}" for width in dict.fromkeys((min(widths), max(widths)))])


def feature_names(data: xr.Dataset) -> list[str]:
    """Return the names of features, cut where they are long, none where they have none."""
    names = data.feature.values.tolist() if "feature" in data.coords else []
    return [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in names]


def feature_axis(axes: Axes, names: Sequence[str]) -> None:
    """Write the names of features upwards below 1, 2, …, or every so many where not all of them fit."""
    every = max(1, math.ceil(len(names) / MOST_NAMES))
    # names are no formulas, whatever signs they hold
    axes.set_xticks(range(1, len(names) + 1, every), names[::every], rotation=90, fontsize=7.0, parse_math=False)
    axes.tick_params(axis="x", labelbottom=True)


def small_ticks(axes: Axes) -> None:
    """Write few and small numbers at the axes of one of many panels."""
    axes.tick_params(labelsize=0.75 * rcParams["axes.labelsize"], pad=1.5)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set(major_locator=MaxNLocator(3, steps=[1, 2, 5, 10]), major_formatter=StrMethodFormatter("{x:g}"))


def time_axis(axes: Axes, time: np.ndarray) -> None:
    """Show time: as `early_time_axis` does where the first records lie densely, evenly elsewhere."""
    axes.set_xlabel("time t")
    if len(time) > 2 and time[0] == 0 and time[-1] > MOST_EVEN * time[1]:
        early_time_axis(axes, time)
    elif len(time) > 1:
        axes.set_xlim(time[0], time[-1])


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
