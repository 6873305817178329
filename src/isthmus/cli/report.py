"""The command that makes reports again, and figures for a paper: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import app

EXAMPLE = "Example: [bold]isthmus report my-study --paper[/bold]"
COMPARISON_FILE = "isthmus-comparison.html"


@app.command(epilog=EXAMPLE)
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished study.", show_default=False)],
    other: Annotated[
        Path | None, typer.Argument(help="Folder of another study of the same kind, to compare.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Page to write.", show_default=f"FOLDER/report.html, or {COMPARISON_FILE} for two"),
    ] = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="Write FOLDER/paper: PDF figures of column width, and their captions.")
    ] = False,
) -> None:
    """Make the report of a finished study again, compare two, or make figures for a paper. Nothing is run again."""
    from isthmus import _checks
    from isthmus.show.comparison import compare, render_comparison
    from isthmus.show.pages import result_page
    from isthmus.show.paper import write_paper
    from isthmus.show.report import render_page, write_text
    from isthmus.studies.store import load_result

    if paper and (other or out):
        _checks.refuse("paper", "be given for one folder, without --out", "given beside one of them")
    results = [load_result(each) for each in (folder, other) if each is not None]
    if paper:
        write_paper(results[0], folder / "paper")
        print(f"Figures and captions: {folder / 'paper'}")
        return
    if other is None:
        text, path = render_page(result_page(results[0])), out or folder / "report.html"
    else:
        text, path = render_comparison(compare(results, [str(folder), str(other)])), out or Path(COMPARISON_FILE)
    write_text(text, path)
    print(f"Report: {path}")
