"""What the report of a width study says."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from isthmus._words import percent, setting
from isthmus.show.report import FINITE_NETWORKS, RISK, SUP_GAP, Equation, Page, Table, cell, study_page
from isthmus.studies.statistics import CONFIDENCE
from isthmus.studies.width_result import Checked, WidthResult

QUESTION = "How wide is wide enough?"
EQUATIONS = (
    RISK,
    SUP_GAP,
    FINITE_NETWORKS,
    Equation(
        "recommended",
        r"\min N: \quad \mathbb{P}\left(\max_t |\zeta(t) + \beta(t)| \le \tau\right) \ge 1 - \delta",
    ),
)
SYMBOLS = (
    r"$R_N(t)$ is the risk of a network of width $N$, and $R(t)$ that of infinite width (the mean field). The "
    r"covariance of $\zeta$ and the bias $\beta$ come from the mean field and its linearisation, with no network. "
    r"$\tau$ is the tolerance, and $1 - \delta$ the share of networks that is asked for."
)


def width_page(result: WidthResult, figures: Mapping[str, Figure]) -> Page:
    """Return the page of a width study, with the figures drawn of it."""
    assert result.study is not None
    return study_page(
        result,
        figures,
        _words(result),
        title=f"width study, {result.study.data.described}, tolerance {setting(result.tolerance)}",
        question=QUESTION,
        tables=[_table(result)],
        equations=EQUATIONS,
        symbols=SYMBOLS,
        command="width",
    )


def _words(result: WidthResult) -> dict[str, tuple[str, str]]:
    """Return the heading of each figure, and how to read it."""
    share, level = result.asked_share, percent(CONFIDENCE)
    sup_gap = r"$\max_t |R_N(t) - R(t)|$"
    return {
        "gap_against_tolerance": (
            "The sup-gap against the width",
            f"A faint dot is the sup-gap {sup_gap} of one network; a large dot is the {share} quantile over "
            f"{result.recommended.runs:,} networks, with its {level} confidence interval where there are enough of "
            "them. The dashed line is the quantile that is predicted from the mean field alone. The grey line is the "
            "tolerance.",
        ),
        "risk_within_tolerance": (
            "The risk curves",
            r"$R_N(t) - R(t)$ of every network, at half the recommended width and at the recommended one. The grey "
            "band is the tolerance; a network within it at all times counts. Dashed: predicted 5–95 % range at each "
            "time (no training used).",
        ),
    }


def _table(result: WidthResult) -> Table:
    share, level = result.asked_share, percent(CONFIDENCE)
    return Table(
        "Both widths",
        f"Networks within {setting(result.tolerance)} of the mean-field risk with the {level} interval of their share "
        f"(Clopper–Pearson), and the {share} quantile of the sup-gap with its {level} interval (order statistics).",
        ["width N", "within", f"{share} quantile", "predicted"],
        [(checked.width, _row(checked)) for checked in (result.half, result.recommended)],
    )


def _row(checked: Checked) -> list[tuple[str, str]]:
    value, bounds = cell(checked.quantile.value, checked.quantile.lower, checked.quantile.upper)
    share = f"{checked.inside:,} of {checked.runs:,}"
    return [(share, checked.in_percent), (value, bounds or "too few runs"), cell(checked.predicted_quantile)]
