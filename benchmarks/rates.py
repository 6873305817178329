"""How fast finite networks come to the optimum over measures: ReLU and tanh, one latent and two."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import isthmus as im
from benchmarks.plain import markdown

ACTIVATIONS = ("relu", "tanh")
DIMENSIONS = {1: 4, 2: 6}
"""The dimension of the data for each number of latents."""
WIDTHS = (1, 2, 4, 8, 16, 32)
HEAD = ["problem", "optimum", "excess", *(f"N = {width}" for width in WIDTHS), "exponent", "none from", "C_D", "C_E"]


def studies() -> Iterator[im.ExpressivityStudy]:
    """Yield the studies of the table: points on a curve and on a surface."""
    for k, activation in itertools.product(DIMENSIONS, ACTIVATIONS):
        yield im.ExpressivityStudy.model_validate(
            {
                "data": {"source": "manifold", "dim": DIMENSIONS[k], "points": 64, "seed": 3, "scale": "total"},
                "law": {"latent_dim": k},
                "activation": activation,
                "weight_decay": 0.01,
                "widths": WIDTHS,
                "restarts": 2,
                "tolerance": 1e-6,  # far below the gaps that are looked at
            }
        )


def row(study: im.ExpressivityStudy) -> list[str]:
    """Return the row of a study: gaps of the best trained networks relative to the optimum, and their exponent."""
    result = im.expressivity_curve(study)
    values, rate, closed = result.dataset.attrs, result.rate, result.closed_from
    missed = result.gap.min() < -study.closeness * values["objective"]
    excess = max(values["decoder_gap"], values["encoder_descent"]) / values["objective"]
    return [
        f"k = {study.problem.latent_dim}, {study.activation}",
        f"{values['objective']:.5f}",
        f"{excess:.0e}",
        *(f"{gap / values['objective']:.1e}" for gap in result.gap),
        "too few gaps" if rate is None else f"{rate.value:.2f} ({rate.lower:.2f} to {rate.upper:.2f})",
        "optimum missed" if missed else "–" if closed is None else str(closed),
        f"{values['decoder_constant']:.3g}",
        f"{values['encoder_constant']:.3g}",
    ]


def report() -> None:
    """Print the table."""
    print(
        "By how much the best trained network of width N lies above the optimum, relative to it; 'excess' is what the"
    )
    print("certificate leaves open. A network drawn from the optimum pays (C_D + C_E)/N in risk on average.\n")
    rows = []
    for study in studies():
        rows.append(row(study))
        print(" | ".join(rows[-1]), flush=True)
    print("\n" + markdown(HEAD, rows))
