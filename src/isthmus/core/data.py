"""Data: weighted points, in the units of the computation and back, or a stream drawn from a population."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._precision import computing_in
from isthmus.core.scaling import spectrum
from isthmus.core.sobol import matched, sobol_normals

Scale = Literal["none", "total", "features"]


class Data:
    r"""Weighted points x ∈ R^d, the law P = Σ_i p_i δ_{x_i} over which the risk ½E‖x − x̂‖² is taken.

    Args:
        points: shape (n, d). float32 and float64 keep their type, everything else becomes float64.
        weights: shape (n,), non-negative and not all 0; they are divided by their sum. Uniform if left out.
        center: subtract the (weighted) mean.
        scale: 'none'; 'total' divides all columns by one number so that E‖x − Ex‖² = 1, and the risk of a
            constant reconstruction is ½; 'features' divides each column by its own standard deviation and by
            √d, which also gives E‖x − Ex‖² = 1 (a constant column stays 0).
        labels: shape (n,), used only to colour latents.
        image_shape: (rows, columns) where a point is an image, used only to draw it.
        name: shown in reports.

    Raises:
        ArgumentError: where an entry isn't finite, or shapes disagree.

    Example:
        >>> import isthmus as im
        >>> data = im.Data([[1.0, 2.0], [3.0, 6.0]], center=True, scale="total")
        >>> data.points.sum(axis=0).tolist(), data.restore(data.points).tolist()
        ([0.0, 0.0], [[1.0, 2.0], [3.0, 6.0]])

    """

    def __init__(
        self,
        points: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        center: bool = False,
        scale: Scale = "none",
        labels: ArrayLike | None = None,
        image_shape: tuple[int, int] | None = None,
        name: str = "data",
    ) -> None:
        raw = _checks.array("points", points, ("n", "d"))
        _checks.finite_squares("points", raw)
        self.weights = _normalised_weights(weights, len(raw), raw.dtype)
        self.name = name
        self.labels = None if labels is None else _matching_labels(labels, len(raw))
        self.image_shape = image_shape
        if image_shape is not None:
            _check_image_shape(image_shape, raw.shape[1])
        center = _checks.flag("center", center)
        mean = self.weights @ raw
        self.shift = mean if center else np.zeros_like(mean)
        self.unit = _unit(raw, self.weights, _checks.choice("scale", scale, ("none", "total", "features")))
        self.points = (raw - self.shift) / self.unit

    def __repr__(self) -> str:
        return f"Data({self.name!r}, {self.size} points in {self.dim} dimensions)"

    @property
    def size(self) -> int:
        """The number of points n."""
        return self.points.shape[0]

    @property
    def dim(self) -> int:
        """The dimension d."""
        return self.points.shape[1]

    @cached_property
    def mean(self) -> np.ndarray:
        """E x, shape (d,)."""
        return self.weights @ self.points

    @cached_property
    def covariance(self) -> np.ndarray:
        """E (x − Ex)(x − Ex)ᵀ, shape (d, d)."""
        centered = self.points - self.mean
        return (centered * self.weights[:, None]).T @ centered

    @cached_property
    def _principal(self) -> tuple[np.ndarray, np.ndarray]:
        return spectrum(self.covariance)

    @cached_property
    def span(self) -> np.ndarray:
        """An orthonormal basis of the span of the points, shape (d, r), the direction of largest E⟨v, x⟩² first."""
        squares, directions = spectrum((self.points * self.weights[:, None]).T @ self.points)
        rank = int((squares > 1e-14 * squares[0]).sum())
        return directions[:, : max(rank, 1)]

    @property
    def principal_variances(self) -> np.ndarray:
        """The eigenvalues λ_1 ≥ λ_2 ≥ … of the covariance, shape (d,)."""
        return self._principal[0]

    @property
    def principal_directions(self) -> np.ndarray:
        """The eigenvectors of the covariance in the columns of a (d, d) array, in the same order."""
        return self._principal[1]

    @property
    def rank(self) -> int:
        """In how many directions the points vary."""
        return int((self.principal_variances > 1e-12 * self.principal_variances.sum()).sum())

    @property
    def is_centred(self) -> bool:
        """Whether |E x| is below a thousandth of the root mean square distance from the mean."""
        return float(np.linalg.norm(self.mean)) <= 1e-3 * float(np.sqrt(self.principal_variances.sum()))

    def pca_risk(self, latent_dim: int) -> float:
        """Return ½ Σ_{i>k} λ_i, the risk of reconstruction by k principal components."""
        latent_dim = _checks.integer("latent_dim", latent_dim, minimum=0)
        return float(self.principal_variances[latent_dim:].sum() / 2)

    def pca_reconstruction(self, latent_dim: int) -> np.ndarray:
        """Return the projection of the points on the mean and k principal directions, shape (n, d)."""
        latent_dim = _checks.integer("latent_dim", latent_dim, minimum=0)
        directions = self.principal_directions[:, :latent_dim]
        return self.mean + (self.points - self.mean) @ directions @ directions.T

    def restore(self, points: ArrayLike) -> np.ndarray:
        """Return points, shape (n, d), in the units and at the place of the array this was made from."""
        return np.asarray(points) * self.unit + self.shift


@dataclass(frozen=True)
class Stream:
    """A population P on R^d from which fresh points are drawn: one-pass stochastic gradient descent.

    Args:
        sample: ``sample(key, n)`` returns n independent points, shape (n, d), written with JAX.
        dim: the dimension d.
        name: shown in reports.
        transform: where the population is the image of standard normals: the map from (n, normals) to (n, d), also
            written with JAX. Expectations are then taken over Sobol' points instead of a random sample.
        normals: how many normals make a point.

    Example:
        >>> import isthmus as im
        >>> import jax
        >>> stream = im.Stream(lambda key, n: jax.random.normal(key, (n, 3)), dim=3)
        >>> stream.draw(5, seed=0).points.shape
        (5, 3)

    """

    sample: Callable[[jax.Array, int], jax.Array]
    dim: int
    name: str = field(default="stream", compare=False)
    transform: Callable[[jax.Array], jax.Array] | None = None
    normals: int = 0

    def __post_init__(self) -> None:
        _checks.function("sample", self.sample)
        _checks.integer("dim", self.dim, minimum=1)
        _checks.function("transform", self.transform, optional=True)
        _checks.integer("normals", self.normals, minimum=0 if self.transform is None else 1)

    @classmethod
    def of_normals(cls, transform: Callable[[jax.Array], jax.Array], normals: int, dim: int, name: str) -> Stream:
        """Return the population of the images of standard normals."""
        return cls(
            lambda key, count: transform(jax.random.normal(key, (count, normals))), dim, name, transform, normals
        )

    def draw(self, count: int, seed: int) -> Data:
        """Return ``count`` independent points as `Data`, drawn in double precision."""
        count, seed = _checks.integer("count", count, minimum=1), _checks.seed("seed", seed)
        _checks.memory("count", count, 8 * count * self.dim)
        return self._checked(count, lambda: self.sample(jax.random.key(seed), count))

    def quadrature(self, count: int, seed: int) -> Data:
        """Return points over which an expectation is taken: Sobol' points where the stream has a transform.

        That needs a power of 2; with another number, or without a transform, it is a random sample.
        """
        transform = self.transform
        count, seed = _checks.integer("count", count, minimum=1), _checks.integer("seed", seed, minimum=0)
        _checks.memory("count", count, 8 * count * max(self.normals, self.dim))
        if transform is None or count & (count - 1):
            return self.draw(count, seed)
        normals = matched(sobol_normals(self.normals, count, np.random.default_rng(seed)))
        return self._checked(count, lambda: transform(jnp.asarray(normals)))

    def _checked(self, count: int, draw: Callable[[], jax.Array]) -> Data:
        with computing_in(np.dtype(np.float64)):
            points = np.asarray(draw())
        if points.shape != (count, self.dim):
            shape = _checks.described(f"of shape {points.shape}")
            _checks.refuse("sample", f"return an array of shape ({count}, {self.dim})", shape)
        return Data(_checks.array("sample", points, (count, self.dim), np.dtype(np.float64)), name=self.name)


def _normalised_weights(weights: ArrayLike | None, count: int, dtype: np.dtype) -> np.ndarray:
    if weights is None:
        return np.full(count, 1 / count, dtype)
    checked = _checks.array("weights", weights, (count,), np.dtype(np.float64))
    with np.errstate(over="ignore"):
        total = checked.sum()
    if checked.min() < 0 or total <= 0:
        described = _checks.described(f"of minimum {checked.min():g} and sum {total:g}")
        _checks.refuse("weights", "be non-negative and not all 0", described)
    if not np.isfinite(total):
        _checks.refuse("weights", "have a finite sum", _checks.described(f"of maximum {checked.max():g}"))
    return (checked / total).astype(dtype)


def _matching_labels(labels: ArrayLike, count: int) -> np.ndarray:
    try:
        result = np.asarray(labels)
    except Exception:  # asking a stranger's object for its array may raise anything
        _checks.refuse("labels", f"have shape ({count},)", _checks.described("ragged"))
    if result.shape != (count,):
        _checks.refuse("labels", f"have shape ({count},)", _checks.described(f"of shape {result.shape}"))
    return result


def _check_image_shape(image_shape: object, pixels: int) -> None:
    rule = "be (rows, columns)"
    if not isinstance(image_shape, tuple | list) or len(image_shape) != 2:
        _checks.refuse_type("image_shape", rule, image_shape)
    rows, columns = (_checks.integer("image_shape", side, minimum=1) for side in image_shape)
    if rows * columns != pixels:
        _checks.refuse("image_shape", f"have {pixels} pixels", image_shape)


def _unit(points: np.ndarray, weights: np.ndarray, scale: str) -> np.ndarray:
    """Return what each column is divided by, shape (d,)."""
    # A column that is constant but for the rounding of its mean has no variance at all.
    varies = np.ptp(points[weights > 0], axis=0) > 0
    variances = np.where(varies, weights @ (points - weights @ points) ** 2, 0)
    if scale == "none":
        return np.ones_like(variances)
    # Either way the squares of the columns then sum to 1.
    variances = np.full_like(variances, variances.sum()) if scale == "total" else variances * len(variances)
    if not variances.any():
        described = _checks.described("the same point throughout")
        _checks.refuse("points", f"differ from one another when scale={scale!r}", described)
    return np.sqrt(np.where(variances > 0, variances, 1))
