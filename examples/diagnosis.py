"""How an autoencoder stands: its curve beside that of infinite width, its steps, its neurons and latents, in words.

Run it from anywhere: ``python examples/diagnosis.py [FOLDER]``; it writes ``diagnosis.png`` there (half a minute).
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import isthmus as im


def main(folder: Path, width: int = 256, horizon: float = 20.0) -> im.Diagnosis:
    """Fit by the mean-field flow, ask how it stands, and draw the curve with the predicted band."""
    rows = im.load_data("wine").points
    model = im.MeanFieldAutoencoder(2, width=width, horizon=horizon, step_size=0.02, batch_size=32, random_state=0).fit(
        rows
    )
    diagnosis = model.diagnose(rows, particles=128)
    print(diagnosis, repr(diagnosis), sep="\n\n")
    distance = diagnosis.distance
    assert distance is not None and distance.prediction is not None

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    low, high = distance.prediction.band(0.95)
    left.fill_between(distance.times, low, high, alpha=0.2, label="95 % of such networks, predicted")
    left.plot(distance.times, distance.limit, color="black", label="infinite width")
    left.plot(distance.times, distance.curve, "o", markersize=4, label=f"this network, N = {width}")
    left.set(xlabel="time t", ylabel="risk")
    left.legend()
    use = np.asarray(diagnosis.activity.latents)
    right.bar(np.arange(len(use)) + 1, 100 * use)
    right.set(xlabel="principal direction of the latents", ylabel="% of the variance it carries", xticks=[1, 2])
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "diagnosis.png", dpi=150)
    return diagnosis


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
