"""Large tables, wide, sparse and long: time, memory and the share of variance explained, beside PCA's.

Each is fitted in a process of its own. Memory is by how much the process grows beyond what it holds before the fit, the
table included, so that it has what compiling the programs takes, some 250 MB whatever the table; its multiple of the
table counts the table as one.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
SHAPES = {
    "40 × 30,000": ("curved", 40, 30_000, "float32"),
    "40 × 1,000,000": ("curved", 40, 1_000_000, "float32"),
    "700 × 20,000": ("curved", 700, 20_000, "float64"),
    "100,000 × 10,000, 0.1 % of it not 0": ("sparse", 100_000, 10_000, "float64"),
    "1,000,000 × 20": ("curved", 1_000_000, 20, "float64"),
}
QUICK = {
    "40 × 2,000": ("curved", 40, 2000, "float32"),
    "2,000 × 500, 2 % of it not 0": ("sparse", 2000, 500, "float64"),
}
CURVES, NOISE = 8, 0.5
"""How many functions of two variables are mixed, and the standard deviation of the noise in each entry."""
ENTRIES = 10
"""Of a row of a sparse table that are not 0, on average."""


def report(quick: bool = False) -> None:
    """Print a line for each table."""
    print("Large tables: automatic fits of a curved surface in noise, n_components=2, beside PCA.")
    print(f"{'table':38s} {'array':>9s} {'time':>8s} {'memory':>9s} {'multiple':>9s} {'PCA':>7s} {'Isthmus':>8s}")
    for name, shape in (QUICK if quick else SHAPES).items():
        command = [sys.executable, "-m", "benchmarks.sizes", *map(str, shape)]
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if answer.returncode:
            print(f"{name:38s} failed: {answer.stderr.strip().splitlines()[-1]}")
            continue
        found = json.loads(answer.stdout.splitlines()[-1])
        size, grown = found["size"] / 2**20, found["grown"] / 2**20
        print(
            f"{name:38s} {size:6,.0f} MB {found['seconds']:6.1f} s {grown:6,.0f} MB {1 + grown / size:8.2f} "
            f"{found['pca']:8.4f} {found['score']:8.4f}",
            flush=True,
        )


def curved(rows: int, columns: int, dtype: str) -> np.ndarray:
    """Return points of a curved surface in noise, made some at a time."""
    random = np.random.default_rng(0)
    mixed = np.tanh(1.5 * random.standard_normal((rows, 2)) @ random.standard_normal((2, CURVES)))
    table, step = np.empty((rows, columns), dtype), max(1, (1 << 20) // columns)
    loadings = random.standard_normal((CURVES, columns))
    for first in range(0, rows, step):
        part = mixed[first : first + step]
        table[first : first + step] = part @ loadings + NOISE * random.standard_normal((len(part), columns))
    return table


def sparse(rows: int, columns: int, dtype: str) -> Any:
    """Return counts whose rows have their entries near a place on a circle."""
    from scipy.sparse import csr_array

    random = np.random.default_rng(0)
    counts = random.poisson(ENTRIES, rows)
    places = np.repeat(random.random(rows), counts) + 0.08 * random.standard_normal(counts.sum())
    entries = (np.repeat(np.arange(rows), counts), (places % 1.0 * columns).astype(int) % columns)
    return csr_array((np.ones(len(places), dtype), entries), shape=(rows, columns))


def measured(kind: str, rows: int, columns: int, dtype: str) -> dict[str, float]:
    """Return what a fit takes in this process, and what it and PCA explain."""
    from sklearn.decomposition import PCA

    from isthmus import MeanFieldAutoencoder

    table = {"curved": curved, "sparse": sparse}[kind](rows, columns, dtype)
    size = (
        table.nbytes if kind == "curved" else sum(getattr(table, one).nbytes for one in ("data", "indices", "indptr"))
    )
    before, begun = _peak(), time.perf_counter()
    model = MeanFieldAutoencoder(2, random_state=0).fit(table)
    seconds, grown = time.perf_counter() - begun, _peak() - before
    pca = PCA(2, svd_solver="auto" if kind == "curved" else "arpack", random_state=0).fit(table)
    explained = float(pca.explained_variance_ratio_.sum())
    return {"size": size, "seconds": seconds, "grown": grown, "score": model.score(table), "pca": explained}


def _peak() -> int:
    """Return the most memory that this process has held, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    kind, rows, columns, dtype = sys.argv[1:]
    print(json.dumps(measured(kind, int(rows), int(columns), dtype)))
