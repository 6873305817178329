"""What a prediction study finds: the law of finite networks, labelled numbers of it, and what they say."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from isthmus import _checks
from isthmus._errors import NumericalError
from isthmus._version import __version__
from isthmus._words import number, percent, setting
from isthmus.dynamics.results import MeanFieldPath
from isthmus.studies.agreement import bias_caution, largest_ratios
from isthmus.studies.contents import complaint
from isthmus.studies.engine import studied
from isthmus.studies.prediction import dominant_sources, law_tables, predicted_summary, refuse_unpredictable
from isthmus.studies.prediction_study import PredictionStudy, PredictionWork
from isthmus.studies.study import StageProgress, named, provenance
from isthmus.studies.tracking import TrackingStudy
from isthmus.theory.finite_width import LARGEST_WIDTH, FiniteWidthLaw

CANDIDATES = 13
"""Widths at which the quantile of the sup-gap is kept, from a quarter of the smallest to four times the largest."""
NONE = 0
"""Stands for a width where there is none."""


@dataclass(frozen=True)
class PredictionResult:
    """The predicted law of the networks of a study, without any run.

    Attributes:
        study: what was asked.
        dataset: every number as a labelled `xarray.Dataset`.
        law: the law itself, for any other network; None where the numbers were read from a folder.

    """

    study: PredictionStudy
    dataset: xr.Dataset
    law: FiniteWidthLaw | None = None

    @property
    def asked_share(self) -> str:
        """The confidence of the study in per cent, with every digit."""
        return percent(self.study.confidence, 6)

    def complaint(self) -> str | None:
        """Return in what the numbers can't be those of the study, None where they can."""
        study = self.study
        networks = ("width", "step_size")
        return complaint(
            self.dataset,
            required={
                "mean_field_risk": ("time",),
                **{f"predicted_{name}": (*networks, "time") for name in ("mean", "std")},
                **{f"predicted_flow_{name}": ("width", "time") for name in ("mean", "std")},
                "predicted_gap_quantile": ("level", *networks),
                "predicted_flow_gap_quantile": ("level", "width"),
                "source_std": (*networks, "source", "time"),
                "shift_ratio": networks,
                "candidate_gap_quantile": ("dynamics", "candidate"),
                "limit_gap_quantile": ("dynamics",),
                "halving_width": (),
                **({} if study.tolerance is None else {"wide_enough": ("dynamics",)}),
            },
            known={"mean_field_risk_error": ("time",)},
            may_be_nan=frozenset(),
            sizes={
                "time": len(study.times),
                "width": len(study.widths),
                "step_size": len(study.step_sizes),
                "dynamics": len(study.dynamics),
            },
            coordinates={
                "time": study.times,
                "width": study.widths,
                "step_size": study.step_sizes,
                "level": study.levels,
                "dynamics": [step_size for step_size, _ in study.dynamics],
            },
            attributes=("pca_risk",),
            attributes_or_nan=("relaxation_time",),
        )

    def answer(self) -> str:
        """Return how close the widest network with the smallest step size is to its limit, or how wide is enough."""
        study, step_size = self.study, min(self.study.step_sizes)
        if study.tolerance is not None:
            return self._wide_enough(step_size)
        gap = number(self.quantile(max(study.widths), step_size))
        return (
            f"{self.asked_share} of networks with N = {max(study.widths):,} are predicted to stay within {gap} of the "
            f"mean-field risk up to t = {setting(study.horizon)} ({self._moving(step_size)})."
        )

    def verdicts(self) -> list[str]:
        """Return what else the law says, in sentences."""
        study, data = self.study, self.dataset
        widest, finest = max(study.widths), min(study.step_sizes)
        return [
            *self._other_widths(finest),
            f"At N = {widest:,} and step size {setting(finest)}, {dominant_sources(data, widest, finest)}.",
            *self._late(widest, finest),
            self._halving(widest, finest),
            *self._cautions(),
        ]

    def quantile(self, width: int, step_size: float) -> float:
        """Return the predicted quantile of the sup-gap at the study's confidence; step size 0 is gradient flow."""
        where = {"level": self.study.confidence, "width": width}
        if step_size == 0:
            return float(self.dataset.predicted_flow_gap_quantile.sel(where))
        return float(self.dataset.predicted_gap_quantile.sel(where | {"step_size": step_size}))

    def widths_for(self, tolerance: float | None = None) -> list[dict[str, object]]:
        """Return for each step size, 0 included, the smallest width within a tolerance, or why there is none.

        Args:
            tolerance: by default that of the study; another one takes the law, so not a result from a folder.

        """
        study = self.study
        tolerance = study.tolerance if tolerance is None else _checks.real("tolerance", tolerance, above=0)
        if tolerance is None:
            return []
        if tolerance == study.tolerance:
            widths = [int(width) for width in self.dataset.wide_enough]
        elif self.law is None:
            _checks.refuse(
                "tolerance", f"be that of the study, {study.tolerance}, for a result from a folder", tolerance
            )
        else:
            widths = _widths_within(study, self.law, tolerance)
        answers: list[dict[str, object]] = []
        for (step_size, _), width in zip(study.dynamics, widths, strict=True):
            answer: dict[str, object] = {"step_size": step_size, "width": width or None}
            answers.append(answer if width else answer | {"why": self._why_none(step_size, tolerance)})
        return answers

    def summary(self) -> dict[str, object]:
        """Return the main figures as plain numbers, for JSON."""
        confidence = self.study.confidence
        return {
            "isthmus": __version__,
            "answer": self.answer(),
            "confidence": confidence,
            **predicted_summary(self.dataset, confidence),
            "widths_for": self.widths_for(),
            "verdicts": self.verdicts(),
        }

    def _moving(self, step_size: float) -> str:
        if step_size == 0:
            return "gradient flow"
        return f"SGD with step size {setting(step_size)} and batches of {self.study.batch_size:,}"

    def _wide_enough(self, step_size: float) -> str:
        study = self.study
        assert study.tolerance is not None
        width = int(self.dataset.wide_enough.sel(dynamics=step_size))
        within = f"within {setting(study.tolerance)} of the mean-field risk up to t = {setting(study.horizon)}"
        if width == NONE:
            return (
                f"No width is predicted to keep {self.asked_share} of networks {within} ({self._moving(step_size)}): "
                f"{self._why_none(step_size, study.tolerance)}."
            )
        return (
            f"N = {width:,} is the smallest width at which {self.asked_share} of networks are predicted to stay "
            f"{within} ({self._moving(step_size)})."
        )

    def _other_widths(self, finest: float) -> list[str]:
        """Say which widths are enough for gradient flow, and for step sizes other than the smallest."""
        tolerance = self.study.tolerance
        if tolerance is None:
            return []
        widths = {
            step_size: int(self.dataset.wide_enough.sel(dynamics=step_size)) for step_size, _ in self.study.dynamics
        }
        parts = [
            f"for {self._moving(step_size)}, "
            + (f"it is N = {width:,}" if width else f"there is none, since {self._why_none(step_size, tolerance)}")
            for step_size, width in widths.items()
            if step_size != finest
        ]
        return [f"At other step sizes: {'; '.join(parts)}."]

    def _why_none(self, step_size: float, tolerance: float) -> str:
        alone = float(self.dataset.limit_gap_quantile.sel(dynamics=step_size))
        if alone <= tolerance:
            return f"it would take more than {LARGEST_WIDTH:,} neurons"
        return f"steps and batches alone make a sup-gap of {number(alone)}"

    def _halving(self, width: int, step_size: float) -> str:
        enough, gap = int(self.dataset.halving_width), self.quantile(width, step_size)
        quantile = f"the {self.asked_share} quantile of the sup-gap, {number(gap)} at N = {width:,}"
        moving = self._moving(step_size)
        if enough == NONE:
            return f"No width halves {quantile} ({moving}): {self._why_none(step_size, gap / 2)}."
        return f"It takes N = {enough:,} to halve {quantile} ({moving})."

    def _late(self, width: int, step_size: float) -> list[str]:
        """Say what is left of the gap once that of the initial draw has decayed."""
        data, relaxed = self.dataset, float(self.dataset.attrs["relaxation_time"])
        if not np.isfinite(relaxed):
            return []
        where = {"level": self.study.confidence, "width": width, "step_size": step_size}
        late = float(data.predicted_late_gap_quantile.sel(where))
        return [
            f"From t = {setting(relaxed)} on, where the gap of gradient flows has fallen below half of that at t = 0, "
            f"{self.asked_share} of networks with N = {width:,} are predicted to stay within {number(late)}."
        ]

    def _cautions(self) -> list[str]:
        return bias_caution(largest_ratios(self.dataset), remedy=", and `isthmus track` measures it")


def predict(
    study: TrackingStudy,
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    progress: StageProgress | None = None,
) -> PredictionResult:
    """Predict the law of the networks of a study from its mean field, without training any of them.

    Args:
        study: the networks asked about: a `PredictionStudy`, or a `TrackingStudy`.
        workers, executor, folder, resume, progress: as in `track`.

    Raises:
        ArgumentError: where the law of its networks can't be predicted.

    Example:
        >>> import isthmus as im
        >>> study = im.PredictionStudy(
        ...     data={"source": "wine"}, widths=[64, 256], step_sizes=[0.25], horizon=2.0, records=4, particles=64,
        ...     law_particles=64, law_samples=2,
        ... )
        >>> dict(im.predict(study).dataset.predicted_std.sizes)
        {'width': 2, 'step_size': 1, 'time': 5}

    """
    _checks.instance("study", study, TrackingStudy)
    if not isinstance(study, PredictionStudy):
        study = PredictionStudy.from_toml(study.to_toml())
    refuse_unpredictable("study", study.problem)
    laws: list[FiniteWidthLaw] = []

    def assembled(results: dict[str, Any]) -> xr.Dataset:
        laws.append(results["law"])
        return _dataset(study, results["path"], results["law"])

    dataset = studied(
        PredictionWork(study),
        assembled,
        workers=workers,
        executor=executor,
        folder=folder,
        resume=resume,
        progress=progress,
    )
    return PredictionResult(study, dataset, *laws)


def _dataset(study: PredictionStudy, path: MeanFieldPath, law: FiniteWidthLaw) -> xr.Dataset:
    networks, tables = study.dynamics, law_tables(study, law)
    candidates = np.rint(np.geomspace(max(1, min(study.widths) / 4), 4 * max(study.widths), CANDIDATES)).astype(int)
    candidates = np.union1d(candidates, study.widths)
    quantile = lambda width, network: _gap_quantile(study, law, width, *network)
    half = quantile(max(study.widths), networks[1 + int(np.argmin(study.step_sizes))]) / 2
    variables: dict[str, tuple] = {
        "mean_field_risk": ("time", path.risk, named("mean-field risk R(t)")),
        "mean_field_risk_error": ("time", path.risk_error, named("half of its 95 % interval over replicates")),
        **tables["variables"],
        "candidate_gap_quantile": (
            ("dynamics", "candidate"),
            [[quantile(width, network) for width in candidates.tolist()] for network in networks],
            named("predicted quantile of the sup-gap at other widths"),
        ),
        "limit_gap_quantile": (
            "dynamics",
            [quantile(np.inf, network) for network in networks],
            named("predicted quantile of the sup-gap at infinite width: what steps and batches make"),
        ),
        "halving_width": (
            (),
            _width_within(study, law, half, *networks[1 + int(np.argmin(study.step_sizes))]),
            named("width at which the quantile of the widest network at the smallest step size is halved, 0 for none"),
        ),
    }
    if study.tolerance is not None:
        widths = _widths_within(study, law, study.tolerance)
        variables["wide_enough"] = ("dynamics", widths, named("smallest width within the tolerance, 0 for none"))
    return xr.Dataset(
        variables,
        coords={
            "time": study.times,
            "width": list(study.widths),
            "step_size": list(study.step_sizes),
            "dynamics": ("dynamics", [step_size for step_size, _ in networks], named("step size, 0 for gradient flow")),
            "candidate": candidates,
            "level": study.levels,
            "influence_time": study.snapshot_times,
        },
    ).assign_attrs(
        provenance("isthmus prediction study", study, study.problem.data),
        pca_risk=study.problem.population.pca_risk(study.problem.latent_dim),
        relaxation_time=tables["relaxation_time"],
    )


def _gap_quantile(
    study: PredictionStudy, law: FiniteWidthLaw, width: float, step_size: float, batch_size: int | None
) -> float:
    return law.gap_quantile(study.confidence, width, step_size, batch_size, sampling=study.sampling)


def _widths_within(study: PredictionStudy, law: FiniteWidthLaw, tolerance: float) -> list[int]:
    """Return the smallest width within a tolerance for gradient flow and each step size, 0 where there is none."""
    return [_width_within(study, law, tolerance, *network) for network in study.dynamics]


def _width_within(
    study: PredictionStudy, law: FiniteWidthLaw, tolerance: float, step_size: float, batch_size: int | None
) -> int:
    try:
        return law.width_for(tolerance, study.confidence, step_size, batch_size, sampling=study.sampling)
    except NumericalError:
        return NONE
