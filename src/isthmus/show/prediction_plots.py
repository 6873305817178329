"""The figures of a predicted law: bands, where the noise comes from, and which neurons and points move the risk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from isthmus._words import listed, number, percent, setting
from isthmus.show.canvas import DARK, early_time_axis, finished, key, new_figure, small_ticks, styled, width_colors
from isthmus.show.readings import readable
from isthmus.studies.prediction import SOURCE_NAMES, SOURCES, dominant_sources
from isthmus.studies.tracking import TrackingStudy

DIVERGING = "BrBG_r"
"""Of influences, in no colour of a series."""
BAND = 1.645
"""Standard deviations that hold the middle 90 % of a Gaussian law."""
SOURCE_COLORS = {"encoder": "#c51b7d", "decoder": "#7a6a00", "batches": "#008c9e"}


class Predicted(Protocol):
    """A result that holds a predicted law."""

    @property
    def study(self) -> TrackingStudy:
        """What was asked."""
        ...

    @property
    def dataset(self) -> xr.Dataset:
        """Its numbers."""
        ...


def prediction_figures(result: Predicted) -> dict[str, Figure]:
    """Draw what belongs to a predicted law, by name."""
    return {draw.__name__: draw(result) for draw in (sources, influence)}


@styled
def predicted_curves(result: Predicted) -> Figure:
    """Draw, for each width, the predicted mean and 90 % band of the risk of SGD about the mean field."""
    data, study = result.dataset, result.study
    widths, step_size = sorted(study.widths), min(study.step_sizes)
    time, limit = data.time.values, data.mean_field_risk.values
    figure, panels = _panels(widths)
    for axes, (width, color) in zip(panels, width_colors(widths).items(), strict=True):
        network = data.sel(width=width, step_size=step_size)
        middle, half = network.predicted_mean.values - limit, BAND * network.predicted_std.values
        axes.axhline(0, color=DARK, linewidth=0.9, label="mean field R(t)")
        axes.fill_between(time, middle - half, middle + half, color=color, alpha=0.2, linewidth=0)
        for edge in (middle - half, middle + half):
            axes.plot(time, edge, color=color, linewidth=0.9, linestyle="--", label="5–95 %")
        axes.plot(time, middle, color=color, linewidth=1.6, linestyle="--", label="mean")
        ends = np.column_stack([middle - half, middle + half])
        readable(axes, "predicted", time, middle, {"t": time, "mean − R(t)": middle, "5–95 %": ends})
        early_time_axis(axes, time)
    panels[0].set_ylabel("predicted risk − R(t)")
    handles, labels = panels[0].get_legend_handles_labels()
    entries = dict(zip(labels, handles, strict=True))
    key(figure, list(entries.values()), list(entries))
    gaps = data.predicted_gap_quantile.sel(level=study.confidence, step_size=step_size)
    ends = [f"{number(float(gaps.sel(width=n)))} at N = {n:,}" for n in dict.fromkeys((widths[0], widths[-1]))]
    share, chosen = percent(study.confidence), setting(step_size)
    return finished(figure, f"{share} of SGD runs at step size {chosen} should stay within {listed(ends)} of R(t)")


@styled
def sources(result: Predicted) -> Figure:
    """Draw, for each width, the standard deviation of the risk by source over time, predicted and measured."""
    data, study = result.dataset, result.study
    widths, step_size = sorted(study.widths), min(study.step_sizes)
    time = data.time.values
    figure, panels = _panels(widths)
    for axes, (width, color) in zip(panels, width_colors(widths).items(), strict=True):
        network = data.sel(width=width, step_size=step_size)
        total = network.predicted_std.values
        lines = {SOURCE_NAMES[one]: (network.source_std.sel(source=one).values, SOURCE_COLORS[one]) for one in SOURCES}
        for name, (values, line) in (lines | {"all together": (total, color)}).items():
            # Before the first step batches have done nothing, which a logarithmic axis can't show.
            shown, label = np.where(values > 0, values, np.nan), name
            axes.plot(time, shown, color=line, linewidth=1.3, linestyle="--", label=label)
            readable(axes, f"{name}, predicted", time, shown, {"t": time, "standard deviation": values})
        if "risk" in network:
            measured = network.risk.std("run", ddof=1).values
            axes.plot(time, measured, "o", color=color, markersize=3, label="measured")
            readable(axes, "measured", time, measured, {"t": time, "standard deviation": measured})
        axes.set_yscale("log")
        early_time_axis(axes, time)
    panels[0].set_ylabel("standard deviation of $R_N(t)$")
    key(figure, *panels[-1].get_legend_handles_labels())
    found = dominant_sources(data, widths[-1], step_size)
    return finished(figure, f"At N = {widths[-1]:,} and step size {setting(step_size)} {found}")


def _panels(widths: Sequence[int]) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel over time for each width, named after it, three in a row."""
    columns = min(3, len(widths))
    rows = -(-len(widths) // columns)
    figure = new_figure(7.0, 2.8 * rows + 1.3)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = list(grid.flat)
    for axes in panels[len(widths) :]:
        axes.set_visible(False)
    for axes, (width, color) in zip(panels, width_colors(widths).items(), strict=False):
        axes.set_title(f"N = {width:,}", color=color, fontweight="bold")
        axes.set_xlabel("time t")
    return figure, panels[: len(widths)]


@styled
def influence(result: Predicted) -> Figure:
    """Draw neurons and points in the plane of their leading coordinates, coloured by their influence on R(t)."""
    data = result.dataset
    times = data.influence_time.values
    dim, latent_dim = _dimensions(result)
    rows = (
        ("encoder", "encoder neurons", *encoder_plane(dim)),
        ("decoder", "decoder neurons", *decoder_plane(latent_dim)),
        ("point", "points", "⟨x, v₁⟩", "⟨x, v₂⟩"),
    )
    figure = new_figure(7.0, 6.2)
    grid = figure.subplots(len(rows), len(times), sharex="row", sharey="row", squeeze=False)
    for panels, (kind, name, across, upwards) in zip(grid, rows, strict=True):
        plane, values = data[f"{kind}_plane"].values, data[f"{kind}_influence"].values
        for axes, value in zip(panels, values, strict=True):
            reach = np.quantile(np.abs(value), 0.98)
            scale = value / reach if reach > 0 else value
            axes.scatter(
                plane[:, 0], plane[:, 1], s=9, c=scale, cmap=DIVERGING, vmin=-1, vmax=1, linewidths=0, rasterized=True
            )
            readable(
                axes, name, plane[:, 0], plane[:, 1], {across: plane[:, 0], upwards: plane[:, 1], "influence": value}
            )
            axes.set_xlabel(across, labelpad=1)
            small_ticks(axes)
        panels[0].set_ylabel(f"{name}\n{upwards}")
    for axes, time in zip(grid[0], times, strict=True):
        axes.set_title(f"t = {time:.3g}")
    bar = figure.colorbar(
        ScalarMappable(Normalize(-1, 1), DIVERGING),
        ax=grid,
        label="lowers ← influence → raises R(t)",
        aspect=35,
        pad=0.02,
    )
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    shares = [percent(_share(data[f"{kind}_influence"].values[-1])) for kind, *_ in rows]
    return finished(
        figure,
        f"Half of the variance of the influence on R({times[-1]:.3g}) lies with {shares[0]} of the encoder neurons, "
        f"{shares[1]} of the decoder neurons and {shares[2]} of the points",
    )


def encoder_plane(dim: int) -> tuple[str, str]:
    """Return the names of the two coordinates by which an encoder neuron on data of dimension d is shown."""
    return "⟨w, v₁⟩", "⟨w, v₂⟩" if dim > 1 else "b"


def decoder_plane(latent_dim: int) -> tuple[str, str]:
    """Return the names of the two coordinates by which a decoder neuron on k latents is shown."""
    return "u₁", "u₂" if latent_dim > 1 else "e"


def _dimensions(result: Predicted) -> tuple[int, int]:
    """Return d and k, from the numbers where they tell, so that a report is drawn again without the data."""
    sizes = result.dataset.sizes
    if "feature" in sizes and "axis" in sizes:
        return sizes["feature"], sizes["axis"]
    return result.study.problem.dim, result.study.problem.latent_dim


def _share(values: np.ndarray) -> float:
    """Return which share of the largest values makes half of the sum of squares."""
    squares = np.sort(values**2)[::-1].cumsum()
    return float((np.searchsorted(squares, squares[-1] / 2) + 1) / len(values)) if squares[-1] > 0 else 1.0
