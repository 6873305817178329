"""A finished prediction study: labelled numbers of the law of finite networks, and what they say; and how it is run."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus._words import number, percent, setting
from isthmus.studies.agreement import bias_caution, dynamics_in_words, largest_ratios
from isthmus.studies.contents import Contents
from isthmus.studies.engine import Execution, run_study
from isthmus.studies.prediction import dominant_sources, predicted_summary
from isthmus.studies.prediction_study import VARIABLES, PredictionJobs, PredictionStudy, width_within
from isthmus.studies.result import StudyResult
from isthmus.studies.study import StageProgress
from isthmus.studies.tracking import TrackingStudy
from isthmus.theory.finite_width_law import LARGEST_WIDTH, FiniteWidthLaw


@dataclass(frozen=True, repr=False)
class PredictionResult(StudyResult[PredictionStudy]):
    """The predicted law of the networks of a study, without any run.

    Attributes:
        study: what was asked.
        dataset: every number as a labelled `xarray.Dataset`.
        law: the law itself, for any other network; None where the numbers were read from a folder.

    Example:
        >>> import isthmus as im
        >>> study = im.PredictionStudy(
        ...     data={"source": "wine"}, widths=[64, 256], step_sizes=[0.25], horizon=2.0, records=4, particles=64,
        ...     law_particles=64, law_samples=2,
        ... )
        >>> result = im.predict(study)
        >>> result.quantile(256, 0.25) < result.quantile(64, 0.25), len(result.verdicts())
        (True, 3)
        >>> result.law.gap_quantile(0.9, width=1024) < result.quantile(256, 0.25)
        True

    """

    law: FiniteWidthLaw | None = None

    @property
    def asked_share(self) -> str:
        """The confidence of the study in per cent, with every digit."""
        return percent(self.study.confidence, 6)

    @property
    def _contents(self) -> Contents:
        study = self.study
        asked = study.tolerance is not None
        return Contents(
            {name: variable for name, variable in VARIABLES.items() if asked or name != "wide_enough"},
            coordinates=study.coordinates | {"dynamics": [step_size for step_size, _ in study.dynamics]},
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
        """Return the predicted quantile of the sup-gap at the study's confidence.

        Args:
            width: one of those of the study.
            step_size: one of those of the study, or 0 for gradient flow.

        """
        where = {"level": self.study.confidence, "width": width}
        if step_size == 0:
            return float(self.dataset.predicted_flow_gap_quantile.sel(where))
        return float(self.dataset.predicted_gap_quantile.sel(where | {"step_size": step_size}))

    def widths_for(self, tolerance: float | None = None) -> list[dict[str, object]]:
        """Return for each step size, 0 included, the smallest width within a tolerance, or why there is none.

        Args:
            tolerance: by default that of the study; another one takes the law, so not a result from a folder.

        Raises:
            ArgumentError: where a result from a folder is asked for another tolerance.

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
            widths = [width_within(study, self.law, tolerance, *network) for network in study.dynamics]
        answers: list[dict[str, object]] = []
        for (step_size, _), width in zip(study.dynamics, widths, strict=True):
            answer: dict[str, object] = {"step_size": step_size, "width": width or None}
            answers.append(answer if width else answer | {"why": self._why_none(step_size, tolerance)})
        return answers

    def _figures(self) -> dict[str, object]:
        confidence = self.study.confidence
        predicted = predicted_summary(self.dataset, confidence)
        return {"confidence": confidence, **predicted, "widths_for": self.widths_for()}

    def _moving(self, step_size: float) -> str:
        return dynamics_in_words(step_size, self.study.batch_size)

    def _wide_enough(self, step_size: float) -> str:
        study = self.study
        assert study.tolerance is not None
        width = int(self.dataset.wide_enough.sel(dynamics=step_size))
        within = f"within {setting(study.tolerance)} of the mean-field risk up to t = {setting(study.horizon)}"
        if width == 0:
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
        if enough == 0:
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


@with_bar
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
    study.problem.require_predictable("study")
    dataset, results = run_study(PredictionJobs(study), Execution(workers, executor, folder, resume, progress))
    return PredictionResult(study, dataset, results.get("law"))
