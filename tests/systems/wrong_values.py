"""Values that are wrong for an argument, by what they are, for each kind of argument."""

import datetime
import functools
import math
from typing import Any

import jax.numpy as jnp
import numpy as np

HUGE = 10**400
LONG = 10**5000
"""An integer that Python refuses to print."""


class Unprintable:
    """A value that can be neither shown nor made an array."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __array__(self, *_, **__):
        raise RuntimeError("no")


def _recursive() -> list:
    inside: list = []
    inside.append(inside)
    return inside


ANYTHING: dict[str, Any] = {
    "nothing": None,
    "word": "many",
    "empty word": "",
    "number in words": "3",
    "bytes": b"\xff",
    "true": True,
    "numpy's true": np.bool_(True),
    "complex": 1j,
    "nan": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "an object": object(),
    "unprintable": Unprintable(),
    "empty list": [],
    "empty tuple": (),
    "dictionary": {},
    "ragged": [[1.0], [1.0, 2.0]],
    "recursive": _recursive(),
    "deep": functools.reduce(lambda inner, _: [inner], range(200), 1.0),
    "a function": lambda *_: None,
    "a class": int,
    "a date": datetime.date(2024, 2, 29),
    "a module": math,
    "a null character": "a\0b",
    "a lone surrogate": "\ud800",
    "no character of a name": "a\nb",
    "an array of words": np.array(["a"]),
    "an array of objects": np.array([object()], dtype=object),
    "structured": np.zeros(2, dtype=[("a", float)]),
    "fraction": 1.5,
    "negative": -1,
    "zero": 0,
    "long": LONG,
    "huge negative": -HUGE,
    "a set": {1, 2},
    "an iterator": iter([1, 2]),
    "negative fraction": -0.25,
    "three axes": np.ones((2, 2, 2)),
    "five axes": np.ones((1, 1, 1, 1, 1)),
}
"""Values that hardly any argument takes; each kind of argument names those that it does take."""
NUMBERS = {"fraction", "zero", "negative", "negative fraction"}
WORDS = {"word", "empty word", "number in words", "a null character", "a lone surrogate", "no character of a name"}
FUNCTIONS = {"a function", "a class"}


def all_but(*good: str | set[str], **more: Any) -> dict[str, Any]:
    """Return all values but those that are good, with others that are wrong too."""
    kept = set().union(*({one} if isinstance(one, str) else one for one in good))
    assert kept <= ANYTHING.keys()
    return {label: value for label, value in ANYTHING.items() if label not in kept} | more


COUNT = all_but(one_float=1.0, many=2**63, too_many=HUGE, huge_float=1e300, array_of_one=np.array([2]))
FIRST = all_but("zero", one_float=1.0, too_many=HUGE, huge_float=1e300)
UNLIMITED = all_but("long", one_float=1.0, huge_float=1e300)
WIDTH = COUNT | {"none": (), "one": (8,), "three": (8, 8, 8), "zeros": (8, 0), "fractions": (8, 8.5), "words": ("8", 8)}
SEED = all_but("zero", one_float=1.0, beyond_32_bits=2**32, beyond_64_bits=2**64, beyond=HUGE, list_of_one=[1])
POSITIVE = all_but("fraction", huge=HUGE)
NON_NEGATIVE = all_but("fraction", "zero", huge=HUGE)
SHARE = all_but(one=1, one_float=1.0, more=1.0001, huge=HUGE, tiny_negative=-1e-300)
SCALE = all_but("fraction", huge=HUGE, no_square=1e200, no_inverse_square=1e-200)
SCALE_OR_ZERO = all_but("fraction", "zero", huge=HUGE, no_square=1e200, no_inverse_square=1e-200)
RTOL = all_but("fraction", too_fine=1e-30, too_coarse=0.5, huge=HUGE, far_too_coarse=1.5)
FLAG = all_but("true", "numpy's true", one=1)
WORD = all_but(unknown="tahn", capitals="TANH", in_a_list=["tanh"])
FUNCTION = all_but(FUNCTIONS)
CALLBACK = all_but(FUNCTIONS, "nothing", "true")
RATE = all_but(
    FUNCTIONS,
    "fraction",
    "zero",
    huge=HUGE,
    of_nothing=lambda: 1.0,
    nothing=lambda t: None,
    words=lambda t: "1",
    nan=lambda t: math.nan,
    negative=lambda t: -1.0,
    fails=lambda t: 1 / 0,
    vector=lambda t: jnp.ones(3),
    untraceable=lambda t: math.sin(t),
    builtin=int,
    returns_nothing=lambda *_: None,
)
STEP_SIZE = {label: value for label, value in RATE.items() if label != "untraceable"} | {
    "zero": 0,
    "too small": 1e-12,
    "no step": lambda t: 0.0,
    "too small a step": lambda t: 1e-300,
}
OBJECT = all_but(an_array=np.ones((3, 2)), array_of_float32=np.ones(3, np.float32))
TIMES = all_but(
    one_nan=[0.0, math.nan],
    one_infinity=[0.0, math.inf],
    decreasing=[1.0, 0.5],
    repeated=[0.0, 0.0],
    negative_time=[-1.0, 1.0],
    column=[[0.0], [1.0]],
    words=["0", "1"],
    nothing_in_it=[None],
    complexes=[1j],
    dates=np.array(["2024-02-29"], "M8[D]"),
    huge=[0, HUGE],
    masked=np.ma.masked_array([0.0, 1.0], [False, True]),
)
TIME = all_but("nothing", "zero", not_recorded=0.123, huge=HUGE, several=[0.0, 1.0], words="0.0")
SNAPSHOTS = {label: value for label, value in TIME.items() if label not in ("several", "empty list", "empty tuple")}
TABLE = all_but(
    one_nan=[[1.0, math.nan]],
    one_infinity=[[math.inf, 0.0]],
    a_row=[1.0, 2.0],
    no_rows=np.zeros((0, 2)),
    no_columns=np.zeros((2, 0)),
    words=[["1", "2"]],
    nothing_in_it=[[None, 1.0]],
    complexes=[[1j, 0.0]],
    dates=np.array([["2024-02-29"]], "M8[D]"),
    integers_beyond=[[HUGE, 0]],
    too_large=[[1e200, 0.0], [0.0, 1e200]],
    masked=np.ma.masked_array([[0.0, 1.0], [1.0, 0.0]], [[False, True], [False, False]]),
)
TABLE_OF_NUMBERS = {label: value for label, value in TABLE.items() if label != "too_large"}
VECTOR = {label: value for label, value in TABLE_OF_NUMBERS.items() if label != "a_row"} | {"wrong length": np.ones(77)}
WORKERS = all_but("nothing", "long", one_float=1.0)
PATH = all_but(WORDS, a_null_character="a\0b", lone="\ud800", number=3)
ACTIVATION = WORD | {"one in a pair": ("tanh",), "three": ("tanh", "tanh", "tanh"), "one unknown": ("tanh", "tahn")}
DTYPE = all_but(half="float16", integers="int64", numpy_half=np.float16, numpy_type=np.int32)


def optional(values: dict[str, Any]) -> dict[str, Any]:
    """Return the wrong values of an argument that may be None."""
    return {label: value for label, value in values.items() if value is not None}
