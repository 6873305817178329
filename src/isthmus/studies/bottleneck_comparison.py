"""A bottleneck study's risks against k with intervals, the network against PCA, and which of them to use."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from isthmus import _checks
from isthmus._words import number
from isthmus.studies.bottleneck import BottleneckStudy
from isthmus.studies.over_splits import mean_over_splits, ratio_over_splits, standard_error
from isthmus.studies.result import StudyResult
from isthmus.studies.statistics import Estimate

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


@dataclass(frozen=True, repr=False)
class BottleneckComparison(StudyResult[BottleneckStudy]):
    """Networks with every k beside PCA with as many components.

    Intervals are over splits, with Nadeau's and Bengio's correction for the points that splits share.

    Attributes:
        study: what was asked.
        dataset: every number as a labelled `xarray.Dataset`: the risk on points in training and held out for each
            (split, latent_dim), with how far each was followed, that of PCA for each (split, component), and the
            intrinsic dimension of each split.

    """

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

    @property
    def _held_out_share(self) -> float:
        held_out, training = (float(self.dataset.attrs[f"{part}_points"]) for part in ("held_out", "training"))
        return held_out / (held_out + training)

    def _best(self, name: str) -> int:
        return min(self.study.latent_dims, key=lambda k: self.values(name, k).mean())

    def _sparing(self, name: str) -> int:
        return next(k for k in self.study.latent_dims if self.excess(k, name).within_one)
