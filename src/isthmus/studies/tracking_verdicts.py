"""What a tracking study found, in sentences: each number can be computed again from the study's dataset."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from isthmus._words import counted, from_width, listed, number, percent, setting, whole
from isthmus.studies.agreement import agreement_verdicts, quantile_name
from isthmus.studies.gaps import GAPS
from isthmus.studies.result import StudyResult
from isthmus.studies.statistics import CONFIDENCE, Estimate, runs_needed, supports
from isthmus.studies.tracking import TrackingStudy

SMALL_ERROR = 0.1
"""Up to this share of the smallest gap the numerical error of the mean field is of no concern."""
EXPECTED = {"fluctuation": (-0.5, "−1/2"), "shift": (-1.0, "−1")}
"""Exponents of the width that theory predicts."""


@dataclass(frozen=True, repr=False)
class TrackingFindings(StudyResult[TrackingStudy]):
    """The numbers of a tracking study in sentences."""

    @property
    def level(self) -> float:
        """The level of the quantiles that are reported: the study's confidence, or 0.5 where it has too few runs."""
        enough = all(supports(self.study.confidence, self.dataset.sizes[runs]) for runs in ("run", "flow_run"))
        return self.study.confidence if enough else 0.5

    @property
    def relaxation_time(self) -> float:
        """t₁, from which on a gap is due to training and not to the initial draw; NaN where there is none."""
        return float(self.dataset.attrs["relaxation_time"])

    def estimate(self, name: str, **where: float | str) -> Estimate | None:
        """Return an entry of a variable with its interval, None where it could not be fitted.

        Args:
            name: of the variable.
            where: the coordinates of the entry.

        """
        value, lower, upper = self.dataset[name].sel(where).values
        return Estimate(float(value), float(lower), float(upper)) if np.isfinite(value) else None

    def answer(self) -> str:
        """Return in one sentence whether finite networks follow their mean-field limit."""
        widest, finest = max(self.study.widths), min(self.study.step_sizes)
        gap = self._quantile("gap", width=widest, step_size=finest)
        rate = self.estimate("width_rate", level=self.level, step_size=finest)
        stays = (
            f"at N = {whole(widest)}, {_share(self.level)} of the networks trained by SGD stay within "
            f"{number(gap.value)} of the mean-field risk up to t = {setting(self.study.horizon)}"
        )
        change = float(np.ptp(self.dataset.mean_field_risk.values))
        error = float(self.dataset.mean_field_risk_error.max())
        if gap.value >= change:
            return f"No: {stays}, which is no less than that risk changes ({number(change)})."
        if gap.value < error:
            return f"Not resolved: {stays}, which is less than the numerical error of that risk ({number(error, 2)})."
        if rate is None:
            return f"Not resolved: {stays}, and whether the gap falls with N takes two widths or more to see."
        power = f"N^{rate.as_exponent()}"
        if not rate.has_interval:
            return f"Not resolved: {stays}, and the gap goes as {power}, with too few runs for an interval."
        if rate.upper < 0:
            return f"Yes: {stays}, and the gap falls as {power}."
        if rate.lower > 0:
            return f"No: {stays}, and the gap grows as {power}."
        return f"Not resolved: {stays}, and these runs don't show whether the gap falls with N: it goes as {power}."

    def verdicts(self) -> list[str]:
        """Return what else the study found, in sentences."""
        return [
            *self._mean_field(),
            *self._levels(),
            *self._rates("gap", "width_rate", "flow_width_rate"),
            *self._draw(),
            *self._training(),
            *self._balance(),
            *self._steps(),
            *agreement_verdicts(self.dataset, self.level),
        ]

    def _quantile(self, name: str, **where: float) -> Estimate:
        estimate = self.estimate(f"{name}_quantile", level=self.level, **where)
        assert estimate is not None
        return estimate

    def _mean_field(self) -> list[str]:
        risk, pca = self.dataset.mean_field_risk.values, float(self.dataset.attrs["pca_risk"])
        start, end, horizon = float(risk[0]), float(risk[-1]), setting(self.study.horizon)
        moves = "falls" if end < start else "rises"
        side = "below" if end < pca else "still above" if start > pca else "above"
        error = float(self.dataset.mean_field_risk_error.max())
        shown = [name for name in GAPS if name in self.dataset and name != "step_gap"]
        smallest = min(float(self._quantiles(name).min()) for name in shown)
        share = error / smallest if smallest > 0 else math.inf
        compared = ""
        if math.isfinite(share):
            ratio = percent(share) if share < 1 else f"{number(share, 2)} times"
            compared = f", {ratio}{' of' if share < 1 else ''} the smallest {_quantile_noun(self.level)} of a gap"
        command = f"`isthmus track` with `--particles {2 * self.study.particles}`"
        remedy = f"; {command} reduces it" if share > SMALL_ERROR else ""
        return [
            f"The mean-field risk {moves} from {number(start)} to {number(end)} at t = {horizon}, {side} the risk of "
            f"PCA ({number(pca)}).",
            f"Its numerical error is at most {number(error, 2)} ({percent(CONFIDENCE)}){compared}{remedy}.",
        ]

    def _quantiles(self, name: str) -> xr.DataArray:
        return self.dataset[f"{name}_quantile"].sel(level=self.level, bound="estimate")

    def _levels(self) -> list[str]:
        """Say why medians are reported where another quantile was asked for, or that even these have no interval."""
        runs, flows = self.dataset.sizes["run"], self.dataset.sizes["flow_run"]
        given = f"{counted(runs, 'SGD run')} and {counted(flows, 'gradient flow')}"
        sentences = []
        if self.level != self.study.confidence:
            needed = runs_needed(self.study.confidence)
            sentences.append(
                f"Medians are reported: a {percent(CONFIDENCE)} CI of the {percent(self.study.confidence, 6)} quantile "
                f"takes {needed} of each, and there are {given}."
            )
        if not (supports(self.level, runs) and supports(self.level, flows)):
            needed = runs_needed(self.level)
            sentences.append(f"A {percent(CONFIDENCE)} CI of a median takes {needed} runs, and there are {given}.")
        return sentences

    def _rates(self, name: str, sgd: str, flow: str) -> list[str]:
        """Say with which exponents of the width a gap of SGD and of gradient flow goes."""
        if len(self.study.widths) < 2:
            return []
        rates = [
            (f"for SGD at ε = {setting(step_size)}", self.estimate(sgd, level=self.level, step_size=step_size))
            for step_size in sorted(self.study.step_sizes)
        ]
        rates.append(("for gradient flow", self.estimate(flow, level=self.level)))
        found = [f"N^{rate.as_exponent()} {network}" for network, rate in rates if rate is not None]
        what = f"The {_quantile_noun(self.level)} of the {'late gap' if name == 'late_gap' else 'sup-gap'}"
        return [f"{what} goes as {listed(found)}."] if found else []

    def _draw(self) -> list[str]:
        """Say how often the initial draw alone sets the sup-gap, and how it scales."""
        at_start = [
            (self.dataset[gap] == np.abs(self.dataset[risk].isel(time=0) - self.dataset.mean_field_risk[0])).values
            for gap, risk in (("flow_gap", "flow_risk"), ("gap", "risk"))
        ]
        (flows, all_flows), (runs, all_runs) = ((int(hits.sum()), hits.size) for hits in at_start)
        return [
            f"The gap is largest at t = 0, where it is the initial draw's alone, in {whole(flows)} of "
            f"{counted(all_flows, 'gradient flow')} and in {whole(runs)} of {counted(all_runs, 'SGD run')}.",
            *self._deviation("draw", "Over initial draws"),
        ]

    def _training(self) -> list[str]:
        """Say what the gap is after the relaxation time, and how its two parts scale."""
        if "late_gap_quantile" not in self.dataset:
            return [
                "The rms gap of gradient flows never falls below half of that at t = 0, so that no relaxation time "
                "tells training from the initial draw, and no late gap is reported."
            ]
        relaxation = setting(self.relaxation_time)
        widest, finest = max(self.study.widths), min(self.study.step_sizes)
        late = self._quantile("late_gap", width=widest, step_size=finest)
        flow = self._quantile("late_flow_gap", width=widest)
        return [
            f"At t₁ = {relaxation} the rms gap of gradient flows has fallen below half of that at t = 0. From then on, "
            f"the {_quantile_noun(self.level)} of the gap at N = {whole(widest)} is {late} for SGD at "
            f"ε = {setting(finest)} and {flow} for gradient flow.",
            *self._rates("late_gap", "late_width_rate", "late_flow_width_rate"),
            *self._deviation("training", "In training, from t₁ on"),
        ]

    def _deviation(self, part: str, where: str) -> list[str]:
        """Say how fluctuation and mean shift of gradient flows scale in one part of the path."""
        sentences = []
        for name, noun in (("fluctuation", "fluctuation between networks"), ("shift", "mean shift")):
            expected, symbol = EXPECTED[name]
            rate = self.estimate(f"{name}_rate", part=part)
            if rate is not None and rate.has_interval:
                relation = "consistent" if rate.contains(expected) else "not consistent"
                text = f"{where}, the {noun} goes as N^{rate.as_exponent()}, {relation} with the predicted {symbol}"
                sentences.append(f"{text}{self._constants(name, part)}.")
        return [*sentences, *self._unresolved(part, where)]

    def _constants(self, name: str, part: str) -> str:
        """Say how a measured constant compares with the predicted one."""
        if f"predicted_{name}" not in self.dataset or not (self.dataset[f"predicted_{name}"].sel(part=part) > 0).all():
            return ""
        ratio = self.dataset[name].sel(part=part, bound="estimate") / self.dataset[f"predicted_{name}"].sel(part=part)
        low, high = (number(float(extreme), 2) for extreme in (ratio.min(), ratio.max()))
        return f"; it is {low if low == high else f'{low} to {high}'} times the predicted one"

    def _unresolved(self, part: str, where: str) -> list[str]:
        """Say where the mean shift can't be told from zero, and how large it may be."""
        shift = self.dataset["shift"].sel(part=part)
        hidden = [width for width in sorted(self.study.widths) if not float(shift.sel(width=width, bound="lower")) > 0]
        limits = [number(float(shift.sel(width=width, bound="upper")), 2) for width in hidden]
        if not hidden:
            return []
        widths = listed([whole(width) for width in hidden])
        predicted = ""
        if "predicted_shift" in self.dataset:
            values = [number(float(self.dataset.predicted_shift.sel(part=part, width=width)), 2) for width in hidden]
            predicted = f"; predicted {listed(values)}"
        return [
            f"{where}, the mean shift is not resolved at N = {widths} ({percent(CONFIDENCE)} CI up to "
            f"{listed(limits)}{predicted})."
        ]

    def _balance(self) -> list[str]:
        """Say which of fluctuation and mean shift dominates at the widths of the study, and from which N the other."""
        sentences = []
        names = {"draw": "In the initial draw", "training": "In training"}
        for part in self.dataset.part.values:
            crossover = float(self.dataset.crossover.sel(part=part))
            if not math.isfinite(crossover):
                continue
            source = "predicted" if "predicted_shift" in self.dataset else "fitted"
            widths = sorted(self.study.widths)
            above = [whole(width) for width in widths if width >= crossover]
            below = [whole(width) for width in widths if width < crossover]
            if crossover <= 1:
                sentences.append(f"{names[str(part)]}, the fluctuation exceeds the mean shift at every N ({source}).")
                continue
            found = (("fluctuation", above), ("mean shift", below))
            larger = [f"the {what} is the larger at N = {listed(at)}" for what, at in found if at]
            sentences.append(
                f"{names[str(part)]}, the fluctuation exceeds the mean shift from about N = {from_width(crossover)} on "
                f"({source}): {', and '.join(larger)}."
            )
        return sentences

    def _steps(self) -> list[str]:
        """Say what SGD adds to what finite width does, and how it goes with the step size."""
        widest, finest = max(self.study.widths), min(self.study.step_sizes)
        flow = self._quantile("flow_gap", width=widest)
        steps = self._quantile("step_gap", width=widest, step_size=finest)
        if flow.lower > steps.upper:
            compared = "finite width contributes more to the gap than SGD"
        elif steps.lower > flow.upper:
            compared = "SGD contributes more to the gap than finite width"
        else:
            compared = "these runs don't tell whether finite width or SGD contributes more to the gap"
        sentences = [
            f"At N = {whole(widest)} and ε = {setting(finest)}, {compared}: the {_quantile_noun(self.level)} of the "
            f"sup-gap is {flow} from gradient flow to the mean field, and {steps} from SGD to the gradient flow from "
            "the same initial neurons."
        ]
        rate = self.estimate("step_rate", level=self.level, width=widest)
        if rate is not None:
            sentences.append(
                f"At N = {whole(widest)} the effect of SGD scales as ε^{rate.as_exponent()}{_step_orders(rate)}."
            )
        return sentences


def _step_orders(rate: Estimate) -> str:
    """Say with which of the two known effects of steps an exponent agrees."""
    if not rate.has_interval:
        return ""
    known = {"1/2 (noise of batches)": 0.5, "1 (finite steps)": 1.0}
    found = [name for name, value in known.items() if rate.contains(value)]
    if found:
        return f", consistent with {' and '.join(found)}"
    noise, steps = known
    if rate.lower > known[noise] and rate.upper < known[steps]:
        return f", between {noise} and {steps}"
    return f", consistent with neither {noise} nor {steps}"


def _share(level: float) -> str:
    return "half" if level == 0.5 else percent(level, 6)


def _quantile_noun(level: float) -> str:
    return quantile_name(level).removesuffix("s")
