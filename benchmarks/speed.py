"""Time of a velocity, of SGD steps and of flows against what their matrix products and tanh's cost by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import isthmus as im
from isthmus._precision import computing_in
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.flow import flow_settings, integrate

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


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


def integrators() -> None:
    """Print the time of a gradient flow of 128 particles by the package's loop and by diffrax, at 40 recorded times."""
    data = im.load_data("digits", max_points=100)
    problem = im.Problem(data, im.aligned_law(data, 3))
    start, times = problem.particles(128), problem.times(100.0)
    field = VectorField.of(start.population, problem.motion, DOUBLE)
    print("Gradient flow, float64, digits (100 points, k=3), 128 particles, 40 recorded times to t = 100")
    for rtol, theirs in ((1e-6, diffrax.Tsit5()), (1e-3, diffrax.Bosh3())):
        settings = flow_settings(rtol, None, 20_000, DOUBLE)
        ours = partial(lambda settings: integrate(field, start.network, times, settings).risk, settings)
        with computing_in(DOUBLE):
            reference = _by_diffrax(field, start.network, times, theirs, rtol)
            spent = {"ours": [], "diffrax": []}
            for _ in range(5):
                spent["ours"].append(_once(ours))
                spent["diffrax"].append(_once(reference))
            apart = float(np.abs(ours() - np.asarray(reference())).max())
        first, again = (
            {name: of(taken) for name, taken in spent.items()}
            for of in (lambda taken: taken[0], lambda taken: min(taken[1:]))
        )
        print(
            f"  rtol {rtol:g}, {type(theirs).__name__}: {again['ours']:.2f} s, diffrax {again['diffrax']:.2f} s; with "
            f"compilation {first['ours']:.1f} s, diffrax {first['diffrax']:.1f} s; risks differ by {apart:.1e} at most"
        )


def _once(function: Callable) -> float:
    start = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - start


def _by_diffrax(
    field: VectorField, start: im.Autoencoder, times: np.ndarray, method: diffrax.AbstractSolver, rtol: float
) -> Callable:
    """Return a function that solves the same flow with steps that end at the recorded times, and returns the risk."""
    arrays = jax.tree.map(jnp.asarray, start)

    def velocity(time: jax.Array, network: im.Autoencoder, _: None) -> im.Autoencoder:
        moved = field.velocity(network, time)
        return network.with_measures(moved.encoder, moved.decoder)

    @jax.jit
    def solve(network: im.Autoencoder) -> jax.Array:
        control = diffrax.ClipStepSizeController(
            diffrax.PIDController(rtol=rtol, atol=rtol / 100), step_ts=jnp.asarray(times[1:])
        )
        saved = diffrax.SaveAt(ts=jnp.asarray(times), fn=lambda time, network, _: field.risk(network))
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(velocity),  # pyright: ignore[reportArgumentType]
            method,
            0.0,
            float(times[-1]),
            float(times[-1]) / 100,
            network,
            saveat=saved,
            stepsize_controller=control,
            max_steps=20_000,
        )
        return solution.ys  # pyright: ignore[reportReturnType]

    return lambda: solve(arrays)


def report() -> None:
    """Print all of them."""
    velocity()
    sgd()
    integrators()
