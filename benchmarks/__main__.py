"""Measure the mean-field solver on the machine at hand: ``python -m benchmarks [particles] [speed] [size] [law]``.

Everything is measured side by side in one process and printed with the machine; without arguments, all of them.
"""

from __future__ import annotations

import os
import platform
import sys

from benchmarks import law, particles, size, speed

PARTS = {"particles": particles.report, "speed": speed.report, "size": size.report, "law": law.report}


def main() -> None:
    """Run the benchmarks named on the command line."""
    names = sys.argv[1:] or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.exit(f"Unknown benchmark {unknown[0]!r}; the known ones are {', '.join(PARTS)}.")
    print(f"Machine: {platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}")
    for name in names:
        print()
        PARTS[name]()


main()
