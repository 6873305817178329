"""Held-out and training risk of Isthmus beside PCA, kernel PCA and plain autoencoders on four data sets."""

from __future__ import annotations

import time
import warnings
from typing import NamedTuple, Protocol

import numpy as np
from sklearn.decomposition import PCA, KernelPCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor

import isthmus as im
from benchmarks.plain import markdown, markdown_row, optimizers, plain_autoencoder, reconstructed, risk, train_plain

HELD_OUT = 0.25


class Settings(NamedTuple):
    """Data sets (how many points at most, k) and the budget of all that is trained; Isthmus's own by default."""

    data: tuple[tuple[str, int | None, int], ...] = (
        ("digits", None, 2),
        ("wine", None, 2),
        ("breast_cancer", None, 2),
        ("mnist", 2000, 8),
    )
    seeds: int = 5
    width: int = 512
    steps: int = 2000
    batch_size: int = 32
    step_size: float = 0.1
    long_step: float = 1.0


QUICK = Settings((("wine", 60, 2),), 2, 8, 4, 8)


class Method(Protocol):
    """Fits to the points in training, and returns x̂ of these and of those held out."""

    def __call__(
        self, training: np.ndarray, held_out: np.ndarray, k: int, seed: int, settings: Settings
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the reconstructions of both."""
        ...


def by_pca(training, held_out, k, seed, settings):
    """PCA."""
    model = PCA(k, random_state=seed).fit(training)
    return tuple(model.inverse_transform(model.transform(points)) for points in (training, held_out))


def by_kernel_pca(training, held_out, k, seed, settings):
    """KernelPCA with scikit-learn's γ = 1/d and the penalty of its way back by default."""
    model = KernelPCA(k, kernel="rbf", fit_inverse_transform=True, random_state=seed).fit(training)
    return tuple(model.inverse_transform(model.transform(points)) for points in (training, held_out))


def by_tuned_kernel_pca(training, held_out, k, seed, settings):
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


def by_regressor(training, held_out, k, seed, settings):
    """MLPRegressor of x on x, whose bottleneck has a tanh of its own; as many passes as make the number of steps."""
    passes = max(1, round(settings.steps * settings.batch_size / len(training)))
    model = MLPRegressor(
        hidden_layer_sizes=(settings.width, k, settings.width),
        activation="tanh",
        batch_size=min(settings.batch_size, len(training)),
        max_iter=passes,
        n_iter_no_change=passes + 1,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it has the budget of the others
        model.fit(training, training)
    return model.predict(training), model.predict(held_out)


def by_torch(training, held_out, k, seed, settings):
    """Plain autoencoder of torch, by Adam at 1e-3."""
    network = plain_autoencoder(training.shape[1], settings.width, k, seed)
    rows = np.random.default_rng(seed).integers(len(training), size=(settings.steps, settings.batch_size))
    train_plain(network, optimizers()["Adam"](network.parameters(), 1e-3), training, rows)
    return reconstructed(network, training), reconstructed(network, held_out)


def by_isthmus(training, held_out, k, seed, settings):
    """MeanFieldAutoencoder as it comes, for as many steps."""
    return _by_estimator(training, held_out, k, seed, settings, settings.step_size)


def by_isthmus_in_long_steps(training, held_out, k, seed, settings):
    """MeanFieldAutoencoder with a longer step and horizon, which follow the gradient flow less closely."""
    return _by_estimator(training, held_out, k, seed, settings, settings.long_step)


def _by_estimator(training, held_out, k, seed, settings, step_size):
    model = im.MeanFieldAutoencoder(
        k,
        width=settings.width,
        step_size=step_size,
        horizon=step_size * settings.steps,
        batch_size=settings.batch_size,
        random_state=seed,
    ).fit(training.astype(np.float32))
    return tuple(model.inverse_transform(model.transform(points.astype(np.float32))) for points in (training, held_out))


METHODS: dict[str, Method] = {
    "PCA": by_pca,
    "KernelPCA (rbf)": by_kernel_pca,
    "KernelPCA, best of 9 held out": by_tuned_kernel_pca,
    "MLPRegressor(X, X)": by_regressor,
    "torch autoencoder": by_torch,
    "MeanFieldAutoencoder": by_isthmus,
    "MeanFieldAutoencoder, step_size=1": by_isthmus_in_long_steps,
}


def split(name: str, max_points: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points in training and held out, centred and scaled by those in training to a mean variance of 1.

    Columns of unlike units (tables) are scaled one by one, images by one number.
    """
    raw = im.load_data(name, max_points, center=False, scale="none").points
    training, held_out = train_test_split(raw, test_size=HELD_OUT, random_state=seed)
    mean, variance = training.mean(axis=0), training.var(axis=0)
    unit = np.sqrt(variance if name in ("wine", "breast_cancer") else variance.mean())
    return (training - mean) / unit, (held_out - mean) / unit


def measured(
    method: Method, name: str, max_points: int | None, k: int, settings: Settings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the risks held out and in training, in units of the training variance, and seconds, one for each seed."""
    found = []
    for seed in range(settings.seeds):
        training, held_out = split(name, max_points, seed)
        variance = float(training.var(axis=0).sum())
        begun = time.perf_counter()
        fitted, predicted = method(training, held_out, k, seed, settings)
        spent = time.perf_counter() - begun
        found.append((risk(held_out, predicted, variance), risk(training, fitted, variance), spent))
    return tuple(np.transpose(found))


def report(quick: bool = False) -> None:
    """Print one table."""
    settings = QUICK if quick else Settings()
    by_torch(*split("wine", None, 0), 1, 0, QUICK)  # what loads on a first call
    print(
        f"Risk ½E‖x − x̂‖² in units of the training variance, mean ± standard deviation over {settings.seeds} splits "
        f"and starts;\n{settings.steps:,d} steps of {settings.batch_size} points at width {settings.width}\n"
    )
    print(markdown(["data", "method", "held out", "training", "seconds"], []), flush=True)
    for name, max_points, k in settings.data:
        for title, method in METHODS.items():
            held_out, training, spent = measured(method, name, max_points, k, settings)
            risks = [f"{part.mean():.4f} ± {part.std(ddof=1):.4f}" for part in (held_out, training)]
            print(markdown_row([f"{name}, k={k}", title, *risks, f"{np.median(spent):.2f}"]), flush=True)
