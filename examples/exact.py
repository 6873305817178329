"""The limit where it is known exactly: linear autoencoders, whose moments obey a closed system.

Run it from anywhere: ``python examples/exact.py [FOLDER]``; it writes ``exact.png`` there (half a minute).
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import isthmus as im


def main(folder: Path, tolerances: tuple[float, ...] = (1e-3, 1e-5, 1e-7)) -> np.ndarray:
    """Solve with long and short time steps beside the closed system, draw, and return errors and their estimates.

    Particles whose moments are matched have no other error here.
    """
    data = im.load_data("wine")
    problem = im.Problem(data, im.aligned_law(data, latent_dim=2, activation="linear", bias_scale=0.0))
    times = np.linspace(0.0, 12.0, 25)
    exact = im.linear_closure(problem, times)
    paths = [im.solve_mean_field(problem, times, particles=32, replicates=2, rtol=rtol) for rtol in tolerances]

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    paths[-1].plot(ax=left)
    left.plot(times, exact, "--", label="closed system")
    left.axhline(data.pca_risk(2), color="gray", linewidth=0.8, label="PCA")
    left.legend()
    found = []
    for index, (rtol, path) in enumerate(zip(tolerances, paths, strict=True)):
        error, color = np.abs(path.risk - exact), f"C{index}"
        found.append((error.max(), path.risk_error.max()))
        print(f"time steps of tolerance {rtol:g}: error {error.max():.1e}, estimated {path.risk_error.max():.1e}")
        right.semilogy(times[1:], error[1:], color=color, label=f"error, tolerance {rtol:g}")
        right.semilogy(times[1:], path.risk_error[1:], "--", color=color, label="as estimated")
    right.set(xlabel="time t", ylabel="error of R(t)")
    right.legend(fontsize=7)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "exact.png", dpi=150)
    return np.array(found)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
