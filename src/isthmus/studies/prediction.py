"""The predicted law of the networks of a study as labelled numbers, and what it says of their noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from isthmus import _checks
from isthmus._words import setting
from isthmus.core.neuron_laws import GaussianNeurons
from isthmus.core.problem import Problem
from isthmus.dynamics.parallel import Progress
from isthmus.dynamics.results import MeanFieldPath
from isthmus.studies.gaps import GAPS
from isthmus.studies.parts import gap_draws, predicted_parts, predicted_relaxation_time
from isthmus.studies.study import named
from isthmus.studies.tracking import TrackingStudy
from isthmus.theory import prediction as theory
from isthmus.theory.finite_width import FiniteWidthLaw, predict_finite_width
from isthmus.theory.prediction import Prediction

SOURCES = ("encoder", "decoder", "batches")
SOURCE_NAMES = {source: theory.SOURCES[source][0] for source in SOURCES}
SHOWN_NEURONS, SHOWN_POINTS = 512, 500


def why_not(problem: Problem) -> str | None:
    """Return why the law of finite networks can't be predicted for a problem, or None."""
    if not all(isinstance(law, GaussianNeurons) for law in (problem.law.encoder, problem.law.decoder)):
        return "one whose initial law is known by a sampler only"
    rough = [activation.name for activation in problem.activations if not activation.smooth]
    if rough:
        return f"one whose activation {rough[0]} has a slope that jumps"
    if not problem.motion.is_gradient_flow:
        return "one whose dynamics is not gradient descent without noise"
    if problem.is_trivial:
        return "one whose mean-field limit is trivial"
    return None


def refuse_unpredictable(name: str, problem: Problem) -> None:
    """Refuse a problem, or the study of one, whose networks have no law that can be predicted."""
    reason = why_not(problem)
    if reason is not None:
        _checks.refuse(name, "be one whose networks have a law that can be predicted", _checks.described(reason))


def predicted_law(
    study: TrackingStudy, path: MeanFieldPath, workers: int | None, progress: Progress | None
) -> FiniteWidthLaw:
    """Return the law of finite networks of a study's problem, beside its mean-field path."""
    return predict_finite_width(
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


def law_tables(study: TrackingStudy, law: FiniteWidthLaw) -> dict[str, Any]:
    """Return what a study keeps of a law: variables, draws of the gaps by name, and the relaxation time."""
    relaxation = predicted_relaxation_time(study, law)
    draws = gap_draws(study, law, relaxation)
    variables = law_variables(study, law) | predicted_parts(study, law, relaxation)
    for name, drawn in draws.items():
        table = np.quantile(drawn, study.levels, axis=-1)
        variables[f"predicted_{name}_quantile"] = (
            ("level", *GAPS[name].dims),
            table,
            named(f"predicted quantile of the {GAPS[name].what}"),
        )
    return {"variables": variables, "draws": draws, "relaxation_time": relaxation}


def law_variables(study: TrackingStudy, law: FiniteWidthLaw) -> dict[str, tuple]:
    """Return what the law says of each network of a study at every time, and the influence of neurons and points."""

    def of_networks(quantity: Callable[[Prediction], object]) -> np.ndarray:
        def at(width: int, step_size: float) -> Prediction:
            return law.at(width, step_size, study.batch_size, sampling=study.sampling)

        return np.array([[quantity(at(n, e)) for e in study.step_sizes] for n in study.widths])

    def of_flows(quantity: Callable[[Prediction], object]) -> np.ndarray:
        return np.array([quantity(law.at(width)) for width in study.widths])

    both = ("width", "step_size")
    return {
        "predicted_mean": ((*both, "time"), of_networks(lambda n: n.mean), named("predicted mean risk of SGD")),
        "predicted_std": ((*both, "time"), of_networks(lambda n: n.std), named("predicted standard deviation of it")),
        "predicted_flow_mean": (
            ("width", "time"),
            of_flows(lambda n: n.mean),
            named("predicted mean risk of gradient flow"),
        ),
        "predicted_flow_std": (
            ("width", "time"),
            of_flows(lambda n: n.std),
            named("predicted standard deviation of it"),
        ),
        "source_std": (
            (*both, "source", "time"),
            of_networks(lambda n: [n.source_std(source) for source in SOURCES]),
            named("predicted standard deviation that one source alone makes"),
        ),
        "shift_ratio": (both, of_networks(lambda n: n.shift_ratio), named("mean shift over fluctuation")),
        "source": ("source", list(SOURCES), named("where the noise comes from")),
        **_influence(study, law),
    }


def dominant_sources(data: xr.Dataset, width: int, step_size: float) -> str:
    """Say which source makes the largest part of the fluctuation at the beginning and at the end."""
    parts = data.source_std.sel(width=width, step_size=step_size).transpose("source", "time").values
    first, last = (SOURCE_NAMES[SOURCES[int(parts[:, place].argmax())]] for place in (0, -1))
    end = float(data.time[-1])
    if first == last:
        return f"the largest part of the fluctuation comes from {first}, at t = 0 and at t = {setting(end)}"
    return f"the largest part of the fluctuation comes from {first} at t = 0 and from {last} at t = {setting(end)}"


def predicted_summary(data: xr.Dataset, level: float) -> dict[str, object]:
    """Return the predicted quantiles of a dataset that holds some, as plain numbers."""
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
    places = np.searchsorted(law.times, study.snapshot_times)
    directions = population.principal_directions[:, :2]
    encoder, decoder = influence.neurons.encoder, influence.neurons.decoder
    planes = {
        "encoder": in_plane(np.asarray(encoder.incoming) @ directions, encoder.bias)[:SHOWN_NEURONS],
        "decoder": in_plane(np.asarray(decoder.incoming), decoder.bias)[:SHOWN_NEURONS],
    }
    points = in_plane(population.points @ directions, np.zeros(population.size))[:SHOWN_POINTS]
    variables: dict[str, tuple] = {}
    for side, plane in planes.items():
        values = getattr(influence, side)[places][:, : len(plane)]
        variables[f"{side}_plane"] = (
            (f"{side}_neuron", "coordinate"),
            plane,
            named("two leading incoming weights of a neuron, or one and its bias"),
        )
        variables[f"{side}_influence"] = (
            ("influence_time", f"{side}_neuron"),
            values,
            named("influence of the mass of an initial neuron on the risk"),
        )
    variables["point_plane"] = (("influence_point", "coordinate"), points, named("leading components of a point"))
    variables["point_influence"] = (
        ("influence_time", "influence_point"),
        influence.points[places][:, : len(points)],
        named("influence of the weight of a point in training on the risk"),
    )
    return variables


def in_plane(coordinates: np.ndarray, instead: object) -> np.ndarray:
    """Return the first two coordinates, or the only one and what stands for the second."""
    return np.column_stack([coordinates, np.asarray(instead)])[:, :2]
