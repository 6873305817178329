"""What commands show and leave: progress on standard error, tables and sentences on standard output, and a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        bars.update(stages[stage], completed=done)

    try:
        return task(progress)
    finally:
        if stages:
            bars.stop()


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


def run_study(
    study: Any,
    run: Callable[..., Any],
    draw: Callable[[Any], Any],
    report: Callable[[Any, Any, Path], object],
    folder: Path,
    *,
    as_json: bool,
    workers: int | None,
    quiet: bool,
    tell: Callable[[Any], None] | None = None,
) -> None:
    """Run a study, leave its results, figures and report in a folder, and print what was found.

    Args:
        study: what to run.
        run: called as ``run(study, workers=workers, progress=progress)``.
        draw: returns the figures of a result by name.
        report: called as ``report(result, figures, path)``.
        folder: claimed first, and refused where something else lives there.
        as_json: print the summary as one line of JSON instead of sentences.
        workers: threads, None for one for each processor.
        quiet: no progress bars.
        tell: prints what comes before the sentences.

    """
    from isthmus.dynamics.parallel import number_of_workers
    from isthmus.show.plots import save_figures
    from isthmus.studies.store import claim_folder, save_result

    workers = number_of_workers(workers)
    claim_folder(folder, study)
    result = with_progress(lambda progress: run(study, workers=workers, progress=progress), quiet)
    save_result(folder, result)
    drawn = draw(result)
    save_figures(drawn, folder / "figures")
    report(result, drawn, folder / "report.html")
    if as_json:
        print(json.dumps(result.summary() | {"folder": str(folder)}, allow_nan=False))
        return
    if tell is not None:
        tell(result)
    print_lines(result.verdicts(), {"Report": folder / "report.html", "Numbers": folder / "results.nc"})
