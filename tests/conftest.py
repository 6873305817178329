"""Strict numerics for every test: no silent change of type, no silent broadcast."""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # most of the suite is compilation

import jax
import numpy as np
import pytest

from isthmus._precision import computing_in

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def double():
    """Double precision for the length of a test."""
    with computing_in(np.dtype(np.float64)):
        yield
