"""Where the predicted law warns, and where it is off: its rule held against ensembles of many problems."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

import isthmus as im
from benchmarks.ensembles import Network, named, risks

RUNS = 500
LEVELS = (0.5, 0.9)
RECORDS = 11
FAR, NEAR = 0.1, 0.05
"""Errors of standard deviation or quantile from which on a law is off, and up to which it is right."""


class Setting(NamedTuple):
    """A problem with the networks (width, step size, batch size) that are trained."""

    name: str
    problem: im.Problem
    horizon: float
    networks: tuple[Network, ...]


def settings() -> Iterator[Setting]:
    """Yield activations × data × horizons."""
    shapes = {"curve": (6, 1, 3, 48), "surface": (8, 2, 5, 48)}
    for (shape, (dim, latent_dim, seed, count)), activation, horizon in product(
        shapes.items(), ("tanh", "erf", "relu"), (4.0, 16.0)
    ):
        points = im.manifold_stream(dim, latent_dim, seed=seed).draw(count, 0).points
        data = im.Data(points, center=True, scale="total")
        problem = im.Problem(data, im.aligned_law(data, latent_dim, activation=activation), activation)
        networks = ((64, 0.0, None), (400, 0.0, None), (100, 0.1, 4), (800, 0.2, 1), (1600, 0.02, 1))
        yield Setting(f"{activation}, {shape}, T={horizon:g}", problem, horizon, networks)


def measured(law: im.FiniteWidthLaw, problem: im.Problem, network: Network, name: str) -> dict:
    """Return what the law says of a network beside what an ensemble of it does."""
    predicted, risk = law.at(*network), risks(problem, law.times, network, RUNS, name)
    std, gaps = risk.std(axis=0, ddof=1), np.abs(risk - law.path.risk).max(axis=1)
    kernel = np.sum([np.diagonal(noise.kernel) for noise in predicted.noises.values()], axis=0)
    resampled = gaps[np.random.default_rng(0).integers(RUNS, size=(1000, RUNS))]
    return {
        "network": network,
        "std": std.tolist(),
        "predicted_std": predicted.std.tolist(),
        "kernel": kernel.tolist(),
        "shift": predicted.shift.tolist(),
        "mean": (risk.mean(axis=0) - law.path.risk).tolist(),
        "quantiles": np.quantile(gaps, LEVELS).tolist(),
        "quantile_errors": np.quantile(resampled, LEVELS, axis=1).std(axis=1).tolist(),
        "predicted_quantiles": [predicted.gap_quantile(level) for level in LEVELS],
        "warning": predicted.warning,
    }


def errors(case: dict) -> tuple[float, float]:
    """Return the largest relative error of the standard deviation over times, and that of the quantiles.

    What chance makes of ``RUNS`` runs, some 3 % of a standard deviation and 5 % of a quantile, is taken off in squares.
    """
    std, predicted = np.array(case["std"]), np.array(case["predicted_std"])
    noise = 1 / np.sqrt(2 * RUNS)
    ratios = np.sqrt(np.maximum(((predicted / std - 1) ** 2) - noise**2, 0))
    found, by_chance = np.array(case["quantiles"]), np.array(case["quantile_errors"])
    apart = np.sqrt(np.maximum((np.array(case["predicted_quantiles"]) - found) ** 2 - by_chance**2, 0)) / found
    return float(np.sqrt(np.mean(ratios**2))), float(apart.max())


def report(out: str | None = None) -> None:
    """Print for each case the errors and whether the law warns, and what the rule gets right."""
    found: list[dict] = []
    for setting in settings():
        times = np.linspace(0, setting.horizon, RECORDS)
        # A finer tolerance takes more than 20,000 steps from kink to kink.
        path = im.solve_mean_field(setting.problem, times, particles=2048, rtol=1e-4, snapshot_times=())
        law = im.predict_finite_width(setting.problem, times, path=path, particles=512, samples=32)
        for network in setting.networks:
            case = {"problem": setting.name} | measured(law, setting.problem, network, setting.name)
            found.append(case)
            by_std, by_quantile = errors(case)
            said = "warns" if case["warning"] else "quiet"
            print(
                f"{setting.name:24} {named(network)}: std off {100 * by_std:3.0f} %, "
                f"quantiles {100 * by_quantile:3.0f} %, {said}",
                flush=True,
            )
            if out:
                Path(out).write_text(json.dumps(found), encoding="utf-8")
    worst = [max(errors(case)) for case in found]
    off = [bool(case["warning"]) for case, error in zip(found, worst, strict=True) if error > FAR]
    right = [not case["warning"] for case, error in zip(found, worst, strict=True) if error <= NEAR]
    print(
        f"Of {len(off)} cases off by more than {100 * FAR:g} % it warns in {sum(off)}; of {len(right)} within "
        f"{100 * NEAR:g} % it is quiet in {sum(right)}."
    )
