"""The figures of a predicted law: gaps, bands, sources of noise, and which neurons and points move the risk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isthmus._words import number, percent, setting
from isthmus.show.canvas import (
    GREY,
    at_both_widths,
    color_bar,
    dynamics_name,
    early_time_axis,
    finished,
    key,
    new_figure,
    small_ticks,
    step_colors,
    styled,
    width_colors,
)
from isthmus.show.gap_panel import GapPanel
from isthmus.show.panels import (
    INFLUENCE,
    SIGNED,
    SOURCE_COLORS,
    decoder_plane,
    encoder_plane,
    predicted_deviation,
    signed_cloud,
    source_curves,
)
from isthmus.show.readings import readable
from isthmus.studies.prediction import SOURCE_NAMES, SOURCES, dominant_sources
from isthmus.studies.prediction_result import PredictionResult
from isthmus.studies.tracking_result import TrackingResult

Predicted = PredictionResult | TrackingResult
"""A result that holds a predicted law."""
SUP_GAP = r"sup-gap $\max_t\,|R_N(t) - R(t)|$"


@styled
def predicted_gaps(result: PredictionResult) -> Figure:
    """Draw the predicted quantile of the sup-gap against width, for gradient flow and for each step size."""
    data, study = result.dataset, result.study
    widths, share = sorted(study.widths), result.asked_share
    figure = new_figure(5.2, 3.7)
    axes = figure.subplots()
    panel = GapPanel(axes, widths, "N", f"{share} quantile", 1)
    for step_size, color in step_colors(study.step_sizes).items():
        line = data.candidate_gap_quantile.sel(dynamics=step_size)
        predicted_line(axes, dynamics_name(step_size), color, data.candidate.values, line.values)
        axes.plot(widths, line.sel(candidate=widths), "o", color=color, markerfacecolor="none", markersize=8)
    if study.tolerance is not None:
        tolerance_line(axes, study.tolerance)
    panel.close("width N", SUP_GAP)
    key(figure, axes)
    gap = number(result.quantile(widths[-1], min(study.step_sizes)))
    return finished(figure, f"The predicted {share} quantile of the sup-gap is {gap} at N = {widths[-1]:,}")


def predicted_line(axes: Axes, name: str, color: str, widths: np.ndarray, quantiles: np.ndarray) -> None:
    """Draw predicted quantiles of the sup-gap over widths, dashed, in the colour of the series they predict."""
    axes.plot(widths, quantiles, "--", color=color, linewidth=1.2, label=f"{name}, predicted")
    readable(axes, f"{name}, predicted", widths, quantiles, {"N": widths, "quantile of the sup-gap": quantiles})


def tolerance_line(axes: Axes, tolerance: float) -> None:
    """Draw the tolerance across the axes, with its name."""
    axes.axhline(tolerance, color=GREY, linewidth=0.9, label=f"tolerance {setting(tolerance)}")


@styled
def predicted_curves(result: Predicted) -> Figure:
    """Draw, for each width, the predicted mean and 90 % band of the risk of SGD about the mean field."""
    data, study = result.dataset, result.study
    step_size, time, limit = min(study.step_sizes), data.time.values, data.mean_field_risk.values
    figure, panels = _panels(study.widths)
    for axes, (width, color) in zip(panels, width_colors(study.widths).items(), strict=True):
        network = data.sel(width=width, step_size=step_size)
        mean, std = network.predicted_mean.values - limit, network.predicted_std.values
        predicted_deviation(axes, time, mean, std, color)
        early_time_axis(axes, time)
    panels[0].set_ylabel("predicted risk − R(t)")
    key(figure, panels[0])
    gaps = data.predicted_gap_quantile.sel(level=study.confidence, step_size=step_size)
    ends = at_both_widths(study.widths, lambda width: number(float(gaps.sel(width=width))))
    share, chosen = percent(study.confidence), setting(step_size)
    return finished(figure, f"{share} of SGD runs at step size {chosen} should stay within {ends} of R(t)")


@styled
def sources(result: Predicted) -> Figure:
    """Draw, for each width, the standard deviation of the risk by source over time, predicted and measured."""
    data, study = result.dataset, result.study
    widths, step_size, time = sorted(study.widths), min(study.step_sizes), data.time.values
    figure, panels = _panels(widths)
    for axes, (width, color) in zip(panels, width_colors(widths).items(), strict=True):
        network = data.sel(width=width, step_size=step_size)
        total = network.predicted_std.values
        lines = {SOURCE_NAMES[one]: (network.source_std.sel(source=one).values, SOURCE_COLORS[one]) for one in SOURCES}
        source_curves(axes, time, lines | {"all together": (total, color)})
        if "risk" in network:
            measured = network.risk.std("run", ddof=1).values
            axes.plot(time, measured, "o", color=color, markersize=3, label="measured")
            readable(axes, "measured", time, measured, {"t": time, "standard deviation": measured})
        axes.set_yscale("log")
        early_time_axis(axes, time)
    panels[0].set_ylabel("standard deviation of $R_N(t)$")
    key(figure, panels[-1])
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
        x, y = data[f"{kind}_plane"].values.T
        for axes, value in zip(panels, data[f"{kind}_influence"].values, strict=True):
            signed_cloud(axes, x, y, value)
            readable(axes, name, x, y, {across: x, upwards: y, "influence": value})
            axes.set_xlabel(across, labelpad=1)
            small_ticks(axes)
        panels[0].set_ylabel(f"{name}\n{upwards}")
    for axes, time in zip(grid[0], times, strict=True):
        axes.set_title(f"t = {time:.3g}")
    color_bar(figure, grid, SIGNED, INFLUENCE)
    shares = [percent(_share(data[f"{kind}_influence"].values[-1])) for kind, *_ in rows]
    return finished(
        figure,
        f"Half of the variance of the influence on R({times[-1]:.3g}) lies with {shares[0]} of the encoder neurons, "
        f"{shares[1]} of the decoder neurons and {shares[2]} of the points",
    )


def _dimensions(result: Predicted) -> tuple[int, int]:
    """Return d and k, from the numbers where these hold them, so that a report is drawn again without the data."""
    sizes = result.dataset.sizes
    if "feature" in sizes and "axis" in sizes:
        return sizes["feature"], sizes["axis"]
    return result.study.problem.dim, result.study.problem.latent_dim


def _share(values: np.ndarray) -> float:
    """Return the smallest share of the values that makes half of their sum of squares."""
    squares = np.sort(values**2)[::-1].cumsum()
    return float((np.searchsorted(squares, squares[-1] / 2) + 1) / len(values)) if squares[-1] > 0 else 1.0
