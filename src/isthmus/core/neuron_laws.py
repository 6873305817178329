"""Laws of one neuron: Gaussian ones, by their covariance or by how one weight follows from the other; sampled ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike
from scipy.linalg import block_diag

from isthmus import _checks
from isthmus._precision import DOUBLE
from isthmus.core.covariance import RELATIVE_ROUNDING, covariance_factor
from isthmus.core.neurons import NeuronMeasure

LARGEST_COVARIANCE = 2048
"""Entries of a neuron beyond which no covariance of them all is made."""


class NeuronLaw(ABC):
    """A probability law of one neuron (outgoing ∈ R^outputs, incoming ∈ R^inputs, bias ∈ R)."""

    outputs: int
    inputs: int

    @abstractmethod
    def sample(self, key: jax.Array, count: int) -> NeuronMeasure:
        """Return the uniform measure on ``count`` neurons drawn by ``key``, in JAX's precision of the moment."""


class GaussianNeurons(NeuronLaw):
    """The Gaussian law of the joint vector (outgoing, incoming, bias) ∈ R^(outputs + inputs + 1).

    Args:
        outputs: dimension of the outgoing weight (k for an encoder, d for a decoder).
        inputs: dimension of the incoming weight (d for an encoder, k for a decoder).
        mean: shape (outputs + inputs + 1,); 0 if left out.
        covariance: shape (outputs + inputs + 1,) twice; the identity if left out. It may be singular: a zero row
            and column switches a parameter off (no biases, for example).

    Example:
        >>> import isthmus as im
        >>> im.GaussianNeurons(outputs=2, inputs=64).number_of_normals
        67

    """

    def __init__(
        self, outputs: int, inputs: int, mean: ArrayLike | None = None, covariance: ArrayLike | None = None
    ) -> None:
        self.outputs = _checks.integer("outputs", outputs, minimum=1)
        self.inputs = _checks.integer("inputs", inputs, minimum=1)
        size = self.outputs + self.inputs + 1
        larger = "outputs" if self.outputs > self.inputs else "inputs"
        _checks.memory(larger, getattr(self, larger), 8 * size**2)
        self.mean = np.zeros(size) if mean is None else _checks.array("mean", mean, (size,), DOUBLE)
        self.covariance = (
            np.eye(size) if covariance is None else _checks.array("covariance", covariance, (size, size), DOUBLE)
        )
        self._factor = covariance_factor("covariance", self.covariance)

    def __repr__(self) -> str:
        return f"GaussianNeurons(outputs={self.outputs}, inputs={self.inputs})"

    @property
    def number_of_normals(self) -> int:
        """How many standard normals `from_normals` turns into one neuron."""
        return len(self.mean)

    def from_normals(
        self, normals: Float[Array, "N p"], factor: Float[np.ndarray, "p p"] | None = None
    ) -> NeuronMeasure:
        """Map standard normals, shape (N, outputs + inputs + 1), to the uniform measure on N neurons.

        ``factor`` replaces the factor of the covariance by another one, which says which normal drives what.
        """
        factor = self._factor if factor is None else factor
        dtype = normals.dtype
        joint = normals @ jnp.asarray(factor.T, dtype) + jnp.asarray(self.mean, dtype)[None, :]
        return NeuronMeasure(
            masses=jnp.full(len(joint), 1 / len(joint), dtype),
            outgoing=joint[:, : self.outputs],
            incoming=joint[:, self.outputs : -1],
            bias=joint[:, -1],
        )

    def in_axes(
        self,
        outgoing: Float[np.ndarray, "outputs r"] | None = None,
        incoming: Float[np.ndarray, "inputs s"] | None = None,
    ) -> GaussianNeurons:
        """Return the law of the coordinates of the weights along orthonormal axes.

        With fewer axes than dimensions it is the marginal law of these coordinates.

        Args:
            outgoing: the axes of outgoing weights, in the columns of an array; by default the unit vectors.
            incoming: the axes of incoming weights, likewise.

        """
        blocks = [
            np.eye(size) if axes is None else axes.T
            for size, axes in ((self.outputs, outgoing), (self.inputs, incoming), (1, None))
        ]
        matrix = np.asarray(block_diag(*blocks))
        return GaussianNeurons(
            len(blocks[0]), len(blocks[1]), mean=matrix @ self.mean, covariance=matrix @ self.covariance @ matrix.T
        )

    def factor_leading(self, leading: Literal["outgoing", "incoming"]) -> Float[np.ndarray, "p p"]:
        """Return a factor of the covariance whose first normals drive the weight named, the next the bias."""
        order = np.arange(self.number_of_normals)
        v, w, b = order[: self.outputs], order[self.outputs : -1], order[-1:]
        order = np.concatenate([v, b, w] if leading == "outgoing" else [w, b, v])
        return covariance_factor("covariance", self.covariance, np.eye(len(order))[:, order])

    def sample(self, key: jax.Array, count: int) -> NeuronMeasure:
        """Return the uniform measure on ``count`` neurons drawn by ``key``, in JAX's precision of the moment."""
        return self.from_normals(jax.random.normal(key, (count, self.number_of_normals)))

    def second_moments(self) -> np.ndarray:
        """Return E (v, w)(v, w)ᵀ of (outgoing, incoming), without the bias."""
        return (self.covariance + np.outer(self.mean, self.mean))[:-1, :-1]

    @property
    def outgoing_is_noise(self) -> bool:
        """Whether the outgoing weight has mean 0 and is independent of (incoming, bias)."""
        cross = self.covariance[: self.outputs, self.outputs :]
        return not cross.any() and not self.mean[: self.outputs].any()

    @property
    def bias_variance(self) -> float:
        """The variance of the bias."""
        return float(self.covariance[-1, -1])

    @property
    def outgoing_variance(self) -> float:
        """The sum of the variances of the outgoing weight's entries."""
        return float(np.trace(self.covariance[: self.outputs, : self.outputs]))

    def outgoing_outside_is_noise(self, basis: Float[np.ndarray, "outputs r"]) -> bool:
        """Whether the outgoing weight orthogonal to axes, (outputs, r), is centred and independent of all else."""
        covariance, mean = self.covariance[: self.outputs], self.mean[: self.outputs]
        outside = covariance - basis @ (basis.T @ covariance)
        outside[:, : self.outputs] = outside[:, : self.outputs] @ basis @ basis.T
        variance = float(np.abs(self.covariance).max())
        size = max(np.sqrt(variance), np.abs(mean).max())
        is_independent = np.abs(outside).max() <= RELATIVE_ROUNDING * variance
        return bool(is_independent and np.abs(mean - basis @ (basis.T @ mean)).max() <= RELATIVE_ROUNDING * size)

    def drawn_outside(
        self, basis: Float[np.ndarray, "inputs r"], start: NeuronMeasure, random: np.random.Generator
    ) -> Float[np.ndarray, "N inputs"]:
        """Draw what incoming weights have orthogonal to axes, given the rest of each neuron, shape (N, inputs).

        Args:
            basis: orthonormal axes in columns, shape (inputs, r).
            start: the neurons, with the coordinates of their incoming weights along the axes, shape (N, r).
            random: of the draws.

        """
        outside = completed(basis)[:, basis.shape[1] :]
        if outside.shape[1] == 0:
            return np.zeros((start.width, self.inputs))
        law, size = self.in_axes(incoming=np.concatenate([basis, outside], axis=1)), outside.shape[1]
        silent = np.arange(law.outputs + law.inputs - size, law.outputs + law.inputs)
        acting = np.delete(np.arange(law.number_of_normals), silent)
        slope = law.covariance[np.ix_(silent, acting)] @ np.linalg.pinv(law.covariance[np.ix_(acting, acting)])
        rest = law.covariance[np.ix_(silent, silent)] - slope @ law.covariance[np.ix_(acting, silent)]
        joint = np.column_stack([start.outgoing, start.incoming, start.bias])
        normals = random.standard_normal((len(joint), size))
        draws = law.mean[silent] + (joint - law.mean[acting]) @ slope.T
        return (draws + normals @ covariance_factor("covariance", (rest + rest.T) / 2).T) @ outside.T


class LinearNeurons(GaussianNeurons):
    """The Gaussian law of (v, w, b) with v = S w + ν ξ and independent w ~ N(0, σ²), b ~ N(0, β²), ξ ~ N(0, 1).

    It is a `GaussianNeurons` whose covariance, (outputs + inputs + 1)², is only made where somebody asks for it, so
    that weights may have a million entries.

    Args:
        slope: S, shape (outputs, inputs).
        scales: σ, ν and β.

    """

    def __init__(self, slope: np.ndarray, scales: tuple[float, float, float]) -> None:
        self.outputs, self.inputs = slope.shape
        self.mean = np.zeros(sum(slope.shape) + 1)
        self._slope, self._scales = slope, scales

    @cached_property
    def covariance(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The covariance, shape (outputs + inputs + 1,) twice."""
        _checks.memory("law", self, 8 * len(self.mean) ** 2)
        incoming, noise, bias = self._scales
        return _covariance(self._slope, np.full(self.inputs, incoming**2), noise, bias)

    @cached_property
    def _factor(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        return covariance_factor("covariance", self.covariance)

    def from_normals(
        self, normals: Float[Array, "N p"], factor: Float[np.ndarray, "p p"] | None = None
    ) -> NeuronMeasure:
        """Map standard normals, shape (N, outputs + inputs + 1), to the uniform measure on N neurons."""
        if factor is not None:
            return super().from_normals(normals, factor)
        incoming, noise, bias = self._scales
        w = incoming * normals[:, self.outputs : -1]
        v = noise * normals[:, : self.outputs] + w @ jnp.asarray(self._slope.T, normals.dtype)
        masses = jnp.full(len(normals), 1 / len(normals), normals.dtype)
        return NeuronMeasure(masses, v, w, bias * normals[:, -1])

    def in_axes(
        self,
        outgoing: Float[np.ndarray, "outputs r"] | None = None,
        incoming: Float[np.ndarray, "inputs s"] | None = None,
    ) -> GaussianNeurons:
        """Return the law of the coordinates of the weights along orthonormal axes, in the columns of (d, r) arrays."""
        slope = self._slope if outgoing is None else outgoing.T @ self._slope
        inside = slope if incoming is None else slope @ incoming
        outputs, inputs = inside.shape
        _checks.memory("law", self, 8 * (outputs + inputs + 1) ** 2)
        sigma, noise, bias = self._scales
        covariance = _covariance(inside, np.full(inputs, sigma**2), noise, bias)
        covariance[:outputs, :outputs] += sigma**2 * (slope @ slope.T - inside @ inside.T)  # what follows w outside
        return GaussianNeurons(outputs, inputs, covariance=covariance)

    @property
    def outgoing_is_noise(self) -> bool:
        """Whether the outgoing weight is independent of (incoming, bias)."""
        return not self._slope.any() or self._scales[0] == 0

    @property
    def bias_variance(self) -> float:
        """The variance of the bias."""
        return self._scales[2] ** 2

    @property
    def outgoing_variance(self) -> float:
        """The sum of the variances of the outgoing weight's entries."""
        return self._scales[0] ** 2 * float((self._slope**2).sum()) + self.outputs * self._scales[1] ** 2

    def outgoing_outside_is_noise(self, basis: Float[np.ndarray, "outputs r"]) -> bool:
        """Whether the part of the outgoing weight orthogonal to axes, (outputs, r), is independent of all else."""
        outside = self._slope - basis @ (basis.T @ self._slope)
        return bool(np.abs(outside).max() <= RELATIVE_ROUNDING * np.abs(self._slope).max())

    def drawn_outside(
        self, basis: Float[np.ndarray, "inputs r"], start: NeuronMeasure, random: np.random.Generator
    ) -> Float[np.ndarray, "N inputs"]:
        """Draw the parts of incoming weights orthogonal to axes, (inputs, r), given the rest of each neuron."""
        outside = self._slope - (self._slope @ basis) @ basis.T
        if np.abs(outside).max() > RELATIVE_ROUNDING * np.abs(self._slope).max():  # the outgoing weight depends on it
            return super().drawn_outside(basis, start, random)
        normals = random.standard_normal((start.width, self.inputs))
        return self._scales[0] * (normals - (normals @ basis) @ basis.T)


def _covariance(
    slope: Float[np.ndarray, "outputs inputs"], variances: Float[np.ndarray, " inputs"], noise: float, bias: float
) -> Float[np.ndarray, "p p"]:
    """Return the covariance of (v, w, b) with v = slope w + noise, for incoming weights of these variances."""
    outputs, inputs = slope.shape
    covariance = np.zeros((outputs + inputs + 1,) * 2)
    cross = slope * variances
    covariance[:outputs, :outputs] = cross @ slope.T + noise**2 * np.eye(outputs)
    covariance[:outputs, outputs:-1] = cross
    covariance[outputs:-1, :outputs] = cross.T
    covariance[outputs:-1, outputs:-1] = np.diag(variances)
    covariance[-1, -1] = bias**2
    return covariance


def linear_neurons(
    slope: Float[np.ndarray, "outputs inputs"], variances: Float[np.ndarray, " inputs"], noise: float, bias: float
) -> GaussianNeurons:
    """Return the Gaussian law of (v, w, b) with v = slope w + noise, by its covariance unless that is large.

    Args:
        slope: shape (outputs, inputs).
        variances: of the entries of w, shape (inputs,).
        noise: standard deviation of the noise of each entry of v.
        bias: standard deviation of b.

    """
    size = sum(slope.shape)
    if size > LARGEST_COVARIANCE and np.ptp(variances) == 0:
        return LinearNeurons(slope, (float(np.sqrt(variances[0])), noise, bias))
    _checks.memory("data", _checks.described(f"of {max(slope.shape):,} columns"), 8 * (size + 1) ** 2)
    return GaussianNeurons(*slope.shape, covariance=_covariance(slope, variances, noise, bias))


def completed(basis: Float[np.ndarray, "d r"]) -> Float[np.ndarray, "d d"]:
    """Return an orthonormal basis of the whole space that begins with the given one."""
    rest = np.linalg.svd(basis, full_matrices=True)[0][:, basis.shape[1] :]
    return np.concatenate([basis, rest], axis=1)


@dataclass(frozen=True)
class SampledNeurons(NeuronLaw):
    """A law given by its own sampler.

    Args:
        sampler: ``sampler(key, n)`` returns (outgoing, incoming, bias) of n independent neurons, of shapes
            (n, outputs), (n, inputs) and (n,), written with JAX.
        outputs, inputs: dimensions of the outgoing and the incoming weight.

    Such a law is drawn from at random only: Sobol' points need `GaussianNeurons`.

    Example:
        >>> import isthmus as im
        >>> import jax
        >>> def signs(key, n):
        ...     s = jax.random.rademacher(key, (n, 3)).astype(float)
        ...     return s[:, :1], s, 0 * s[:, 0]
        >>> im.SampledNeurons(signs, outputs=1, inputs=3).outputs
        1

    """

    sampler: Callable[[jax.Array, int], tuple[jax.Array, jax.Array, jax.Array]]
    outputs: int
    inputs: int

    def __repr__(self) -> str:
        name = getattr(self.sampler, "__name__", type(self.sampler).__name__)
        return f"SampledNeurons({name}, outputs={self.outputs}, inputs={self.inputs})"

    def __post_init__(self) -> None:
        _checks.function("sampler", self.sampler)
        _checks.integer("outputs", self.outputs, minimum=1)
        _checks.integer("inputs", self.inputs, minimum=1)

    def sample(self, key: jax.Array, count: int) -> NeuronMeasure:
        """Return the uniform measure on ``count`` neurons drawn by ``key``, in JAX's precision of the moment.

        Raises:
            ArgumentError: where the sampler returns something else.

        """
        drawn = _checks.called("sampler", lambda: [jnp.asarray(part, float) for part in self.sampler(key, count)])
        if len(drawn) != 3:
            what = _checks.described(f"one that returns {len(drawn)}")
            _checks.refuse("sampler", "return three arrays (outgoing, incoming, bias)", what)
        outgoing, incoming, bias = drawn
        shapes = (outgoing.shape, incoming.shape, bias.shape)
        wanted = ((count, self.outputs), (count, self.inputs), (count,))
        if shapes != wanted:
            _checks.refuse("sampler", f"return arrays of shapes {wanted}", _checks.described(f"of shapes {shapes}"))
        return NeuronMeasure(jnp.full(count, 1 / count), outgoing, incoming, bias)
