"""Networks follow their limit: how the gap falls with the width and the step size, and of which parts it is made.

Run it from anywhere: ``python examples/tracking.py [FOLDER]``; it writes three pictures there (about a minute).
"""

import sys
from pathlib import Path

import isthmus as im


def main(folder: Path, runs: int = 32, particles: int = 256) -> im.TrackingResult:
    """Train networks of several widths beside the limit, say at which rate they approach it, and draw."""
    study = im.TrackingStudy(
        data={"source": "wine"}, widths=[16, 64, 256, 1024], step_sizes=[0.2, 0.05], horizon=6.0, records=10,
        runs=runs, flow_runs=runs, particles=particles, law_particles=128, law_samples=16,
    )  # fmt: skip
    result = im.track(study)
    print(result.answer(), *result.verdicts(), sep="\n")
    drawn = result.figures()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("sup_gap", "gap_parts", "step_gap"):
        drawn[name].savefig(folder / f"{name}.png", dpi=150)
    return result


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
