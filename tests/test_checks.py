"""Each check accepts and refuses, by type and by value, in one grammar."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isthmus import _checks
from isthmus._errors import ArgumentError, ArgumentTypeError, IsthmusError
from isthmus._precision import floating

thorough = settings(max_examples=60, deadline=None, derandomize=True)
finite = st.floats(-(2.0**100), 2.0**100, width=32)


def refusal(kind, check, *arguments, **options) -> str:
    with pytest.raises(kind) as caught:
        check(*arguments, **options)
    assert isinstance(caught.value, IsthmusError)
    return str(caught.value)


def test_the_grammar_is_name_rule_value_hint():
    text = refusal(ArgumentError, _checks.refuse, "width", "be even", 3, "try 4")
    assert text == "Argument 'width' must be even, but it is 3; try 4."
    assert refusal(ArgumentTypeError, _checks.refuse_type, "width", "be even", "3") == (
        "Argument 'width' must be even, but it is '3'."
    )


def test_a_description_stands_without_quotation_marks():
    text = refusal(ArgumentError, _checks.refuse, "x", "be whole", _checks.described("in parts"))
    assert text == "Argument 'x' must be whole, but it is in parts."


@pytest.mark.parametrize("value", ["a" * 1000, list(range(1000)), np.arange(1000)])
def test_a_long_value_is_cut_to_one_line(value):
    text = refusal(ArgumentError, _checks.refuse, "x", "be short", value)
    assert text.endswith("....") and len(text) < 130
    assert "\n" not in text


@pytest.mark.parametrize("value", [2, 70, np.int8(5), np.uint64(70), True + True])
def test_integer_accepts(value):
    result = _checks.integer("k", value, 2, 70)
    assert result == value and type(result) is int


@pytest.mark.parametrize("value", [2.0, "2", None, True, np.bool_(True), np.float64(2), [2], np.array([2])])
def test_integer_refuses_other_types(value):
    text = refusal(ArgumentTypeError, _checks.integer, "k", value, 1)
    assert text == f"Argument 'k' must be an integer of at least 1, but it is {value!r}."


def test_integer_refuses_values():
    assert refusal(ArgumentError, _checks.integer, "k", 0, 1) == (
        "Argument 'k' must be an integer of at least 1, but it is 0."
    )
    assert refusal(ArgumentError, _checks.integer, "latent_dim", 70, 1, 64, "the data dimension") == (
        "Argument 'latent_dim' must be at most the data dimension 64, but it is 70."
    )
    assert refusal(ArgumentError, _checks.integer, "k", np.int64(9), 1, 8) == (
        "Argument 'k' must be at most 8, but it is 9."
    )


@thorough
@given(value=st.integers(), low=st.integers(), span=st.integers(0, 10))
def test_integer_accepts_exactly_what_lies_between(value, low, span):
    if low <= value <= low + span:
        assert _checks.integer("k", value, low, low + span) == value
    else:
        refusal(ArgumentError, _checks.integer, "k", value, low, low + span)


@pytest.mark.parametrize("value", [1, 0.5, np.float32(0.5), np.int64(1), Fraction(1, 2)])
def test_real_accepts(value):
    result = _checks.real("s", value, above=0, maximum=1)
    assert result == value and type(result) is float


@pytest.mark.parametrize("value", ["0.5", None, True, np.bool_(True), 1j, [0.5], np.array(0.5)])
def test_real_refuses_other_types(value):
    text = refusal(ArgumentTypeError, _checks.real, "s", value, minimum=0)
    assert text == f"Argument 's' must be a finite number at least 0, but it is {value!r}."


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (0.0, {"above": 0}, "Argument 's' must be a finite number above 0, but it is 0.0."),
        (-1, {"minimum": 0}, "Argument 's' must be a finite number at least 0, but it is -1.0."),
        (2, {"maximum": 1}, "Argument 's' must be a finite number at most 1, but it is 2.0."),
        (2, {"above": 0, "maximum": 1}, "Argument 's' must be a finite number above 0 and at most 1, but it is 2.0."),
        (math.nan, {}, "Argument 's' must be a finite number, but it is nan."),
        (math.inf, {"above": 0}, "Argument 's' must be a finite number above 0, but it is inf."),
        (-math.inf, {}, "Argument 's' must be a finite number, but it is -inf."),
    ],
)
def test_real_refuses_values(value, bounds, message):
    assert refusal(ArgumentError, _checks.real, "s", value, **bounds) == message


def test_real_includes_minimum_and_maximum():
    assert [_checks.real("s", value, minimum=0, maximum=1) for value in (0, 1)] == [0.0, 1.0]


def test_real_refuses_an_integer_beyond_all_floats():
    refusal(ArgumentError, _checks.real, "s", 10**400)


def test_choice_accepts_and_suggests():
    options = ("aligned", "independent")
    assert _checks.choice("law", "aligned", options) == "aligned"
    assert refusal(ArgumentError, _checks.choice, "law", "alined", options).startswith(
        "Argument 'law' must be one of 'aligned', 'independent', but it is 'alined'; did you mean 'aligned'?"
    )
    assert refusal(ArgumentError, _checks.choice, "law", "xyz", dict.fromkeys(options)) == (
        "Argument 'law' must be one of 'aligned', 'independent', but it is 'xyz'."
    )


@pytest.mark.parametrize("value", [1, None, ["aligned"], b"aligned"])
def test_choice_refuses_other_types(value):
    text = refusal(ArgumentTypeError, _checks.choice, "law", value, ["aligned"])
    assert text == f"Argument 'law' must be one of 'aligned', but it is {value!r}."


@thorough
@given(values=hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=3), elements=finite))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_array_keeps_single_and_double_precision(dtype, values):
    values = values.astype(dtype)
    result = _checks.array("x", values, tuple("abc"[: values.ndim]))
    assert result.dtype == dtype and np.array_equal(result, values)


@thorough
@given(values=hnp.arrays(st.sampled_from([np.int8, np.uint16, np.int32, np.bool_, np.float16]), (3, 2)))
def test_array_makes_other_numbers_double(values):
    values = np.where(np.isfinite(values), values, 0).astype(values.dtype)
    for given_as in (values, values.tolist()):
        result = _checks.array("x", given_as, ("n", 2))
        assert result.dtype == np.float64 and np.array_equal(result, values.astype(float))


@thorough
@given(values=hnp.arrays(np.float64, (4, 3), elements=finite))
def test_array_takes_the_precision_asked_for(values):
    result = _checks.array("x", values, (4, 3), np.dtype(np.float32))
    assert result.dtype == np.float32 and np.array_equal(result, values.astype(np.float32))


def test_array_is_a_copy():
    values = np.ones((2, 2))
    _checks.array("x", values, (2, 2))[0, 0] = 5
    assert values[0, 0] == 1


@thorough
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    places=st.lists(st.integers(0, 24), min_size=1, max_size=5),
    bad=st.sampled_from([math.nan, math.inf, -math.inf]),
)
def test_array_finds_the_first_entry_that_is_not_finite(shape, places, bad):
    values = np.zeros(shape)
    flat = {place % values.size for place in places}
    values.ravel()[list(flat)] = bad
    first = tuple(map(int, np.unravel_index(min(flat), shape)))
    assert refusal(ArgumentError, _checks.array, "points", values, ("n", "d")) == (
        f"Argument 'points' must be finite, but it is NaN or infinite in {len(flat)} of {values.size} entries, "
        f"first at {first}; remove or impute them."
    )


@pytest.mark.parametrize(
    ("value", "shape", "message"),
    [
        (np.zeros((2, 3)), ("n",), "must have shape (n,), but it is of shape (2, 3)."),
        (np.zeros((2, 3)), ("n", 4), "must have shape (n, 4), but it is of shape (2, 3)."),
        (3.0, ("n", "d"), "must have shape (n, d), but it is of shape ()."),
        (np.zeros((0, 3)), ("n", "d"), "must not be empty, but it is of shape (0, 3)."),
        ([], ("n",), "must not be empty, but it is of shape (0,)."),
    ],
)
def test_array_refuses_shapes(value, shape, message):
    assert refusal(ArgumentError, _checks.array, "x", value, shape) == f"Argument 'x' {message}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1], [1, 2]], "must be an array of shape (n, d), but it is ragged or not an array."),
        ([["a"]], "must be a real array of shape (n, d), but it is of type <U1."),
        ([[1j]], "must be a real array of shape (n, d), but it is of type complex128."),
        ([[None]], "must be a real array of shape (n, d), but it is of type object."),
        (None, "must be a real array of shape (n, d), but it is of type object."),
        (np.array([["2020-01-01"]], "M8[D]"), "must be a real array of shape (n, d), but it is of type datetime64[D]."),
    ],
)
def test_array_refuses_types(value, message):
    assert refusal(ArgumentTypeError, _checks.array, "x", value, ("n", "d")) == f"Argument 'x' {message}"


def test_array_refuses_what_overflows_in_the_precision_asked_for():
    text = refusal(ArgumentError, _checks.array, "x", [0.0, 1e300], ("n",), np.dtype(np.float32))
    assert "finite" in text


def test_times_accepts():
    result = _checks.times("times", [0, 1, 3])
    assert result.dtype == np.float64 and result.tolist() == [0, 1, 3]
    assert _checks.times("times", np.array([0.5], np.float32)).dtype == np.float64


@pytest.mark.parametrize(
    ("value", "shown"),
    [([-1.0, 2.0], "[-1, 2]"), ([0.0, 1.0, 1.0], "[0, 1, 1]"), (range(7, 0, -1), "[7, 6, 5, 4, 3, ...]")],
)
def test_times_refuses_values(value, shown):
    assert refusal(ArgumentError, _checks.times, "times", value) == (
        f"Argument 'times' must be non-negative and strictly increasing, but it is {shown}."
    )


@pytest.mark.parametrize("value", [[], 3.0, [[0.0, 1.0]], [0.0, math.nan]])
def test_times_refuses_shapes_and_nan(value):
    refusal(ArgumentError, _checks.times, "times", value)


def test_subset_of_times_returns_indices():
    times = np.array([0.0, 0.1 + 0.2, 7.0])

    def find(value):
        return _checks.subset_of_times("t", value, times).tolist()

    assert find(0.3) == [1]
    assert find([7.0, 0.0, 7]) == [0, 2]
    assert find([]) == find(()) == []


@thorough
@given(chosen=st.sets(st.integers(0, 9)))
def test_subset_of_times_finds_every_subset(chosen):
    times = np.linspace(0, 3, 10)
    assert _checks.subset_of_times("t", times[sorted(chosen)], times).tolist() == sorted(chosen)


def test_subset_of_times_names_the_time_that_is_missing():
    times = np.array([0.0, 1.0])
    assert refusal(ArgumentError, _checks.subset_of_times, "snapshot_times", [1.0, 0.5], times) == (
        "Argument 'snapshot_times' must contain only recorded times, but it is 0.5; add it to 'times'."
    )
    refusal(ArgumentError, _checks.subset_of_times, "snapshot_times", 1 + 1e-6, times)


@pytest.mark.parametrize("value", ["late", [[0.0], [0.0, 1.0]], [1j], [[0.0]], [math.nan], None, object()])
def test_subset_of_times_refuses_what_are_no_times(value):
    refusal((ArgumentError, ArgumentTypeError), _checks.subset_of_times, "snapshot_times", value, np.array([0.0, 1.0]))


def test_instance_accepts_and_refuses():
    _checks.instance("x", True, int)
    _checks.instance("x", 1.0, (int, float))
    assert refusal(ArgumentTypeError, _checks.instance, "x", "1", (int, float)) == (
        "Argument 'x' must be an instance of int or float, but it is of type str."
    )
    assert refusal(ArgumentTypeError, _checks.instance, "x", None, int) == (
        "Argument 'x' must be an instance of int, but it is of type NoneType."
    )


@pytest.mark.parametrize("value", ["float32", np.float32, np.dtype(np.float32), np.dtype("f4")])
def test_precision_has_a_name(value):
    assert floating("dtype", value) == np.float32


@pytest.mark.parametrize("value", ["float16", np.int32, "double", None, 32, object()])
def test_other_precisions_are_refused(value):
    text = refusal((ArgumentError, ArgumentTypeError), floating, "dtype", value)
    assert text.startswith("Argument 'dtype' must be one of 'float32', 'float64', but it is ")
