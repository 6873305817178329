"""What the commands of studies share: first words at once, an example, and errors in the user's terms."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

import typer

from isthmus.cli.app import app, say
from isthmus.cli.options import with_study_options
from isthmus.cli.values import in_flags

Body = Callable[..., None]


def study_command(kind: str, *, doing: str, example: str) -> Callable[[Body], Body]:
    """Register a command that runs a study, with ``--quick`` and, where it takes a study file, the options of data.

    What the command does is said before anything heavy is imported, and an argument that is refused is named as the
    flag that brought it.

    Args:
        kind: module and class of the study, as in ``isthmus.studies.tracking:TrackingStudy``.
        doing: what the command does, said at once.
        example: a command line for the help.

    """

    def register(body: Body) -> Body:
        @functools.wraps(body)
        def command(context: typer.Context, **given: Any) -> None:
            if context.params.get("example"):
                print(study_class(kind).example_toml(), end="")
                return
            if not context.params["quiet"]:
                say(f"Isthmus {context.command.name}: {doing}")
            with in_flags(context):
                body(context=context, **given)

        command.__signature__ = inspect.signature(body)  # pyright: ignore[reportAttributeAccessIssue]
        complete: Any = with_study_options(command)
        complete.study = kind
        app.command(epilog=f"Example: [bold]{example}[/bold]")(complete)
        return body

    return register


def study_class(kind: str) -> Any:
    """Return the class of a study by its module and name."""
    module, _, name = kind.partition(":")
    return getattr(importlib.import_module(module), name)
