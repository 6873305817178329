"""What the report of a bottleneck study says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from isthmus.show.report import Equation, Page, Section, Table, plate, write_page
from isthmus.studies.bottleneck_result import BottleneckResult
from isthmus.studies.statistics import CONFIDENCE

HEADINGS = {"risk_against_k": "The risk against the dimension of the bottleneck"}
EQUATIONS = (
    Equation(
        "network", r"\hat x = g(f(x)), \quad f: \mathbb{R}^d \to \mathbb{R}^k, \quad g: \mathbb{R}^k \to \mathbb{R}^d"
    ),
    Equation("risk", r"R = \tfrac12 \mathbb{E}\|x - \hat x\|^2"),
    Equation("PCA", r"R = \tfrac12 \sum_{i \gt k} \lambda_i"),
    Equation(
        "suggested",
        r"\min k: \quad \overline{D} \le \mathrm{sd}(D) / \sqrt{S}, \quad D_s = R_s(k) - R_s(k_{\mathrm{best}})",
    ),
    Equation(
        "dimension",
        r"m = \frac{r - 1}{\sum_{i \le r} \ln \mu_i + (n - r) \ln \mu_r}, \quad \mu = r_2/r_1, \quad r = 0.9\, n",
    ),
)
SYMBOLS = (
    r"$S$ is the number of splits, $\lambda_i$ are the eigenvalues of the covariance, and $r_1$ and $r_2$ the "
    "distances of a point to its two nearest neighbours (TwoNN: Facco and others, Scientific Reports 7, 12140, 2017). "
    "Points held out are centred and scaled by the points in training, and no training sees them."
)


def write_report(result: BottleneckResult, drawn: Mapping[str, Figure], path: Path) -> None:
    """Write the report of a study, with the figures drawn of it, to a file."""
    write_page(bottleneck_page(result, drawn), path)


def bottleneck_page(result: BottleneckResult, drawn: Mapping[str, Figure]) -> Page:
    """Return what the report of a bottleneck study says."""
    study, values = result.study, result.dataset.attrs
    interval = f"{100 * CONFIDENCE:g} % interval (Student’s, over {study.splits} splits)"
    network = f"the mean field at t = {study.horizon:g}" if study.method == "horizon" else "the optimum over measures"
    caption = (
        f"Blue: {network}; grey: PCA of the same points. Full marks are points held out ({values['held_out_points']} "
        f"a split), open marks points in training ({values['training_points']}). Bars are the {interval} of the mean. "
        "The ring is the suggested k. Orange: the intrinsic dimension of the points in training with its interval, or "
        "an arrow where it lies beyond the axis. Marks of one k stand side by side so that they don’t hide one another."
    )
    table = Table(
        "The curve in numbers",
        f"Mean risk and its {interval}. The last column is how far the held-out risk lies above that of the best k, "
        "and the standard error of this difference over splits, in pairs.",
        ["k", "held out", "in training", "PCA, held out", "PCA, in training", f"above k={result.best}"],
        [(k, _row(result, k)) for k in study.latent_dims],
    )
    answer, *findings = result.verdicts()
    lead, *others = [plate(name, HEADINGS[name], figure, caption) for name, figure in drawn.items()]
    return Page(
        title=f"bottleneck study, {study.data.described}, k = 1 to {study.max_latent_dim}",
        question="How wide should the bottleneck be?",
        answer=answer,
        lead=lead,
        findings=findings,
        sections=[Section("Numbers", plates=others, tables=[table])],
        equations=EQUATIONS,
        symbols=SYMBOLS,
        command="bottleneck",
        toml=values["study"],
        version=values["isthmus"],
        machine=values["machine"],
    )


def _row(result: BottleneckResult, latent_dim: int) -> list[tuple[str, str]]:
    held_out, training, pca_held_out, pca_training = (
        result.estimate(name, latent_dim)
        for name in ("held_out_risk", "training_risk", "pca_held_out_risk", "pca_training_risk")
    )
    excess = result.excess(latent_dim)
    return [
        *(
            (f"{one.value:.4g}", f"{one.lower:.3g} to {one.upper:.3g}")
            for one in (held_out, training, pca_held_out, pca_training)
        ),
        ("best", "") if latent_dim == result.best else (f"{excess.mean:.2g}", f"± {excess.standard_error:.1g}"),
    ]
