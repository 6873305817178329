"""The command about how wide the bottleneck should be: bottleneck."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.app import app
from isthmus.cli.options import (
    ActivationOption,
    Dask,
    Example,
    Horizon,
    Json,
    Out,
    Processes,
    Quiet,
    Resume,
    SeedOption,
    Settings,
    StudyArgument,
    WeightDecay,
    with_data_options,
)
from isthmus.cli.output import Running, run_study, tell_data
from isthmus.cli.values import study_values

if TYPE_CHECKING:
    from isthmus.studies.bottleneck_result import BottleneckResult


@app.command()
@with_data_options
def bottleneck(
    context: typer.Context,
    study: StudyArgument = None,
    example: Example = False,
    max_latent_dim: Annotated[int | None, typer.Option(help="The largest dimension k of the bottleneck.")] = None,
    activation: ActivationOption = None,
    method: Annotated[
        str | None, typer.Option(help="horizon (the mean field at a time) or optimum (over measures).")
    ] = None,
    horizon: Horizon = None,
    weight_decay: WeightDecay = None,
    splits: Annotated[int | None, typer.Option(help="Random splits into points to train on and held out.")] = None,
    settings: Settings = None,
    out: Out = None,
    as_json: Json = False,
    workers: Processes = None,
    dask: Dask = None,
    resume: Resume = False,
    quiet: Quiet = False,
    seed: SeedOption = None,
) -> None:
    """Solve bottlenecks of every dimension on random splits of the data, and suggest one of them."""
    from isthmus.show.bottleneck_plots import bottleneck_figures
    from isthmus.show.bottleneck_report import write_report
    from isthmus.studies.bottleneck import BottleneckStudy
    from isthmus.studies.bottleneck_result import bottleneck_curve

    if example:
        print(BottleneckStudy.example_toml(), end="")
        return
    question = BottleneckStudy(**study_values(context))
    _ = question.problems  # so that what is wrong with data or law is said before a folder is made
    tell_data(question, quiet, question.raw)
    run_study(question, bottleneck_curve, bottleneck_figures, write_report, Running.of(context), tell=_print_curve)


def _print_curve(result: BottleneckResult) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Mean risk ½E‖x − x̂‖² over splits; held out with its 95 % interval")
    for name in ("k", "held out", "in training", "PCA, held out", "PCA, in training"):
        table.add_column(name, justify="right")
    for k in result.study.latent_dims:
        others = ("training_risk", "pca_held_out_risk", "pca_training_risk")
        cells = (f"{result.estimate(name, k).value:.3g}" for name in others)
        table.add_row(str(k), str(result.estimate("held_out_risk", k)), *cells)
    Console().print(table)
