"""How objects show themselves: a summary in a few lines, the same with a small curve in notebooks, and plots.

What a person wants first is said by each class in `Summary._lines`; how it is set is here. Plots are drawn on a higher
floor, in `isthmus.show`: a class names the function that draws it, by a string, and the function is loaded when it is
first asked for. So nothing below imports a plotting library, and signature and docstring of a plot stand once.
"""

from __future__ import annotations

import html
import importlib
from collections.abc import Callable, Sequence
from types import MethodType
from typing import Any

import numpy as np

LONGEST = 100
"""The number of characters of a line."""
MOST_LINES = 10
"""Of what an object says of itself."""
WIDTH, HEIGHT, MARGIN = 180, 36, 2
"""Of the small curve, in pixels."""
MOST_POINTS = 120
"""Of the small curve."""


class Summary:
    """What says of itself what it is, in at most ten lines."""

    def _lines(self) -> Sequence[tuple[str, object]]:
        """Return what a person wants to know first: names and values."""
        raise NotImplementedError

    def _curve(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return times and values of the small curve in notebooks, shape (T,) each; None for no curve."""
        return None

    def __repr__(self) -> str:
        lines = [(name, str(value)) for name, value in self._lines()]
        room = max((len(name) for name, _ in lines), default=0) + 2
        texts = [f"  {name:<{room}}{value}" for name, value in lines]
        return "\n".join(
            [type(self).__name__, *(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for text in texts)]
        )

    def _repr_html_(self) -> str:
        row = '<tr><td style="text-align:left;opacity:.7">{}</td><td style="text-align:left">{}</td></tr>'
        rows = "".join(row.format(html.escape(name), html.escape(str(value))) for name, value in self._lines())
        curve = self._curve()
        drawn = "" if curve is None else sparkline(*curve)
        return f"<div><b>{type(self).__name__}</b> {drawn}<table>{rows}</table></div>"


def sparkline(times: np.ndarray, values: np.ndarray) -> str:
    """Return a curve as a small SVG without axes, in the colour of the text about it; records lie evenly spaced."""
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), MOST_POINTS)).astype(int))
    shown = np.asarray(values, float)[chosen]
    there = np.isfinite(shown)
    if there.sum() < 2:
        return ""
    low, high = shown[there].min(), shown[there].max()
    x = np.linspace(MARGIN, WIDTH - MARGIN, len(shown))
    y = HEIGHT - MARGIN - (shown - low) / (high - low if high > low else 1.0) * (HEIGHT - 2 * MARGIN)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[there], y[there], strict=True))
    label = html.escape(f"from {shown[there][0]:.3g} to {shown[there][-1]:.3g}, t = {times[0]:g} to {times[-1]:g}")
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{label}" style="vertical-align:middle">'
        f"<title>{label}</title>"
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
    )


class Shown:
    """A method that stands in `isthmus.show`, by its file and its name there: ``plot = Shown("plots.path")``."""

    def __init__(self, place: str) -> None:
        self.place = place

    @property
    def function(self) -> Callable[..., Any]:
        """The function, which takes the object first."""
        module, name = self.place.rsplit(".", 1)
        return getattr(importlib.import_module(f"isthmus.show.{module}"), name)

    def __get__(self, instance: Any, owner: type | None = None) -> Callable[..., Any]:
        return self.function if instance is None else MethodType(self.function, instance)
