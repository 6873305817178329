"""The command about how wide is wide enough: width."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from isthmus.cli.commands import study_command
from isthmus.cli.options import (
    NUMERICS,
    ActivationOption,
    BatchSize,
    Confidence,
    Example,
    Horizon,
    Json,
    LatentDim,
    Quiet,
    SeedOption,
    Settings,
    StudyArgument,
    Workers,
    option,
)
from isthmus.cli.output import tell_data
from isthmus.cli.progress import with_progress
from isthmus.cli.values import study_of


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
        float | None, option(NUMERICS, help="How far the risk may be from that of infinite width.")
    ] = None,
    confidence: Confidence = None,
    latent_dim: LatentDim = None,
    activation: ActivationOption = None,
    horizon: Horizon = None,
    step_size: Annotated[
        float | None, option(NUMERICS, help="Step size of SGD; 0, the default, is gradient flow.")
    ] = None,
    batch_size: BatchSize = None,
    runs: Annotated[int | None, option(NUMERICS, help="Networks that are trained to check the answer.")] = None,
    settings: Settings = None,
    as_json: Json = False,
    workers: Workers = None,
    quiet: Quiet = False,
    seed: SeedOption = None,
) -> None:
    """Recommend the smallest width that keeps to the infinite one, and train networks to check it."""
    from isthmus.dynamics.parallel import number_of_workers
    from isthmus.studies.width import WidthStudy, recommend_width

    question = study_of(context, WidthStudy)
    names = ("tolerance", "confidence", "horizon", "step_size", "batch_size", "records", "runs", "particles", "seed")
    options = {name: getattr(question, name) for name in names}
    problem, workers = question.build(), number_of_workers(workers)
    tell_data(question, quiet, problem.data)
    found = with_progress(
        lambda progress: recommend_width(problem, **options, workers=workers, progress=progress), quiet
    )
    if as_json:
        print(json.dumps(found.summary(), allow_nan=False))
    else:
        for verdict in found.verdicts():
            print(f"• {verdict}")
