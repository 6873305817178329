"""A log-log panel of gaps against a size: of the width, or of the step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter

from isthmus._words import exponent
from isthmus.show.canvas import GREY, MOST_VECTOR_DOTS, jitter
from isthmus.show.readings import readable
from isthmus.studies.statistics import CONFIDENCE, Estimate

INTERVAL = f"{100 * CONFIDENCE:g} % CI"


class GapPanel:
    """A log-log panel of gaps against a size: a faint dot for each run, estimates with intervals, fits, predictions.

    Args:
        axes: where it is drawn.
        sizes: widths or step sizes.
        symbol: their symbol.
        label: what the estimates are called.
        number_of_series: how many series stand side by side.

    """

    def __init__(self, axes: Axes, sizes: Sequence[float], symbol: str, label: str, number_of_series: int) -> None:
        self.axes, self._sizes, self._symbol, self._label = axes, np.asarray(sizes, float), symbol, label
        self._number, self._drawn = number_of_series, 0
        nearest = np.diff(np.log10(self._sizes)).min() if len(sizes) > 1 else 1.0
        self._spacing = min(0.08, 0.6 * nearest / number_of_series)
        self._centers = self._sizes

    def start(self) -> None:
        """Begin a series: its marks stand beside those of the series before, not upon them."""
        offset = self._drawn - (self._number - 1) / 2
        self._drawn += 1
        self._centers = self._sizes * 10 ** (self._spacing * offset)

    def runs(self, name: str, color: str, samples: np.ndarray) -> None:
        """Draw samples (sizes, runs) as faint dots."""
        spots = self._centers[:, None] * 10 ** (0.7 * self._spacing * jitter(samples.shape[1]))
        faint = {"alpha": 0.4, "markersize": 5, "markeredgewidth": 0, "rasterized": samples.size > MOST_VECTOR_DOTS}
        self.axes.plot(spots.ravel(), samples.ravel(), ".", color=color, **faint)
        if samples.size <= MOST_VECTOR_DOTS:
            sizes = np.repeat(self._sizes, samples.shape[1])
            values = {self._symbol: sizes, "this run": samples.ravel()}
            readable(self.axes, name, spots.ravel(), samples.ravel(), values)

    def estimates(self, name: str, color: str, bounds: xr.DataArray, rate: Estimate | None, marker: str = "o") -> None:
        """Draw estimates, with intervals where there are any, and the line of the fitted power law.

        Args:
            name: of the series.
            color: of the series.
            bounds: estimates and the ends of their intervals, shape (sizes, 3).
            rate: the exponent of the power law.
            marker: as in Matplotlib.

        """
        middle, low, high = bounds.values.T
        strong = {"markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.8, "zorder": 3}
        label = name if rate is None else f"{name}: {power(self._symbol, rate)}"
        self.axes.plot(self._centers, middle, marker, color=color, label=label, **strong)
        self.axes.vlines(self._centers, low, high, color=color, linewidth=1.3)
        values = {self._symbol: self._sizes, self._label: middle, INTERVAL: np.column_stack([low, high])}
        if np.isnan(low).all():
            del values[INTERVAL]
        # an estimate of 0 lies below a logarithmic axis; its values are read at the upper end of its interval
        readable(self.axes, name, self._centers, np.where(middle > 0, middle, high), values)
        if rate is not None:
            fitted = np.exp(np.log(middle).mean() + rate.value * (np.log(self._sizes) - np.log(self._sizes).mean()))
            self.axes.plot(self._centers, fitted, color=color, linewidth=1.2)

    def predicted(self, name: str, color: str, values: np.ndarray, marker: str = "o") -> None:
        """Draw what is predicted of a series, (sizes,), beside it: hollow, on a dashed line of its colour."""
        hollow = {"markerfacecolor": "none", "markersize": 8, "linewidth": 1, "zorder": 2}
        self.axes.plot(self._centers, values, f"{marker}--", color=color, **hollow)
        readable(
            self.axes, f"{name}, predicted", self._centers, values, {self._symbol: self._sizes, self._label: values}
        )

    def reference(self, slope: float, name: str, value: float) -> None:
        """Draw a grey line of a slope through a value at the largest size, where asymptotics hold best."""
        if len(self._sizes) < 2:
            return
        sizes = self._sizes[[0, -1]] * [0.85, 1.18]
        line = value * (sizes / self._sizes[-1]) ** slope
        self.axes.plot(sizes, line, color=GREY, linewidth=1, zorder=1, label=name)

    def close(self, xlabel: str, ylabel: str) -> None:
        """Set scales, ticks and labels."""
        axes = self.axes
        axes.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
        axes.xaxis.set(major_locator=FixedLocator(list(self._sizes)), minor_locator=NullLocator())
        axes.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), minor_locator=NullLocator())
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.margins(x=0.12)
        if len(self._sizes) < 2:
            axes.set_xlim(self._sizes[0] / 2, self._sizes[0] * 2)


def power(symbol: str, rate: Estimate) -> str:
    """Return a fitted power law for a legend, with its interval where there is one."""
    ends = f" ({exponent(rate.lower)} to {exponent(rate.upper)})" if np.isfinite(rate.lower) else ""
    return f"${symbol}^{{{exponent(rate.value)}}}${ends}"


def said_power(symbol: str, rate: Estimate) -> str:
    """Return a fitted power law for a sentence, with its interval where there is one."""
    ends = f" ({INTERVAL} {exponent(rate.lower)} to {exponent(rate.upper)})" if np.isfinite(rate.lower) else ""
    return f"{symbol}^{exponent(rate.value)}{ends}"
