"""The figures of a predicted law: bands, where the noise comes from, and which neurons and points move the risk."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import xarray as xr
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from isthmus.show.canvas import DARK, FLOW, GREY, STYLE, early_time_axis, finished, new_figure, styled, width_colors
from isthmus.studies.prediction import SOURCE_NAMES, dominant_sources
from isthmus.studies.tracking import TrackingStudy

PREDICTED = "#b2182b"
BAND = 1.645
"""Standard deviations that hold the middle 90 % of a Gaussian law."""
SOURCE_COLORS = {"encoder": FLOW, "decoder": "#1b7837", "batches": "#d95f02"}


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
    figure = new_figure(max(7.6, 2.3 * len(widths) + 0.7), 3.4)
    [row] = figure.subplots(1, len(widths), sharex=True, sharey=True, squeeze=False)
    for axes, (width, color) in zip(row, width_colors(widths).items(), strict=True):
        network = data.sel(width=width, step_size=step_size)
        middle, half = network.predicted_mean.values - limit, BAND * network.predicted_std.values
        axes.fill_between(time, middle - half, middle + half, color=color, alpha=0.35, linewidth=0, label="5–95 %")
        axes.plot(time, middle, color=color, linewidth=1.6, label="mean")
        axes.axhline(0, color=DARK, linewidth=0.9, linestyle=(0, (4, 2)), label="mean field R(t)")
        axes.set_title(f"N = {width}", color=color, fontweight="bold")
        early_time_axis(axes, time)
        axes.set_xlabel("time t = step size × steps")
    row[0].set_ylabel("predicted risk − R(t)")
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    gaps = data.predicted_gap_quantile.sel(level=study.confidence, step_size=step_size)
    ends = [f"{float(gaps.sel(width=n)):.2g} at N = {n}" for n in dict.fromkeys((widths[0], widths[-1]))]
    return finished(
        figure,
        f"{100 * study.confidence:g} % of SGD runs at step size {step_size:g} will keep to R(t) within "
        f"{' and '.join(ends)}",
    )


@styled
def sources(result: Predicted) -> Figure:
    """Draw, for each width, the standard deviation of the risk by source over time, predicted and measured."""
    data, study = result.dataset, result.study
    widths, step_size = sorted(study.widths), min(study.step_sizes)
    time = data.time.values
    figure = new_figure(max(7.6, 2.3 * len(widths) + 0.7), 3.6)
    [row] = figure.subplots(1, len(widths), sharex=True, sharey=True, squeeze=False)
    for axes, (width, color) in zip(row, width_colors(widths).items(), strict=True):
        network = data.sel(width=width, step_size=step_size)
        for source, line in SOURCE_COLORS.items():
            # Before the first step batches have done nothing, which a logarithmic axis can't show.
            values = network.source_std.sel(source=source).values
            axes.plot(time, np.where(values > 0, values, np.nan), color=line, linewidth=1.2, label=SOURCE_NAMES[source])
        axes.plot(time, network.predicted_std.values, color=DARK, linewidth=1.6, label="all together, predicted")
        if "risk" in network:
            measured = network.risk.std("run", ddof=1).values
            axes.plot(time, measured, "o", color=GREY, markersize=3.2, mfc="none", label="all together, measured")
        axes.set_title(f"N = {width}", color=color, fontweight="bold")
        axes.set_yscale("log")
        early_time_axis(axes, time)
        axes.set_xlabel("time t = step size × steps")
    row[0].set_ylabel("standard deviation of R_N(t)")
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    found = dominant_sources(data, widths[-1], step_size)
    return finished(figure, f"At N = {widths[-1]} and step size {step_size:g} {found}")


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
    figure = new_figure(1.9 * len(times) + 1.4, 5.4)
    grid = figure.subplots(len(rows), len(times), sharex="row", sharey="row", squeeze=False)
    for panels, (kind, name, across, upwards) in zip(grid, rows, strict=True):
        plane, values = data[f"{kind}_plane"].values, data[f"{kind}_influence"].values
        for axes, value in zip(panels, values, strict=True):
            reach = np.quantile(np.abs(value), 0.98)
            scale = value / reach if reach > 0 else value
            axes.scatter(
                plane[:, 0], plane[:, 1], s=6, c=scale, cmap="RdBu_r", vmin=-1, vmax=1, linewidths=0, rasterized=True
            )
            axes.set_xlabel(across, labelpad=1)
        panels[0].set_ylabel(f"{name}\n{upwards}")
    for axes, time in zip(grid[0], times, strict=True):
        axes.set_title(f"t = {time:g}")
    bar = figure.colorbar(
        ScalarMappable(Normalize(-1, 1), "RdBu_r"),
        ax=grid,
        label="lowers ← influence → raises R(t)",
        aspect=35,
        pad=0.02,
    )
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    figure.supxlabel("each panel coloured by its own largest influence", fontsize=STYLE["axes.labelsize"])
    shares = [_share(data[f"{kind}_influence"].values[-1]) for kind, *_ in rows]
    return finished(
        figure,
        f"Half of the variance of the influence on R({times[-1]:g}) lies with {100 * shares[0]:.0f} % of the encoder "
        f"neurons, {100 * shares[1]:.0f} % of the decoder neurons and {100 * shares[2]:.0f} % of the points",
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
