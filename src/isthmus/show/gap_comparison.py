"""The sup-gaps of two tracking studies beside one another, where they are gaps to the same limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from isthmus._words import counted, listed, number, setting
from isthmus.show.gap_panel import INTERVAL
from isthmus.show.gap_plots import quantile_name
from isthmus.show.report import Table, cell
from isthmus.studies.tracking_result import TrackingResult

NUMERICS = frozenset(
    {
        "widths", "step_sizes", "runs", "flow_runs", "confidence", "seed", "particles", "replicates", "quadrature",
        "rtol", "predict", "law_particles", "law_samples", "flow_rtol", "precision", "release", "machine",
    }
)  # fmt: skip
"""Settings that may differ between studies of the same limit: which networks are looked at, and how exactly."""


class GapComparison(NamedTuple):
    """What can be said of the gaps of two studies, and the numbers behind it."""

    sentences: Sequence[str]
    tables: Sequence[Table]


class _Pair(NamedTuple):
    """The quantile of one network in both studies, with intervals, which are NaN where runs are too few."""

    name: str
    first: np.ndarray
    second: np.ndarray

    @property
    def ratio(self) -> float:
        return float(self.second[0] / self.first[0])

    @property
    def apart(self) -> bool:
        """Whether both have intervals, and these don't overlap."""
        return bool(self.first[2] < self.second[1] or self.second[2] < self.first[1])


def gap_comparison(
    first: TrackingResult, second: TrackingResult, rows: Sequence[tuple[str, str, str]]
) -> GapComparison:
    """Compare the sup-gaps of the networks in both studies, or say why they can't be compared.

    Args:
        first: study A.
        second: study B.
        rows: the settings that differ, with their values.

    """
    why = _incomparable(first, second, [key for key, *_ in rows])
    if why:
        return GapComparison([f"The sup-gaps of A and B can’t be compared: {why}.", _ends(first, second)], [])
    pairs, kind = _pairs(first, second), quantile_name(first.level)
    ratios = [pair.ratio for pair in pairs]
    low, high = number(min(ratios)), number(max(ratios))
    times = low if low == high else f"{low} to {high}"
    among = "the one network" if len(pairs) == 1 else f"the {len(pairs)} combinations of width and step size"
    sentence = f"For {among} in both, the {kind} of the sup-gap in B is {times} times that in A"
    overlap = _overlap(pairs)
    return GapComparison([f"{sentence}; {overlap}.", _ends(first, second)], [_table(pairs, kind)])


def _overlap(pairs: Sequence[_Pair]) -> str:
    """Say for how many networks the intervals of both studies don't overlap."""
    if all(np.isnan([pair.first[1], pair.second[1]]).any() for pair in pairs):
        return "there are too few runs for intervals"
    apart = sum(pair.apart for pair in pairs)
    if len(pairs) == 1 or not apart:
        return f"the {INTERVAL}s {'do not overlap' if apart else 'overlap'}"
    return f"the {INTERVAL}s do not overlap for {apart} of them"


def _incomparable(first: TrackingResult, second: TrackingResult, keys: Sequence[str]) -> str:
    """Return why gaps of two studies are not to the same limit, or not of the same networks; empty where they are."""
    others = [key for key in keys if key not in NUMERICS]
    if others:
        return (
            f"{listed(others)} {'differs' if len(others) == 1 else 'differ'}, and so does what the gap is measured from"
        )
    if first.dataset.attrs["pca_risk"] != second.dataset.attrs["pca_risk"]:
        return "the data have changed between them, though not their name"
    if first.level != second.level:
        return f"A reports the {quantile_name(first.level)} and B the {quantile_name(second.level)}"
    return "" if set(first.study.widths) & set(second.study.widths) else "they have no width in common"


def _pairs(first: TrackingResult, second: TrackingResult) -> list[_Pair]:
    """Return the networks of both studies, gradient flow included."""
    widths = sorted(set(first.study.widths) & set(second.study.widths))
    steps = sorted(set(first.study.step_sizes) & set(second.study.step_sizes))
    pairs = []
    for width in widths:
        where = {"level": first.level, "width": width}
        flows = (result.dataset.flow_gap_quantile.sel(where).values for result in (first, second))
        pairs.append(_Pair(f"N = {width:,}, gradient flow", *flows))
        for step in steps:
            at = where | {"step_size": step}
            runs = (result.dataset.gap_quantile.sel(at).values for result in (first, second))
            pairs.append(_Pair(f"N = {width:,}, SGD at ε = {setting(step)}", *runs))
    return pairs


def _ends(first: TrackingResult, second: TrackingResult) -> str:
    """Say how the two limits end."""
    ends = [
        f"{number(float(result.dataset.mean_field_risk[-1]))} at t = {setting(result.study.horizon)} in {letter}"
        for letter, result in zip("AB", (first, second), strict=True)
    ]
    return f"The mean-field risk is {listed(ends)}."


def _table(pairs: Sequence[_Pair], kind: str) -> Table:
    return Table(
        "Sup-gaps of the networks in both",
        f"The {kind} over runs with its {INTERVAL}, and the ratio, for {counted(len(pairs), 'network')}.",
        ["network", "A", "B", "B / A"],
        [(pair.name, [cell(*pair.first), cell(*pair.second), cell(pair.ratio)]) for pair in pairs],
    )
