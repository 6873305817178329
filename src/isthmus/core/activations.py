"""Activation functions φ with the derivatives φ′ and φ″ that the mean-field equations need."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf
from jax.scipy.stats import norm

from isthmus import _checks
from isthmus._precision import computing_in
from isthmus.core.derivatives import Derivative, Elementwise, check_elementwise, check_symmetry, misfit

LEFT_OUT: Any = None
"""What stands in a field until it is found."""
VARIANCES = 256
"""Variances at which a mean slope is computed together: they take 3 MB in double precision."""
VALUES = 1 << 15
"""Numbers at which φ or a derivative is computed together."""
LEAK = 0.01
"""The slope of leaky ReLU at negative preactivations, as everywhere."""


@dataclass(frozen=True)
class Activation:
    """An activation φ: R → R with its first two derivatives, and what is known of its symmetry.

    Args:
        name: the name it is shown under.
        value: φ, elementwise on JAX arrays of any shape.
        first, second: φ′ and φ″; by automatic differentiation of φ where they are left out.
        odd: φ(−s) = −φ(s).
        homogeneous: φ(cs) = cφ(s) for c > 0, so that each neuron conserves |outgoing|² − |incoming|² − bias².
        smooth: φ′ is continuous, so that the flow can be linearised. Where it is left out it is found, and all that is
            said of φ is checked on [−8, 8]; with ``smooth`` all is taken as it is said.

    Raises:
        ArgumentError: where φ jumps or isn't finite, or derivatives or symmetries aren't those of φ.

    Example:
        >>> import isthmus as im
        >>> import jax, jax.numpy as jnp
        >>> swish = im.Activation("swish", jax.nn.silu)
        >>> round(float(swish.first(jnp.array(0.0))), 6), swish.smooth
        (0.5, True)
        >>> im.Activation("bent", lambda s: jnp.maximum(s, 0.1 * s)).smooth
        False

    """

    name: str
    value: Elementwise
    first: Elementwise = LEFT_OUT
    second: Elementwise = LEFT_OUT
    odd: bool = False
    homogeneous: bool = False
    smooth: bool = LEFT_OUT

    def __post_init__(self) -> None:
        _checks.instance("name", self.name, str)
        for name, below in (("value", None), ("first", "value"), ("second", "first")):
            if below and getattr(self, name) is None:
                object.__setattr__(self, name, Derivative(getattr(self, below)))
            _checks.function(name, getattr(self, name))
        for name in ("odd", "homogeneous"):
            _checks.flag(name, getattr(self, name))
        if self.smooth is None:
            object.__setattr__(self, "smooth", self._examined())
        _checks.flag("smooth", self.smooth)

    def _examined(self) -> bool:
        """Check what is said of φ, and return whether φ′ is continuous."""
        for name in ("value", "first", "second"):
            check_elementwise(name, getattr(self, name))
        if self.odd:
            check_symmetry("odd", lambda s: (self.value(-s), -self.value(s)))
        if self.homogeneous:
            check_symmetry("homogeneous", lambda s: (self.value(2 * s), 2 * self.value(s)))
        found = misfit(self.value, self.first)
        if found is not None:
            name, rule = ("value", "be continuous") if found.is_jump else ("first", "be the derivative of 'value'")
            _checks.refuse(name, rule, _checks.described(f"not at {found.place:.3g}"))
        found = misfit(self.first, self.second)
        if found is not None and not found.is_jump:
            _checks.refuse("second", "be the derivative of 'first'", _checks.described(f"not at {found.place:.3g}"))
        return found is None

    def __repr__(self) -> str:
        return f"Activation({self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy one that has a name by its name: functions can't always be pickled."""
        if ACTIVATIONS.get(self.name) is self:
            return _named, (self.name,)
        return type(self), tuple(getattr(self, field.name) for field in dataclasses.fields(self))

    def mean_slope(self, variance: np.ndarray | float) -> np.ndarray:
        """Return E φ′(s) for s ~ N(0, ``variance``), elementwise, by quadrature of the Gaussian.

        The rule is uniform in the standard normal: spectrally accurate for smooth φ, and exact for the step of ReLU,
        since no node falls on it.
        """
        variances = np.asarray(variance, dtype=float)
        slopes = _in_blocks(lambda block: _mean_slopes(self, block), np.sqrt(variances).ravel(), VARIANCES)
        return slopes.reshape(variances.shape)

    def of(self, values: Any, order: Literal[0, 1, 2] = 0) -> Any:
        """Return φ, φ′ or φ″ of ``values`` by its ``order``, elementwise, in their own precision.

        NumPy arrays give NumPy arrays, and all others JAX arrays.
        """
        function = (self.value, self.first, self.second)[order]
        if not isinstance(values, np.ndarray):
            return function(values)
        evaluated = _in_blocks(lambda block: _elementwise(function, block), np.ravel(values), VALUES)
        return evaluated.reshape(np.shape(values))


def _in_blocks(function: Callable[[np.ndarray], Any], values: np.ndarray, size: int) -> np.ndarray:
    """Return a function of numbers that is compiled once: for blocks of one size, the last of them filled up."""
    filled = np.pad(values, (0, -len(values) % size))
    with computing_in(values.dtype):
        blocks = [np.asarray(function(block)) for block in filled.reshape(-1, size)]
    return np.concatenate(blocks)[: len(values)]


@partial(jax.jit, static_argnums=0)
def _elementwise(function: Elementwise, values: Any) -> jax.Array:
    return function(values)


@partial(jax.jit, static_argnums=0)
def _mean_slopes(activation: Activation, deviations: Any) -> jax.Array:
    nodes = np.linspace(-8.5, 8.5, 1360)
    weights = np.exp(-(nodes**2) / 2)
    return activation.first(deviations[:, None] * nodes[None, :]) @ (weights / weights.sum())


_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)  # a Python number, which takes the precision of what it multiplies


def _tanh_slope(s: jax.Array) -> jax.Array:
    return 1 - jnp.square(jnp.tanh(s))


def _sigmoid_slope(s: jax.Array) -> jax.Array:
    return jax.nn.sigmoid(s) * (1 - jax.nn.sigmoid(s))


def _erf_slope(s: jax.Array) -> jax.Array:
    return _TWO_OVER_ROOT_PI * jnp.exp(-jnp.square(s))


ACTIVATIONS: dict[str, Activation] = {
    activation.name: activation
    for activation in (
        Activation("tanh", jnp.tanh, _tanh_slope, lambda s: -2 * jnp.tanh(s) * _tanh_slope(s), True, smooth=True),
        Activation("erf", erf, _erf_slope, lambda s: -2 * s * _erf_slope(s), True, smooth=True),
        Activation(
            "relu",
            lambda s: jnp.maximum(s, 0),
            lambda s: (s > 0).astype(s.dtype),
            jnp.zeros_like,
            homogeneous=True,
            smooth=False,
        ),
        Activation(
            "leaky_relu",
            lambda s: jnp.where(s > 0, s, LEAK * s),
            lambda s: jnp.where(s > 0, jnp.ones_like(s), jnp.full_like(s, LEAK)),
            jnp.zeros_like,
            homogeneous=True,
            smooth=False,
        ),
        Activation("softplus", jax.nn.softplus, jax.nn.sigmoid, _sigmoid_slope, smooth=True),
        Activation(
            "gelu",
            lambda s: s * norm.cdf(s),
            lambda s: norm.cdf(s) + s * norm.pdf(s),
            lambda s: (2 - jnp.square(s)) * norm.pdf(s),
            smooth=True,
        ),
        Activation(
            "sigmoid",
            jax.nn.sigmoid,
            _sigmoid_slope,
            lambda s: _sigmoid_slope(s) * (1 - 2 * jax.nn.sigmoid(s)),
            smooth=True,
        ),
        Activation("linear", lambda s: s, jnp.ones_like, jnp.zeros_like, odd=True, homogeneous=True, smooth=True),
    )
}
"""The activations that have a name. ``erf`` is erf(s) itself; ``gelu`` is the exact sΦ(s)."""


def _named(name: str) -> Activation:
    return ACTIVATIONS[name]


def activation_pair(
    activation: str | Activation | tuple[str | Activation, str | Activation],
) -> tuple[Activation, Activation]:
    """Return the activations of encoder and decoder from one name, one `Activation`, or a pair of either."""
    pair = activation if isinstance(activation, tuple | list) else (activation, activation)
    if len(pair) != 2:
        _checks.refuse("activation", "be one activation or a pair (encoder, decoder)", activation)
    encoder, decoder = (
        phi if isinstance(phi, Activation) else ACTIVATIONS[_checks.choice("activation", phi, ACTIVATIONS)]
        for phi in pair
    )
    return encoder, decoder
