"""Plots of results over time or width: the ``plot`` of paths, runs, laws, couplings and saddles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from isthmus import _checks
from isthmus._words import number, setting
from isthmus.dynamics.batches import Sampling
from isthmus.dynamics.results import MeanFieldPath, TrainingRuns
from isthmus.show.canvas import DARK, FLOW, GREY, on_axes, time_axis, width_colors
from isthmus.show.panels import (
    FEW_RUNS,
    SOURCE_COLORS,
    limit_curve,
    predicted_band,
    predicted_deviation,
    run_lines,
    runs_band,
    source_curves,
)
from isthmus.show.readings import readable
from isthmus.theory.coupling import Coupling
from isthmus.theory.finite_width_law import FiniteWidthLaw
from isthmus.theory.prediction import SOURCES, Prediction
from isthmus.theory.saddle import Saddle

RISK = "risk ½E‖x − x̂‖²"
ESCAPE_WIDTHS = (16, 64, 256, 1024, 4096)
Several = TrainingRuns | Sequence[TrainingRuns] | None


@on_axes(5.2, 3.6)
def path(
    path: MeanFieldPath, runs: Several = None, law: FiniteWidthLaw | Prediction | None = None, *, ax: Axes | None = None
) -> None:
    """Draw the mean-field risk over time with its error, runs of finite networks beside it, and their predicted band.

    Args:
        path: whose R(t) is drawn.
        runs: `TrainingRuns`, or several of different widths.
        law: a `FiniteWidthLaw`, read at the width, step size and batch size of each of ``runs``; or its
            `Prediction` for one kind of network, ``law.at(...)``.
        ax: the axes to draw on; by default those of a new figure.

    Raises:
        ArgumentError: where a law comes without runs, or they were trained with a schedule.

    """
    assert ax is not None
    several = _several(runs)
    limit_curve(ax, path.times, path.risk, np.nan_to_num(path.risk_error))
    colors = width_colors(sorted({one.width[0] for one in several}))
    for one in several:
        _runs(ax, one, colors[one.width[0]])
    for prediction, color in _predictions(law, several, colors):
        predicted_band(ax, prediction.times, prediction.mean, prediction.std, color)
    time_axis(ax, path.times)
    ax.set_ylabel(RISK)


@on_axes(5.2, 3.4)
def training(runs: TrainingRuns, *, ax: Axes | None = None) -> None:
    """Draw the risk of runs over time: their median and the 5–95 % range, or a line each where they are few.

    Args:
        runs: whose risk is drawn.
        ax: the axes to draw on; by default those of a new figure.

    """
    assert ax is not None
    _runs(ax, runs, width_colors([runs.width[0]])[runs.width[0]])
    time_axis(ax, runs.times)
    ax.set_ylabel(RISK)


@on_axes(5.2, 3.4)
def law(
    law: FiniteWidthLaw,
    width: float | tuple[float, float],
    step_size: float = 0.0,
    batch_size: int | None = None,
    *,
    sampling: Sampling | None = None,
    ax: Axes | None = None,
) -> None:
    """Draw by how much the risk of networks is predicted to differ from R(t): the mean, and the 5–95 % range.

    Args:
        law: of the networks.
        width, step_size, batch_size, sampling: of the networks, as in `FiniteWidthLaw.at`.
        ax: the axes to draw on; by default those of a new figure.

    """
    assert ax is not None
    prediction = law.at(width, step_size, batch_size, sampling=sampling)
    deviation = prediction.mean - prediction.limit
    predicted_deviation(ax, law.times, deviation, prediction.std, width_colors([1])[1])
    time_axis(ax, law.times)
    ax.set(ylabel="predicted risk − R(t)", title=_kind_of_network(width, step_size))


@on_axes(5.2, 3.4)
def law_sources(
    law: FiniteWidthLaw,
    width: float | tuple[float, float],
    step_size: float = 0.0,
    batch_size: int | None = None,
    *,
    sampling: Sampling | None = None,
    ax: Axes | None = None,
) -> None:
    """Draw the standard deviation of the risk that each source of noise makes, over time.

    Args:
        law: of the networks.
        width, step_size, batch_size, sampling: of the networks, as in `FiniteWidthLaw.at`.
        ax: the axes to draw on; by default those of a new figure.

    """
    assert ax is not None
    variances = law.sources(width, step_size, batch_size, sampling=sampling)
    parts = {
        SOURCES[name][0]: (np.sqrt(np.maximum(variance, 0)), SOURCE_COLORS.get(name, GREY))
        for name, variance in variances.items()
        if variance.any()
    }
    total = np.sqrt(np.maximum(sum(variances.values()), 0))
    source_curves(ax, law.times, parts | {"all together": (total, DARK)})
    time_axis(ax, law.times)
    ax.set(yscale="log", ylabel="standard deviation of $R_N(t)$", title=_kind_of_network(width, step_size))


@on_axes(5.2, 3.4)
def coupling(coupling: Coupling, *, ax: Axes | None = None) -> None:
    """Draw the mean-square distance of neurons from their ideal particles over time: median and 5–95 % of runs.

    Args:
        coupling: of finite networks.
        ax: the axes to draw on; by default those of a new figure.

    """
    assert ax is not None
    for side in ("encoder", "decoder"):
        distances = getattr(coupling, side)
        draw = run_lines if len(distances) < FEW_RUNS else runs_band
        draw(ax, coupling.times, distances, SOURCE_COLORS[side], side)
    time_axis(ax, coupling.times)
    ax.set_ylim(bottom=0)
    ax.set(ylabel=r"$\frac{1}{N}\sum_i\,|\theta_i - \bar{\theta}_i|^2$", title=_network_name(coupling.width))


@on_axes(5.2, 3.4)
def saddle(saddle: Saddle, widths: Sequence[int] = ESCAPE_WIDTHS, *, runs: int = 256, ax: Axes | None = None) -> None:
    """Draw the time at which networks escape from the saddle against their width: the mean, and 5–95 % of draws.

    Args:
        saddle: of a problem whose limit stands still.
        widths: N.
        runs: draws of each width.
        ax: the axes to draw on; by default those of a new figure.

    Raises:
        NumericalError: where the limit moves, so that there is no saddle.

    """
    assert ax is not None
    wide = np.array(sorted(_checks.integer("widths", width, minimum=1) for width in widths))
    times = np.array([saddle.escape_times(int(width), runs) for width in wide])
    low, high = np.nanquantile(times, (0.05, 0.95), axis=1)
    mean = np.nanmean(times, axis=1)
    ax.fill_between(wide, low, high, color=FLOW, alpha=0.25, linewidth=0, label="5–95 % of networks")
    ax.plot(wide, mean, "o-", color=FLOW, markersize=4, linewidth=1.4, label="mean escape time")
    readable(ax, "escape", wide, mean, {"N": wide, "mean": mean, "5–95 %": np.column_stack([low, high])})
    line = mean[-1] + saddle.slope * np.log(wide / wide[-1])
    growth = f"ln(N)/(2γ), γ = {number(saddle.growth_rate)}"
    ax.plot(wide, line, color=GREY, linewidth=1, linestyle="--", label=growth)
    ax.set(xscale="log", xlabel="width N", ylabel="escape time t")
    ax.xaxis.set(major_locator=FixedLocator(wide.tolist()), minor_locator=NullLocator())
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_ylim(bottom=0)


def _several(runs: Several) -> list[TrainingRuns]:
    several = [] if runs is None else [runs] if isinstance(runs, TrainingRuns) else list(runs)
    for one in several:
        _checks.instance("runs", one, TrainingRuns)
    return several


def _runs(axes: Axes, runs: TrainingRuns, color: str) -> None:
    """Draw runs under the name of their networks."""
    draw = run_lines if len(runs.risk) < FEW_RUNS else runs_band
    step = runs.step_size
    size = " by a schedule" if callable(step) else f", ε = {setting(step)}" if step else ""
    draw(axes, runs.times, runs.risk, color, f"{_network_name(runs.width)}, {runs.trained_by}{size}")


def _predictions(law: Any, runs: Sequence[TrainingRuns], colors: dict[int, str]) -> list[tuple[Prediction, str]]:
    """Return what is predicted of each kind of network, with its colour."""
    if law is None:
        return []
    _checks.instance("law", law, (FiniteWidthLaw, Prediction))
    if isinstance(law, Prediction):
        return [(law, colors[runs[0].width[0]] if runs else FLOW)]
    if not runs:
        hint = "or pass law.at(width, step_size, batch_size)"
        _checks.refuse("law", "come with runs, whose width and step size it is read at", law, hint)
    for one in runs:
        if callable(one.step_size):
            schedule = _checks.described("runs with a schedule")
            _checks.refuse("runs", "have a constant step size where they are beside a law", schedule)
    how = lambda one: (one.width, one.step_size, one.batch_size if one.step_size else None)
    options = lambda one: {"sampling": one.sampling if one.step_size else None}
    return [(law.at(*how(one), **options(one)), colors[one.width[0]]) for one in runs]


def _kind_of_network(width: Any, step_size: float) -> str:
    """Return the width of networks and the size of their steps, whatever optimizer takes them."""
    return f"{_network_name(width)}, ε {f'= {setting(step_size)}' if step_size else '→ 0'}"


def _network_name(width: Any) -> str:
    """Return what networks of a width are called."""
    pair = width if isinstance(width, tuple | list) else (width, width)
    shown = [f"{side:,}" if np.isfinite(side) else "∞" for side in pair]
    return f"N = {shown[0]}" if pair[0] == pair[1] else f"N = {shown[0]} and {shown[1]}"
