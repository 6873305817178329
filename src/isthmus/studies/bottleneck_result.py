"""A finished bottleneck study: its numbers, its answer, and how it is run."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus.studies.bottleneck import BottleneckStudy
from isthmus.studies.bottleneck_comparison import CURVES, BottleneckComparison
from isthmus.studies.bottleneck_jobs import BottleneckJobs, variables_of
from isthmus.studies.bottleneck_verdicts import answer, verdicts
from isthmus.studies.contents import Contents
from isthmus.studies.engine import Execution, run_study
from isthmus.studies.statistics import CONFIDENCE
from isthmus.studies.study import StageProgress


@dataclass(frozen=True, repr=False)
class BottleneckResult(BottleneckComparison):
    """A finished bottleneck study; its comparison of networks with PCA is that of `BottleneckComparison`.

    Example:
        >>> import isthmus as im
        >>> study = im.BottleneckStudy(
        ...     data={"source": "wine", "max_points": 40}, max_latent_dim=1, splits=2, horizon=1.0, particles=16,
        ... )
        >>> result = im.bottleneck_curve(study, workers=1)
        >>> print(result.answer())  # doctest: +ELLIPSIS
        Use PCA with 1 component: ...
        >>> [row["latent_dim"] for row in result.summary()["curve"]]
        [1]

    """

    @property
    def _contents(self) -> Contents:
        study = self.study
        return Contents(
            variables_of(study),
            coordinates={"latent_dim": study.latent_dims},
            sizes={"split": study.splits},
            attributes=("training_points", "held_out_points"),
        )

    def answer(self) -> str:
        """Return what to use, the network with which k or PCA, in one sentence."""
        return answer(self)

    def verdicts(self) -> list[str]:
        """Return what else was found, in sentences."""
        return verdicts(self)

    def _figures(self) -> dict[str, object]:
        return {
            "method": self.study.method,
            "recommended": self.recommended,
            "suggested": self.suggested,
            "pca_components": self.pca_components,
            "best": self.best,
            "curve": [self._row(k) for k in self.study.latent_dims],
            "confidence": CONFIDENCE,
            "intrinsic_dimension": None if self.dimension is None else self.dimension.for_json(),
            "pca_for_same_risk": self.pca_for_same_risk,
        }

    def _row(self, k: int) -> dict[str, object]:
        at, excess = self.dataset.sel(latent_dim=k), self.excess(k)
        row: dict[str, object] = {name: self.estimate(name, k).for_json() for name in CURVES}
        row |= {"latent_dim": k, "above_best": excess.mean, "standard_error": excess.standard_error}
        row |= {"over_pca": self.against_pca(k).for_json()}
        if self.study.method == "optimum":
            return row
        return row | {"horizon": at.horizon.values.tolist(), "settled": bool(at.settled.all())}


@with_bar
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
    dataset, _ = run_study(BottleneckJobs(study), Execution(workers, executor, folder, resume, progress))
    return BottleneckResult(study, dataset)
