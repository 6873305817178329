"""The predicted law of the networks of a study: labelled numbers, whether the runs agree with it, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import kstest

from isthmus import _checks
from isthmus._errors import NumericalError
from isthmus._version import __version__
from isthmus.core.neuron_laws import GaussianNeurons
from isthmus.core.problem import Problem
from isthmus.dynamics.parallel import Progress
from isthmus.dynamics.results import MeanFieldPath
from isthmus.studies.study import FORMAT, StageProgress, named, stage
from isthmus.studies.tracking import TrackingStudy
from isthmus.theory.finite_width import FiniteWidthLaw, predict_finite_width
from isthmus.theory.prediction import COMPARABLE, Prediction

SOURCE_NAMES = {"encoder": "initial encoder neurons", "decoder": "initial decoder neurons", "batches": "batches"}
SOURCES = tuple(SOURCE_NAMES)
SHOWN_NEURONS, SHOWN_POINTS = 512, 500
SIGNIFICANCE = 0.05
"""Below this probability of so large a difference by chance, over all networks together, runs don't agree."""


def why_not(problem: Problem) -> str | None:
    """Return why the law of finite networks can't be predicted for a problem, or None."""
    if not all(isinstance(law, GaussianNeurons) for law in (problem.law.encoder, problem.law.decoder)):
        return "its initial law is known by a sampler only"
    rough = [activation.name for activation in problem.activations if not activation.smooth]
    if rough:
        return f"the slope of {rough[0]} jumps"
    if not problem.motion.is_gradient_flow:
        return "the dynamics is not gradient descent without noise"
    if problem.is_trivial:
        return "its limit is trivial"
    return None


def refuse_unpredictable(study: TrackingStudy) -> None:
    """Refuse a study whose networks have no law that can be predicted."""
    reason = why_not(study.problem)
    if reason is not None:
        _checks.refuse("study", "have a law that can be predicted", _checks.described(f"one of which {reason}"))


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


def law_variables(study: TrackingStudy, law: FiniteWidthLaw, levels: list[float]) -> dict[str, tuple]:
    """Return what the law says of each network of a study, and the influence of neurons and points."""

    def of_networks(quantity: Callable[[Prediction], object]) -> np.ndarray:
        def at(width: int, step_size: float) -> Prediction:
            return law.at(width, step_size, study.batch_size, sampling=study.sampling)

        return np.array([[quantity(at(n, e)) for e in study.step_sizes] for n in study.widths])

    def of_flows(quantity: Callable[[Prediction], object]) -> np.ndarray:
        return np.array([quantity(law.at(width)) for width in study.widths])

    quantiles = lambda network: [network.gap_quantile(level) for level in levels]  # noqa: E731
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
        "predicted_gap_quantile": (
            ("level", *both),
            np.moveaxis(of_networks(quantiles), -1, 0),
            named("predicted quantile of the sup-gap of SGD"),
        ),
        "predicted_flow_gap_quantile": (
            ("level", "width"),
            np.moveaxis(of_flows(quantiles), -1, 0),
            named("predicted quantile of the sup-gap of gradient flow"),
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


def law_tables(study: TrackingStudy, law: FiniteWidthLaw) -> dict[str, Any]:
    """Return what a study keeps of a law: its variables, and draws of the sup-gaps, (widths, step sizes, draws)."""
    gaps = [
        [law.at(n, e, study.batch_size, sampling=study.sampling).gaps for e in study.step_sizes] for n in study.widths
    ]
    flow_gaps = [law.at(n).gaps for n in study.widths]
    variables = law_variables(study, law, study.levels)
    return {"variables": variables, "gaps": np.array(gaps), "flow_gaps": np.array(flow_gaps)}


def agreement(tables: dict[str, Any], gap: np.ndarray, flow_gap: np.ndarray) -> dict[str, tuple]:
    """Return the probability that gaps of the predicted law lie so far from it as those of the runs do (KS test).

    Args:
        tables: of the predicted law, from `law_tables`.
        gap: of SGD runs, shape (widths, step sizes, runs).
        flow_gap: of gradient flows, shape (widths, flows).

    """

    def probability(gaps: np.ndarray, ordered: np.ndarray) -> float:
        return float(kstest(gaps, lambda x: np.searchsorted(ordered, x, side="right") / len(ordered)).pvalue)

    def probabilities(gaps: np.ndarray, ordered: np.ndarray) -> np.ndarray:
        places = np.ndindex(gaps.shape[:-1])
        return np.array([probability(gaps[place], ordered[place]) for place in places]).reshape(gaps.shape[:-1])

    return {
        "agreement": (
            ("width", "step_size"),
            probabilities(gap, tables["gaps"]),
            named("p-value of the sup-gaps of SGD under their predicted law"),
        ),
        "flow_agreement": (
            "width",
            probabilities(flow_gap, tables["flow_gaps"]),
            named("p-value of the sup-gaps of gradient flow under their predicted law"),
        ),
    }


def agreement_verdicts(data: xr.Dataset, level: float) -> list[str]:
    """Return, in a sentence each, whether measured and predicted gaps agree, and what dominates."""
    if "agreement" not in data:
        return []
    probabilities = np.concatenate([data.agreement.values.ravel(), data.flow_agreement.values.ravel()])
    ratio = (data.gap_quantile.sel(level=level, bound="estimate") / data.predicted_gap_quantile.sel(level=level)).values
    smallest, count = float(probabilities.min()), len(probabilities)
    agree = smallest * count > SIGNIFICANCE
    where = data.shift_ratio.values > COMPARABLE
    sentences = [
        f"The law predicted from the mean field alone {'agrees' if agree else 'does not agree'} with the runs: over "
        f"{count} kinds of networks the smallest p-value of a Kolmogorov–Smirnov test on the sup-gaps is "
        f"{smallest:.2g} (with so many tests below {SIGNIFICANCE / count:.2g} would be too small), and the measured "
        f"{100 * level:g} % quantiles are {ratio.min():.2f} to {ratio.max():.2f} times the predicted ones."
    ]
    if where.any():
        widths = ", ".join(str(int(n)) for n in data.width.values[where.any(axis=1)])
        sentences.append(
            f"At N={widths} the mean shift is up to {data.shift_ratio.values.max():.2g} times the fluctuation, so that "
            "terms beyond the prediction's order may matter there."
        )
    return sentences


def dominant_sources(data: xr.Dataset, width: int, step_size: float) -> str:
    """Say which source makes most of the fluctuation at the beginning and at the end."""
    parts = data.source_std.sel(width=width, step_size=step_size).transpose("source", "time").values
    first, last = (SOURCE_NAMES[SOURCES[int(parts[:, place].argmax())]] for place in (0, -1))
    end = float(data.time[-1])
    if first == last:
        return f"most of the fluctuation comes from {first}, at t=0 and at t={end:g}"
    return f"most of the fluctuation comes from {first} at t=0 and from {last} at t={end:g}"


@dataclass(frozen=True)
class PredictionResult:
    """The predicted law of the networks of a study, without any run.

    Attributes:
        study: what was asked.
        dataset: every number as a labelled `xarray.Dataset`.
        law: the law itself, for any other network.

    """

    study: TrackingStudy
    dataset: xr.Dataset
    law: FiniteWidthLaw

    def verdicts(self) -> list[str]:
        """Return what the law says, in sentences."""
        study, level, data = self.study, self.study.confidence, self.dataset
        widest, finest = max(study.widths), min(study.step_sizes)
        sentences = [f"At N={widest} and step size {finest:g} {dominant_sources(data, widest, finest)}."]
        gap = float(data.predicted_gap_quantile.sel(level=level, width=widest, step_size=finest))
        try:
            width = self.law.width_for(gap / 2, level, finest, study.batch_size, sampling=study.sampling)
            sentences.append(
                f"To halve its {100 * level:g} % quantile {gap:.3g} of the sup-gap by width alone takes N={width}."
            )
        except NumericalError:
            sentences.append(
                f"No width halves its {100 * level:g} % quantile {gap:.3g} of the sup-gap: steps and batches make more."
            )
        ratio = data.shift_ratio.max("step_size")
        narrow = [int(width) for width in study.widths if float(ratio.sel(width=width)) > COMPARABLE]
        if narrow:
            sentences.append(
                f"At N={', '.join(map(str, narrow))} the mean shift is up to {float(ratio.max()):.2g} "
                "times the fluctuation: terms beyond the prediction's order may change its quantiles by more than a "
                "few per cent; simulate these networks (`isthmus track`) before relying on them."
            )
        return sentences

    def quantile(self, width: int, step_size: float) -> float:
        """Return the predicted quantile of the sup-gap at the study's confidence; step size 0 is gradient flow."""
        where = {"level": self.study.confidence, "width": width}
        if step_size == 0:
            return float(self.dataset.predicted_flow_gap_quantile.sel(where))
        return float(self.dataset.predicted_gap_quantile.sel(where | {"step_size": step_size}))

    def widths_for(self, tolerance: float) -> list[dict[str, object]]:
        """Return for each step size, 0 included, the smallest width within the tolerance, or why there is none."""
        study, answers = self.study, []
        for step_size in (0.0, *study.step_sizes):
            network = (step_size, study.batch_size if step_size > 0 else None)
            answer: dict[str, object] = {"step_size": step_size, "width": None}
            try:
                answer["width"] = self.law.width_for(tolerance, study.confidence, *network, sampling=study.sampling)
            except NumericalError as error:
                answer["why"] = str(error)
            answers.append(answer)
        return answers

    def summary(self) -> dict[str, object]:
        """Return the main figures as plain numbers, for JSON."""
        confidence = self.study.confidence
        return {
            "isthmus": __version__,
            "confidence": confidence,
            **predicted_summary(self.dataset, confidence),
            "verdicts": self.verdicts(),
        }


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


def predict(
    study: TrackingStudy, *, workers: int | None = None, progress: StageProgress | None = None
) -> PredictionResult:
    """Predict the law of the networks of a tracking study from its mean field, without training any of them.

    Args:
        study: the networks asked about.
        workers: threads; by default one for each processor.
        progress: called as ``progress(stage, done, total)``.

    Raises:
        ArgumentError: where the law of its networks can't be predicted.

    Example:
        >>> import isthmus as im
        >>> study = im.TrackingStudy(
        ...     data={"source": "wine"}, widths=[64, 256], step_sizes=[0.25], horizon=2.0, records=4, particles=64,
        ...     law_particles=64, law_samples=2,
        ... )
        >>> dict(im.predict(study).dataset.predicted_std.sizes)
        {'width': 2, 'step_size': 1, 'time': 5}

    """
    _checks.instance("study", study, TrackingStudy)
    refuse_unpredictable(study)
    path = study.mean_field_path(workers, stage(progress, "mean-field path"))
    law = predicted_law(study, path, workers, stage(progress, "law of finite networks"))
    levels = study.levels
    dataset = xr.Dataset(
        {
            "mean_field_risk": ("time", path.risk, named("mean-field risk R(t)")),
            "mean_field_risk_error": ("time", path.risk_error, named("half of its 95 % interval")),
            **law_variables(study, law, levels),
        },
        coords={
            "time": study.times,
            "width": list(study.widths),
            "step_size": list(study.step_sizes),
            "level": levels,
            "influence_time": study.snapshot_times,
        },
        attrs={
            "title": "isthmus prediction",
            "format": FORMAT,
            "isthmus": __version__,
            "study": study.to_toml(),
            "pca_risk": study.problem.population.pca_risk(study.problem.latent_dim),
        },
    )
    return PredictionResult(study, dataset, law)


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
