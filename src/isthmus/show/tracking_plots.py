"""The figures of a tracking study over time: risks and latents."""

from __future__ import annotations

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure

from isthmus._words import number, percent, setting
from isthmus.show.canvas import (
    GREY,
    at_both_widths,
    early_time_axis,
    finished,
    key,
    network_colors,
    new_figure,
    small_ticks,
    styled,
    width_colors,
)
from isthmus.show.labels import label_coloring
from isthmus.show.panels import latent_cloud, latent_plane, limit_curve, predicted_band, runs_band
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
            runs_band(axes, time, network.risk.values - origin, color)
            if "predicted_std" in data:
                predicted_band(axes, time, network.predicted_mean.values - origin, network.predicted_std.values, color)
            limit_curve(axes, time, limit, error, origin)
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
            latent_cloud(axes, cloud, coloring, values[..., 0].size)
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


def _latent_distances(result: TrackingResult) -> str:
    """Say how far the latents of the narrowest and the widest network are from those of the mean field at the end."""
    last = result.dataset.latent.isel(snapshot_time=-1)

    def relative(width: int) -> str:
        values = last.sel(network=f"N = {width}")
        distance = np.sqrt(np.square(values - last.sel(network="mean field")).mean())
        spread = np.sqrt(np.square(values - values.mean("point")).mean())
        return f"{percent(float(distance / spread))} of their spread"

    return f"differ from those of the mean field by {at_both_widths(result.study.widths, relative)}"
