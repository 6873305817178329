"""The neurons themselves: the measure of the encoder at the start and after training, and the latents it makes.

Run it from anywhere: ``python examples/neurons.py [FOLDER]``; it writes ``neurons.png`` there (half a minute).
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

import isthmus as im


def main(folder: Path, particles: int = 512, horizon: float = 60.0) -> im.MeanFieldPath:
    """Follow the limit, and draw where its neurons are, in the plane of the first two principal directions."""
    data = im.load_data("wine")
    problem = im.Problem(data, latent_dim=2)
    path = im.solve_mean_field(
        problem, [0.0, horizon], particles=particles, replicates=1, snapshot_times=[0.0, horizon]
    )
    print(path, path.encoder, sep="\n")

    figure = Figure(figsize=(11, 4), layout="constrained")
    for ax, time in zip(figure.subplots(1, 2, sharex=True, sharey=True), path.snapshot_times, strict=True):
        path.at(time).encoder.plot(directions=data.principal_directions[:, :2], ax=ax)
        ax.set_title(f"encoder neurons at t = {time:g}")
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "neurons.png", dpi=150)
    return path


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
