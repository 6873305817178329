"""The command line run in this process, and what it leaves behind."""

import contextlib
import io
import re
import sys
import warnings
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from isthmus import cli


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


def run(*arguments: object, folder: Path) -> Outcome:
    """Run the command line in ``folder``, in this process; warnings are shown as a user sees them."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        mock.patch.object(sys, "argv", ["isthmus", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("default")
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Outcome(code, out.getvalue(), err.getvalue())


def refused(*arguments: object, folder: Path) -> str:
    """Return the one line with which a command is refused, after its first words, with nothing on standard output."""
    code, out, err = run(*arguments, folder=folder)
    assert (code, out) == (2, "")
    said = without_first_words(err)
    assert said.startswith("Error: ") and said.endswith((".\n", "?\n")) and said.count("\n") == 1
    return said


def without_first_words(err: str) -> str:
    """Return what a command said on standard error after the line on what it does."""
    return re.sub(r"\AIsthmus [a-z]+: .*\.\n", "", err)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
