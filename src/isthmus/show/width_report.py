"""What the report of a width study says."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from isthmus._words import interval, number, percent, setting
from isthmus.show.report import Equation, Page, Section, Table, plate
from isthmus.studies.statistics import CONFIDENCE
from isthmus.studies.width_result import Checked, WidthResult

QUESTION = "How wide is wide enough?"
HEADINGS = {
    "gap_against_tolerance": "The sup-gap against the width",
    "risk_within_tolerance": "The risk curves",
}
EQUATIONS = (
    Equation("risk", r"R = \tfrac12 \mathbb{E}\|x - \hat x\|^2"),
    Equation("sup-gap", r"\max_t |R_N(t) - R(t)|"),
    Equation("finite networks", r"R_N(t) \approx R(t) + \zeta(t) + \beta(t), \quad \zeta \text{ Gaussian}"),
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


def width_page(result: WidthResult, drawn: Mapping[str, Figure]) -> Page:
    """Return what the report of a width study says."""
    study, values, captions = result.study, result.dataset.attrs, _captions(result)
    assert study is not None
    lead, *others = [plate(name, HEADINGS[name], figure, captions[name]) for name, figure in drawn.items()]
    return Page(
        title=f"width study, {study.data.described}, tolerance {setting(result.tolerance)}",
        question=QUESTION,
        answer=result.answer(),
        lead=lead,
        findings=result.verdicts(),
        sections=[*(Section(one.heading, plates=[one]) for one in others), Section("Numbers", tables=[_table(result)])],
        equations=EQUATIONS,
        symbols=SYMBOLS,
        command="width",
        toml=values["study"],
        version=values["isthmus"],
        machine=values["machine"],
    )


def _captions(result: WidthResult) -> dict[str, str]:
    """Say how to read each figure."""
    share, level = result.asked_share, percent(CONFIDENCE)
    sup_gap = r"$\max_t |R_N(t) - R(t)|$"
    return {
        "gap_against_tolerance": (
            f"A faint dot is the sup-gap {sup_gap} of one network; a large dot is the {share} quantile over "
            f"{result.recommended.runs:,} networks, with its {level} confidence interval where there are enough of "
            "them. The dashed line is the quantile that is predicted from the mean field alone. The grey line is the "
            "tolerance."
        ),
        "risk_within_tolerance": (
            r"$R_N(t) - R(t)$ of every network, at half the recommended width and at the recommended one. The grey "
            "band is the tolerance; a network within it at all times counts. Dashed: predicted 5–95 % range at each "
            "time (no training used)."
        ),
    }


def _table(result: WidthResult) -> Table:
    share, level = result.asked_share, percent(CONFIDENCE)
    return Table(
        "Both widths",
        f"Networks within {setting(result.tolerance)} of the mean-field risk with the {level} interval of their share "
        f"(Clopper–Pearson), and the {share} quantile of the sup-gap with its {level} interval (order statistics).",
        ["width N", "within", f"{share} quantile", "predicted"],
        [(one.width, _row(one)) for one in (result.half, result.recommended)],
    )


def _row(one: Checked) -> list[tuple[str, str]]:
    quantile = one.quantile
    bounds = interval(quantile.lower, quantile.upper) if quantile.has_interval else "too few runs"
    return [
        (f"{one.inside:,} of {one.runs:,}", one.in_percent),
        (number(quantile.value), bounds),
        (number(one.predicted_quantile), ""),
    ]
