"""What the report of a tracking study says."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from isthmus._words import counted, listed
from isthmus.show.animation import tracking_animation
from isthmus.show.canvas import dynamics_name
from isthmus.show.gap_panel import INTERVAL
from isthmus.show.gap_plots import quantile_name
from isthmus.show.report import RISK, SUP_GAP, Equation, Page, Table, cell, study_page
from isthmus.show.tracking_captions import tracking_words
from isthmus.studies.tracking_result import TrackingResult

QUESTION = "Does a finite autoencoder follow its mean-field limit?"
GROUPS = {
    "Initial draw and training": ("gap_parts", "late_gap", "sources", "influence"),
    "Training curves": ("risk_curves",),
    "The effect of SGD": ("step_gap",),
    "Latents and reconstructions": ("latents", "reconstructions"),
}
"""The parts of the page, each with its figures; the sup-gap leads."""
EQUATIONS = (
    Equation(
        "network",
        r"f(x) = \int a\, \varphi_E(\langle w, x \rangle + b)\, d\rho, \quad "
        r"g(z) = \int c\, \varphi_D(\langle u, z \rangle + e)\, d\nu, \quad \hat x = g(f(x))",
    ),
    RISK,
    Equation(
        "mean field",
        r"\partial_t \rho = \nabla \cdot (\rho\, \xi_E \nabla \Psi_E), \quad "
        r"\partial_t \nu = \nabla \cdot (\nu\, \xi_D \nabla \Psi_D), \quad "
        r"\Psi_E = \tfrac{\delta R}{\delta \rho}, \quad \Psi_D = \tfrac{\delta R}{\delta \nu}",
    ),
    Equation(
        "SGD",
        r"\theta_i \leftarrow \theta_i - \varepsilon N \xi_E \tfrac{\partial \ell}{\partial \theta_i}, \quad "
        r"\omega_j \leftarrow \omega_j - \varepsilon N \xi_D \tfrac{\partial \ell}{\partial \omega_j}, \quad "
        r"t = \varepsilon \times \text{steps}",
    ),
    SUP_GAP,
)
SYMBOLS = (
    r"$\rho$ and $\nu$ are the laws of the neurons $\theta = (a, w, b)$ of the encoder and $\omega = (c, u, e)$ of the "
    r"decoder; a network of width $N$ is the uniform law on its $N$ neurons. $\ell$ is the risk on a minibatch, "
    r"$\varepsilon$ the step size, and $\xi_E$ and $\xi_D$ are the rates. Gradient flow is the limit "
    r"$\varepsilon \to 0$ for the same network. The sup-gap is over the recorded times."
)


def tracking_page(result: TrackingResult, figures: Mapping[str, Figure]) -> Page:
    """Return the page of a tracking study, with the figures drawn of it."""
    return study_page(
        result,
        figures,
        tracking_words(result),
        groups=GROUPS,
        title=f"tracking study, {result.study.data.described}, N = {listed(sorted(result.study.widths))}",
        question=QUESTION,
        tables=[_numbers(result)],
        equations=EQUATIONS,
        symbols=SYMBOLS,
        command="track",
        animation=tracking_animation(result),
    )


def _numbers(result: TrackingResult) -> Table:
    """Return, for each width, the quantile of the sup-gap of gradient flow and of SGD, with intervals."""
    study, steps = result.study, [0.0, *sorted(result.study.step_sizes)]

    def quantile(width: int, step_size: float) -> tuple[str, str]:
        name, where = ("gap_quantile", {"step_size": step_size}) if step_size else ("flow_gap_quantile", {})
        return cell(*result.dataset[name].sel({"level": result.level, "width": width, **where}).values)

    flows = counted(result.dataset.sizes["flow_run"], "gradient flow")
    return Table(
        "The sup-gap",
        f"The {quantile_name(result.level)} of the sup-gap over {counted(study.runs, 'run')} of SGD and {flows}, and "
        f"its {INTERVAL} where there are enough runs for one.",
        ["width", *map(dynamics_name, steps)],
        [(f"N = {width:,}", [quantile(width, step) for step in steps]) for width in sorted(study.widths)],
    )
