"""The figures of a width study: gaps against the tolerance, and the risk curves behind them."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from isthmus._words import setting
from isthmus.show.canvas import (
    DARK,
    GREY,
    dynamics_name,
    early_time_axis,
    finished,
    key,
    new_figure,
    step_colors,
    styled,
    width_colors,
)
from isthmus.show.gap_panel import GapPanel
from isthmus.show.panels import predicted_band
from isthmus.show.prediction_plots import SUP_GAP, predicted_line, tolerance_line
from isthmus.show.readings import readable
from isthmus.studies.width_result import WidthResult

ORDER = ["half", "recommended"]


@styled
def gap_against_tolerance(result: WidthResult) -> Figure:
    """Draw the sup-gaps of networks of both widths beside the predicted quantile and the tolerance."""
    data, step_size = result.dataset.sel(role=ORDER), float(result.dataset.attrs["step_size"])
    name, color = dynamics_name(step_size), step_colors([step_size])[step_size]
    figure = new_figure(5.2, 3.7)
    axes = figure.subplots()
    panel = GapPanel(axes, data.width.values, "N", f"{result.asked_share} quantile", 1)
    panel.start()
    panel.runs(name, color, data.gap.values)
    panel.estimates(f"{name}, {result.asked_share} quantile", color, data.gap_quantile, None)
    predicted_line(axes, name, color, data.candidate.values, data.candidate_gap_quantile.values)
    tolerance_line(axes, result.tolerance)
    panel.close("width N", SUP_GAP)
    key(figure, axes)
    one, other = result.recommended, result.half
    found = f"{one.inside:,} of {one.runs:,} at N = {one.width:,}, {other.inside:,} of {other.runs:,} at half the width"
    return finished(figure, f"Sup-gaps within the tolerance {setting(result.tolerance)}: {found}")


@styled
def risk_within_tolerance(result: WidthResult) -> Figure:
    """Draw the risk of every network minus that of the mean field, at both widths, beside the tolerance."""
    data, tolerance = result.dataset, result.tolerance
    time, limit = data.time.values, data.mean_field_risk.values
    colors = list(width_colors([result.half.width, result.width]).values())
    figure = new_figure(5.2, 3.2)
    [panels] = figure.subplots(1, 2, sharex=True, sharey=True, squeeze=False)
    for axes, role, color in zip(panels, ORDER, colors, strict=True):
        network = data.sel(role=role)
        deviations = network.risk.values - limit
        axes.axhspan(-tolerance, tolerance, color=GREY, alpha=0.15, linewidth=0, label="tolerance")
        axes.axhline(0, color=DARK, linewidth=0.9, label="mean field R(t)")
        lines = axes.plot(time, deviations.T, color=color, linewidth=0.6, alpha=0.5)
        lines[0].set_label("networks")
        predicted_band(axes, time, network.predicted_mean.values - limit, network.predicted_std.values, color)
        ends = np.quantile(deviations, [0.05, 0.95], axis=0).T
        values = {"t": time, "median − R(t)": np.median(deviations, axis=0), "5–95 %": ends}
        readable(axes, "networks", time, values["median − R(t)"], values)
        axes.set_title(f"N = {int(network.width):,}")
        axes.set_xlabel("time t")
        early_time_axis(axes, time)
    panels[0].set_ylabel("$R_N(t) - R(t)$")
    key(figure, panels[0])
    one, other = result.recommended, result.half
    found = f"{one.inside:,} of {one.runs:,} at N = {one.width:,} and {other.inside:,} at N = {other.width:,}"
    return finished(figure, f"Risk curves that stay within {setting(tolerance)} of R(t): {found}")
