"""What is in the initial draw of neurons, and what is in training: the two parts of a path, apart in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isthmus.studies.contents import Variable, labelled
from isthmus.studies.tracking import TrackingStudy
from isthmus.theory.finite_width_law import FiniteWidthLaw

PARTS = ("draw", "training")
PART = Variable(("part",), "the initial draw (t = 0), or training (from the relaxation time t₁ on)")
PREDICTED_DEVIATIONS = {
    "predicted_fluctuation": Variable(("part", "width"), "predicted rms standard deviation of R_N(t)", optional=True),
    "predicted_shift": Variable(("part", "width"), "predicted rms mean of R_N(t) − R(t)", optional=True),
    "crossover": Variable(
        ("part",), "width from which the fluctuation exceeds the mean shift", optional=True, nan="anywhere"
    ),
}


def relaxation_time(times: np.ndarray, widths: Sequence[int], squares: np.ndarray) -> float:
    """Return the relaxation time t₁: from it on a gap is due to training, and no longer to the initial draw.

    It is the first recorded time at which the root mean square of √N (R_N(t) − R(t)), over gradient flows of all
    widths, is below half of that at t = 0; NaN where it never is.

    Args:
        times: shape (T,).
        widths: N.
        squares: E (R_N(t) − R(t))² at each width, shape (widths, T).

    """
    scaled = (np.asarray(widths)[:, None] * squares).mean(axis=0)
    below = np.flatnonzero(scaled < scaled[0] / 4)
    return float(times[below[0]]) if len(below) else float("nan")


def selections(times: np.ndarray, relaxation: float) -> dict[str, np.ndarray]:
    """Return the recorded times of each part as a mask, shape (T,): t = 0, and t ≥ t₁ unless that is NaN."""
    masks = (times == 0, times >= relaxation)
    return {part: mask for part, mask in zip(PARTS, masks, strict=True) if mask.any()}


def predicted_relaxation_time(study: TrackingStudy, law: FiniteWidthLaw) -> float:
    """Return the relaxation time of a predicted law."""
    flows = [law.at(width) for width in study.widths]
    squares = np.array([flow.std**2 + flow.shift**2 for flow in flows])
    return relaxation_time(law.times, study.widths, squares)


def gap_draws(study: TrackingStudy, law: FiniteWidthLaw, relaxation: float) -> dict[str, np.ndarray]:
    """Return draws of every gap of a study from its predicted law, by name: shapes (widths, [step sizes,] draws)."""
    parts = selections(law.times, relaxation)
    spans = {"": np.ones(len(law.times), dtype=bool)} | ({"late_": parts["training"]} if "training" in parts else {})

    def over(spans: dict[str, np.ndarray], *network: Any, **options: Any) -> list[np.ndarray]:
        prediction = law.at(*network, **options)  # its curves are many, and gone when this returns
        return [prediction.gaps_over(selection) for selection in spans.values()]

    options = {"sampling": study.sampling}
    networks = [[over(spans, n, e, study.batch_size, **options) for e in study.step_sizes] for n in study.widths]
    flows = [over({**spans, "initial_": parts["draw"]}, width) for width in study.widths]
    by_span = np.moveaxis(np.array(networks), 2, 0)
    draws = {f"{prefix}gap": values for prefix, values in zip(spans, by_span, strict=True)}
    names = [*(f"{prefix}flow_gap" for prefix in spans), "initial_gap"]
    return draws | dict(zip(names, np.moveaxis(np.array(flows), 1, 0), strict=True))


def predicted_parts(study: TrackingStudy, law: FiniteWidthLaw, relaxation: float) -> dict[str, tuple]:
    """Return the predicted fluctuation and mean shift of gradient flows in each part, and where they cross.

    With variance K/N + C/N² and squared shift b²/N², means over the times of a part, the fluctuation is the larger
    from N = (b² − C)/K on.
    """
    parts = selections(law.times, relaxation)
    flows, unit = [law.at(width) for width in study.widths], law.at(1)
    kernel = np.sum([np.diagonal(noise.kernel) for noise in unit.noises.values()], axis=0)
    rms = lambda curve, selection: np.sqrt(np.square(curve[selection]).mean())
    fluctuation = [[rms(flow.std, mask) for flow in flows] for mask in parts.values()]
    shift = [[rms(flow.shift, mask) for flow in flows] for mask in parts.values()]
    excess = unit.shift**2 - (unit.std**2 - kernel)
    crossover = [crossing(excess[mask].mean(), kernel[mask].mean()) for mask in parts.values()]
    values = {"predicted_fluctuation": fluctuation, "predicted_shift": shift, "crossover": crossover}
    return {"part": PART.of(list(parts))} | labelled(PREDICTED_DEVIATIONS, values)


def crossing(squared_shift: float, variance: float) -> float:
    """Return the N ≥ 1 from which variance/N exceeds squared_shift/N², NaN where there is no fluctuation."""
    return max(1.0, float(squared_shift / variance)) if variance > 0 else float("nan")
