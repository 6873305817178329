"""The figure of a bottleneck study: the risk against the dimension of the bottleneck."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from isthmus.show.canvas import DARK, FLOW, GREY, finished, new_figure, styled
from isthmus.studies.bottleneck_result import BottleneckResult

BAND = "#e08214"
DECADES = 20
"""From this ratio of the largest to the smallest risk on, the axis of risks is logarithmic."""


def bottleneck_figures(result: BottleneckResult) -> dict[str, Figure]:
    """Draw every figure of the study, by name."""
    return {"bottleneck": bottleneck(result)}


@styled
def bottleneck(result: BottleneckResult) -> Figure:
    """Draw the risk of network and PCA against k, in training and held out, with the suggested k."""
    study = result.study
    network = f"mean field at t = {study.horizon:g}" if study.method == "horizon" else "optimum over measures"
    dims = np.array(study.latent_dims)
    figure = new_figure(7.6, 5.0)
    axes = figure.subplots()
    series = (
        ("held_out_risk", f"{network}, held out", FLOW, "o", "-", FLOW, 0.05),
        ("training_risk", f"{network}, in training", FLOW, "o", "-", "white", -0.05),
        ("pca_held_out_risk", "PCA, held out", GREY, "s", ":", GREY, 0.05),
        ("pca_training_risk", "PCA, in training", GREY, "s", ":", "white", -0.05),
    )
    lowest, highest = np.inf, 0.0
    for name, label, color, marker, line, face, shift in series:
        estimates = [result.estimate(name, int(k)) for k in dims]
        middle, low, high = np.array([(e.value, e.lower, e.upper) for e in estimates]).T
        axes.errorbar(
            *(dims + shift, middle, (middle - low, high - middle)),
            fmt=marker, linestyle=line, color=color, markerfacecolor=face, markersize=5, linewidth=1.2,
            elinewidth=1.0, capsize=2.5, label=label, zorder=3 if color == FLOW else 2,
        )  # fmt: skip
        lowest, highest = min(lowest, middle.min()), max(highest, high.max())
    logarithmic = lowest > 0 and highest > DECADES * lowest
    if logarithmic:
        axes.set(yscale="log", ylim=(lowest / 2, 2 * highest))
        axes.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), minor_locator=NullLocator())
        axes.yaxis.set_major_formatter(LogFormatter(minor_thresholds=(np.inf, np.inf)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    else:
        axes.set_ylim(0, 1.12 * highest)
    axes.set(xlabel="dimension k of the bottleneck", ylabel="risk ½E‖x − x̂‖²", xlim=(0.6, dims[-1] + 0.4))
    axes.xaxis.set(major_locator=MaxNLocator(integer=True, nbins=12))
    _mark_dimension(axes, result)
    _mark_suggested(axes, result)
    figure.legend(loc="outside lower center", ncols=2)
    return finished(figure, _title(result))


def _mark_suggested(axes: Axes, result: BottleneckResult) -> None:
    k = result.suggested
    place = (k + 0.05, result.estimate("held_out_risk", k).value)
    axes.plot(*place, "o", markersize=14, markerfacecolor="none", markeredgecolor=DARK, markeredgewidth=1.3, zorder=4)
    late = k > (1 + result.study.max_latent_dim) / 2
    axes.annotate(
        f"suggested: k = {k}", place, (-14 if late else 14, 26), textcoords="offset points",
        ha="right" if late else "left", va="bottom", color=DARK, fontweight="bold",
        arrowprops={"arrowstyle": "-", "color": DARK, "linewidth": 0.8, "shrinkB": 7},
    )  # fmt: skip


def _mark_dimension(axes: Axes, result: BottleneckResult) -> None:
    """Show the intrinsic dimension as a band where it is on the axis, and as an arrow beyond it otherwise."""
    dimension = result.dimension
    if dimension is None:
        return
    low, high = axes.get_xlim()
    text = f"intrinsic dimension {dimension.value:.2g}"
    across = axes.get_xaxis_transform()
    if low <= dimension.value <= high:
        axes.axvspan(max(low, dimension.lower), min(high, dimension.upper), color=BAND, alpha=0.15, linewidth=0)
        axes.axvline(dimension.value, color=BAND, linewidth=1, zorder=1)
        late = dimension.value > (low + high) / 2
        axes.annotate(
            text, (dimension.value, 1), (-5 if late else 5, -2), xycoords=across, textcoords="offset points",
            ha="right" if late else "left", va="top", color=BAND,
        )  # fmt: skip
    else:
        beyond, arrow = dimension.value > high, "{} →" if dimension.value > high else "← {}"
        axes.annotate(
            arrow.format(text), (1 if beyond else 0, 1), (0, -2), xycoords="axes fraction",
            textcoords="offset points", ha="right" if beyond else "left", va="top", color=BAND,
        )  # fmt: skip


def _title(result: BottleneckResult) -> str:
    k, best = result.suggested, result.best
    if k < best:
        return f"k = {k} is the smallest bottleneck within one standard error of the lowest held-out risk, at k = {best}"
    if best == result.study.max_latent_dim > 1:
        return f"The risk on held-out points still falls at k = {k}, the largest bottleneck that was tried"
    return f"k = {k} has the lowest risk on held-out points"
