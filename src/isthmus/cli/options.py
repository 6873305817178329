"""The options of the commands, each with its help, in one place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Folder for the results; it must be new, empty, or hold the same study.",
        show_default="isthmus-COMMAND",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else there.")]
Workers = Annotated[int | None, typer.Option(help="Threads; one for each processor by default.")]
Processes = Annotated[
    int | None,
    typer.Option("--workers", help="Processes to run jobs in; by default threads of one, one for each processor."),
]
Dask = Annotated[str | None, typer.Option("--dask", help="Address of a Dask scheduler, on whose workers jobs run.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where an interrupted run in the folder ended.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars, and no word on how a file was read.")]
StudyArgument = Annotated[
    Path | None, typer.Argument(help="A study file (TOML). A flag overrides what it says.", show_default=False)
]
LatentDim = Annotated[int | None, typer.Option(help="Dimension k of the bottleneck.")]
ActivationOption = Annotated[str | None, typer.Option(help="One name, or encoder,decoder.")]
LawOption = Annotated[str | None, typer.Option(help="aligned or independent.")]
Strength = Annotated[float | None, typer.Option(help="Aligned law: fraction of the PCA reconstruction at time 0.")]
Widths = Annotated[str | None, typer.Option(help="Widths, as in 64,256,1024.")]
StepSizes = Annotated[str | None, typer.Option(help="Step sizes, as in 0.1,0.05.")]
BatchSize = Annotated[int | None, typer.Option(help="Points in a minibatch.")]
SamplingOption = Annotated[str | None, typer.Option(help="with_replacement, without_replacement or one_pass.")]
Horizon = Annotated[float | None, typer.Option(help="Last time; t = step size × steps.")]
Records = Annotated[int | None, typer.Option(help="How many times after 0 the risk is recorded at.")]
Confidence = Annotated[float | None, typer.Option(help="The quantile of the sup-gap to report.")]
Particles = Annotated[int | None, typer.Option(help="Mean field: particles a side (a power of 2).")]
WeightDecay = Annotated[str | None, typer.Option(help="Penalty on squared weights: one number, or encoder,decoder.")]
Example = Annotated[bool, typer.Option("--example", help="Print a study file with every key, and stop.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any key of a study file, as in --set data.noise=0.1; may be repeated."),
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Seed of initial neurons, batches and scramblings.")]


DATA_OPTIONS: dict[str, Any] = {
    "data": Annotated[
        str | None,
        typer.Option(
            help="digits, breast_cancer, wine, mnist, manifold, gaussian, or a file (.csv, .tsv, .txt, .dat, .npy, "
            ".npz, .parquet, .feather; also .csv.gz)."
        ),
    ],
    "max_points": Annotated[int | None, typer.Option(help="Keep a random subset of the data.")],
    "scale": Annotated[
        str | None, typer.Option(help="none, total, features or robust; files are scaled by feature by default.")
    ],
    "columns": Annotated[
        str | None, typer.Option(help="File: its features, as in a,b or 0,2 (places from 0); all by default.")
    ],
    "drop": Annotated[
        str | None,
        typer.Option(help='File: columns that are no features, as in id,name; "" keeps even one that counts the rows.'),
    ],
    "label": Annotated[str | None, typer.Option(help="File: the column that is no feature, but colours the latents.")],
    "header": Annotated[
        bool | None, typer.Option("--header/--no-header", help="File: whether its first line holds names.")
    ],
    "separator": Annotated[str | None, typer.Option(help="File: one character, tab or space.")],
    "decimal": Annotated[str | None, typer.Option(help="File: the decimal mark, . or a comma.")],
    "missing": Annotated[
        str | None, typer.Option(help="refuse, or ignore, which leaves missing values out of the risk.")
    ],
}
"""The options of every command that takes data, which are read by name."""


def with_data_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of data, before its own: it finds them in its context, by name."""

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        command(**{name: value for name, value in given.items() if name not in DATA_OPTIONS})

    hints = get_type_hints(command, include_extras=True) | DATA_OPTIONS
    own = list(inspect.signature(command).parameters.values())
    place = 1 + [parameter.name for parameter in own].index("study")
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = [inspect.Parameter(name, kind, default=None) for name in DATA_OPTIONS]
    parameters = [one.replace(annotation=hints[one.name]) for one in [*own[:place], *names, *own[place:]]]
    wrapped.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
    wrapped.__annotations__ = hints
    return wrapped
