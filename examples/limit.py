"""A network's infinite-width limit, finite networks beside it, and what is predicted of them, in four pictures.

Run it from anywhere: ``python examples/limit.py [FOLDER]``; it writes ``limit.png`` there (about a minute).
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

import isthmus as im


def main(folder: Path, particles: int = 256, runs: int = 24) -> im.FiniteWidthLaw:
    """Solve, train, predict, say how wide is wide enough, and draw."""
    data = im.load_data("wine")
    problem = im.Problem(data, latent_dim=2)
    times = problem.times(20.0, step_size=0.1, records=24)
    limit = im.solve_mean_field(problem, times, particles=particles)
    networks = [im.train(problem, times, width, 0.1, batch_size=8, runs=runs) for width in (64, 256)]
    law = im.predict_finite_width(problem, times, particles=particles // 2, samples=8)
    print(limit, *networks, law, sep="\n")
    width = law.width_for(tolerance=0.01, step_size=0.1, batch_size=8)
    print(f"90 % of networks with N = {width:,} stay within 0.01 of the limit")

    figure = Figure(figsize=(11, 8), layout="constrained")
    panels = figure.subplots(2, 2)
    limit.plot(networks, law, ax=panels[0, 0])
    law.plot(64, 0.1, 8, ax=panels[0, 1])
    law.plot_sources(64, 0.1, 8, ax=panels[1, 0])
    law.plot_influence(data, ax=panels[1, 1])
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "limit.png", dpi=150)
    print(f"picture: {folder / 'limit.png'}")
    return law


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
