"""Colours of figures that follow the page: made for white paper, and lighter where a dark page would hide them."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import BoundaryNorm, ListedColormap, to_hex, to_rgb, to_rgba, to_rgba_array
from matplotlib.lines import Line2D

DARK_CARD = "#1f2226"
"""What figures stand on in a dark page, as in report.css."""
CONTRAST = 4.5
"""WCAG 2 for text, which is more than it asks of lines."""
STEPS = np.linspace(0, 1, 41)
INK, GREY, CARD = (re.compile(text) for text in ("#000000|#111111", "#808080", "#ffffff"))
HEX = re.compile(r"#[0-9a-f]{6}\b")
STYLES = re.compile(r'style="[^"]*"')
USED = re.compile(r"var\(--c-([0-9a-f]{6})|\"#([0-9a-f]{6})\"")


def themed(svg: str) -> str:
    """Return an SVG element whose colours are variables of the page, each with its own value where there is no page."""
    styled = STYLES.sub(lambda style: HEX.sub(lambda color: variable(color[0]), style[0]), svg)
    return styled.replace("<svg ", f'<svg style="fill: {variable("#000000")}" ', 1)


def variable(color: str) -> str:
    """Return a colour as a CSS variable with itself as the value by default."""
    for name, pattern in (("ink", INK), ("grey", GREY), ("card", CARD)):
        if pattern.fullmatch(color):
            return f"var(--{name}, {color})"
    return f"var(--c-{color[1:]}, {color})"


def dark_colors(page: str) -> Markup:
    """Return, as CSS, what the colours in a page become on a dark one, where they would not stand out."""
    used = sorted({first or second for first, second in USED.findall(page)})
    return Markup(" ").join(
        f"--c-{color}: {lighter};" for color in used if (lighter := on_dark(f"#{color}")) != f"#{color}"
    )


def on_dark(color: str, paper: str = DARK_CARD) -> str:
    """Return a colour mixed with as little white as makes it stand out from a dark page."""
    rgb = np.array(to_rgb(color))
    mixed = (to_hex((1 - share) * rgb + share) for share in STEPS)
    return next(one for one in mixed if contrast(one, paper) >= CONTRAST)


def fitted_to_paper(axes: Axes, artists: Iterable[Artist]) -> None:
    """Give lines and discs, whose colours are made for white paper, those in which they stand out on dark axes."""
    papers = (patch.get_facecolor() for patch in (axes.patch, axes.figure.patch))
    paper = next((to_hex(color) for color in papers if to_rgba(color)[3] > 0), "#ffffff")
    if contrast("#ffffff", paper) < CONTRAST:
        return
    lighter = lambda colors: [(*to_rgb(on_dark(to_hex(color), paper)), color[3]) for color in to_rgba_array(colors)]
    for artist in artists:
        if isinstance(artist, Line2D):
            artist.set_color(lighter(artist.get_color())[0])
        elif isinstance(artist, Collection) and isinstance(artist.norm, BoundaryNorm):  # a colour for each label
            artist.set_cmap(ListedColormap(lighter(artist.cmap(np.arange(artist.cmap.N)))))
        elif isinstance(artist, Collection) and artist.get_array() is None:
            artist.set(facecolors=lighter(artist.get_facecolor()), edgecolors=lighter(artist.get_edgecolor()))


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours (WCAG 2), from 1 to 21."""
    low, high = sorted(map(_luminance, (first, second)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    parts = np.array(to_rgb(color))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
