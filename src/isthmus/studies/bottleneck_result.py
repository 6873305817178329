"""What a bottleneck study finds: curves of the risk against k with intervals, a suggested k, and verdicts in words."""

from __future__ import annotations

import functools
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from isthmus import _checks
from isthmus._version import __version__
from isthmus.studies.bottleneck import (
    BottleneckStudy,
    BottleneckWork,
    Solved,
    pca_risks,
    training_dimension,
)
from isthmus.studies.contents import complaint
from isthmus.studies.engine import studied
from isthmus.studies.statistics import CONFIDENCE, Estimate, mean_estimate, standard_error
from isthmus.studies.study import StageProgress, named, provenance

CURVES = ("training_risk", "held_out_risk", "pca_training_risk", "pca_held_out_risk")
LEVEL = 0.05
"""Risks that differ by a smaller share count as level, and a smaller numerical error as of no account."""


class Excess(NamedTuple):
    """By how much the held-out risk of one k lies above that of the best, over splits in pairs."""

    mean: float
    standard_error: float

    @property
    def within_one(self) -> bool:
        """Whether it is no more than one standard error."""
        return self.mean <= self.standard_error

    def __str__(self) -> str:
        return f"{self.mean:.2g} ± {self.standard_error:.1g}"


@dataclass(frozen=True)
class BottleneckResult:
    """A finished bottleneck study.

    Intervals are Student's over splits. Splits share points, so that an interval says how far the procedure varies
    with the choice of the points that are held out, and not how far the mean is from that of the population.

    Attributes:
        study: what was asked.
        dataset: every number as a labelled `xarray.Dataset`: the risk on points in training and held out for each
            (split, latent_dim), that of PCA for each (split, component), the intrinsic dimension of each split.

    """

    study: BottleneckStudy
    dataset: xr.Dataset

    def complaint(self) -> str | None:
        """Return in what the numbers can't be those of the study, None where they can."""
        study, each = self.study, ("split", "latent_dim")
        required = dict.fromkeys(("training_risk", "held_out_risk", "error"), each)
        if study.method == "optimum":
            required |= dict.fromkeys(("objective", "certified"), each)
        pca = dict.fromkeys(("pca_training_risk", "pca_held_out_risk"), ("split", "component"))
        return complaint(
            self.dataset,
            required=required | pca | {"intrinsic_dimension": ("split",)},
            known={},
            may_be_nan=frozenset({"intrinsic_dimension"}),
            sizes={"split": study.splits, "latent_dim": study.max_latent_dim},
            coordinates={"latent_dim": study.latent_dims},
            attributes=(),
        )

    def estimate(self, name: str, latent_dim: int) -> Estimate:
        """Return one of the curves at one k: its mean over splits with Student's 95 % interval."""
        curve = self.dataset[_checks.choice("name", name, CURVES)]
        return mean_estimate(curve.sel({curve.dims[1]: latent_dim}).values)

    @property
    def best(self) -> int:
        """The k of the lowest held-out risk."""
        return self.study.latent_dims[int(self.dataset.held_out_risk.mean("split").values.argmin())]

    def excess(self, latent_dim: int) -> Excess:
        """Return how far the held-out risk of k lies above that of the best, with its standard error over splits."""
        risk = self.dataset.held_out_risk
        above = (risk.sel(latent_dim=latent_dim) - risk.sel(latent_dim=self.best)).values
        return Excess(float(above.mean()), standard_error(above))

    @functools.cached_property
    def suggested(self) -> int:
        """The smallest k whose held-out risk is no more than one standard error above that of the best.

        The standard error is that of the difference of the two over splits, in pairs.
        """
        return next(k for k in self.study.latent_dims if self.excess(k).within_one)

    @property
    def reason(self) -> str:
        """Why this k, in one sentence."""
        best, k = self.best, self.suggested
        lowest = f"{self.estimate('held_out_risk', best).value:.3g}"
        if k < best:
            return (
                f"k={k} is suggested, the smallest bottleneck whose risk on held-out points is within one standard "
                f"error of the lowest, {lowest} at k={best}: it lies {self.excess(k)} above it."
            )
        smaller = f"; k={k - 1} lies {self.excess(k - 1)} above it, more than one standard error" if k > 1 else ""
        return f"k={k} is suggested, the bottleneck of the lowest risk on held-out points, {lowest}{smaller}."

    @property
    def dimension(self) -> Estimate | None:
        """The intrinsic dimension of the points in training, None where their neighbours don't tell it."""
        values = self.dataset.intrinsic_dimension.values
        return mean_estimate(values) if np.isfinite(values).all() else None

    @property
    def pca_for_same_risk(self) -> int | None:
        """The components with which PCA has the held-out risk of the suggested k or less, None where none do."""
        enough = self.dataset.pca_held_out_risk.mean("split") <= self.estimate("held_out_risk", self.suggested).value
        found = self.dataset.component.values[enough.values]
        return int(found[0]) if len(found) else None

    def verdicts(self) -> list[str]:
        """Return what was found, in sentences."""
        return [
            self.reason,
            *self._edge(),
            self._dimension_verdict(),
            self._pca_verdict(),
            self._training_verdict(),
            *self._early(),
            self._numerical_verdict(),
            f"Intervals are over {self.study.splits} random splits, which share points: they say how far the answer "
            "depends on which points are held out.",
        ]

    def _edge(self) -> list[str]:
        if self.best < self.study.max_latent_dim:
            return []
        return [
            f"The lowest held-out risk is at the largest k that was tried, {self.best}: a larger one may do better, "
            "so raise max_latent_dim."
        ]

    def _dimension_verdict(self) -> str:
        dimension, k = self.dimension, self.suggested
        if dimension is None:
            return "The intrinsic dimension can't be told from nearest neighbours, since too many are equally far."
        name = f"The intrinsic dimension by nearest neighbours (TwoNN) is {dimension}"
        if round(dimension.value) == k:
            return f"{name}, which agrees with the suggested k={k}."
        if dimension.value > k:
            return f"{name}, above the suggested k={k}: so few coordinates can't tell all points apart."
        return (
            f"{name}, below the suggested k={k}: in principle fewer coordinates suffice, if the encoder follows the "
            "shape of the data more closely."
        )

    def _pca_verdict(self) -> str:
        k, needed = self.suggested, self.pca_for_same_risk
        risk, pca = (self.estimate(name, k).value for name in ("held_out_risk", "pca_held_out_risk"))
        beside = f"On held-out points PCA with {_components(k)} has risk {pca:.3g}, the network {risk:.3g}"
        if needed is None:
            return f"{beside}, which PCA reaches with no number of components."
        return f"{beside}, for which PCA needs {_components(needed)}."

    def _training_verdict(self) -> str:
        k = self.suggested
        training, held_out = (self.estimate(name, k).value for name in ("training_risk", "held_out_risk"))
        more = 100 * (held_out / training - 1) if training > 0 else np.inf
        relation = f"{abs(more):.0f} % {'above' if more >= 0 else 'below'}"
        return f"At k={k} the risk on held-out points is {held_out:.3g}, {relation} that on points in training."

    def _early(self) -> list[str]:
        """Warn of a network that is not as good as PCA: it is early, or a penalty keeps it from it."""
        k = self.suggested
        risk, pca = (self.estimate(name, k).value for name in ("training_risk", "pca_training_risk"))
        if risk <= pca * (1 + LEVEL):
            return []
        above = f"The risk in training, {risk:.3g}, is still above that of PCA, {pca:.3g}"
        remedies = ["raise horizon or law.strength"] if self.study.method == "horizon" else []
        if np.any(self.study.weight_decay):
            remedies.append("lower weight_decay")
        return [f"{above}: to change that, {' or '.join(remedies or ['raise radius, atoms or rounds'])}."]

    def _numerical_verdict(self) -> str:
        data, largest = self.dataset, float(self.dataset.error.max())
        if self.study.method == "horizon":
            share = 100 * float((data.error / data.training_risk).max())
            more = ", so raise particles" if share > 100 * LEVEL else ""
            return (
                f"The numerical error of a training risk is at most {largest:.2g} (95 %), and at most {share:.2g} % of "
                f"it{more}."
            )
        met, count = int(data.certified.sum()), data.certified.size
        return (
            f"{met} of {count} optima meet the tolerance {self.study.tolerance:g} of their certificates, which reach "
            f"at most {largest:.2g} below the objective."
        )

    def summary(self) -> dict[str, object]:
        """Return the main figures as plain numbers, for JSON; an estimate is [mean, lower, upper]."""
        dimension = self.dimension
        return {
            "isthmus": __version__,
            "method": self.study.method,
            "suggested": self.suggested,
            "reason": self.reason,
            "best": self.best,
            "curve": [
                {"latent_dim": k}
                | {name: _plain(self.estimate(name, k)) for name in CURVES}
                | {"above_best": self.excess(k).mean, "standard_error": self.excess(k).standard_error}
                for k in self.study.latent_dims
            ],
            "confidence": CONFIDENCE,
            "intrinsic_dimension": None if dimension is None else _plain(dimension),
            "pca_for_same_risk": self.pca_for_same_risk,
            "verdicts": self.verdicts(),
        }


def bottleneck_curve(
    study: BottleneckStudy,
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    progress: StageProgress | None = None,
) -> BottleneckResult:
    r"""Solve bottlenecks of dimension 1, …, K on random splits of the data, and suggest one of them.

    On each split the mean field is followed to the horizon, or the optimum over measures is found, on the points in
    training, and its risk R = ½ E‖x − x̂‖² is taken on these and on the points held out. Beside it stand PCA of the
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
        lambda results: _dataset(study, work.solved(results)),
        workers=workers,
        executor=executor,
        folder=folder,
        resume=resume,
        progress=progress,
    )
    return BottleneckResult(study, dataset)


def _dataset(study: BottleneckStudy, solved: list[list[Solved]]) -> xr.Dataset:
    components = min(split.training.rank for split in study.parts)
    pca = {
        part: np.stack([pca_risks(split.training, getattr(split, part).points, components) for split in study.parts])
        for part in ("training", "held_out")
    }
    means = {
        "training_risk": "risk on the points in training",
        "held_out_risk": "risk on the points held out",
        "error": "numerical error of the training risk, or what the certificate of an optimum leaves open",
        "objective": "risk in training plus the penalty, at the optimum",
        "certified": "whether the optimum's certificate meets the tolerance",
    }
    at_optimum = ("objective", "certified")
    dims = ("split", "latent_dim")
    return xr.Dataset(
        {
            name: (dims, np.array([[getattr(one, name) for one in row] for row in solved], float), named(meaning))
            for name, meaning in means.items()
            if study.method == "optimum" or name not in at_optimum
        }
        | {
            f"pca_{part}_risk": (
                ("split", "component"),
                risks,
                named(f"risk of PCA of the points in training, on those {part.replace('_', ' ')}"),
            )
            for part, risks in pca.items()
        }
        | {
            "intrinsic_dimension": (
                "split",
                [training_dimension(split.training) for split in study.parts],
                named("intrinsic dimension of the points in training (TwoNN)"),
            )
        },
        coords={
            "split": np.arange(study.splits),
            "latent_dim": study.latent_dims,
            "component": np.arange(1, components + 1),
        },
    ).assign_attrs(
        provenance("isthmus bottleneck study", study, study.parts[0].training),
        training_points=study.parts[0].training.size,
        held_out_points=study.parts[0].held_out.size,
    )


def _components(count: int) -> str:
    return f"{count} component{'s' if count > 1 else ''}"


def _plain(estimate: Estimate) -> list[float]:
    return [estimate.value, estimate.lower, estimate.upper]
