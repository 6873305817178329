"""What a tracking study finds: sup-gaps, their quantiles and rates, labelled in one dataset, and verdicts in words."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from isthmus import _checks
from isthmus._version import __version__
from isthmus.studies.contents import complaint
from isthmus.studies.engine import studied
from isthmus.studies.prediction import agreement, agreement_verdicts, predicted_summary
from isthmus.studies.scene import examples, scene_variables
from isthmus.studies.statistics import CONFIDENCE, Estimate, bootstrap_quantiles, fitted_rate
from isthmus.studies.study import StageProgress, named, provenance
from isthmus.studies.tracking import TrackingStudy
from isthmus.studies.tracking_work import Tracked, TrackingWork

BOUNDS = ("estimate", "lower", "upper")
NETWORKS = ("width", "step_size")
KNOWN = {
    "mean_field_risk_error": ("time",),
    "flow_risk": ("width", "flow_run", "time"),
    "gap": (*NETWORKS, "run"),
    "flow_gap": ("width", "flow_run"),
    "step_gap": (*NETWORKS, "flow_run"),
    "gap_quantile": ("level", *NETWORKS, "bound"),
    "flow_gap_quantile": ("level", "width", "bound"),
    "step_gap_quantile": ("level", *NETWORKS, "bound"),
    "flow_width_rate": ("level", "bound"),
    "step_rate": ("level", "width", "bound"),
}
"""Variables that a result may have, with their dimensions."""
MAY_BE_NAN = frozenset({"width_rate", "flow_width_rate", "step_rate"})
"""Rates, which need several widths or step sizes."""
SHOWN_POINTS = 500


@dataclass(frozen=True)
class TrackingResult:
    """A finished tracking study.

    Attributes:
        study: what was asked.
        dataset: every number as a labelled `xarray.Dataset`; each variable's ``long_name`` says what it is.

    """

    study: TrackingStudy
    dataset: xr.Dataset

    def estimate(self, name: str, **where: float | str) -> Estimate | None:
        """Return an entry of a variable with its interval, None where it could not be fitted."""
        value, lower, upper = self.dataset[name].sel(where).values
        return Estimate(float(value), float(lower), float(upper)) if np.isfinite(value) else None

    def complaint(self) -> str | None:
        """Return in what the numbers can't be those of the study, None where they can."""
        study = self.study
        sizes = {"run": study.runs, "bound": len(BOUNDS), "time": len(study.times), "width": len(study.widths)}
        return complaint(
            self.dataset,
            required={"risk": (*NETWORKS, "run", "time"), "mean_field_risk": ("time",)},
            known=KNOWN,
            may_be_nan=MAY_BE_NAN,
            sizes=sizes | {"step_size": len(study.step_sizes)},
            coordinates={
                "time": study.times,
                "width": study.widths,
                "step_size": study.step_sizes,
                "bound": BOUNDS,
            },
            attributes=("pca_risk",),
        )

    def verdicts(self) -> list[str]:
        """Return what the study found, in sentences."""
        agreeing = agreement_verdicts(self.dataset, self.study.confidence)
        return [*_path_verdicts(self), *_width_verdicts(self), *_step_verdicts(self), *agreeing]

    def summary(self) -> dict[str, object]:
        """Return the main figures as plain numbers, for JSON."""
        data = self.dataset
        confidence = self.study.confidence
        return {
            "isthmus": __version__,
            "pca_risk": float(data.attrs["pca_risk"]),
            "mean_field_risk_start": float(data.mean_field_risk[0]),
            "mean_field_risk_end": float(data.mean_field_risk[-1]),
            "mean_field_risk_error": float(data.mean_field_risk_error.max()),
            "confidence": confidence,
            "gap_quantiles": [
                {"width": width, "step_size": step_size}
                | _plain(self.estimate("gap_quantile", level=confidence, width=width, step_size=step_size))
                for width in self.study.widths
                for step_size in self.study.step_sizes
            ],
            "flow_gap_quantiles": [
                {"width": width} | _plain(self.estimate("flow_gap_quantile", level=confidence, width=width))
                for width in self.study.widths
            ],
            **predicted_summary(data, confidence),
            "flow_width_rate": _plain(self.estimate("flow_width_rate", level=confidence)),
            "verdicts": self.verdicts(),
        }


def track(
    study: TrackingStudy,
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    progress: StageProgress | None = None,
) -> TrackingResult:
    r"""Run a tracking study: train networks of several widths and step sizes, and compare with the mean-field path.

    For each run the sup-gap is max_t |R_N(t) − R(t)| over the recorded times. Its 1 − δ quantile over runs is
    reported with a bootstrap interval, and the slope of its logarithm against log N. The part of the width is
    measured apart, on gradient flows (step size 0) of finite networks; the part of steps and batches on the
    difference between a run and the flow from the same initial neurons.

    Args:
        study: what to run.
        workers: jobs at once; by default one for each processor.
        executor: where jobs run, any `concurrent.futures.Executor`; by default on threads of this process. The result
            is the same to the last bit.
        folder: new, empty, or of this study: finished jobs are kept there, and at the end its results.
        resume: go on where an earlier run in this folder ended.
        progress: called as ``progress(stage, done, total)``.

    Raises:
        StudyFileError: where the folder holds something else or can't be written to.
        WorkerError: where a worker died.
        NumericalError: where a run diverges or a solve fails; the message names width, run, time and a remedy.

    Example:
        >>> import isthmus as im
        >>> study = im.TrackingStudy(
        ...     data={"source": "wine"}, widths=[16, 64], step_sizes=[0.25], horizon=2.0, records=4, runs=4,
        ...     flow_runs=2, particles=64, predict=False,
        ... )
        >>> result = im.track(study)
        >>> dict(result.dataset.risk.sizes)
        {'width': 2, 'step_size': 1, 'run': 4, 'time': 5}

    """
    _checks.instance("study", study, TrackingStudy)
    work = TrackingWork(study)
    dataset = studied(
        work,
        lambda results: _dataset(study, work.computed(results)),
        workers=workers,
        executor=executor,
        folder=folder,
        resume=resume,
        progress=progress,
    )
    return TrackingResult(study, dataset)


def _dataset(study: TrackingStudy, computed: Tracked) -> xr.Dataset:
    path, risk, flow_risk, levels = computed.path, computed.risk, computed.flow_risk, study.levels
    gap = np.abs(risk - path.risk).max(axis=-1)
    flow_gap = np.abs(flow_risk - path.risk).max(axis=-1)
    same_start = risk[:, :, : flow_risk.shape[1]]
    step_gap = np.abs(same_start - flow_risk[:, None]).max(axis=-1)
    dataset = xr.Dataset(
        {
            "mean_field_risk": ("time", path.risk, named("mean-field risk R(t)")),
            "mean_field_risk_error": ("time", path.risk_error, named("half of its 95 % interval over replicates")),
            "risk": (("width", "step_size", "run", "time"), risk, named("risk of networks trained by SGD")),
            "flow_risk": (("width", "flow_run", "time"), flow_risk, named("risk of their gradient flows")),
            "gap": (("width", "step_size", "run"), gap, named("sup-gap of SGD to the mean field")),
            "flow_gap": (("width", "flow_run"), flow_gap, named("sup-gap of gradient flow to the mean field")),
            "step_gap": (
                ("width", "step_size", "flow_run"),
                step_gap,
                named("sup-gap of SGD to the gradient flow from the same initial neurons"),
            ),
            **_quantiles(study, levels, gap, flow_gap, step_gap),
            **_rates(study, levels, gap, flow_gap, step_gap),
            **_pictures(study, computed),
            **scene_variables(study, computed),
            **({} if computed.law is None else computed.law["variables"] | agreement(computed.law, gap, flow_gap)),
        },
        coords={
            "time": path.times,
            "width": list(study.widths),
            "step_size": list(study.step_sizes),
            "level": levels,
            "bound": list(BOUNDS),
            "snapshot_time": study.snapshot_times,
            "influence_time": study.snapshot_times,
        },
    )
    return dataset.assign_attrs(
        provenance("isthmus tracking study", study, study.problem.data),
        pca_risk=study.problem.population.pca_risk(study.problem.latent_dim),
        image_shape=list(study.problem.population.image_shape or ()),
    )


def _quantiles(
    study: TrackingStudy, levels: list[float], gap: np.ndarray, flow_gap: np.ndarray, step_gap: np.ndarray
) -> dict[str, tuple]:
    """Return the quantiles over runs (the last axis of each gap) with their intervals."""

    def table(samples: np.ndarray) -> np.ndarray:
        def one(values: np.ndarray) -> np.ndarray:
            return np.array([_row(bootstrap_quantiles(values, level, study.seed)[0]) for level in levels])

        flat = np.stack([one(values) for values in samples.reshape(-1, samples.shape[-1])], axis=1)
        return flat.reshape(len(levels), *samples.shape[:-1], len(BOUNDS))

    return {
        "gap_quantile": (
            ("level", "width", "step_size", "bound"),
            table(gap),
            named("quantile of the sup-gap of SGD"),
        ),
        "flow_gap_quantile": (
            ("level", "width", "bound"),
            table(flow_gap),
            named("quantile of the sup-gap of gradient flow"),
        ),
        "step_gap_quantile": (
            ("level", "width", "step_size", "bound"),
            table(step_gap),
            named("quantile of the sup-gap of SGD to the gradient flow from the same initial neurons"),
        ),
    }


def _rates(
    study: TrackingStudy, levels: list[float], gap: np.ndarray, flow_gap: np.ndarray, step_gap: np.ndarray
) -> dict[str, tuple]:
    """Return the slopes of log quantiles against log width, and against log step size."""
    widths, step_sizes, seed = study.widths, study.step_sizes, study.seed
    return {
        "width_rate": (
            ("level", "step_size", "bound"),
            [
                [_row(fitted_rate(widths, list(gap[:, j]), level, seed)) for j in range(len(step_sizes))]
                for level in levels
            ],
            named("exponent of the width in the quantile of the sup-gap of SGD"),
        ),
        "flow_width_rate": (
            ("level", "bound"),
            [_row(fitted_rate(widths, list(flow_gap), level, seed)) for level in levels],
            named("exponent of the width in the quantile of the sup-gap of gradient flow"),
        ),
        "step_rate": (
            ("level", "width", "bound"),
            [
                [_row(fitted_rate(step_sizes, list(step_gap[i]), level, seed)) for i in range(len(widths))]
                for level in levels
            ],
            named("exponent of the step size in the quantile of the sup-gap of SGD to its gradient flow"),
        ),
    }


def _row(estimate: Estimate | None) -> tuple[float, float, float]:
    return (estimate.value, estimate.lower, estimate.upper) if estimate else (np.nan, np.nan, np.nan)


def _plain(estimate: Estimate | None) -> dict[str, float | None]:
    return dict.fromkeys(BOUNDS) if estimate is None else dict(zip(BOUNDS, _row(estimate), strict=True))


def _pictures(study: TrackingStudy, computed: Tracked) -> dict[str, tuple]:
    """Return latents at the snapshot times and reconstructions at the horizon, in the data's own units."""
    path, data = computed.path, study.problem.population
    networks = {f"N = {width}": computed.examples[width] for width in study.widths}
    shown = data.points[:SHOWN_POINTS]
    pictured = examples(data.points)
    latents = [
        [np.asarray(source.at(time).encode(shown)) for time in study.snapshot_times]
        for source in (*networks.values(), path)
    ]
    last = study.snapshot_times[-1]
    pca = examples(data.pca_reconstruction(study.problem.latent_dim))
    pictures = [pictured, pca, *(source.at(last).reconstruct(pictured) for source in (*networks.values(), path))]
    variables: dict[str, tuple] = {
        "latent": (
            ("network", "snapshot_time", "point", "axis"),
            np.array(latents),
            named("latents of the first points"),
        ),
        "network": ("network", [*networks, "mean field"], named("whose latents these are")),
        "picture": (
            ("reconstruction", "example", "feature"),
            np.stack([data.restore(np.asarray(picture)) for picture in pictures]),
            named("points and their reconstructions at the horizon, in the units of the data"),
        ),
        "reconstruction": (
            "reconstruction",
            ["original", "PCA", *networks, "mean field"],
            named("whose reconstruction this is"),
        ),
    }
    if data.columns is not None:
        variables["feature"] = ("feature", list(data.columns), named("names of the features"))
    if data.labels is not None:
        variables["label"] = ("point", data.labels[:SHOWN_POINTS], named("labels of the first points"))
    return variables


def _path_verdicts(result: TrackingResult) -> list[str]:
    data, study = result.dataset, result.study
    start, end, pca = (float(v) for v in (data.mean_field_risk[0], data.mean_field_risk[-1], data.attrs["pca_risk"]))
    relation = f"{'above' if start > pca else 'at or below'} the PCA residual {pca:.4f}"
    ending = "below it" if end < pca else "not below it"
    error = float(data.mean_field_risk_error.max())
    smallest = float(data.flow_gap_quantile.sel(level=study.confidence, bound="estimate").min())
    share = error / smallest if smallest > 0 else float("inf")
    caution = "" if share < 0.2 else "; more particles would make the comparison sharper"
    return [
        f"The mean-field risk starts at {start:.4f}, {relation}, and is {end:.4f} at t={study.horizon:g}, {ending}.",
        f"Its own numerical error is at most {error:.2g} (95 %), {100 * share:.0f} % of the smallest gap that is "
        f"measured{caution}.",
    ]


def _width_verdicts(result: TrackingResult) -> list[str]:
    study, level = result.study, result.study.confidence
    widths = f"From {min(study.widths)} to {max(study.widths)} neurons"
    flow = result.estimate("flow_width_rate", level=level)
    if flow is None:
        return ["A rate in the width needs at least two widths."]
    sentences = [
        f"{widths}, the {100 * level:g} % quantile of the sup-gap that is due to the width alone (step size 0) goes "
        f"as N^({flow}), {_compatible(flow, -0.5)} −1/2."
    ]
    for step_size in study.step_sizes:
        rate = result.estimate("width_rate", level=level, step_size=step_size)
        if rate is not None:
            sentences.append(
                f"With SGD at step size {step_size:g} it goes as N^({rate}), {_compatible(rate, -0.5)} −1/2."
            )
    return sentences


def _step_verdicts(result: TrackingResult) -> list[str]:
    study, level = result.study, result.study.confidence
    width, step_size = max(study.widths), min(study.step_sizes)
    steps = result.estimate("step_gap_quantile", level=level, width=width, step_size=step_size)
    flow = result.estimate("flow_gap_quantile", level=level, width=width)
    assert steps is not None and flow is not None
    larger = "steps and batches make" if steps.value > flow.value else "the width makes"
    sentences = [
        f"At N={width} and step size {step_size:g}, {larger} the larger part of the gap: from the same initial "
        f"neurons SGD departs from its gradient flow by {steps}, and the flow from the mean field by {flow} "
        f"({100 * level:g} % quantiles of sup-gaps, {100 * CONFIDENCE:g} % intervals)."
    ]
    rate = result.estimate("step_rate", level=level, width=width)
    if rate is not None:
        sentences.append(
            f"The part of steps and batches goes as (step size)^({rate}), {_compatible(rate, 0.5)} 1/2, the rate of "
            f"gradient noise, and {_compatible(rate, 1.0)} 1, the rate of the drift of finite steps."
        )
    return sentences


def _compatible(rate: Estimate, value: float) -> str:
    return f"{'compatible' if rate.contains(value) else 'not compatible'} with"
