"""What the numbers of ``python -m benchmarks practice`` say: pure functions of the risks and seconds of each split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from benchmarks.plain import markdown_row
from benchmarks.rivals import LINEAR, METHODS, OURS, RIVALS, TANH

LEVEL = 90
"""Of intervals, in percent."""
TOLERANCE = 2.0
"""Percent by which the estimator may be behind and count as equally good."""


class Outcome(NamedTuple):
    """The results on one data set: by method, one number for each split."""

    name: str
    rows: int
    dim: int
    k: int
    held_out: dict[str, np.ndarray]
    training: dict[str, np.ndarray]
    seconds: dict[str, np.ndarray]
    first_seconds: np.ndarray
    """Of the estimator's first fit of each split, which may compile; those in ``seconds`` are of its second."""
    left_out: dict[str, str]

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""

        def lists(part: Any) -> Any:
            if isinstance(part, dict):
                return {title: lists(values) for title, values in part.items()}
            return part.tolist() if isinstance(part, np.ndarray) else part

        return lists(self._asdict())


class Gap(NamedTuple):
    """By how much the estimator's risk differs from that of its best rival, in percent of the rival's mean."""

    rival: str
    percent: float
    error: float
    """Standard error of the mean of the paired differences; none (NaN) of a single split."""
    low: float
    high: float

    @property
    def as_good(self) -> bool:
        """Whether it is not behind by more than a standard error, nor by more than the tolerance."""
        return self.percent <= max(TOLERANCE, np.nan_to_num(self.error))

    @property
    def better(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.high < 0

    @property
    def shown(self) -> str:
        """The difference and its interval."""
        if not np.isfinite(self.percent):
            return "diverges"
        interval = f" [{self.low:+.1f}, {self.high:+.1f}]" if np.isfinite(self.error) else ""
        return f"{self.percent:+.1f}{interval}"


def gap(held_out: dict[str, np.ndarray]) -> Gap:
    """Return the paired difference from the best rival, which is chosen by its mean over the splits.

    The interval is Student's, of the mean over splits; they share points, so that it speaks of splits of these data.
    """
    rival = min((title for title in RIVALS if title in held_out), key=lambda title: held_out[title].mean())
    base = held_out[rival].mean()
    if not np.isfinite(held_out[OURS]).all():
        return Gap(rival, np.inf, np.nan, np.nan, np.inf)
    percents = 100 * (held_out[OURS] - held_out[rival]) / base
    count = len(percents)
    if count < 2:
        return Gap(rival, float(percents.mean()), np.nan, np.nan, np.nan)
    error = float(percents.std(ddof=1) / np.sqrt(count))
    half = error * float(stats.t.ppf(0.5 + LEVEL / 200, count - 1))
    return Gap(rival, float(percents.mean()), error, float(percents.mean()) - half, float(percents.mean()) + half)


def excess_over_pca(held_out: dict[str, np.ndarray]) -> float:
    """Return by how much percent the mean risk exceeds that of PCA."""
    return float(100 * (held_out[OURS].mean() / held_out[LINEAR].mean() - 1))


def time_ratios(seconds: dict[str, np.ndarray]) -> np.ndarray:
    """Return the estimator's time over that of torch's steps about tanh, split by split."""
    return seconds[OURS] / seconds[TANH]


def verdict(outcomes: Sequence[Outcome]) -> str:
    """Return the counts that the numbers say."""
    gaps = {one.name: gap(one.held_out) for one in outcomes}
    as_good, better = (sum(getattr(one, part) for one in gaps.values()) for part in ("as_good", "better"))
    behind = {name: one for name, one in gaps.items() if not one.as_good}
    unclear = {name: one for name, one in gaps.items() if one.as_good and one.percent > TOLERANCE}
    excesses = {one.name: excess_over_pca(one.held_out) for one in outcomes}
    worst = max(excesses, key=excesses.__getitem__)
    ratios = {one.name: time_ratios(one.seconds) for one in outcomes}
    slowest = max(ratios, key=lambda name: ratios[name].max())
    typical = np.median([np.median(found) for found in ratios.values()])
    return (
        f"On {as_good} of {len(outcomes)} data sets {OURS} as it comes is at least as good as the best of PCA and "
        f"torch (behind by no more than one standard error of the paired differences or {TOLERANCE:g} %)"
        f"{listed('; behind on', behind)}{listed('; within the error alone on', unclear)}. On {better} it is better "
        f"(the {LEVEL} % interval of the difference lies below 0). Its largest excess over PCA: "
        f"{percent(excesses[worst])} ({worst}). It takes {typical:.2f} times as long as torch's steps in the median, "
        f"{ratios[slowest].max():.2f} times at worst ({slowest})."
    )


def listed(words: str, gaps: dict[str, Gap]) -> str:
    """Return the words and the data sets with their differences, or nothing where there are none."""
    return f"{words} {', '.join(f'{name} ({percent(one.percent)})' for name, one in gaps.items())}" if gaps else ""


def percent(value: float) -> str:
    """Return a difference in percent as one writes it; an infinite one is that of what diverges."""
    return f"{value:+.1f} %" if np.isfinite(value) else "diverges"


def risk_head() -> list[str]:
    """Return the titles of `risk_row`."""
    return ["data", "n × d", "k", *METHODS, "difference, %", "from"]


def risk_row(outcome: Outcome) -> str:
    """Return the line of a data set in the table of risks; the lowest is in bold, as far as it is shown."""
    shown = {title: f"{values.mean():#.3g}" for title, values in outcome.held_out.items()}
    lowest = min(shown.values(), key=float)
    cells = [f"**{cell}**" if (cell := shown.get(title, "—")) == lowest else cell for title in METHODS]
    difference = gap(outcome.held_out)
    size = f"{outcome.rows:,d} × {outcome.dim}"
    return markdown_row([outcome.name, size, str(outcome.k), *cells, difference.shown, difference.rival])


def reasons(outcomes: Sequence[Outcome]) -> list[str]:
    """Return why methods were left out, each reason once."""
    return list(dict.fromkeys(reason for one in outcomes for reason in one.left_out.values()))


TIME_HEAD = ["data", "seconds", "torch", "ratio, median", "ratio, worst", "its first fit, more"]


def time_row(outcome: Outcome) -> list[str]:
    """Return the line of a data set in the table of times."""
    ratios, ours = time_ratios(outcome.seconds), outcome.seconds[OURS]
    return [
        outcome.name,
        f"{np.median(ours):.2f}",
        f"{np.median(outcome.seconds[TANH]):.2f}",
        f"{np.median(ratios):.2f}",
        f"{ratios.max():.2f}",
        f"{outcome.first_seconds[0] - ours[0]:.2f}",
    ]
