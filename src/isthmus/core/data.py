"""Data: weighted points, in the units of the computation and back, or a stream drawn from a population."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, cast

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._precision import DOUBLE, computing_in
from isthmus._words import counted
from isthmus.core.masked_pca import LinearCode, masked_pca
from isthmus.core.points import (
    check_observed,
    check_squares_remain,
    checked_points,
    has_missing,
    ignores_missing,
    normalised_weights,
    square_errors,
)
from isthmus.core.principal import principal_components, second_moments, with_more_directions
from isthmus.core.scaling import SCALES, Scale, Scaling, scaling
from isthmus.core.sobol import matched, sobol_normals
from isthmus.tables.frames import as_table
from isthmus.tables.remarks import warn_of_columns


class Data:
    r"""Weighted points x ∈ R^d, the law P = Σ_i p_i δ_{x_i} over which the risk ½E‖x − x̂‖² is taken.

    Means and units are computed in double precision, from differences, so that a large offset costs no digits. A column
    that doesn't vary, or by rounding alone, is exactly 0 after centring.

    Args:
        points: shape (n, d): an array, a masked array, or a frame of pandas, polars, pyarrow or xarray. float32 and
            float64 keep their type, everything else becomes float64.
        weights: shape (n,), non-negative and not all 0; they are divided by their sum. Uniform if left out.
        center: subtract the (weighted) mean.
        scale: 'none'; 'total' divides all columns by one number so that E‖x − Ex‖² = 1, and the risk of a
            constant reconstruction is ½; 'features' divides each column by its own standard deviation and by
            √d, which also gives E‖x − Ex‖² = 1 where no column is constant; 'robust' does so by the distance between
            its quartiles, in units of that of a normal law. A constant column stays 0.
        missing: 'refuse' entries that are NaN, masked or null, or 'ignore' them: they are left out of the loss, and the
            encoder sees the mean of their column in their place. A `Problem` wants such points centred.
        columns: d different names; those of a frame if left out.
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
        points: object,
        weights: ArrayLike | None = None,
        *,
        center: bool = False,
        scale: Scale = "none",
        missing: Literal["refuse", "ignore"] = "refuse",
        columns: Sequence[str] | None = None,
        labels: ArrayLike | None = None,
        image_shape: tuple[int, int] | None = None,
        name: str = "data",
    ) -> None:
        center = _checks.flag("center", center)
        scale = cast(Scale, _checks.choice("scale", scale, SCALES))
        table = as_table("points", points)
        self.columns = table.columns if columns is None else _matching_names(columns, table.values.shape[1])
        raw = checked_points("points", table.values, ignores_missing(missing), self.columns)
        _checks.finite_squares("points", raw)
        self.weights = normalised_weights("weights", weights, len(raw)).astype(raw.dtype)
        self.name = name
        self.notes = table.notes
        self.labels = table.labels if labels is None else _matching_labels(labels, len(raw))
        self.image_shape = image_shape
        if image_shape is not None:
            _check_image_shape(image_shape, raw.shape[1])
        self.has_missing = has_missing(raw)
        if self.has_missing:
            check_observed("points", raw, self.weights, self.columns)
        self.scaling = self._scaling_of(raw, center, scale)
        self.points = self.scaling.of(raw)
        check_squares_remain("points", self.points)

    def _scaling_of(self, raw: np.ndarray, center: bool, scale: Scale) -> Scaling:
        nothing = Scaling(np.zeros(raw.shape[1]), 1.0)
        if not center and scale == "none":
            return nothing
        units = scaling(raw, self.weights, scale)
        if scale != "none" and units.is_flat:
            described = _checks.described("one point, repeated")
            _checks.refuse("points", f"hold at least two distinct points when scale={scale!r}", described)
        return units if center else nothing._replace(unit=units.unit)

    def __repr__(self) -> str:
        notes = f"; {counted(len(self.notes), 'note')}" if self.notes else ""
        return f"Data({self.name!r}, {self.size} points in {self.dim} dimensions{notes})"

    @property
    def size(self) -> int:
        """The number of points n."""
        return self.points.shape[0]

    @property
    def dim(self) -> int:
        """The dimension d."""
        return self.points.shape[1]

    @property
    def shift(self) -> np.ndarray:
        """What was subtracted from the array this was made from, shape (d,)."""
        return self.scaling.mean

    @property
    def unit(self) -> np.ndarray:
        """What each column was then divided by, shape (d,)."""
        return np.broadcast_to(np.asarray(self.scaling.unit, float), (self.dim,))

    @property
    def filled(self) -> np.ndarray:
        """The points with the mean of their column in the place of missing entries, shape (n, d)."""
        return np.where(np.isnan(self.points), self.mean, self.points) if self.has_missing else self.points

    @cached_property
    def mean(self) -> np.ndarray:
        """E x, shape (d,), of the entries that are there."""
        return self._about_mean.mean.astype(self.points.dtype)

    @cached_property
    def _about_mean(self) -> Scaling:
        return scaling(self.points, self.weights, "none")

    @cached_property
    def covariance(self) -> np.ndarray:
        """E (x − Ex)(x − Ex)ᵀ, shape (d, d), of the filled points."""
        _checks.memory("data", _checks.described(f"of {self.dim:,} columns"), 8 * self.dim**2)
        return second_moments(self.points, self.weights, self._about_mean).astype(self.points.dtype)

    @cached_property
    def _principal(self) -> tuple[np.ndarray, np.ndarray]:
        variances, directions = principal_components(self.points, self.weights, self._about_mean)
        padded = np.zeros(self.dim)
        padded[: len(variances)] = variances
        return padded, directions

    @cached_property
    def span(self) -> np.ndarray:
        """An orthonormal basis of the span of the filled points, shape (d, r), that of largest E⟨v, x⟩² first."""
        squares, directions = principal_components(self.points, self.weights, Scaling(np.zeros(self.dim), 1.0))
        rank = int((squares > 1e-14 * squares[0]).sum())
        return directions[:, : max(rank, 1)]

    @property
    def principal_variances(self) -> np.ndarray:
        """The eigenvalues λ_1 ≥ λ_2 ≥ … of the covariance, shape (d,)."""
        return self._principal[0]

    @property
    def principal_directions(self) -> np.ndarray:
        """The eigenvectors of the covariance in columns, in the same order: d of them, or at most one a point."""
        return self._principal[1]

    @property
    def rank(self) -> int:
        """In how many directions the points vary."""
        return int((self.principal_variances > 1e-12 * self.principal_variances.sum()).sum())

    @property
    def is_centred(self) -> bool:
        """Whether |E x| is below a thousandth of the root mean square distance from the mean."""
        return float(np.linalg.norm(self.mean)) <= 1e-3 * float(np.sqrt(self.principal_variances.sum()))

    def pca(self, latent_dim: int) -> LinearCode:
        """Return PCA of the points about their mean as a linear code; with missing entries, that of `masked_pca`."""
        latent_dim = _checks.integer("latent_dim", latent_dim, 0, self.dim, "the data dimension")
        directions = with_more_directions(self.principal_directions, latent_dim)[:, :latent_dim]
        if not self.has_missing or latent_dim == 0:
            return LinearCode(directions, directions)
        return masked_pca(self._about_mean.precisely(self.points), self.weights.astype(float), directions)

    def pca_risk(self, latent_dim: int) -> float:
        """Return the risk of reconstruction by k principal components, ½ Σ_{i>k} λ_i where nothing is missing."""
        latent_dim = _checks.integer("latent_dim", latent_dim, minimum=0)
        if not self.has_missing:
            return float(self.principal_variances[latent_dim:].sum() / 2)
        errors = square_errors(self.points.astype(float), self.pca_reconstruction(latent_dim))
        return float(self.weights @ errors / 2)

    def pca_reconstruction(self, latent_dim: int) -> np.ndarray:
        """Return the reconstruction of the points by the mean and k principal components, shape (n, d)."""
        latent_dim = _checks.integer("latent_dim", latent_dim, minimum=0)
        return self.mean + self.pca(min(latent_dim, self.dim)).of(self.filled - self.mean)

    def require_complete(self, name: str, what: str) -> None:
        """Refuse missing entries, for ``what`` knows of none; ``name`` is the argument that brought the data.

        Raises:
            ArgumentError: where entries are missing.

        """
        if self.has_missing:
            missing = int(np.isnan(self.points).sum())
            found = _checks.described(f"{missing} of {self.points.size} are missing")
            _checks.refuse(name, f"have data without missing entries for {what}", found, "impute them")

    def restore(self, points: ArrayLike) -> np.ndarray:
        """Return points, shape (n, d), in the units and with the mean of the array this was made from."""
        return self.scaling.undone(np.asarray(points))


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

    def __repr__(self) -> str:
        return f"Stream({self.name!r}, in {self.dim} dimensions)"

    def __post_init__(self) -> None:
        _checks.function("sample", self.sample)
        _checks.integer("dim", self.dim, minimum=1)
        _checks.function("transform", self.transform, optional=True)
        _checks.integer("normals", self.normals, minimum=0 if self.transform is None else 1)

    @classmethod
    def of_normals(cls, transform: Callable[[jax.Array], jax.Array], normals: int, dim: int, name: str) -> Stream:
        """Return the population of the images of standard normals.

        Args:
            transform: takes normals, shape (n, normals), to points, shape (n, dim).
            normals: the number of normals that a point is made of.
            dim: d.
            name: what the population is called.

        """
        return cls(
            lambda key, count: transform(jax.random.normal(key, (count, normals))), dim, name, transform, normals
        )

    def draw(self, count: int, seed: int) -> Data:
        """Return ``count`` independent points as `Data`, drawn by ``seed`` in double precision."""
        count, seed = _checks.integer("count", count, minimum=1), _checks.seed("seed", seed)
        _checks.memory("count", count, 8 * count * self.dim)
        return self._checked(count, lambda: self.sample(jax.random.key(seed), count))

    def quadrature(self, count: int, seed: int) -> Data:
        """Return ``count`` points over which an expectation is taken: Sobol' points where the stream has a transform.

        That needs a power of 2; with another number, or without a transform, it is a random sample, drawn by ``seed``.
        """
        transform = self.transform
        count, seed = _checks.integer("count", count, minimum=1), _checks.integer("seed", seed, minimum=0)
        _checks.memory("count", count, 8 * count * max(self.normals, self.dim))
        if transform is None or count & (count - 1):
            return self.draw(count, seed)
        normals = matched(sobol_normals(self.normals, count, np.random.default_rng(seed)))
        return self._checked(count, lambda: transform(jnp.asarray(normals)))

    def _checked(self, count: int, draw: Callable[[], jax.Array]) -> Data:
        with computing_in(DOUBLE):
            points = np.asarray(draw())
        if points.shape != (count, self.dim):
            shape = _checks.described(f"of shape {points.shape}")
            _checks.refuse("sample", f"return an array of shape ({count}, {self.dim})", shape)
        return Data(_checks.array("sample", points, (count, self.dim), DOUBLE), name=self.name)


def as_data(name: str, value: object) -> Data | Stream:
    """Return `Data` and streams as they are, and anything else that holds points as centred data of total variance 1.

    ``name`` is the argument that is named where it is refused.
    """
    if isinstance(value, Data | Stream):
        return value
    with _checks.renamed("points", name):
        table = as_table("points", value)
        warn_of_columns(name, table.doubts)
        return Data(table, center=True, scale="total")


def as_finite_data(name: str, value: object) -> Data:
    """Return what `as_data` does, or refuse a stream."""
    data = as_data(name, value)
    if not isinstance(data, Data):
        _checks.refuse_type(name, "be Data or points of shape (n, d)", _checks.described("a Stream"))
    return data


def _matching_labels(labels: ArrayLike, count: int) -> np.ndarray:
    try:
        result = np.asarray(labels)
    except Exception:  # asking a stranger's object for its array may raise anything
        _checks.refuse("labels", f"have shape ({count},)", _checks.described("ragged"))
    if result.shape != (count,):
        _checks.refuse("labels", f"have shape ({count},)", _checks.described(f"of shape {result.shape}"))
    return result


def _matching_names(columns: Sequence[str], count: int) -> tuple[str, ...]:
    try:
        names = () if isinstance(columns, str) else tuple(columns)
    except TypeError:
        names = ()
    if len(names) != count or not all(isinstance(name, str) for name in names) or len(set(names)) < count:
        _checks.refuse("columns", f"be {count} different names", columns)
    return names


def _check_image_shape(image_shape: object, pixels: int) -> None:
    rule = "be (rows, columns)"
    if not isinstance(image_shape, tuple | list) or len(image_shape) != 2:
        _checks.refuse_type("image_shape", rule, image_shape)
    rows, columns = (_checks.integer("image_shape", side, minimum=1) for side in image_shape)
    if rows * columns != pixels:
        _checks.refuse("image_shape", f"have {pixels} pixels", image_shape)
