"""What all figures share: style, colours, layout, and files that are the same to the byte when drawn again."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib import colormaps, style
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter

DARK, GREY, FLOW = "#111111", "#808080", "#08519c"
STYLE: dict[Any, Any] = {
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9.5,
    "figure.titlesize": 10.0,
    "font.size": 9.0,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "xtick.labelsize": 8.5,
    "xtick.major.width": 0.6,
    "ytick.labelsize": 8.5,
    "ytick.major.width": 0.6,
}
LONGEST_NAME, MOST_NAMES = 16, 16
"""How many letters of the name of a feature are shown, and how many names below one panel."""
styled = style.context(["default", STYLE])  # from the defaults, so that nobody’s settings show in a figure


def rendered(figure: Figure, name: str, kind: Literal["png", "svg"]) -> bytes:
    """Return a figure as a file; the name keeps the identifiers inside an SVG apart from those of another one."""
    metadata: dict[str, Any] = {"Software": None}
    if kind == "svg":
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    buffer = io.BytesIO()
    with style.context(["default", STYLE, {"svg.hashsalt": name}]):
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, whose layout keeps labels apart."""
    return Figure(figsize=(width, height), layout="constrained")


def finished(figure: Figure, title: str) -> Figure:
    """Set the title and fix the layout, which is then not computed again for every file."""
    title = title.replace(" = ", "\u00a0=\u00a0").replace(" %", "\u00a0%")
    lines = math.ceil(len(title) / (12 * figure.get_figwidth() - 2))
    figure.suptitle(textwrap.fill(title, math.ceil(len(title) / lines) + 8 * (lines > 1)), x=0.01, ha="left")
    engine = figure.get_layout_engine()
    assert engine is not None
    for _ in range(2):  # where the aspect is fixed, the margins are right only after the first pass
        engine.execute(figure)
    figure.set_layout_engine("none")
    return figure


def jitter(count: int) -> np.ndarray:
    """Return places in [−½, ½) that are spread evenly however many there are (multiples of the golden ratio)."""
    return (np.arange(count) * (5**0.5 - 1) / 2) % 1 - 0.5


def width_colors(widths: Sequence[int]) -> dict[int, str]:
    """Return widths in order, each with its colour; wider is darker, towards the mean field."""
    places = np.linspace(0.75, 0.25, len(widths)) if len(widths) > 1 else (0.4,)
    return {n: to_hex(colormaps["viridis"](place)) for n, place in zip(sorted(widths), places, strict=True)}


def step_colors(step_sizes: Sequence[float]) -> dict[float, str]:
    """Return step sizes in order, each with its colour; larger is darker."""
    places = np.linspace(0.5, 0.9, len(step_sizes)) if len(step_sizes) > 1 else (0.65,)
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
