"""What can be said of a fitted estimator's health, in numbers and in words that tell what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from isthmus._display import Summary
from isthmus._precision import computing_in
from isthmus._version import __version__
from isthmus._words import counted, number, percent, setting
from isthmus.core.optimizers import GRADIENT_FLOW, Motion
from isthmus.core.points import has_missing
from isthmus.core.scaling import DOUBLE, scaling
from isthmus.dynamics.field import VectorField
from isthmus.estimator.activity import Activity, activity
from isthmus.estimator.automatic import automatic_start
from isthmus.estimator.coordinates import Coordinates
from isthmus.estimator.curvature import (
    NO_CURVATURE,
    Curvature,
    curvature,
    highest_curvature,
    lowest_curvature,
    relaxed,
)
from isthmus.estimator.explicit import explicit_start
from isthmus.estimator.limit import CONFIDENCE, Beginning, Distance, Effort, distance
from isthmus.estimator.run import FitState
from isthmus.estimator.samples import EvaluationSample, Pool
from isthmus.estimator.settings import rounded_down
from isthmus.estimator.span import Span
from isthmus.estimator.start import Start

SINGLE = np.dtype(np.float32)
"""Enough for curvatures, which are asked for to one part in ten thousand of the highest."""

State = Literal["moving", "minimum", "saddle"]

GAIN_AT_REST = 0.01
"""Share of the objective that a further horizon would gain at the present rate, below which a network is at rest."""
UNKNOWN_HORIZON = 1.0
"""The further time over which a network is judged whose time of training isn't known."""
UNUSED_LATENT = 1e-4
"""Share of E|x|² by which x̂ changes without a latent dimension, below which it carries nothing."""
IDLE_WIDTH = 0.1
"""Share of neurons that carry a side, below which the width isn't in use."""
SAME_DATA = 1e-6
"""Relative difference of means and units up to which data are the same."""
LARGE_GAP = 0.1
"""Share of what was learned that the expected gap may have."""
STEP_NUMBERS = ("step_times_curvature", "stability_limit", "overshoots", "overshot", "start_curvature")
REST_NUMBERS = ("used_latents", "objective", "decline", "gain", "lowest_curvature", "state")
"""What a summary holds of the steps, and of the network after them, under the names that they have here."""
IS_PCA = "the result of the fit is PCA"
"""Why there is no learning curve where no step was taken."""
SOURCES = {
    "neurons": ("from the draw of its neurons", "a wider network"),
    "batches": ("from the noise of batches", "a smaller step size or larger batches"),
    "shift": ("a shift of the mean", "a wider network or a smaller step size"),
}
"""What makes most of a gap, in words, and what makes it smaller."""


@dataclass(frozen=True, repr=False)
class Diagnosis(Summary):
    """What `MeanFieldAutoencoder.diagnose` found.

    Attributes:
        width: N.
        distance: the learning curve compared with the infinitely wide network's, None where it isn't.
        not_compared: why it isn't, None where it is.
        activity: the effective number of neurons and the rank of their features, for encoder and decoder, and the
            change of x̂ without each of the latent dimensions.
        curvature: both ends of the spectrum of the Hessian of the objective, in mean-field scaling, at the network.
        start_curvature: its upper end at a start of this width, None with init='independent'.
        step_size, first_step_size: ε of the last and of the first step.
        stability_limit: the value of ε × curvature beyond which steps overshoot, None where it isn't known.
        objective, decline: F and −dF/dt after the noise of batches has died out.
        lowest_curvature: there.
        horizon: the time of training, 1 where it isn't known.
        automatic: whether held-out rows chose it.

    Example:
        >>> import isthmus as im
        >>> X = im.manifold_stream(3).draw(40, seed=0).points
        >>> model = im.MeanFieldAutoencoder(1, width=16, horizon=4.0, step_size=0.005).fit(X)
        >>> diagnosis = model.diagnose(X, compare=False)
        >>> diagnosis.width, diagnosis.distance is None
        (16, True)

    """

    width: int
    distance: Distance | None
    not_compared: str | None
    activity: Activity
    curvature: Curvature
    start_curvature: float | None
    step_size: float
    first_step_size: float
    stability_limit: float | None
    objective: float
    decline: float
    lowest_curvature: float
    horizon: float
    automatic: bool = False

    def _lines(self) -> list[tuple[str, object]]:
        limit, gap, (encoder, decoder) = self.stability_limit, self.distance, self.activity.neurons
        apart = f"unknown: {self.not_compared}" if gap is None else f"at most {number(gap.gap)} from infinite width"
        expected = None if gap is None else gap.expected
        within = "" if expected is None else f", {percent(expected.share)} of networks within {number(expected.value)}"
        stable = "" if limit is None else f", stable below {number(limit)}"
        return [
            ("state", f"{self.state}; another {_time(self.horizon)} of time would gain {percent(self.gain)}"),
            ("gap", f"{apart}{within}"),
            ("steps", f"step size × curvature is {number(self.step_times_curvature)}{stable}"),
            ("neurons", f"{encoder:.0f} of {self.width:,} carry the encoder, {decoder:.0f} the decoder"),
            ("latents", f"{self.used_latents} of {len(self.activity.latents)} in use"),
            ("in words", "print(diagnosis)"),
        ]

    @property
    def step_times_curvature(self) -> float:
        """ε × the highest curvature at the network."""
        return self.step_size * self.curvature.highest

    @property
    def overshoots(self) -> bool:
        """Whether steps are beyond what is stable at the network."""
        return self.stability_limit is not None and self.step_times_curvature > self.stability_limit

    @property
    def overshot(self) -> bool:
        """Whether steps were beyond what is stable at the start, which networks leave for flatter ground."""
        begun = self.first_step_size * (self.start_curvature or 0.0)
        return self.stability_limit is not None and begun > self.stability_limit

    @property
    def used_latents(self) -> int:
        """How many latent dimensions carry something."""
        return int((self.activity.latents > UNUSED_LATENT).sum())

    @property
    def gain(self) -> float:
        """The share of the objective that a further horizon would gain at the present rate."""
        return self.decline * self.horizon / self.objective if self.objective > 0 else 0.0

    @property
    def state(self) -> State:
        """Whether the network is still moving, at rest in a minimum, or at rest at a saddle.

        At a saddle a direction of descent would grow e-fold within the horizon, or a latent dimension carries nothing.
        """
        if self.gain > GAIN_AT_REST:
            return "moving"
        falls = self.lowest_curvature * self.horizon < -1
        return "saddle" if falls or self.used_latents < len(self.activity.latents) else "minimum"

    def verdicts(self) -> list[str]:
        """Return what was found, in sentences that tell what to do."""
        return [self._curve_words(), self._step_words(), self._neuron_words(), self._rest_words()]

    def summary(self) -> dict[str, Any]:
        """Return everything as plain numbers, for JSON."""
        distance, active = self.distance, self.activity
        compared: dict[str, Any] = {"not_compared": self.not_compared}
        if distance is not None:
            others, expected = distance.ensemble, distance.expected
            compared |= {name: getattr(distance, name).tolist() for name in ("times", "curve", "limit", "limit_error")}
            compared |= {
                "band": None if others is None else [end.tolist() for end in others.band(CONFIDENCE)],
                "gap": distance.gap,
                "expected_gap": None if expected is None else expected.value,
                "expected_share": None if expected is None else expected.share,
                "inside": distance.inside,
                "source": None if others is None else others.source,
            }
        return {
            "isthmus": __version__,
            "width": self.width,
            **compared,
            **{name: getattr(self, name) for name in STEP_NUMBERS},
            "curvature": self.curvature._asdict(),
            "effective_neurons": list(active.neurons),
            "feature_ranks": list(active.ranks),
            "latent_use": active.latents.tolist(),
            **{name: getattr(self, name) for name in REST_NUMBERS},
            "verdicts": self.verdicts(),
        }

    def __str__(self) -> str:
        return "\n".join(self.verdicts())

    def _curve_words(self) -> str:
        distance = self.distance
        if distance is None:
            return f"The learning curve is not compared with that of infinite width: {self.not_compared}."
        gap = f"{number(distance.gap, 2)} (at t = {_time(distance.farthest)})"
        departs = f"The learning curve departs from that of infinite width by at most {gap}"
        if distance.ensemble is None or distance.expected is None:
            return f"{departs}, after falling by {number(distance.learned, 2)}; {distance.not_simulated}."
        expected, share_within = distance.expected
        within = (
            f"the {number(expected, 2)} expected of {percent(share_within)} of networks of width {self.width:,} that "
            f"are trained in this way ({len(distance.ensemble.risk)} were)"
        )
        if not distance.inside:
            overshoot = self.overshoots or self.overshot
            remedy = "Steps overshoot: take a smaller step size" if overshoot else "Fit again with another random_state"
            return f"{departs}, more than {within}. {remedy}."
        found = f"The learning curve follows that of infinite width: the gap is at most {gap}, within {within}"
        share = expected / distance.learned if distance.learned > 0 else 0.0
        if share <= LARGE_GAP:
            return f"{found}. Wider networks would learn the same."
        most, remedy = SOURCES[distance.ensemble.source]
        return f"{found}. That is {percent(share)} of what is learned, most of it {most}; {remedy} would reduce it."

    def _step_words(self) -> str:
        product, limit = self.step_times_curvature, self.stability_limit
        if self.step_size == 0 and self.not_compared == IS_PCA:
            return "No step was taken: the result of the fit is PCA."
        if self.step_size == 0:
            stable = setting(rounded_down(1 / max(self.curvature.highest, NO_CURVATURE)))
            highest = number(self.curvature.highest, 2)
            return f"The largest curvature of the objective is {highest}: gradient descent is stable at {stable}."
        if limit is None:
            highest = f"The largest curvature of the objective is {number(self.curvature.highest, 2)}"
            return f"{highest}; the stability limit of this optimizer is unknown."
        begun = (
            ""
            if self.start_curvature is None
            else f" ({number(self.first_step_size * self.start_curvature, 2)} at the start)"
        )
        found = f"Step size × curvature is {number(product, 2)}{begun}; the stability limit is {number(limit, 2)}"
        stable = setting(
            rounded_down(limit / max(self.curvature.highest, self.start_curvature or 0.0, NO_CURVATURE) / 2)
        )
        if self.overshoots:
            return f"{found}. Steps overshoot: take a step size of about {stable}."
        if self.overshot:
            return f"{found}. Only the first steps overshot; to follow the flow from the start, take about {stable}."
        return f"{found}. The step size {setting(self.step_size)} is fine."

    def _neuron_words(self) -> str:
        (encoder, decoder), ranks = self.activity.neurons, self.activity.ranks
        found = (
            f"About {encoder:.0f} of {counted(self.width, 'neuron')} carry the encoder and {decoder:.0f} the decoder, "
            f"with features of rank {ranks[0]} and {ranks[1]}"
        )
        if min(encoder, decoder) >= IDLE_WIDTH * self.width:
            return f"{found}. The width is in use."
        if max(encoder, decoder) < 1:
            return f"{found}. The network computes nothing."
        return f"{found}. Most neurons are idle: resized({max(1, self.width // 2)}, X) computes nearly the same."

    def _rest_words(self) -> str:
        count, used = len(self.activity.latents), self.used_latents
        latents = f"{used} of {counted(count, 'latent dimension')} {'is' if used == 1 else 'are'} in use."
        further, gain = f"another {_time(self.horizon)} of time", percent(self.gain)
        if self.state == "moving" and self.automatic:
            return (
                f"{latents} The network is still learning: {further} would lower the training risk by {gain}, but the "
                "held-out risk was lowest at this horizon."
            )
        if self.state == "moving":
            unused = "" if used == count else "; an unused latent dimension is slow to start with init='independent'"
            return (
                f"{latents} The network is still learning: at the present rate {further} would lower the risk by "
                f"{gain}; raise the horizon{unused}."
            )
        rest = f" ({further} would lower the risk by {gain})" if self.horizon > 0 else ""
        if self.state == "minimum":
            return f"{latents} The network is at a minimum{rest}: longer training gains nothing."
        leaves = "no direction leads away from it; start with init='aligned'"
        if self.lowest_curvature * self.horizon < -1:
            growth = number(-1 / self.lowest_curvature, 2)
            leaves = f"deviations grow e-fold in t = {growth}; raise the horizon, or start with init='aligned'"
        return f"{latents} The network is at a saddle{rest}: {leaves}."


def _time(time: float) -> str:
    return setting(float(f"{time:.4g}"))


def diagnosed(state: FitState, points: np.ndarray, weights: np.ndarray, effort: Effort) -> Diagnosis:
    """Return what is found of a fitted estimator on points, shape (n, d), with weights of sum 1."""
    weights, same = as_fitted(state, points, weights)
    sample = EvaluationSample.of(points, weights, state.coordinates)
    network, schedule = state.network.in_precision(DOUBLE), state.schedule
    motion = state.settings.penalised(GRADIENT_FLOW)
    field, precise = (VectorField.of(sample, motion, dtype) for dtype in (SINGLE, DOUBLE))
    ends = curvature(field, network)
    at_rest = relaxed(field, network, ends).in_precision(DOUBLE)
    with computing_in(DOUBLE):
        objective, decline = float(precise.objective(at_rest)), float(precise.dissipation(at_rest))
    begun = beginning(state, points, weights)
    compared = comparison(state, begun, same, effort)
    return Diagnosis(
        width=network.encoder.width,
        distance=None if isinstance(compared, str) else compared,
        not_compared=compared if isinstance(compared, str) else None,
        activity=activity(network, sample.points, sample.weights),
        curvature=ends,
        start_curvature=None if begun is None else _start_curvature(begun.start, network.encoder.width, motion),
        step_size=0.0 if schedule is None else schedule.last(state.steps),
        first_step_size=0.0 if schedule is None else schedule.first,
        stability_limit=None if schedule is None else schedule.stability_limit,
        objective=objective,
        decline=decline,
        lowest_curvature=lowest_curvature(field, at_rest, ends.highest),
        horizon=UNKNOWN_HORIZON if state.schedule is None and state.curve is None else state.horizon,
        automatic=schedule is not None and state.settings.horizon is None,
    )


def as_fitted(state: FitState, points: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return weights of sum 1, 0 for what the fit held out where the points are those of the fit, and whether they are.

    The given ones have sum 1. Points, shape (n, d), are those of the fit where they have its mean and unit.
    """
    candidates, held_out, fitted = [weights], state.held_out, state.coordinates.scaling
    if held_out is not None and held_out.max(initial=-1) < points.shape[0]:
        learning = weights.copy()
        learning[held_out] = 0.0
        if learning.any():
            candidates.insert(0, learning / learning.sum())
    for candidate in candidates:
        units = scaling(points, candidate)
        apart = max(np.abs(units.mean - fitted.mean).max(), abs(units.unit - fitted.unit))
        if apart <= SAME_DATA * fitted.unit:
            return candidate, True
    return candidates[-1], False


def beginning(state: FitState, points: np.ndarray, weights: np.ndarray) -> Beginning | None:
    """Return what a fit to these points began with, None where it has no aligned start."""
    settings, latent_dim = state.settings, len(state.components)
    if state.schedule is None or settings.init == "independent":
        return None
    rows = Span.of(points, weights, latent_dim, has_missing(points)).rows
    spectrum = rows.spectrum(weights, latent_dim)
    if settings.horizon is None:
        coordinates, dtype, made = spectrum.coordinates(spectrum.rank), SINGLE, automatic_start
    else:
        coordinates, dtype, made = Coordinates(spectrum.scaling), points.dtype, explicit_start
    start = made(spectrum, rows.sample(weights, coordinates), settings)
    return Beginning(start, Pool(rows.points, weights, coordinates, dtype, settings.batch_size), dtype)


def _start_curvature(start: Start, width: int, motion: Motion) -> float:
    """Return the highest curvature at a start of some width."""
    network = start.network(np.random.default_rng(0), width)
    return highest_curvature(VectorField.of(start.sample, motion, SINGLE), network)


def comparison(state: FitState, begun: Beginning | None, same: bool, effort: Effort) -> Distance | str:
    """Return the distance of the learning curve from the infinitely wide network's, or why there is none.

    The data are the ``same`` as those of the fit, or not; ``begun`` is None where there is no aligned start.
    """
    if not effort.compare:
        return "compare is False"
    if state.curve is None:
        return "this network has none, since it doesn't come from a fit; fit(X) records one"
    if state.schedule is None:
        return IS_PCA
    if begun is None:
        return (
            "with init='independent' the infinitely wide network never leaves its initial law; start with "
            "init='aligned'"
        )
    if not same:
        return "X or its weights differ from those of the fit; diagnose with the data that was fitted"
    return distance(state, begun, state.schedule, effort)
