"""Floating-point precision of one computation, chosen without touching JAX's global setting."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal

import jax
import numpy as np

from isthmus import _checks

Precision = Literal["float32", "float64"]
DOUBLE = np.dtype(np.float64)


def floating(name: str, value: object) -> np.dtype:
    """Return the NumPy dtype of the argument ``name``: 'float32' or 'float64'."""
    text = value if isinstance(value, str) else getattr(value, "name", getattr(value, "__name__", value))
    return np.dtype(_checks.choice(name, text, ("float32", "float64")))


def computing_in(dtype: np.dtype) -> AbstractContextManager[object]:
    """Let JAX compute in ``dtype`` in the present thread for the length of a ``with`` block."""
    return jax.enable_x64(dtype == np.float64)
