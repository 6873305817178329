"""Rates ξ(t) that multiply the velocity: step-size schedules as functions of mean-field time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from isthmus import _checks

Rate = float | Callable[[Any], Any]
"""A constant, or a function of mean-field time written with JAX (an optax schedule serves, its count being time)."""


def check(name: str, rate: Rate) -> Rate:
    """Return the rate, refused where it is not a non-negative number or a function that can be asked at 0."""
    if not callable(rate):
        return _checks.real(name, rate, minimum=0)
    value_at(name, rate, 0.0)
    try:
        jax.eval_shape(rate, jax.ShapeDtypeStruct((), np.float32))
    except Exception:
        hint = "use jax.numpy, as in jnp.where(t < 5, 1.0, 0.1), or an optax schedule"
        _checks.refuse(name, "be a function that JAX can trace", _checks.described("not"), hint)
    return rate


def both_at(rates: tuple[Rate, Rate], time: Any, dtype: Any) -> tuple[jax.Array, jax.Array]:
    """Return ξ_E and ξ_D at a time, as JAX scalars; the time may be traced."""
    encoder, decoder = (jnp.asarray(rate(time) if callable(rate) else rate, dtype) for rate in rates)
    return encoder, decoder


def values(name: str, rate: Rate, times: np.ndarray) -> np.ndarray:
    """Return ξ at each of the times, shape (S,), asking a function once a time."""
    if not callable(rate):
        return np.full(len(times), rate)
    return np.array([value_at(name, rate, float(t)) for t in times])


def value_at(name: str, rate: Callable[[Any], Any], time: float, *, above: float | None = None) -> float:
    """Return the value of a function of time, a number of at least 0."""
    value = _checks.called(name, rate, time)
    if isinstance(value, np.ndarray | jax.Array) and value.ndim == 0:
        value = value.item()
    minimum = 0 if above is None else None
    return _checks.real(f"{name}({time:g})", value, above=above, minimum=minimum)
