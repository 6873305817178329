"""Bad study files: every key with values of every other type, unknown and double keys, and text that is no TOML."""

import functools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import isthmus as im
from isthmus.studies.specification import _kinds

STUDIES = [im.TrackingStudy, im.PredictionStudy, im.BottleneckStudy, im.ExpressivityStudy, im.WidthStudy]
NOT_PRINTED = "9" * 5000
VALUES = {
    "word": '"many"',
    "empty word": '""',
    "number in words": '"3"',
    "null in words": '"\\u0000"',
    "lines of words": '"""\na\nb\n"""',
    "truth": "true",
    "date": "1979-05-27",
    "time": "07:32:00",
    "moment": "1979-05-27T07:32:00Z",
    "nan": "nan",
    "infinity": "inf",
    "beyond all numbers": "1e400",
    "minus infinity": "-inf",
    "negative": "-1",
    "negative fraction": "-0.5",
    "fraction": "1.5",
    "huge": "1" + "0" * 400,
    "hexadecimal": "0x" + "f" * 5000,
    "empty list": "[]",
    "list of words": '["a", "b"]',
    "list of truths": "[true, false]",
    "list of lists": "[[1]]",
    "list of dates": "[1979-05-27]",
    "list of tables": "[{a = 1}]",
    "mixed list": '[1, "a"]',
    "nested list": "[" * 60 + "]" * 60,
    "empty table": "{}",
    "table": "{nothing = 1}",
    "nested table": "{a = {b = {c = 1}}}",
}
"""TOML values; each kind of key takes a few of them."""
TAKEN: dict[Any, set[str]] = {
    bool: {"truth"},
    float: {"fraction"},
    int: {"huge", "hexadecimal"},  # some counts may be as large as one likes; those that take memory are tried below
    str: set(),
    dict: {"empty table"},
}


def _keys(model: type[BaseModel], path: str = "") -> list[tuple[str, Any]]:
    """Return every key of a description, dotted, with the type of its values."""
    found = []
    for name, field in model.model_fields.items():
        [kind] = _kinds(field.annotation) - {type(None)}
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += [(f"{path}{name}", dict), *_keys(kind, f"{path}{name}.")]
        else:
            found.append((f"{path}{name}", kind))
    return found


CASES = {(key, kind): study for study in STUDIES for key, kind in _keys(study)}
"""Every key with the type of its values, and one study that has it: what studies share is tried on one of them."""
FIRST_OF_ITS_KIND = {kind: key for key, kind in reversed(CASES)}
REPRESENTATIVES = ("word", "truth", "date", "minus infinity", "mixed list", "table")
"""Values that every key is tried with; the first key of each kind is tried with all of them."""


def said(study: type, text: str) -> str:
    """Return the message with which a study file is refused."""
    with pytest.raises(im.IsthmusError) as caught:
        study.from_toml(text)
    message = str(caught.value)
    assert (
        isinstance(caught.value, im.ArgumentError)
        and message.startswith(("Argument '", "Unknown key '"))
        and message.endswith((".", "?"))
    )
    assert message.isprintable() and len(message) < 900
    return message


@pytest.mark.parametrize(("key", "kind"), CASES, ids=[key for key, _ in CASES])
def test_every_key_refuses_values_of_other_types_by_name(key, kind):
    study = CASES[key, kind]
    optional = {"empty list"} if key == "data.variances" else set()
    values = VALUES if key == FIRST_OF_ITS_KIND[kind] else REPRESENTATIVES
    for label in set(values) - TAKEN[kind] - optional:
        if label == "nested list" and kind is dict:
            continue
        message = said(study, f"{key} = {VALUES[label]}")
        assert f"'{key}" in message or key.split(".")[-1] in message, f"{label}: {message}"


def test_there_are_keys_of_every_kind():
    assert len(CASES) > 60 and set(FIRST_OF_ITS_KIND) == set(TAKEN)


@pytest.mark.parametrize("study", STUDIES)
def test_the_example_is_taken(study):
    assert study.from_toml(study.example_toml()) == study()


TEXTS = {
    "deep list": "x = " + "[" * 5000 + "]" * 5000,
    "deep table": "x = " + "{a = " * 5000 + "1" + "}" * 5000,
    "deep key": "a" + ".a" * 5000 + " = 1",
    "deep heading": "[" + "a." * 5000 + "a]",
    "long number": f"seed = {NOT_PRINTED}",
    "double key": "seed = 1\nseed = 2",
    "double table": "[data]\n[data]",
    "table over a key": "data = 1\n[data]\nsource = 'wine'",
    "key over a table": "[data]\nsource = 'wine'\n[data.source]\nx = 1",
    "no value": "seed =",
    "no key": "= 3",
    "no text at an end": 'activation = "tanh',
    "two on a line": "seed = 1 horizon = 2",
    "another language": '{"seed": 1}',
    "yaml": "seed: 1",
    "a null character": "\0",
    "a control character": 'activation = "\x07"',
    "a lone surrogate": 'activation = "\\ud800"',
    "binary": "\ufffd\ufffdPK\x03\x04",
    "leading zero": "seed = 01",
    "a program": "import os\nos.system('true')",
    "unknown key": "wdiths = [8]",
    "unknown table": "[datta]\nsource = 'wine'",
    "unknown key in a table": "[data]\nsorce = 'wine'",
    "unknown key of lines": '"a\\nb\\nc" = 1',
    "unknown key without end": f'"{"a" * 10000}" = 1',
    "key of Python": "__class__ = 1",
    "key of the class": "model_config = {extra = 'allow'}",
    "empty key": '"" = 1',
    "self": "self = 1",
    "list of tables for a table": "[[data]]\nsource = 'wine'",
}


@pytest.mark.parametrize(("number", "label"), list(enumerate(TEXTS)))
def test_what_is_no_study_file_is_refused(number, label):
    """By the studies in turn, which read files alike."""
    said(STUDIES[number % len(STUDIES)], TEXTS[label])


@pytest.mark.parametrize("text", [None, 3, b"seed = 1", ["seed = 1"], {"seed": 1}])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(im.ArgumentTypeError, match="'study' must be the text of a study file"):
        im.TrackingStudy.from_toml(text)


HUGE_COUNTS = [
    (im.TrackingStudy, key)
    for key in (
        *("widths", "batch_size", "runs", "flow_runs", "particles", "replicates", "law_particles", "law_samples"),
        *("data.points", "data.dim", "law.latent_dim", "population_points"),
    )
] + [
    (im.BottleneckStudy, "splits"),
    (im.BottleneckStudy, "particles"),
    (im.BottleneckStudy, "replicates"),
    (im.BottleneckStudy, "max_latent_dim"),
    (im.ExpressivityStudy, "widths"),
    (im.ExpressivityStudy, "atoms"),
    (im.ExpressivityStudy, "restarts"),
    (im.ExpressivityStudy, "starts"),
    (im.ExpressivityStudy, "draws"),
    (im.ExpressivityStudy, "trainings"),
]
SMALL: dict[str, Any] = {"data": {"source": "manifold"}, "law": {"latent_dim": 1}}


@pytest.mark.parametrize(
    ("study", "key", "exponent"), [*((study, key, 60) for study, key in HUGE_COUNTS), (*HUGE_COUNTS[0], 1200)]
)
def test_counts_that_do_not_fit_in_memory_are_refused_before_a_folder_is_made(study, key, exponent):
    """What the commands ask of a study before they claim a folder is its problem."""
    count, (*tables, last) = 2**exponent, key.split(".")
    values = functools.reduce(lambda inner, table: {table: SMALL.get(table, {}) | inner}, tables, {last: count})
    values = SMALL | values | ({"widths": [count]} if key == "widths" else {})
    if key == "population_points":
        values = values | {"data": SMALL["data"] | {"stream": True}}

    def ask() -> None:
        asked = study(**values)
        _ = asked.problems if study is im.BottleneckStudy else asked.problem

    with pytest.raises(im.ArgumentError, match=key.split(".")[-1]) as caught:
        ask()
    assert str(caught.value).isprintable()


def test_a_record_for_every_step_is_all_that_can_be_asked():
    values = {"data": {"source": "wine"}, "step_sizes": [0.5], "horizon": 2.0}
    most = im.TrackingStudy(**values, records=10**30).times
    assert most.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert most.tolist() == im.TrackingStudy(**values, records=4).times.tolist()


toml_values = st.sampled_from(sorted(VALUES.values())) | st.floats().map(repr) | st.integers().map(str)
lines = st.lists(
    st.tuples(st.sampled_from(sorted({key for key, _ in CASES})), toml_values).map(" = ".join)
    | st.text(max_size=20)
    | st.sampled_from(sorted(TEXTS.values(), key=len)[:25]),
    max_size=4,
)


def _is_refused_or_a_study(study: type, text: str) -> bool:
    """Return whether a text is refused well, or makes a study that can be written and read again."""
    try:
        made = study.from_toml(text)
    except im.ArgumentError as error:
        return str(error).isprintable()
    return study.from_toml(made.to_toml()) == made


quiet = functools.partial(
    settings, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@quiet(max_examples=60)
@given(study=st.sampled_from(STUDIES), text=lines.map("\n".join))
def test_any_text_is_refused_or_makes_a_study(study, text):
    assert _is_refused_or_a_study(study, text)


@pytest.mark.slow
@quiet(max_examples=5000)
@given(study=st.sampled_from(STUDIES), text=lines.map("\n".join))
def test_very_many_texts_are_refused_or_make_a_study(study, text):
    assert _is_refused_or_a_study(study, text)
