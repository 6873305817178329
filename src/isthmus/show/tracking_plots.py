"""The figures of a tracking study over time: risks and latents."""

from __future__ import annotations

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isthmus._words import number, percent, setting
from isthmus.show.canvas import (
    DARK,
    FLOW,
    GREY,
    MOST_VECTOR_DOTS,
    at_both_widths,
    early_time_axis,
    finished,
    jitter,
    key,
    network_colors,
    new_figure,
    small_ticks,
    styled,
    width_colors,
)
from isthmus.show.labels import Coloring, label_coloring
from isthmus.show.prediction_plots import predicted_band
from isthmus.show.readings import readable
from isthmus.studies.tracking_result import TrackingResult


@styled
def risk_curves(result: TrackingResult) -> Figure:
    """Draw, for each width, the risk of SGD runs beside that of the mean field, and at the right their difference."""
    data, study = result.dataset, result.study
    widths, step_size = sorted(study.widths), min(study.step_sizes)
    time, limit, error = (data[name].values for name in ("time", "mean_field_risk", "mean_field_risk_error"))
    figure = new_figure(5.2, 1.35 * len(widths) + 0.9)
    grid = figure.subplots(len(widths), 2, sharex=True, sharey="col", squeeze=False)
    for row, (width, color) in zip(grid, width_colors(widths).items(), strict=True):
        network = data.sel(width=width, step_size=step_size)
        for axes, origin in zip(row, (np.zeros_like(limit), limit), strict=True):
            _band(axes, time, network.risk.values - origin, color)
            if "predicted_std" in data:
                predicted_band(axes, time, network.predicted_mean.values - origin, network.predicted_std.values, color)
            center = limit - origin
            axes.fill_between(time, center - error, center + error, color=DARK, alpha=0.25, linewidth=0)
            axes.plot(time, center, color=DARK, linewidth=0.9, label="mean field R(t)")
            readable(axes, "mean field", time, center, {"t": time, "risk": limit, "± (95 %)": error})
            early_time_axis(axes, time)
        row[0].axhline(data.attrs["pca_risk"], color=GREY, linewidth=0.9, linestyle=":", label="PCA residual")
        row[0].set_ylabel(f"N = {width:,}", color=color, fontweight="bold")
    for axes, title in zip(grid[0], ("risk ½E‖x − x̂‖²", "difference to R(t)"), strict=True):
        axes.set_title(title)
    for axes in grid[-1]:
        axes.set_xlabel("time t")
    key(figure, grid[-1, 0])
    gaps = data.gap_quantile.sel(level=result.level, step_size=step_size, bound="estimate")
    ends = at_both_widths(widths, lambda width: number(float(gaps.sel(width=width))))
    share = "Half" if result.level == 0.5 else percent(result.level)
    return finished(figure, f"{share} of SGD runs at step size {setting(step_size)} stay within {ends} of R(t)")


def _band(axes: Axes, time: np.ndarray, risk: np.ndarray, color: str) -> None:
    """Draw the median and the 5–95 % range of runs, (runs, T)."""
    low, middle, high = np.quantile(risk, (0.05, 0.5, 0.95), axis=0)
    axes.fill_between(time, low, high, color=color, alpha=0.35, linewidth=0, label="SGD, 5–95 % of runs")
    axes.plot(time, middle, color=color, linewidth=1.6, label="SGD, median")
    ends = np.column_stack([low, high])
    readable(axes, "SGD", time, middle, {"t": time, "median": middle, "5–95 %": ends})


@styled
def latents(result: TrackingResult) -> Figure:
    """Draw the latents of every network and of the mean field at the snapshot times, coloured by label."""
    data = result.dataset
    names, times = network_colors(result.study.widths), data.snapshot_time.values
    values = data.latent.sel(network=list(names)).values
    dim = values.shape[-1]
    coloring = label_coloring(data)
    values = latent_plane(values, coloring)
    figure = new_figure(7.0, (0.9 if dim == 1 else 1.5) * len(names) + 0.9)
    coordinates = ["z"] if dim == 1 else ["z₁", "z₂"]
    grid = figure.subplots(len(names), len(times), sharex=True, sharey=True, squeeze=False)
    for row, (name, color), clouds in zip(grid, names.items(), values, strict=True):
        for axes, cloud in zip(row, clouds, strict=True):
            values_shown = dict(zip(coordinates, cloud.T, strict=False))
            if coloring is not None:
                values_shown["label"] = data.label.values.astype(str)
            readable(axes, name, cloud[:, 0], cloud[:, 1], values_shown)
            marks = {"s": 7, "linewidths": 0, "alpha": 0.85, "rasterized": values[..., 0].size > MOST_VECTOR_DOTS}
            axes.scatter(cloud[:, 0], cloud[:, 1], **marks, **(coloring.arguments if coloring else {"c": FLOW}))
            small_ticks(axes)
        row[0].set_ylabel(name, fontweight="bold", color=color)
    for axes, time in zip(grid[0], times, strict=True):
        axes.set_title(f"t = {time:.3g}")
    reach = 1.08 * np.abs(values[..., : min(dim, 2)]).max()
    grid[0, 0].set_xlim(-reach, reach)
    if dim == 1:
        grid[0, 0].set_yticks([])
        figure.supxlabel("latent z", fontsize=rcParams["axes.labelsize"])
    else:
        grid[0, 0].set_ylim(-reach, reach)
        for axes in grid.flat:
            axes.set_aspect("equal")
        figure.supxlabel("z₁ across, z₂ upwards, the same scale throughout", fontsize=rcParams["axes.labelsize"])
    if coloring is not None:
        coloring.draw_key(figure, grid)
    axes_shown = f" (first two of {dim} axes)" if dim > 2 else ""
    return finished(
        figure, f"At t = {setting(result.study.horizon)} the latents{axes_shown} {_latent_distances(result)}"
    )


def latent_plane(values: np.ndarray, coloring: Coloring | None) -> np.ndarray:
    """Return latents, (..., points, k), as points of a plane: a single axis is spread out by label."""
    if values.shape[-1] > 1:
        return values[..., :2]
    count = values.shape[-2]
    heights = jitter(count) if coloring is None else coloring.codes[:count] + 0.7 * jitter(count)
    return np.stack([values[..., 0], np.broadcast_to(heights, values.shape[:-1])], axis=-1)


def _latent_distances(result: TrackingResult) -> str:
    """Say how far the latents of the narrowest and the widest network are from those of the mean field at the end."""
    last = result.dataset.latent.isel(snapshot_time=-1)

    def relative(width: int) -> str:
        values = last.sel(network=f"N = {width}")
        distance = np.sqrt(np.square(values - last.sel(network="mean field")).mean())
        spread = np.sqrt(np.square(values - values.mean("point")).mean())
        return f"{percent(float(distance / spread))} of their spread"

    return f"differ from those of the mean field by {at_both_widths(result.study.widths, relative)}"
