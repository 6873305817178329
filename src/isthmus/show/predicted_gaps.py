"""The predicted sup-gap against the width, beside a tolerance."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isthmus._words import number, setting
from isthmus.show.canvas import FLOW, GREY, finished, key, new_figure, step_colors, styled
from isthmus.show.gap_panel import GapPanel
from isthmus.show.readings import readable
from isthmus.studies.prediction_result import PredictionResult

SUP_GAP = r"sup-gap $\max_t\,|R_N(t) - R(t)|$"


@styled
def predicted_gaps(result: PredictionResult) -> Figure:
    """Draw the predicted quantile of the sup-gap against width, for gradient flow and for each step size."""
    data, study = result.dataset, result.study
    widths, share = sorted(study.widths), result.asked_share
    figure = new_figure(5.2, 3.7)
    axes = figure.subplots()
    panel = GapPanel(axes, widths, "N", f"{share} quantile", 1)
    for step_size, color in ({0.0: FLOW} | step_colors(study.step_sizes)).items():
        name = f"SGD, ε = {setting(step_size)}" if step_size else "gradient flow"
        line = data.candidate_gap_quantile.sel(dynamics=step_size)
        predicted_line(axes, name, color, data.candidate.values, line.values)
        axes.plot(widths, line.sel(candidate=widths), "o", color=color, markerfacecolor="none", markersize=8)
    if study.tolerance is not None:
        tolerance_line(axes, study.tolerance)
    panel.close("width N", SUP_GAP)
    key(figure, *axes.get_legend_handles_labels())
    gap = number(result.quantile(widths[-1], min(study.step_sizes)))
    return finished(figure, f"The predicted {share} quantile of the sup-gap is {gap} at N = {widths[-1]:,}")


def predicted_line(axes: Axes, name: str, color: str, widths: np.ndarray, quantiles: np.ndarray) -> None:
    """Draw predicted quantiles of the sup-gap over widths, dashed, in the colour of the series they predict."""
    axes.plot(widths, quantiles, "--", color=color, linewidth=1.2, label=f"{name}, predicted")
    readable(axes, f"{name}, predicted", widths, quantiles, {"N": widths, "quantile of the sup-gap": quantiles})


def tolerance_line(axes: Axes, tolerance: float) -> None:
    """Draw the tolerance across the axes, with its name."""
    axes.axhline(tolerance, color=GREY, linewidth=0.9, label=f"tolerance {setting(tolerance)}")
