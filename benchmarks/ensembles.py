"""Ensembles of finite networks, each with a seed of its own."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

import isthmus as im

Network = tuple[int, float, int | None]
"""Width, step size (0 for gradient flow) and batch size."""


def risks(problem: im.Problem, times: np.ndarray, network: Network, runs: int, name: str) -> np.ndarray:
    """Return the risk of many networks, shape (runs, T), by a seed of the ensemble's name and network."""
    width, step_size, batch_size = network
    # Draws of different widths by one seed share neurons, and their errors would be those of one ensemble.
    seed = zlib.crc32(repr((name, network)).encode())
    options: dict[str, Any] = {"runs": runs, "seed": seed, "snapshot_times": ()}
    if step_size > 0:
        return im.train(problem, times, width, step_size, batch_size=batch_size, **options).risk
    return im.gradient_flow(problem, times, width, rtol=1e-4, **options).risk


def named(network: Network) -> str:
    """Return a network in words."""
    width, step_size, batch_size = network
    return f"N={width:5d} " + ("gradient flow" if step_size == 0 else f"ε={step_size:g}, B={batch_size}")
