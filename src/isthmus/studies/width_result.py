"""What a width study finds: a width, what is predicted of it, and what networks of it and of half of it did."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from isthmus._version import __version__
from isthmus._words import counted, number, percent, setting
from isthmus.studies.agreement import bias_caution
from isthmus.studies.contents import complaint
from isthmus.studies.statistics import CONFIDENCE, Estimate
from isthmus.studies.width import ROLES, SMALL, WidthStudy

BOUNDS = ("estimate", "lower", "upper")
WIDE = 0.5
"""An interval of a share that is wider than this says little."""
MOST = 0.8
"""The share of networks from which on something is said of them all."""
SAME = 0.01
"""Gaps that differ by less than this part are the same."""
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
                "initial_gap": ("role", "run"),
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
            *self._start(),
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

    def _start(self) -> list[str]:
        """Say where the gap is that of the initial draw."""
        data = self.dataset.sel(role="recommended")
        count = int((data.initial_gap >= (1 - SAME) * data.gap).sum())
        if count < MOST * data.sizes["run"]:
            return []
        return [
            f"In {count:,} of {counted(data.sizes['run'], 'network')} of the recommended width the sup-gap is that at "
            f"t = 0, to {percent(SAME)}: the initial draw sets the width."
        ]

    def _cautions(self) -> list[str]:
        error = float(self.dataset.mean_field_risk_error.max())
        sentences = []
        if error > VISIBLE * self.tolerance:
            sentences.append(
                f"The numerical error of the mean-field risk reaches {number(error, 2)}, "
                f"{percent(error / self.tolerance)} of the tolerance; more particles reduce it."
            )
        return sentences + bias_caution({one.width: one.shift_ratio for one in (self.half, self.recommended)})


def _is_wide(share: Estimate) -> bool:
    return share.upper - share.lower > WIDE


def _plain(one: Checked) -> dict[str, object]:
    """Return a checked width as plain numbers, None for what too few runs leave open."""
    share, quantile = one.share, one.quantile
    return {
        "width": one.width,
        "runs": one.runs,
        "inside": one.inside,
        "within": share.value,
        "lower": share.lower,
        "upper": share.upper,
        "measured_quantile": quantile.value,
        "measured_lower": quantile.lower if quantile.has_interval else None,
        "measured_upper": quantile.upper if quantile.has_interval else None,
        "predicted_quantile": one.predicted_quantile,
        "shift_ratio": one.shift_ratio,
    }
