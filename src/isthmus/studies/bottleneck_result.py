"""A finished bottleneck study: its numbers, its answer, and how it is run."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from isthmus import _checks
from isthmus._version import __version__
from isthmus.studies.bottleneck import BottleneckStudy
from isthmus.studies.bottleneck_comparison import CURVES, BottleneckComparison
from isthmus.studies.bottleneck_verdicts import answer, verdicts
from isthmus.studies.bottleneck_work import BottleneckWork, bottleneck_dataset
from isthmus.studies.contents import complaint
from isthmus.studies.engine import studied
from isthmus.studies.statistics import CONFIDENCE, Estimate
from isthmus.studies.study import StageProgress


@dataclass(frozen=True)
class BottleneckResult(BottleneckComparison):
    """A finished bottleneck study; its comparison of networks with PCA is that of `BottleneckComparison`."""

    def complaint(self) -> str | None:
        """Return in what the numbers can't be those of the study, None where they can."""
        study, each = self.study, ("split", "latent_dim")
        names = ("objective", "certified") if study.method == "optimum" else ("horizon", "fall", "settled")
        required = dict.fromkeys(("training_risk", "held_out_risk", "error", "held_out_error", *names), each)
        pca = dict.fromkeys(("pca_training_risk", "pca_held_out_risk"), ("split", "component"))
        return complaint(
            self.dataset,
            required=required | pca | {"intrinsic_dimension": ("split",)},
            known={},
            may_be_nan=frozenset({"intrinsic_dimension"}),
            sizes={"split": study.splits, "latent_dim": study.max_latent_dim},
            coordinates={"latent_dim": study.latent_dims},
            attributes=("training_points", "held_out_points"),
        )

    def answer(self) -> str:
        """Return what to use, the network with which k or PCA, in one sentence."""
        return answer(self)

    def verdicts(self) -> list[str]:
        """Return what else was found, in sentences."""
        return verdicts(self)

    def summary(self) -> dict[str, object]:
        """Return the main figures as plain numbers, for JSON; an estimate is [value, lower, upper]."""
        return {
            "isthmus": __version__,
            "answer": self.answer(),
            "method": self.study.method,
            "recommended": self.recommended,
            "suggested": self.suggested,
            "pca_components": self.pca_components,
            "best": self.best,
            "curve": [self._row(k) for k in self.study.latent_dims],
            "confidence": CONFIDENCE,
            "intrinsic_dimension": None if self.dimension is None else _plain(self.dimension),
            "pca_for_same_risk": self.pca_for_same_risk,
            "verdicts": self.verdicts(),
        }

    def _row(self, k: int) -> dict[str, object]:
        at, excess = self.dataset.sel(latent_dim=k), self.excess(k)
        row: dict[str, object] = {name: _plain(self.estimate(name, k)) for name in CURVES}
        row |= {"latent_dim": k, "above_best": excess.mean, "standard_error": excess.standard_error}
        row |= {"over_pca": _plain(self.against_pca(k))}
        if self.study.method == "optimum":
            return row
        return row | {"horizon": at.horizon.values.tolist(), "settled": bool(at.settled.all())}


def bottleneck_curve(
    study: BottleneckStudy,
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    progress: StageProgress | None = None,
) -> BottleneckResult:
    r"""Solve bottlenecks of dimension 1, …, K on random splits of the data, and say which to use, if not PCA.

    On each split the mean field is followed until it has settled, or the optimum over measures is found, on the points
    in training, and its risk R = ½ E‖x − x̂‖² is taken on these and on the points held out. Beside it stand PCA of the
    points in training, whose risk on them is ½ Σ_{i>k} λ_i, and their intrinsic dimension.

    Args:
        study: what to compute.
        workers, executor, folder, resume, progress: as in `track`.

    Raises:
        ArgumentError: where the data are too few or K too large for them, or the problem has no optimum.
        NumericalError: where a solve fails; the message names k and split.

    Example:
        >>> import isthmus as im
        >>> study = im.BottleneckStudy(
        ...     data={"source": "wine", "max_points": 40}, max_latent_dim=1, splits=2, horizon=1.0, particles=16,
        ... )
        >>> result = im.bottleneck_curve(study, workers=1)
        >>> dict(result.dataset.held_out_risk.sizes), result.suggested
        ({'split': 2, 'latent_dim': 1}, 1)

    """
    _checks.instance("study", study, BottleneckStudy)
    work = BottleneckWork(study)
    dataset = studied(
        work,
        lambda results: bottleneck_dataset(study, work.solved(results)),
        workers=workers,
        executor=executor,
        folder=folder,
        resume=resume,
        progress=progress,
    )
    return BottleneckResult(study, dataset)


def _plain(estimate: Estimate) -> list[float] | None:
    """Return an estimate as numbers, None where it has none."""
    return [estimate.value, estimate.lower, estimate.upper] if math.isfinite(estimate.value) else None
