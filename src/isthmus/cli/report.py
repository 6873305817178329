"""The command that makes reports again: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import app

COMPARISON_FILE = "isthmus-comparison.html"


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="The folder of a finished study.", show_default=False)],
    other: Annotated[
        Path | None, typer.Argument(help="Another of the same kind, to stand beside it.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The page to write.", show_default=f"FOLDER/report.html, or {COMPARISON_FILE} for two"
        ),
    ] = None,
) -> None:
    """Make the report of a finished study again from its numbers, or put two studies side by side."""
    from isthmus.show.comparison import compare, render_comparison
    from isthmus.show.pages import result_page
    from isthmus.show.report import render_page, write_text
    from isthmus.studies.store import load_result

    if other is None:
        text, place = render_page(result_page(load_result(folder))), out or folder / "report.html"
    else:
        results = [load_result(folder), load_result(other)]
        text, place = render_comparison(compare(results, [str(folder), str(other)])), out or Path(COMPARISON_FILE)
    write_text(text, place)
    print(f"Report: {place}")
