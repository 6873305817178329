"""Checks of arguments: one grammar for every message, ``Argument NAME must RULE, but it is VALUE.``"""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable, Sequence, Sized
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike

from isthmus._errors import ArgumentError, ArgumentTypeError


def refuse(name: str, rule: str, value: object, hint: str = "") -> NoReturn:
    """Raise `ArgumentError` in the common grammar."""
    raise ArgumentError(_message(name, rule, value, hint))


def refuse_type(name: str, rule: str, value: object, hint: str = "") -> NoReturn:
    """Raise `ArgumentTypeError` in the common grammar."""
    raise ArgumentTypeError(_message(name, rule, value, hint))


def _message(name: str, rule: str, value: object, hint: str) -> str:
    text = value if isinstance(value, _Verbatim) else " ".join(repr(value).split())
    text = text if len(text) <= 80 else text[:77] + "..."
    return f"Argument '{name}' must {rule}, but it is {text}{'; ' + hint if hint else ''}."


class _Verbatim(str):
    """Words that describe a value, printed without quotation marks."""


def described(text: str) -> str:
    """Mark ``text`` as a description of a value rather than the value itself."""
    return _Verbatim(text)


def integer(name: str, value: object, minimum: int, maximum: int | None = None, maximum_is: str | None = None) -> int:
    """Return an integer between ``minimum`` and ``maximum`` (described as ``maximum_is``), both included."""
    rule = f"be an integer of at least {minimum}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        refuse_type(name, rule, value)
    number = int(value)
    if number < minimum:
        refuse(name, rule, number)
    if maximum is not None and number > maximum:
        refuse(name, f"be at most {maximum_is + ' ' if maximum_is else ''}{maximum}", number)
    return number


def power_of_2(name: str, value: object, minimum: int = 1) -> int:
    """Return an integer that is a power of 2."""
    number = integer(name, value, minimum)
    if number & (number - 1):
        refuse(name, "be a power of 2", number)
    return number


def real(
    name: str,
    value: object,
    *,
    above: float | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
) -> float:
    """Return a finite real number between ``above`` and ``below`` (excluded), in [``minimum``, ``maximum``]."""
    bounds = []
    if above is not None:
        bounds.append(f"above {above:g}")
    if minimum is not None:
        bounds.append(f"at least {minimum:g}")
    if maximum is not None:
        bounds.append(f"at most {maximum:g}")
    if below is not None:
        bounds.append(f"below {below:g}")
    rule = "be a finite number" + (" " + " and ".join(bounds) if bounds else "")
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        refuse_type(name, rule, value)
    try:
        number = float(value)
    except OverflowError:
        refuse(name, rule, value)
    outside = (
        (above is not None and number <= above)
        or (minimum is not None and number < minimum)
        or (maximum is not None and number > maximum)
        or (below is not None and number >= below)
    )
    if outside or not math.isfinite(number):
        refuse(name, rule, number)
    return number


def choice(name: str, value: object, options: Iterable[str]) -> str:
    """Return a string that is one of ``options``, or suggest the nearest one."""
    names = list(options)
    rule = "be one of " + ", ".join(map(repr, names))
    if not isinstance(value, str):
        refuse_type(name, rule, value)
    if value not in names:
        near = difflib.get_close_matches(value, names, n=1)
        refuse(name, rule, value, f"did you mean {near[0]!r}?" if near else "")
    return value


def array(name: str, value: object, shape: Sequence[int | str], dtype: np.dtype | None = None) -> np.ndarray:
    """Return a finite floating-point array of the given shape; a string in ``shape`` names a free axis.

    A float32 or float64 array keeps its type unless ``dtype`` asks for another; everything else becomes float64.
    """
    wanted = "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
    try:
        result = np.asarray(value)
    except (ValueError, TypeError, OverflowError):
        refuse_type(name, f"be an array of shape {wanted}", described("ragged or not an array"))
    if result.dtype.kind not in "fiub":
        refuse_type(name, f"be a real array of shape {wanted}", described(f"of type {result.dtype}"))
    if dtype is None:
        dtype = result.dtype if result.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    if result.ndim != len(shape) or any(
        isinstance(want, int) and have != want for want, have in zip(shape, result.shape, strict=True)
    ):
        refuse(name, f"have shape {wanted}", described(f"of shape {result.shape}"))
    if 0 in result.shape:
        refuse(name, "not be empty", described(f"of shape {result.shape}"))
    with np.errstate(over="ignore"):  # what the precision asked for can't hold is found as infinite
        result = np.array(result, dtype=dtype)
    bad = ~np.isfinite(result)
    if bad.any():
        first = tuple(map(int, np.argwhere(bad)[0]))
        refuse(
            name,
            "be finite",
            described(f"NaN or infinite in {int(bad.sum())} of {bad.size} entries, first at {first}"),
            "remove or impute them",
        )
    return result


def times(name: str, value: object) -> np.ndarray:
    """Return a strictly increasing array of non-negative times, shape (T,)."""
    result = array(name, value, ("T",), np.dtype(np.float64))
    if result[0] < 0 or np.any(np.diff(result) <= 0):
        refuse(name, "be non-negative and strictly increasing", described(_abbreviated(result)))
    return result


def subset_of_times(name: str, value: ArrayLike, times: np.ndarray) -> np.ndarray:
    """Return the indices in ``times`` of the times asked for; each must be one of them."""
    if isinstance(value, Sized) and len(value) == 0:
        return np.zeros(0, dtype=int)
    wanted = array(name, [value] if isinstance(value, numbers.Real) else value, ("S",), np.dtype(np.float64))
    nearest = np.abs(times[None, :] - wanted[:, None]).argmin(axis=1)
    missing = ~np.isclose(times[nearest], wanted, rtol=1e-9, atol=1e-12)
    if missing.any():
        refuse(name, "contain only recorded times", float(wanted[missing][0]), "add it to 'times'")
    return np.unique(nearest)


def instance(name: str, value: object, kinds: type | tuple[type, ...]) -> None:
    """Refuse a ``value`` that is not an instance of ``kinds``."""
    if not isinstance(value, kinds):
        named = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
        refuse_type(name, f"be an instance of {named}", described(f"of type {type(value).__name__}"))


def _abbreviated(values: np.ndarray) -> str:
    shown = ", ".join(f"{v:g}" for v in values[:5])
    return f"[{shown}{', ...' if values.size > 5 else ''}]"
