"""Measure Isthmus on the machine at hand: ``python -m benchmarks [NAME ...] [--quick]``, the names those of `PARTS`.

Everything is measured side by side in one process and printed with the machine; without names, all of them. What
compares with other methods (`RIVALS`) needs the extra ``bench``; with ``--quick`` it runs in tiny settings.
"""

from __future__ import annotations

import os
import platform
import sys

from benchmarks import law, loops, particles, practice, size, speed, transfer

PARTS = {"particles": particles.report, "speed": speed.report, "size": size.report, "law": law.report}
RIVALS = {"practice": practice.report, "transfer": transfer.report, "loops": loops.report}


def main() -> None:
    """Run the benchmarks named on the command line."""
    quick = "--quick" in sys.argv[1:]
    known = RIVALS if quick else PARTS | RIVALS
    names = [name for name in sys.argv[1:] if name != "--quick"] or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"Unknown benchmark {unknown[0]!r}; the known ones are {', '.join(known)}.")
    print(f"Machine: {platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}")
    for name in names:
        print()
        RIVALS[name](quick) if name in RIVALS else PARTS[name]()


main()
