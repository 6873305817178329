"""What commands show and leave: progress on standard error, tables and sentences on standard output, and a folder."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from isthmus.cli.app import Interrupted

if TYPE_CHECKING:
    from isthmus.studies.tracking import TrackingStudy


def with_progress(task: Any, quiet: bool) -> Any:
    """Run ``task(progress)`` with one bar for each stage, on standard error."""
    if quiet:
        return task(None)
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<38}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bars = Progress(*columns, console=Console(stderr=True))
    stages: dict[str, Any] = {}

    def progress(stage: str, done: int, total: int) -> None:
        if not stages:  # and not before, so that what is refused leaves one line alone
            bars.start()
        if stage not in stages:
            stages[stage] = bars.add_task(stage, total=total)
        bars.update(stages[stage], completed=done, total=total)

    try:
        return task(progress)
    finally:
        if stages:
            bars.stop()


def tell_data(study: Any, quiet: bool, data: Any) -> None:
    """Say on standard error what was read from a file, and what was assumed.

    Args:
        study: whose ``data`` are described in words.
        quiet: say nothing.
        data: what was read.

    """
    from isthmus.core.sources import is_file

    if quiet or not is_file(study.data.source):
        return
    said = f"{data.size:,} points in {data.dim:,} dimensions from {study.data.described}"
    print("Data: " + "; ".join([said, *data.notes]), file=sys.stderr)


def print_table(study: TrackingStudy, title: str, cell: Callable[[int, float], str]) -> None:
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


def print_lines(verdicts: list[str], places: dict[str, Path]) -> None:
    """Print sentences, and where things are."""
    from rich.console import Console

    console = Console()
    for verdict in verdicts:
        console.print(f"• {verdict}", highlight=False, markup=False)
    console.print()
    for name, place in places.items():
        console.print(f"{name}: {place}", highlight=False, markup=False, soft_wrap=True)


class Running(NamedTuple):
    """How a study is run, as the flags of its command say.

    Attributes:
        folder: where results go; claimed first, and refused where something else lives there.
        as_json: print the summary as one line of JSON instead of sentences.
        workers: processes; None for threads of this one.
        dask: address of a scheduler, on whose workers jobs run.
        resume: go on where an interrupted run ended.
        quiet: no progress bars.

    """

    folder: Path
    as_json: bool = False
    workers: int | None = None
    dask: str | None = None
    resume: bool = False
    quiet: bool = False

    @classmethod
    def of(cls, context: typer.Context) -> Running:
        """Return what the flags of a command say, read by name."""
        given = context.params
        folder = given["out"] or Path(f"isthmus-{context.command.name}")
        return cls(folder, *(given[name] for name in ("as_json", "workers", "dask", "resume", "quiet")))


def run_study(
    study: Any,
    run: Callable[..., Any],
    draw: Callable[[Any], Any],
    report: Callable[[Any, Any, Path], object],
    running: Running,
    tell: Callable[[Any], None] | None = None,
) -> None:
    """Run a study, leave its results, figures and report in a folder, and print what was found.

    Args:
        study: what to run.
        run: called as ``run(study, workers=…, executor=…, folder=…, resume=…, progress=…)``.
        draw: returns the figures of a result by name.
        report: called as ``report(result, figures, path)``.
        running: where and how.
        tell: prints what comes before the sentences.

    """
    from isthmus.show.plots import save_figures
    from isthmus.studies.executors import keep_compiled_programs
    from isthmus.studies.folder import finished_jobs

    keep_compiled_programs()
    folder = running.folder
    try:
        with _executor(running) as options:
            options |= {"folder": folder, "resume": running.resume}
            result = with_progress(lambda progress: run(study, **options, progress=progress), running.quiet)
    except KeyboardInterrupt:
        kept = finished_jobs(folder)
        raise Interrupted(
            f"Interrupted; {kept} finished jobs are kept in '{folder}': the same command with --resume goes on."
            if kept
            else "Interrupted; no results were written."
        ) from None
    drawn = draw(result)
    save_figures(drawn, folder / "figures")
    report(result, drawn, folder / "report.html")
    if running.as_json:
        print(json.dumps(result.summary() | {"folder": str(folder)}, allow_nan=False))
        return
    if tell is not None:
        tell(result)
    print_lines(result.verdicts(), {"Report": folder / "report.html", "Numbers": folder / "results.nc"})


@contextlib.contextmanager
def _executor(running: Running) -> Iterator[dict[str, Any]]:
    """Yield the arguments that say where the jobs of a study run."""
    from isthmus import _checks
    from isthmus.dynamics.parallel import number_of_workers
    from isthmus.studies.executors import dask_cluster, pool_of_processes

    workers = number_of_workers(running.workers)
    if running.dask is not None:
        if running.workers is not None:
            _checks.refuse("workers", "be left out with --dask", workers)
        with dask_cluster(running.dask) as (executor, jobs):
            yield {"executor": executor, "workers": jobs}
    elif running.workers is not None and workers > 1:
        with pool_of_processes(workers) as executor:
            yield {"executor": executor, "workers": workers}
    else:
        yield {"workers": workers}
