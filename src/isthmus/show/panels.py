"""What several figures draw on axes: curves of risks and their bands, sources of noise, and clouds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from isthmus.show.canvas import DARK, FLOW, GREY, MOST_VECTOR_DOTS, jitter
from isthmus.show.labels import Coloring
from isthmus.show.readings import readable

SIGNED = ScalarMappable(Normalize(-1, 1), "BrBG_r")
"""The colours of numbers with a sign, none of which is that of a series."""
INFLUENCE = "lowers ← influence → raises R(t)"
BAND = 1.645
"""The number of standard deviations about the mean that hold the middle 90 % of a Gaussian law."""
SOURCE_COLORS = {"encoder": "#c51b7d", "decoder": "#7a6a00", "batches": "#008c9e", "sample": GREY}
LARGEST_DISC = 900.0
"""The area, in square points, of an atom that has all the mass."""
SMALLEST_DISC = 9.0
"""The area of the smallest atom."""
FEW_RUNS = 8
"""Fewer runs are drawn as lines of their own."""


def limit_curve(
    axes: Axes, time: np.ndarray, risk: np.ndarray, error: np.ndarray, origin: np.ndarray | float = 0.0
) -> None:
    """Draw the mean-field risk over time, (T,), with its error, less an origin."""
    center = risk - origin
    axes.fill_between(time, center - error, center + error, color=DARK, alpha=0.25, linewidth=0)
    axes.plot(time, center, color=DARK, linewidth=0.9, label="mean field R(t)")
    readable(axes, "mean field", time, center, {"t": time, "risk": risk, "± (95 %)": error})


def runs_band(axes: Axes, time: np.ndarray, risk: np.ndarray, color: str, name: str = "") -> None:
    """Draw the median and the 5–95 % range of runs, (runs, T), which are SGD's unless they have a name."""
    low, middle, high = np.quantile(risk, (0.05, 0.5, 0.95), axis=0)
    labels = ("", f"{name}, median and 5–95 %") if name else ("SGD, 5–95 % of runs", "SGD, median")
    axes.fill_between(time, low, high, color=color, alpha=0.35, linewidth=0, label=labels[0])
    axes.plot(time, middle, color=color, linewidth=1.6, label=labels[1])
    ends = np.column_stack([low, high])
    readable(axes, name or "SGD", time, middle, {"t": time, "median": middle, "5–95 %": ends})


def run_lines(axes: Axes, time: np.ndarray, risk: np.ndarray, color: str, name: str) -> None:
    """Draw few runs, (runs, T), a line each."""
    for number, values in enumerate(risk):
        axes.plot(time, values, color=color, linewidth=1.1, alpha=0.8, label=name if number == 0 else None)
        readable(axes, f"{name}, run {number}", time, values, {"t": time, "risk": values})


def predicted_band(axes: Axes, time: np.ndarray, mean: np.ndarray, std: np.ndarray, color: str) -> None:
    """Draw the predicted 5–95 % range of the risk over time, (T,), dashed and in the colour of its network."""
    low, high = mean - BAND * std, mean + BAND * std
    for edge in (low, high):
        axes.plot(time, edge, color=color, linewidth=0.9, linestyle="--", label="predicted 5–95 %")
    readable(axes, "predicted", time, high, {"t": time, "mean": mean, "5–95 %": np.column_stack([low, high])})


def predicted_deviation(axes: Axes, time: np.ndarray, mean: np.ndarray, std: np.ndarray, color: str) -> None:
    """Draw the predicted mean and 5–95 % range of the difference to the mean-field risk, (T,)."""
    axes.axhline(0, color=DARK, linewidth=0.9, label="mean field R(t)")
    axes.fill_between(time, mean - BAND * std, mean + BAND * std, color=color, alpha=0.2, linewidth=0)
    predicted_band(axes, time, mean, std, color)
    axes.plot(time, mean, color=color, linewidth=1.6, linestyle="--", label="predicted mean")


def source_curves(axes: Axes, time: np.ndarray, sources: Mapping[str, tuple[np.ndarray, str]]) -> None:
    """Draw predicted standard deviations over time, (T,), by the name of their source, each in its colour."""
    for name, (values, color) in sources.items():
        # Before the first step batches have done nothing, which a logarithmic axis can't show.
        shown = np.where(values > 0, values, np.nan)
        axes.plot(time, shown, color=color, linewidth=1.3, linestyle="--", label=name)
        readable(axes, f"{name}, predicted", time, shown, {"t": time, "standard deviation": values})


def signed_cloud(axes: Axes, x: np.ndarray, y: np.ndarray, value: np.ndarray, area: np.ndarray | float = 11.0) -> None:
    """Draw points coloured by a number with a sign, in units of its 98 % quantile."""
    reach = np.quantile(np.abs(value), 0.98)
    scale = value / reach if reach > 0 else value
    edges = {"edgecolors": GREY, "linewidths": 0.25}  # without which a number near 0 isn't seen on white
    axes.scatter(x, y, s=area, c=scale, cmap=SIGNED.cmap, vmin=-1, vmax=1, rasterized=True, **edges)


def atom_cloud(axes: Axes, x: np.ndarray, y: np.ndarray, mass: np.ndarray) -> None:
    """Draw atoms in a plane, with areas in proportion to their masses."""
    axes.axhline(0, color=GREY, linewidth=0.5)
    axes.axvline(0, color=GREY, linewidth=0.5)
    axes.scatter(x, y, s=LARGEST_DISC * mass, color=FLOW, alpha=0.55, edgecolor=DARK, linewidth=0.5)
    axes.margins(0.15)


def latent_cloud(axes: Axes, cloud: np.ndarray, coloring: Coloring | None, count: int) -> None:
    """Draw latents in a plane, (n, 2), in the colours of their labels; ``count`` of them stand in the figure."""
    marks: dict[str, Any] = {"s": 7, "linewidths": 0, "alpha": 0.85, "rasterized": count > MOST_VECTOR_DOTS}
    colors: dict[str, Any] = coloring.arguments if coloring else {"c": FLOW}
    axes.scatter(cloud[:, 0], cloud[:, 1], **marks, **colors)


def latent_plane(values: np.ndarray, coloring: Coloring | None) -> np.ndarray:
    """Return latents, (..., points, k), as points of a plane: a single axis is spread out by label."""
    if values.shape[-1] > 1:
        return values[..., :2]
    count = values.shape[-2]
    heights = jitter(count) if coloring is None else coloring.codes[:count] + 0.7 * jitter(count)
    return np.stack([values[..., 0], np.broadcast_to(heights, values.shape[:-1])], axis=-1)


def encoder_plane(dim: int) -> tuple[str, str]:
    """Return the names of the two coordinates by which an encoder neuron on data of dimension d is shown."""
    return "⟨w, v₁⟩", "⟨w, v₂⟩" if dim > 1 else "b"


def decoder_plane(latent_dim: int) -> tuple[str, str]:
    """Return the names of the two coordinates by which a decoder neuron on k latents is shown."""
    return "u₁", "u₂" if latent_dim > 1 else "e"
