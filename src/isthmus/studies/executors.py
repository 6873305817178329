"""Where jobs can run besides this process: processes on this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import multiprocessing.connection
import os
import platform
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import jax

from isthmus import _checks
from isthmus._errors import WorkerError

LARGEST_CACHE = 1 << 30
"""Bytes of compiled programs that are kept; the oldest go first."""
PATIENCE = 10
"""Seconds in which a cluster must answer."""


@contextlib.contextmanager
def pool_of_processes(workers: int) -> Iterator[Executor]:
    """Yield an executor of so many processes of this machine; on an error or interrupt they are ended at once.

    They are spawned, since a process that has used JAX can't be forked, so the main module of a script that calls this
    needs its ``if __name__ == "__main__"``. Compiled programs are kept between them, and for later runs.
    """
    workers = _checks.integer("workers", workers, minimum=1)
    context = multiprocessing.get_context("spawn")
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        pool.shutdown()


@contextlib.contextmanager
def dask_cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """Yield an executor on the Dask cluster whose scheduler is at an address, and how many jobs it does at once.

    Raises:
        WorkerError: where no scheduler answers there, or it has no workers.
        ArgumentError: where Dask isn't installed.

    """
    try:
        from distributed import Client
    except ImportError:
        hint = "pip install 'isthmus[cluster]'"
        _checks.refuse("dask", "be left out where Dask is not installed", address, hint)
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise WorkerError(f"No Dask scheduler answers at {address!r}: {error}.") from error
    with client:
        cores: dict[str, int] = client.ncores()  # pyright: ignore[reportAssignmentType]
        jobs = sum(cores.values())
        if jobs == 0:
            raise WorkerError(f"The Dask scheduler at {address!r} has no workers.")
        yield client.get_executor(pure=False), jobs


def keep_compiled_programs() -> None:
    """Keep what JAX compiles in this process for later ones, unless JAX has been told where, or not to.

    This changes a setting of JAX, so only processes that are ours call it: the command line, and its workers.
    """
    if jax.config.jax_compilation_cache_dir is not None or not jax.config.jax_enable_compilation_cache:  # pyright: ignore[reportAttributeAccessIssue]
        return
    try:
        folder = _cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # without a home, or one that can be written to, everything is compiled anew
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_compilation_cache_max_size", LARGEST_CACHE)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _cache_folder() -> Path:
    """Return a folder for the programs of this kind of processor, system and release of JAX: no others can run them."""
    kind = [platform.machine(), platform.system(), jax.__version__, platform.processor()]
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text(encoding="utf-8", errors="replace").splitlines()
        kind += sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))})
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / (
        "Library/Caches" if sys.platform == "darwin" else ".cache"
    )
    return Path(home) / "isthmus" / hashlib.sha256("\n".join(kind).encode()).hexdigest()[:16]


def _begin() -> None:
    """Make a process a worker: an interrupt is for the process that sends the jobs, which then ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    keep_compiled_programs()


def _end_with(sentinel: int) -> None:
    """Wait for the process that sends the jobs to end, however it ends, then end this one."""
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
