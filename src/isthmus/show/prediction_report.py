"""What the report of a prediction study says."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from isthmus._words import setting
from isthmus.show.report import FINITE_NETWORKS, RISK, SUP_GAP, Equation, Page, Table, cell, study_page
from isthmus.studies.prediction_result import PredictionResult

QUESTION = "How far do finite networks stray from their mean-field limit?"
QUESTION_OF_A_WIDTH = "How wide must a network be to follow its mean-field limit?"
EQUATIONS = (
    RISK,
    FINITE_NETWORKS,
    Equation(
        "fluctuation",
        r"\mathrm{Cov}(\zeta(t), \zeta(t')) = \frac{K_E + K_D}{N} + \frac{\varepsilon}{B} K_S",
    ),
    Equation("bias", r"\beta(t) = \frac{b_E + b_D}{N} + \frac{\varepsilon}{B} b_S + \varepsilon\, b_\Delta"),
    SUP_GAP,
)
SYMBOLS = (
    r"$R(t)$ is the mean-field risk, $N$ the width, $\varepsilon$ the step size and $B$ the batch size. $K_E$ and "
    r"$K_D$ are the covariances of the influence of an initial encoder and decoder neuron, $K_S$ that of points in a "
    r"batch; each $b$ is the mean of the curvature terms. Gradient flow is $\varepsilon \to 0$."
)


def prediction_page(result: PredictionResult, figures: Mapping[str, Figure]) -> Page:
    """Return the page of a prediction study, with the figures drawn of it."""
    study = result.study
    return study_page(
        result,
        figures,
        _words(result),
        title=f"prediction, {study.data.described}, N = {', '.join(f'{width:,}' for width in sorted(study.widths))}",
        question=QUESTION if study.tolerance is None else QUESTION_OF_A_WIDTH,
        tables=[_table(result)],
        equations=EQUATIONS,
        symbols=SYMBOLS,
        command="predict",
    )


def _words(result: PredictionResult) -> dict[str, tuple[str, str]]:
    """Return the heading of each figure, and how to read it."""
    study = result.study
    share, step_size = result.asked_share, setting(min(study.step_sizes))
    tolerance = "" if study.tolerance is None else " The grey line is the tolerance."
    return {
        "predicted_gaps": (
            "The sup-gap against the width",
            rf"The {share} quantile of the sup-gap $\max_t |R_N(t) - R(t)|$ that is predicted from one mean-field "
            r"solve, against the width $N$; rings are the widths of the study. Where SGD levels off, steps and batches "
            f"make the gap, and a wider network does not help.{tolerance}",
        ),
        "predicted_curves": (
            "The risk over time",
            rf"Predicted mean and 5–95 % range of $R_N(t) - R(t)$ under SGD at step size {step_size}, for each width.",
        ),
        "sources": (
            "Where the fluctuation comes from",
            f"The predicted standard deviation of the risk at step size {step_size}: what the initial encoder neurons, "
            "the initial decoder neurons and the noise of batches make each by itself, and together.",
        ),
        "influence": (
            "What moves the risk",
            r"By how much $R(t)$ rises or falls as an initial neuron, or a point in training, is given more weight: "
            r"neurons by their leading incoming weights at $t = 0$, points by their first two components. The variance "
            r"of the influence over neurons, divided by $N$, is the variance of the risk of networks of width $N$.",
        ),
    }


def _table(result: PredictionResult) -> Table:
    study = result.study
    return Table(
        "Every network",
        f"The predicted {result.asked_share} quantile of the sup-gap.",
        ["width N", *(f"step size {setting(step)}" if step else "gradient flow" for step, _ in study.dynamics)],
        [
            (width, [cell(result.quantile(width, step_size)) for step_size, _ in study.dynamics])
            for width in sorted(study.widths)
        ],
    )
