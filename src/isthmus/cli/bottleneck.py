"""The command about how wide the bottleneck should be: bottleneck."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from isthmus._words import interval, number
from isthmus.cli.commands import study_command
from isthmus.cli.options import (
    NUMERICS,
    TRAINING,
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
    option,
)
from isthmus.cli.output import Running, print_table, run_study, tell_data
from isthmus.cli.values import study_of

if TYPE_CHECKING:
    from isthmus.studies.bottleneck_result import BottleneckResult


@study_command(
    "isthmus.studies.bottleneck:BottleneckStudy",
    doing="solving bottlenecks of every dimension on random splits of the data.",
    example="isthmus bottleneck --data wine --max-latent-dim 4 --quick",
)
def bottleneck(
    context: typer.Context,
    study: StudyArgument = None,
    example: Example = False,
    max_latent_dim: Annotated[int | None, option(NUMERICS, help="The largest dimension k of the bottleneck.")] = None,
    activation: ActivationOption = None,
    method: Annotated[
        str | None, option(NUMERICS, help="horizon (the mean field at a time) or optimum (over measures).")
    ] = None,
    horizon: Horizon = None,
    max_horizon: Annotated[
        float | None,
        option(
            TRAINING,
            metavar="TIME",
            help="Go on up to this time while the validation risk falls.",
            show_default="4 × horizon",
        ),
    ] = None,
    stop: Annotated[
        str | None, option(TRAINING, metavar="NAME", help="validation (where that risk is lowest) or horizon.")
    ] = None,
    weight_decay: WeightDecay = None,
    splits: Annotated[int | None, option(NUMERICS, help="Random splits into points to train on and held out.")] = None,
    settings: Settings = None,
    out: Out = None,
    as_json: Json = False,
    workers: Processes = None,
    dask: Dask = None,
    resume: Resume = False,
    quiet: Quiet = False,
    seed: SeedOption = None,
) -> None:
    """Find how wide the bottleneck should be, and whether a network is better than PCA on points held out."""
    from isthmus.studies.bottleneck import BottleneckStudy
    from isthmus.studies.bottleneck_result import bottleneck_curve

    question = study_of(context, BottleneckStudy)
    _ = question.problems  # so that what is wrong with data or law is said before a folder is made
    tell_data(question, quiet, question.raw)
    run_study(question, bottleneck_curve, Running.of(context), tell=_print_curve)


def _print_curve(result: BottleneckResult) -> None:
    others = ("training_risk", "pca_held_out_risk", "pca_training_risk")

    def row(k: int) -> list[str]:
        held_out = result.estimate("held_out_risk", k)
        means = [number(result.estimate(name, k).value) for name in others]
        return [str(k), number(held_out.value), interval(held_out.lower, held_out.upper), *means]

    headings = ("k", "held out", "95 % CI", "training", "PCA held out", "PCA training")
    print_table("Mean risk ½E‖x − x̂‖² over splits", headings, map(row, result.study.latent_dims))
