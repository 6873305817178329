"""The best that infinite width can do, and what networks of a finite width pay: an excess that falls as 1/N.

Run it from anywhere: ``python examples/optimum.py [FOLDER]``; it writes two pictures there (about a minute).
"""

import sys
from pathlib import Path

import isthmus as im


def main(folder: Path, draws: int = 100, trainings: int = 4) -> im.ExpressivityResult:
    """Find the optimum over measures, with a certificate, draw networks from it and train others."""
    study = im.ExpressivityStudy(
        data={"source": "wine"}, weight_decay=0.01, widths=[1, 2, 4, 8, 16, 32], draws=draws, trainings=trainings,
        atoms=32, restarts=2, starts=512, tolerance=1e-3,
    )  # fmt: skip
    result = im.expressivity_curve(study)
    print(result.answer(), *result.verdicts(), sep="\n")
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in result.figures().items():
        figure.savefig(folder / f"{name}.png", dpi=150)
    return result


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
