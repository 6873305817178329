"""Time and peak memory against particles and points; each size in a process of its own, whose peak is its own."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time

import numpy as np

PARTICLES, FEW_POINTS = (1 << 16, 1 << 18, 1 << 20), 256
POINTS, FEW_PARTICLES = (1024, 4096, 16384), 1 << 13


def peak() -> float:
    """Return the peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)


def solve(particles: int, points: int) -> tuple[float, float, float]:
    """Return the state and the peak above the start in MiB, and the seconds of a second solve."""
    import isthmus as im

    data = im.Data(im.gaussian_stream(np.linspace(1, 0.1, 64)).draw(points, 0).points, center=True, scale="total")
    problem = im.Problem(data, im.aligned_law(data, 2))
    before = peak()
    options = {"replicates": 1, "dtype": "float32", "rtol": 1e-3, "integrator": "low_memory", "snapshot_times": ()}
    im.solve_mean_field(problem, [0.0, 0.02], particles=particles, **options)
    state = 2 * particles * (data.span.shape[1] + 2 + 2) * 4 / 2**20
    above = peak() - before
    start = time.perf_counter()
    im.solve_mean_field(problem, [0.0, 0.02], particles=particles, **options)
    return state, above, time.perf_counter() - start


def report() -> None:
    """Print peak memory over the state, and fitted exponents of the time."""
    context = multiprocessing.get_context("spawn")
    print("Peak memory and time of a short path (low-memory integrator, d=64, k=2, float32)")

    def one(particles: int, points: int) -> tuple[float, float, float]:
        with context.Pool(1) as pool:
            state, above, spent = pool.apply(solve, (particles, points))
        print(
            f"  {particles:9,d} particles, {points:6,d} points: state {state:4.0f} MiB, peak {above:5.0f} MiB above "
            f"the start ({above / state:4.1f} times), {spent:5.1f} s"
        )
        return state, above, spent

    by_particles = [one(count, FEW_POINTS) for count in PARTICLES]
    by_points = [one(FEW_PARTICLES, count) for count in POINTS]
    exponent = lambda sizes, runs: np.polyfit(np.log(sizes), np.log([run[2] for run in runs]), 1)[0]
    slope = (by_particles[-1][1] - by_particles[0][1]) / (by_particles[-1][0] - by_particles[0][0])
    print(f"  memory grows by {slope:.1f} times the particles' own; ", end="")
    print(
        f"time goes as particles^{exponent(PARTICLES, by_particles):.2f} and points^{exponent(POINTS, by_points):.2f}"
    )
