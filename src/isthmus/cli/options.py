"""The options of the commands, each with its group, its unit and an example, in one place.

What is not said here of a key of a study, its default above all, the help takes from the study itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from isthmus._errors import ArgumentError
from isthmus.cli.choices import completion

STUDY, DATA, PROBLEM, TRAINING, NUMERICS = "Study", "Data", "Problem", "Training", "Accuracy and effort"
RUNNING, OUTPUT = "Running", "Output"
PANELS = (STUDY, DATA, PROBLEM, TRAINING, NUMERICS, RUNNING, OUTPUT)
"""The groups of options, in the order in which they are shown."""


def _names(_: str, text: str) -> str | list[str]:
    return text.split(",") if "," in text else text


def _numbers(name: str, text: str, kind: type[int] | type[float] = float) -> list[float]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        from isthmus._checks import shown

        numbers = "whole numbers" if kind is int else "numbers"
        raise ArgumentError(
            f"Argument '{name}' must be {numbers} with commas between, but it is {shown(text)}."
        ) from None


def _whole_numbers(name: str, text: str) -> list[float]:
    return _numbers(name, text, int)


def _one_or_pair(name: str, text: str) -> float | list[float]:
    numbers = _numbers(name, text)
    return numbers[0] if len(numbers) == 1 else numbers


class Flag(NamedTuple):
    """A flag that sets a key of a study.

    Attributes:
        panel: its group, one of `PANELS`.
        kind: the type of its value.
        metavar: what stands for the value in the help; by default the type.
        help: what it means; by default what the study says of the key.
        key: the dotted key; by default the name of the flag.
        choices: under which name `completion` knows its values.
        read: reads the text, given the name of the flag, where it can hold several values.
        names: as they are typed; by default made of the name of the flag.

    """

    panel: str
    kind: type
    metavar: str | None = None
    help: str = ""
    key: str = ""
    choices: str | None = None
    read: Callable[[str, str], Any] | None = None
    names: tuple[str, ...] = ()

    @property
    def annotation(self) -> Any:
        """The annotation by which Typer makes the option."""
        more: dict[str, Any] = {"autocompletion": completion(self.choices)} if self.choices else {}
        option = typer.Option(*self.names, help=self.help, metavar=self.metavar, rich_help_panel=self.panel, **more)
        return Annotated[self.kind | None, option]


DATA_FLAGS = {
    "data": Flag(
        DATA,
        str,
        "NAME|FILE",
        "A named set (digits, breast_cancer, wine, mnist), a generator (manifold, gaussian), or a file: .csv, .tsv, "
        ".txt, .dat, .npy, .npz, .parquet, .feather; also .csv.gz.",
        key="data.source",
        choices="data",
    ),
    "max_points": Flag(DATA, int, "POINTS", "Keep a random subset of so many points.", "data.max_points"),
    "scale": Flag(
        DATA,
        str,
        "NAME",
        "none, total, features or robust; by default files are scaled by feature.",
        "data.scale",
        "scale",
    ),
    "columns": Flag(
        DATA, str, "A,B,…", "File: its features, as in a,b or 0,2 (counted from 0); all by default.", "data.columns"
    ),
    "drop": Flag(
        DATA,
        str,
        "A,B,…",
        'File: columns that are no features, as in id,name; "" keeps even one that counts the rows.',
        "data.drop",
    ),
    "label": Flag(DATA, str, "COLUMN", "File: the column that is no feature, but colours the latents.", "data.label"),
    "header": Flag(
        DATA, bool, None, "File: whether its first line holds names.", "data.header", names=("--header/--no-header",)
    ),
    "separator": Flag(DATA, str, "CHARACTER", "File: one character, tab or space.", "data.separator", "separator"),
    "decimal": Flag(DATA, str, "MARK", "File: the decimal mark, . or a comma.", "data.decimal"),
    "missing": Flag(
        DATA, str, "NAME", "refuse, or ignore: leave missing values out of the risk.", "data.missing", "missing"
    ),
}
"""The flags of every command that takes data."""
FLAGS = {
    "latent_dim": Flag(PROBLEM, int, "K", "Dimension of the bottleneck.", "law.latent_dim"),
    "activation": Flag(
        PROBLEM, str, "NAME", "One name, or a pair, as in tanh,identity.", choices="activation", read=_names
    ),
    "law": Flag(PROBLEM, str, "NAME", "Initial law of the neurons: aligned, independent.", "law.kind", "law"),
    "strength": Flag(PROBLEM, float, "FRACTION", key="law.strength"),
    "weight_decay": Flag(
        PROBLEM,
        str,
        "NUMBER",
        "Penalty on squared weights; one number, or encoder,decoder: 0.003,0.001.",
        read=_one_or_pair,
    ),
    "widths": Flag(
        TRAINING, str, "N,N,…", "Neurons in each of the two wide layers, as in 64,256,1024.", read=_whole_numbers
    ),
    "step_sizes": Flag(
        TRAINING, str, "ε,ε,…", "Step sizes of SGD in units of mean-field time, as in 0.1,0.05.", read=_numbers
    ),
    "step_size": Flag(TRAINING, float, "ε", "Step size of SGD in mean-field time; 0 is gradient flow."),
    "batch_size": Flag(TRAINING, int, "POINTS", "Points in a minibatch."),
    "sampling": Flag(
        TRAINING,
        str,
        "NAME",
        "with_replacement, without_replacement or one_pass; with replacement for a finite set by default.",
        choices="sampling",
    ),
    "horizon": Flag(TRAINING, float, "TIME", "Last time, in mean-field time: step size × steps."),
    "records": Flag(NUMERICS, int, "TIMES", "Recorded times after 0."),
    "runs": Flag(NUMERICS, int, "RUNS", "Independent runs of each network."),
    "flow_runs": Flag(NUMERICS, int, "RUNS", "How many of them are also followed by gradient flow."),
    "confidence": Flag(NUMERICS, float, "FRACTION", "Which quantile of the sup-gap is reported."),
    "particles": Flag(NUMERICS, int, "POWER OF 2", "Particles of the mean field in each layer."),
    "seed": Flag(STUDY, int, "INTEGER", "Seed of all random numbers."),
}
"""The flags that several commands share."""


def shared(*names: str) -> dict[str, Flag]:
    """Return flags by their names in `FLAGS`."""
    return {name: FLAGS[name] for name in names}


def _option(panel: str, kind: Any, name: str, help: str, metavar: str | None = None) -> Any:
    return Annotated[kind, typer.Option(name, help=help, metavar=metavar, rich_help_panel=panel)]


FILE_OPTIONS: dict[str, Any] = {
    "study": Annotated[
        Path | None,
        typer.Argument(
            help="A study file (TOML), as --example prints one. Flags override what it says.",
            metavar="STUDY.toml",
            show_default=False,
        ),
    ],
    "example": _option(STUDY, bool, "--example", "Print a study file with every key and its meaning, and stop."),
    "settings": _option(
        STUDY,
        list[str] | None,
        "--set",
        "Set any key of a study file, as in --set data.noise=0.1; may be repeated.",
        "KEY=VALUE",
    ),
}
"""The options of every command that takes a study file."""
RUN_OPTIONS: dict[str, Any] = {
    "quick": _option(
        STUDY, bool, "--quick", "Ask for a rough answer in much less time. What other flags set stays as they say."
    ),
    "workers": _option(
        RUNNING,
        int | None,
        "--workers",
        "Processes; by default threads of one process, one for each core.",
        "PROCESSES",
    ),
    "dask": _option(RUNNING, str | None, "--dask", "Run on a Dask cluster, as in tcp://host:8786.", "ADDRESS"),
    "resume": _option(RUNNING, bool, "--resume", "Go on where an interrupted run in the folder ended."),
    "out": _option(
        OUTPUT,
        Path | None,
        "--out",
        "Folder for results, figures and report; new, empty, or that of the same study. By default isthmus-COMMAND.",
        "FOLDER",
    ),
    "as_json": _option(OUTPUT, bool, "--json", "Print one JSON object on standard output, and nothing else there."),
    "quiet": _option(OUTPUT, bool, "--quiet", "Print no progress, and no word on how a file was read."),
}
"""The options of every command that runs a study."""


def signature(flags: Mapping[str, Flag], *, takes_file: bool) -> inspect.Signature:
    """Return the signature by which Typer makes a command: its options group by group, those without a group first.

    Args:
        flags: the flags that set keys of its study.
        takes_file: whether a study file can be given.

    """
    annotations = {
        "context": typer.Context,
        **(FILE_OPTIONS if takes_file else {}),
        **{name: flag.annotation for name, flag in flags.items()},
        **RUN_OPTIONS,
    }

    def panel(name: str) -> int:
        about = getattr(annotations[name], "__metadata__", (None,))[0]
        group = getattr(about, "rich_help_panel", None)
        return PANELS.index(group) if group in PANELS else -1

    def parameter(name: str) -> inspect.Parameter:
        default: Any = inspect.Parameter.empty
        if name != "context":
            default = False if annotations[name].__origin__ is bool else None
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Parameter(name, kind, default=default, annotation=annotations[name])

    return inspect.Signature([parameter(name) for name in sorted(annotations, key=panel)])
