"""What a bottleneck study finds: risks against k with intervals, the network against PCA, and which of them to use."""

from __future__ import annotations

import functools
import math
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from isthmus import _checks
from isthmus._version import __version__
from isthmus._words import number
from isthmus.studies.bottleneck import BottleneckStudy
from isthmus.studies.bottleneck_verdicts import answer, verdicts
from isthmus.studies.bottleneck_work import BottleneckWork, bottleneck_dataset
from isthmus.studies.contents import complaint
from isthmus.studies.engine import studied
from isthmus.studies.over_splits import mean_over_splits, ratio_over_splits, standard_error
from isthmus.studies.statistics import CONFIDENCE, Estimate
from isthmus.studies.study import StageProgress

CURVES = ("training_risk", "held_out_risk", "pca_training_risk", "pca_held_out_risk")


class Excess(NamedTuple):
    """By how much the risk of one k lies above that of the best, over splits in pairs."""

    mean: float
    standard_error: float

    @property
    def within_one(self) -> bool:
        """Whether it is no more than one standard error."""
        return self.mean <= self.standard_error

    def __str__(self) -> str:
        return f"{number(self.mean, 2)} ± {number(self.standard_error, 1)}"


@dataclass(frozen=True)
class BottleneckResult:
    """A finished bottleneck study.

    Intervals are over splits, with Nadeau's and Bengio's correction for the points that splits share.

    Attributes:
        study: what was asked.
        dataset: every number as a labelled `xarray.Dataset`: the risk on points in training and held out for each
            (split, latent_dim), with how far each was followed, that of PCA for each (split, component), and the
            intrinsic dimension of each split.

    """

    study: BottleneckStudy
    dataset: xr.Dataset

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

    def values(self, name: str, latent_dim: int) -> np.ndarray:
        """Return one of the curves at one k, shape (splits,)."""
        curve = self.dataset[_checks.choice("name", name, CURVES)]
        return curve.sel({curve.dims[1]: latent_dim}).values

    def estimate(self, name: str, latent_dim: int) -> Estimate:
        """Return one of the curves at one k: its mean over splits with its 95 % interval."""
        held_out = self._held_out_share
        return mean_over_splits(self.values(name, latent_dim), held_out if "held_out" in name else 1 - held_out)

    def against_pca(self, latent_dim: int) -> Estimate:
        """Return the held-out risk of the network over that of PCA with as many components, compared in pairs."""
        return ratio_over_splits(
            self.values("held_out_risk", latent_dim),
            self.values("pca_held_out_risk", latent_dim),
            self._held_out_share,
        )

    @functools.cached_property
    def wins(self) -> list[int]:
        """The k at which the network's held-out risk is below that of PCA, with all of the interval of their ratio."""
        return [k for k in self.study.latent_dims if self.against_pca(k).upper < 1]

    @functools.cached_property
    def losses(self) -> list[int]:
        """The k at which it is above that of PCA, with all of the interval."""
        return [k for k in self.study.latent_dims if self.against_pca(k).lower > 1]

    @property
    def best(self) -> int:
        """The k of the lowest held-out risk of the network."""
        return self._best("held_out_risk")

    def excess(self, latent_dim: int, name: str = "held_out_risk") -> Excess:
        """Return how far a held-out risk lies above the lowest over k, with the standard error over splits in pairs."""
        above = self.values(name, latent_dim) - self.values(name, self._best(name))
        return Excess(float(above.mean()), standard_error(above, self._held_out_share))

    @property
    def sparing(self) -> int:
        """The smallest k at which the network's held-out risk is within one standard error of the lowest."""
        return self._sparing("held_out_risk")

    @property
    def pca_components(self) -> int:
        """The fewest components, up to K, with which PCA's held-out risk is within one standard error of its lowest."""
        return self._sparing("pca_held_out_risk")

    @functools.cached_property
    def suggested(self) -> int:
        """The smallest k within one standard error of the lowest risk at which the network beats PCA, if there is one.

        Else it is `sparing`, and PCA is the better choice (`recommended`).
        """
        near = [k for k in self.study.latent_dims if self.excess(k).within_one]
        return next((k for k in (*near, self.pca_components) if k in self.wins), near[0])

    @property
    def recommended(self) -> str:
        """What to use: "network", with the suggested k, or "PCA", with ``pca_components``."""
        return "network" if self.suggested in self.wins else "PCA"

    @property
    def dimension(self) -> Estimate | None:
        """The intrinsic dimension of the points in training, None where their neighbours don't tell it."""
        values = self.dataset.intrinsic_dimension.values
        return mean_over_splits(values, 1 - self._held_out_share) if np.isfinite(values).all() else None

    @property
    def pca_for_same_risk(self) -> int | None:
        """The components with which PCA has the held-out risk of the suggested k or less, None where none do."""
        enough = self.dataset.pca_held_out_risk.mean("split") <= self.estimate("held_out_risk", self.suggested).value
        found = self.dataset.component.values[enough.values]
        return int(found[0]) if len(found) else None

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

    @property
    def _held_out_share(self) -> float:
        held_out, training = (float(self.dataset.attrs[f"{part}_points"]) for part in ("held_out", "training"))
        return held_out / (held_out + training)

    def _best(self, name: str) -> int:
        return min(self.study.latent_dims, key=lambda k: self.values(name, k).mean())

    def _sparing(self, name: str) -> int:
        return next(k for k in self.study.latent_dims if self.excess(k, name).within_one)


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
