"""The predicted law of the networks of a study as labelled numbers, and what it says of their noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from isthmus._words import setting
from isthmus.dynamics.parallel import Progress
from isthmus.dynamics.results import MeanFieldPath
from isthmus.studies.contents import Variable, labelled
from isthmus.studies.gaps import GAPS
from isthmus.studies.parts import gap_draws, predicted_parts, predicted_relaxation_time
from isthmus.studies.study import named
from isthmus.studies.tracking import TrackingStudy
from isthmus.theory import prediction as theory
from isthmus.theory.finite_width import predict_finite_width
from isthmus.theory.finite_width_law import FiniteWidthLaw

SOURCES = ("encoder", "decoder", "batches")
SOURCE_NAMES = {source: theory.SOURCES[source][0] for source in SOURCES}
INFLUENCE_NEURONS = 512
"""Neurons of each layer whose influence is kept."""
INFLUENCE_POINTS = 500
"""Points whose influence is kept."""
NETWORKS = ("width", "step_size")
"""Dimensions of what is said of networks trained by SGD."""
LAW = {
    "predicted_mean": Variable((*NETWORKS, "time"), "predicted mean risk of SGD"),
    "predicted_std": Variable((*NETWORKS, "time"), "predicted standard deviation of it"),
    "predicted_flow_mean": Variable(("width", "time"), "predicted mean risk of gradient flow"),
    "predicted_flow_std": Variable(("width", "time"), "predicted standard deviation of it"),
    "source_std": Variable((*NETWORKS, "source", "time"), "predicted standard deviation that one source alone makes"),
    "shift_ratio": Variable(NETWORKS, "mean shift over fluctuation"),
} | {
    f"predicted_{name}_quantile": Variable(
        ("level", *gap.dims), f"predicted quantile of the {gap.what}", optional=name not in ("gap", "flow_gap")
    )
    for name, gap in GAPS.items()
    if name != "step_gap"
}
"""The variables that say what is predicted of the networks of a study."""


def predicted_law(
    study: TrackingStudy, path: MeanFieldPath, workers: int | None, progress: Progress | None
) -> FiniteWidthLaw:
    """Return the law of finite networks of a study's problem, about its mean-field path, without what no file keeps."""
    law = predict_finite_width(
        study.problem,
        study.times,
        path=path,
        particles=study.law_particles,
        samples=study.law_samples,
        seed=study.seed,
        dtype=study.precision,
        workers=workers,
        progress=progress,
    )
    return replace(law, linearised=None)


def law_tables(study: TrackingStudy, law: FiniteWidthLaw) -> dict[str, Any]:
    """Return what a study keeps of a law: variables, draws of the gaps by name, and the relaxation time."""
    relaxation = predicted_relaxation_time(study, law)
    draws = gap_draws(study, law, relaxation)
    quantiles = {
        f"predicted_{name}_quantile": np.quantile(drawn, study.levels, axis=-1) for name, drawn in draws.items()
    }
    variables = law_variables(study, law) | predicted_parts(study, law, relaxation) | labelled(LAW, quantiles)
    return {"variables": variables, "draws": draws, "relaxation_time": relaxation}


def law_variables(study: TrackingStudy, law: FiniteWidthLaw) -> dict[str, tuple]:
    """Return what the law says of each network of a study at every time, and the influence of neurons and points."""
    flows = [law.at(width) for width in study.widths]
    # An SGD prediction holds many curves, and is gone when its numbers are taken.
    at = lambda width, step_size: law.at(width, step_size, study.batch_size, sampling=study.sampling)
    of_networks = lambda quantity: np.array([[quantity(at(n, e)) for e in study.step_sizes] for n in study.widths])
    values = {
        "predicted_mean": of_networks(lambda network: network.mean),
        "predicted_std": of_networks(lambda network: network.std),
        "predicted_flow_mean": np.array([flow.mean for flow in flows]),
        "predicted_flow_std": np.array([flow.std for flow in flows]),
        "source_std": of_networks(lambda network: [network.source_std(source) for source in SOURCES]),
        "shift_ratio": of_networks(lambda network: network.shift_ratio),
    }
    source = ("source", list(SOURCES), named("where the noise comes from"))
    return labelled(LAW, values) | {"source": source} | _influence(study, law)


def dominant_sources(data: xr.Dataset, width: int, step_size: float) -> str:
    """Say which source makes the largest part of the fluctuation at the beginning and at the end.

    Args:
        data: the dataset of a result that holds predictions.
        width, step_size: of the network.

    """
    parts = data.source_std.sel(width=width, step_size=step_size).transpose("source", "time").values
    first, last = (SOURCE_NAMES[SOURCES[int(parts[:, index].argmax())]] for index in (0, -1))
    end = float(data.time[-1])
    if first == last:
        return f"the largest part of the fluctuation comes from {first}, at t = 0 and at t = {setting(end)}"
    return f"the largest part of the fluctuation comes from {first} at t = 0 and from {last} at t = {setting(end)}"


def predicted_summary(data: xr.Dataset, level: float) -> dict[str, object]:
    """Return the predicted quantiles of a level as plain numbers, nothing for a dataset that holds none."""
    if "predicted_gap_quantile" not in data:
        return {}
    sgd, flow = (data[name].sel(level=level) for name in ("predicted_gap_quantile", "predicted_flow_gap_quantile"))
    return {
        "predicted_gap_quantiles": [
            {
                "width": int(width),
                "step_size": float(step_size),
                "estimate": float(sgd.sel(width=width, step_size=step_size)),
                "shift_ratio": float(data.shift_ratio.sel(width=width, step_size=step_size)),
            }
            for width in data.width.values
            for step_size in data.step_size.values
        ],
        "predicted_flow_gap_quantiles": [
            {"width": int(width), "estimate": float(flow.sel(width=width))} for width in data.width.values
        ],
    }


def _influence(study: TrackingStudy, law: FiniteWidthLaw) -> dict[str, tuple]:
    """Return neurons and points in the plane of their leading coordinates, with their influence at the snapshots."""
    influence, population = law.influence, study.problem.population
    indices = np.searchsorted(law.times, study.snapshot_times)
    directions = population.principal_directions[:, :2]
    encoder, decoder = influence.neurons.encoder, influence.neurons.decoder
    planes = {
        "encoder": first_two(np.asarray(encoder.incoming) @ directions, encoder.bias)[:INFLUENCE_NEURONS],
        "decoder": first_two(np.asarray(decoder.incoming), decoder.bias)[:INFLUENCE_NEURONS],
    }
    points = first_two(population.points @ directions, np.zeros(population.size))[:INFLUENCE_POINTS]
    variables: dict[str, tuple] = {
        "point_plane": (("influence_point", "coordinate"), points, named("leading components of a point")),
        "point_influence": (
            ("influence_time", "influence_point"),
            influence.points[indices][:, : len(points)],
            named("influence of the weight of a point in training on the risk"),
        ),
    }
    for side, plane in planes.items():
        meaning = named("two leading incoming weights of a neuron, or one and its bias")
        variables[f"{side}_plane"] = ((f"{side}_neuron", "coordinate"), plane, meaning)
        variables[f"{side}_influence"] = (
            ("influence_time", f"{side}_neuron"),
            getattr(influence, side)[indices][:, : len(plane)],
            named("influence of the mass of an initial neuron on the risk"),
        )
    return variables


def first_two(coordinates: np.ndarray, second: object) -> np.ndarray:
    """Return the first two coordinates, or the only one and ``second``, shape (n, 2).

    Args:
        coordinates: shape (n, r).
        second: shape (n,), used where r is 1.

    """
    return np.column_stack([coordinates, np.asarray(second)])[:, :2]
