"""Time of a velocity and of SGD steps against what their matrix products and tanh's cost by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import isthmus as im

SINGLE = np.dtype(np.float32)


def seconds(function: Callable, *arguments: object, repeats: int = 30) -> float:
    """Return the median time of a call, compiled before."""
    jax.block_until_ready(function(*arguments))
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        spent.append(time.perf_counter() - start)
    return float(np.median(spent))


def velocity() -> None:
    """Print the velocity of 2,048 particles on all digits against its roofline."""
    data = im.load_data("digits")
    problem = im.Problem(data, im.aligned_law(data, 2))
    network = jax.tree.map(jnp.asarray, problem.draw(jax.random.key(0), (2048, 2048), SINGLE))
    points, weights = jnp.asarray(data.points, SINGLE), jnp.asarray(data.weights, SINGLE)
    neurons, count, dim, latent_dim = 2048, data.size, data.dim, 2
    spent = seconds(jax.jit(lambda network, x, p: network.velocity(x, p)), network, points, weights)
    product = seconds(jax.jit(lambda w, x: w @ x.T), network.encoder.incoming, points)
    square = jnp.ones((2048, 2048), SINGLE)
    rates = {
        "of the shape (2,048 × 64) (64 × 1,797)": 2 * neurons * count * dim / product,
        "of square matrices (2,048)": 2 * 2048**3 / seconds(jax.jit(lambda a: a @ a), square),
    }
    tanh = 2 * seconds(jax.jit(jnp.tanh), network.encoder.incoming @ points.T)
    operations = 10 * neurons * count * dim + 12 * neurons * count * latent_dim
    print(f"Velocity of 2,048 particles, 1,797 points, d=64, k=2, float32: {1e3 * spent:.1f} ms")
    for name, rate in rates.items():
        bound = operations / rate + tanh
        share = f"{100 * bound / spent:.0f} % of the bound {1e3 * bound:.1f} ms"
        print(f"  {share} at the GEMM rate {name}, {rate / 1e9:.0f} GF/s")


def sgd() -> None:
    """Print the time of SGD steps at several widths and batch sizes."""
    data = im.load_data("digits", max_points=256)
    problem = im.Problem(data, im.aligned_law(data, 2))
    print("SGD, float32, digits (d=64, k=2), one run and four side by side")
    for width, batch_size, steps in ((64, 1, 20_000), (256, 1, 10_000), (1024, 1, 4_000), (4096, 32, 400)):
        batch = jnp.ones((batch_size, 64), SINGLE)
        weights, activity = jnp.ones((width, 64), SINGLE), jnp.ones((width, batch_size), SINGLE)
        # The products of one step in their own shapes: W xᵀ and C rᵀ, φ r and φ′ x, and φᵀ C.
        alone = (
            2 * seconds(jax.jit(lambda w, x: w @ x.T), weights, batch, repeats=200)
            + 2 * seconds(jax.jit(lambda p, x: p @ x), activity, batch, repeats=200)
            + seconds(jax.jit(lambda p, w: p.T @ w), activity, weights, repeats=200)
        )
        options = {"batch_size": batch_size, "snapshot_times": ()}
        im.train(problem, [0.01 * steps], width, 0.01, **options)
        spent = []
        for runs in (1, 4):
            start = time.perf_counter()
            im.train(problem, [0.01 * steps], width, 0.01, runs=runs, **options)
            spent.append((time.perf_counter() - start) / steps / runs)
        rate = 10 * width * 64 * batch_size / spent[1] / 1e9
        traffic = 4 * width * (64 + 2 + 1) * 4 / spent[1] / 1e9
        # Calls of a few microseconds can't be timed one by one.
        beside = f"; its products one by one {1e6 * alone:.1f} µs" if batch_size > 1 else ""
        print(
            f"  width {width:5,d}, batch {batch_size:2d}: {1e6 * spent[0]:7.1f} µs a step alone, "
            f"{1e6 * spent[1]:7.1f} µs four at once ({rate:.0f} GF/s, {traffic:.0f} GB/s of weights){beside}"
        )


def report() -> None:
    """Print both."""
    velocity()
    sgd()
