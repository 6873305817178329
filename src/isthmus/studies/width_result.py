"""What a width study finds: a width, what is predicted of it, and what networks of it and of half of it did."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus._words import counted, number, percent, setting
from isthmus.studies.agreement import bias_caution, dynamics_in_words
from isthmus.studies.contents import Contents
from isthmus.studies.result import StudyResult
from isthmus.studies.statistics import BOUNDS, CONFIDENCE, Estimate, plain
from isthmus.studies.width import CONTROLLED_RUNS, ROLES, SETTINGS, SMALLEST_WIDTH, VARIABLES, WidthStudy

WIDE_INTERVAL = 0.5
"""An interval of a share that is wider than this says little."""
MOST_NETWORKS = 0.8
"""The share of networks from which on something is said of them all."""
EQUAL_GAPS = 0.01
"""Gaps whose relative difference is smaller count as equal."""
LARGE_ERROR = 0.1
"""From this share of the tolerance on, the numerical error of the mean field is mentioned."""


@dataclass(frozen=True)
class Checked:
    """A width with what is predicted of it and what its networks did.

    Attributes:
        width: N.
        runs: networks that were trained.
        inside: how many of them stay within the tolerance.
        share: that share, with its 95 % interval (Clopper and Pearson).
        quantile: of their sup-gaps, at the confidence asked for; bounds are NaN where there are too few runs.
        controlled_quantile: the same from few networks, each less its predicted fluctuation; None in older files.
        predicted_quantile: the same by the law of finite networks.
        shift_ratio: of the mean shift to the standard deviation, root mean square over time; 0 to leading order.

    """

    width: int
    runs: int
    inside: int
    share: Estimate
    quantile: Estimate
    controlled_quantile: Estimate | None
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

    def for_json(self) -> dict[str, object]:
        """Return the width as plain numbers, None for what too few runs leave open."""
        share, quantile, controlled = self.share, self.quantile, self.controlled_quantile
        return {
            "width": self.width,
            "runs": self.runs,
            "inside": self.inside,
            "within": share.value,
            "lower": share.lower,
            "upper": share.upper,
            "measured_quantile": quantile.value,
            "measured_lower": plain(quantile.lower),
            "measured_upper": plain(quantile.upper),
            "controlled_quantile": None if controlled is None else controlled.for_json(),
            "predicted_quantile": self.predicted_quantile,
            "shift_ratio": self.shift_ratio,
        }


@dataclass(frozen=True, repr=False)
class WidthResult(StudyResult[WidthStudy | None]):
    """The smallest width that is predicted to stay within a tolerance of the limit, and what its networks did.

    Attributes:
        study: what was asked; None where `recommend_width` was given the problem itself.
        dataset: every number as a labelled `xarray.Dataset`; each variable's ``long_name`` says what it is.

    Example:
        >>> import isthmus as im
        >>> study = im.WidthStudy(
        ...     data={"source": "wine"}, tolerance=0.05, horizon=2.0, records=2, runs=4, particles=64
        ... )
        >>> result = im.find_width(study)
        >>> result.confirmed, result.half.width == result.width // 2, result.recommended.runs
        (True, True, 4)

    """

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
        return dynamics_in_words(values["step_size"], values["batch_size"])

    @property
    def _contents(self) -> Contents:
        study = self.study
        assert study is not None
        return Contents(
            VARIABLES,
            coordinates={"role": ROLES, "time": study.times, "bound": BOUNDS},
            sizes={"run": study.runs},
            attributes=(*SETTINGS, "wide_enough", "pca_risk"),
        )

    def answer(self) -> str:
        """Return the recommended width and how many of its networks stay within the tolerance."""
        best, values = self.recommended, self.dataset.attrs
        within = f"within {setting(self.tolerance)} of the mean-field risk up to t = {setting(values['horizon'])}"
        if self.confirmed:
            return f"At the recommended width N = {best.width:,}, {best.counted} {within} ({best.in_percent})."
        return (
            f"N = {best.width:,} is predicted to be wide enough, but only {best.counted} {within} "
            f"({best.in_percent}): take a wider network."
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

    def _figures(self) -> dict[str, object]:
        values = self.dataset.attrs
        return {
            "width": self.width,
            **{key: values[key] for key in ("tolerance", "confidence", "horizon", "step_size")},
            "batch_size": values["batch_size"] if values["step_size"] > 0 else None,
            "recommended": self.recommended.for_json(),
            "half": self.half.for_json(),
            "confirmed": self.confirmed,
        }

    def _checked(self, role: str) -> Checked:
        data = self.dataset.sel(role=role)
        inside = int((data.gap.values <= self.tolerance).sum())
        share, quantile = (Estimate(*map(float, data[name].values)) for name in ("within", "gap_quantile"))
        controlled = None
        if "controlled_gap_quantile" in data:
            controlled = Estimate(*map(float, data.controlled_gap_quantile.values))
        predicted = float(data.predicted_gap_quantile), float(data.shift_ratio)
        return Checked(int(data.width), data.sizes["run"], inside, share, quantile, controlled, *predicted)

    def _choice(self) -> str:
        enough, share = int(self.dataset.attrs["wide_enough"]), self.asked_share
        if enough < self.width:
            return (
                f"N = {enough:,} is the smallest width at which {share} of networks are predicted to do so "
                f"({self.dynamics}); the prediction is not relied on below N = {SMALLEST_WIDTH}, which is "
                "recommended instead."
            )
        return (
            f"It is the smallest width at which {share} of networks are predicted to do so from the mean field alone "
            f"({self.dynamics})."
        )

    def _agreement(self) -> str:
        checked, share = self.recommended, self.asked_share
        if not self.confirmed:
            return (
                f"The networks contradict the prediction that {share} stay within the tolerance: `isthmus track` shows "
                "how the gap falls with the width."
            )
        if checked.share.lower >= self.confidence:
            return f"More than {share} of networks stay within the tolerance: the whole interval lies above."
        caution = f" It is wide: {counted(checked.runs, 'network')} tell little." if _is_wide(checked.share) else ""
        return f"The interval contains the {share} that were predicted.{caution}"

    def _quantile(self, checked: Checked) -> str:
        measured, predicted = checked.quantile, number(checked.predicted_quantile)
        few = "" if measured.has_interval else f" ({counted(checked.runs, 'network')} are too few for an interval)"
        controlled = checked.controlled_quantile
        beside = "" if controlled is None else f", {controlled} by {CONTROLLED_RUNS} networks beside their prediction"
        return (
            f"the {self.asked_share} quantile of the sup-gap is {measured}{few}{beside}, and {predicted} is predicted"
        )

    def _half(self) -> str:
        half = self.half
        do = "does" if half.inside == 1 else "do"
        return (
            f"At half the width (N = {half.width:,}), {half.inside:,} of {half.runs:,} {do} ({half.in_percent}); "
            f"{self._quantile(half)}."
        )

    def _start(self) -> list[str]:
        """Say where the gap is that of the initial draw."""
        data = self.dataset.sel(role="recommended")
        count = int((data.initial_gap >= (1 - EQUAL_GAPS) * data.gap).sum())
        if count < MOST_NETWORKS * data.sizes["run"]:
            return []
        return [
            f"In {count:,} of {counted(data.sizes['run'], 'network')} of the recommended width the sup-gap is that at "
            f"t = 0, to {percent(EQUAL_GAPS)}: the initial draw sets the width."
        ]

    def _cautions(self) -> list[str]:
        error = float(self.dataset.mean_field_risk_error.max())
        sentences = []
        if error > LARGE_ERROR * self.tolerance:
            sentences.append(
                f"The numerical error of the mean-field risk reaches {number(error, 2)}, "
                f"{percent(error / self.tolerance)} of the tolerance; more particles reduce it."
            )
        return sentences + bias_caution(
            {checked.width: checked.shift_ratio for checked in (self.half, self.recommended)}
        )


def _is_wide(share: Estimate) -> bool:
    return share.upper - share.lower > WIDE_INTERVAL
