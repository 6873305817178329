"""Colours of points by their labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize, to_hex
from matplotlib.figure import Figure

from isthmus.show.canvas import GREY, color_bar

CATEGORIES = ("#332288", "#88CCEE", "#117733", "#DDCC77", "#CC6677", "#44AA99", "#AA4499", "#882255", "#999933", GREY)


def label_coloring(data: xr.Dataset) -> dict[str, Any] | None:
    """Return colours of the points as arguments of `scatter`: categories where labels are few, a scale otherwise."""
    if "label" not in data:
        return None
    kinds, codes = np.unique(data.label.values, return_inverse=True)
    if len(kinds) <= len(CATEGORIES):
        norm = BoundaryNorm(np.arange(len(kinds) + 1) - 0.5, len(kinds))
        return {"c": codes, "cmap": ListedColormap(list(CATEGORIES[: len(kinds)])), "norm": norm}
    scale = data.label.values if np.issubdtype(kinds.dtype, np.number) else codes
    return {"c": scale, "cmap": "viridis", "norm": Normalize(scale.min(), scale.max())}


def point_colors(coloring: dict[str, Any] | None, count: int) -> list[str]:
    """Return the colours of the first points, none where they have no labels."""
    if coloring is None:
        return []
    return [to_hex(color) for color in _mappable(coloring).to_rgba(coloring["c"][:count])]


def label_colors(data: xr.Dataset, coloring: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Return labels with their colours: all where they are few, the ends of the scale otherwise."""
    if coloring is None:
        return []
    kinds = np.unique(data.label.values)
    shown, codes = kinds, np.arange(len(kinds))
    if not isinstance(coloring["norm"], BoundaryNorm):
        shown, codes = kinds[[0, -1]], np.array([coloring["norm"].vmin, coloring["norm"].vmax])
    colors = (to_hex(color) for color in _mappable(coloring).to_rgba(codes))
    return list(zip(map(str, shown), colors, strict=True))


def _mappable(coloring: dict[str, Any]) -> ScalarMappable:
    return ScalarMappable(coloring["norm"], coloring["cmap"])


def label_key(figure: Figure, grid: np.ndarray, coloring: dict[str, Any], data: xr.Dataset) -> None:
    """Draw the key of a colouring at the right of panels."""
    bar = color_bar(figure, grid, _mappable(coloring), "label")
    if isinstance(coloring["norm"], BoundaryNorm):
        kinds = np.unique(data.label.values)
        bar.set_ticks(list(range(len(kinds))), labels=[str(kind) for kind in kinds])
        bar.minorticks_off()
        bar.ax.tick_params(length=0)
