"""Plots of what is predicted of a network besides its risk: bands on a curve, on rows of values, on a latent plane."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from scipy.stats import chi2

from isthmus._words import percent
from isthmus.show.canvas import DARK, FLOW, on_axes, time_axis
from isthmus.show.panels import limit_curve, predicted_band
from isthmus.show.readings import readable
from isthmus.theory.observed_law import ObservedPrediction

MOST_ROWS = 6
"""Rows of values that are drawn in one figure."""
COVERAGE = 0.9
"""The probability with which a network's value lies within what is drawn."""


@on_axes(5.2, 3.6)
def observed(prediction: ObservedPrediction, *, ax: Axes | None = None) -> None:
    """Draw what is predicted of one kind of network with its 5–95 % range.

    One value is drawn over time. Of several, those at the last time: points of a plane, of shape (m, 2), with ellipses
    that hold 90 % of networks; else each of the first rows of the last axis as a curve with its range.

    Args:
        prediction: as `ObservedLaw.at` returns it.
        ax: the axes to draw on; by default those of a new figure.

    """
    assert ax is not None
    values = int(np.prod(prediction.shape))
    if values == 1:
        times = prediction.times
        limit_curve(ax, times, prediction.limit.ravel(), np.zeros(len(times)))
        ax.lines[-1].set_label("mean field")
        predicted_band(ax, times, prediction.mean.ravel(), prediction.std.ravel(), FLOW)
        time_axis(ax, times)
        ax.set_ylabel("value")
    elif len(prediction.shape) == 2 and prediction.shape[1] == 2:
        _plane(ax, prediction)
    else:
        _rows(ax, prediction)


def _plane(ax: Axes, prediction: ObservedPrediction) -> None:
    """Draw the points of the limit, and the ellipse in which each lies in 90 % of networks."""
    limit, mean, cov = prediction.limit[-1], prediction.mean[-1], prediction.covariance[-1, :, :, -1]
    radius = np.sqrt(chi2.ppf(COVERAGE, 2))
    for index, centre in enumerate(mean):
        lengths, axes = np.linalg.eigh(cov[index, :, index])
        size = 2 * radius * np.sqrt(np.maximum(lengths[::-1], 0))
        angle = float(np.degrees(np.arctan2(axes[1, 1], axes[0, 1])))
        label = f"{percent(COVERAGE)} of networks" if index == 0 else None
        ax.add_patch(Ellipse(tuple(centre), *size, angle=angle, color=FLOW, alpha=0.25, linewidth=0, label=label))
    ax.scatter(*limit.T, s=6, color=DARK, zorder=3, label="mean field")
    stds = prediction.std[-1]
    named = {"mean": mean, "standard deviation": stds}
    readable(ax, "predicted", limit[:, 0], limit[:, 1], named)
    ax.autoscale_view()
    ax.set(xlabel="z₁", ylabel="z₂")


def _rows(ax: Axes, prediction: ObservedPrediction) -> None:
    """Draw rows of values as curves, each with the range of networks."""
    shaped = lambda values: values[-1].reshape(-1, prediction.shape[-1])[:MOST_ROWS]
    lower, upper = (shaped(end) for end in prediction.band(COVERAGE))
    limit, place = shaped(prediction.limit), np.arange(prediction.shape[-1])
    for row, (low, middle, high) in enumerate(zip(lower, limit, upper, strict=True)):
        only = row == 0
        ax.fill_between(place, low, high, color=f"C{row}", alpha=0.3, linewidth=0, label="5–95 %" if only else None)
        ax.plot(place, middle, color=f"C{row}", linewidth=1.0, label="mean field" if only else None)
        ends = {"5–95 %": np.column_stack([low, high])}
        readable(ax, f"row {row}", place, middle, {"place": place, "mean field": middle} | ends)
    ax.set(xlabel="place", ylabel="value")
