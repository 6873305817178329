"""The command about how wide is wide enough: width."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from isthmus.cli.app import app
from isthmus.cli.options import (
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
    with_data_options,
)
from isthmus.cli.output import print_lines, tell_data, with_progress
from isthmus.cli.values import study_values


@app.command()
@with_data_options
def width(
    context: typer.Context,
    study: StudyArgument = None,
    example: Example = False,
    tolerance: Annotated[
        float | None, typer.Option(help="How far the risk may be from that of infinite width.")
    ] = None,
    confidence: Confidence = None,
    latent_dim: LatentDim = None,
    activation: ActivationOption = None,
    horizon: Horizon = None,
    step_size: Annotated[float | None, typer.Option(help="Step size of SGD; 0, the default, is gradient flow.")] = None,
    batch_size: BatchSize = None,
    runs: Annotated[int | None, typer.Option(help="Networks that are trained to check the answer.")] = None,
    settings: Settings = None,
    as_json: Json = False,
    workers: Workers = None,
    quiet: Quiet = False,
    seed: SeedOption = None,
) -> None:
    """Recommend the smallest width that keeps to the infinite one, and train networks to check it."""
    from isthmus.dynamics.parallel import number_of_workers
    from isthmus.studies.width import WidthStudy, recommend_width

    if example:
        print(WidthStudy.example_toml(), end="")
        return
    values = study_values(context)
    if tolerance is not None:
        values["tolerance"] = tolerance
    question = WidthStudy(**values)
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
        print_lines(found.verdicts(), {})
