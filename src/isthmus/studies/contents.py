"""The variables of a result: what each means, and whether those of a file are what its study has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from isthmus.dynamics.results import MeanFieldPath

NUMBERS = "fiub"
"""Kinds of NumPy's types that are real numbers or truth values."""


class Variable(NamedTuple):
    """A variable of a result.

    Attributes:
        dims: names of its dimensions.
        meaning: what its numbers are; the ``long_name`` of the variable.
        optional: whether a result may lack it.
        nan: where it may hold NaN: nowhere, in the ends of intervals (``bound`` other than "estimate"), or anywhere.

    """

    dims: tuple[str, ...]
    meaning: str
    optional: bool = False
    nan: Literal["nowhere", "bounds", "anywhere"] = "nowhere"

    def of(self, values: object) -> tuple:
        """Return the variable with its values, as `xarray.Dataset` takes one."""
        return self.dims, values, {"long_name": self.meaning}

    def error(self, found: xr.DataArray) -> str | None:
        """Return what is wrong with a variable of this name, None where nothing is."""
        if set(found.dims) != set(self.dims):
            return f"has the dimensions {found.dims} instead of {self.dims}"
        if found.dtype.kind not in NUMBERS:
            return "holds no numbers"
        may_lack = found.isnull() & (found["bound"] != "estimate") if self.nan == "bounds" else False
        if self.nan != "anywhere" and not (np.isfinite(found) | may_lack).all():
            return "holds a number that is not finite"
        return None


MEAN_FIELD = {
    "mean_field_risk": Variable(("time",), "mean-field risk R(t)"),
    "mean_field_risk_error": Variable(("time",), "half of its 95 % interval over replicates"),
}
"""The variables of a mean-field path."""


def labelled(variables: Mapping[str, Variable], values: Mapping[str, object]) -> dict[str, tuple]:
    """Return values with the dimensions and meanings of the variables of the same names."""
    return {name: variables[name].of(value) for name, value in values.items()}


def mean_field_variables(path: MeanFieldPath) -> dict[str, tuple]:
    """Return the risk of a mean-field path and its error."""
    return labelled(MEAN_FIELD, {"mean_field_risk": path.risk, "mean_field_risk_error": path.risk_error})


@dataclass(frozen=True)
class Contents:
    """What the dataset of a study holds; variables of other names may be anything.

    Attributes:
        variables: by name.
        coordinates: values of dimensions, where they are present.
        sizes: of further dimensions, where they are present.
        attributes: which must be finite numbers.
        attributes_or_nan: which must be numbers, NaN included.

    """

    variables: Mapping[str, Variable]
    coordinates: Mapping[str, Sequence[Any] | np.ndarray]
    sizes: Mapping[str, int] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    attributes_or_nan: tuple[str, ...] = ()

    def error(self, dataset: xr.Dataset) -> str | None:
        """Return what is wrong with a dataset, None where nothing is: what comes from strangers is looked at first."""
        for name in (*self.attributes, *self.attributes_or_nan):
            value, finite = np.asarray(dataset.attrs.get(name)), name in self.attributes
            if value.size != 1 or value.dtype.kind not in "fiu" or (finite and not np.isfinite(value).all()):
                return f"the attribute '{name}' is no {'finite ' if finite else ''}number"
        sizes = {name: len(values) for name, values in self.coordinates.items()}
        for name, size in (sizes | dict(self.sizes)).items():
            if dataset.sizes.get(name, size) != size:
                return f"the dimension '{name}' is of size {dataset.sizes[name]}, and {size} in the study"
        for name, variable in self.variables.items():
            if name not in dataset:
                if not variable.optional:
                    return f"the variable '{name}' is missing"
            elif (why := variable.error(dataset[name])) is not None:
                return f"the variable '{name}' {why}"
        for name, values in self.coordinates.items():
            if name in dataset.coords and not _are(dataset[name].values, values):
                return f"the coordinate '{name}' is not that of the study"
        return None


def _are(found: np.ndarray, values: object) -> bool:
    wanted = np.asarray(values)
    if found.shape != wanted.shape or (found.dtype.kind in NUMBERS) != (wanted.dtype.kind in NUMBERS):
        return False
    if wanted.dtype.kind not in NUMBERS:
        return [str(name) for name in found] == [str(name) for name in wanted]
    return bool(np.allclose(found.astype(float), wanted.astype(float), rtol=1e-6, atol=0))
