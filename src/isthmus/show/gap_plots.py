"""Gaps to the mean field against width and step size: the sup-gap, what makes it, and what SGD adds."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from isthmus._words import number, percent
from isthmus.show.canvas import DARK, FLOW, GREY, finished, key, new_figure, step_colors, styled, width_colors
from isthmus.show.gap_panel import GapPanel, said_power
from isthmus.studies.tracking_result import TrackingResult

PARTS = {"draw": "at the start (t = 0)", "training": "after relaxation"}
HALF, WHOLE = "slope −1/2", "slope −1"


def gap_figures(result: TrackingResult) -> dict[str, Figure]:
    """Draw every figure of gaps that a result has the numbers for, by name."""
    drawn = {"sup_gap": sup_gap(result)}
    if _holds(result, "fluctuation"):
        drawn["gap_parts"] = gap_parts(result)
    if _holds(result, "late_flow_gap_quantile"):
        drawn["late_gap"] = late_gap(result)
    return drawn | {"step_gap": step_gap(result)}


def quantile_name(level: float) -> str:
    """Return what a quantile is called."""
    return "median" if level == 0.5 else f"{percent(level)} quantile"


@styled
def sup_gap(result: TrackingResult) -> Figure:
    """Draw the sup-gap to the mean field against width, for gradient flow and for each step size."""
    return _against_width(result, "", "sup-gap", r"sup-gap $\max_t\,|R_N(t) - R(t)|$")


@styled
def late_gap(result: TrackingResult) -> Figure:
    """Draw the largest gap after relaxation against width, for gradient flow and for each step size."""
    subject = "largest gap after relaxation"
    return _against_width(result, "late_", subject, r"$\max_{t \geq t_1}\,|R_N(t) - R(t)|$")


def _against_width(result: TrackingResult, prefix: str, subject: str, label: str) -> Figure:
    data, study, level = result.dataset, result.study, result.level
    widths, kind = sorted(study.widths), quantile_name(result.level)
    figure = new_figure(5.2, 3.7)
    panel = GapPanel(figure.subplots(), widths, "N", kind, len(study.step_sizes) + 1)

    def add(name: str, color: str, variable: str, rate: str, **where: float) -> None:
        at = {"width": widths, **where}
        estimate = result.estimate(rate, level=level, **where) if rate in data else None
        panel.start()
        panel.runs(name, color, data[variable].sel(at).values)
        panel.estimates(name, color, data[f"{variable}_quantile"].sel({**at, "level": level}), estimate)
        if f"predicted_{variable}_quantile" in data:
            panel.predicted(name, color, data[f"predicted_{variable}_quantile"].sel({**at, "level": level}).values)

    add("gradient flow", FLOW, f"{prefix}flow_gap", f"{prefix}flow_width_rate")
    for step_size, color in step_colors(study.step_sizes).items():
        add(f"SGD, ε = {step_size:g}", color, f"{prefix}gap", f"{prefix}width_rate", step_size=step_size)
    flow = data[f"{prefix}flow_gap_quantile"].sel(level=level, bound="estimate", width=widths).values
    panel.reference(-0.5, HALF, flow[-1])
    panel.close("width N", label)
    _legend(figure, panel.axes, f"predicted_{prefix}flow_gap_quantile" in data)
    rate = result.estimate(f"{prefix}flow_width_rate", level=level) if f"{prefix}flow_width_rate" in data else None
    finding = f"falls as {said_power('N', rate)}" if rate else f"is {number(float(flow[0]))} at N = {widths[0]:,}"
    return finished(figure, f"The {kind} of the {subject} of gradient flows {finding}")


@styled
def gap_parts(result: TrackingResult) -> Figure:
    """Draw fluctuation and mean shift of gradient flows against width: in the initial draw, and after relaxation."""
    data = result.dataset
    widths = sorted(result.study.widths)
    figure = new_figure(5.2, 3.3)
    parts = [part for part in PARTS if part in data.part.values]
    [row] = figure.subplots(1, len(parts), sharey=True, squeeze=False)
    for axes, part in zip(row, parts, strict=True):
        panel = GapPanel(axes, widths, "N", "size", 1)
        for name, label, marker in (("fluctuation", "fluctuation", "o"), ("shift", "mean shift", "s")):
            bounds = data[name].sel(part=part, width=widths)
            panel.estimates(label, FLOW, bounds, None, marker)
            if f"predicted_{name}" in data:
                panel.predicted(label, FLOW, data[f"predicted_{name}"].sel(part=part, width=widths).values, marker)
        if "crossover" in data:
            _mark_crossover(axes, float(data.crossover.sel(part=part)), widths)
        panel.close("width N", "deviation of $R_N(t)$ from R(t)" if part == parts[0] else "")
        axes.set_title(PARTS[part] + (_since(result) if part == "training" else ""))
    _legend(figure, row[0], "predicted_fluctuation" in data)
    return finished(figure, _said_parts(data, widths))


@styled
def step_gap(result: TrackingResult) -> Figure:
    """Draw the sup-gap of SGD to the gradient flow from the same initial neurons against step size, for each width."""
    data, study, level = result.dataset, result.study, result.level
    step_sizes, widest, kind = sorted(study.step_sizes), max(study.widths), quantile_name(result.level)
    figure = new_figure(5.2, 3.7)
    panel = GapPanel(figure.subplots(), step_sizes, "ε", kind, len(study.widths))
    for width, color in width_colors(study.widths).items():
        at = {"width": width, "step_size": step_sizes}
        panel.start()
        panel.runs(f"N = {width:,}", color, data.step_gap.sel(at).values)
        rate = result.estimate("step_rate", level=level, width=width)
        panel.estimates(f"N = {width:,}", color, data.step_gap_quantile.sel({**at, "level": level}), rate)
    gaps = data.step_gap_quantile.sel(level=level, width=widest, step_size=step_sizes, bound="estimate").values
    panel.reference(0.5, "slope 1/2", gaps[-1])
    panel.close("step size ε", "sup-gap to gradient flow")
    _legend(figure, panel.axes, predicted=False)
    rate = result.estimate("step_rate", level=level, width=widest)
    finding = f"scales as {said_power('ε', rate)}" if rate else f"is {number(gaps[0])}"
    return finished(figure, f"The {kind} of the sup-gap of SGD to its gradient flow {finding} at N = {widest:,}")


def _holds(result: TrackingResult, name: str) -> bool:
    return name in result.dataset and bool(np.isfinite(result.dataset[name]).any())


def _legend(figure: Figure, axes: Axes, predicted: bool) -> None:
    """Write the legend, in which one grey ring on a dashed line stands for all predictions."""
    handles, labels = axes.get_legend_handles_labels()
    if predicted:
        handles.append(Line2D([], [], color=GREY, marker="o", markerfacecolor="none", linestyle="--", linewidth=1))
        labels.append("predicted, no training used")
    key(figure, handles, labels)


def _since(result: TrackingResult) -> str:
    time = result.dataset.attrs.get("relaxation_time", np.nan)
    return f" (t ≥ {time:.3g})" if np.isfinite(time) else ""


def _mark_crossover(axes: Axes, crossover: float, widths: list[int]) -> None:
    """Mark the width from which on the fluctuation is larger than the mean shift, where that is near the axis."""
    if not widths[0] / 4 <= crossover <= 4 * widths[-1]:
        return
    axes.axvline(crossover, color=DARK, linewidth=0.7, linestyle=":", zorder=0)
    place = ((crossover, 0.02), axes.get_xaxis_transform())
    side = "right" if crossover > (widths[0] * widths[-1]) ** 0.5 else "left"
    axes.annotate(f" N = {number(crossover, 2)} ", place[0], xycoords=place[1], color=DARK, fontsize=8, ha=side)


def _said_parts(data: xr.Dataset, widths: list[int]) -> str:
    """Say which of fluctuation and mean shift is larger, in the widest network after relaxation."""
    part = str(data.part.values[-1])
    where = {"part": part, "width": widths[-1], "bound": "estimate"}
    spread, shift = (float(data[name].sel(where)) for name in ("fluctuation", "shift"))
    larger = "exceeds" if spread > shift else "is below"
    when = "after relaxation" if part == "training" else "at t = 0"
    return f"At N = {widths[-1]:,} the fluctuation ({number(spread)}) {larger} the mean shift ({number(shift)}) {when}"
