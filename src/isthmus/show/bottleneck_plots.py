"""The figures of a bottleneck study: the risk against the dimension of the bottleneck, and the network against PCA."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, PercentFormatter, StrMethodFormatter

from isthmus._words import number, setting
from isthmus.show.canvas import DARK, GREY, finished, key, new_figure, styled
from isthmus.show.readings import readable
from isthmus.studies.bottleneck_result import BottleneckResult

DIMENSION = "#b8890b"
"""The colour of the intrinsic dimension."""
APART = 0.015
"""The distance between marks of one k, as a share of the axis, so that none hides another."""
FARTHEST = 0.1
"""The largest distance between marks of one k, in units of k."""
LARGEST_LINEAR_RATIO = 20
"""Risks with a larger ratio of the largest to the smallest stand on a logarithmic axis."""
MOST_TICKS = 16
SERIES = (
    ("held_out_risk", "held out", DARK, "o-", DARK, 0.5),
    ("training_risk", "in training", DARK, "o:", "white", -0.5),
    ("pca_held_out_risk", "held out", GREY, "s-", GREY, 1.5),
    ("pca_training_risk", "in training", GREY, "s:", "white", -1.5),
)
"""Curves: their points, colour, form, the face of the marks, and their offset from k, in distances of marks."""


@styled
def risk_against_k(result: BottleneckResult) -> Figure:
    """Draw the risk of network and PCA against k, in training and held out, with what is recommended."""
    dims = np.array(result.study.latent_dims)
    figure = new_figure(5.2, 4.2)
    axes = figure.subplots()
    limits = _axis_of_k(axes, dims)
    apart = min(APART * (limits[1] - limits[0]), FARTHEST)
    means, ends, labels = [], [], []
    for order, (name, points, color, form, face, offset) in enumerate(SERIES):
        label = f"{'PCA' if name.startswith('pca') else 'network'}, {points}"
        labels.append(label)
        middle, bounds = _curve(axes, result, name, dims + offset * apart, (label, color, form, face), order)
        means.append(middle)
        ends.append(bounds[:, 1])
    _mark_dimension(axes, result, limits)
    _ring(axes, result, apart)
    _scale(axes, np.array(means), np.array(ends))
    axes.set(ylabel="risk ½E‖x − x̂‖²")
    key(figure, axes, first=labels)
    return finished(figure, result.answer())


@styled
def network_over_pca(result: BottleneckResult) -> Figure:
    """Draw the held-out risk of the network over that of PCA with as many components, and where they are equal."""
    ratios = {k: result.against_pca(k) for k in result.study.latent_dims}
    ratios = {k: ratio for k, ratio in ratios.items() if np.isfinite(ratio.value)}
    figure = new_figure(5.2, 3.2)
    axes = figure.subplots()
    _axis_of_k(axes, np.array(result.study.latent_dims))
    axes.axhline(1, color=GREY, linewidth=1.2, label="PCA")
    if ratios:
        dims = np.array(list(ratios))
        middle, low, high = np.array([(one.value, one.lower, one.upper) for one in ratios.values()]).T
        bars = (middle - low, high - middle)
        axes.errorbar(dims, middle, bars, fmt="o-", color=DARK, markersize=4.5, capsize=2.5, label="network / PCA")
        readable(axes, "network / PCA", dims, middle, {"k": dims, "ratio": middle, "CI": np.column_stack([low, high])})
        lowest = 0.95 * float(low.min())
        axes.set_ylim(0 if lowest < 0.5 else min(0.9, lowest), max(1.1, min(1.05 * high.max(), 2 * middle.max())))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol="\u202f%"))
    axes.set(ylabel="held-out risk, % of PCA's")
    key(figure, axes)
    return finished(figure, result.verdicts()[0] if result.recommended == "PCA" else result.answer())


def _curve(
    axes: Axes, result: BottleneckResult, name: str, x: np.ndarray, look: tuple[str, str, str, str], order: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one curve with its intervals; return its means, shape (K,), and their bounds, shape (K, 2)."""
    label, color, form, face = look
    dims = np.array(result.study.latent_dims)
    estimates = [result.estimate(name, int(k)) for k in dims]
    middle, low, high = np.array([(one.value, one.lower, one.upper) for one in estimates]).T
    marks = {"color": color, "markerfacecolor": face, "markersize": 4.5, "linewidth": 1.2}
    bars = {"elinewidth": 1, "capsize": 2.5, "zorder": 3 - order / 10}
    axes.errorbar(x, middle, (middle - low, high - middle), fmt=form, label=label, **marks, **bars)
    bounds = np.column_stack([low, high])
    readable(axes, label, x, middle, {"k": dims, "risk": middle, "CI": bounds})
    return middle, bounds


def _axis_of_k(axes: Axes, dims: np.ndarray) -> tuple[float, float]:
    limits = (0.6, float(dims[-1]) + 0.4)
    axes.set(xlabel="dimension k of the bottleneck", xlim=limits)
    axes.xaxis.set(major_locator=FixedLocator(dims[:: -(-len(dims) // MOST_TICKS)].tolist()))
    return limits


def _ring(axes: Axes, result: BottleneckResult, apart: float) -> None:
    """Put a ring around what is recommended."""
    network = result.recommended == "network"
    k = result.suggested if network else result.pca_components
    name, offset = ("held_out_risk", 0.5) if network else ("pca_held_out_risk", 1.5)
    ring = {"markersize": 13, "markerfacecolor": "none", "markeredgecolor": DARK, "markeredgewidth": 1.3, "zorder": 4}
    label = f"recommended: {result.recommended}, k = {k}"
    axes.plot(k + offset * apart, result.estimate(name, k).value, "o", label=label, linestyle="none", **ring)


def _scale(axes: Axes, means: np.ndarray, ends: np.ndarray) -> None:
    """Set the axis of risks: all means are on it, and of intervals as much as leaves the means apart."""
    lowest, highest = float(means.min()), float(means.max())
    top = min(float(ends.max()), 2 * highest)
    if lowest > 0 and highest > LARGEST_LINEAR_RATIO * lowest:
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
    name = f"intrinsic dimension {number(dimension.value, 2)}"
    if limits[0] <= dimension.value <= limits[1]:
        axes.axvspan(dimension.lower, dimension.upper, color=DIMENSION, alpha=0.13, linewidth=0, zorder=0)
        axes.axvline(dimension.value, color=DIMENSION, linewidth=1, zorder=1, label=name)
        return
    beyond = dimension.value > limits[1]
    axes.annotate(
        f"{name} →" if beyond else f"← {name}",
        (1.0 if beyond else 0.01, 1.0),
        xycoords="axes fraction",
        ha="right" if beyond else "left",
        va="top",
        color=DIMENSION,
    )


def network_name(result: BottleneckResult) -> str:
    """Return which network is meant, in words."""
    study = result.study
    if study.method == "optimum":
        return "the optimum over measures"
    times = np.unique(result.dataset.horizon.values)
    when = " to ".join(setting(float(time)) for time in (times[:1] if len(times) == 1 else times[[0, -1]]))
    return f"the mean field at t = {when}"
