"""One pass over fresh points: SGD on a stream, its limit, and the predicted band.

Run it from anywhere: ``python examples/stream.py [FOLDER]``; it writes ``stream.png`` there (about a minute).
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

import isthmus as im


def main(folder: Path, runs: int = 16, particles: int = 256) -> tuple[float, float]:
    """Train on points that never come twice, draw, and return the gap of the widest networks, found and predicted."""
    stream = im.manifold_stream(6, manifold_dim=1)
    law = im.aligned_law(im.Data(stream.draw(512, seed=0).points, center=True), latent_dim=1)
    problem = im.Problem(stream, law, population_points=512)
    times = problem.times(8.0, step_size=0.05, records=12)
    limit = im.solve_mean_field(problem, times, particles=particles)
    predicted = im.predict_finite_width(problem, times, path=limit, particles=particles // 2, samples=8)
    networks = [im.train(problem, times, width, 0.05, batch_size=4, runs=runs) for width in (64, 512)]
    print(limit, *networks, sep="\n")

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    limit.plot(networks, predicted, ax=figure.subplots())
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "stream.png", dpi=150)
    gap = abs(networks[-1].risk - limit.risk).max(axis=1).mean()
    return float(gap), predicted.gap_quantile(0.9, 512, 0.05, 4)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
