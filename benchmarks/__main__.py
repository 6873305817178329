"""Measure Isthmus on the machine at hand: ``python -m benchmarks [NAME ...] [--quick]``, the names those of `PARTS`.

Everything is measured side by side in one process and printed with the machine; without names, all of them. What
compares with other methods (`RIVALS`) needs the extra ``bench``; with ``--quick`` it runs in tiny settings.
``practice`` takes ``--data NAME,NAME``, ``--splits N``, and ``--out FILE`` for its numbers as JSON.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys

from benchmarks import (
    control,
    law,
    loops,
    missing,
    optimum,
    particles,
    practice,
    rates,
    recipe,
    size,
    sizes,
    speed,
    study,
    transfer,
    warning,
)

PARTS = {
    "particles": particles.report,
    "speed": speed.report,
    "size": size.report,
    "law": law.report,
    "optimum": optimum.report,
    "rates": rates.report,
    "control": control.report,
    "warning": warning.report,
}
RIVALS = {
    "practice": practice.report,
    "transfer": transfer.report,
    "recipe": recipe.report,
    "loops": loops.report,
    "missing": missing.report,
    "sizes": sizes.report,
    "study": study.report,
}


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Isthmus on the machine at hand.")
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(PARTS | RIVALS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="comparisons with other methods alone, in tiny settings")
    parser.add_argument("--data", default="", help="practice: names of data sets, with commas between")
    parser.add_argument("--splits", type=int, help="practice: how many splits of each")
    parser.add_argument("--out", help="practice: a JSON file for its numbers, written as each data set finishes")
    return parser.parse_args()


def main() -> None:
    """Run the benchmarks named on the command line."""
    asked = arguments()
    known = RIVALS if asked.quick else PARTS | RIVALS
    names = asked.names or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"Unknown benchmark {unknown[0]!r}; the known ones are {', '.join(known)}.")
    if (asked.data or asked.splits or asked.out) and "practice" not in names:
        sys.exit("Only practice takes --data, --splits and --out.")
    print(f"Machine: {platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}")
    for name in names:
        print()
        if name == "practice":
            data = [part for part in asked.data.split(",") if part]
            practice.report(asked.quick, data, asked.splits, asked.out)
        elif name in RIVALS:
            RIVALS[name](asked.quick)
        else:
            PARTS[name]()


main()
