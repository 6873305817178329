"""Neurons beside the ideal particles that start where they do: they stay together, the closer the wider the network.

Run it from anywhere: ``python examples/coupling.py [FOLDER]``; it writes ``coupling.png`` there (about a minute).
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import isthmus as im


def main(folder: Path, widths: tuple[int, ...] = (32, 128, 512), runs: int = 8) -> float:
    """Couple networks of several widths, draw, and return the exponent with which the largest distance falls."""
    problem = im.Problem(im.load_data("wine"), latent_dim=2)
    times = problem.times(8.0, records=12)
    coupled = [im.couple(problem, times, width, runs=runs, particles=2048) for width in widths]
    largest = np.array([one.supremum("encoder").mean() for one in coupled])
    exponent = float(np.polyfit(np.log(widths), np.log(largest), 1)[0])
    print(f"The largest mean-square distance of encoder neurons falls as N^({exponent:.2f}).")

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    coupled[1].plot(ax=left)
    right.loglog(widths, largest, "o-", label="largest mean-square distance, encoder")
    right.loglog(widths, largest[0] * widths[0] / np.array(widths), "--", color="gray", label="1/N")
    right.set(xlabel="width N", xticks=widths, xticklabels=widths)
    right.set_xticks([], minor=True)
    right.legend()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "coupling.png", dpi=150)
    return exponent


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
