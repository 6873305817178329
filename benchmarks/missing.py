"""Entries that are taken away at random, and how much of their variance each method finds again."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (which makes the import below possible)
from sklearn.impute import IterativeImputer, KNNImputer

import isthmus as im
from benchmarks.plain import markdown, markdown_row

SHARES = (0.1, 0.3)
SEEDS = 3
DATA: dict[str, tuple[Callable[[], object], int]] = {
    "wine": (load_wine, 2),
    "breast cancer": (load_breast_cancer, 5),
    "digits": (load_digits, 10),
}
"""Each table with the number of components of its bottleneck."""


def found_again(imputed: np.ndarray, table: np.ndarray, hidden: np.ndarray) -> float:
    """Return 1 − Σ(x̂ − x)²/Σ(x − m)² over hidden entries, m the means of those of their column that are left."""
    means = np.nanmean(np.where(hidden, np.nan, table), axis=0)
    return float(1 - ((imputed - table)[hidden] ** 2).sum() / ((table - means)[hidden] ** 2).sum())


def methods(k: int, seed: int) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Yield each method's name and what fills the holes of a table."""

    def autoencoder(holes: np.ndarray) -> np.ndarray:
        model = im.MeanFieldAutoencoder(k, missing="ignore", random_state=seed).fit(holes)
        return model.inverse_transform(model.transform(holes))

    def masked_pca(holes: np.ndarray) -> np.ndarray:
        data = im.Data(holes, center=True, scale="total", missing="ignore")
        return data.restore(data.pca_reconstruction(k))

    yield "MeanFieldAutoencoder", autoencoder
    yield "PCA of what is there", masked_pca
    yield "nearest neighbours", KNNImputer().fit_transform
    yield "regression in turn", IterativeImputer(random_state=seed).fit_transform


def report(quick: bool = False) -> None:
    """Print the share of the hidden entries' variance that each method finds, the mean over tables with other holes."""
    seeds = 1 if quick else SEEDS
    print(f"Share of the hidden entries' variance that is found again, mean of {seeds} draws of holes; means find 0")
    names = [name for name, _ in methods(1, 0)]
    print(markdown(["table", "k", "missing", *names], []))
    for name, (load, k) in list(DATA.items())[: 1 if quick else None]:
        table = np.asarray(load().data, float)  # pyright: ignore[reportAttributeAccessIssue]
        if name != "digits":  # whose columns have one unit
            table = (table - table.mean(axis=0)) / table.std(axis=0)
        for share in SHARES:
            found = []
            for seed in range(seeds):
                hidden = np.random.default_rng(seed).random(table.shape) < share
                holes = np.where(hidden, np.nan, table)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # regression in turn doesn't settle in its 10 rounds
                    filled = [fill(holes) for _, fill in methods(k, seed)]
                found.append([found_again(one, table, hidden) for one in filled])
            cells = (f"{value:.3f}" for value in np.mean(found, axis=0))
            print(markdown_row([name, str(k), f"{100 * share:g} %", *cells]), flush=True)
