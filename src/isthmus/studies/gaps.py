"""The gaps between runs and the mean field: largest, initial and late ones, their quantiles, and their exponents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from isthmus.studies.contents import Variable, labelled
from isthmus.studies.fluctuation import fluctuation_intervals, fluctuation_slope, shift_intervals, shift_slope
from isthmus.studies.parts import PART, PREDICTED_DEVIATIONS, crossing, relaxation_time, selections
from isthmus.studies.statistics import (
    leave_one_out,
    quantile_intervals,
    quantile_slope,
    quantile_slope_intervals,
    widened,
    widened_logs,
)
from isthmus.studies.tracking import TrackingStudy


class Gap(NamedTuple):
    """What a gap is, and over what it is known: dimensions of networks, and that of their runs."""

    dims: tuple[str, ...]
    runs: str
    what: str


GAPS: Mapping[str, Gap] = {
    "gap": Gap(("width", "step_size"), "run", "sup-gap of SGD to the mean field"),
    "flow_gap": Gap(("width",), "flow_run", "sup-gap of gradient flow to the mean field"),
    "initial_gap": Gap(("width",), "run", "gap of the initial draw, |R_N(0) − R(0)|"),
    "late_gap": Gap(("width", "step_size"), "run", "sup-gap of SGD from the relaxation time on"),
    "late_flow_gap": Gap(("width",), "flow_run", "sup-gap of gradient flow from the relaxation time on"),
    "step_gap": Gap(
        ("width", "step_size"), "flow_run", "sup-gap of SGD to the gradient flow from the same initial neurons"
    ),
}
RATES: Mapping[str, tuple[str, str]] = {
    "width_rate": ("gap", "width"),
    "flow_width_rate": ("flow_gap", "width"),
    "initial_width_rate": ("initial_gap", "width"),
    "late_width_rate": ("late_gap", "width"),
    "late_flow_width_rate": ("late_flow_gap", "width"),
    "step_rate": ("step_gap", "step_size"),
}
"""Exponents: of which gap, and of which size."""


def _variables() -> dict[str, Variable]:
    """Return the variables of gaps, of their quantiles and exponents, and of the two parts of the deviation."""
    found = {}
    for name, gap in GAPS.items():
        late = name.startswith("late")
        found[name] = Variable((*gap.dims, gap.runs), gap.what, late)
        found[f"{name}_quantile"] = Variable(
            ("level", *gap.dims, "bound"), f"quantile of the {gap.what}", late, "bounds"
        )
    for rate, (name, size) in RATES.items():
        dims = ("level", *(dim for dim in GAPS[name].dims if dim != size), "bound")
        meaning = f"exponent of the {size.replace('_', ' ')} in the quantile of the {GAPS[name].what}"
        found[rate] = Variable(dims, meaning, True, "anywhere")
    table, rate = ("part", "width", "bound"), ("part", "bound")
    deviations = {
        "fluctuation": (table, "rms standard deviation of the risk of gradient flows"),
        "shift": (table, "rms mean of R_N(t) − R(t) of gradient flows"),
        "fluctuation_rate": (rate, "exponent of the width in the fluctuation"),
        "shift_rate": (rate, "exponent of the width in the mean shift"),
    }
    found |= {name: Variable(dims, meaning, True, "anywhere") for name, (dims, meaning) in deviations.items()}
    return found | {"crossover": PREDICTED_DEVIATIONS["crossover"]}


MEASURED = _variables()
"""The variables of `Runs.variables`."""


@dataclass(frozen=True)
class Runs:
    """The risk of the runs of a study beside the mean field they are compared with.

    Attributes:
        study: of these runs.
        risk: of SGD, shape (widths, step sizes, runs, T).
        flow_risk: of gradient flows from the initial neurons of the first of those runs, shape (widths, flows, T).
        replicates: independent estimates of the mean-field risk, of which R is the mean, shape (replicates, T).
        relaxation: t₁ of a predicted law, None where it is to be taken from the runs.

    """

    study: TrackingStudy
    risk: np.ndarray
    flow_risk: np.ndarray
    replicates: np.ndarray
    relaxation: float | None = None

    @property
    def limit(self) -> np.ndarray:
        """The mean-field risk R(t), shape (T,)."""
        return self.replicates.mean(axis=0)

    @property
    def relaxation_time(self) -> float:
        """t₁, as in `relaxation_time`."""
        if self.relaxation is not None:
            return self.relaxation
        squares = np.square(self.flow_risk - self.limit).mean(axis=1)
        return relaxation_time(self.study.times, self.study.widths, squares)

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """The recorded times of each part of the paths."""
        return selections(self.study.times, self.relaxation_time)

    def variables(self) -> dict[str, tuple]:
        """Return every gap, its quantiles and exponents, and the two parts of the deviation, labelled."""
        gaps = self.gaps(self.limit)
        others = [self.gaps(limit) for limit in leave_one_out(self.replicates)]
        found: dict[str, object] = dict(gaps)
        for name, values in gaps.items():
            found[f"{name}_quantile"] = self._quantiles(values, [other[name] for other in others])
        for rate, (name, size) in RATES.items():
            if name in gaps:
                found[rate] = self._rates(name, size, gaps[name], [other[name] for other in others])
        return {"part": PART.of(list(self.parts))} | labelled(MEASURED, found | self._deviations())

    def gaps(self, limit: np.ndarray) -> dict[str, np.ndarray]:
        """Return the gaps of all runs to a mean-field risk (T,), by name, the runs last."""
        far, flow_far = np.abs(self.risk - limit), np.abs(self.flow_risk - limit)
        same_start = self.risk[:, :, : self.flow_risk.shape[1]]
        gaps = {
            "gap": far.max(axis=-1),
            "flow_gap": flow_far.max(axis=-1),
            "initial_gap": far[:, 0, :, 0],  # the same neurons at every step size
            "step_gap": np.abs(same_start - self.flow_risk[:, None]).max(axis=-1),
        }
        late = self.parts.get("training")
        if late is not None:
            gaps |= {"late_gap": far[..., late].max(axis=-1), "late_flow_gap": flow_far[..., late].max(axis=-1)}
        return gaps

    def _quantiles(self, values: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
        quantiles = lambda level: np.stack([np.quantile(other, level, axis=-1) for other in others])
        return np.array(
            [widened_logs(quantile_intervals(values, level), quantiles(level)) for level in self.study.levels]
        )

    def _rates(self, name: str, size: str, values: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
        study, axis = self.study, GAPS[name].dims.index(size)
        sizes = study.widths if size == "width" else study.step_sizes
        values, *others = (np.moveaxis(samples, axis, 0) for samples in (values, *others))
        slopes = lambda level: np.stack([quantile_slope(sizes, other, level) for other in others])
        return np.array(
            [widened(quantile_slope_intervals(sizes, values, level), slopes(level)) for level in study.levels]
        )

    def _deviations(self) -> dict[str, object]:
        """Return fluctuation and mean shift of gradient flows in each part, and their exponents."""
        widths, tables, rates, crossover = self.study.widths, [], [], []
        for part, selection in self.parts.items():
            # the draw is the same at every step size: all runs tell of it, also those that no flow follows
            curves = self.risk[:, 0] if part == "draw" else self.flow_risk
            curves, replicates = curves[..., selection], self.replicates[:, selection]
            tables.append((fluctuation_intervals(curves), shift_intervals(curves, replicates)))
            rates.append((fluctuation_slope(widths, curves), shift_slope(widths, curves, replicates)))
            crossover.append(_fitted_crossing(np.asarray(widths), *tables[-1]))
        found: dict[str, object] = dict(zip(("fluctuation", "shift"), np.stack(tables, axis=1), strict=True))
        found |= dict(zip(("fluctuation_rate", "shift_rate"), np.stack(rates, axis=1), strict=True))
        return found | {"crossover": crossover}


def _fitted_crossing(widths: np.ndarray, fluctuation: np.ndarray, shift: np.ndarray) -> float:
    """Return where √(K/N) passes b/N, with K and b fitted to widths at which the shift is resolved; NaN without any."""
    resolved = shift[:, 1] > 0
    if not resolved.any():
        return float("nan")
    variance = np.mean(widths * fluctuation[:, 0] ** 2)
    return crossing(float(np.mean((widths * shift[:, 0])[resolved] ** 2)), float(variance))
