"""Particles for equal error: random draws, Sobol' points, and Sobol' points in the frame of the data."""

from __future__ import annotations

import numpy as np

import isthmus as im
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.sobol import sobol_normals
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.flow import flow_settings, integrate

DOUBLE = np.dtype(np.float64)
SIZES = (256, 1024, 4096)
REPLICATES = 8
REFERENCE = 1 << 15


def problems() -> dict[str, tuple[im.Problem, np.ndarray]]:
    """Return problems of dimension 6, 24, 64 and 784 with their times."""
    curve = im.Data(im.manifold_stream(6, 1, seed=3).draw(32, 0).points, center=True, scale="total")
    surface = im.Data(im.manifold_stream(24, 3, seed=3).draw(32, 0).points, center=True, scale="total")
    digits, mnist = (im.load_data(name, max_points=96) for name in ("digits", "mnist"))
    sets = {"d=6, k=1": (curve, 1, 20.0), "d=24, k=2": (surface, 2, 20.0)}
    sets |= {"digits, d=64, k=2": (digits, 2, 30.0), "MNIST, d=784, k=2": (mnist, 2, 30.0)}
    return {
        name: (im.Problem(data, im.aligned_law(data, k)), np.linspace(0, horizon, 9))
        for name, (data, k, horizon) in sets.items()
    }


def plain_sobol(problem: im.Problem, times: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the risk with Sobol' points in the order of the parameters, without frame or matched moments."""
    measures = []
    for side, law in enumerate((problem.law.encoder, problem.law.decoder)):
        assert isinstance(law, im.GaussianNeurons)
        normals = sobol_normals(law.number_of_normals, count, np.random.default_rng([seed, side]))
        joint = normals @ np.linalg.cholesky(law.covariance + 1e-14 * np.eye(len(normals[0]))).T + law.mean
        v, w = law.outputs, law.outputs + law.inputs
        measures.append(NeuronMeasure.of(joint[:, :v], joint[:, v:w], joint[:, w]))
    field = VectorField.of(problem.population, problem.motion, DOUBLE)
    return integrate(field, problem.autoencoder(*measures), times, flow_settings(1e-6, None, 20_000, DOUBLE)).risk


def report() -> None:
    """Print sup-errors, slopes, and how many random particles would be as accurate."""
    print(f"Sup-error of R(t), root mean square of {REPLICATES} replicates, and random particles for equal error")
    for name, (problem, times) in problems().items():
        solve = lambda count, rule, seed, problem=problem, times=times: (
            im.solve_mean_field(
                problem, times, particles=count, replicates=1, quadrature=rule, seed=seed, snapshot_times=()
            ).risk
        )
        exact = np.mean([solve(REFERENCE, "sobol", 1000 + seed) for seed in range(4)], axis=0)
        rules = {
            "random": lambda count, seed, solve=solve: solve(count, "iid", seed),
            "Sobol'": lambda count, seed, p=problem, t=times: plain_sobol(p, t, count, seed),
            "Sobol' in the frame, matched": lambda count, seed, solve=solve: solve(count, "sobol", seed),
        }
        print(f"\n{name}")
        print(f"{'':30s}" + "".join(f"{count:>12,d}" for count in SIZES) + f"{'slope':>8s}{'equal to':>34s}")
        constant = np.nan
        for rule, risk in rules.items():
            errors = np.array(
                [
                    np.sqrt(np.mean([np.abs(risk(n, seed) - exact).max() ** 2 for seed in range(REPLICATES)]))
                    for n in SIZES
                ]
            )
            if rule == "random":
                constant = np.exp(np.mean(np.log(errors * np.sqrt(SIZES))))  # error = constant / √N
            slope = np.polyfit(np.log(SIZES), np.log(errors), 1)[0]
            times_as_many = (constant / errors) ** 2 / SIZES
            ratios = ", ".join(f"{ratio:,.0f}" for ratio in times_as_many)
            print(f"{rule:30s}" + "".join(f"{e:12.1e}" for e in errors) + f"{slope:8.2f}   {ratios} × as many")
