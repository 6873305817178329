"""The figure of a bottleneck study: the risk against the dimension of the bottleneck."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter

from isthmus.show.canvas import DARK, FLOW, GREY, finished, new_figure, styled
from isthmus.studies.bottleneck_result import BottleneckResult

TRAINED, DIMENSION = "#6baed6", "#e08214"
APART, FARTHEST = 0.015, 0.1
"""By which share of the axis, and by how much at most, marks of one k stand apart, not to hide one another."""
DECADE = 20
"""From this ratio of the largest to the smallest risk on, the axis of risks is logarithmic."""
MOST_TICKS = 16


def bottleneck_figures(result: BottleneckResult) -> dict[str, Figure]:
    """Draw every figure of the study, by name."""
    return {draw.__name__: draw(result) for draw in (risk_against_k,)}


@styled
def risk_against_k(result: BottleneckResult) -> Figure:
    """Draw the risk of network and PCA against k, in training and held out, with the suggested k."""
    study = result.study
    network = f"mean field at t = {study.horizon:g}" if study.method == "horizon" else "optimum over measures"
    dims = np.array(study.latent_dims)
    limits = (0.6, float(dims[-1]) + 0.4)
    apart = min(APART * (limits[1] - limits[0]), FARTHEST)
    figure = new_figure(7.6, 5.0)
    axes = figure.subplots()
    series = (
        ("held_out_risk", f"{network}, held out", FLOW, "o-", FLOW, 0.5),
        ("training_risk", f"{network}, in training", TRAINED, "o-", "white", -0.5),
        ("pca_held_out_risk", "PCA, held out", GREY, "s:", GREY, 1.5),
        ("pca_training_risk", "PCA, in training", GREY, "s:", "white", -1.5),
    )
    means, ends = [], []
    for order, (name, label, color, form, face, place) in enumerate(series):
        estimates = [result.estimate(name, int(k)) for k in dims]
        middle, low, high = np.array([(one.value, one.lower, one.upper) for one in estimates]).T
        marks = {"color": color, "markerfacecolor": face, "markersize": 4.5, "linewidth": 1.2}
        bars = {"elinewidth": 1, "capsize": 2.5, "zorder": 3 - order / 10}
        axes.errorbar(
            dims + place * apart, middle, (middle - low, high - middle), fmt=form, label=label, **marks, **bars
        )
        means.append(middle)
        ends.append(high)
    _mark_dimension(axes, result, limits)
    k = result.suggested
    ring = {"markersize": 14, "markerfacecolor": "none", "markeredgecolor": DARK, "markeredgewidth": 1.3, "zorder": 4}
    axes.plot(k + apart / 2, result.estimate("held_out_risk", k).value, "o", label=f"suggested: k = {k}", **ring)
    _scale(axes, np.array(means), np.array(ends))
    axes.set(xlabel="dimension k of the bottleneck", ylabel="risk ½E‖x − x̂‖²", xlim=limits)
    axes.xaxis.set(major_locator=FixedLocator(dims[:: -(-len(dims) // MOST_TICKS)].tolist()))
    handles, labels = axes.get_legend_handles_labels()
    order = [labels.index(name) for name in labels if "suggested" not in name and "intrinsic" not in name]
    order += [place for place in range(len(labels)) if place not in order]
    figure.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="outside lower center",
        ncols=3 if len(labels[0]) < 40 else 2,
        markerscale=0.9,
    )
    return finished(figure, _title(result))


def _scale(axes: Axes, means: np.ndarray, ends: np.ndarray) -> None:
    """Set the axis of risks: all means are on it, and of intervals as much as leaves the means apart."""
    lowest, highest = float(means.min()), float(means.max())
    top = min(float(ends.max()), 2 * highest)
    if lowest > 0 and highest > DECADE * lowest:
        axes.set(yscale="log", ylim=(lowest / 2, 1.5 * top))
        axes.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5) if highest < 1e3 * lowest else (1,)))
        axes.yaxis.set(minor_locator=NullLocator(), major_formatter=StrMethodFormatter("{x:g}"))
    else:
        axes.set_ylim(0, 1.1 * top)


def _mark_dimension(axes: Axes, result: BottleneckResult, limits: tuple[float, float]) -> None:
    """Show the intrinsic dimension as a line in a band where it is on the axis, and as an arrow where it isn't."""
    dimension = result.dimension
    if dimension is None:
        return
    if limits[0] <= dimension.value <= limits[1]:
        axes.axvspan(dimension.lower, dimension.upper, color=DIMENSION, alpha=0.13, linewidth=0, zorder=0)
        label = f"intrinsic dimension {dimension.value:.2g}"
        axes.axvline(dimension.value, color=DIMENSION, linewidth=1, zorder=1, label=label)
        return
    beyond = dimension.value > limits[1]
    axes.annotate(
        f"intrinsic dimension {dimension.value:.2g} →" if beyond else f"← intrinsic dimension {dimension.value:.2g}",
        (1.0 if beyond else 0.01, 1.0),
        xycoords="axes fraction",
        ha="right" if beyond else "left",
        va="top",
        color=DIMENSION,
    )


def _title(result: BottleneckResult) -> str:
    k, best = result.suggested, result.best
    if k < best:
        return (
            f"k = {k} is the smallest bottleneck within one standard error of the lowest held-out risk, at k = {best}"
        )
    if best == result.study.max_latent_dim > 1:
        return f"The risk on held-out points still falls at k = {k}, the largest bottleneck that was tried"
    return f"k = {k} has the lowest risk on held-out points"
