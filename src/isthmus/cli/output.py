"""What commands leave: the answer, findings and tables on standard output, and a folder with everything."""

from __future__ import annotations

import contextlib
import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from isthmus._words import counted
from isthmus.cli.app import Interrupted, say
from isthmus.cli.progress import with_progress

if TYPE_CHECKING:
    from isthmus.core.data import Data, Stream
    from isthmus.studies.result import StudyResult
    from isthmus.studies.study import Study


def describe_data(study: Study, quiet: bool, data: Data | Stream) -> None:
    """Say on standard error what was read from a file, and what was assumed.

    Args:
        study: whose ``data`` are described in words.
        quiet: say nothing.
        data: what was read.

    """
    from isthmus.core.data import Data
    from isthmus.core.sources import is_file

    if quiet or not isinstance(data, Data) or not is_file(study.data.source):
        return
    size = f"{data.size:,} points in {data.dim:,} dimensions from {study.data.described}"
    say("Data: " + "; ".join([size, *data.notes]))


def print_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table of cells that are words already, which no terminal of 80 columns wraps: numbers to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


def print_findings(result: StudyResult) -> None:
    """Print the answer of a study, then what else was found."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(textwrap.fill(result.answer(), console.width), style="bold")
    console.print()
    for verdict in result.verdicts():
        console.print(textwrap.fill(f"• {verdict}", console.width, initial_indent="  ", subsequent_indent="    "))
    console.print()


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
    def of(cls, command: str, given: Mapping[str, Any]) -> Running:
        """Return what the options ``given`` to a ``command`` say, by name."""
        folder = given["out"] or Path(f"isthmus-{command}")
        return cls(folder, *(given[name] for name in cls._fields[1:]))


def run_study(
    study: Study,
    run: Callable[..., StudyResult],
    running: Running,
    print_tables: Callable[[Any], None] | None = None,
) -> None:
    """Run a study, leave its results, figures and report in a folder, and print what was found.

    Args:
        study: what to run.
        run: called as ``run(study, workers=…, executor=…, folder=…, resume=…, progress=…)``; its result has an entry in
            `isthmus.show.pages.PAGES`, which draws it and writes its page.
        running: where and how.
        print_tables: prints the tables of the result, after the answer and the findings.

    """
    from isthmus.studies.executors import keep_compiled_programs
    from isthmus.studies.folder import finished_on

    keep_compiled_programs()
    folder = running.folder
    finished = finished_on(folder)
    result = _result(study, run, running)
    if finished is not None and not running.quiet:
        say(
            f"This study was finished on {finished:%Y-%m-%d at %H:%M}; its results are shown. Choose another folder "
            f"with --out, or delete '{folder}' to run it again."
        )
    _leave(result, folder, running.quiet)
    if running.as_json:
        print(json.dumps(result.summary() | {"folder": str(folder)}, allow_nan=False))
        return
    print_findings(result)
    if print_tables is not None:
        print_tables(result)
    print(f"Report: {folder / 'report.html'}")
    print(f"Numbers: {folder / 'results.nc'}")


def _result(study: Study, run: Callable[..., StudyResult], running: Running) -> StudyResult:
    """Run a study; an interrupt says what is kept."""
    from isthmus.studies.folder import finished_jobs

    try:
        with _executor(running) as options:
            options |= {"folder": running.folder, "resume": running.resume}
            return with_progress(lambda progress: run(study, **options, progress=progress), running.quiet)
    except KeyboardInterrupt:
        kept = finished_jobs(running.folder)
        verb = "is" if kept == 1 else "are"
        raise Interrupted(
            f"Interrupted; {counted(kept, 'finished job')} {verb} kept in '{running.folder}': the same command with "
            "--resume goes on."
            if kept
            else "Interrupted; no results were written."
        ) from None


def _leave(result: StudyResult, folder: Path, quiet: bool) -> None:
    """Write the figures and the report of a result."""
    if not quiet:
        say("Drawing figures and report.")
    result.report(folder)


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
