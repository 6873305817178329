"""The commands about the learning dynamics: demo, track."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import typer

from isthmus._words import interval, number, percent, setting
from isthmus.cli.commands import study_command
from isthmus.cli.options import (
    ActivationOption,
    BatchSize,
    Confidence,
    Dask,
    Example,
    FlowRuns,
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
    Runs,
    SamplingOption,
    SeedOption,
    Settings,
    StepSizes,
    Strength,
    StudyArgument,
    Widths,
)
from isthmus.cli.output import Running, print_table, run_study, tell_data
from isthmus.cli.values import quickened, study_of

if TYPE_CHECKING:
    from isthmus.studies.tracking import TrackingStudy
    from isthmus.studies.tracking_result import TrackingResult


@study_command(
    "isthmus.studies.tracking:TrackingStudy",
    doing="training networks of three widths on handwritten digits, beside their infinite-width limit.",
    example="isthmus demo --out first-look",
)
def demo(
    context: typer.Context,
    out: Out = None,
    as_json: Json = False,
    workers: Processes = None,
    dask: Dask = None,
    resume: Resume = False,
    quiet: Quiet = False,
    seed: SeedOption = None,
) -> None:
    """See the theorem at work: networks of three widths approach their infinite-width limit, in about a minute."""
    from isthmus.studies.demonstration import DEMO
    from isthmus.studies.tracking import TrackingStudy

    values: dict[str, Any] = DEMO if seed is None else DEMO | {"seed": seed}
    study = TrackingStudy(**values)
    _run_tracking(quickened(context, study), Running.of(context))


@study_command(
    "isthmus.studies.tracking:TrackingStudy",
    doing="comparing networks trained by SGD with their infinite-width limit.",
    example="isthmus track --data wine --widths 64,256,1024 --step-sizes 0.1 --quick",
)
def track(
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
    runs: Runs = None,
    flow_runs: FlowRuns = None,
    confidence: Confidence = None,
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
    """Measure how closely networks trained by SGD follow the mean-field limit, over widths, step sizes and seeds."""
    from isthmus.studies.tracking import TrackingStudy

    _run_tracking(study_of(context, TrackingStudy), Running.of(context))


def _run_tracking(study: TrackingStudy, running: Running) -> None:
    from isthmus.studies.tracking_result import track as run

    problem = study.problem  # so that what is wrong with the data or the law is said before a folder is made
    tell_data(study, running.quiet, problem.data)
    run_study(study, run, running, tell=_print_gaps)


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
