"""What the report of a tracking study says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from isthmus.show.plots import image_shape
from isthmus.show.report import Equation, Page, Section, Table, plate, write_page
from isthmus.show.stage import tracking_stage
from isthmus.studies.statistics import CONFIDENCE
from isthmus.studies.tracking_result import TrackingResult

HEADINGS = {
    "risk_curves": "The risk over time",
    "sup_gap": "The sup-gap against the width",
    "step_gap": "The part of steps and batches",
    "sources": "Where the fluctuation comes from",
    "influence": "What moves the risk",
    "latents": "The latents",
    "reconstructions": "The reconstructions",
}
QUESTION = "Does a finite autoencoder follow its mean-field limit?"
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
    study, data, captions = result.study, result.dataset, _captions(result)
    step_sizes = [f"SGD, step size {step_size:g}" for step_size in sorted(study.step_sizes)]
    table = Table(
        "The sup-gap in numbers",
        f"The {100 * study.confidence:g} % quantile over runs of the sup-gap, max |R_N(t) − R(t)| over the recorded "
        f"times, and its {100 * CONFIDENCE:g} % bootstrap interval.",
        ["width N", "gradient flow (step size 0)", *step_sizes],
        _gap_rows(result),
    )
    lead, *others = [plate(name, HEADINGS[name], figure, captions[name]) for name, figure in drawn.items()]
    answer, *findings = result.verdicts()
    return Page(
        title=f"tracking study, {study.data.described}, N = {', '.join(map(str, sorted(study.widths)))}",
        question=QUESTION,
        answer=answer,
        lead=lead,
        findings=findings,
        sections=[Section("Numbers", tables=[table]), *(Section(one.heading, plates=[one]) for one in others)],
        equations=EQUATIONS,
        symbols=SYMBOLS,
        command="track",
        toml=data.attrs["study"],
        version=data.attrs["isthmus"],
        machine=data.attrs["machine"],
        stage=tracking_stage(result),
    )


def _gap_rows(result: TrackingResult) -> list[tuple[int, list[tuple[str, str]]]]:
    """Return, for each width, the quantile of the sup-gap and its interval at step size 0 and at the others."""
    study = result.study

    def cell(name: str, **where: float) -> tuple[str, str]:
        estimate = result.estimate(name, level=study.confidence, **where)
        assert estimate is not None
        return f"{estimate.value:.3g}", f"{estimate.lower:.3g} to {estimate.upper:.3g}"

    return [
        (
            width,
            [
                cell("flow_gap_quantile", width=width),
                *(cell("gap_quantile", width=width, step_size=step_size) for step_size in sorted(study.step_sizes)),
            ],
        )
        for width in sorted(study.widths)
    ]


def _captions(result: TrackingResult) -> dict[str, str]:
    """Say what each figure means and how to read it."""
    study, sizes = result.study, result.dataset.sizes
    step_size, flows, time = min(study.step_sizes), sizes["flow_run"], result.dataset.time
    pca = f"PCA with {sizes['axis']} component{'s' if sizes['axis'] > 1 else ''}"
    quantile, interval = f"{100 * study.confidence:g} % quantile", f"{100 * CONFIDENCE:g} % bootstrap interval"
    fit = "Lines are least-squares fits of the logarithms; the legend gives the exponent and its interval."
    width_fit = f"{fit} The grey line has the slope −1/2 of averages over independent neurons."
    step_fit = f"{fit} The grey line has the slope 1/2 of gradient noise."
    orientation = (
        "The initial law fixes their orientation, so nothing has been rotated to fit."
        if study.law.kind == "aligned"
        else "Under this initial law their orientation is arbitrary, and nothing has been rotated to fit."
    )
    scale = (
        "Grey levels are the same down each column; at the right is the mean square error of a pixel."
        if image_shape(result)
        else "Every feature is scaled to its range over these points; rings are the data, lines the reconstructions."
    )
    predicted = "predicted_std" in result.dataset
    return {
        "risk_curves": (
            f"Above, the risk of {study.runs} SGD runs of each width at step size {step_size:g} (colour: the median, "
            "and the band that holds the middle 90 % of runs), of the mean field (black, dashed; the grey band is the "
            f"{100 * CONFIDENCE:g} % interval of its numerical error), and of {pca} (dotted). Below, the risk of the "
            "runs minus R(t): a network that follows its limit stays at zero. Time is drawn linearly up to the first "
            f"record after 0, t = {float(time[1]):g}, and logarithmically beyond it."
            f"{' Red lines hold 90 % of runs as predicted from the mean field alone.' if predicted else ''}"
        ),
        "sup_gap": (
            f"A faint dot is one run: its largest |R_N(t) − R(t)| over {len(time)} recorded times, 0 included. A large "
            f"dot is the {quantile} over {study.runs} SGD runs, or {flows} gradient flows, with its {interval}; the "
            "series stand side by side so that they don’t hide one another. Blue is what the width alone does; where "
            "SGD lies above it, steps and batches do the rest. "
            f"{width_fit if len(study.widths) > 1 else 'With a single width there is no rate to fit.'}"
            f"{' Rings on dashed lines are predicted from one mean-field solve, with no run.' if predicted else ''}"
        ),
        "step_gap": (
            "The largest difference between the risk of an SGD run and that of the gradient flow from the same initial "
            f"neurons, so that the width drops out: {flows} pairs for each width and step size (faint), and their "
            f"{quantile} with its {interval}. "
            f"{step_fit if len(study.step_sizes) > 1 else 'With a single step size there is no rate to fit.'}"
        ),
        "sources": (
            f"The standard deviation of the risk at step size {step_size:g}, predicted to leading order from the mean "
            "field and its linearisation: what the draw of initial encoder neurons, that of decoder neurons, and the "
            "noise of batches make each by itself, and all together (black). Rings are the standard deviation over "
            f"the {study.runs} runs, each good to {100 / (2 * (study.runs - 1)) ** 0.5:.0f} %."
        ),
        "influence": (
            "By how much the mean-field risk at time t rises (red) or falls (blue) as an initial neuron, or a point in "
            "training, is given more weight: neurons by their leading incoming weights at t = 0, points by their first "
            "two components. v₁ and v₂ are the principal directions. The variance of the "
            "influence over neurons, divided by the width, is the variance of the risk of finite networks."
        ),
        "latents": (
            f"The latents f(x) of {sizes['point']} points in one network of each width, trained at step size "
            f"{step_size:g}, and in the mean field (last row), as time goes on from left to right. All panels share "
            f"one scale. {orientation} The distance in the title is the root mean square over these points, in all "
            f"axes.{' Colours are the labels of the data, which no step sees.' if 'label' in result.dataset else ''}"
        ),
        "reconstructions": (
            f"{sizes['example']} points of the data, and what {pca}, one network of each width trained at step size "
            f"{step_size:g}, and the mean field make of them at t = {study.horizon:g}. {scale}"
        ),
    }
