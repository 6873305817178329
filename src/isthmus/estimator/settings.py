"""The parameters of the estimator, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.utils import check_random_state

from isthmus import _checks
from isthmus.core.activations import Activation, activation_pair
from isthmus.core.optimizers import GRADIENT_DESCENT, Adam, GradientDescent, Momentum, Motion, Optimizer
from isthmus.core.points import ignores_missing
from isthmus.dynamics.step_plan import LARGEST_NUMBER_OF_STEPS

Auto = Literal["auto"]
AUTO: Auto = "auto"
INITS = ("aligned", "independent")
OPTIMIZERS = ("auto", "sgd", "momentum", "adam")
COUNTS = ("n_components", "width", "batch_size", "records", "patience")


@dataclass(frozen=True)
class Settings:
    """Parameters of `MeanFieldAutoencoder` that have passed their checks, under the names they have there.

    Attributes:
        activations: of encoder and decoder.
        optimizer: None where it is 'auto'.
        step_size, horizon: None where they are 'auto'.

    """

    n_components: int
    width: int
    activations: tuple[Activation, Activation]
    horizon: float | None
    step_size: float | None
    batch_size: int
    optimizer: Optimizer | None
    init: str
    ignores_missing: bool
    weight_decay: float
    preactivation_scale: float
    records: int
    cv: Any
    early_stopping: bool
    validation_fraction: float
    patience: int
    contamination: float | None
    max_time: float | None
    verbose: bool

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Settings:
        """Return the parameters of an estimator, or refuse the first that breaks its rule."""
        counts = {name: _checks.integer(name, parameters[name], minimum=1) for name in COUNTS}
        horizon, step_size = (_number_or_auto(name, parameters[name]) for name in ("horizon", "step_size"))
        if horizon is not None and step_size is not None:
            check_number_of_steps(horizon, step_size)
        optimizer = _optimizer(parameters["optimizer"], counts["batch_size"])
        if optimizer is not None and step_size is not None:
            check_memory(optimizer, step_size)
        contamination = _number_or_auto("contamination", parameters["contamination"], maximum=0.5)
        if parameters["max_time"] is not None:
            _checks.real("max_time", parameters["max_time"], above=0)
        if not isinstance(parameters["verbose"], bool | np.bool_):
            _checks.integer("verbose", parameters["verbose"], minimum=0)
        _check_random_state(parameters["random_state"])
        init = _checks.choice("init", parameters["init"], INITS)
        if init == "independent" and horizon is None:
            _checks.refuse("horizon", "be a number where init='independent'", AUTO)
        return cls(
            **counts,
            activations=activation_pair(parameters["activation"]),
            horizon=horizon,
            step_size=step_size,
            optimizer=optimizer,
            init=init,
            ignores_missing=ignores_missing(parameters["missing"]),
            weight_decay=_checks.real("weight_decay", parameters["weight_decay"], minimum=0),
            preactivation_scale=_checks.scale("preactivation_scale", parameters["preactivation_scale"], above=0),
            cv=_cv(parameters["cv"]),
            early_stopping=_checks.flag("early_stopping", parameters["early_stopping"]),
            validation_fraction=_checks.real(
                "validation_fraction", parameters["validation_fraction"], above=0, below=1
            ),
            contamination=contamination,
            max_time=parameters["max_time"],
            verbose=bool(parameters["verbose"]),
        )

    @property
    def decays(self) -> tuple[float, float]:
        """The weight decay of encoder and decoder."""
        return self.weight_decay, self.weight_decay

    def penalised(self, motion: Motion) -> Motion:
        """Return a motion with the weight decay of these settings."""
        return motion._replace(decays=self.decays)


def gradient_motion(optimizer: Optimizer | None) -> Motion:
    """Return the motion of an optimizer, gradient descent unless one is named."""
    return Motion(optimizer=GRADIENT_DESCENT if optimizer is None else optimizer)


def rounded_down(value: float) -> float:
    """Return a number rounded down to one digit."""
    digits = int(np.floor(np.log10(value)))
    return float(np.floor(value / 10.0**digits) * 10.0**digits)


def check_number_of_steps(horizon: float, step_size: float) -> None:
    """Refuse a horizon that would take more steps than anybody waits for."""
    if horizon / step_size > LARGEST_NUMBER_OF_STEPS:
        rule = f"be within {LARGEST_NUMBER_OF_STEPS:,} steps of step_size {step_size:g}"
        _checks.refuse("horizon", rule, horizon)


def check_memory(optimizer: Optimizer, step_size: float) -> None:
    """Refuse a step size longer than the optimizer's memory."""
    if step_size > optimizer.shortest_memory:
        _checks.refuse("step_size", f"be at most the optimizer's memory {optimizer.shortest_memory:g}", step_size)


def _number_or_auto(name: str, value: object, maximum: float | None = None) -> float | None:
    """Return a number above 0, None for 'auto'."""
    if isinstance(value, str):
        _checks.choice(name, value, (AUTO,))
        return None
    return _checks.real(name, value, above=0, maximum=maximum)


def _optimizer(value: object, batch_size: int) -> Optimizer | None:
    if isinstance(value, Optimizer):
        return value
    kinds: tuple[Optimizer | None, ...] = (None, GradientDescent(), Momentum(1.0), Adam(batch_size=batch_size))
    named: dict[str, Optimizer | None] = dict(zip(OPTIMIZERS, kinds, strict=True))
    return named[_checks.choice("optimizer", value, named)]


def _check_random_state(value: object) -> None:
    try:
        check_random_state(value)  # pyright: ignore[reportArgumentType]
    except Exception:  # its own message shows the value, which may be anything
        _checks.refuse("random_state", "be a seed, a NumPy random state, or None", value)


def _cv(value: Any) -> Any:
    """Return folds as a number, a splitter, or pairs of rows."""
    if value is None or (hasattr(value, "split") and not isinstance(value, str)):
        return value
    if isinstance(value, int | np.integer):
        return _checks.integer("cv", value, minimum=2)
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        _checks.refuse_type("cv", "be a number of folds, a splitter of scikit-learn, or pairs (train, test)", value)
    return value
