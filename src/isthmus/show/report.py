"""The report of a finished tracking study: one HTML page that needs nothing beside itself."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from isthmus.show.canvas import rendered
from isthmus.show.plots import image_shape
from isthmus.studies.statistics import CONFIDENCE
from isthmus.studies.store import write_atomically
from isthmus.studies.tracking_result import TrackingResult

LARGE = 500_000
"""From this many characters on, an SVG gives way to a PNG where that is smaller."""
HEADINGS = {
    "risk_curves": "The risk over time",
    "sup_gap": "The sup-gap against the width",
    "step_gap": "The part of steps and batches",
    "sources": "Where the fluctuation comes from",
    "influence": "What moves the risk",
    "latents": "The latents",
    "reconstructions": "The reconstructions",
}


class _Plate(NamedTuple):
    """A figure on the page: an SVG element, or else a PNG in base 64."""

    heading: str
    alt: str
    caption: str
    svg: str
    png: str


def write_report(result: TrackingResult, drawn: Mapping[str, Figure], path: Path) -> None:
    """Write the report of a study, with the figures drawn of it, to a file."""
    page = render_report(result, drawn)
    write_atomically(path, lambda place: place.write_text(page, encoding="utf-8"))


def render_report(result: TrackingResult, drawn: Mapping[str, Figure]) -> str:
    """Return the report of a study as HTML, without scripts and without links to anything outside it."""
    study, data, captions = result.study, result.dataset, _captions(result)
    environment = Environment(loader=PackageLoader("isthmus.show", "."), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("report.html.j2").render(
        study=study,
        question=_question(result),
        verdicts=result.verdicts(),
        level=f"{100 * study.confidence:g}",
        interval=f"{100 * CONFIDENCE:g}",
        step_sizes=sorted(study.step_sizes),
        rows=_gap_rows(result),
        plates=[_plate(name, figure, captions[name]) for name, figure in drawn.items()],
        toml=data.attrs["study"],
        version=data.attrs["isthmus"],
        machine=data.attrs["machine"],
    )


def _question(result: TrackingResult) -> str:
    study = result.study
    *narrower, widest = sorted(study.widths)
    widths = f"{', '.join(map(str, narrower))} and {widest}" if narrower else f"{widest}"
    return (
        f"Do autoencoders with {widths} neurons a layer and a bottleneck of dimension {result.dataset.sizes['axis']}, "
        f"trained on {study.data.source} by SGD in batches of {study.batch_size}, keep to the risk R(t) of the "
        f"infinitely wide one up to t = {study.horizon:g}, and how does the gap depend on width and step size?"
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


def _plate(name: str, figure: Figure, caption: str) -> _Plate:
    svg = _inlined(rendered(figure, name, "svg").decode("utf-8"), name)
    png = base64.b64encode(rendered(figure, name, "png")).decode("ascii") if len(svg) > LARGE else ""
    if png and len(png) < len(svg):
        svg = ""
    alt, caption = figure.get_suptitle().replace("\n", " "), caption.replace(" %", "\u00a0%")
    return _Plate(HEADINGS[name], alt, caption, svg, "" if svg else png)


def _inlined(svg: str, name: str) -> str:
    """Return the element of an SVG file, with identifiers that no other figure of the page has."""
    element = svg[svg.index("<svg") :]
    element = re.sub(r'\bid="', f'id="{name}-', element)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", element)


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
