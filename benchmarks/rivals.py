"""The methods that ``python -m benchmarks practice`` compares, each from rows to their reconstructions."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple, Protocol

import numpy as np
from sklearn.decomposition import PCA, KernelPCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor

import isthmus as im
from benchmarks.library import installed, library_autoencoder, library_reconstructed
from benchmarks.plain import optimizers, plain_autoencoder, reconstructed, risk, train_plain, train_while_better

LARGEST_KERNEL = 5000
"""Rows of a data set above which kernel PCA, which takes the cube of their number, is left out."""


class Budget(NamedTuple):
    """What the rivals are trained with, and arguments of the estimator, which has none as it comes."""

    width: int = 512
    steps: int = 2000
    batch_size: int = 32
    most_steps: int = 10_000  # of what stops early
    library_steps: int = 4000
    every: int = 100
    patience: int = 20
    watched: float = 0.1
    ours: dict[str, Any] = {}  # noqa: RUF012


class Method(Protocol):
    """Fits to the points in training, and returns x̂ of these and of those held out."""

    def __call__(
        self, training: np.ndarray, held_out: np.ndarray, k: int, seed: int, budget: Budget
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the reconstructions of both."""
        ...


def by_pca(training, held_out, k, seed, budget):
    """PCA."""
    model = PCA(k, random_state=seed).fit(training)
    return tuple(model.inverse_transform(model.transform(points)) for points in (training, held_out))


def by_kernel_pca(training, held_out, k, seed, budget):
    """KernelPCA with the γ and the penalty of nine that are best on the points held out, which favours it."""
    found = []
    for gamma in (0.25, 1.0, 4.0):
        for penalty in (1.0, 0.1, 0.01):
            gamma_here = gamma / training.shape[1]
            model = KernelPCA(
                k, kernel="rbf", gamma=gamma_here, alpha=penalty, fit_inverse_transform=True, random_state=seed
            ).fit(training)
            both = tuple(model.inverse_transform(model.transform(points)) for points in (training, held_out))
            found.append((risk(held_out, both[1]), both))
    return min(found, key=lambda pair: pair[0])[1]


def by_regressor(training, held_out, k, seed, budget):
    """MLPRegressor of x on x, whose bottleneck has a tanh of its own; as many passes as make the number of steps."""
    passes = max(1, round(budget.steps * budget.batch_size / len(training)))
    model = MLPRegressor(
        hidden_layer_sizes=(budget.width, k, budget.width),
        activation="tanh",
        batch_size=min(budget.batch_size, len(training)),
        max_iter=passes,
        n_iter_no_change=passes + 1,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it has the budget of the others
        model.fit(training, training)
    return model.predict(training), model.predict(held_out)


def by_torch(training, held_out, k, seed, budget, activation="Tanh"):
    """Plain autoencoder of torch, by Adam at 1e-3."""
    network = plain_autoencoder(training.shape[1], budget.width, k, seed, activation)
    rows = np.random.default_rng(seed).integers(len(training), size=(budget.steps, budget.batch_size))
    train_plain(network, optimizers()["Adam"](network.parameters(), 1e-3), training, rows)
    return reconstructed(network, training), reconstructed(network, held_out)


def by_torch_relu(training, held_out, k, seed, budget):
    """Plain autoencoder of torch about ReLU."""
    return by_torch(training, held_out, k, seed, budget, "ReLU")


def by_torch_stopped(training, held_out, k, seed, budget):
    """Plain autoencoder of torch for longer, but stopped early by points set apart from those in training."""
    fitted, watched = train_test_split(training, test_size=budget.watched, random_state=seed)
    network = plain_autoencoder(training.shape[1], budget.width, k, seed)
    rows = np.random.default_rng(seed).integers(len(fitted), size=(budget.most_steps, budget.batch_size))
    adam = optimizers()["Adam"](network.parameters(), 1e-3)
    train_while_better(network, adam, fitted, rows, watched, budget.every, budget.patience)
    return reconstructed(network, training), reconstructed(network, held_out)


def by_library(training, held_out, k, seed, budget):
    """Autoencoder of pythae, stopped early likewise; `benchmarks.library` says why this one."""
    model = library_autoencoder(training, k, seed, budget.library_steps, budget.batch_size, budget.watched)
    return library_reconstructed(model, training), library_reconstructed(model, held_out)


def by_isthmus(training, held_out, k, seed, budget):
    """MeanFieldAutoencoder as it comes; where it diverges, what is infinitely wrong."""
    try:
        model = im.MeanFieldAutoencoder(k, random_state=seed, **budget.ours).fit(training)
    except im.NumericalError:
        return np.full_like(training, np.inf), np.full_like(held_out, np.inf)
    return tuple(model.inverse_transform(model.transform(points)) for points in (training, held_out))


LINEAR, TANH, OURS = "PCA", "torch tanh", "MeanFieldAutoencoder"
KERNEL, LIBRARY = "KernelPCA", "pythae"
METHODS: dict[str, Method] = {
    LINEAR: by_pca,
    KERNEL: by_kernel_pca,
    "MLPRegressor": by_regressor,
    TANH: by_torch,
    "torch ReLU": by_torch_relu,
    "torch stopped": by_torch_stopped,
    LIBRARY: by_library,
    OURS: by_isthmus,
}
RIVALS = (LINEAR, TANH, "torch ReLU", "torch stopped")
"""Those whose best is what the estimator has to be as good as."""


def left_out(title: str, rows: int) -> str | None:
    """Return why a method isn't tried on a table of so many rows, if so."""
    if title == KERNEL and rows > LARGEST_KERNEL:
        return f"{KERNEL} takes the cube of the number of rows, and is left out above {LARGEST_KERNEL:,d}"
    if title == LIBRARY and not installed():
        return f"{LIBRARY} isn't installed"
    return None
