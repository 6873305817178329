"""A start that infinitely wide networks never leave, and finite ones leave after a time that grows as ln N.

Run it from anywhere: ``python examples/saddle.py [FOLDER]``; it writes ``saddle.png`` there (about a minute).
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import isthmus as im


def main(folder: Path, runs: int = 16) -> im.Saddle:
    """Find the growth rate about the dead law, watch networks escape, and draw both."""
    data = im.load_data("wine")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", im.TrivialLimitWarning)  # which is the point here
        problem = im.Problem(data, im.independent_law(data.dim, 2))
    saddle = im.saddle(problem, neurons=1024).calibrated()
    print(saddle)
    times = np.linspace(0.0, 2.0 * saddle.escape_time(1024), 60)
    networks = [im.gradient_flow(problem, times, width, runs=runs) for width in (16, 1024)]

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.axhline(data.pca_risk(0), color="black", label="mean field R(t), which stands still")
    for one, color in zip(networks, ("tab:cyan", "tab:purple"), strict=True):
        lines = left.plot(times, one.risk.T, color=color, linewidth=0.8)
        lines[0].set_label(f"N = {one.width[0]:,}, {runs} networks by gradient flow")
    left.set(xlabel="time t", ylabel="risk ½E‖x − x̂‖²")
    left.legend(fontsize="small")
    saddle.plot(ax=right)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "saddle.png", dpi=150)
    return saddle


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
