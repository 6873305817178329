"""Gaps to the mean field against width and step size: the sup-gap, what makes it, and what SGD adds."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from isthmus._words import from_width, number, percent
from isthmus.show.canvas import (
    DARK,
    FLOW,
    GREY,
    dynamics_name,
    finished,
    key,
    new_figure,
    step_colors,
    styled,
    width_colors,
)
from isthmus.show.gap_panel import GapPanel, said_power
from isthmus.studies.statistics import Estimate
from isthmus.studies.tracking_result import TrackingResult

PARTS = {"draw": "at the start (t = 0)", "training": "after relaxation"}


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

    for step_size, color in step_colors(study.step_sizes).items():
        name, flow = dynamics_name(step_size), "" if step_size else "flow_"
        variable, rate = f"{prefix}{flow}gap", f"{prefix}{flow}width_rate"
        where = {"step_size": step_size} if step_size else {}
        at, at_level = {"width": widths, **where}, {"width": widths, "level": level, **where}
        panel.start()
        panel.runs(name, color, data[variable].sel(at).values)
        estimate = result.estimate(rate, level=level, **where) if rate in data else None
        panel.estimates(name, color, data[f"{variable}_quantile"].sel(at_level), estimate)
        if f"predicted_{variable}_quantile" in data:
            panel.predicted(name, color, data[f"predicted_{variable}_quantile"].sel(at_level).values)
    flow = data[f"{prefix}flow_gap_quantile"].sel(level=level, bound="estimate", width=widths).values
    panel.reference(-0.5, "slope −1/2", flow[-1])
    panel.close("width N", label)
    _legend(figure, panel.axes, f"predicted_{prefix}flow_gap_quantile" in data)
    rate = result.estimate(f"{prefix}flow_width_rate", level=level) if f"{prefix}flow_width_rate" in data else None
    finding = (
        f"{_goes(rate)} as {said_power('N', rate)}" if rate else f"is {number(float(flow[0]))} at N = {widths[0]:,}"
    )
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


def _goes(rate: Estimate) -> str:
    """Say that a gap falls with the width where its exponent surely is below 0."""
    return "falls" if rate.upper < 0 else "goes"


def _legend(figure: Figure, axes: Axes, predicted: bool) -> None:
    """Write the legend, in which one grey ring on a dashed line stands for all predictions."""
    ring = Line2D([], [], color=GREY, marker="o", markerfacecolor="none", linestyle="--", linewidth=1)
    key(figure, axes, more={"predicted, no training used": ring} if predicted else None)


def _since(result: TrackingResult) -> str:
    time = result.dataset.attrs.get("relaxation_time", np.nan)
    return f" (t ≥ {time:.3g})" if np.isfinite(time) else ""


def _mark_crossover(axes: Axes, crossover: float, widths: list[int]) -> None:
    """Mark the width from which on the fluctuation is larger than the mean shift, where that is near the axis."""
    if not widths[0] / 4 <= crossover <= 4 * widths[-1]:
        return
    axes.axvline(crossover, color=DARK, linewidth=0.7, linestyle=":", zorder=0)
    side = "right" if crossover > (widths[0] * widths[-1]) ** 0.5 else "left"
    name, low = f" N = {from_width(crossover)} ", axes.get_xaxis_transform()
    axes.annotate(name, (crossover, 0.02), xycoords=low, color=DARK, fontsize=8, ha=side)


def _said_parts(data: xr.Dataset, widths: list[int]) -> str:
    """Say which of fluctuation and mean shift is larger, in the widest network after relaxation."""
    part = str(data.part.values[-1])
    where = {"part": part, "width": widths[-1], "bound": "estimate"}
    fluctuation, shift = (float(data[name].sel(where)) for name in ("fluctuation", "shift"))
    larger = "exceeds" if fluctuation > shift else "is below"
    when = "after relaxation" if part == "training" else "at t = 0"
    sizes = f"the fluctuation ({number(fluctuation)}) {larger} the mean shift ({number(shift)})"
    return f"At N = {widths[-1]:,} {sizes} {when}"
