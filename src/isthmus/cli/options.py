"""The options of the commands, each with its group, its unit and an example, in one place.

What is not said here of a key of a study, its default above all, the help takes from the study itself.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from isthmus.cli.choices import completion

STUDY, DATA, PROBLEM, TRAINING, NUMERICS = "Study", "Data", "Problem", "Training", "Accuracy and effort"
RUNNING, OUTPUT = "Running", "Output"
PANELS = (STUDY, DATA, PROBLEM, TRAINING, NUMERICS, RUNNING, OUTPUT)
"""The groups of options, in the order in which they are shown."""


def option(
    panel: str, *names: str, help: str = "", metavar: str | None = None, choices: str | None = None, **more: Any
) -> Any:
    """Return an option of a group.

    Args:
        panel: one of `PANELS`.
        names: flags, by default the name of the argument.
        help: what it means; by default what the key of the study says.
        metavar: what stands for its value.
        choices: under which name `completion` knows its values.
        more: as for `typer.Option`.

    """
    if choices is not None:
        more["autocompletion"] = completion(choices)
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=panel, **more)


StudyArgument = Annotated[
    Path | None,
    typer.Argument(
        help="A study file (TOML), as --example prints one. Flags override what it says.",
        metavar="STUDY.toml",
        show_default=False,
    ),
]
Example = Annotated[
    bool, option(STUDY, "--example", help="Print a study file with every key and its meaning, and stop.")
]
Settings = Annotated[
    list[str] | None,
    option(
        STUDY,
        "--set",
        metavar="KEY=VALUE",
        help="Set any key of a study file, as in --set data.noise=0.1; may be repeated.",
    ),
]
Quick = Annotated[
    bool,
    option(STUDY, "--quick", help="Ask for a rough answer in much less time. What other flags set stays as they say."),
]
SeedOption = Annotated[int | None, option(STUDY, "--seed", metavar="INTEGER", help="Seed of all random numbers.")]

LatentDim = Annotated[int | None, option(PROBLEM, metavar="K", help="Dimension of the bottleneck.")]
ActivationOption = Annotated[
    str | None,
    option(PROBLEM, metavar="NAME", choices="activation", help="One name, or a pair, as in tanh,identity."),
]
LawOption = Annotated[
    str | None, option(PROBLEM, metavar="NAME", choices="law", help="Initial law of the neurons: aligned, independent.")
]
Strength = Annotated[float | None, option(PROBLEM, metavar="FRACTION")]
WeightDecay = Annotated[
    str | None,
    option(PROBLEM, metavar="NUMBER", help="Penalty on squared weights; one number, or encoder,decoder: 0.003,0.001."),
]
Widths = Annotated[
    str | None, option(TRAINING, metavar="N,N,…", help="Neurons in each of the two wide layers, as in 64,256,1024.")
]
StepSizes = Annotated[
    str | None, option(TRAINING, metavar="ε,ε,…", help="Step sizes of SGD in units of mean-field time, as in 0.1,0.05.")
]
StepSize = Annotated[
    float | None, option(TRAINING, metavar="ε", help="Step size of SGD in mean-field time; 0 is gradient flow.")
]
BatchSize = Annotated[int | None, option(TRAINING, metavar="POINTS", help="Points in a minibatch.")]
SamplingOption = Annotated[
    str | None,
    option(
        TRAINING,
        metavar="NAME",
        choices="sampling",
        help="with_replacement, without_replacement or one_pass; with replacement for a finite set by default.",
    ),
]
Horizon = Annotated[
    float | None, option(TRAINING, metavar="TIME", help="Last time, in mean-field time: step size × steps.")
]
Records = Annotated[int | None, option(NUMERICS, metavar="TIMES", help="Recorded times after 0.")]
Runs = Annotated[int | None, option(NUMERICS, metavar="RUNS", help="Independent runs of each network.")]
FlowRuns = Annotated[
    int | None, option(NUMERICS, metavar="RUNS", help="How many of them are also followed by gradient flow.")
]
Confidence = Annotated[
    float | None, option(NUMERICS, metavar="FRACTION", help="Which quantile of the sup-gap is reported.")
]
Particles = Annotated[
    int | None, option(NUMERICS, metavar="POWER OF 2", help="Particles of the mean field in each layer.")
]

Workers = Annotated[
    int | None, option(RUNNING, "--workers", metavar="THREADS", help="Threads; one for each core by default.")
]
Processes = Annotated[
    int | None,
    option(
        RUNNING,
        "--workers",
        metavar="PROCESSES",
        help="Processes; by default threads of one process, one for each core.",
    ),
]
Dask = Annotated[
    str | None, option(RUNNING, "--dask", metavar="ADDRESS", help="Run on a Dask cluster, as in tcp://host:8786.")
]
Resume = Annotated[bool, option(RUNNING, "--resume", help="Go on where an interrupted run in the folder ended.")]
Out = Annotated[
    Path | None,
    option(
        OUTPUT,
        "--out",
        metavar="FOLDER",
        help="Folder for results, figures and report; new, empty, or that of the same study. By default "
        "isthmus-COMMAND.",
    ),
]
Json = Annotated[
    bool, option(OUTPUT, "--json", help="Print one JSON object on standard output, and nothing else there.")
]
Quiet = Annotated[bool, option(OUTPUT, "--quiet", help="Print no progress, and no word on how a file was read.")]

DATA_OPTIONS: dict[str, Any] = {
    "data": Annotated[
        str | None,
        option(
            DATA,
            metavar="NAME|FILE",
            choices="data",
            help="A named set (digits, breast_cancer, wine, mnist), a generator (manifold, gaussian), or a file: .csv, "
            ".tsv, .txt, .dat, .npy, .npz, .parquet, .feather; also .csv.gz.",
        ),
    ],
    "max_points": Annotated[int | None, option(DATA, metavar="POINTS", help="Keep a random subset of so many points.")],
    "scale": Annotated[
        str | None,
        option(
            DATA,
            metavar="NAME",
            choices="scale",
            help="none, total, features or robust; by default files are scaled by feature.",
        ),
    ],
    "columns": Annotated[
        str | None,
        option(DATA, metavar="A,B,…", help="File: its features, as in a,b or 0,2 (places from 0); all by default."),
    ],
    "drop": Annotated[
        str | None,
        option(
            DATA,
            metavar="A,B,…",
            help='File: columns that are no features, as in id,name; "" keeps even one that counts the rows.',
        ),
    ],
    "label": Annotated[
        str | None,
        option(DATA, metavar="COLUMN", help="File: the column that is no feature, but colours the latents."),
    ],
    "header": Annotated[
        bool | None, option(DATA, "--header/--no-header", help="File: whether its first line holds names.")
    ],
    "separator": Annotated[
        str | None, option(DATA, metavar="CHARACTER", choices="separator", help="File: one character, tab or space.")
    ],
    "decimal": Annotated[str | None, option(DATA, metavar="MARK", help="File: the decimal mark, . or a comma.")],
    "missing": Annotated[
        str | None,
        option(
            DATA, metavar="NAME", choices="missing", help="refuse, or ignore: leave missing values out of the risk."
        ),
    ],
}
"""The options of every command that takes data, which are read by name."""


def with_study_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--quick``, and the options of data if it takes a study; they stand in its context, by name."""
    own = inspect.signature(command).parameters
    added = {"quick": Quick} | (DATA_OPTIONS if "study" in own else {})

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        command(**{name: value for name, value in given.items() if name not in added})

    hints = get_type_hints(command, include_extras=True) | added
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    extra = [inspect.Parameter(name, kind, default=False if name == "quick" else None) for name in added]
    parameters = [one.replace(annotation=hints[one.name]) for one in [*own.values(), *extra]]
    wrapped.__signature__ = inspect.Signature(_in_order(parameters))  # pyright: ignore[reportAttributeAccessIssue]
    wrapped.__annotations__ = hints
    return wrapped


def _in_order(parameters: Sequence[inspect.Parameter]) -> list[inspect.Parameter]:
    """Return parameters group by group, those without a group first."""

    def place(parameter: inspect.Parameter) -> int:
        about = getattr(parameter.annotation, "__metadata__", (None,))[0]
        panel = getattr(about, "rich_help_panel", None)
        return PANELS.index(panel) if panel in PANELS else -1

    return sorted(parameters, key=place)
