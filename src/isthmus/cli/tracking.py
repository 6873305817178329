"""The commands about the learning dynamics: demo, track."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from isthmus._words import interval, number, percent, setting
from isthmus.cli.commands import study_command
from isthmus.cli.options import shared
from isthmus.cli.output import Running, describe_data, print_table, run_study

if TYPE_CHECKING:
    from isthmus.studies.tracking import TrackingStudy
    from isthmus.studies.tracking_result import TrackingResult


@study_command(
    "isthmus.studies.tracking:TrackingStudy",
    doing="training networks of three widths on handwritten digits, beside their infinite-width limit.",
    example="isthmus demo --out first-look",
    base="isthmus.studies.demonstration:DEMO",
)
def demo(study: TrackingStudy, running: Running) -> None:
    """See the theorem at work: networks of three widths approach their infinite-width limit, in about a minute."""
    _run_tracking(study, running)


@study_command(
    "isthmus.studies.tracking:TrackingStudy",
    doing="comparing networks trained by SGD with their infinite-width limit.",
    example="isthmus track --data wine --widths 64,256,1024 --step-sizes 0.1 --quick",
    flags=shared("latent_dim", "activation", "law", "strength", "widths", "step_sizes", "batch_size", "sampling")
    | shared("horizon", "records", "runs", "flow_runs", "confidence", "particles"),
)
def track(study: TrackingStudy, running: Running) -> None:
    """Measure how closely networks trained by SGD follow the mean-field limit, over widths, step sizes and seeds."""
    _run_tracking(study, running)


def _run_tracking(study: TrackingStudy, running: Running) -> None:
    from isthmus.studies.tracking_result import track as run

    problem = study.problem  # so that what is wrong with the data or the law is said before a folder is made
    describe_data(study, running.quiet, problem.data)
    run_study(study, run, running, print_tables=_print_gaps)


def _print_gaps(result: TrackingResult) -> None:
    level = result.level

    def row(width: int, step_size: float) -> list[str]:
        steps = {"step_size": step_size} if step_size else {}
        found = result.estimate("gap_quantile" if step_size else "flow_gap_quantile", level=level, width=width, **steps)
        assert found is not None
        bounds = "too few runs" if math.isnan(found.lower) else interval(found.lower, found.upper)
        return [str(width), setting(step_size) if step_size else "gradient flow", number(found.value), bounds]

    study = result.study
    what = "Median" if level == 0.5 else f"{percent(level)} quantile"
    rows = (row(width, step_size) for width in study.widths for step_size in (0.0, *study.step_sizes))
    print_table(f"{what} of the sup-gap max |R_N(t) − R(t)|", ("width", "step size", "sup-gap", "95 % CI"), rows)
