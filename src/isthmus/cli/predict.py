"""The command about networks that need no training: predict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from isthmus._words import number, setting
from isthmus.cli.commands import study_command
from isthmus.cli.options import (
    TRAINING,
    ActivationOption,
    BatchSize,
    Confidence,
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
    SamplingOption,
    SeedOption,
    Settings,
    StepSizes,
    Strength,
    StudyArgument,
    Widths,
    option,
)
from isthmus.cli.output import Running, print_table, run_study, tell_data
from isthmus.cli.values import study_of

if TYPE_CHECKING:
    from isthmus.studies.prediction_result import PredictionResult


@study_command(
    "isthmus.studies.prediction_study:PredictionStudy",
    doing="predicting how far finite networks stray from their infinite-width limit, without training any.",
    example="isthmus predict --data wine --widths 64,256 --tolerance 0.01 --quick",
)
def predict(
    context: typer.Context,
    study: StudyArgument = None,
    example: Example = False,
    latent_dim: LatentDim = None,
    activation: ActivationOption = None,
    law: LawOption = None,
    strength: Strength = None,
    widths: Widths = None,
    step_sizes: StepSizes = None,
    batch_size: BatchSize = None,
    sampling: SamplingOption = None,
    horizon: Horizon = None,
    records: Records = None,
    confidence: Confidence = None,
    particles: Particles = None,
    tolerance: Annotated[
        float | None,
        option(TRAINING, metavar="RISK", help="Also say how wide networks keep their sup-gap within this, as in 0.01."),
    ] = None,
    settings: Settings = None,
    out: Out = None,
    as_json: Json = False,
    workers: Processes = None,
    dask: Dask = None,
    resume: Resume = False,
    quiet: Quiet = False,
    seed: SeedOption = None,
) -> None:
    """Predict the risk curves of finite networks from one mean-field solve, without training any of them."""
    from isthmus.studies.prediction import refuse_unpredictable
    from isthmus.studies.prediction_result import predict as run
    from isthmus.studies.prediction_study import PredictionStudy

    question, running = study_of(context, PredictionStudy), Running.of(context)
    problem = question.problem  # so that what is wrong with the data or the law is said before a folder is made
    refuse_unpredictable("study", problem)
    tell_data(question, running.quiet, problem.data)
    run_study(question, run, running, tell=_print_gaps)


def _print_gaps(result: PredictionResult) -> None:
    study = result.study
    rows = (
        [f"{width:,}", setting(step_size) if step_size else "gradient flow", number(result.quantile(width, step_size))]
        for width in study.widths
        for step_size, _ in study.dynamics
    )
    title = f"Predicted {result.asked_share} quantile of the sup-gap max |R_N(t) − R(t)|"
    print_table(title, ("width", "step size", "sup-gap"), rows)
