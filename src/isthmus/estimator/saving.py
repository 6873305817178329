"""Fitted estimators as files: plain arrays and JSON with a version and a checksum, and nothing that runs on loading."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from isthmus import _checks
from isthmus._errors import StudyFileError
from isthmus._files import read_arrays, write_arrays
from isthmus._version import __version__
from isthmus.core.activations import ACTIVATIONS, Activation
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.optimizers import Adam, GradientDescent, Momentum, Optimizer
from isthmus.dynamics.host_batches import Learner, Memory

KIND, VERSION = "an Isthmus autoencoder", 1
OPTIMIZERS = {kind.__name__: kind for kind in (Adam, GradientDescent, Momentum)}
SIDES = ("encoder_", "decoder_")
PARTS = ("masses", "outgoing", "incoming", "bias")
ARRAYS = ("mean_", "components_", "times_", "training_curve_", "validation_curve_", "held_out_")
NUMBERS = ("unit_", "pca_risk_", "risk_", "n_iter_", "n_features_in_", "_sklearn_output_config")


def write_model(model: Any, path: Path) -> None:
    """Write a fitted estimator to a file."""
    state = vars(model)
    arrays = {f"{side}{part}": np.asarray(getattr(state[side], part)) for side in SIDES for part in PARTS}
    arrays |= {name: state[name] for name in ARRAYS if state.get(name) is not None}
    memory = state["_memory"]
    arrays |= {f"average{number}": average for number, average in enumerate(memory.averages)}
    values = {
        "isthmus": __version__,
        "parameters": {name: _coded(name, value) for name, value in model.get_params(deep=False).items()},
        "numbers": {name: _plain(state[name]) for name in NUMBERS if name in state},
        "nothing": [name for name in ARRAYS if name in state and state[name] is None],
        "steps": memory.steps,
    }
    if "feature_names_in_" in state:
        values["feature_names_in_"] = [str(name) for name in state["feature_names_in_"]]
    write_arrays(path, KIND, VERSION, values, arrays)


def read_model(kind: Any, path: Path) -> Any:
    """Return the fitted estimator, of class ``kind``, in a file."""
    values, arrays = read_arrays(path, KIND, VERSION)
    try:
        model = kind(**{name: _decoded(value) for name, value in values["parameters"].items()})
        for side in SIDES:
            masses, *weights = (arrays[f"{side}{part}"] for part in PARTS)
            setattr(model, side, NeuronMeasure.of(*weights, masses=masses))
        state: dict[str, Any] = {name: arrays[name] for name in ARRAYS if name in arrays}
        state |= {name: None for name in ARRAYS if name in values["nothing"]}
        state |= {name: values["numbers"][name] for name in NUMBERS if name in values["numbers"]}
        count = sum(name.startswith("average") for name in arrays)
        state["_memory"] = Memory([arrays[f"average{number}"] for number in range(count)], int(values["steps"]))
        if "feature_names_in_" in values:
            state["feature_names_in_"] = np.array(values["feature_names_in_"], dtype=object)
        vars(model).update(state)
        _check(model)
    except Exception as error:  # a stranger's values may fail in any way
        reason = " ".join(str(error).split()).rstrip(".")
        raise StudyFileError(f"File '{path}' holds no autoencoder of this release: {reason}.") from error
    return model


def _check(model: Any) -> None:
    """Refuse values that are not those of a fitted estimator."""
    model._check_parameters()
    encoder, decoder = model.encoder_, model.decoder_
    inputs = _checks.integer("n_features_in_", model.n_features_in_, minimum=1)
    shapes = (encoder.outputs, encoder.inputs, decoder.outputs, decoder.inputs)
    if shapes != (model.n_components, inputs, inputs, model.n_components):
        _checks.refuse("encoder_", "fit the decoder and the number of features", _checks.described(f"of {shapes}"))
    _checks.array("mean_", model.mean_, (inputs,))
    _checks.array("components_", model.components_, (model.n_components, inputs))
    _checks.real("unit_", model.unit_, above=0)
    for name in ("pca_risk_", "risk_"):
        if hasattr(model, name):
            _checks.real(name, getattr(model, name), minimum=0)
    for name in ("times_", "training_curve_", "validation_curve_", "held_out_"):
        if getattr(model, name, None) is not None:
            _checks.array(name, getattr(model, name), ("T",))
    _checks.integer("n_iter_", model.n_iter_, minimum=0)
    _checks.integer("steps", model._memory.steps, minimum=0)
    fresh = Learner(model.autoencoder_, model._motion(), 0).memory.averages
    if [np.shape(one) for one in model._memory.averages] != [one.shape for one in fresh]:
        _checks.refuse("average", "be those of the optimizer", _checks.described("others"))
    for average in model._memory.averages:
        if average.dtype.kind != "f" or not np.isfinite(average).all():
            _checks.refuse("average", "be finite", _checks.described("not"))
    if "feature_names_in_" in vars(model) and len(model.feature_names_in_) != inputs:
        _checks.refuse("feature_names_in_", f"be {inputs} names", list(model.feature_names_in_))


def _coded(name: str, value: object) -> Any:
    """Return a parameter of the estimator in terms of JSON."""
    if isinstance(value, Activation):
        if ACTIVATIONS.get(value.name) is not value:
            _checks.refuse(name, "have a name in im.ACTIVATIONS to be saved", value.name)
        return value.name
    if isinstance(value, tuple | list):
        return [_coded(name, one) for one in value]
    if isinstance(value, Optimizer):
        if type(value).__name__ not in OPTIMIZERS:
            _checks.refuse(name, f"be one of {', '.join(OPTIMIZERS)} to be saved", value)
        return {"optimizer": type(value).__name__, **asdict(value)}  # pyright: ignore[reportArgumentType]
    if isinstance(value, np.random.RandomState):
        return {"random_state": _plain(value.get_state(legacy=False))}
    return _plain(value)


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decoded(one) for one in value)
    if isinstance(value, dict) and "optimizer" in value:
        kind = OPTIMIZERS[value["optimizer"]]
        return kind(**{name: one for name, one in value.items() if name != "optimizer"})
    if isinstance(value, dict):
        random = np.random.RandomState()
        random.set_state(value["random_state"])
        return random
    return value


def _plain(value: Any) -> Any:
    """Return NumPy's numbers and arrays as Python's."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value
