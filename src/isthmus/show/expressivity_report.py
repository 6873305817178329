"""What the report of an expressivity study says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from isthmus.show.report import Page, Table, plate, write_page
from isthmus.studies.expressivity_result import ExpressivityResult

HEADINGS = {"gaps": "How close finite networks come", "atoms": "What the optimum is made of"}
EQUATIONS = """objective    F(ρ, ν) = R + (λ_E/2) ∫|θ|²dρ + (λ_D/2) ∫|ω|²dν,    R = ½ E‖x − x̂‖²
optimum      inf F over all pairs of measures of mass 1
network      F_N: ρ and ν uniform on N neurons each
certificate  F(ρ, ν) − min over ν* of F(ρ, ν*) ≤ ∫Φ_D dν − min Φ_D,    Φ_D(ω) = Ψ_D(ω) + (λ_D/2)|ω|²
drawn        E R(ρ, ν^N) = R + C_D/N exactly,    E R(ρ^N, ν) = R + C_E/N to leading order
"""
SYMBOLS = (
    "ρ and ν are the laws of the neurons θ of the encoder and ω of the decoder, Ψ_D is the first variation of the "
    "risk. Given the encoder, F is convex in ν, so that the certificate bounds what any decoder could gain; in the "
    "encoder it is not, and there the report gives how fast F falls at first order."
)


def write_report(result: ExpressivityResult, drawn: Mapping[str, Figure], path: Path) -> None:
    """Write the report of a study, with the figures drawn of it, to a file."""
    write_page(expressivity_page(result, drawn), path)


def expressivity_page(result: ExpressivityResult, drawn: Mapping[str, Figure]) -> Page:
    """Return what the report of an expressivity study says."""
    study, data, values = result.study, result.dataset, result.dataset.attrs
    bound = (
        f"with neurons in a ball of radius {study.radius:g}" if study.radius else f"with weight decay {_decay(study)}"
    )
    captions = {
        "gaps": (
            f"By how much the objective of networks lies above that of the best measures, {values['objective']:.5g}. "
            f"A faint dot is one of {study.trainings} trainings of a width (full-batch descent to a local minimum, "
            "from the optimum’s own atoms, from the best narrower network, and from random starts), a large dot the "
            f"best of them. Squares are networks whose neurons are drawn from the optimum ({study.draws} of each "
            "width, mean and two standard errors), and the dashed line is what the identities below predict for "
            "them: no training is needed to come this close. What lies below a tenth of the dotted line is drawn "
            "there."
        ),
        "atoms": (
            "Each disc is an atom, a kind of neuron, its area in proportion to the share of neurons of that kind. "
            "Encoder atoms lie at their weights on the two leading principal components of the data, decoder atoms "
            "at their weights on the latents (and the bias where there is one latent). An atom with weights near 0 "
            "acts through its bias."
        ),
    }
    rows = [
        (
            int(n),
            [(f"{objective:.6g}", ""), (f"{risk:.4g}", ""), (f"{gap:.2g}", f"{100 * gap / values['objective']:.2g} %")],
        )
        for n, objective, risk, gap in zip(
            data.width.values, data.best_objective.values, data.best_risk.values, result.gap, strict=True
        )
    ]
    table = Table(
        "Trained networks in numbers",
        f"The lowest objective of {study.trainings} trainings of each width, the risk of that network, and the gap "
        "to the best measures.",
        ["width N", "objective", "risk", "gap"],
        [*rows, ("∞", [(f"{values['objective']:.6g}", ""), (f"{values['risk']:.4g}", ""), ("", "")])],
    )
    return Page(
        title=f"optimum, {study.data.described}, k = {study.law.latent_dim}",
        heading="How good can a wide autoencoder be, and how close does a finite one come?",
        question=(
            f"What is the best an infinitely wide autoencoder with a bottleneck of dimension {study.law.latent_dim} "
            f"can do on {study.data.described} {bound}, how is it known, and from which width on is a finite network "
            "as good?"
        ),
        verdicts=result.verdicts(),
        tables=[table],
        plates=[plate(name, HEADINGS[name], figure, captions[name]) for name, figure in drawn.items()],
        equations=EQUATIONS,
        symbols=SYMBOLS,
        command="optimum",
        toml=values["study"],
        version=values["isthmus"],
        machine=values["machine"],
    )


def _decay(study) -> str:
    pair = study.weight_decay if isinstance(study.weight_decay, tuple) else (study.weight_decay,) * 2
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g} (encoder) and {pair[1]:g} (decoder)"
