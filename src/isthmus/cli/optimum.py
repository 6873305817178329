"""The command about what infinitely wide and finite networks can do: optimum."""

from __future__ import annotations

from typing import Annotated

import typer

from isthmus.cli.app import app
from isthmus.cli.options import (
    ActivationOption,
    Dask,
    Example,
    Json,
    LatentDim,
    Out,
    Processes,
    Quiet,
    Resume,
    SeedOption,
    Settings,
    StudyArgument,
    WeightDecay,
    Widths,
    with_data_options,
)
from isthmus.cli.output import Running, run_study, tell_data
from isthmus.cli.values import study_values


@app.command()
@with_data_options
def optimum(
    context: typer.Context,
    study: StudyArgument = None,
    example: Example = False,
    latent_dim: LatentDim = None,
    activation: ActivationOption = None,
    weight_decay: WeightDecay = None,
    radius: Annotated[float | None, typer.Option(help="Keep neurons in a ball of this radius.")] = None,
    widths: Widths = None,
    settings: Settings = None,
    out: Out = None,
    as_json: Json = False,
    workers: Processes = None,
    dask: Dask = None,
    resume: Resume = False,
    quiet: Quiet = False,
    seed: SeedOption = None,
) -> None:
    """Find the best infinitely wide autoencoder, certify it, and say how close networks of each width come."""
    from isthmus.show.expressivity_plots import expressivity_figures
    from isthmus.show.expressivity_report import write_report
    from isthmus.studies.expressivity import ExpressivityStudy
    from isthmus.studies.expressivity_result import expressivity_curve

    if example:
        print(ExpressivityStudy.example_toml(), end="")
        return
    question = ExpressivityStudy(**study_values(context))
    tell_data(question, quiet, question.problem.data)  # what is wrong with it is said before a folder is made
    run_study(question, expressivity_curve, expressivity_figures, write_report, Running.of(context))
