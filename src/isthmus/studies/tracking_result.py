"""A finished tracking study: sup-gaps, their quantiles and rates, in numbers and in sentences; and how it is run."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus.studies.contents import Contents
from isthmus.studies.engine import Execution, run_study
from isthmus.studies.gaps import GAPS, RATES
from isthmus.studies.parts import PARTS
from isthmus.studies.prediction import predicted_summary
from isthmus.studies.statistics import BOUNDS, plain
from isthmus.studies.study import StageProgress
from isthmus.studies.tracking import TrackingStudy
from isthmus.studies.tracking_jobs import VARIABLES, TrackingJobs
from isthmus.studies.tracking_verdicts import TrackingFindings


@dataclass(frozen=True, repr=False)
class TrackingResult(TrackingFindings):
    """A finished tracking study.

    Attributes:
        study: what was asked.
        dataset: every number as a labelled `xarray.Dataset`; each variable's ``long_name`` says what it is.

    Example:
        >>> import isthmus as im
        >>> study = im.TrackingStudy(
        ...     data={"source": "wine"}, widths=[16, 64], step_sizes=[0.25], horizon=2.0, records=4, runs=4,
        ...     flow_runs=2, particles=64, predict=False,
        ... )
        >>> result = im.track(study)
        >>> print(result.verdicts()[0])
        The mean-field risk falls from 0.292 to 0.249 at t = 2, still above the risk of PCA (0.223).
        >>> [(row["width"], row["step_size"]) for row in result.summary()["gap_quantiles"]]
        [(16, 0.25), (64, 0.25)]

    """

    @property
    def _contents(self) -> Contents:
        parts = PARTS[: self.dataset.sizes.get("part", 0)]
        return Contents(
            VARIABLES,
            coordinates=self.study.coordinates | {"bound": BOUNDS, "part": parts},
            sizes={"run": self.study.runs},
            attributes=("pca_risk",),
            attributes_or_nan=("relaxation_time",),
        )

    def _figures(self) -> dict[str, object]:
        data, level = self.dataset, self.level
        return {
            "pca_risk": float(data.attrs["pca_risk"]),
            "mean_field_risk_start": float(data.mean_field_risk[0]),
            "mean_field_risk_end": float(data.mean_field_risk[-1]),
            "mean_field_risk_error": float(data.mean_field_risk_error.max()),
            "confidence": self.study.confidence,
            "level": level,
            "relaxation_time": plain(self.relaxation_time),
            **{f"{name}_quantiles": self._table(f"{name}_quantile", level=level) for name in GAPS if name in data},
            **{rate: self._table(rate, level=level) for rate in RATES if rate in data},
            **{name: self._table(name) for name in ("fluctuation", "shift", "fluctuation_rate", "shift_rate")},
            **predicted_summary(data, level),
        }

    def _table(self, name: str, **where: float) -> list[dict[str, Any]]:
        """Return the entries of a variable with intervals, each with its coordinates."""
        entries = self.dataset[name].sel(where).reset_coords(drop=True).transpose(..., "bound")
        dims = entries.dims[:-1]
        return [
            {str(dim): entries[dim].values[i].item() for dim, i in zip(dims, index, strict=True)}
            | {bound: plain(value) for bound, value in zip(BOUNDS, entries.values[index], strict=True)}
            for index in np.ndindex(entries.shape[:-1])
        ]


@with_bar
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
        progress: True for a bar, or called as ``progress(stage, done, total)``.

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
    dataset, _ = run_study(TrackingJobs(study), Execution(workers, executor, folder, resume, progress))
    return TrackingResult(study, dataset)
