"""Compress images of digits to two numbers each, look at the plane of latents, and draw digits from it.

Run it from anywhere: ``python examples/digits.py [FOLDER]``; it writes ``digits.png`` there (about ten seconds).
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import isthmus as im


def main(folder: Path) -> im.MeanFieldAutoencoder:
    """Fit, print what was gained over PCA on images that were held out, and draw."""
    images, labels = load_digits(return_X_y=True)
    train, test, _, test_labels = train_test_split(images, labels, test_size=0.25, random_state=0, stratify=labels)
    model = im.MeanFieldAutoencoder(n_components=2, random_state=0).fit(train)
    print(model.chosen_)
    pca = 1 - 2 * model.pca_risk_
    print(f"share of the variance in two numbers: {model.score(train):.3f}, by PCA {pca:.3f}")
    print(f"on images held out:                   {model.score(test):.3f}")
    latents = model.transform(test)

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    plane, grid = figure.subplots(1, 2)
    shown = plane.scatter(*latents.T, c=test_labels, cmap="tab10", vmin=-0.5, vmax=9.5, s=12)
    figure.colorbar(shown, ax=plane, ticks=range(10), label="digit")
    plane.set(title="Images held out, in two numbers", xlabel="first latent", ylabel="second latent")
    levels = [np.quantile(axis, np.linspace(0.03, 0.97, 12)) for axis in latents.T]
    places = np.array([(z1, z2) for z2 in levels[1][::-1] for z1 in levels[0]])
    drawn = np.pad(model.inverse_transform(places).reshape(12, 12, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    grid.imshow(drawn.transpose(0, 2, 1, 3).reshape(120, 120), cmap="gray_r", vmin=0, vmax=16)
    grid.set(title="What the plane decodes to", xticks=[], yticks=[])
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "digits.png", dpi=150)
    print(f"picture: {folder / 'digits.png'}")
    return model


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
