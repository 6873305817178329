"""What jobs find, in terms of JSON and arrays, and back: of known kinds only, so that reading runs nothing."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import numpy as np

from isthmus._errors import Status
from isthmus.core.activations import ACTIVATIONS, Activation
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.dynamics.results import MeanFieldPath, TrainingRuns
from isthmus.theory.certificates import Certificate
from isthmus.theory.expressivity import Expressivity
from isthmus.theory.finite_width import FiniteWidthLaw, Influence
from isthmus.theory.optimum import Optimum
from isthmus.theory.prediction import Noise

KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        *(Autoencoder, NeuronMeasure, Status),
        *(MeanFieldPath, TrainingRuns),
        *(Certificate, Expressivity, Optimum),
        *(FiniteWidthLaw, Influence, Noise),
    )
}
"""Whose fields may be packed, and who may be made of them."""


class Packed(NamedTuple):
    """A value as JSON, in which arrays stand by their names.

    Attributes:
        plain: numbers, words, lists and dictionaries.
        arrays: by name.

    """

    plain: Any
    arrays: dict[str, np.ndarray]


def packed(value: object) -> Packed:
    """Return a value of known kinds, nested in tuples, lists and dictionaries, as JSON and arrays."""
    arrays: dict[str, np.ndarray] = {}
    return Packed(_plain(value, arrays), arrays)


def unpacked(value: Packed) -> Any:
    """Return what was packed; arrays are NumPy's.

    Raises:
        KeyError, TypeError, ValueError: where it isn't what `packed` makes.

    """
    return _made(value.plain, value.arrays)


def _plain(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if value is None or isinstance(value, bool | int | str) or (type(value) is float and math.isfinite(value)):
        return value
    if isinstance(value, float | np.ndarray | np.generic | jax.Array):
        name = str(len(arrays))
        arrays[name] = np.asarray(value)
        return {"array": name, "number": isinstance(value, float)}
    if isinstance(value, Activation) and ACTIVATIONS.get(value.name) is value:
        return {"activation": value.name}
    if isinstance(value, list):
        return [_plain(one, arrays) for one in value]
    if isinstance(value, tuple):
        return {"tuple": [_plain(one, arrays) for one in value]}
    if isinstance(value, dict):
        return {"dict": {name: _plain(one, arrays) for name, one in value.items()}}
    kind = type(value).__name__
    if KINDS.get(kind) is not type(value):
        raise TypeError(f"{kind} can't be packed")
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(KINDS[kind])}
    return {"kind": kind, "fields": {name: _plain(one, arrays) for name, one in fields.items()}}


def _made(plain: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(plain, list):
        return [_made(one, arrays) for one in plain]
    if not isinstance(plain, dict):
        return plain
    if "array" in plain:
        array = arrays[plain["array"]]
        return float(array) if plain["number"] else array
    if "activation" in plain:
        return ACTIVATIONS[plain["activation"]]
    if "tuple" in plain:
        return tuple(_made(one, arrays) for one in plain["tuple"])
    if "dict" in plain:
        return {name: _made(one, arrays) for name, one in plain["dict"].items()}
    return KINDS[plain["kind"]](**{name: _made(one, arrays) for name, one in plain["fields"].items()})
