"""The command about how wide is wide enough: width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from isthmus._words import interval, number, percent
from isthmus.cli.commands import study_command
from isthmus.cli.options import (
    NUMERICS,
    TRAINING,
    ActivationOption,
    BatchSize,
    Dask,
    Example,
    Horizon,
    Json,
    LatentDim,
    LawOption,
    Out,
    Particles,
    Processes,
    Quiet,
    Records,
    Resume,
    SeedOption,
    Settings,
    StepSize,
    Strength,
    StudyArgument,
    option,
)
from isthmus.cli.output import Running, print_table, run_study, tell_data
from isthmus.cli.values import study_of

if TYPE_CHECKING:
    from isthmus.studies.width_result import Checked, WidthResult


@study_command(
    "isthmus.studies.width:WidthStudy",
    doing="finding the smallest width whose risk stays within a tolerance of infinite width.",
    example="isthmus width --data wine --tolerance 0.02 --quick",
)
def width(
    context: typer.Context,
    study: StudyArgument = None,
    example: Example = False,
    tolerance: Annotated[
        float | None, option(TRAINING, metavar="RISK", help="How far the risk may be from that of infinite width.")
    ] = None,
    confidence: Annotated[
        float | None, option(TRAINING, metavar="FRACTION", help="Share of networks that are to stay within it.")
    ] = None,
    latent_dim: LatentDim = None,
    activation: ActivationOption = None,
    law: LawOption = None,
    strength: Strength = None,
    horizon: Horizon = None,
    step_size: StepSize = None,
    batch_size: BatchSize = None,
    records: Records = None,
    runs: Annotated[
        int | None, option(NUMERICS, metavar="RUNS", help="Networks trained at the width, and at half of it.")
    ] = None,
    particles: Particles = None,
    settings: Settings = None,
    out: Out = None,
    as_json: Json = False,
    workers: Processes = None,
    dask: Dask = None,
    resume: Resume = False,
    quiet: Quiet = False,
    seed: SeedOption = None,
) -> None:
    """Find the smallest width whose risk stays within a tolerance of infinite width, and train networks to check it."""
    from isthmus.studies.prediction import refuse_unpredictable
    from isthmus.studies.width import WidthStudy
    from isthmus.studies.width_search import find_width

    question, running = study_of(context, WidthStudy), Running.of(context)
    problem = question.problem  # so that what is wrong with the data or the law is said before a folder is made
    refuse_unpredictable("study", problem)
    tell_data(question, running.quiet, problem.data)
    run_study(question, find_width, running, tell=_print_widths)


def _print_widths(result: WidthResult) -> None:
    from isthmus.studies.statistics import CONFIDENCE

    def row(one: Checked) -> list[str]:
        bounds = interval(one.quantile.lower, one.quantile.upper) if one.quantile.has_interval else "too few runs"
        share = f"{one.inside:,} of {one.runs:,}"
        return [f"{one.width:,}", share, number(one.quantile.value), bounds, number(one.predicted_quantile)]

    title = f"{result.asked_share} quantile of the sup-gap max |R_N(t) − R(t)|"
    headings = ("width", "within the tolerance", "sup-gap", f"{percent(CONFIDENCE)} CI", "predicted")
    print_table(title, headings, [row(result.half), row(result.recommended)])
