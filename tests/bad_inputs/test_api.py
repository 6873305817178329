"""Bad arguments of the public functions: each refused at once, by name, in one line, before anything is computed."""

import contextlib
import functools
import inspect
import math
import time
import warnings

import jax.numpy as jnp
import numpy as np
import public_calls
import pytest
import wrong_values
from calls import Call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from small_objects import POINTS

import isthmus as im

LONGEST_MESSAGE = 420
AT_ONCE = 5.0
"""Seconds, on a busy machine; nearly all take less than a millisecond."""
CALLS = functools.cache(public_calls.calls)
NOT_CHECKED = {"activations", "name", "network", "options", "kind", "parameters"}
"""What is only shown or passed on, and what `aligned_law` alone sets."""


class BegunError(Exception):
    """Raised where a job would start to compute."""


@pytest.fixture(autouse=True)
def nothing_computed(monkeypatch):
    """Let every job fail as it begins: a bad argument must have been refused by then."""

    def begin(*_, **__):
        raise BegunError

    for module in ("dynamics.parallel", "studies.engine"):
        monkeypatch.setattr(f"isthmus.{module}.ThreadPoolExecutor", begin)


def complaint(call: Call, argument: str, arguments: dict) -> str:
    """Return what is wrong with how a call refuses its argument, empty where nothing is."""
    begun = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            call.function(**arguments)
    except (im.ArgumentError, im.ArgumentTypeError, im.StudyFileError) as error:
        message = str(error)
        if "\n" in message or len(message) > LONGEST_MESSAGE:
            return f"message not on one line: {message[:100]!r}"
        if argument not in message and not isinstance(error, im.StudyFileError):
            return f"name missing in {message!r}"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:100]}"
    else:
        return "accepted"
    return "" if time.perf_counter() - begun < AT_ONCE else "only after seconds"


def test_every_public_name_has_its_row():
    rows = public_calls.RETURNED | public_calls.STUDIES | public_calls.WITHOUT_ARGUMENTS
    rows |= public_calls.FRAMEWORKS | {call.name for call in CALLS()}
    errors = {"ArgumentError", "ArgumentTypeError", "IsthmusError", "NumericalError", "StudyFileError", "WorkerError"}
    others = {"__version__", "ACTIVATIONS", "ColumnWarning", "InterruptedWarning", "TrivialLimitWarning"}
    assert rows | errors | others == set(im.__all__)


def test_every_argument_has_wrong_values():
    taken = {(call.name, name) for call in CALLS() for name in inspect.signature(call.function).parameters}
    tried = {(call.name, name) for call in CALLS() for name in call.wrong}
    assert {(call, name) for call, name in taken - tried if name not in NOT_CHECKED} == set()


@pytest.mark.filterwarnings("ignore:the learning curve")  # that of a fit too short to learn anything
def test_what_is_right_is_taken():
    """Otherwise every refusal could be that of another argument; of files there are none, and that is said."""
    for call in CALLS():
        with contextlib.suppress(BegunError):
            if "nowhere" in [value for value in call.right.values() if isinstance(value, str)]:
                with pytest.raises(im.StudyFileError, match="nowhere"):
                    call.function(**call.right)
            else:
                call.function(**call.right)


def test_each_wrong_value_is_refused_at_once_by_name():
    found, count = {}, 0
    for call in CALLS():
        for argument, label, arguments in call.cases():
            count += 1
            said = complaint(call, argument, arguments)
            if said:
                found[call.name, argument, label] = said
    assert found == {} and count > 5000


def test_a_broken_twin_is_found():
    """The judge itself: a function that takes anything, one that hides the name, one that fails as Python does."""

    def nameless(x):
        raise im.ArgumentError("Something is wrong.")

    def two_lines(x):
        raise im.ArgumentError("Argument 'x' must\nbe even.")

    for function, said in (
        (lambda x: x, "accepted"),
        (nameless, "name missing"),
        (two_lines, "not on one line"),
        (math.sqrt, "TypeError"),
        (lambda x: warnings.warn("overflow", RuntimeWarning, stacklevel=1), "RuntimeWarning"),
    ):
        call = Call("twin", function, {}, {})
        assert said in complaint(call, "x", {} if function is math.sqrt else {"x": 1})


no_integer = st.floats() | st.text(max_size=8) | st.booleans() | st.complex_numbers() | st.binary(max_size=8)
no_number = st.text(max_size=8) | st.booleans() | st.complex_numbers() | st.dates() | st.lists(st.floats(), max_size=3)
not_positive = st.floats(max_value=0) | st.integers(max_value=0) | st.sampled_from([math.nan, math.inf])
with_gaps = hnp.arrays(np.float64, (4, 3), elements=st.floats()).filter(lambda table: not np.isfinite(table).all())
no_table = (
    hnp.arrays(st.sampled_from([np.float64, np.int8, np.complex128, "U2", "M8[s]"]), hnp.array_shapes(min_dims=3))
    | hnp.arrays(st.sampled_from(["U2", "M8[s]", np.complex64, object]), (2, 2))
    | st.recursive(st.floats() | st.text(max_size=2), lambda inner: st.lists(inner, max_size=3), max_leaves=6).filter(
        lambda value: not _is_table(value)
    )
)


def _is_table(value: object) -> bool:
    try:
        return np.asarray(value).ndim == 2 and np.asarray(value).dtype.kind in "fiub"
    except ValueError:
        return False


def _holds(kind, values, examples):
    """Return a test that a drawn value is refused as a drawn argument of a kind."""
    of_kind = [(call, name) for call in CALLS() for name, wrong in call.wrong.items() if wrong is kind]

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(number=st.integers(0, len(of_kind) - 1), value=values)
    def holds(number, value):
        call, argument = of_kind[number]
        assert complaint(call, argument, call.right | {argument: value}) == ""

    return holds


KINDS = {
    "count": (wrong_values.COUNT, no_integer | st.integers(max_value=0) | st.integers(min_value=2**50)),
    "seed": (wrong_values.SEED, no_integer | st.integers(max_value=-1) | st.integers(min_value=2**32)),
    "positive": (wrong_values.POSITIVE, no_number | not_positive),
    "table": (wrong_values.TABLE, with_gaps | no_table),
}


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_values_are_refused(kind):
    _holds(*KINDS[kind], examples=40)()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_drawn_values_are_refused(kind):
    _holds(*KINDS[kind], examples=3000)()


@pytest.mark.parametrize(
    ("sampler", "rule"),
    [
        (lambda key, n: None, "be a function that runs"),
        (lambda key, n: (jnp.ones((n, 1)), jnp.ones((n, 3))), "return three arrays"),
        (lambda key, n: (jnp.ones((n, 2)), jnp.ones((n, 3)), jnp.ones(n)), "return arrays of shapes"),
        (lambda key: None, "be a function that runs"),
        (lambda key, n: 1 / 0, "one that raises ZeroDivisionError"),
    ],
)
def test_a_sampler_that_returns_nonsense_is_refused(sampler, rule):
    data = im.Data(POINTS)
    law = im.Law(im.SampledNeurons(sampler, 1, 3), im.GaussianNeurons(3, 1))
    with pytest.raises(im.IsthmusError, match=rule):
        im.Problem(data, law)


@pytest.mark.parametrize("table", ["one", lambda key, n: jnp.ones((n, 3)), lambda key, n: jnp.full((n, 2), jnp.nan)])
def test_a_stream_that_returns_nonsense_is_refused(table):
    with pytest.raises(im.IsthmusError, match="sample"):
        im.Stream(table, dim=2).draw(4, seed=0)


def test_a_seed_beyond_32_bits_would_be_another_seed():
    """Why it is refused: in single precision JAX takes it modulo 2³²."""
    import jax

    assert (jax.random.key_data(jax.random.key(2**32)) == jax.random.key_data(jax.random.key(0))).all()


def test_points_as_large_as_their_squares_allow_are_taken():
    for dtype, largest in ((np.float64, 1e153), (np.float32, 1e18)):
        data = im.Data(np.array([[largest, 0.0], [-largest, 0.0], [0.0, largest / 2]], dtype))
        assert np.isfinite(data.covariance).all() and np.isfinite(data.principal_variances).all()
        with pytest.raises(im.ArgumentError, match="'points' must be at most .*, so that squares are finite"):
            im.Data(data.points * dtype(100))
