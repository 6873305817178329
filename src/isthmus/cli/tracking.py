"""The commands about the learning dynamics: demo, track, predict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.app import app
from isthmus.cli.options import (
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
    Workers,
    with_data_options,
)
from isthmus.cli.output import Running, print_lines, print_table, run_study, tell_data, with_progress
from isthmus.cli.values import study_values

if TYPE_CHECKING:
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


@app.command()
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
    """Track autoencoders of three widths on scikit-learn's digits: a minute or two on two cores."""
    values = DEMO if seed is None else DEMO | {"seed": seed}
    _run_study(values, Running.of(context))


@app.command()
@with_data_options
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
    runs: Annotated[int | None, typer.Option(help="Runs for each width and step size.")] = None,
    flow_runs: Annotated[int | None, typer.Option(help="How many of them are also followed at step size 0.")] = None,
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
    if example:
        from isthmus.studies.tracking import TrackingStudy

        print(TrackingStudy.example_toml(), end="")
        return
    _run_study(study_values(context), Running.of(context))


@app.command()
@with_data_options
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
        float | None, typer.Option(help="Also say how wide a network keeps its sup-gap within this tolerance.")
    ] = None,
    settings: Settings = None,
    out: Out = None,
    as_json: Json = False,
    workers: Workers = None,
    quiet: Quiet = False,
    seed: SeedOption = None,
) -> None:
    """Predict the law of finite networks from one mean-field solve, without training any of them."""
    _run_prediction(study_values(context), tolerance, out or Path("isthmus-predict"), as_json, workers, quiet)


def _run_study(values: dict[str, Any], running: Running) -> None:
    from isthmus.show.plots import figures
    from isthmus.show.tracking_report import write_report
    from isthmus.studies.tracking import TrackingStudy
    from isthmus.studies.tracking_result import track as run

    study = TrackingStudy(**values)
    problem = study.problem  # so that what is wrong with the data or the law is said before a folder is made
    tell_data(study, running.quiet, problem.data)
    run_study(study, run, figures, write_report, running, tell=_print_gaps)


def _print_gaps(result: TrackingResult) -> None:
    study = result.study

    def cell(width: int, step_size: float) -> str:
        where = {"level": study.confidence, "width": width}
        if step_size == 0:
            return str(result.estimate("flow_gap_quantile", **where))
        return str(result.estimate("gap_quantile", step_size=step_size, **where))

    title = f"{100 * study.confidence:g} % quantile of the sup-gap max |R_N(t) − R(t)|, with 95 % interval"
    print_table(study, title, cell)


def _run_prediction(
    values: dict[str, Any], tolerance: float | None, folder: Path, as_json: bool, workers: int | None, quiet: bool
) -> None:
    from isthmus import _checks
    from isthmus.dynamics.parallel import number_of_workers
    from isthmus.show.plots import save_figures
    from isthmus.show.prediction_plots import predicted_curves, prediction_figures
    from isthmus.studies.prediction import predict as run
    from isthmus.studies.prediction import refuse_unpredictable
    from isthmus.studies.store import claim_folder, save_prediction
    from isthmus.studies.tracking import TrackingStudy

    study = TrackingStudy(**values)
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
    cell = lambda width, step_size: f"{result.quantile(width, step_size):.3g}"  # noqa: E731
    print_table(study, f"Predicted {100 * study.confidence:g} % quantile of the sup-gap max |R_N(t) − R(t)|", cell)
    wide = [
        f"For a sup-gap within {tolerance:g} with {100 * study.confidence:g} % confidence at step size "
        f"{answer['step_size']:g}: " + (f"N={answer['width']}." if answer["width"] else f"{answer['why']}.")
        for answer in answers
    ]
    print_lines([*result.verdicts(), *wide], {"Numbers": folder / "prediction.nc", "Figures": folder / "figures"})
