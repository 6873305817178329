"""Colours of points by their labels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize, to_hex
from matplotlib.figure import Figure

from isthmus.show.canvas import GREY, color_bar

CATEGORIES = ("#332288", "#88CCEE", "#117733", "#DDCC77", "#CC6677", "#44AA99", "#AA4499", "#882255", "#999933", GREY)


class Coloring(NamedTuple):
    """Colours of points by their labels: categories where labels are few, a scale otherwise.

    Attributes:
        codes: a number for each point.
        names: the different labels, in order.
        scale: the colours of the numbers.

    """

    codes: np.ndarray
    names: list[str]
    scale: ScalarMappable

    @property
    def categorical(self) -> bool:
        """Whether each label has a colour of its own."""
        return isinstance(self.scale.norm, BoundaryNorm)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by which `scatter` draws all points in their colours."""
        return {"c": self.codes, "cmap": self.scale.cmap, "norm": self.scale.norm}

    def colors(self, codes: np.ndarray) -> list[str]:
        """Return the colours of numbers."""
        return [to_hex(color) for color in self.scale.to_rgba(codes)]

    def key(self) -> list[tuple[str, str]]:
        """Return labels with their colours: all where they are few, the ends of the scale otherwise."""
        names, norm = self.names, self.scale.norm
        if self.categorical:
            return list(zip(names, self.colors(np.arange(len(names))), strict=True))
        return list(zip((names[0], names[-1]), self.colors(np.array([norm.vmin, norm.vmax])), strict=True))

    def draw_key(self, figure: Figure, panels: np.ndarray) -> None:
        """Draw the labels and their colours at the right of panels."""
        bar = color_bar(figure, panels, self.scale, "label")
        if self.categorical:
            bar.set_ticks(list(range(len(self.names))), labels=self.names)
            bar.minorticks_off()
            bar.ax.tick_params(length=0)


def label_coloring(data: xr.Dataset) -> Coloring | None:
    """Return the colours of the points of a study, None where they have no labels."""
    return coloring_of(data.label.values) if "label" in data else None


def coloring_of(labels: np.ndarray) -> Coloring:
    """Return the colours of points with these labels, shape (n,)."""
    kinds, codes = np.unique(labels, return_inverse=True)
    names = [str(kind) for kind in kinds]
    if len(kinds) <= len(CATEGORIES):
        norm = BoundaryNorm(np.arange(len(kinds) + 1) - 0.5, len(kinds))
        return Coloring(codes, names, ScalarMappable(norm, ListedColormap(list(CATEGORIES[: len(kinds)]))))
    values = labels if np.issubdtype(kinds.dtype, np.number) else codes
    return Coloring(values, names, ScalarMappable(Normalize(values.min(), values.max()), "viridis"))
