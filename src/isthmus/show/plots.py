"""The figures of a finished tracking study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from isthmus._files import write_atomically
from isthmus.show.canvas import (
    DARK,
    FLOW,
    GREY,
    STYLE,
    early_time_axis,
    feature_axis,
    feature_names,
    finished,
    jitter,
    new_figure,
    rendered,
    step_colors,
    styled,
    width_colors,
)
from isthmus.show.gap_panel import GapPanel, found
from isthmus.show.prediction_plots import BAND, PREDICTED, prediction_figures
from isthmus.studies.tracking_result import TrackingResult

CATEGORIES = ("#332288", "#88CCEE", "#117733", "#DDCC77", "#CC6677", "#44AA99", "#AA4499", "#882255", "#999933", GREY)


def figures(result: TrackingResult) -> dict[str, Figure]:
    """Draw every figure of a study, by name."""
    drawn = {draw.__name__: draw(result) for draw in (risk_curves, sup_gap, step_gap, latents, reconstructions)}
    return drawn | (prediction_figures(result) if "predicted_std" in result.dataset else {})


def save_figures(drawn: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write the figures of a study to a folder, as PNG and as SVG, and return the paths."""
    paths = []
    for name, figure in drawn.items():
        for kind in ("png", "svg"):
            content = rendered(figure, name, kind)
            paths.append(folder / f"{name}.{kind}")
            write_atomically(paths[-1], lambda path, content=content: path.write_bytes(content))
    return paths


@styled
def risk_curves(result: TrackingResult) -> Figure:
    """Draw, for each width, the risk of SGD runs beside that of the mean field, and their difference below."""
    data, study = result.dataset, result.study
    widths, step_size = sorted(study.widths), min(study.step_sizes)
    time, limit, error = (data[name].values for name in ("time", "mean_field_risk", "mean_field_risk_error"))
    figure = new_figure(max(7.6, 2.3 * len(widths) + 0.7), 5.0)
    grid = figure.subplots(2, len(widths), sharex=True, sharey="row", squeeze=False, height_ratios=(3, 2))
    for (upper, lower), (width, color) in zip(grid.T, width_colors(widths).items(), strict=True):
        risk = data.risk.sel(width=width, step_size=step_size).values
        for axes, origin in ((upper, np.zeros_like(limit)), (lower, limit)):
            low, middle, high = np.quantile(risk - origin, (0.05, 0.5, 0.95), axis=0)
            center = limit - origin
            axes.fill_between(time, low, high, color=color, alpha=0.35, linewidth=0, label="SGD, 5–95 % of runs")
            axes.plot(time, middle, color=color, linewidth=1.6, label="SGD, median")
            axes.fill_between(time, center - error, center + error, color=DARK, alpha=0.25, linewidth=0)
            axes.plot(time, center, color=DARK, linewidth=0.9, linestyle=(0, (4, 2)), label="mean field R(t)")
        if "predicted_std" in data:
            network = data.sel(width=width, step_size=step_size)
            middle, half = network.predicted_mean.values - limit, BAND * network.predicted_std.values
            for edge in (middle - half, middle + half):
                lower.plot(time, edge, color=PREDICTED, linewidth=0.9, label="predicted 5–95 % (lower row)")
        upper.axhline(data.attrs["pca_risk"], color=GREY, linewidth=0.9, linestyle=":", label="PCA residual")
        upper.set_title(f"N = {width}", color=color, fontweight="bold")
        early_time_axis(lower, time)
        lower.set_xlabel("time t = step size × steps")
    grid[0, 0].set_ylabel("risk ½E‖x − x̂‖²")
    grid[1, 0].set_ylabel("difference to R(t)")
    entries = dict(zip(*reversed(grid[0, -1].get_legend_handles_labels()), strict=True))
    entries |= dict(zip(*reversed(grid[1, -1].get_legend_handles_labels()), strict=True))
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=3)
    gaps = data.gap_quantile.sel(level=study.confidence, step_size=step_size, bound="estimate")
    ends = [f"{float(gaps.sel(width=n)):.2g} at N = {n}" for n in dict.fromkeys((widths[0], widths[-1]))]
    return finished(
        figure,
        f"{100 * study.confidence:g} % of SGD runs at step size {step_size:g} keep to R(t) within {' and '.join(ends)}",
    )


@styled
def sup_gap(result: TrackingResult) -> Figure:
    """Draw the sup-gap to the mean field against width, for gradient flow and for each step size."""
    data, study = result.dataset, result.study
    widths, level = sorted(study.widths), study.confidence
    panel = GapPanel(widths, "N", len(study.step_sizes) + 1)
    flow, rate = data.flow_gap_quantile.sel(level=level, width=widths), result.estimate("flow_width_rate", level=level)
    panel.add("gradient flow (step size 0)", FLOW, data.flow_gap.sel(width=widths), flow, rate)
    predicted = "predicted_gap_quantile" in data
    if predicted:
        panel.predict(data.predicted_flow_gap_quantile.sel(level=level, width=widths).values, FLOW)
    for step_size, color in step_colors(study.step_sizes).items():
        panel.add(
            f"SGD, step size {step_size:g}",
            color,
            data.gap.sel(width=widths, step_size=step_size),
            data.gap_quantile.sel(level=level, width=widths, step_size=step_size),
            result.estimate("width_rate", level=level, step_size=step_size),
        )
        if predicted:
            panel.predict(data.predicted_gap_quantile.sel(level=level, width=widths, step_size=step_size).values, color)
    subject = f"The {100 * level:g} % quantile of the sup-gap due to the width alone"
    return panel.figure(
        found(subject, "N", rate) if rate else f"{subject} is {float(flow[0, 0]):.2g} at N = {widths[0]}",
        "width N",
        r"sup-gap to the mean field  $\max_t\,|R_N(t) - R(t)|$",
        (-0.5, "slope −1/2"),
    )


@styled
def step_gap(result: TrackingResult) -> Figure:
    """Draw the sup-gap of SGD to the gradient flow from the same initial neurons against step size, for each width."""
    data, study = result.dataset, result.study
    step_sizes, level, widest = sorted(study.step_sizes), study.confidence, max(study.widths)
    panel = GapPanel(step_sizes, "ε", len(study.widths))
    for width, color in width_colors(study.widths).items():
        panel.add(
            f"N = {width}",
            color,
            data.step_gap.sel(width=width, step_size=step_sizes),
            data.step_gap_quantile.sel(level=level, width=width, step_size=step_sizes),
            result.estimate("step_rate", level=level, width=width),
        )
    subject = f"The {100 * level:g} % quantile of the sup-gap due to steps and batches"
    rate = result.estimate("step_rate", level=level, width=widest)
    gap = float(data.step_gap_quantile.sel(level=level, width=widest, step_size=step_sizes[0], bound="estimate"))
    return panel.figure(
        f"{found(subject, 'ε', rate)} at N = {widest}" if rate else f"{subject} is {gap:.2g} at N = {widest}",
        "step size ε",
        "sup-gap of SGD to its gradient flow",
        (0.5, "slope 1/2"),
    )


@styled
def latents(result: TrackingResult) -> Figure:
    """Draw the latents of every network and of the mean field at the snapshot times, coloured by label."""
    data = result.dataset
    names, times = network_colors(result), data.snapshot_time.values
    values = data.latent.sel(network=list(names)).values
    dim = values.shape[-1]
    coloring = label_coloring(data)
    values = latent_plane(values, coloring)
    figure = new_figure(1.75 * len(times) + 1.3, (1.0 if dim == 1 else 1.75) * len(names) + 1.1)
    grid = figure.subplots(len(names), len(times), sharex=True, sharey=True, squeeze=False)
    for row, (name, color), clouds in zip(grid, names.items(), values, strict=True):
        for axes, cloud in zip(row, clouds, strict=True):
            axes.scatter(
                cloud[:, 0], cloud[:, 1], s=7, linewidths=0, alpha=0.85, rasterized=True, **(coloring or {"c": FLOW})
            )
        row[0].set_ylabel(name, fontweight="bold", color=color)
    for axes, time in zip(grid[0], times, strict=True):
        axes.set_title(f"t = {time:g}")
    reach = 1.08 * np.abs(values[..., : min(dim, 2)]).max()
    grid[0, 0].set_xlim(-reach, reach)
    if dim == 1:
        grid[0, 0].set_yticks([])
        figure.supxlabel("latent z", fontsize=STYLE["axes.labelsize"])
    else:
        grid[0, 0].set_ylim(-reach, reach)
        for axes in grid.flat:
            axes.set_aspect("equal")
        figure.supxlabel("z₁ across, z₂ upwards, the same scale throughout", fontsize=STYLE["axes.labelsize"])
    if coloring is not None:
        _label_key(figure, grid, coloring, data)
    axes_shown = f" (first two of {dim} axes)" if dim > 2 else ""
    return finished(figure, f"Latents{axes_shown} {_latent_distances(result)}")


@styled
def reconstructions(result: TrackingResult) -> Figure:
    """Draw points of the data, and what PCA, every network and the mean field make of them at the horizon."""
    data = result.dataset
    methods = {"original": DARK, "PCA": GREY, **network_colors(result)}
    pictures = data.picture.sel(reconstruction=list(methods)).values
    shape = image_shape(result)
    if not shape:
        low, high = pictures[0].min(axis=0), pictures[0].max(axis=0)
        pictures = (pictures - low) / np.where(high > low, high - low, 1)
    errors = np.square(pictures - pictures[0]).mean(axis=(1, 2))
    if shape:
        figure = _image_rows(pictures.reshape(*pictures.shape[:2], *shape), list(methods), errors)
    else:
        figure = _feature_panels(pictures, methods, feature_names(data))
    return finished(
        figure,
        f"At t = {result.study.horizon:g} the mean square error on these {pictures.shape[1]} points is "
        f"{errors[-1]:.3g} for the mean field, {errors[1]:.3g} for PCA",
    )


def latent_plane(values: np.ndarray, coloring: dict[str, Any] | None) -> np.ndarray:
    """Return latents, (..., points, k), as places in a plane: a single axis is spread out by label."""
    if values.shape[-1] > 1:
        return values[..., :2]
    count = values.shape[-2]
    heights = jitter(count) if coloring is None else coloring["c"][:count] + 0.7 * jitter(count)
    return np.stack([values[..., 0], np.broadcast_to(heights, values.shape[:-1])], axis=-1)


def image_shape(result: TrackingResult) -> tuple[int, ...]:
    """Return (rows, columns) where the points of a study are images, and () where they aren't."""
    return tuple(np.atleast_1d(result.dataset.attrs["image_shape"]).astype(int).tolist())


def _image_rows(images: np.ndarray, names: list[str], errors: np.ndarray) -> Figure:
    """Draw images, shape (methods, examples, rows, columns), as a mosaic; an example has the same limits throughout."""
    methods, examples, height, width = images.shape
    low, high = (limit(images, axis=(0, 2, 3), keepdims=True) for limit in (np.min, np.max))
    gap = max(1, height // 10)
    tiles = np.full((methods, height + gap, examples, width + gap), np.nan)
    tiles[:, :height, :, :width] = ((images - low) / np.where(high > low, high - low, 1)).swapaxes(1, 2)
    mosaic = tiles.reshape(methods * (height + gap), examples * (width + gap))[:-gap, :-gap]
    figure = new_figure(8.0, 0.6 + 6.2 * mosaic.shape[0] / mosaic.shape[1])
    axes = figure.subplots()
    axes.imshow(mosaic, cmap="gray", interpolation="none", vmin=0, vmax=1)
    rows = np.arange(methods) * (height + gap) + (height - 1) / 2
    axes.set_yticks(rows, names)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for row, text in zip(rows, ["mean square\nerror", *(f"{error:.3g}" for error in errors[1:])], strict=True):
        axes.text(mosaic.shape[1] + gap, row, text, va="center")
    return figure


def _feature_panels(pictures: np.ndarray, colors: dict[str, str], names: list[str]) -> Figure:
    """Draw scaled features of each example, the original as rings and every reconstruction as a line."""
    _, examples, features = pictures.shape
    columns = min(4, examples)
    rows = -(-examples // columns)
    room = 0.06 * max(map(len, names), default=0)
    figure = new_figure(2.4 * columns + 0.6, 1.9 * rows + 1.0 + room)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    places = np.arange(1, features + 1)
    for example, axes in enumerate(grid.flat):
        if example >= examples:
            axes.set_visible(False)
            continue
        for (name, color), values in zip(colors.items(), pictures[:, example], strict=True):
            if name == "original":
                axes.plot(places, values, "o", color=color, mfc="none", markersize=4.5, mew=0.9, label=name)
            else:
                dashes = (0, (3, 1)) if name == "PCA" else "-"
                axes.plot(places, values, color=color, linewidth=1.2, linestyle=dashes, label=name)
        axes.set_title(f"point {example + 1}")
        lowest = example >= examples - columns
        if names and lowest:
            feature_axis(axes, names)
        elif not names:
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.set_xlabel("feature" if lowest else "")
    figure.supylabel("value, scaled to the range over these points", fontsize=STYLE["axes.labelsize"])
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(colors))
    return figure


def network_colors(result: TrackingResult) -> dict[str, str]:
    """Return the names of the networks in the dataset, narrowest first and the mean field last, with colours."""
    return {f"N = {width}": color for width, color in width_colors(result.study.widths).items()} | {"mean field": DARK}


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
    shown, places = kinds, np.arange(len(kinds))
    if not isinstance(coloring["norm"], BoundaryNorm):
        shown, places = kinds[[0, -1]], np.array([coloring["norm"].vmin, coloring["norm"].vmax])
    colors = (to_hex(color) for color in _mappable(coloring).to_rgba(places))
    return list(zip(map(str, shown), colors, strict=True))


def _mappable(coloring: dict[str, Any]) -> ScalarMappable:
    return ScalarMappable(coloring["norm"], coloring["cmap"])


def _label_key(figure: Figure, grid: np.ndarray, coloring: dict[str, Any], data: xr.Dataset) -> None:
    bar = figure.colorbar(_mappable(coloring), ax=grid, label="label", aspect=35, pad=0.02)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    if isinstance(coloring["norm"], BoundaryNorm):
        kinds = np.unique(data.label.values)
        bar.set_ticks(list(range(len(kinds))), labels=[str(kind) for kind in kinds])
        bar.minorticks_off()
        bar.ax.tick_params(length=0)


def _latent_distances(result: TrackingResult) -> str:
    """Say how far the latents of the narrowest and the widest network are from those of the mean field at the end."""
    last = result.dataset.latent.isel(snapshot_time=-1)
    widths, parts = sorted(result.study.widths), []
    for width in dict.fromkeys((widths[0], widths[-1])):
        values = last.sel(network=f"N = {width}")
        distance = np.sqrt(np.square(values - last.sel(network="mean field")).mean())
        spread = np.sqrt(np.square(values - values.mean("point")).mean())
        parts.append(f"{100 * float(distance / spread):.0f} % at N = {width}")
    return f"at t = {result.study.horizon:g}: distance to the mean field’s over their spread is {' and '.join(parts)}"
