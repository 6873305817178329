"""The commands about the learning dynamics: demo, track, predict."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus._words import interval, number, percent, setting
from isthmus.cli.commands import study_command
from isthmus.cli.options import (
    NUMERICS,
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
    Workers,
    option,
)
from isthmus.cli.output import Running, print_places, print_table, run_study, tell_data
from isthmus.cli.progress import with_progress
from isthmus.cli.values import quickened, study_of

if TYPE_CHECKING:
    from isthmus.studies.tracking import TrackingStudy
    from isthmus.studies.tracking_result import TrackingResult

DEMO: dict[str, Any] = {
    "data": {"source": "digits", "max_points": 200},
    "law": {"kind": "aligned", "latent_dim": 2},
    "widths": [64, 256, 1024],
    "step_sizes": [0.2, 0.05],
    "batch_size": 8,
    "horizon": 80.0,
    "runs": 16,
    "flow_runs": 8,
    "particles": 512,
    "rtol": 1e-4,
    "records": 20,
    "law_particles": 128,
    "law_samples": 8,
}
"""The study of ``isthmus demo``: large enough to mean something, small enough for a minute or two on two cores."""


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
    """See the theorem at work: networks of three widths approach their infinite-width limit, in under a minute."""
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


@study_command(
    "isthmus.studies.tracking:TrackingStudy",
    doing="predicting the law of finite networks, without training any.",
    example="isthmus predict --data wine --widths 64,256 --tolerance 0.01 --quick",
)
def predict(
    context: typer.Context,
    study: StudyArgument = None,
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
        float | None, option(NUMERICS, help="Also say how wide a network keeps its sup-gap within this tolerance.")
    ] = None,
    settings: Settings = None,
    out: Out = None,
    as_json: Json = False,
    workers: Workers = None,
    quiet: Quiet = False,
    seed: SeedOption = None,
) -> None:
    """Predict the law of finite networks from one mean-field solve, without training any of them."""
    from isthmus.studies.tracking import TrackingStudy

    _run_prediction(
        study_of(context, TrackingStudy), tolerance, out or Path("isthmus-predict"), as_json, workers, quiet
    )


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


def _run_prediction(
    study: TrackingStudy, tolerance: float | None, folder: Path, as_json: bool, workers: int | None, quiet: bool
) -> None:
    from isthmus import _checks
    from isthmus.dynamics.parallel import number_of_workers
    from isthmus.show.plots import save_figures
    from isthmus.show.prediction_plots import predicted_curves, prediction_figures
    from isthmus.studies.prediction import predict as run
    from isthmus.studies.prediction import refuse_unpredictable
    from isthmus.studies.store import claim_folder, save_prediction

    refuse_unpredictable(study)
    tell_data(study, quiet, study.problem.data)
    if tolerance is not None:
        tolerance = _checks.real("tolerance", tolerance, above=0)
    workers = number_of_workers(workers)
    claim_folder(folder, study)
    result = with_progress(lambda progress: run(study, workers=workers, progress=progress), quiet)
    save_prediction(folder, result)
    save_figures({"predicted_curves": predicted_curves(result)} | prediction_figures(result), folder / "figures")
    answers = [] if tolerance is None else result.widths_for(tolerance)
    if as_json:
        print(json.dumps(result.summary() | {"widths_for": answers, "folder": str(folder)}, allow_nan=False))
        return
    rows = (
        [str(width), setting(step_size) if step_size else "gradient flow", number(result.quantile(width, step_size))]
        for width in study.widths
        for step_size in (0.0, *study.step_sizes)
    )
    title = f"Predicted {percent(study.confidence)} quantile of the sup-gap max |R_N(t) − R(t)|"
    print_table(title, ("width", "step size", "sup-gap"), rows)
    wide = [
        f"For a sup-gap within {tolerance:g} with {100 * study.confidence:g} % confidence at step size "
        f"{answer['step_size']:g}: " + (f"N={answer['width']}." if answer["width"] else f"{answer['why']}.")
        for answer in answers
    ]
    for sentence in [*result.verdicts(), *wide]:
        print(f"• {sentence}")
    print_places({"Numbers": folder / "prediction.nc", "Figures": folder / "figures"})
