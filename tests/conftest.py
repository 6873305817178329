"""Strict numerics for every test: no silent change of type, no silent broadcast."""

import os
from pathlib import Path

# Tests run in several processes, and the threads of one would wait for those of the other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import numpy as np
import pytest

from isthmus._precision import computing_in

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_configure(config):
    """Let fast tests compile without most optimizations, since that is what takes their time; slow ones have them."""
    if config.option.markexpr == "not slow":
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # for processes that tests start
        jax.config.update("jax_disable_most_optimizations", True)


MAPS = Path("/proc/self/maps")
MANY_MAPS = 30_000
"""Every compiled program holds memory maps, of which a process may have 65,530 under Linux before it crashes."""


@pytest.fixture(scope="module", autouse=True)
def few_programs():
    """Forget compiled programs after a file of tests where they have become very many."""
    yield
    if MAPS.exists() and MAPS.read_bytes().count(b"\n") > MANY_MAPS:
        jax.clear_caches()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Let commands keep compiled programs with the other files of this run, and not in the home of the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp().parent / "cache"))
        yield


@pytest.fixture
def double():
    """Double precision for the length of a test."""
    with computing_in(np.dtype(np.float64)):
        yield
