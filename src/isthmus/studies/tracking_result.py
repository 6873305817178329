"""What a tracking study finds: sup-gaps, their quantiles and rates, labelled in one dataset, and verdicts in words."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from isthmus import _checks
from isthmus._version import __version__
from isthmus.studies.agreement import TESTED, agreement
from isthmus.studies.contents import complaint
from isthmus.studies.engine import studied
from isthmus.studies.gaps import BOUNDS, GAPS, RATES, Runs
from isthmus.studies.parts import PARTS
from isthmus.studies.prediction import predicted_summary
from isthmus.studies.scene import examples, scene_variables
from isthmus.studies.statistics import Estimate
from isthmus.studies.study import StageProgress, named, provenance
from isthmus.studies.tracking import TrackingStudy
from isthmus.studies.tracking_verdicts import Findings
from isthmus.studies.tracking_work import Tracked, TrackingWork

NETWORKS = ("width", "step_size")
PREDICTED = {f"predicted_{name}_quantile": ("level", *gap.dims) for name, gap in GAPS.items() if name != "step_gap"}
EXPONENTS = {
    rate: ("level", *(dim for dim in GAPS[name].dims if dim != size), "bound") for rate, (name, size) in RATES.items()
}
DEVIATIONS = {
    "fluctuation": ("part", "width", "bound"),
    "shift": ("part", "width", "bound"),
    "fluctuation_rate": ("part", "bound"),
    "shift_rate": ("part", "bound"),
    "crossover": ("part",),
}
TABLES = {f"{name}_quantile": ("level", *gap.dims, "bound") for name, gap in GAPS.items()}
REQUIRED = {
    "risk": (*NETWORKS, "run", "time"),
    "flow_risk": ("width", "flow_run", "time"),
    "mean_field_risk": ("time",),
    "mean_field_risk_error": ("time",),
    "mean_field_replicate_risk": ("replicate", "time"),
    **{name: (*gap.dims, gap.runs) for name, gap in GAPS.items() if not name.startswith("late")},
    **{f"{name}_quantile": TABLES[f"{name}_quantile"] for name in GAPS if not name.startswith("late")},
}
KNOWN = {
    **{name: (*gap.dims, gap.runs) for name, gap in GAPS.items() if name.startswith("late")},
    **TABLES,
    **EXPONENTS,
    **DEVIATIONS,
    **PREDICTED,
    "predicted_fluctuation": ("part", "width"),
    "predicted_shift": ("part", "width"),
    "shift_ratio": NETWORKS,
    **{variable: GAPS[name].dims for name, variable in TESTED.items()},
}
"""Variables that a result may have, with their dimensions."""
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

    @property
    def level(self) -> float:
        """The level of the quantiles that are reported: the study's confidence, or 0.5 where it has too few runs."""
        return Findings(self.study, self.dataset).level

    @property
    def relaxation_time(self) -> float:
        """t₁, from which on a gap is due to training and not to the initial draw; NaN where there is none."""
        return float(self.dataset.attrs["relaxation_time"])

    def estimate(self, name: str, **where: float | str) -> Estimate | None:
        """Return an entry of a variable with its interval, None where it could not be fitted."""
        return Findings(self.study, self.dataset).estimate(name, **where)

    def complaint(self) -> str | None:
        """Return in what the numbers can't be those of the study, None where they can."""
        study = self.study
        sizes = {"run": study.runs, "bound": len(BOUNDS), "time": len(study.times), "width": len(study.widths)}
        return complaint(
            self.dataset,
            required=REQUIRED,
            known=KNOWN,
            may_be_nan=frozenset({*EXPONENTS, *DEVIATIONS}),
            may_lack_bounds=frozenset(TABLES),
            sizes=sizes | {"step_size": len(study.step_sizes)},
            coordinates={
                "time": study.times,
                "width": study.widths,
                "step_size": study.step_sizes,
                "bound": BOUNDS,
                "level": study.levels,
                "part": PARTS[: self.dataset.sizes.get("part", 0)],
            },
            attributes=("pca_risk",),
            attributes_or_nan=("relaxation_time",),
        )

    def answer(self) -> str:
        """Return in one sentence whether finite networks follow their mean-field limit."""
        return Findings(self.study, self.dataset).answer()

    def verdicts(self) -> list[str]:
        """Return what else the study found, in sentences."""
        return Findings(self.study, self.dataset).verdicts()

    def summary(self) -> dict[str, object]:
        """Return the main figures as plain numbers, for JSON."""
        data, level = self.dataset, self.level
        return {
            "isthmus": __version__,
            "answer": self.answer(),
            "pca_risk": float(data.attrs["pca_risk"]),
            "mean_field_risk_start": float(data.mean_field_risk[0]),
            "mean_field_risk_end": float(data.mean_field_risk[-1]),
            "mean_field_risk_error": float(data.mean_field_risk_error.max()),
            "confidence": self.study.confidence,
            "level": level,
            "relaxation_time": _finite(self.relaxation_time),
            **{f"{name}_quantiles": self._table(f"{name}_quantile", level=level) for name in GAPS if name in data},
            **{rate: self._table(rate, level=level) for rate in RATES if rate in data},
            **{name: self._table(name) for name in ("fluctuation", "shift", "fluctuation_rate", "shift_rate")},
            **predicted_summary(data, level),
            "verdicts": self.verdicts(),
        }

    def _table(self, name: str, **where: float) -> list[dict[str, Any]]:
        """Return the entries of a variable with intervals, each with where it stands."""
        entries = self.dataset[name].sel(where).reset_coords(drop=True).transpose(..., "bound")
        dims = entries.dims[:-1]
        return [
            {str(dim): entries[dim].values[i].item() for dim, i in zip(dims, place, strict=True)}
            | {bound: _finite(value) for bound, value in zip(BOUNDS, entries.values[place], strict=True)}
            for place in np.ndindex(entries.shape[:-1])
        ]


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
    reported with its interval, and the slope of its logarithm against log N. What finite width does is measured on
    gradient flows (step size 0) of finite networks; what SGD does, on the difference between a run and the flow from
    the same initial neurons. The gap of the initial draw stands apart from that of training, which begins at the
    relaxation time; in both, the scatter of networks (N^−1/2) stands apart from their mean shift (1/N).

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
        lambda results: assembled(study, work.computed(results)),
        workers=workers,
        executor=executor,
        folder=folder,
        resume=resume,
        progress=progress,
    )
    return TrackingResult(study, dataset)


def assembled(study: TrackingStudy, computed: Tracked) -> xr.Dataset:
    """Return all that a study has found as one labelled dataset."""
    pictures = {**_pictures(study, computed), **scene_variables(study, computed)}
    times = study.snapshot_times
    dataset = numbers(study, computed).assign(pictures).assign_coords(snapshot_time=times, influence_time=times)
    return dataset.assign_attrs(
        provenance("isthmus tracking study", study, study.problem.data),
        pca_risk=study.problem.population.pca_risk(study.problem.latent_dim),
        image_shape=list(study.problem.population.image_shape or ()),
    )


def numbers(study: TrackingStudy, computed: Tracked) -> xr.Dataset:
    """Return what was measured, what was predicted, and whether they agree: a result but for its pictures."""
    path, law = computed.path, computed.law
    relaxation = None if law is None else law["relaxation_time"]
    runs = Runs(study, computed.risk, computed.flow_risk, path.replicate_risk, relaxation)
    possible = [runs.gaps(path.risk + sign * path.risk_error) for sign in (0, -1, 1)]
    agreeing = {} if law is None else law["variables"] | agreement(law["draws"], *possible)
    return xr.Dataset(
        {
            "mean_field_risk": ("time", path.risk, named("mean-field risk R(t)")),
            "mean_field_risk_error": ("time", path.risk_error, named("half of its 95 % interval")),
            "mean_field_replicate_risk": (("replicate", "time"), path.replicate_risk, named("R(t) of each replicate")),
            "risk": (("width", "step_size", "run", "time"), runs.risk, named("risk of networks trained by SGD")),
            "flow_risk": (("width", "flow_run", "time"), runs.flow_risk, named("risk of their gradient flows")),
            **runs.variables(),
            **agreeing,
        },
        coords={
            "time": path.times,
            "width": list(study.widths),
            "step_size": list(study.step_sizes),
            "level": study.levels,
            "bound": list(BOUNDS),
        },
        attrs={"relaxation_time": runs.relaxation_time},
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


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
