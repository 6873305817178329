"""What commands show: progress on standard error, tables and sentences on standard output."""

from __future__ import annotations

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
    with Progress(*columns, console=Console(stderr=True)) as bars:
        stages: dict[str, Any] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(stage, total=total)
            bars.update(stages[stage], completed=done)

        return task(progress)


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
