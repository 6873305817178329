"""Momentum, Adam, weight decay and noise have limits of infinite width too, each beside networks trained so.

Run it from anywhere: ``python examples/optimizers.py [FOLDER]``; it writes ``optimizers.png`` there (about a minute).
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import isthmus as im

WAYS = {
    "momentum": {"optimizer": im.Momentum(memory=2.0)},
    "Adam": {"optimizer": im.Adam(mean_memory=1.0, square_memory=5.0, batch_size=8)},
    "weight decay": {"weight_decay": 0.01},
    "temperature": {"temperature": 1e-3},
}


def main(folder: Path, width: int = 256, runs: int = 8) -> dict[str, float]:
    """Follow each limit, train networks beside it, draw, and return the largest gap of their mean to it."""
    data = im.load_data("wine")
    figure = Figure(figsize=(11, 7), layout="constrained")
    gaps = {}
    for ax, (name, options) in zip(figure.subplots(2, 2).flat, WAYS.items(), strict=True):
        problem = im.Problem(data, latent_dim=2, **options)
        times = np.linspace(0.0, 2.0 if name == "Adam" else 10.0, 21)
        limit = im.solve_mean_field(problem, times, particles=512, replicates=2)
        networks = im.train(problem, times, width, times[-1] / 500, batch_size=8, runs=runs)
        gaps[name] = float(np.abs(networks.risk.mean(axis=0) - limit.risk).max())
        fall = f"R falls from {limit.risk[0]:.3f} to {limit.risk[-1]:.3f}"
        print(f"{name}: {fall}; the mean of {runs} networks is at most {gaps[name]:.4f} off")
        limit.plot(networks, ax=ax)
        ax.set_title(name)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "optimizers.png", dpi=150)
    return gaps


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
