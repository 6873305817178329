"""A trained network at other widths: wider ones compute the same, narrower ones nearly so.

Run it from anywhere: ``python examples/resizing.py [FOLDER]``; it writes ``resizing.png`` there (half a minute).
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

import isthmus as im


def main(folder: Path, width: int = 256, horizon: float = 60.0) -> dict[int, im.Resized]:
    """Train one network, resize it, and draw what the risk becomes, beside neurons drawn at random from its own."""
    data = im.load_data("wine")
    problem = im.Problem(data, latent_dim=2)
    network = im.train(problem, [horizon], width, 0.1, batch_size=8).at(horizon)
    made = {n: im.resize(network, n, data) for n in (4, 8, 16, 32, 64, 128, 256, 512)}
    for n, one in made.items():
        print(f"N = {n}: risk {one.risk_after:.4f}, of neurons drawn at random {one.drawn_risk:.4f}")

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    ax = figure.subplots()
    ax.semilogx(list(made), [one.risk_after for one in made.values()], "o-", label="resized")
    ax.semilogx(list(made), [one.drawn_risk for one in made.values()], "s--", label="drawn at random, expected")
    ax.axhline(made[width].risk_before, color="gray", linewidth=0.8, label=f"the network of width {width}")
    ax.set(xlabel="width N", ylabel="risk ½E‖x − x̂‖²", xticks=list(made), xticklabels=list(made))
    ax.set_xticks([], minor=True)
    ax.legend()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "resizing.png", dpi=150)
    return made


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
