"""What the parts of automatic training are worth: held-out risks with one of them changed, beside those as it comes."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

import isthmus as im
from benchmarks.plain import markdown, markdown_row, risk
from benchmarks.tables import TABLES, split

DATA = ("digits", "wine", "breast_cancer", "diabetes", "autompg", "star98", "anes96", "fair", "macrodata", "circle")
SPLITS = 2
Change = Mapping[tuple[str, str], Any]
"""Values of constants, by module of the estimator and name."""
CHANGES: dict[str, Change] = {
    "as it comes": {},
    "long steps only": {("automatic", "LONGEST"): (2.0,)},
    "short steps only": {("automatic", "LONGEST"): (0.7,)},
    "steps up to 10": {("automatic", "LONGEST"): (10.0,)},
    "first steps half as long": {("schedule", "FIRST"): 20.0},
    "biases twice as large": {("start", "BIAS"): 1.0},
    "no average of weights": {("schedule", "POWER"): 1000},
    "copies of width 32": {("automatic", "COPY_WIDTH"): 32},
    "never PCA": {("automatic", "GAIN"): -np.inf, ("automatic", "ERRORS"): -np.inf},
}


@contextmanager
def changed(change: Change) -> Iterator[None]:
    """Let constants have other values for the length of a ``with`` block."""
    kept = {}
    for (module, name), value in change.items():
        home = importlib.import_module(f"isthmus.estimator.{module}")
        kept[home, name] = getattr(home, name)
        setattr(home, name, value)
    try:
        yield
    finally:
        for (home, name), value in kept.items():
            setattr(home, name, value)


def held_out_risks(names: tuple[str, ...], splits: int, options: Mapping[str, Any]) -> np.ndarray:
    """Return the held-out risk in units of the training variance, shape (data sets, splits)."""
    found = np.zeros((len(names), splits))
    for row, name in enumerate(names):
        table = TABLES[name]
        points = table.points()
        for seed in range(splits):
            training, held_out = split(points, table.by_column, seed)
            model = im.MeanFieldAutoencoder(table.k, random_state=seed, **options).fit(training)
            reconstructed = model.inverse_transform(model.transform(held_out))
            found[row, seed] = risk(held_out, reconstructed, float(training.var(axis=0).sum()))
    return found


def report(quick: bool = False) -> None:
    """Print a table: the change of the risk in percent (geometric mean over data sets), and seconds."""
    names, splits = (("wine",), 1) if quick else (DATA, SPLITS)
    options: dict[str, Any] = {"width": 8, "max_time": 0.5} if quick else {}
    print(f"Held-out risk beside that of automatic training as it comes, {len(names)} data sets, {splits} splits\n")
    print(markdown(["changed", "mean, %", "largest, %", "smallest, %", "seconds"], []), flush=True)
    before = None
    for title, change in list(CHANGES.items())[: 2 if quick else None]:
        begun = time.perf_counter()
        with changed(change):
            risks = held_out_risks(names, splits, options).mean(axis=1)
        before = risks if before is None else before
        ratios = 100 * (risks / before - 1)
        mean = 100 * (np.exp(np.log(risks / before).mean()) - 1)
        spent = time.perf_counter() - begun
        cells = [f"{mean:+.1f}", *(f"{ratios[at]:+.1f} ({names[at]})" for at in (ratios.argmax(), ratios.argmin()))]
        print(markdown_row([title, *cells, f"{spent:.0f}"]), flush=True)
