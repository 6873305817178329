"""Checks of arguments: one grammar for every message, ``Argument NAME must RULE, but it is VALUE.``"""

from __future__ import annotations

import contextlib
import difflib
import math
import numbers
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from operator import ge, gt, le, lt
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from isthmus._errors import ArgumentError, ArgumentTypeError

LARGEST_SEED = 2**32 - 1
"""Beyond it JAX in single precision takes a seed modulo 2³², so that two seeds would give the same numbers."""
LONGEST = 80
"""The number of characters of a value, or of a name, that a message shows."""
SCALES = (1e-100, 1e100)
"""The smallest and the largest number whose square, and quotient by it, stay in the range of double precision."""


def refuse(name: str, rule: str, value: object, hint: str = "") -> NoReturn:
    """Raise `ArgumentError` in the common grammar."""
    raise ArgumentError(_message(name, rule, value, hint))


@contextlib.contextmanager
def renamed(name: str, given: str) -> Iterator[None]:
    """Say ``given``, which is what the user wrote, where an argument ``name`` is refused."""
    try:
        yield
    except (ArgumentError, ArgumentTypeError) as error:
        raise type(error)(str(error).replace(f"Argument '{name}'", f"Argument '{given}'", 1)) from None


def refuse_type(name: str, rule: str, value: object, hint: str = "") -> NoReturn:
    """Raise `ArgumentTypeError` in the common grammar."""
    raise ArgumentTypeError(_message(name, rule, value, hint))


def _message(name: str, rule: str, value: object, hint: str) -> str:
    text = f"Argument '{named(name)}' must {rule}, but it is {shown(value)}{'; ' + hint if hint else ''}"
    return text if hint.endswith("?") else f"{text}."


def shown(value: object) -> str:
    """Return a value on one line, cut where it is long, whatever it is."""
    try:
        text = value if isinstance(value, _Verbatim) else " ".join(repr(value).split())
    except Exception:  # any __repr__ may fail, and integers beyond 4,300 digits have none
        text = f"of type {type(value).__name__}"
    return _cut(text)


def named(name: str) -> str:
    """Return a name that came with a file or a call, on one line."""
    return _cut("".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


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


def seed(name: str, value: object) -> int:
    """Return a seed, an integer from 0 to 2³² − 1."""
    return integer(name, value, 0, LARGEST_SEED)


def flag(name: str, value: object) -> bool:
    """Return True or False; a number or a word is neither."""
    if not isinstance(value, bool | np.bool_):
        refuse_type(name, "be True or False", value)
    return bool(value)


def function(name: str, value: object, *, optional: bool = False) -> None:
    """Refuse a ``value`` that can't be called, unless it is None and ``optional``."""
    if not callable(value) and not (optional and value is None):
        refuse_type(name, "be a function", value)


def called(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function that the caller wrote returns for ``arguments``, or refuse the function if it fails."""
    try:
        return function(*arguments)
    except Exception as error:
        what = described(f"one that raises {type(error).__name__}: {' '.join(str(error).split())}")
        refuse_type(name, "be a function that runs", what)


def path(name: str, value: object) -> Path:
    """Return a path that the file system can be asked for."""
    rule = "be the path of a file or folder"
    if not isinstance(value, str | os.PathLike):
        refuse_type(name, rule, value)
    try:
        result = Path(value)
        if b"\0" not in os.fsencode(result):
            return result
    except (ValueError, TypeError):  # characters that no name can hold, or a path of bytes
        pass
    refuse(name, rule, value)


def memory(name: str, value: object, size: int) -> None:
    """Refuse a ``value`` for which arrays of at least ``size`` bytes are needed, if this machine has less memory."""
    total = memory_of_the_machine()
    if size > total:
        needed = f"{size / 2**30:,.0f} GiB" if size < 2**70 else "more than any machine has"
        hint = f"its arrays alone would take {needed} of {total / 2**30:,.0f} GiB"
        refuse(name, "fit in memory", value, hint)


def finite(name: str, values: np.ndarray) -> None:
    """Refuse an array unless it holds floating-point numbers, all of them finite."""
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        refuse(name, "be finite", described("not"))


def largest(values: np.ndarray) -> float:
    """Return the largest |value| of an array, 0 of an empty one, NaN left out, without a copy of it."""
    low, high = np.fmin.reduce(values, None, initial=0.0), np.fmax.reduce(values, None, initial=0.0)
    return max(float(high), -float(low))


def finite_squares(name: str, values: np.ndarray, columns: int | None = None) -> None:
    """Refuse entries of points so large that a risk, which is a sum of squares, overflows in their precision.

    Args:
        name: of the argument.
        values: the entries.
        columns: how many squares are summed; by default the columns of ``values``, of shape (n, d).

    """
    size = largest(values)
    most = float(np.sqrt(np.finfo(values.dtype).max / (columns or values.shape[1]))) / 4
    if size > most:
        refuse(name, f"be at most {most:.3g}, so that squares are finite", size, "measure them in another unit")


def memory_of_the_machine() -> int:
    """Return how many bytes of memory this machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # unknown here: refuse only what no machine has
        return 1 << 44


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
    limits = ((above, "above", gt), (minimum, "at least", ge), (maximum, "at most", le), (below, "below", lt))
    asked = [(limit, words, holds) for limit, words, holds in limits if limit is not None]
    rule = " ".join(["be a finite number", " and ".join(f"{words} {limit:g}" for limit, words, _ in asked)]).rstrip()
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        refuse_type(name, rule, value)
    try:
        number = float(value)
    except OverflowError:
        refuse(name, rule, value)
    if not math.isfinite(number) or not all(holds(number, limit) for limit, _, holds in asked):
        refuse(name, rule, number)
    return number


def scale(name: str, value: object, *, above: float | None = None, minimum: float | None = None) -> float:
    """Return a number as `real` does, which can also be squared, and divided by its square, in double precision."""
    number = real(name, value, above=above, minimum=minimum)
    smallest, largest = SCALES
    if number != 0 and not smallest <= abs(number) <= largest:
        refuse(name, f"be {'0, or ' if above is None else ''}between {smallest:g} and {largest:g}", number)
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


def array(
    name: str,
    value: object,
    shape: Sequence[int | str],
    dtype: np.dtype | None = None,
    *,
    holes: bool = False,
    hint: str = "remove or impute them",
    columns: Sequence[str] | None = None,
) -> np.ndarray:
    """Return a finite floating-point array of the given shape; a string in ``shape`` names a free axis.

    Args:
        name: of the argument.
        value: what is to be an array.
        shape: sizes, or names of free axes.
        dtype: of the array; by default that of a float32 or float64 array, and float64 for all else.
        holes: whether entries may be NaN.
        hint: what to do about entries that are not finite.
        columns: names of the columns, by which messages say where an entry stands.

    """
    wanted = "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
    try:
        result = np.asarray(value)
    except Exception:  # conversion runs code of the object, which may raise anything
        refuse_type(name, f"be an array of shape {wanted}", described("ragged or not an array"))
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        refuse(name, "have no masked entries", described("a masked array"), "remove or impute them")
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
    bad = np.isinf(result) if holes else ~np.isfinite(result)
    if bad.any():
        first = tuple(map(int, np.argwhere(bad)[0]))
        kind = "infinite" if holes else "NaN or infinite"
        where = f"at {first}" if columns is None else f"in {column(first[1], columns)}, row {first[0]}"
        found = described(f"{kind} in {int(bad.sum())} of {bad.size} entries, first {where}")
        refuse(name, "be finite", found, hint)
    return result


def column(index: int, names: Sequence[str] | None) -> str:
    """Return what messages call a column of a table: its name, or its index where it has none."""
    return f"column {index}" if names is None else f"column {named(names[index])!r}"


def times(name: str, value: object) -> np.ndarray:
    """Return a strictly increasing array of non-negative times, shape (T,)."""
    result = array(name, value, ("T",), np.dtype(np.float64))
    if result[0] < 0 or np.any(np.diff(result) <= 0):
        refuse(name, "be non-negative and strictly increasing", described(_abbreviated(result)))
    return result


def subset_of_times(name: str, value: ArrayLike, times: np.ndarray) -> np.ndarray:
    """Return the indices in ``times`` of the times in ``value``, in increasing order; each must be one of ``times``."""
    if isinstance(value, bool):
        refuse_type(name, "be a time or several times", value)
    if _is_empty(value):
        return np.zeros(0, dtype=int)
    wanted = array(name, [value] if isinstance(value, numbers.Real) else value, ("S",), np.dtype(np.float64))
    nearest = np.abs(times[None, :] - wanted[:, None]).argmin(axis=1)
    missing = ~np.isclose(times[nearest], wanted, rtol=1e-9, atol=1e-12)
    if missing.any():
        refuse(name, "contain only recorded times", float(wanted[missing][0]), "add it to 'times'")
    return np.unique(nearest)


def index_of_time(name: str, value: float, times: np.ndarray) -> int:
    """Return the index in ``times`` of the time ``value``, which must be one of them."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    return int(subset_of_times(name, [real(name, value)], times)[0])


def _is_empty(value: object) -> bool:
    try:
        return isinstance(value, Sized) and not isinstance(value, str | bytes | Mapping) and len(value) == 0
    except TypeError:  # an array without dimensions
        return False


def instance(name: str, value: object, kinds: type | tuple[type, ...]) -> None:
    """Refuse a ``value`` that is not an instance of ``kinds``."""
    if not isinstance(value, kinds):
        names = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
        refuse_type(name, f"be an instance of {names}", described(f"of type {type(value).__name__}"))


def _abbreviated(values: np.ndarray) -> str:
    shown = ", ".join(f"{v:g}" for v in values[:5])
    return f"[{shown}{', ...' if values.size > 5 else ''}]"
