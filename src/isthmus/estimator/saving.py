"""Fitted estimators as files: plain arrays and JSON with a version and a checksum, and nothing that runs on loading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from isthmus import _checks
from isthmus._errors import StudyFileError
from isthmus._files import read_arrays, write_arrays
from isthmus._packing import Packed, Packer
from isthmus._version import __version__
from isthmus.core.activations import ACTIVATIONS, Activation
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.optimizers import Adam, GradientDescent, Momentum, Motion, Optimizer
from isthmus.core.scaling import Scaling
from isthmus.dynamics.learner import Learner, Memory
from isthmus.estimator.anomalies import Fence
from isthmus.estimator.coordinates import Coordinates
from isthmus.estimator.partial import Stream
from isthmus.estimator.reservoir import Reservoir
from isthmus.estimator.running import Running
from isthmus.estimator.schedule import HEAVY_BALL, Schedule
from isthmus.estimator.settings import Settings, gradient_motion

KIND, VERSION = "an Isthmus autoencoder", 3
OPTIMIZERS = (Adam, GradientDescent, Momentum)
SPLITTERS = ("GroupKFold", "GroupShuffleSplit", "KFold", "LeaveOneGroupOut", "ShuffleSplit", "TimeSeriesSplit")
"""Of scikit-learn, which are made of plain values."""
CURVES = ("times_", "training_curve_", "validation_times_", "validation_curve_", "held_out_")
FITTED = (
    *("_network", "_coordinates", "_stream", "_schedule", "_fence", "_columns", "_doubts", "feature_names_in_"),
    *("mean_", "unit_", "components_", *CURVES),
    *("pca_risk_", "risk_", "validation_pca_risk_", "step_size_", "horizon_", "chosen_"),
    *("n_iter_", "n_features_in_", "_sklearn_output_config"),
)
"""What a fitted estimator may have besides its parameters."""
Model = TypeVar("Model")


class Splitter(NamedTuple):
    """One of `SPLITTERS`, by its name and attributes."""

    name: str
    values: dict[str, Any]


class RandomNumbers(NamedTuple):
    """The state of a `numpy.random.RandomState`."""

    state: dict[str, Any]


PACKER = Packer(
    (
        *(Autoencoder, NeuronMeasure, Scaling, Coordinates, Fence),
        *(Schedule, Motion, *OPTIMIZERS),
        *(Stream, Memory, Running, Reservoir),
        *(Splitter, RandomNumbers),
    ),
    ACTIVATIONS,
)


def write_model(path: Path, parameters: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
    """Write a fitted estimator to a file, unless it is one that `read_model` would refuse.

    Args:
        path: of the file.
        parameters: of the estimator, by name.
        attributes: of the fitted estimator, of which those in `FITTED` are written.

    Raises:
        ArgumentError: where a parameter can't be saved.
        StudyFileError: where the file can't be written.

    """
    fitted = {name: attributes[name] for name in FITTED if name in attributes}
    if "feature_names_in_" in fitted:
        fitted["feature_names_in_"] = [str(name) for name in fitted["feature_names_in_"]]
    _check(parameters, fitted)
    parameters = {name: _packable(name, value) for name, value in parameters.items()}
    values: dict[str, Any] = {"isthmus": __version__}
    arrays: dict[str, np.ndarray] = {}
    for title, table in {"parameters": parameters, "fitted": fitted}.items():
        packed = {name: PACKER.pack(value, f"{title}.{name}") for name, value in table.items()}
        values[title] = {name: value.plain for name, value in packed.items()}
        arrays |= {name: array for value in packed.values() for name, array in value.arrays.items()}
    write_arrays(path, KIND, VERSION, values, arrays)


def read_model(path: Path, kind: Callable[..., Model]) -> Model:
    """Return the fitted estimator in a file.

    Args:
        path: of the file.
        kind: its class.

    Raises:
        StudyFileError: where the file is missing, damaged, of another version or something else.

    """
    values, arrays = read_arrays(path, KIND, VERSION)
    try:
        parameters, fitted = (
            {name: PACKER.unpack(Packed(plain, arrays)) for name, plain in values[title].items()}
            for title in ("parameters", "fitted")
        )
        parameters = {name: _restored(value) for name, value in parameters.items()}
        model = kind(**parameters)
        _check(parameters, fitted)
        if "feature_names_in_" in fitted:
            fitted["feature_names_in_"] = np.array(fitted["feature_names_in_"], dtype=object)
        vars(model).update({name: fitted[name] for name in FITTED if name in fitted})
    except Exception as error:  # a stranger's values may fail in any way
        reason = " ".join(str(error).split()).rstrip(".")
        raise StudyFileError(f"File '{path}' holds no autoencoder of this release: {reason}.") from error
    return model


def _packable(name: str, value: Any) -> Any:
    """Return a parameter in terms of what can be packed.

    Raises:
        ArgumentError: where it can't be saved.

    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | list):
        return type(value)(_packable(name, item) for item in value)
    if isinstance(value, Activation) and ACTIVATIONS.get(value.name) is not value:
        _checks.refuse(name, "be one of im.ACTIVATIONS to be saved", value.name)
    if isinstance(value, Optimizer) and type(value) not in OPTIMIZERS:
        names = ", ".join(kind.__name__ for kind in OPTIMIZERS)
        _checks.refuse(name, f"be one of {names} to be saved", value)
    if name == "cv" and hasattr(value, "split"):
        if type(value).__name__ not in SPLITTERS or type(value).__module__.split(".")[0] != "sklearn":
            _checks.refuse(name, f"be one of {', '.join(SPLITTERS)} of scikit-learn to be saved", value)
        return Splitter(type(value).__name__, {key: _packable(key, item) for key, item in vars(value).items()})
    if isinstance(value, np.random.RandomState):
        return RandomNumbers(dict(value.get_state(legacy=False)))
    return value


def _restored(value: Any) -> Any:
    """Return the parameter of which `_packable` has made a value."""
    if isinstance(value, Splitter):
        name = _checks.choice("cv", value.name, SPLITTERS)
        splitter = getattr(import_module("sklearn.model_selection"), name)()
        known = {key: _restored(item) for key, item in value.values.items() if key in vars(splitter)}
        vars(splitter).update(known)
        return splitter
    if isinstance(value, RandomNumbers):
        random = np.random.RandomState()
        random.set_state(value.state)
        return random
    return value


def _check(parameters: Mapping[str, Any], fitted: Mapping[str, Any]) -> None:
    """Refuse values that are not those of a fitted estimator.

    Raises:
        ArgumentError, ArgumentTypeError, KeyError: naming the first of them.

    """
    Settings.of(dict(parameters))
    inputs = _checks.integer("n_features_in_", fitted["n_features_in_"], minimum=1)
    network, coordinates = fitted["_network"], fitted["_coordinates"]
    latents = _check_network(network, _check_coordinates(coordinates, inputs))
    _checks.array("mean_", fitted["mean_"], (inputs,))
    _checks.array("components_", fitted["components_"], (latents, inputs))
    for name in ("unit_", "pca_risk_", "risk_", "validation_pca_risk_", "step_size_", "horizon_"):
        if fitted.get(name) is not None:
            _checks.real(name, fitted[name], minimum=0)
    _checks.real("unit_", fitted["unit_"], above=0)
    if "_fence" in fitted:
        _checks.instance("fence", fitted["_fence"], Fence)
        _checks.real("square", fitted["_fence"].square, minimum=0)
        _checks.real("unit", fitted["_fence"].unit, above=0)
    for name in CURVES:
        if fitted.get(name) is not None and np.size(fitted[name]):
            _checks.array(name, fitted[name], ("T",))
    _checks.integer("n_iter_", fitted["n_iter_"], minimum=0)
    _checks.instance("chosen_", fitted.get("chosen_", ""), str)
    if fitted.get("_schedule") is not None:
        _check_schedule(fitted["_schedule"])
    _check_stream(fitted["_stream"], network, inputs)
    for name in ("feature_names_in_", "_columns"):
        names = fitted.get(name)
        if names is not None and not (len(names) == inputs and all(isinstance(one, str) for one in names)):
            _checks.refuse(name, f"be {inputs} names", list(names))


def _check_coordinates(coordinates: Coordinates, inputs: int) -> int:
    """Return the number of coordinates of points with so many features, or refuse them."""
    _checks.instance("coordinates", coordinates, Coordinates)
    scaling = coordinates.scaling
    _checks.instance("scaling", scaling, Scaling)
    _checks.array("mean", scaling.mean, (inputs,))
    for name, part in zip(("unit", "rest", "noise"), scaling[1:], strict=True):
        if part is not None:
            _checks.array(name, part, (inputs,) if np.ndim(part) else ())
    if coordinates.axes is None:
        return inputs
    return _checks.array("axes", coordinates.axes, (inputs, "r")).shape[1]


def _check_network(network: Autoencoder, dim: int) -> int:
    """Return the latent dimension of a network of points in so many coordinates, or refuse it."""
    _checks.instance("network", network, Autoencoder)
    encoder, decoder = network.encoder, network.decoder
    for side in (encoder, decoder):
        _checks.instance("neurons", side, NeuronMeasure)
        NeuronMeasure.of(side.outgoing, side.incoming, side.bias, side.masses)
    for activation in (network.encoder_activation, network.decoder_activation):
        _checks.instance("activation", activation, Activation)
    shapes = (encoder.inputs, decoder.outputs, decoder.inputs)
    if shapes != (dim, dim, encoder.outputs) or encoder.outputs > dim:
        _checks.refuse("encoder_", "fit the decoder and the number of features", _checks.described(f"of {shapes}"))
    return encoder.outputs


def _check_schedule(schedule: Schedule) -> None:
    _checks.instance("schedule", schedule, Schedule)
    _checks.real("first", schedule.first, above=0)
    _checks.real("longest", schedule.longest, minimum=0)
    _checks.instance("motion", schedule.motion, Motion)
    _checks.instance("optimizer", schedule.motion.optimizer, OPTIMIZERS)
    counts_steps = _checks.flag("counts_steps", schedule.counts_steps)
    if schedule.motion != (HEAVY_BALL if counts_steps else gradient_motion(schedule.motion.optimizer)):
        _checks.refuse("motion", "be that of the schedule", schedule.motion)


def _check_stream(stream: Stream, network: Autoencoder, dim: int) -> None:
    """Refuse a stream that is not one of the network, and of rows in R^d."""
    _checks.instance("stream", stream, Stream)
    _checks.instance("optimizer", stream.optimizer, OPTIMIZERS)
    for name in ("steps", "looked", "compared", "started"):
        _checks.integer(name, getattr(stream, name), minimum=0)
    if stream.step_size is not None:
        _checks.real("step_size", stream.step_size, above=0)
    _checks.flag("begun", stream.begun)
    seen, kept, memory = stream.seen, stream.kept, stream.memory
    if seen is not None:
        _checks.instance("seen", seen, Running)
        for name, shape in (("origin", (dim,)), ("shift", (dim,)), ("factor", ("r", dim))):
            _checks.array(name, getattr(seen, name), shape)
        _checks.integer("latent_dim", seen.latent_dim, minimum=1)
        _checks.integer("count", seen.count, minimum=0)
        _checks.integer("exponent", seen.exponent, minimum=-2000, maximum=2000)
        for name in ("weight", "spread"):
            _checks.real(name, getattr(seen, name), minimum=0)
    if kept is not None:
        _checks.instance("kept", kept, Reservoir)
        rows = _checks.array("rows", kept.rows, ("n", dim))
        for name in ("weights", "priorities"):
            _checks.array(name, getattr(kept, name), (len(rows),))
        if kept.threshold != -np.inf:
            _checks.real("threshold", kept.threshold)
    if memory is not None:
        _checks.instance("memory", memory, Memory)
        _checks.integer("memory_steps", memory.steps, minimum=0)
        fresh = Learner(network, gradient_motion(stream.optimizer)).memory.averages
        if [np.shape(average) for average in memory.averages] != [average.shape for average in fresh]:
            _checks.refuse("average", "be those of the optimizer", _checks.described("others"))
        for average in memory.averages:
            _checks.finite("average", np.asarray(average))
