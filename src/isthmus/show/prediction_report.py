"""What the report of a prediction study says."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from isthmus._words import number, setting
from isthmus.show.predicted_gaps import predicted_gaps
from isthmus.show.prediction_plots import predicted_curves, prediction_figures
from isthmus.show.report import Equation, Page, Section, Table, plate
from isthmus.studies.prediction_result import PredictionResult

QUESTION = "How far do finite networks stray from their mean-field limit?"
QUESTION_OF_A_WIDTH = "How wide must a network be to follow its mean-field limit?"
HEADINGS = {
    "predicted_gaps": "The sup-gap against the width",
    "predicted_curves": "The risk over time",
    "sources": "Where the fluctuation comes from",
    "influence": "What moves the risk",
}
EQUATIONS = (
    Equation("risk", r"R = \tfrac12 \mathbb{E}\|x - \hat x\|^2"),
    Equation("finite networks", r"R_N(t) \approx R(t) + \zeta(t) + \beta(t), \quad \zeta \text{ Gaussian}"),
    Equation(
        "fluctuation",
        r"\mathrm{Cov}(\zeta(t), \zeta(t')) = \frac{K_E + K_D}{N} + \frac{\varepsilon}{B} K_S",
    ),
    Equation("bias", r"\beta(t) = \frac{b_E + b_D}{N} + \frac{\varepsilon}{B} b_S + \varepsilon\, b_\Delta"),
    Equation("sup-gap", r"\max_t |R_N(t) - R(t)|"),
)
SYMBOLS = (
    r"$R(t)$ is the mean-field risk, $N$ the width, $\varepsilon$ the step size and $B$ the batch size. $K_E$ and "
    r"$K_D$ are the covariances of the influence of an initial encoder and decoder neuron, $K_S$ that of points in a "
    r"batch; each $b$ is the mean of the curvature terms. Gradient flow is $\varepsilon \to 0$."
)


def prediction_study_figures(result: PredictionResult) -> dict[str, Figure]:
    """Draw every figure of a prediction study, by name."""
    first = {draw.__name__: draw(result) for draw in (predicted_gaps, predicted_curves)}
    return first | prediction_figures(result)


def prediction_page(result: PredictionResult, drawn: Mapping[str, Figure]) -> Page:
    """Return what the report of a prediction study says."""
    study, values, captions = result.study, result.dataset.attrs, _captions(result)
    lead, *others = [plate(name, HEADINGS[name], figure, captions[name]) for name, figure in drawn.items()]
    return Page(
        title=f"prediction, {study.data.described}, N = {', '.join(f'{width:,}' for width in sorted(study.widths))}",
        question=QUESTION if study.tolerance is None else QUESTION_OF_A_WIDTH,
        answer=result.answer(),
        lead=lead,
        findings=result.verdicts(),
        sections=[*(Section(one.heading, plates=[one]) for one in others), Section("Numbers", tables=[_table(result)])],
        equations=EQUATIONS,
        symbols=SYMBOLS,
        command="predict",
        toml=values["study"],
        version=values["isthmus"],
        machine=values["machine"],
    )


def _captions(result: PredictionResult) -> dict[str, str]:
    """Say how to read each figure."""
    study = result.study
    share, step_size = result.asked_share, setting(min(study.step_sizes))
    tolerance = "" if study.tolerance is None else " The grey line is the tolerance."
    return {
        "predicted_gaps": (
            rf"The {share} quantile of the sup-gap $\max_t |R_N(t) - R(t)|$ that is predicted from one mean-field "
            r"solve, against the width $N$; rings are the widths of the study. Where SGD levels off, steps and batches "
            f"make the gap, and a wider network does not help.{tolerance}"
        ),
        "predicted_curves": (
            rf"Predicted mean and 5–95 % range of $R_N(t) - R(t)$ under SGD with step size {step_size}, for each width."
        ),
        "sources": (
            f"The predicted standard deviation of the risk at step size {step_size}: what the initial encoder neurons, "
            "the initial decoder neurons and the noise of batches make each by itself, and together."
        ),
        "influence": (
            r"By how much $R(t)$ rises or falls as an initial neuron, or a point in training, is given more weight: "
            r"neurons by their leading incoming weights at $t = 0$, points by their first two components. The variance "
            r"of the influence over neurons, divided by $N$, is the variance of the risk of networks of width $N$."
        ),
    }


def _table(result: PredictionResult) -> Table:
    study = result.study
    return Table(
        "Every network",
        f"The predicted {result.asked_share} quantile of the sup-gap.",
        ["width N", *(f"step size {setting(step)}" if step else "gradient flow" for step, _ in study.dynamics)],
        [
            (width, [(number(result.quantile(width, step_size)), "") for step_size, _ in study.dynamics])
            for width in sorted(study.widths)
        ],
    )
