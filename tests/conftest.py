"""Strict numerics for every test: no silent change of type, no silent broadcast."""

import gc
import mmap
import os
import time
from pathlib import Path

# Tests run in several processes, and the threads of one would wait for those of the other: in processes that are
# started from here, and in this one, where plugins have imported NumPy already. Torch's threads wait by spinning.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import jax
import jaxlib
import numpy as np
import pytest
import threadpoolctl
from jaxtyping import install_import_hook
from slow_groups import GROUPS, MINUTES, SLOW, group_of

CORE = "autoencoder covariance leading masked_pca neuron_laws points principal recorded_times sobol"
SHAPES_STATED = [*(f"isthmus.core.{name}" for name in CORE.split()), "isthmus.dynamics.field"]
install_import_hook(SHAPES_STATED, "shapes.shapes_checked")  # before their import

from isthmus._precision import computing_in  # noqa: E402

threadpoolctl.threadpool_limits(1, user_api="blas")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_traceback_in_locations_limit", 0)  # nobody reads where in Python programs come from

BEGIN = time.monotonic()
gc.disable()  # until all modules are imported


def pytest_addoption(parser):
    about = f"run the slow tests of one of {GROUPS} groups, DAY modulo {GROUPS}, and begin none after {MINUTES} minutes"
    parser.addoption("--slow-group", type=int, metavar="DAY", help=about)


def pytest_report_header(config):
    day = config.getoption("slow_group")
    return None if day is None else f"slow tests: group {day % GROUPS} of {GROUPS}"


QUICK_FOR_SMALL = (
    "--xla_cpu_use_fusion_emitters=false",
    "--xla_cpu_parallel_codegen_split_count=1",
    "--xla_cpu_multi_thread_eigen=false",
)
"""Flags of XLA by which small programs are compiled in little more than half the time, and run without threads."""


def pytest_configure(config):
    """Let fast tests compile without most optimizations, since that is what takes their time; slow ones have them."""
    if config.option.markexpr == "not slow":
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # for processes that tests start
        jax.config.update("jax_disable_most_optimizations", True)
        if "XLA_FLAGS" not in os.environ:  # where it is, it is the user's, or that of the process that started this one
            os.environ["XLA_FLAGS"] = " ".join(flag for flag in QUICK_FOR_SMALL if _is_known_to_xla(flag))


def _is_known_to_xla(flag):
    """Return whether this release of XLA knows a flag, since it would end the process otherwise."""
    library = Path(jaxlib.__file__).with_name("libjax_common.so")
    if not library.exists():
        return False
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(flag.strip("-").partition("=")[0].encode() + b"\0") >= 0


@pytest.hookimpl(tryfirst=True)  # before those that are slow are left out
def pytest_collection_modifyitems(config, items):
    """Keep the slow tests of a group, where one is asked for."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.stash[SLOW] = [item.nodeid for item in slow]
    day = config.getoption("slow_group")
    if day is not None:
        items[:] = [item for item in slow if group_of(item.nodeid) == day % GROUPS]


def pytest_collection_finish():
    """Let the garbage collector pass over what lives as long as the tests, and look at the rest more rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def pytest_runtest_setup(item):
    if item.config.getoption("slow_group") is not None and time.monotonic() - BEGIN > 60 * MINUTES:
        pytest.skip("the time for slow tests is up: another day, or by `pytest -m slow`")


MAPS = Path("/proc/self/maps")
MANY_MAPS = 8_000
"""A process with so many memory maps, of which compiled programs hold several each, takes some 2 GB of memory.

Under Linux it crashes at 65,530 of them.
"""


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


@pytest.fixture(scope="module")
def optimized():
    """Compile with optimizations for the length of a file, whose tests compute for longer than they compile."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def double():
    """Double precision for the length of a test."""
    with computing_in(np.dtype(np.float64)):
        yield
