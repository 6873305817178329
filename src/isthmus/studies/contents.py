"""Whether the numbers of a result file are those that its study has: what comes from strangers is looked at first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

Dims = tuple[str, ...]


def complaint(
    dataset: xr.Dataset,
    *,
    required: Mapping[str, Dims],
    known: Mapping[str, Dims],
    may_be_nan: frozenset[str],
    sizes: Mapping[str, int],
    coordinates: Mapping[str, object],
    attributes: tuple[str, ...],
    may_lack_bounds: frozenset[str] = frozenset(),
    attributes_or_nan: tuple[str, ...] = (),
) -> str | None:
    """Return what is wrong with a dataset, None where nothing is.

    Args:
        dataset: what the file holds. Variables of other names may be anything.
        required: variables that must be there, with their dimensions.
        known: those that need not.
        may_be_nan: which of both may hold NaN.
        sizes: of dimensions, where they are present.
        coordinates: values of dimensions, where they are present.
        attributes: which must be finite numbers.
        may_lack_bounds: variables whose estimates must be finite, while the ends of their intervals may be NaN.
        attributes_or_nan: which must be numbers, NaN included.

    """
    for name in (*attributes, *attributes_or_nan):
        value = np.asarray(dataset.attrs.get(name))
        number = value.size == 1 and value.dtype.kind in "fiu"
        if not number or (name in attributes and not np.isfinite(value).all()):
            return f"the attribute '{name}' is no {'finite ' if name in attributes else ''}number"
    for name, size in sizes.items():
        if dataset.sizes.get(name, size) != size:
            return f"the dimension '{name}' is of size {dataset.sizes[name]}, and {size} in the study"
    for name, dims in (dict(required) | dict(known)).items():
        if name not in dataset:
            if name in required:
                return f"the variable '{name}' is missing"
            continue
        found = dataset[name]
        if set(found.dims) != set(dims):
            return f"the variable '{name}' has the dimensions {found.dims} instead of {dims}"
        if found.dtype.kind not in "fiub":
            return f"the variable '{name}' holds no numbers"
        lacking = found.isnull() & (found["bound"] != "estimate") if name in may_lack_bounds else False
        if name not in may_be_nan and not (np.isfinite(found) | lacking).all():
            return f"the variable '{name}' holds a number that is not finite"
    for name, values in coordinates.items():
        if name in dataset.coords and not _are(dataset[name].values, values):
            return f"the coordinate '{name}' is not that of the study"
    return None


def _are(found: np.ndarray, values: object) -> bool:
    wanted = np.asarray(values)
    if found.shape != wanted.shape or (found.dtype.kind in "fiub") != (wanted.dtype.kind in "fiub"):
        return False
    if wanted.dtype.kind not in "fiub":
        return [str(one) for one in found] == [str(one) for one in wanted]
    return bool(np.allclose(found.astype(float), wanted.astype(float), rtol=1e-6, atol=0))
