"""The figures of an expressivity study: the gap against width, and the atoms of the optimum."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter

from isthmus._words import counted, number, percent
from isthmus.show.canvas import FLOW, GREY, finished, jitter, key, new_figure, styled
from isthmus.show.panels import atom_cloud
from isthmus.show.readings import readable
from isthmus.studies.expressivity_result import ExpressivityResult

TRAINED, DRAWN = FLOW, "#7a6a00"


@styled
def gaps(result: ExpressivityResult) -> Figure:
    """Draw how far trained and drawn networks lie above the optimum, against their width."""
    data, values = result.dataset, result.dataset.attrs
    widths = data.width.values.astype(float)
    figure = new_figure(5.2, 3.7)
    axes = figure.subplots()
    floor = result.study.closeness * values["objective"]
    above = data.restart_objective.values - values["objective"]
    spots = widths[:, None] * 10 ** (0.03 * jitter(above.shape[1]))
    axes.plot(spots.ravel(), np.maximum(above, floor / 10).ravel(), ".", color=TRAINED, alpha=0.35, markeredgewidth=0)
    gap = result.gap
    axes.plot(
        widths, np.maximum(gap, floor / 10), "o-", color=TRAINED, linewidth=1.2, label="trained, best of all starts"
    )
    for n in widths[gap < floor / 10]:
        axes.annotate("↓", (n, floor / 10), (0, -2), textcoords="offset points", ha="center", va="top", color=TRAINED)
    excess = data.drawn_risk.sel(kind="both").values - values["risk"]
    mean, error = excess.mean(axis=1), excess.std(axis=1, ddof=1) / np.sqrt(excess.shape[1])
    axes.errorbar(
        widths, mean, 2 * error, fmt="s", color=DRAWN, markersize=4, capsize=2, label="drawn from the optimum, mean"
    )
    constant = values["encoder_constant"] + values["decoder_constant"]
    axes.plot(
        widths, constant / widths, color=DRAWN, linewidth=1, linestyle="--", label=f"{number(constant)}/N, predicted"
    )
    axes.axhline(floor, color=GREY, linewidth=0.8, linestyle=":")
    name = f"{percent(result.study.closeness)} of the optimum"
    axes.annotate(name, (widths[0], floor), (0, 3), textcoords="offset points", color=GREY, fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="width N of both layers", ylabel="objective above that of the optimum")
    axes.xaxis.set(major_locator=FixedLocator(list(widths)), minor_locator=NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set(major_locator=LogLocator(numticks=12), minor_locator=NullLocator())
    axes.margins(x=0.06)
    key(figure, axes)
    closed = result.closed_from
    title = (
        f"From N = {closed:,} on, trained networks come within {percent(result.study.closeness)} of the optimum"
        if closed is not None
        else f"The gap of trained networks is {percent(float(gap[-1]) / values['objective'])} of the optimum at "
        f"N = {int(widths[-1]):,}"
    )
    return finished(figure, title)


@styled
def atoms(result: ExpressivityResult) -> Figure:
    """Draw the atoms of the optimum by their incoming weights, with areas in proportion to their masses."""
    data, values = result.dataset, result.dataset.attrs
    figure = new_figure(7.0, 3.9)
    panels = figure.subplots(1, 2)
    k = data.sizes["decoder_coordinate"] - 1
    names = {
        "encoder": ("weight on the first principal component", "weight on the second"),
        "decoder": ("weight u on the latent", "bias e") if k == 1 else ("weight u₁ on the first latent", "weight u₂"),
    }
    for axes, (side, (xlabel, ylabel)) in zip(panels, names.items(), strict=True):
        x, y = data[f"{side}_place"].values[:, :2].T
        mass = data[f"{side}_mass"].values
        atom_cloud(axes, x, y, mass)
        readable(axes, "atom", x, y, {xlabel: x, ylabel: y, "share": mass})
        axes.set(title=f"{side}: {counted(int(values[f'{side}_atoms']), 'atom')}", xlabel=xlabel, ylabel=ylabel)
    return finished(
        figure,
        f"The optimum has {counted(int(values['encoder_atoms']), 'encoder atom')} and "
        f"{counted(int(values['decoder_atoms']), 'decoder atom')}",
    )
