"""Which figures and which page belong to which kind of result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure

from isthmus.show.bottleneck_plots import bottleneck_figures
from isthmus.show.bottleneck_report import bottleneck_page
from isthmus.show.expressivity_plots import expressivity_figures
from isthmus.show.expressivity_report import expressivity_page
from isthmus.show.plots import figures
from isthmus.show.prediction_report import prediction_page, prediction_study_figures
from isthmus.show.report import Page
from isthmus.show.tracking_report import tracking_page
from isthmus.show.width_plots import width_figures
from isthmus.show.width_report import width_page
from isthmus.studies.bottleneck_result import BottleneckResult
from isthmus.studies.expressivity_result import ExpressivityResult
from isthmus.studies.prediction_result import PredictionResult
from isthmus.studies.tracking_result import TrackingResult
from isthmus.studies.width_result import WidthResult

Draw = Callable[[Any], dict[str, Figure]]
Say = Callable[[Any, Mapping[str, Figure]], Page]

PAGES: dict[type, tuple[Draw, Say]] = {
    BottleneckResult: (bottleneck_figures, bottleneck_page),
    ExpressivityResult: (expressivity_figures, expressivity_page),
    PredictionResult: (prediction_study_figures, prediction_page),
    TrackingResult: (figures, tracking_page),
    WidthResult: (width_figures, width_page),
}


def drawn_figures(result: Any) -> dict[str, Figure]:
    """Draw every figure of a finished study of any kind, by name."""
    draw, _ = PAGES[type(result)]
    return draw(result)


def result_page(result: Any, drawn: Mapping[str, Figure] | None = None) -> Page:
    """Return the page of a finished study of any kind, with its figures drawn anew where none are given."""
    _, say = PAGES[type(result)]
    return say(result, drawn_figures(result) if drawn is None else drawn)
