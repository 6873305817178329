"""Held-out risk and time of Isthmus beside PCA, kernel PCA and plain autoencoders on many data sets."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.first_fit import in_fresh_processes
from benchmarks.outcomes import LEVEL, TIME_HEAD, Outcome, reasons, risk_head, risk_row, time_row, verdict
from benchmarks.plain import markdown, risk, the_torch
from benchmarks.rivals import METHODS, OURS, Budget, Method, by_torch, left_out
from benchmarks.tables import TABLES, split


class Settings(NamedTuple):
    """Data sets, how many splits of each, those whose first fit in a process is timed, and the budget of training."""

    data: tuple[str, ...] = tuple(TABLES)
    splits: int = 5
    fresh: tuple[str, ...] = ("wine", "digits")
    budget: Budget = Budget()


QUICK = Settings(
    ("wine", "circle"),
    2,
    (),
    Budget(8, 4, 8, 6, 4, 2, 2, 0.1, {"width": 64, "horizon": 4.0, "step_size": 0.01}),
)


class Measured(NamedTuple):
    """The risks held out and in training, in units of the training variance, and the seconds it took."""

    held_out: float
    training: float
    seconds: float


def measured(method: Method, parts: tuple[np.ndarray, np.ndarray], k: int, seed: int, budget: Budget) -> Measured:
    """Return what a method makes of the points in training and of those held out."""
    training, held_out = parts
    variance = float(training.var(axis=0).sum())
    begun = time.perf_counter()
    fitted, predicted = method(training, held_out, k, seed, budget)
    spent = time.perf_counter() - begun
    return Measured(risk(held_out, predicted, variance), risk(training, fitted, variance), spent)


def outcome(name: str, points: np.ndarray, settings: Settings) -> Outcome:
    """Return the results of all methods on a data set; those of a split follow each other.

    The estimator is fitted twice, since the first fit of a shape compiles: the second is the one that counts.
    """
    table = TABLES[name]
    why = {title: reason for title in METHODS if (reason := left_out(title, len(points)))}
    found: dict[str, list[Measured]] = {title: [] for title in METHODS if title not in why}
    first = []
    for seed in range(settings.splits):
        parts = split(points, table.by_column, seed)
        for title, results in found.items():
            if title == OURS:
                first.append(measured(METHODS[title], parts, table.k, seed, settings.budget).seconds)
            results.append(measured(METHODS[title], parts, table.k, seed, settings.budget))
    held_out, training, seconds = (
        {title: np.array([getattr(one, part) for one in results]) for title, results in found.items()}
        for part in Measured._fields
    )
    return Outcome(name, *points.shape, table.k, held_out, training, seconds, np.array(first), why)


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Return the data sets named, in the order of the tables."""
    for name in names:
        if name not in TABLES:
            sys.exit(f"Unknown data set {name!r}; the known ones are {', '.join(TABLES)}.")
    return tuple(name for name in TABLES if name in names)


def write(path: Path, outcomes: Sequence[Outcome], settings: Settings) -> None:
    """Write the numbers as JSON; what is infinite is null there."""
    content = {"settings": settings._asdict() | {"budget": settings.budget._asdict()}}
    text = json.dumps(content | {"outcomes": [one.plain() for one in outcomes]}, indent=1)
    path.write_text(text.replace("Infinity", "null") + "\n")


def print_what_is_compared(points: dict[str, np.ndarray], settings: Settings) -> None:
    """Print the data sets, and how the risks come about."""
    for name in points:
        scaled = "column by column" if TABLES[name].by_column else "by one number"
        print(f"- {name}: {TABLES[name].about}; scaled {scaled}")
    budget = settings.budget
    say(
        f"Held-out risk ½E‖x − x̂‖² in units of the training variance, mean over {settings.splits} splits into three "
        f"quarters and one. The rivals that are trained take {budget.steps:,d} steps of {budget.batch_size} rows at "
        f"width {budget.width} ({budget.most_steps:,d} at most if stopped early, {budget.library_steps:,d} of pythae). "
        f"The difference is that of {OURS} from the best of PCA and torch, in percent, with the {LEVEL} % interval of "
        "the mean over the splits (paired, Student's)."
    )


def say(text: str, before: str = "") -> None:
    """Print a paragraph in lines as the documentation has them."""
    print("\n" + textwrap.fill(text, 120, initial_indent=before, subsequent_indent=before, break_on_hyphens=False))


def print_times(outcomes: Sequence[Outcome], points: dict[str, np.ndarray], settings: Settings) -> None:
    """Print the times of warm fits against torch's, and those of first fits."""
    say(
        f"Median seconds of a warm fit of {OURS} and of torch's {settings.budget.steps:,d} steps about tanh (threads: "
        f"{the_torch().get_num_threads()}), and their ratio by split. The first fit of a data set in the same process "
        "takes longer by the last column."
    )
    print()
    print(markdown(TIME_HEAD, [time_row(one) for one in outcomes]), flush=True)
    rows = []
    for name in settings.fresh:
        if name in points:
            part = split(points[name], TABLES[name].by_column, 0)[0]
            more = in_fresh_processes(part, TABLES[name].k, settings.budget.ours)
            rows.append([name, *(f"{seconds:.1f}" for seconds in more)])
    if rows:
        say("Seconds by which the first fit of a process is longer than a warm one.")
        print()
        print(markdown(["data", "the first process", "the next one"], rows))


def report(
    quick: bool = False, names: Sequence[str] = (), splits: int | None = None, out: str | Path | None = None
) -> None:
    """Print the tables and what they say, on all data sets or those named; write the numbers to a file, if asked."""
    settings = QUICK if quick else Settings()
    settings = settings._replace(data=chosen(names or settings.data), splits=splits or settings.splits)
    points = {name: TABLES[name].points() for name in settings.data}  # what is missing is said at once
    by_torch(*split(points[settings.data[0]], True, 0), 1, 0, QUICK.budget)  # what loads on a first call
    print_what_is_compared(points, settings)
    print()
    print(markdown(risk_head(), []), flush=True)
    outcomes: list[Outcome] = []
    for name in settings.data:
        outcomes.append(outcome(name, points[name], settings))
        print(risk_row(outcomes[-1]), flush=True)
        if out is not None:
            write(Path(out), outcomes, settings)
    for reason in reasons(outcomes):
        say(f"—: {reason}.")
    print_times(outcomes, points, settings)
    say(verdict(outcomes), "> ")
