"""The numbers behind a figure, with their positions in it, so that a page can show those under the pointer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from isthmus.show.mathematics import caption

POINTS = 72.0
"""The number of units of an SVG in an inch."""
DIGITS = 5
"""The number of significant digits of a value."""


class Series(NamedTuple):
    """Marks of one kind: where they are on their axes, and by label the values there: numbers, or pairs of bounds."""

    name: str
    x: np.ndarray
    y: np.ndarray
    values: Mapping[str, np.ndarray]


class _Readable(Artist):
    """A series whose values a page shows under the pointer; it draws nothing."""

    def __init__(self, series: Series) -> None:
        super().__init__()
        self.series = series
        self.set_in_layout(False)

    def draw(self, renderer: object) -> None:
        """Draw nothing."""


def readable(axes: Axes, name: str, x: ArrayLike, y: ArrayLike, values: Mapping[str, ArrayLike]) -> None:
    """Give marks on axes the values that a page shows under the pointer; unmarked series of these axes then have none.

    Args:
        axes: where the marks are.
        name: what they are.
        x: where they stand, shape (n,).
        y: where they stand, shape (n,).
        values: by label, shape (n,), or (n, 2) for the bounds of intervals.

    """
    arrays = {label: np.asarray(value) for label, value in values.items()}
    axes.add_artist(_Readable(Series(name, np.asarray(x, float), np.asarray(y, float), arrays)))


def readings(figure: Figure) -> list[dict[str, object]]:
    """Return the series of a figure for JSON; positions are in the units of its SVG, from the upper left."""
    found, height = [], POINTS * figure.get_figheight()
    for axes in figure.axes:
        for series in series_of(axes):
            pixels = axes.transData.transform(np.column_stack([series.x, series.y]))
            positions, shown = pixels * POINTS / figure.dpi, _inside(axes, pixels)
            if not shown.any():
                continue
            found.append(
                {
                    "name": caption(series.name),
                    "panel": caption(axes.get_title()),
                    "labels": [caption(label) for label in series.values],
                    "places": [[round(x, 1), round(height - y, 1)] for x, y in positions[shown]],
                    "values": [rounded(value[shown]) for value in series.values.values()],
                }
            )
    return found


def json_element(content: object) -> Markup:
    """Return JSON that may stand inside a script element."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&":  # so that nothing in it can end the element
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def rounded(values: np.ndarray, digits: int = DIGITS) -> object:
    """Return an array as nested lists of numbers with so many significant digits, None for NaN, words as they are."""
    if not np.issubdtype(values.dtype, np.number):
        return values.tolist()
    if values.ndim:
        return [rounded(row, digits) for row in values]
    return float(f"{values:.{digits}g}") if np.isfinite(values) else None


def _inside(axes: Axes, pixels: np.ndarray) -> np.ndarray:
    """Return which positions, (n, 2), lie within axes, and not beyond their ends."""
    box = axes.bbox.padded(1)
    return np.all(np.isfinite(pixels) & (pixels >= box.min) & (pixels <= box.max), axis=1)


def series_of(axes: Axes) -> Iterator[Series]:
    """Yield what was made readable, or else every line, bar and cloud that has a name."""
    marked = [artist.series for artist in axes.artists if isinstance(artist, _Readable)]
    if marked:
        yield from marked
        return
    labels = (_label(axes, "x"), _label(axes, "y"))
    for container in axes.containers:
        if isinstance(container, ErrorbarContainer) and _named(container.get_label()):
            line, _, bars = container.lines
            ends = np.array([np.asarray(segment)[:, 1] for segment in bars[0].get_segments()])
            yield _numbers(container.get_label(), labels, line.get_xydata(), {"interval": ends})
    for line in axes.get_lines():
        if _named(line.get_label()) and np.size(line.get_xdata()) > 1 and line.get_transform() == axes.transData:
            yield _numbers(line.get_label(), labels, line.get_xydata())
    for cloud in axes.collections:
        offsets = np.asarray(cloud.get_offsets())
        if _named(cloud.get_label()) and len(offsets) > 1:
            yield _numbers(cloud.get_label(), labels, offsets)


def _numbers(
    name: object, labels: tuple[str, str], positions: ArrayLike, more: Mapping[str, np.ndarray] | None = None
) -> Series:
    x, y = np.asarray(positions, float).T
    return Series(str(name), x, y, {labels[0]: x, labels[1]: y, **(more or {})})


def _named(label: object) -> bool:
    return bool(label) and not str(label).startswith("_")


def _label(axes: Axes, side: str) -> str:
    """Return the name of an axis, which may stand at another panel that shares it, or at the figure."""
    siblings = [axes, *getattr(axes, f"get_shared_{side}_axes")().get_siblings(axes)]
    names = [getattr(sibling, f"get_{side}label")() for sibling in siblings]
    names.append(getattr(axes.get_figure(), f"get_sup{side}label")())
    return next(filter(None, names), side)
