"""The program itself: how it starts, and how it ends on an error."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from isthmus._errors import IsthmusError
from isthmus._version import __version__
from isthmus.cli.defaults import keys_of

_UsageError: Any = typer.BadParameter.__mro__[1]  # public under no name of Typer's own


class Interrupted(Exception):
    """An interrupt; its message says which results are kept."""


GROUPS = {
    "Start here": ("demo",),
    "Finite networks beside their infinite-width limit": ("track", "predict", "width"),
    "The bottleneck, and the best that any network can do": ("bottleneck", "optimum"),
    "Results": ("report",),
}
"""The commands in the order in which a newcomer needs them."""
_PANEL_OF = {name: panel for panel, names in GROUPS.items() for name in names}
EPILOG = (
    "Begin with [bold]isthmus demo[/bold], then bring your own table: "
    "[bold]isthmus track --data table.csv --latent-dim 2 --quick[/bold]"
)


class _Ordered(TyperGroup):
    """The program, whose commands stand in the order of `GROUPS`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in that order."""
        return sorted(super().list_commands(ctx), key=list(_PANEL_OF).index)


class Command(TyperCommand):
    """A command that refuses a flag given twice, of which one value would be lost in silence.

    A flag that holds several values may stand twice: its last list replaces the one before it.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the line, unless a flag stands twice in it."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        flags = getattr(self.callback, "flags", {})
        seen: set[str | None] = set()
        for flag in order:
            several = flag.multiple or (flag.name in flags and flags[flag.name].read)
            once = flag.param_type_name == "option" and not several
            if once and flag.name in seen:
                raise _UsageError(f"{flag.opts[0]} is given twice", ctx)
            seen.add(flag.name)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, in which each option stands with its default in the study that the command runs."""
        flags = getattr(self.callback, "flags", {})
        keys = keys_of(getattr(self.callback, "study", "")) if flags else {}
        options: Any = self.params
        for option in options:
            key = keys.get(flags[option.name].key or option.name) if option.name in flags else None
            if key is not None:
                default = "" if key.default is None else rf" [dim]\[default: {_written(key.default)}][/dim]"
                option.help = (option.help or f"{key.meaning[:1].upper()}{key.meaning[1:]}.") + default
        super().format_help(ctx, formatter)


def _written(value: object) -> str:
    """Return a value as a flag takes it."""
    return ",".join(map(_written, value)) if isinstance(value, tuple | list) else f"{value}".removesuffix(".0")


class _Program(typer.Typer):
    """The program: each of its commands is a `Command`, in its group of the help."""

    def command(self, *arguments: Any, **options: Any) -> Any:
        def register(function: Any) -> Any:
            defaults = {"cls": Command, "rich_help_panel": _PANEL_OF[function.__name__]}
            return super(_Program, self).command(*arguments, **(defaults | options))(function)

        return register


app = _Program(
    name="isthmus",
    cls=_Ordered,
    help="Mean-field learning dynamics of wide bottleneck autoencoders.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def program() -> None:
    """Run the command line as a process of its own, and end it at once where jobs still run that can't be stopped."""
    try:
        main()
    except SystemExit as stop:
        if not any(thread.name.startswith("isthmus-job") for thread in threading.enumerate()):
            raise
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(stop.code if isinstance(stop.code, int) else 0)


def main() -> None:
    """Run the command line; an error of ours becomes one line on standard error and exit code 2."""
    warnings.showwarning = _show_warning
    try:
        code = app(standalone_mode=False)
        if code == 130:  # how Typer passes on an interrupt
            _stop("Interrupted; no results were written.", code)
        sys.exit(code)
    except _UsageError as error:
        message = " ".join(error.format_message().split())
        if not message:  # no arguments at all: the help has been printed
            sys.exit(error.exit_code)
        _stop(f"Error: {message.rstrip('.')}; see --help.", code=2)
    except IsthmusError as error:
        _stop(f"Error: {' '.join(str(error).split())}", code=2)
    except Interrupted as interrupt:
        _stop(str(interrupt), code=130)
    except MemoryError:
        _stop("Error: The memory of this machine does not suffice; take fewer points, runs, or neurons.", code=2)
    except (KeyboardInterrupt, typer.Abort):
        _stop("Interrupted; no results were written.", code=130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


def say(text: str) -> None:
    """Print a line on standard error, at once."""
    print(text, file=sys.stderr, flush=True)


def _stop(message: str, code: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    print(
        f"{'Warning' if category.__module__.startswith('isthmus') else category.__name__}: {message}", file=sys.stderr
    )


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"isthmus {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass
