"""Parts of pages that are made from the code: what commands say of themselves, and what each file is for."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys

from building.facts import PACKAGE, module_name, place

PROGRAM = "import sys; sys.argv[0] = 'isthmus'; from isthmus.cli import main; main()"
LONGEST = 600
"""Seconds that a command may take to say what it is, on a machine that is busy with much else."""
MARKS = ("<!-- commands -->", "<!-- house -->")


def filled(text: str) -> str:
    """Return the text of a page with its marks replaced."""
    for mark, make in zip(MARKS, (commands, house), strict=True):
        if mark in text:
            text = text.replace(mark, make())
    return text


def commands() -> str:
    """Return the commands by group, and a section for each with its help and the study file that it explains."""
    from isthmus.cli import app
    from isthmus.cli.app import GROUPS

    callbacks = [command.callback for command in app.registered_commands if command.callback]
    about = {callback.__name__: _first_line(callback) for callback in callbacks}
    groups = [
        "\n".join([f"**{group}**", "", *(f"- [isthmus {name}](#isthmus-{name}): {about[name]}" for name in names)])
        for group, names in GROUPS.items()
    ]
    return "\n\n".join([*groups, *(_command(name) for names in GROUPS.values() for name in names)])


def _first_line(value: object) -> str:
    return (inspect.getdoc(value) or "").partition("\n")[0]


def _command(name: str) -> str:
    said_of_itself = said(name, "--help")
    text = f"## isthmus {name}\n\n```text\n{said_of_itself}```"
    if "--example" in said_of_itself:
        text += f"\n\n`isthmus {name} --example` prints\n\n```toml\n{said(name, '--example')}```"
    return text


def said(*arguments: str) -> str:
    """Return what the command line prints, in plain text."""
    environment = os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=LONGEST).stdout


def house() -> str:
    """Return a list of the files of each floor with the first lines of their docstrings, from the top floor down."""
    floors: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = module_name(path)
        doc = place(name).docstring or "" if name else ""
        if doc and (path.name != "__init__.py" or "." not in name):
            first = " ".join(doc.split("\n\n")[0].split())
            file = path.relative_to(PACKAGE).as_posix()
            floors.setdefault(file.partition("/")[0] if "/" in file else "", []).append(f"- `{file}`: {first}")
    order = ["cli", "show", "studies", "estimator", "exports", "theory", "dynamics", "core"]
    titles = [name for name in order if name in floors] + sorted(set(floors) - set(order) - {""})
    parts = [f"### {title}/\n\n" + "\n".join(floors[title]) for title in titles]
    return "\n\n".join([*parts, "### Below all\n\n" + "\n".join(floors[""])])
