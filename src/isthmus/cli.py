"""The command line: parse, call, print; no mathematics.

Heavy imports wait inside the commands, so that ``--version`` and ``--help`` answer at once.
"""

from __future__ import annotations

import json
import sys
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus._errors import ArgumentError, IsthmusError, StudyFileError
from isthmus._version import __version__

if TYPE_CHECKING:
    from isthmus.studies.tracking import TrackingStudy
    from isthmus.studies.tracking_result import TrackingResult

_UsageError: Any = typer.BadParameter.__mro__[1]  # public under no name of Typer's own

app = typer.Typer(
    name="isthmus",
    help="Mean-field learning dynamics of wide bottleneck autoencoders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
"""The study of ``isthmus demo``: large enough to mean something, small enough for a minute on two cores."""

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Folder for the results; it must be new, empty, or hold the same study.",
        show_default="isthmus-COMMAND",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else there.")]
Workers = Annotated[int | None, typer.Option(help="Threads; one for each processor by default.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
StudyArgument = Annotated[
    Path | None, typer.Argument(help="A study file (TOML). A flag overrides what it says.", show_default=False)
]
DataOption = Annotated[
    str | None, typer.Option(help="digits, breast_cancer, wine, mnist, manifold, gaussian, or a .npy or .csv file.")
]
MaxPoints = Annotated[int | None, typer.Option(help="Keep a random subset of the data.")]
LatentDim = Annotated[int | None, typer.Option(help="Dimension k of the bottleneck.")]
ActivationOption = Annotated[str | None, typer.Option(help="One name, or encoder,decoder.")]
LawOption = Annotated[str | None, typer.Option(help="aligned or independent.")]
Strength = Annotated[float | None, typer.Option(help="Aligned law: fraction of the PCA reconstruction at time 0.")]
Widths = Annotated[str | None, typer.Option(help="Widths, as in 64,256,1024.")]
StepSizes = Annotated[str | None, typer.Option(help="Step sizes, as in 0.1,0.05.")]
BatchSize = Annotated[int | None, typer.Option(help="Points in a minibatch.")]
SamplingOption = Annotated[str | None, typer.Option(help="with_replacement, without_replacement or one_pass.")]
Horizon = Annotated[float | None, typer.Option(help="Last time; t = step size × steps.")]
Records = Annotated[int | None, typer.Option(help="How many times after 0 the risk is recorded at.")]
Confidence = Annotated[float | None, typer.Option(help="The quantile of the sup-gap to report.")]
Particles = Annotated[int | None, typer.Option(help="Mean field: particles a side (a power of 2).")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any key of a study file, as in --set data.noise=0.1; may be repeated."),
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Seed of initial neurons, batches and scramblings.")]


def main() -> None:
    """Run the command line; an error of ours becomes one line on standard error and exit code 2."""
    warnings.showwarning = _show_warning
    try:
        code = app(standalone_mode=False)
        if code == 130:  # how Typer passes on an interrupt
            _stop("Interrupted; no results were written.", code)
        sys.exit(code)
    except _UsageError as error:
        message = " ".join(error.format_message().split())
        if not message:  # no arguments at all: the help has been printed
            sys.exit(error.exit_code)
        _stop(f"Error: {message.rstrip('.')}; see --help.", code=2)
    except IsthmusError as error:
        _stop(f"Error: {error}", code=2)
    except (KeyboardInterrupt, typer.Abort):
        _stop("Interrupted; no results were written.", code=130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


def _stop(message: str, code: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    print(
        f"{'Warning' if category.__module__.startswith('isthmus') else category.__name__}: {message}", file=sys.stderr
    )


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"isthmus {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    out: Out = None, as_json: Json = False, workers: Workers = None, quiet: Quiet = False, seed: SeedOption = None
) -> None:
    """Track autoencoders of three widths on scikit-learn's digits: about a minute on two cores."""
    values = DEMO if seed is None else DEMO | {"seed": seed}
    _run_study(values, out or Path("isthmus-demo"), as_json, workers, quiet)


@app.command()
def track(
    context: typer.Context,
    study: StudyArgument = None,
    example: Annotated[bool, typer.Option("--example", help="Print a study file with every key, and stop.")] = False,
    data: DataOption = None,
    max_points: MaxPoints = None,
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
    workers: Workers = None,
    quiet: Quiet = False,
    seed: SeedOption = None,
) -> None:
    """Measure how closely networks trained by SGD follow the mean-field limit, over widths, step sizes and seeds."""
    if example:
        from isthmus.studies.tracking import example_toml

        print(example_toml(), end="")
        return
    _run_study(_study_values(context), out or Path("isthmus-track"), as_json, workers, quiet)


@app.command()
def predict(
    context: typer.Context,
    study: StudyArgument = None,
    data: DataOption = None,
    max_points: MaxPoints = None,
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
    _run_prediction(_study_values(context), tolerance, out or Path("isthmus-predict"), as_json, workers, quiet)


def _study_values(context: typer.Context) -> dict[str, Any]:
    """Return what the study file says, overridden by a command's flags, read by name, and by ``--set``."""
    given = context.params
    flags = {key: given[flag] for flag, key in STUDY_KEYS.items() if given.get(flag) is not None}
    for name, parse in PARSED.items():
        if name in flags:
            flags[name] = parse(flags[name])
    values = _read_study(given["study"]) if given["study"] is not None else {}
    for key, value in (flags | _assignments(given["settings"] or [])).items():
        _assign(values, key, value)
    return values


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
    if tolerance is not None:
        tolerance = _checks.real("tolerance", tolerance, above=0)
    workers = number_of_workers(workers)
    claim_folder(folder, study)
    result = _with_progress(lambda progress: run(study, workers=workers, progress=progress), quiet)
    save_prediction(folder, result)
    save_figures({"predicted_curves": predicted_curves(result)} | prediction_figures(result), folder / "figures")
    answers = [] if tolerance is None else result.widths_for(tolerance)
    if as_json:
        print(json.dumps(result.summary() | {"widths_for": answers, "folder": str(folder)}, allow_nan=False))
        return
    cell = lambda width, step_size: f"{result.quantile(width, step_size):.3g}"  # noqa: E731
    _print_table(study, f"Predicted {100 * study.confidence:g} % quantile of the sup-gap max |R_N(t) − R(t)|", cell)
    wide = [
        f"For a sup-gap within {tolerance:g} with {100 * study.confidence:g} % confidence at step size "
        f"{answer['step_size']:g}: " + (f"N={answer['width']}." if answer["width"] else f"{answer['why']}.")
        for answer in answers
    ]
    _print_lines([*result.verdicts(), *wide], {"Numbers": folder / "prediction.nc", "Figures": folder / "figures"})


def _run_study(values: dict[str, Any], folder: Path, as_json: bool, workers: int | None, quiet: bool) -> None:
    from isthmus.dynamics.parallel import number_of_workers
    from isthmus.show.plots import figures, save_figures
    from isthmus.show.report import write_report
    from isthmus.studies.store import claim_folder, save_result
    from isthmus.studies.tracking import TrackingStudy
    from isthmus.studies.tracking_result import track as run

    study = TrackingStudy(**values)
    _ = study.problem  # so that what is wrong with the data or the law is said before a folder is made
    workers = number_of_workers(workers)
    claim_folder(folder, study)
    result = _with_progress(lambda progress: run(study, workers=workers, progress=progress), quiet)
    save_result(folder, result)
    drawn = figures(result)
    save_figures(drawn, folder / "figures")
    write_report(result, drawn, folder / "report.html")
    if as_json:
        print(json.dumps(result.summary() | {"folder": str(folder)}, allow_nan=False))
    else:
        _print_result(study, result, folder)


def _with_progress(task: Any, quiet: bool) -> Any:
    """Run ``task(progress)`` with one bar for each stage, on standard error."""
    if quiet:
        return task(None)
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<38}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        stages: dict[str, Any] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(stage, total=total)
            bars.update(stages[stage], completed=done)

        return task(progress)


def _print_result(study: TrackingStudy, result: TrackingResult, folder: Path) -> None:
    def cell(width: int, step_size: float) -> str:
        where = {"level": study.confidence, "width": width}
        if step_size == 0:
            return str(result.estimate("flow_gap_quantile", **where))
        return str(result.estimate("gap_quantile", step_size=step_size, **where))

    title = f"{100 * study.confidence:g} % quantile of the sup-gap max |R_N(t) − R(t)|, with 95 % interval"
    _print_table(study, title, cell)
    _print_lines(result.verdicts(), {"Report": folder / "report.html", "Numbers": folder / "results.nc"})


def _print_table(study: TrackingStudy, title: str, cell: Callable[[int, float], str]) -> None:
    """Print a cell for each width and step size, 0 included."""
    from rich.console import Console
    from rich.table import Table

    step_sizes = (0.0, *study.step_sizes)
    table = Table(title=title)
    table.add_column("width N", justify="right")
    for step_size in step_sizes:
        table.add_column(f"step size {step_size:g}", justify="right")
    for width in study.widths:
        table.add_row(str(width), *(cell(width, step_size) for step_size in step_sizes))
    Console().print(table)


def _print_lines(verdicts: list[str], places: dict[str, Path]) -> None:
    from rich.console import Console

    console = Console()
    for verdict in verdicts:
        console.print(f"• {verdict}", highlight=False, markup=False)
    console.print()
    for name, place in places.items():
        console.print(f"{name}: {place}", highlight=False, markup=False, soft_wrap=True)


def _read_study(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise StudyFileError(f"Study file '{path}' can't be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise StudyFileError(f"Study file '{path}' is not TOML: {error}.") from error


def _names(text: str) -> str | list[str]:
    return text.split(",") if "," in text else text


def _numbers(name: str, text: str, kind: type[int] | type[float]) -> list[int] | list[float]:
    try:
        return [kind(part) for part in text.split(",")]  # pyright: ignore[reportReturnType]
    except ValueError:
        numbers = "whole numbers" if kind is int else "numbers"
        raise ArgumentError(f"Argument '{name}' must be {numbers} with commas between, but it is {text!r}.") from None


SAME_KEYS = ("activation", "widths", "step_sizes", "batch_size", "sampling", "horizon", "records", "runs", "flow_runs")
STUDY_KEYS = {
    "data": "data.source",
    "max_points": "data.max_points",
    "latent_dim": "law.latent_dim",
    "law": "law.kind",
    "strength": "law.strength",
    **{name: name for name in (*SAME_KEYS, "confidence", "particles", "seed")},
}
"""The key of a study file that each flag stands for."""
PARSED: dict[str, Callable[[str], Any]] = {
    "activation": _names,
    "widths": lambda text: _numbers("widths", text, int),
    "step_sizes": lambda text: _numbers("step_sizes", text, float),
}
"""How flags with several values are read."""


def _assignments(settings: list[str]) -> dict[str, Any]:
    """Return the keys and TOML values of ``--set`` flags; what is no TOML value is taken as a string."""
    values: dict[str, Any] = {}
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator or not key:
            raise ArgumentError(f"Argument '--set' must be KEY=VALUE, but it is {setting!r}.")
        try:
            values[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            values[key] = text
    return values


def _assign(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key in nested tables."""
    *tables, last = key.split(".")
    for table in tables:
        inner = values.setdefault(table, {})
        if not isinstance(inner, dict):
            raise ArgumentError(f"Argument '{table}' must be a table, but it is {inner!r}.")
        values[table] = inner = dict(inner)
        values = inner
    values[last] = value
