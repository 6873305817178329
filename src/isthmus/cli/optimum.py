"""The command about what infinitely wide and finite networks can do: optimum."""

from __future__ import annotations

from typing import Annotated

import typer

from isthmus.cli.commands import study_command
from isthmus.cli.options import (
    NUMERICS,
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
    option,
)
from isthmus.cli.output import Running, run_study, tell_data
from isthmus.cli.values import study_of


@study_command(
    "isthmus.studies.expressivity:ExpressivityStudy",
    doing="finding the best infinitely wide autoencoder, and how close finite ones come.",
    example="isthmus optimum --data wine --latent-dim 2 --weight-decay 0.003 --quick",
)
def optimum(
    context: typer.Context,
    study: StudyArgument = None,
    example: Example = False,
    latent_dim: LatentDim = None,
    activation: ActivationOption = None,
    weight_decay: WeightDecay = None,
    radius: Annotated[float | None, option(NUMERICS, help="Keep neurons in a ball of this radius.")] = None,
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
    from isthmus.studies.expressivity import ExpressivityStudy
    from isthmus.studies.expressivity_result import expressivity_curve

    question = study_of(context, ExpressivityStudy)
    tell_data(question, quiet, question.problem.data)  # what is wrong with it is said before a folder is made
    run_study(question, expressivity_curve, Running.of(context))
