"""What a width study finds: a width, what is predicted of it, and what networks of it and of half of it did."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from isthmus import _checks
from isthmus._version import __version__
from isthmus._words import counted, number, percent, setting
from isthmus.core.data import as_finite_data
from isthmus.core.laws import aligned_law
from isthmus.core.problem import Problem
from isthmus.dynamics.parallel import number_of_workers
from isthmus.studies.contents import complaint
from isthmus.studies.engine import conducted, studied
from isthmus.studies.prediction import refuse_unpredictable
from isthmus.studies.statistics import CONFIDENCE, Estimate, quantile_intervals
from isthmus.studies.study import StageProgress, named, provenance
from isthmus.studies.width import ROLES, SMALL, WidthStudy, WidthWork
from isthmus.theory.prediction import COMPARABLE

BOUNDS = ("estimate", "lower", "upper")
WIDE = 0.5
"""An interval of a share that is wider than this says little."""
VISIBLE = 0.1
"""From this part of the tolerance on, the numerical error of the mean field is to be known."""


@dataclass(frozen=True)
class Checked:
    """A width with what is predicted of it and what its networks did.

    Attributes:
        width: N.
        runs: networks that were trained.
        inside: how many of them stay within the tolerance.
        share: that share, with its 95 % interval (Clopper and Pearson).
        quantile: of their sup-gaps, at the confidence asked for; bounds are NaN where there are too few runs.
        predicted_quantile: the same by the law of finite networks.
        shift_ratio: of the largest mean shift to the largest standard deviation, which is 0 to leading order.

    """

    width: int
    runs: int
    inside: int
    share: Estimate
    quantile: Estimate
    predicted_quantile: float
    shift_ratio: float

    @property
    def counted(self) -> str:
        """How many networks stay within the tolerance, with the verb."""
        return f"{self.inside:,} of {counted(self.runs, 'network')} {'stays' if self.inside == 1 else 'stay'}"

    @property
    def in_percent(self) -> str:
        """The share that stays within the tolerance, with its interval."""
        ends = f"{100 * self.share.lower:.0f} to {percent(self.share.upper)}"
        return f"{percent(self.share.value)}, {percent(CONFIDENCE)} CI {ends}"


@dataclass(frozen=True)
class WidthResult:
    """The smallest width that is predicted to stay within a tolerance of the limit, and what its networks did.

    Attributes:
        study: what was asked; None where `recommend_width` was given the problem itself.
        dataset: every number as a labelled `xarray.Dataset`; each variable's ``long_name`` says what it is.

    """

    study: WidthStudy | None
    dataset: xr.Dataset

    @property
    def width(self) -> int:
        """The recommended width N."""
        return int(self.dataset.width.sel(role="recommended"))

    @property
    def tolerance(self) -> float:
        """What the sup-gap was to stay within."""
        return float(self.dataset.attrs["tolerance"])

    @property
    def confidence(self) -> float:
        """The share of networks that was to stay within it."""
        return float(self.dataset.attrs["confidence"])

    @property
    def asked_share(self) -> str:
        """The confidence in per cent, with every digit."""
        return percent(self.confidence, 6)

    @property
    def recommended(self) -> Checked:
        """The recommended width."""
        return self._checked("recommended")

    @property
    def half(self) -> Checked:
        """Half of it."""
        return self._checked("half")

    @property
    def confirmed(self) -> bool:
        """Whether the interval of the share that the networks leave contains the one asked for, or lies above it."""
        return self.recommended.share.upper >= self.confidence

    @property
    def dynamics(self) -> str:
        """How the networks move."""
        values = self.dataset.attrs
        if values["step_size"] == 0:
            return "gradient flow"
        return f"SGD with step size {setting(values['step_size'])} and batches of {values['batch_size']}"

    def complaint(self) -> str | None:
        """Return in what the numbers can't be those of the study, None where they can."""
        study = self.study
        if study is None:
            return "it has none"
        return complaint(
            self.dataset,
            required={
                "width": ("role",),
                "risk": ("role", "run", "time"),
                "gap": ("role", "run"),
                "within": ("role", "bound"),
                "gap_quantile": ("role", "bound"),
                "mean_field_risk": ("time",),
                "mean_field_risk_error": ("time",),
                "shift_ratio": ("role",),
                **{f"predicted_{name}": ("role", "time") for name in ("mean", "std")},
                "predicted_gap_quantile": ("role",),
                "candidate_gap_quantile": ("candidate",),
            },
            known={},
            may_be_nan=frozenset(),
            may_lack_bounds=frozenset({"gap_quantile"}),
            sizes={"role": len(ROLES), "run": study.runs, "time": len(study.times), "bound": len(BOUNDS)},
            coordinates={"role": ROLES, "time": study.times, "bound": BOUNDS},
            attributes=("tolerance", "confidence", "horizon", "step_size", "batch_size", "wide_enough", "pca_risk"),
        )

    def answer(self) -> str:
        """Return the recommended width and how many of its networks stay within the tolerance."""
        one, values = self.recommended, self.dataset.attrs
        within = f"within {setting(self.tolerance)} of the mean-field risk up to t = {setting(values['horizon'])}"
        if self.confirmed:
            return f"At the recommended width N = {one.width:,}, {one.counted} {within} ({one.in_percent})."
        return (
            f"N = {one.width:,} is predicted to be wide enough, but only {one.counted} {within} "
            f"({one.in_percent}): take a wider network."
        )

    def verdicts(self) -> list[str]:
        """Return what else was found, in sentences."""
        return [
            self._choice(),
            self._agreement(),
            f"At N = {self.width:,} {self._quantile(self.recommended)}.",
            self._half(),
            *self._cautions(),
        ]

    def summary(self) -> dict[str, object]:
        """Return the main figures as plain numbers, for JSON."""
        values = self.dataset.attrs
        return {
            "isthmus": __version__,
            "answer": self.answer(),
            "width": self.width,
            **{key: values[key] for key in ("tolerance", "confidence", "horizon", "step_size")},
            "batch_size": values["batch_size"] if values["step_size"] > 0 else None,
            "recommended": _plain(self.recommended),
            "half": _plain(self.half),
            "confirmed": self.confirmed,
            "verdicts": self.verdicts(),
        }

    def _checked(self, role: str) -> Checked:
        data = self.dataset.sel(role=role)
        inside = int((data.gap.values <= self.tolerance).sum())
        share, quantile = (Estimate(*map(float, data[name].values)) for name in ("within", "gap_quantile"))
        predicted = float(data.predicted_gap_quantile), float(data.shift_ratio)
        return Checked(int(data.width), data.sizes["run"], inside, share, quantile, *predicted)

    def _choice(self) -> str:
        enough, share = int(self.dataset.attrs["wide_enough"]), self.asked_share
        if enough < self.width:
            return (
                f"N = {enough:,} is the smallest width at which {share} of networks are predicted to do so "
                f"({self.dynamics}); the prediction is not relied on below N = {SMALL}, which is recommended instead."
            )
        return (
            f"It is the smallest width at which {share} of networks are predicted to do so from the mean field alone "
            f"({self.dynamics})."
        )

    def _agreement(self) -> str:
        one, share = self.recommended, self.asked_share
        if not self.confirmed:
            return (
                f"The networks contradict the prediction that {share} stay within the tolerance: `isthmus track` shows "
                "how the gap falls with the width."
            )
        if one.share.lower >= self.confidence:
            return f"More than {share} of networks stay within the tolerance: the whole interval lies above."
        caution = f" It is wide: {counted(one.runs, 'network')} tell little." if _is_wide(one.share) else ""
        return f"The interval contains the {share} that were predicted.{caution}"

    def _quantile(self, one: Checked) -> str:
        few = "" if one.quantile.has_interval else f" ({counted(one.runs, 'network')} are too few for an interval)"
        predicted = number(one.predicted_quantile)
        return f"the {self.asked_share} quantile of the sup-gap is {one.quantile}{few}, and {predicted} is predicted"

    def _half(self) -> str:
        one = self.half
        do = "does" if one.inside == 1 else "do"
        return (
            f"At half the width (N = {one.width:,}), {one.inside:,} of {one.runs:,} {do} ({one.in_percent}); "
            f"{self._quantile(one)}."
        )

    def _cautions(self) -> list[str]:
        error = float(self.dataset.mean_field_risk_error.max())
        sentences = []
        if error > VISIBLE * self.tolerance:
            sentences.append(
                f"The numerical error of the mean-field risk reaches {number(error, 2)}, "
                f"{percent(error / self.tolerance)} of the tolerance; more particles reduce it."
            )
        for one in (self.recommended, self.half):
            if one.shift_ratio > COMPARABLE:
                sentences.append(
                    f"At N = {one.width:,} the bias reaches {number(one.shift_ratio, 2)} standard deviations; the "
                    "leading-order prediction may be off there."
                )
        return sentences


def find_width(
    study: WidthStudy,
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    progress: StageProgress | None = None,
) -> WidthResult:
    """Find the smallest width whose risk stays within a tolerance of its limit, and train networks to check it.

    Args:
        study: what is asked.
        workers, executor, folder, resume, progress: as in `track`.

    Raises:
        ArgumentError: where the law of the problem's networks can't be predicted.
        NumericalError: where no width suffices.

    Example:
        >>> import isthmus as im
        >>> study = im.WidthStudy(
        ...     data={"source": "wine"}, tolerance=0.05, horizon=2.0, records=2, runs=4, particles=64
        ... )
        >>> dict(im.find_width(study).dataset.gap.sizes)
        {'role': 2, 'run': 4}

    """
    _checks.instance("study", study, WidthStudy)
    refuse_unpredictable("study", study.problem)
    work = WidthWork(study)
    work.check_memory()
    dataset = studied(
        work,
        lambda results: _dataset(work, results),
        workers=workers,
        executor=executor,
        folder=folder,
        resume=resume,
        progress=progress,
    )
    return WidthResult(study, dataset)


def recommend_width(
    problem: Problem | ArrayLike,
    tolerance: float,
    *,
    confidence: float = 0.9,
    horizon: float = 20.0,
    latent_dim: int = 2,
    step_size: float = 0.0,
    batch_size: int = 8,
    records: int = 20,
    runs: int = 64,
    particles: int = 512,
    seed: int = 0,
    workers: int | None = None,
    progress: StageProgress | None = None,
) -> WidthResult:
    """Return the smallest width whose risk stays within a tolerance of its limit, and train networks to check it.

    The width is that at which the quantile of max_t |R_N(t) − R(t)| is within the tolerance under the predicted law of
    finite networks; then networks of that width and of half of it are trained. `find_width` does the same for a problem
    in words, with a folder.

    Args:
        problem: a `Problem`, or points of shape (n, d) or a frame of them, which are centred and scaled to E‖x‖² = 1,
            with an aligned law.
        tolerance: in units of the risk.
        confidence: the share of networks that are to be within it.
        horizon: the last time, a multiple of the step size.
        latent_dim: k, where points are given.
        step_size, batch_size: of SGD; at step size 0 networks follow their gradient flow.
        records: how many times after 0 the risk is compared at.
        runs: networks that are trained at each of both widths.
        particles: of the mean field, a side (a power of 2).
        seed: of everything random.
        workers: threads.
        progress: called as ``progress(stage, done, total)``.

    Raises:
        ArgumentError: where an argument breaks its rule, or the law of the problem's networks can't be predicted.
        NumericalError: where no width suffices.

    Example:
        >>> import isthmus as im
        >>> from sklearn.datasets import load_wine
        >>> found = im.recommend_width(load_wine().data, 0.05, horizon=2.0, records=2, runs=4, particles=64)
        >>> found.half.width <= found.width, len(found.verdicts()) >= 3
        (True, True)

    """
    if not isinstance(problem, Problem):
        data = as_finite_data("problem", problem)
        problem = Problem(data, aligned_law(data, latent_dim))
    settings: dict[str, Any] = {
        "tolerance": _checks.real("tolerance", tolerance, above=0),
        "confidence": _checks.real("confidence", confidence, above=0, below=1),
        "horizon": _checks.real("horizon", horizon, above=0),
        "step_size": _checks.real("step_size", step_size, minimum=0),
        "batch_size": _checks.integer("batch_size", batch_size, minimum=1),
        "records": _checks.integer("records", records, minimum=1),
        "runs": _checks.integer("runs", runs, minimum=2),
        "particles": _checks.integer("particles", particles, minimum=1),
        "seed": _checks.seed("seed", seed),
    }
    _checks.function("progress", progress, optional=True)
    refuse_unpredictable("problem", problem)
    work = WidthWork(WidthStudy(**settings), problem)
    work.check_memory()
    results = conducted(work, workers=number_of_workers(workers), progress=progress)
    return WidthResult(None, _dataset(work, results))


def _dataset(work: WidthWork, results: dict[str, Any]) -> xr.Dataset:
    study, path, law, risk = work.study, results["path"], results["law"], work.risks(results)
    gap = np.abs(risk - path.risk).max(axis=-1)
    network, moving = ("role", "bound"), ("role", "time")
    dataset = xr.Dataset(
        {
            "width": ("role", law["width"], named("width N")),
            "mean_field_risk": ("time", path.risk, named("mean-field risk R(t)")),
            "mean_field_risk_error": ("time", path.risk_error, named("half of its 95 % interval over replicates")),
            "risk": (("role", "run", "time"), risk, named("risk of networks")),
            "gap": (("role", "run"), gap, named("sup-gap to the mean field")),
            "within": (network, [_share(gaps, study.tolerance) for gaps in gap], named("share within the tolerance")),
            "gap_quantile": (
                network,
                quantile_intervals(gap, study.confidence),
                named("quantile of the sup-gap at the confidence of the study"),
            ),
            "predicted_mean": (moving, law["mean"], named("predicted mean risk")),
            "predicted_std": (moving, law["std"], named("predicted standard deviation of it")),
            "predicted_gap_quantile": ("role", law["gap_quantile"], named("predicted quantile of the sup-gap")),
            "shift_ratio": ("role", law["shift_ratio"], named("mean shift over fluctuation")),
            "candidate_gap_quantile": (
                "candidate",
                law["candidate_gap_quantile"],
                named("predicted quantile of the sup-gap at other widths"),
            ),
        },
        coords={"time": path.times, "role": list(ROLES), "bound": list(BOUNDS), "candidate": law["candidate"]},
    )
    problem = work.problem
    about = provenance("isthmus width study", study, problem.data)
    if work.given is not None:
        del about["study"]  # whose data are not these
    return dataset.assign_attrs(
        about,
        **{name: getattr(study, name) for name in ("tolerance", "confidence", "horizon", "step_size", "batch_size")},
        wide_enough=law["wide_enough"],
        pca_risk=problem.population.pca_risk(problem.latent_dim),
    )


def _share(gaps: np.ndarray, tolerance: float) -> tuple[float, float, float]:
    """Return the share of gaps within the tolerance, with the interval of Clopper and Pearson."""
    found = binomtest(int((gaps <= tolerance).sum()), len(gaps))
    ends = found.proportion_ci(CONFIDENCE, method="exact")
    return float(found.statistic), float(ends.low), float(ends.high)


def _is_wide(share: Estimate) -> bool:
    return share.upper - share.lower > WIDE


def _plain(one: Checked) -> dict[str, object]:
    """Return a checked width as plain numbers, None for what too few runs leave open."""
    found = asdict(one)
    for name in ("share", "quantile"):
        found[name] = [value if np.isfinite(value) else None for value in found[name].values()]
    return found
