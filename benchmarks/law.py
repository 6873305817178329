"""The predicted law of finite networks against ensembles of 500 runs: std, quantiles of the sup-gap, mean shift."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

import isthmus as im
from benchmarks.ensembles import Network, named, risks

RUNS = 500
LEVELS = (0.5, 0.9, 0.95)


class Case(NamedTuple):
    """A problem with its horizon, the networks that are simulated, and the particles and samples of the law."""

    problem: im.Problem
    horizon: float
    networks: tuple[Network, ...]
    particles: int = 1024
    samples: int = 32


def reduced(data: im.Data, dim: int) -> im.Data:
    """Return the leading principal components."""
    return im.Data(data.points @ data.principal_directions[:, :dim], center=True, scale="total")


def cases() -> Iterator[tuple[str, Case]]:
    """Yield problems with several activations and optimizers, k = 1 and 2, on made and real data."""
    curve = im.Data(im.manifold_stream(6, 1, seed=3).draw(64, 0).points, center=True, scale="total")
    made = lambda name, **options: im.Problem(curve, im.aligned_law(curve, 1, activation=name), name, **options)
    networks = ((200, 0.02, 4), (800, 0.02, 4), (800, 0.0, None))
    yield "tanh, curve in d=6, k=1", Case(made("tanh"), 8.0, networks)
    yield "ReLU, curve", Case(made("relu"), 4.0, ((400, 0.02, 4), (1600, 0.02, 4), (1600, 0.0, None)), 512)
    yield "tanh, curve, momentum 0.5", Case(made("tanh", optimizer=im.Momentum(0.5)), 8.0, networks[:2], 512)
    adam = made("tanh", optimizer=im.Adam(batch_size=4), encoder_rate=0.3, decoder_rate=0.3)
    yield "tanh, curve, Adam at rates 0.3", Case(adam, 4.0, ((800, 0.01, 4),), 512)
    noisy = made("tanh", temperature=0.002)
    yield "tanh, curve, temperature 0.002", Case(noisy, 4.0, ((800, 0.02, 4),), 4096, 16)
    surface = im.Data(im.manifold_stream(8, 2, seed=5).draw(64, 0).points, center=True, scale="total")
    erf = im.Problem(surface, im.aligned_law(surface, 2, activation="erf"), "erf")
    yield "erf, surface in d=8, k=2", Case(erf, 10.0, ((400, 0.02, 4), (1600, 0.02, 4), (1600, 0.0, None)))
    digits = im.load_data("digits", max_points=200)
    components = reduced(digits, 10)
    networks = ((512, 0.05, 8), (2048, 0.05, 8), (2048, 0.0, None))
    for name, data in (("digits in 10 components", components), ("digits d=64", digits)):
        yield f"tanh, {name}, k=2", Case(im.Problem(data, im.aligned_law(data, 2)), 20.0, networks)
    erf = im.Problem(digits, im.aligned_law(digits, 1, activation="erf"), "erf")
    yield "erf, digits d=64, k=1", Case(erf, 20.0, ((512, 0.02, 8), (2048, 0.02, 8), (2048, 0.05, 1)))


def compare(law: im.FiniteWidthLaw, problem: im.Problem, network: Network, name: str) -> str:
    """Return one line of the table."""
    risk, predicted = risks(problem, law.times, network, RUNS, name), law.at(*network)
    std = risk.std(axis=0, ddof=1)
    late = law.times > 0
    ratio = predicted.std[late] / std[late]
    gaps = np.abs(risk - law.path.risk).max(axis=1)
    cells = []
    random = np.random.default_rng(0)
    for level in LEVELS:
        measured = float(np.quantile(gaps, level))
        resampled = np.quantile(gaps[random.integers(RUNS, size=(1000, RUNS))], level, axis=1).std()
        ours = predicted.gap_quantile(level)
        within = abs(ours - measured) <= max(0.05 * measured, 2 * resampled)
        cells.append(f"{ours:.5f}/{measured:.5f}±{resampled:.5f}{'' if within else ' !'}")
    error = np.sqrt(std**2 / RUNS + predicted.shift_error**2 + (law.path.risk_error / 2) ** 2)
    z = (risk.mean(axis=0) - predicted.mean) / error
    shift = f"{np.abs(z).max():.1f}"
    left_out = f", the bias by {' and '.join(predicted.unknown_shifts)} left out" if predicted.unknown_shifts else ""
    note = f"  warns: shift {predicted.shift_ratio:.2f} × std{left_out}" if predicted.warning else ""
    rms = float(np.sqrt(np.mean((ratio - 1) ** 2)))
    return (
        f"  {named(network):21s} std {100 * (ratio.mean() - 1):+5.1f} % (rms {100 * rms:4.1f} %)   "
        f"quantiles {'  '.join(cells)}   mean: max |z| {shift}{note}"
    )


def cost() -> None:
    """Print the CPU time of the law beside that of one forward solve, and of the ensembles that it replaces."""
    data = im.load_data("digits", max_points=256)
    aligned, times = im.aligned_law(data, 2), np.linspace(0, 40, 41)[1:]
    problem = im.Problem(data, aligned)

    def timed(call: Callable[[], object]) -> float:
        start = time.process_time()
        call()
        return time.process_time() - start

    def law_of(problem: im.Problem) -> float:
        path = im.solve_mean_field(problem, times, particles=2048, snapshot_times=())
        return timed(lambda: im.predict_finite_width(problem, times, path=path))

    solve = lambda: im.solve_mean_field(problem, times, replicates=1, particles=2048, snapshot_times=(), workers=1)
    solve()  # compiled
    # Besides the path it takes one with finer time steps, which shows their error.
    forward = timed(solve) / 2
    law, with_momentum = law_of(problem), law_of(im.Problem(data, aligned, optimizer=im.Momentum(0.5)))
    print("\nCPU time on digits (256 points, k=2, 40 times up to t=40), compilation of the law included")
    print(
        f"  one forward solve of 2,048 particles {forward:.1f} s; the law {law:.0f} s, {law / forward:.0f} times that; "
        f"with momentum 0.5 {with_momentum:.0f} s, {with_momentum / law:.1f} times the law"
    )
    total, one = 0.0, 0.0
    for width in (64, 128, 256, 512, 1024, 2048):
        for step_size in (0.05, 0.02, 0.01):
            for batch_size in (1, 16):
                how = {"batch_size": batch_size, "snapshot_times": ()}
                run = partial(im.train, problem, times, width, step_size, **how)
                run(runs=2)
                share = timed(partial(run, runs=4)) * RUNS / 4
                total += share
                if (width, step_size, batch_size) == (64, 0.05, 1):
                    one = share
    print(
        f"  {RUNS} runs at each of 6 widths, 3 step sizes and 2 batch sizes: {total:,.0f} s (from 4 runs each), "
        f"{total / law:.0f} times the law; at N=64, ε=0.05, B=1 alone {one:.1f} s, cheaper than the law"
    )


def report() -> None:
    """Print predicted against measured, and what it costs."""
    print(f"Predicted/measured law of the risk, {RUNS} runs: 50/90/95 % quantiles of the sup-gap with standard errors")
    for name, case in cases():
        times = np.linspace(0, case.horizon, 21)
        start = time.perf_counter()
        path = im.solve_mean_field(case.problem, times, particles=4096, snapshot_times=())
        solved = time.perf_counter()
        law = im.predict_finite_width(case.problem, times, path=path, particles=case.particles, samples=case.samples)
        print(f"\n{name}: path {solved - start:.0f} s, law {time.perf_counter() - solved:.0f} s")
        for network in case.networks:
            print(compare(law, case.problem, network, name), flush=True)
    cost()
