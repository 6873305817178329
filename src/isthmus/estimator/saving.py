"""Fitted estimators as files: plain arrays and JSON with a version and a checksum, and nothing that runs on loading."""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from isthmus import _checks
from isthmus._errors import StudyFileError
from isthmus._files import read_arrays, write_arrays
from isthmus._version import __version__
from isthmus.core.activations import ACTIVATIONS, Activation, activation_pair
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.optimizers import Adam, GradientDescent, Momentum, Optimizer
from isthmus.core.scaling import Scaling
from isthmus.estimator.anomalies import Fence
from isthmus.estimator.coordinates import Coordinates
from isthmus.estimator.partial import Stream
from isthmus.estimator.saved_stream import check_stream, stream_coded, stream_decoded
from isthmus.estimator.schedule import HEAVY_BALL, Schedule
from isthmus.estimator.settings import Settings, gradient_motion

KIND, VERSION = "an Isthmus autoencoder", 2
OPTIMIZERS = {kind.__name__: kind for kind in (Adam, GradientDescent, Momentum)}
SPLITTERS = ("GroupKFold", "GroupShuffleSplit", "KFold", "LeaveOneGroupOut", "ShuffleSplit", "TimeSeriesSplit")
"""Of scikit-learn, which are made of plain values."""
SIDES = ("encoder", "decoder")
PARTS = ("masses", "outgoing", "incoming", "bias")
CURVES = ("times_", "training_curve_", "validation_times_", "validation_curve_", "held_out_")
COORDINATES = ("mean_", "rest", "noise", "axes")
ARRAYS = ("components_", *CURVES)
NUMBERS = (
    *("unit_", "pca_risk_", "risk_", "validation_pca_risk_", "step_size_", "horizon_", "chosen_"),
    *("n_iter_", "n_features_in_", "_sklearn_output_config"),
)


def write_model(model: Any, path: Path) -> None:
    """Write a fitted estimator to a file, unless it is one that `read_model` would refuse."""
    _check(model)
    state = vars(model)
    stream: Stream = state["_stream"]
    network = state["_network"]
    arrays = {f"{side}_{part}": np.asarray(getattr(getattr(network, side), part)) for side in SIDES for part in PARTS}
    units, axes = state["_coordinates"].scaling, state["_coordinates"].axes
    parts = zip(COORDINATES, (units.mean, units.rest, units.noise, axes), strict=True)
    arrays |= {name: np.asarray(part) for name, part in parts if part is not None}
    arrays |= {name: state[name] for name in ARRAYS if state.get(name) is not None}
    stream_values, stream_arrays = stream_coded(stream)
    arrays |= stream_arrays
    schedule: Schedule | None = state.get("_schedule")
    values = {
        "isthmus": __version__,
        "parameters": {name: _coded(name, value) for name, value in model.get_params(deep=False).items()},
        "activations": [_coded("activation", one) for one in model.activations_],
        "numbers": {name: _plain(state[name]) for name in NUMBERS if name in state},
        "nothing": [name for name in ARRAYS if name in state and state[name] is None],
        "schedule": None if schedule is None else _schedule_coded(schedule),
        "stream": stream_values | {"optimizer": _coded("optimizer", stream.optimizer)},
    }
    if "_fence" in state:
        values["fence"] = list(state["_fence"])
    values["columns"] = state["_columns"]
    if "feature_names_in_" in state:
        values["feature_names_in_"] = [str(name) for name in state["feature_names_in_"]]
    write_arrays(path, KIND, VERSION, values, arrays)


def read_model(kind: Any, path: Path) -> Any:
    """Return the fitted estimator, of class ``kind``, in a file."""
    values, arrays = read_arrays(path, KIND, VERSION)
    try:
        model = kind(**{name: _decoded(value) for name, value in values["parameters"].items()})
        sides = []
        for side in SIDES:
            masses, *weights = (arrays[f"{side}_{part}"] for part in PARTS)
            sides.append(NeuronMeasure.of(*weights, masses=masses))
        state: dict[str, Any] = {name: arrays[name] for name in ARRAYS if name in arrays}
        state |= {name: None for name in ARRAYS if name in values["nothing"]}
        state |= {name: values["numbers"][name] for name in NUMBERS if name in values["numbers"]}
        encoder, decoder = sides
        state["_network"] = Autoencoder(encoder, decoder, *activation_pair(tuple(values["activations"])))
        mean, rest, noise, axes = (arrays.get(name) for name in COORDINATES)
        units = Scaling(arrays["mean_"], state["unit_"], 0.0 if rest is None else rest, noise)
        state["_coordinates"], state["mean_"] = Coordinates(units, axes), mean
        if "times_" in state:
            state["_schedule"] = None if values["schedule"] is None else _schedule_decoded(values["schedule"])
        state["_stream"] = stream_decoded(values["stream"], arrays, _decoded(values["stream"]["optimizer"]))
        if "feature_names_in_" in values:
            state["feature_names_in_"] = np.array(values["feature_names_in_"], dtype=object)
        columns = values.get("columns", values.get("feature_names_in_"))  # earlier releases kept but these
        state["_columns"] = None if columns is None else tuple(columns)
        if "fence" in values:
            state["_fence"] = Fence(*values["fence"])
        vars(model).update(state)
        if "offset_" in values["numbers"]:  # of earlier releases
            model.offset_ = values["numbers"]["offset_"]
        _check(model)
    except Exception as error:  # a stranger's values may fail in any way
        reason = " ".join(str(error).split()).rstrip(".")
        raise StudyFileError(f"File '{path}' holds no autoencoder of this release: {reason}.") from error
    return model


def _schedule_coded(schedule: Schedule) -> dict[str, Any]:
    values = {"first": schedule.first, "longest": schedule.longest, "counts_steps": schedule.counts_steps}
    return values | {"optimizer": _coded("optimizer", schedule.motion.optimizer)}


def _schedule_decoded(values: dict[str, Any]) -> Schedule:
    motion = HEAVY_BALL if values["counts_steps"] else gradient_motion(_decoded(values["optimizer"]))
    first = _checks.real("first", values["first"], above=0)
    return Schedule(first, _checks.real("longest", values["longest"], minimum=0), motion, bool(values["counts_steps"]))


def _check(model: Any) -> None:
    """Refuse values that are not those of a fitted estimator."""
    Settings.of(model.get_params(deep=False))
    encoder, decoder = model._network.encoder, model._network.decoder
    for side in (encoder, decoder):
        for part in PARTS:
            _checks.finite(part, np.asarray(getattr(side, part)))
    inputs = _checks.integer("n_features_in_", model.n_features_in_, minimum=1)
    coordinates: Coordinates = model._coordinates
    columns = inputs
    if coordinates.axes is not None:
        _checks.finite("axes", coordinates.axes)
        rows, columns = coordinates.axes.shape
        if rows != inputs:
            _checks.refuse("axes", f"have {inputs} rows", rows)
    shapes = (encoder.inputs, decoder.outputs, decoder.inputs)
    if shapes != (columns, columns, encoder.outputs) or encoder.outputs > columns:
        _checks.refuse("encoder_", "fit the decoder and the number of features", _checks.described(f"of {shapes}"))
    units = coordinates.scaling
    for part in (units.mean, units.rest, units.noise):
        if part is not None and np.ndim(part):
            _checks.array("mean_", part, (inputs,))
    _checks.array("components_", model.components_, (encoder.outputs, inputs))
    _checks.real("unit_", model.unit_, above=0)
    for name in ("pca_risk_", "risk_", "validation_pca_risk_", "step_size_", "horizon_"):
        if getattr(model, name, None) is not None:
            _checks.real(name, getattr(model, name), minimum=0)
    if hasattr(model, "_fence"):
        _checks.real("square", model._fence.square, minimum=0)
        _checks.real("unit", model._fence.unit, above=0)
    for name in CURVES:
        if getattr(model, name, None) is not None and len(getattr(model, name)):
            _checks.array(name, getattr(model, name), ("T",))
    _checks.integer("n_iter_", model.n_iter_, minimum=0)
    _checks.instance("chosen_", getattr(model, "chosen_", ""), str)
    check_stream(model._stream, model._network, inputs)
    for name in ("feature_names_in_", "_columns"):
        names = getattr(model, name, None)
        if names is not None and not (len(names) == inputs and all(isinstance(one, str) for one in names)):
            _checks.refuse(name, f"be {inputs} names", list(names))


def _coded(name: str, value: object) -> Any:
    """Return a parameter of the estimator in terms of JSON."""
    if isinstance(value, Activation):
        if ACTIVATIONS.get(value.name) is not value:
            _checks.refuse(name, "be one of im.ACTIVATIONS to be saved", value.name)
        return value.name
    if isinstance(value, tuple | list):
        return [_coded(name, one) for one in value]
    if isinstance(value, Optimizer):
        if type(value).__name__ not in OPTIMIZERS:
            _checks.refuse(name, f"be one of {', '.join(OPTIMIZERS)} to be saved", value)
        return {"optimizer": type(value).__name__, **asdict(value)}  # pyright: ignore[reportArgumentType]
    if name == "cv" and hasattr(value, "split"):
        if type(value).__name__ not in SPLITTERS or type(value).__module__.split(".")[0] != "sklearn":
            _checks.refuse(name, f"be one of {', '.join(SPLITTERS)} of scikit-learn to be saved", value)
        return {"splitter": type(value).__name__, "values": _plain(vars(value))}
    if isinstance(value, np.random.RandomState):
        return {"random_state": _plain(value.get_state(legacy=False))}
    return _plain(value)


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decoded(one) for one in value)
    if isinstance(value, dict) and "optimizer" in value:
        kind = OPTIMIZERS[value["optimizer"]]
        return kind(**{name: one for name, one in value.items() if name != "optimizer"})
    if isinstance(value, dict) and "splitter" in value:
        if value["splitter"] not in SPLITTERS:
            _checks.choice("cv", value["splitter"], SPLITTERS)
        splitter = getattr(import_module("sklearn.model_selection"), value["splitter"])()
        vars(splitter).update({name: one for name, one in value["values"].items() if name in vars(splitter)})
        return splitter
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
