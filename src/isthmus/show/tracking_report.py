"""What the report of a tracking study says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from isthmus._words import counted, interval, listed, number, setting
from isthmus.show.gap_panel import INTERVAL
from isthmus.show.gap_plots import quantile_name
from isthmus.show.report import Equation, Page, Section, Table, plate, write_page
from isthmus.show.stage import tracking_stage
from isthmus.show.tracking_captions import tracking_captions
from isthmus.studies.tracking_result import TrackingResult

LEAD = "sup_gap"
QUESTION = "Does a finite autoencoder follow its mean-field limit?"
SECTIONS = {
    "Initial draw and training": {
        "gap_parts": "Fluctuation and mean shift",
        "late_gap": "The gap after relaxation",
        "sources": "Where the fluctuation comes from",
        "influence": "What moves the risk",
    },
    "Training curves": {"risk_curves": "The risk over time"},
    "The effect of SGD": {"step_gap": "Distance from gradient flow"},
    "Latents and reconstructions": {"latents": "Latents", "reconstructions": "Reconstructions"},
}
"""The parts of the page, each with its figures and their headings."""
EQUATIONS = (
    Equation(
        "network",
        r"f(x) = \int a\, \varphi_E(\langle w, x \rangle + b)\, d\rho, \quad "
        r"g(z) = \int c\, \varphi_D(\langle u, z \rangle + e)\, d\nu, \quad \hat x = g(f(x))",
    ),
    Equation("risk", r"R = \tfrac12 \mathbb{E}\|x - \hat x\|^2"),
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
    Equation("sup-gap", r"\max_t |R_N(t) - R(t)|"),
)
SYMBOLS = (
    r"$\rho$ and $\nu$ are the laws of the neurons $\theta = (a, w, b)$ of the encoder and $\omega = (c, u, e)$ of the "
    r"decoder; a network of width $N$ is the uniform law on its $N$ neurons. $\ell$ is the risk on a minibatch, "
    r"$\varepsilon$ the step size, and $\xi_E$ and $\xi_D$ are the rates. Gradient flow is the limit "
    r"$\varepsilon \to 0$ for the same network. The sup-gap is over the recorded times."
)


def write_report(result: TrackingResult, drawn: Mapping[str, Figure], path: Path) -> None:
    """Write the report of a study, with the figures drawn of it, to a file."""
    write_page(tracking_page(result, drawn), path)


def tracking_page(result: TrackingResult, drawn: Mapping[str, Figure]) -> Page:
    """Return what the report of a tracking study says."""
    study, data, captions = result.study, result.dataset, tracking_captions(result)
    plates = {name: plate(name, _headings()[name], figure, captions[name]) for name, figure in drawn.items()}
    sections = [
        Section(heading, [plates[name] for name in names if name in plates]) for heading, names in SECTIONS.items()
    ]
    return Page(
        title=f"tracking study, {study.data.described}, N = {listed(sorted(study.widths))}",
        question=QUESTION,
        answer=result.answer(),
        lead=plates[LEAD],
        findings=result.verdicts(),
        sections=[*(section for section in sections if section.plates), Section("Numbers", tables=[_numbers(result)])],
        equations=EQUATIONS,
        symbols=SYMBOLS,
        command="track",
        toml=data.attrs["study"],
        version=data.attrs["isthmus"],
        machine=data.attrs["machine"],
        stage=tracking_stage(result),
    )


def _headings() -> dict[str, str]:
    return {LEAD: "The sup-gap"} | {name: heading for names in SECTIONS.values() for name, heading in names.items()}


def _numbers(result: TrackingResult) -> Table:
    """Return, for each width, the quantile of the sup-gap of gradient flow and of SGD, with intervals."""
    study, level = result.study, result.level
    kind = quantile_name(level)

    def cell(name: str, **where: float) -> tuple[str, str]:
        value, lower, upper = result.dataset[name].sel({"level": level, **where}).values
        return number(value), interval(lower, upper) if np.isfinite(lower) else ""

    rows = [
        (
            f"N = {width:,}",
            [
                cell("flow_gap_quantile", width=width),
                *(cell("gap_quantile", width=width, step_size=step_size) for step_size in sorted(study.step_sizes)),
            ],
        )
        for width in sorted(study.widths)
    ]
    flows = counted(result.dataset.sizes["flow_run"], "gradient flow")
    return Table(
        "The sup-gap",
        f"The {kind} of the sup-gap over {counted(study.runs, 'run')} of SGD and {flows}, and its {INTERVAL} where "
        "there are enough runs for one.",
        ["width", "gradient flow", *(f"SGD, ε = {setting(step_size)}" for step_size in sorted(study.step_sizes))],
        rows,
    )
