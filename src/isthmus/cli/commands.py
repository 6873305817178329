"""What the commands of studies share: first words at once, an example, and errors in the user's terms."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Any

import typer

from isthmus.cli.app import app, say
from isthmus.cli.options import DATA_FLAGS, FLAGS, Flag, signature
from isthmus.cli.output import Running
from isthmus.cli.values import in_flags, study_of

Body = Callable[[Any, Running], None]


def study_command(
    kind: str, *, doing: str, example: str, flags: Mapping[str, Flag] | None = None, base: str | None = None
) -> Callable[[Body], Body]:
    """Register a command that runs a study; its function takes the study and how it is run.

    What the command does is said before anything heavy is imported, and an argument that is refused is named as the
    flag that brought it.

    Args:
        kind: module and class of the study, as in ``isthmus.studies.tracking:TrackingStudy``.
        doing: what the command does, said at once.
        example: a command line for the help.
        flags: the flags that set keys of the study, beside ``--seed`` and those of data.
        base: module and name of the values of a study that is always the same; by default a study file can be given.

    """
    takes_file = base is None
    given_flags = {**(flags or {}), "seed": FLAGS["seed"], **(DATA_FLAGS if takes_file else {})}

    def register(body: Body) -> Body:
        @functools.wraps(body)
        def command(context: typer.Context, **given: Any) -> None:
            if given.get("example"):
                print(loaded(kind).example_toml(), end="")
                return
            if not given["quiet"]:
                say(f"Isthmus {context.command.name}: {doing}")
            with in_flags(given, given_flags):
                study = study_of(loaded(kind), given, given_flags, {} if base is None else loaded(base))
                body(study, Running.of(context.command.name or "", given))

        complete: Any = command
        complete.__signature__ = signature(given_flags, takes_file=takes_file)
        complete.__annotations__ = {part.name: part.annotation for part in complete.__signature__.parameters.values()}
        complete.study, complete.flags = kind, given_flags
        app.command(epilog=f"Example: [bold]{example}[/bold]")(complete)
        return body

    return register


def loaded(name: str) -> Any:
    """Return what stands under a name in a module, as in ``isthmus.studies.tracking:TrackingStudy``."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)
