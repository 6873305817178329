"""How wide is wide enough: the smallest width whose risk keeps to the limit, with a check by simulation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field
from scipy.stats import binomtest

from isthmus import _checks
from isthmus._version import __version__
from isthmus.core.data import as_finite_data
from isthmus.core.laws import aligned_law
from isthmus.core.problem import Problem
from isthmus.core.specification import Count, DataSpecification, NonNegative, Positive, Seed
from isthmus.dynamics.mean_field import solve_mean_field
from isthmus.dynamics.network_flow import gradient_flow
from isthmus.dynamics.parallel import check_number_of_jobs
from isthmus.dynamics.sgd import train
from isthmus.dynamics.step_plan import LARGEST_NUMBER_OF_STEPS
from isthmus.studies.statistics import CONFIDENCE
from isthmus.studies.study import StageProgress, Study, stage
from isthmus.theory.finite_width import predict_finite_width

SMALL = 32
"""Below this width leading order is not to be relied on: smaller answers are raised to it."""


class WidthStudy(Study):
    """Which width keeps the risk of a problem within a tolerance of its limit.

    Example:
        >>> import isthmus as im
        >>> im.WidthStudy(data={"source": "wine"}, tolerance=0.02).confidence
        0.9

    """

    data: DataSpecification = DataSpecification(source="digits", max_points=256)  # pyright: ignore[reportCallIssue]
    tolerance: Positive = Field(0.01, description="of the sup-gap max |R_N(t) − R(t)|")
    confidence: float = Field(0.9, gt=0, lt=1, description="with which the sup-gap is to be within it")
    horizon: Positive = 20.0
    records: Count = Field(20, description="how many times, after 0, the risk is recorded at")
    step_size: NonNegative = Field(0.0, description="of SGD; 0 is gradient flow")
    batch_size: Count = Field(8, description="of SGD")
    runs: int = Field(64, ge=2, description="networks that are trained at the recommended width, and at half of it")
    particles: Count = Field(512, description="mean field: particles a side (a power of 2)")
    seed: Seed = 0


@dataclass(frozen=True)
class Checked:
    """A width with what is predicted of it and what runs did.

    Attributes:
        width: N.
        predicted_quantile, measured_quantile: of the sup-gap, at the confidence asked for.
        within: share of runs whose sup-gap is within the tolerance.
        lower, upper: 95 % interval of the probability of that (Clopper and Pearson).

    """

    width: int
    predicted_quantile: float
    measured_quantile: float
    within: float
    lower: float
    upper: float


@dataclass(frozen=True)
class WidthRecommendation:
    """The smallest width within a tolerance, and how it did.

    Attributes:
        width: N.
        tolerance, confidence, horizon, step_size, batch_size: what was asked.
        runs: networks trained at each width.
        recommended, half: the width and half of it, each with prediction and runs.
        warning: what the predicted law says of its own range, None for nothing.

    """

    width: int
    tolerance: float
    confidence: float
    horizon: float
    step_size: float
    batch_size: int | None
    runs: int
    recommended: Checked
    half: Checked
    warning: str | None

    @property
    def confirmed(self) -> bool:
        """Whether the confidence asked for lies within, or below, the interval that the runs leave."""
        return self.recommended.upper >= self.confidence

    def verdicts(self) -> list[str]:
        """Return what was found, in sentences."""
        steps = (
            f"SGD at step size {self.step_size:g}, batch size {self.batch_size}" if self.step_size else "gradient flow"
        )
        share = f"{100 * self.confidence:g} %"
        sentences = [
            f"N={self.width}: the smallest width at which {share} of networks are predicted to keep within "
            f"{self.tolerance:g} of the infinitely wide one's risk up to t={self.horizon:g} under {steps}."
        ]
        for name, one in (("that width", self.recommended), ("half of it", self.half)):
            sentences.append(
                f"Of {self.runs} networks of {name}, N={one.width}, {100 * one.within:.0f} % do "
                f"[{100 * one.lower:.0f}, {100 * one.upper:.0f}]; the {share} quantile of the sup-gap is "
                f"{one.measured_quantile:.3g}, predicted {one.predicted_quantile:.3g}."
            )
        if not self.confirmed:
            sentences.append("So the runs do not confirm the prediction: take twice the width, or see `isthmus track`.")
        if self.warning:
            sentences.append(self.warning)
        return sentences

    def summary(self) -> dict[str, object]:
        """Return everything as plain numbers, for JSON."""
        return {"isthmus": __version__, **asdict(self), "confirmed": self.confirmed, "verdicts": self.verdicts()}


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
) -> WidthRecommendation:
    """Return the smallest width whose risk keeps within a tolerance of its limit, and train networks to check it.

    The width is that at which the quantile of max_t |R_N(t) − R(t)| is within the tolerance under the predicted law of
    finite networks; then networks of that width and of half of it are trained.

    Args:
        problem: a `Problem`, or points of shape (n, d) or a frame of them, which are centred and scaled to E‖x‖² = 1,
            with an aligned law.
        tolerance: in units of the risk.
        confidence: the share of networks that are to be within it.
        horizon: the last time.
        latent_dim: k, where points are given.
        step_size, batch_size: of SGD; at step size 0 networks follow their gradient flow.
        records: how many times after 0 the risk is compared at; rounded so that steps end there.
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
    tolerance = _checks.real("tolerance", tolerance, above=0)
    confidence = _checks.real("confidence", confidence, above=0, below=1)
    horizon = _checks.real("horizon", horizon, above=0)
    step_size = _checks.real("step_size", step_size, minimum=0)
    records, runs = _checks.integer("records", records, minimum=1), _checks.integer("runs", runs, minimum=2)
    _checks.integer("batch_size", batch_size, minimum=1)
    _checks.memory("batch_size", batch_size, 4 * batch_size * problem.dim)
    _checks.memory("records", records, 8 * records)
    check_number_of_jobs("runs", runs, 8 * records)
    if step_size > 0 and horizon / step_size > LARGEST_NUMBER_OF_STEPS:
        _checks.refuse("horizon", f"be within {LARGEST_NUMBER_OF_STEPS:,} steps", horizon)
    times = np.linspace(0, horizon, records + 1)
    if step_size > 0:
        times = np.unique(np.rint(times / step_size)) * step_size
    path = solve_mean_field(
        problem, times, particles=particles, seed=seed, workers=workers, progress=stage(progress, "mean-field path")
    )
    law = predict_finite_width(
        problem,
        times,
        path=path,
        particles=min(particles, 256),
        samples=16,
        seed=seed,
        workers=workers,
        progress=stage(progress, "law of finite networks"),
    )
    network = (step_size, batch_size if step_size > 0 else None)
    width = max(SMALL, law.width_for(tolerance, confidence, *network))
    options: dict[str, Any] = {"runs": runs, "seed": seed, "snapshot_times": (), "workers": workers}

    def checked(width: int) -> Checked:
        options["progress"] = stage(progress, f"networks of width {width}")
        if step_size > 0:
            risk = train(problem, times, width, step_size, batch_size=batch_size, **options).risk
        else:
            risk = gradient_flow(problem, times, width, **options).risk
        gaps = np.abs(risk - path.risk).max(axis=1)
        inside = int((gaps <= tolerance).sum())
        interval = binomtest(inside, runs).proportion_ci(CONFIDENCE)
        predicted = law.gap_quantile(confidence, width, *network)
        measured = float(np.quantile(gaps, confidence))
        return Checked(width, predicted, measured, inside / runs, float(interval.low), float(interval.high))

    return WidthRecommendation(
        width=width,
        tolerance=tolerance,
        confidence=confidence,
        horizon=horizon,
        step_size=step_size,
        batch_size=network[1],
        runs=runs,
        recommended=checked(width),
        half=checked(max(1, width // 2)),
        warning=law.at(width, *network).warning,
    )
