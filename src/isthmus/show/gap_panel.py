"""A log-log panel of sup-gaps against a size: of the width, or of the step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter

from isthmus.show.canvas import GREY, finished, jitter, new_figure
from isthmus.studies.statistics import Estimate

MANY_DOTS = 2000
"""From here on, the faint dots of a series go into an SVG as an image."""


class GapPanel:
    """A log-log panel of sup-gaps against a size: a faint dot a run, quantiles with their intervals, fitted lines."""

    def __init__(self, sizes: Sequence[float], symbol: str, number_of_series: int) -> None:
        self._sizes, self._symbol, self._number = np.asarray(sizes, float), symbol, number_of_series
        self._figure = new_figure(7.6, 4.9)
        self._axes = self._figure.subplots()
        self._quantiles: list[np.ndarray] = []
        self._predicted = False
        nearest = np.diff(np.log10(self._sizes)).min() if len(sizes) > 1 else 1.0
        self._spacing = min(0.08, 0.6 * nearest / number_of_series)

    def add(self, name: str, color: str, samples: xr.DataArray, quantiles: xr.DataArray, rate: Estimate | None) -> None:
        """Add a series: samples (sizes, runs) and quantiles (sizes, bounds); series stand side by side."""
        place = len(self._quantiles) - (self._number - 1) / 2
        centers = self._sizes * 10 ** (self._spacing * place)
        spots = centers[:, None] * 10 ** (0.7 * self._spacing * jitter(samples.shape[1]))
        faint = {"alpha": 0.4, "markersize": 5, "markeredgewidth": 0, "rasterized": samples.size > MANY_DOTS}
        self._axes.plot(spots.ravel(), samples.values.ravel(), ".", color=color, **faint)
        middle, low, high = quantiles.values.T
        strong = {"markersize": 5.5, "markeredgecolor": "white", "elinewidth": 1.3, "capsize": 2.5, "zorder": 3}
        label = name if rate is None else f"{name}: ${self._symbol}^{{{rate.value:.2f}}}$  {_interval(rate)}"
        self._axes.errorbar(centers, middle, (middle - low, high - middle), fmt="o", color=color, label=label, **strong)
        if rate is not None:
            fitted = np.exp(np.log(middle).mean() + rate.value * (np.log(centers) - np.log(centers).mean()))
            self._axes.plot(centers, fitted, color=color, linewidth=1.2)
        self._quantiles.append(middle)

    def predict(self, quantiles: np.ndarray, color: str) -> None:
        """Draw predicted quantiles, (sizes,), as a dashed line with rings."""
        label = None if self._predicted else "predicted from the mean field"
        self._axes.plot(
            self._sizes, quantiles, "o--", color=color, mfc="white", markersize=4, linewidth=1, zorder=2, label=label
        )
        self._predicted = True

    def figure(self, title: str, xlabel: str, ylabel: str, reference: tuple[float, str]) -> Figure:
        """Return the figure, with a grey line of the reference slope below the quantiles."""
        axes, sizes, (slope, name) = self._axes, self._sizes, reference
        axes.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
        for axis, locator in ((axes.xaxis, FixedLocator(list(sizes))), (axes.yaxis, LogLocator(subs=(1, 2, 5)))):
            axis.set(major_locator=locator, minor_locator=NullLocator())
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.margins(x=0.12)
        if len(sizes) > 1:
            line = 0.6 * (np.array(self._quantiles) / sizes**slope).min() * sizes**slope
            axes.plot(sizes, line, color=GREY, linewidth=0.7)
            axes.annotate(name, (sizes[-1], line[-1]), (5, 0), textcoords="offset points", va="center", color=GREY)
        else:
            axes.set_xlim(sizes[0] / 2, sizes[0] * 2)
        self._figure.legend(loc="outside lower center", ncols=min(2, self._number + self._predicted))
        return finished(self._figure, title)


def found(subject: str, symbol: str, rate: Estimate) -> str:
    """Return a title that says with which power of a size something goes."""
    return f"{subject} goes as {symbol} to the power {_signed(rate.value)} {_interval(rate)}"


def _interval(rate: Estimate) -> str:
    return f"[{_signed(rate.lower)}, {_signed(rate.upper)}]"


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
