"""Values of known kinds in terms of JSON and arrays, and back: known kinds only, so that reading runs nothing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np


class Packed(NamedTuple):
    """A value as JSON, in which arrays stand by their names.

    Attributes:
        plain: numbers, words, lists and dictionaries.
        arrays: by name.

    """

    plain: Any
    arrays: dict[str, np.ndarray]


class Packer:
    """Packs values of known kinds, nested in tuples, lists and dictionaries with words as keys.

    Args:
        kinds: dataclasses and named tuples whose fields are packed, and of which instances are made.
        constants: objects that stand by their names.

    """

    def __init__(self, kinds: Iterable[Any], constants: Mapping[str, object]) -> None:
        self._kinds = {kind.__name__: kind for kind in kinds}
        self._constants = constants

    def pack(self, value: object, name: str = "value") -> Packed:
        """Return a value as JSON and arrays, whose names begin with ``name``.

        Raises:
            TypeError: where it is of no known kind.

        """
        arrays: dict[str, np.ndarray] = {}
        return Packed(self._plain(value, name, arrays), arrays)

    def unpack(self, packed: Packed) -> Any:
        """Return what was packed; arrays are NumPy's.

        Raises:
            KeyError, TypeError, ValueError: where it isn't what `pack` makes, or a kind refuses its fields.

        """
        return self._made(*packed)

    def _made(self, plain: Any, arrays: Mapping[str, np.ndarray]) -> Any:
        made = lambda inner: self._made(inner, arrays)
        if isinstance(plain, list):
            return [made(inner) for inner in plain]
        if not isinstance(plain, dict):
            return plain
        if "array" in plain:
            array = arrays[plain["array"]]
            return float(array) if plain["number"] else array
        if "constant" in plain:
            return self._constants[plain["constant"]]
        if "tuple" in plain:
            return tuple(made(inner) for inner in plain["tuple"])
        if "dict" in plain:
            return {name: made(inner) for name, inner in plain["dict"].items()}
        return self._kinds[plain["kind"]](**{name: made(inner) for name, inner in plain["fields"].items()})

    def _plain(self, value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
        if value is None or isinstance(value, bool | int | str) or (type(value) is float and math.isfinite(value)):
            return value
        if isinstance(value, float | np.ndarray | np.generic | jax.Array):
            name = path if path not in arrays else f"{path}.{len(arrays)}"
            arrays[name] = np.asarray(value)
            return {"array": name, "number": isinstance(value, float)}
        plain = lambda inner, name: self._plain(inner, f"{path}.{name}", arrays)
        constant = next((name for name, known in self._constants.items() if known is value), None)
        if constant is not None:
            return {"constant": constant}
        kind = type(value).__name__
        if self._kinds.get(kind) is type(value):
            names = getattr(value, "_fields", None) or [field.name for field in dataclasses.fields(self._kinds[kind])]
            return {"kind": kind, "fields": {name: plain(getattr(value, name), name) for name in names}}
        if isinstance(value, list):
            return [plain(inner, index) for index, inner in enumerate(value)]
        if isinstance(value, tuple):
            return {"tuple": [plain(inner, index) for index, inner in enumerate(value)]}
        if isinstance(value, dict):
            return {"dict": {name: plain(inner, name) for name, inner in value.items()}}
        raise TypeError(f"{kind} can't be packed")
