"""What the report of an expressivity study says."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from isthmus._words import counted, number, percent
from isthmus.show.report import Equation, Page, Table, study_page
from isthmus.studies.expressivity_result import ExpressivityResult

QUESTION = "How good can a wide autoencoder be, and from which width on is a finite one as good?"
EQUATIONS = (
    Equation(
        "objective",
        r"F(\rho, \nu) = R + \tfrac{\lambda_E}{2} \int |\theta|^2 d\rho + \tfrac{\lambda_D}{2} \int |\omega|^2 d\nu, "
        r"\quad R = \tfrac12 \mathbb{E}\|x - \hat x\|^2",
    ),
    Equation("optimum", r"\inf F \text{ over all pairs of probability measures}"),
    Equation(
        "network", r"F_N: \quad \rho = \tfrac1N \sum_i \delta_{\theta_i}, \quad \nu = \tfrac1N \sum_j \delta_{\omega_j}"
    ),
    Equation(
        "certificate",
        r"F(\rho, \nu) - \min_{\nu^*} F(\rho, \nu^*) \le (1 - s)^2 R + \int [s \Psi_D + \tfrac{\lambda_D}{2} "
        r"|\omega|^2] d\nu - \min_\omega [s \Psi_D + \tfrac{\lambda_D}{2} |\omega|^2]",
    ),
    Equation("sampling the decoder", r"\mathbb{E} R(\rho, \nu^N) = R + C_D / N"),
    Equation("sampling the encoder", r"\mathbb{E} R(\rho^N, \nu) = R + C_E / N + O(N^{-2})"),
)
SYMBOLS = (
    r"$\rho$ and $\nu$ are the laws of the neurons $\theta$ of the encoder and $\omega$ of the decoder; $\Psi_D$ is "
    r"the first variation of the risk. For a fixed encoder, $F$ is convex in $\nu$, so the certificate bounds what any "
    "decoder could gain, for any s > 0, of which a good one is taken. It is not convex in the encoder, for which the "
    "report gives the rate at which $F$ falls to first order."
)


def expressivity_page(result: ExpressivityResult, figures: Mapping[str, Figure]) -> Page:
    """Return the page of an expressivity study, with the figures drawn of it."""
    return study_page(
        result,
        figures,
        _words(result),
        title=f"optimum, {result.study.data.described}, k = {result.study.law.latent_dim}",
        question=QUESTION,
        tables=[_table(result)],
        equations=EQUATIONS,
        symbols=SYMBOLS,
        command="optimum",
    )


def _words(result: ExpressivityResult) -> dict[str, tuple[str, str]]:
    """Return the heading of each figure, and how to read it."""
    study = result.study
    return {
        "gaps": (
            "How close finite networks come",
            f"Objective of finite networks above that of the optimum, {number(result.dataset.attrs['objective'])}. A "
            f"faint dot is one of {counted(study.trainings, 'training')} of a width (full-batch descent to a local "
            "minimum, from the atoms of the optimum, from the best narrower network, and from random starts), a large "
            "dot the best of them. Squares: networks with neurons drawn from the optimum "
            f"({counted(study.draws, 'network')} of each width; mean and two standard errors). Dashed: their "
            f"prediction. The dotted line is {percent(study.closeness)} of the optimum; gaps below a tenth of it are "
            "drawn there.",
        ),
        "atoms": (
            "What the optimum is made of",
            "Each disc is an atom, a kind of neuron; its area is the share of neurons of that kind. Encoder atoms lie "
            "at their weights on the first two principal components of the data, decoder atoms at their weights on the "
            "latents (and their bias where there is one latent). An atom near the origin acts through its bias.",
        ),
    }


def _table(result: ExpressivityResult) -> Table:
    study, data, values = result.study, result.dataset, result.dataset.attrs
    columns = (data.width.values, data.best_objective.values, data.best_risk.values, result.gap)
    rows = [
        (
            f"N = {int(n):,}",
            [(number(objective, 6), ""), (number(risk, 4), ""), (number(gap), percent(gap / values["objective"]))],
        )
        for n, objective, risk, gap in zip(*columns, strict=True)
    ]
    return Table(
        "Trained networks",
        f"Lowest objective of {counted(study.trainings, 'training')} of each width, the risk of that network, and the "
        "gap to the optimum.",
        ["width", "objective", "risk", "gap"],
        [*rows, ("N = ∞", [(number(values["objective"], 6), ""), (number(values["risk"], 4), ""), ("", "")])],
    )
