"""Estimates from 16 networks beside their prediction, against plain ensembles."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import isthmus as im
from benchmarks.ensembles import named, risks

RUNS, PLAIN = 16, 1000
NETWORKS = ((64, 0.02, 4), (200, 0.02, 4), (800, 0.02, 4), (400, 0.0, None), (200, 0.2, 1))


def report() -> None:
    """Print how much variance the prediction takes away, and what the estimates are off by."""
    curve = im.Data(im.manifold_stream(6, 1, seed=3).draw(48, 0).points, center=True, scale="total")
    times = np.linspace(0, 4, 11)
    kinds: dict[str, dict[str, Any]] = {
        "tanh": {},
        "tanh, momentum 0.5": {"optimizer": im.Momentum(0.5)},
        "ReLU": {"activation": "relu"},
        "Adam at rates 0.3": {"optimizer": im.Adam(batch_size=4), "encoder_rate": 0.3, "decoder_rate": 0.3},
    }
    print(
        f"{RUNS} networks less their own predicted fluctuation, beside {PLAIN:,} plain ones (curve in R^6, k=1, t ≤ 4)"
    )
    for name, options in kinds.items():
        law = im.aligned_law(curve, 1, activation=options.get("activation", "tanh"))
        problem = im.Problem(curve, law, **options)
        path = im.solve_mean_field(problem, times, particles=2048, snapshot_times=())
        predicted = im.predict_finite_width(problem, times, path=path, particles=512, samples=8)
        only = predicted.only_batches
        for network in (one for one in NETWORKS if not only or (one[1] > 0 and one[2] in only)):
            estimate = partial(im.estimate_finite_width, problem, times, *network, runs=RUNS, law=predicted)
            found, close = estimate(), estimate(influence="surrogate")
            risk = risks(problem, times, network, PLAIN, name)
            std, gaps = risk.std(axis=0, ddof=1), np.abs(risk - path.risk).max(axis=1)
            z = (found.mean - risk.mean(axis=0)) / np.hypot(std / np.sqrt(PLAIN), found.error)
            quantiles = (
                f"{value:.4f} ± {error:.4f} ({np.quantile(gaps, level):.4f})"
                for level in (0.5, 0.9)
                for value, error in [found.gap_quantile(level)]
            )
            print(
                f"  {name:18} {named(network)}: variance ÷ {found.variance_ratio:.1f} "
                f"(÷ {close.variance_ratio:.1f} by a regression), mean "
                f"max |z| {np.abs(z).max():.1f}, std/plain {(found.std / std).mean():.2f}, median and 90 % quantile "
                f"{', '.join(quantiles)}",
                flush=True,
            )
