"""Which figures and which page belong to which kind of result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from isthmus import _checks
from isthmus.show.bottleneck_plots import network_over_pca, risk_against_k
from isthmus.show.bottleneck_report import bottleneck_page
from isthmus.show.canvas import save_figures
from isthmus.show.expressivity_plots import atoms, gaps
from isthmus.show.expressivity_report import expressivity_page
from isthmus.show.gap_plots import gap_parts, late_gap, step_gap, sup_gap
from isthmus.show.picture_plots import reconstructions
from isthmus.show.prediction_plots import influence, predicted_curves, predicted_gaps, sources
from isthmus.show.prediction_report import prediction_page
from isthmus.show.report import Page, write_page
from isthmus.show.tracking_plots import latents, risk_curves
from isthmus.show.tracking_report import tracking_page
from isthmus.show.width_plots import gap_against_tolerance, risk_within_tolerance
from isthmus.show.width_report import width_page
from isthmus.studies.bottleneck_result import BottleneckResult
from isthmus.studies.expressivity_result import ExpressivityResult
from isthmus.studies.prediction_result import PredictionResult
from isthmus.studies.result import StudyResult
from isthmus.studies.tracking_result import TrackingResult
from isthmus.studies.width_result import WidthResult

Draw = Callable[[Any], Figure]


class Shown(NamedTuple):
    """What shows the results of one kind: functions that draw a figure each, the leading one first, and the page."""

    figures: Sequence[Draw]
    page: Callable[[Any, Mapping[str, Figure]], Page]


PAGES: dict[type[StudyResult], Shown] = {
    BottleneckResult: Shown((risk_against_k, network_over_pca), bottleneck_page),
    ExpressivityResult: Shown((gaps, atoms), expressivity_page),
    PredictionResult: Shown((predicted_gaps, predicted_curves, sources, influence), prediction_page),
    TrackingResult: Shown(
        (sup_gap, gap_parts, late_gap, step_gap, risk_curves, latents, reconstructions, sources, influence),
        tracking_page,
    ),
    WidthResult: Shown((gap_against_tolerance, risk_within_tolerance), width_page),
}
NEEDED: dict[Draw, str] = {
    gap_parts: "fluctuation",
    late_gap: "late_flow_gap_quantile",
    sources: "predicted_std",
    influence: "predicted_std",
}
"""Figures of numbers that some results lack, with the variable that they need."""


def drawn_figures(result: StudyResult) -> dict[str, Figure]:
    """Draw every figure that a finished study of any kind has the numbers for, by name."""
    draws = PAGES[type(result)].figures
    return {draw.__name__: draw(result) for draw in draws if draw not in NEEDED or _holds(result, NEEDED[draw])}


def write_report(result: StudyResult, folder: str | Path) -> Path:
    """Write ``report.html``, and its figures as PNG and SVG in ``figures/``, to a folder; return the path of the page.

    Args:
        result: a finished study.
        folder: where to write; it is made where it isn't there.

    """
    target, drawn = _checks.path("folder", folder), drawn_figures(result)
    (target / "figures").mkdir(parents=True, exist_ok=True)
    save_figures(drawn, target / "figures")
    write_page(result_page(result, drawn), target / "report.html")
    return target / "report.html"


def result_page(result: StudyResult, figures: Mapping[str, Figure] | None = None) -> Page:
    """Return the page of a finished study of any kind, with its figures drawn anew where none are given."""
    return PAGES[type(result)].page(result, drawn_figures(result) if figures is None else figures)


def _holds(result: StudyResult, variable: str) -> bool:
    return variable in result.dataset and bool(np.isfinite(result.dataset[variable]).any())
