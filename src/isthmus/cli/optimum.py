"""The command about what infinitely wide and finite networks can do: optimum."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import app
from isthmus.cli.options import (
    ActivationOption,
    DataOption,
    Example,
    Json,
    LatentDim,
    MaxPoints,
    Out,
    Quiet,
    SeedOption,
    Settings,
    StudyArgument,
    WeightDecay,
    Widths,
    Workers,
)
from isthmus.cli.output import print_lines, with_progress
from isthmus.cli.values import study_values


@app.command()
def optimum(
    context: typer.Context,
    study: StudyArgument = None,
    example: Example = False,
    data: DataOption = None,
    max_points: MaxPoints = None,
    latent_dim: LatentDim = None,
    activation: ActivationOption = None,
    weight_decay: WeightDecay = None,
    radius: Annotated[float | None, typer.Option(help="Keep neurons in a ball of this radius.")] = None,
    widths: Widths = None,
    settings: Settings = None,
    out: Out = None,
    as_json: Json = False,
    workers: Workers = None,
    quiet: Quiet = False,
    seed: SeedOption = None,
) -> None:
    """Find the best infinitely wide autoencoder, certify it, and say how close networks of each width come."""
    from isthmus.dynamics.parallel import number_of_workers
    from isthmus.show.expressivity_plots import expressivity_figures
    from isthmus.show.expressivity_report import write_report
    from isthmus.show.plots import save_figures
    from isthmus.studies.expressivity import ExpressivityStudy, expressivity_curve
    from isthmus.studies.store import claim_folder, save_result

    if example:
        print(ExpressivityStudy.example_toml(), end="")
        return
    question = ExpressivityStudy(**study_values(context))
    _ = question.problem  # so that what is wrong with it is said before a folder is made
    workers, folder = number_of_workers(workers), out or Path("isthmus-optimum")
    claim_folder(folder, question)
    result = with_progress(lambda progress: expressivity_curve(question, workers=workers, progress=progress), quiet)
    save_result(folder, result)
    drawn = expressivity_figures(result)
    save_figures(drawn, folder / "figures")
    write_report(result, drawn, folder / "report.html")
    if as_json:
        print(json.dumps(result.summary() | {"folder": str(folder)}, allow_nan=False))
        return
    places = {"Report": folder / "report.html", "Numbers": folder / "results.nc"}
    print_lines(result.verdicts(), places)
