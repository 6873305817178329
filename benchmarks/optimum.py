"""How the optimum over measures is found and certified: problems, activations and penalties in one table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import isthmus as im
from benchmarks.plain import markdown

ACTIVATIONS = ("tanh", "relu", "leaky_relu", "gelu")
PENALTIES = (1e-2, 1e-3, 1e-4)
LINEAR_PENALTIES = (1e-9, 1e-6, 1e-4, 1e-2)
RESTARTS = 2
"""Of each search, so that the table says whether they agree."""
HEAD = [
    "problem",
    "activation",
    "penalty",
    "seconds",
    "CPU",
    "objective",
    "gap",
    "descent",
    "decoder",
    "atoms",
    "agree",
]


class Case(NamedTuple):
    """One search: data, latents, activation and penalty."""

    name: str
    data: im.Data
    latent_dim: int
    activation: str
    weight_decay: float


def cases() -> Iterator[Case]:
    """Yield the searches of the table: a curve, digits, wine, and a linear problem whose optimum is known."""
    curve = im.Data(im.manifold_stream(4, 1, seed=3).draw(64, 0).points, center=True, scale="total")
    surface = im.Data(im.manifold_stream(6, 2, seed=1).draw(64, 0).points, center=True, scale="total")
    yield from (Case("linear in R^6", surface, 2, "linear", penalty) for penalty in LINEAR_PENALTIES)
    for activation in ACTIVATIONS:
        yield from (Case("curve in R^4", curve, 1, activation, penalty) for penalty in PENALTIES)
    yield from (Case("wine", im.load_data("wine"), 2, activation, 1e-2) for activation in ACTIVATIONS)
    digits = im.load_data("digits", max_points=128)
    for k in (1, 2):
        yield from (Case("digits, 128 points", digits, k, activation, 1e-2) for activation in ACTIVATIONS)


def row(case: Case) -> list[str]:
    """Return the row of a search: its time, gap and descent relative to the objective, and what they rest on."""
    biases = {"bias_scale": 0.0} if case.activation == "linear" else {}
    law = im.aligned_law(case.data, case.latent_dim, activation=case.activation, **biases)
    problem = im.Problem(case.data, law, case.activation, weight_decay=case.weight_decay)
    begun, worked = time.perf_counter(), time.process_time()
    optimum = im.solve_optimum(problem, restarts=RESTARTS, throw=False)
    seconds, worked, certificate = time.perf_counter() - begun, time.process_time() - worked, optimum.certificate
    return [
        f"{case.name}, k = {case.latent_dim}",
        case.activation,
        f"{case.weight_decay:g}",
        f"{seconds:.0f}",
        f"{worked:.0f}",
        f"{optimum.objective:.6f}",
        f"{certificate.decoder_gap / optimum.objective:.1e}",
        f"{certificate.encoder_descent / optimum.objective:.1e}",
        "proven" if certificate.proven else "searched",
        f"{optimum.atoms[0]} + {optimum.atoms[1]}",
        f"{optimum.agreement} of {RESTARTS}",
    ]


def report() -> None:
    """Print the table, a row as soon as it is known."""
    print("The optimum over measures; gap and descent are relative to the objective, and the tolerance is 1e-5.\n")
    rows = []
    for case in cases():
        rows.append(row(case))
        print(" | ".join(rows[-1]), flush=True)
    print("\n" + markdown(HEAD, rows))
