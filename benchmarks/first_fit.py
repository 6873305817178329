"""The first fit of a process, which loads and compiles, and the next: ``python -m benchmarks.first_fit FILE``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

WARM = 3


def fits(points: np.ndarray, k: int, arguments: dict[str, Any]) -> list[float]:
    """Return the seconds of a fit and of further ones of the same points."""
    import isthmus as im

    spent = []
    for _ in range(1 + WARM):
        begun = time.perf_counter()
        im.MeanFieldAutoencoder(k, random_state=0, **arguments).fit(points)
        spent.append(time.perf_counter() - begun)
    return spent


def in_fresh_processes(points: np.ndarray, k: int, arguments: dict[str, Any], processes: int = 2) -> list[float]:
    """Return by how many seconds the first fit is longer than a warm one, in processes one after the other.

    The first finds an empty cache of compiled programs, and the next ones what it has left there, if anything.
    """
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.npz"
        np.savez(job, points=points, k=k, arguments=json.dumps(arguments))
        command = [sys.executable, "-m", "benchmarks.first_fit", str(job)]
        place = Path(__file__).resolve().parents[1]
        environment = os.environ | {"XDG_CACHE_HOME": folder}
        found = []
        for _ in range(processes):
            done = subprocess.run(command, cwd=place, env=environment, check=True, capture_output=True, text=True)
            first, *warm = json.loads(done.stdout.splitlines()[-1])
            found.append(first - float(np.median(warm)))
    return found


def main() -> None:
    """Print the seconds of the fits of a file."""
    with np.load(sys.argv[1]) as job:
        print(json.dumps(fits(job["points"], int(job["k"]), json.loads(str(job["arguments"])))))


if __name__ == "__main__":
    main()
