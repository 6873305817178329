"""One checkout beside another: ``python -m benchmarks.turns FOLDER [--pairs N] [--only WORD] [--quick]``.

Each has a process of its own, which makes the same calls of public functions: one call of the other checkout, one of
this one, by turns, so that whatever else the machine does hits both alike. Risks that differ are shown.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parents[1]
Rows = list[tuple[dict[str, Any], dict[str, Any]]]
"""What the other checkout and this one say of a call, pair by pair."""


def calls(quick: bool) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield names and calls, of functions and arguments that all versions have."""
    import jax

    import isthmus as im

    points, share = (64, 50) if quick else (256, 1)
    everything = im.load_data("digits", max_points=points if quick else None)
    some = im.load_data("digits", max_points=points)
    whole, problem = (im.Problem(data, im.aligned_law(data, 2)) for data in (everything, some))
    train = partial(im.train, snapshot_times=(), workers=1)
    for width, batch, steps in ((64, 1, 60_000), (64, 4, 20_000), (64, 32, 6_000), (1024, 1, 8_000), (1024, 4, 4_000)):
        arguments = (whole, [0.01 * (steps // share)], width, 0.01)
        yield f"train, width {width:,d}, batch {batch}", partial(train, *arguments, batch_size=batch)
    yield "train, width 1,024, batch 32", partial(train, whole, [10.0 / share], 1024, 0.01, batch_size=32)
    often = 0.2 * np.arange(0, 101 // share + 2)
    for width in (64, 256):
        yield (
            f"train, width {width}, a record every 20 steps",
            partial(train, problem, often, width, 0.01, batch_size=8),
        )

    network = whole.draw(jax.random.key(0), (2048 // share, 2048 // share), np.dtype(np.float32))
    velocity = jax.jit(lambda network, x, p: network.velocity(x, p).encoder.outgoing)
    x, p = everything.points.astype(np.float32), everything.weights.astype(np.float32)
    yield (
        "20 velocities of 2,048 particles",
        lambda: [jax.block_until_ready(velocity(network, x, p)) for _ in range(20)],
    )
    times = np.linspace(0, 20 / share, 21)
    solve = partial(im.solve_mean_field, problem, times, particles=1024 // min(share, 16), workers=1)
    yield "limit, double precision", solve
    yield "limit, single precision", partial(solve, dtype="float32")
    yield "limit, little memory", partial(solve, replicates=2, integrator="low_memory", rtol=1e-4)
    yield "8 gradient flows, width 256", partial(im.gradient_flow, problem, times, 256, runs=8, rtol=1e-3, workers=1)
    for name, changes in (("a study without law", {"predict": False, "flow_runs": 2}), ("a study", {})):
        yield name, partial(_study, problem.population.size, share, changes)


def _study(points: int, share: int, changes: dict[str, Any]) -> Any:
    import isthmus as im

    settings = {
        "data": {"source": "digits", "max_points": min(points, 200)},
        "widths": (64, 256, 1024) if share == 1 else (8, 16),
        "step_sizes": (0.2, 0.05),
        "horizon": 40.0 / share,
        "records": 20 if share == 1 else 2,
        "runs": 16 if share == 1 else 8,
        "flow_runs": 8,
        "particles": 512 if share == 1 else 64,
        "rtol": 1e-4,
        "law_particles": 128 if share == 1 else 16,
        "law_samples": 8,
    }
    evenly = {"spacing": "even"} if "spacing" in im.TrackingStudy.model_fields else {}
    return im.track(im.TrackingStudy(**settings | evenly | changes), workers=1)


def work(quick: bool) -> None:
    """Make the call of each line of standard input, and write what it took."""
    answers, known = os.fdopen(os.dup(1), "w"), dict(calls(quick))
    os.dup2(2, 1)  # what is printed meanwhile is no answer
    print(json.dumps(list(known)), file=answers, flush=True)
    for line in sys.stdin:
        begun, used = time.perf_counter(), _processor_seconds()
        found = known[line.strip()]()
        spent = {"wall": time.perf_counter() - begun, "CPU": _processor_seconds() - used}
        risk = getattr(found, "risk", None)
        print(
            json.dumps(spent | {"risk": None if risk is None else np.ravel(risk)[-3:].tolist()}),
            file=answers,
            flush=True,
        )


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Worker:
    """A process with the sources of one checkout."""

    def __init__(self, folder: Path, quick: bool) -> None:
        told = {"PYTHONPATH": str(folder / "src"), "JAX_ENABLE_COMPILATION_CACHE": "false"}
        command = [sys.executable, __file__, "--work", *(["--quick"] if quick else [])]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, env=os.environ | told, cwd=folder, **pipes)
        self.names = self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def call(self, name: str) -> dict[str, Any]:
        """Return what a call took."""
        assert self._process.stdin is not None
        self._process.stdin.write(name + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def ratios(rows: Rows, clock: str) -> str:
    """Return the median of this over the other, pair by pair, with the smallest and the largest."""
    found = [this[clock] / other[clock] for other, this in rows]
    return f"{np.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turns", description="One checkout beside another.")
    parser.add_argument("folder", nargs="?", help="the other checkout, as `git worktree add FOLDER COMMIT` makes it")
    parser.add_argument("--pairs", type=int, default=7, help="calls of each, by turns, after the first")
    parser.add_argument("--only", default="", help="the calls with this in their names")
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(asked.quick)
        return
    if asked.folder is None:
        parser.error("name the folder of the other checkout")
    workers = [Worker(folder, asked.quick) for folder in (Path(asked.folder).resolve(), HERE)]
    print("| call | other, CPU s | this, CPU s | CPU, this ÷ other | wall | first call, CPU s, other → this |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for name in workers[0].names:
        if asked.only not in name:
            continue
        first = [worker.call(name) for worker in workers]
        rows: Rows = []
        for turn in range(asked.pairs):
            pair = {index: workers[index].call(name) for index in ((0, 1) if turn % 2 == 0 else (1, 0))}
            rows.append((pair[0], pair[1]))
        middle = [f"{np.median([row[index]['CPU'] for row in rows]):.2f}" for index in (0, 1)]
        compiled = f"{first[0]['CPU']:.1f} → {first[1]['CPU']:.1f}"
        print("|", " | ".join([name, *middle, ratios(rows, "CPU"), ratios(rows, "wall"), compiled]), "|", flush=True)
        if first[0]["risk"] != first[1]["risk"]:
            print(f"  risks differ: {first[0]['risk']}, {first[1]['risk']}", file=sys.stderr)
    for worker in workers:
        worker.close()


if __name__ == "__main__":
    main()
