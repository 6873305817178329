"""Problems in words: round trips through TOML, what is refused, and what is built."""

import os
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import isthmus as im
from isthmus.studies.specification import (
    DataSpecification,
    ProblemSpecification,
    ScheduleSpecification,
    commented_toml,
    translated,
)

thorough = settings(max_examples=30, deadline=None, derandomize=True)
positive = st.floats(0, 1e300, exclude_min=True)
names = st.sampled_from(sorted(im.ACTIVATIONS))
files = st.text(max_size=8).map(lambda text: f"{text}/points.csv")
TABLE = np.array([[1.0, 2.0, 4.0], [3.0, -1.0, 0.5], [5.0, 0.25, 1e-3], [0.0, 1.0, 2.0]])


def problem_of(**values: Any) -> ProblemSpecification:
    return ProblemSpecification(**values)


def data_of(**values: Any) -> im.Data | im.Stream:
    return DataSpecification(**values).build()


def schedule_of(**values: Any) -> ScheduleSpecification:
    return ScheduleSpecification(**values)


def refusal(**values) -> str:
    with pytest.raises(ValidationError) as caught:
        problem_of(**values)
    error = translated(caught.value, ProblemSpecification)
    assert isinstance(error, im.ArgumentError)
    return str(error)


def read(path: Path, **options) -> np.ndarray:
    data = data_of(**({"source": str(path), "center": False, "scale": "none"} | options))
    assert isinstance(data, im.Data)
    return data.points


@thorough
@given(
    activation=names | st.tuples(names, names),
    encoder_rate=st.just(0.0) | positive,
    data=st.fixed_dictionaries(
        {"source": st.sampled_from(["digits", "wine"]) | files, "max_points": st.none() | st.integers(1)},
        optional={"scale": st.sampled_from(["none", "total", "features"]), "center": st.booleans()},
    ),
    law=st.fixed_dictionaries({"strength": st.floats(0, 1), "preactivation_scale": positive}),
    schedule=st.fixed_dictionaries({"kind": st.sampled_from(["constant", "cosine"]), "time": positive}),
)
def test_commented_toml_parses_to_the_same_description(**values):
    problem = problem_of(**values)
    assert problem_of(**tomllib.loads(commented_toml(problem))) == problem


def test_commented_toml_says_every_key_and_what_it_means():
    problem = problem_of()
    text = commented_toml(problem)
    for table in (problem, problem.data, problem.law, problem.schedule, problem.optimizer):
        for key in type(table).model_fields.keys() - {"data", "law", "schedule", "optimizer"}:
            assert f"\n{key} = " in f"\n{text}" or f"\n# {key} = ..." in text
    assert "latent_dim = 2  # dimension k of the bottleneck\n" in text
    assert "# max_points = ...  # keep a random subset of a named set or file\n" in text
    assert "\n# The initial law of the neurons.\n[law]\n" in text


def test_nested_tables_keep_their_path():
    class Outer(DataSpecification):
        inner: ProblemSpecification = problem_of()

    outer = Outer.model_validate({})
    text = commented_toml(outer)
    assert "[inner.law]" in text
    assert Outer.model_validate(tomllib.loads(text)) == outer


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"activaton": "tanh"}, "Unknown key 'activaton'. Did you mean 'activation'?"),
        ({"data": {"sorce": "wine"}}, "Unknown key 'data.sorce'. Did you mean"),
        ({"law": {"zz": 1}}, "Unknown key 'law.zz'. Known keys of law: bias_scale, "),
        ({"zz": {"x": 1}}, "Unknown key 'zz'. Known keys: activation, data, "),
    ],
)
def test_unknown_keys_are_refused(values, message):
    assert refusal(**values).startswith(message)


@pytest.mark.parametrize(
    ("values", "start", "end"),
    [
        ({"data": 5}, "Argument 'data' must be ", "but it is 5."),
        ({"data": {"source": 5}}, "Argument 'data.source' must be a valid string", "but it is 5."),
        ({"data": {"max_points": "many"}}, "Argument 'data.max_points' must be a valid integer", "but it is 'many'."),
        ({"law": {"latent_dim": 2.5}}, "Argument 'law.latent_dim' must be a valid integer", "but it is 2.5."),
        ({"law": {"strength": [1]}}, "Argument 'law.strength' must be a valid number", "but it is [1]."),
        ({"encoder_rate": "fast"}, "Argument 'encoder_rate' must be a valid number", "but it is 'fast'."),
        ({"activation": 5}, "Argument 'activation' must be ", "but it is 5."),
        ({"activation": ["tanh"]}, "Argument 'activation' must be ", "but it is ['tanh']."),
        ({"activation": ["tanh"] * 3}, "Argument 'activation' must be ", "but it is ['tanh', 'tanh', 'tanh']."),
    ],
)
def test_wrong_types_are_refused(values, start, end):
    text = refusal(**values)
    assert text.startswith(start) and text.endswith(end)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"law": {"strength": 1.5}}, "Argument 'law.strength' must be at most 1, but it is 1.5."),
        ({"law": {"latent_dim": 0}}, "Argument 'law.latent_dim' must be at least 1, but it is 0."),
        ({"encoder_rate": -1.0}, "Argument 'encoder_rate' must be at least 0, but it is -1.0."),
        ({"decoder_rate": np.inf}, "Argument 'decoder_rate' must be a finite number, but it is inf."),
        ({"schedule": {"time": 0}}, "Argument 'schedule.time' must be above 0, but it is 0."),
        ({"law": {"kind": "alined"}}, "Argument 'law.kind' must be 'aligned' or 'independent', but it is 'alined'."),
        (
            {"data": {"stream": True}},
            "Argument 'data.stream' must be false for a finite set of points, but it is True.",
        ),
        (
            {"data": {"source": "gaussian"}},
            "Argument 'data.variances' must be given for source='gaussian', but it is [].",
        ),
    ],
)
def test_wrong_values_are_refused(values, message):
    assert refusal(**values) == message


@pytest.mark.parametrize(
    ("values", "start", "suggestion"),
    [
        ({"data": {"source": "digit"}}, "Argument 'data.source' must be one of 'digits', ", "did you mean 'digits'?"),
        ({"data": {"source": "points.xlsx"}}, "Argument 'data.source' must be one of ", "'points.xlsx'"),
        ({"data": {"source": "points.xlsx"}}, "Argument 'data.source' must be one of ", "'a file (.csv, .tsv, .txt, "),
        ({"activation": "tahn"}, "Argument 'activation' must be one of 'tanh', ", "did you mean 'tanh'?"),
        ({"activation": ["tanh", "rel"]}, "Argument 'activation' must be one of 'tanh', ", "did you mean 'relu'?"),
    ],
)
def test_choices_are_suggested(values, start, suggestion):
    text = refusal(**values)
    assert text.startswith(start) and suggestion in text


def test_npy_file_is_read(tmp_path):
    for dtype in (np.float64, np.float32, np.int16):
        np.save(tmp_path / "points.npy", TABLE.astype(dtype))
        np.testing.assert_array_equal(read(tmp_path / "points.npy"), TABLE.astype(dtype))
    data = data_of(source=str(tmp_path / "points.npy"), scale="total")
    assert isinstance(data, im.Data)
    np.testing.assert_allclose(data.mean, 0, atol=1e-15)
    assert (data.name, np.trace(data.covariance)) == ("points.npy", pytest.approx(1))


@pytest.mark.parametrize("header", ["", "a,b,c\n", '"first name",b,c\n', "# a,b,c\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_file_is_read_with_and_without_header(header, mark, tmp_path):
    rows = "\n".join(",".join(map(str, row)) for row in TABLE)
    (tmp_path / "points.csv").write_text(mark + header + rows, encoding="utf-8")
    np.testing.assert_array_equal(read(tmp_path / "points.csv"), TABLE)


@pytest.mark.parametrize(("text", "shape"), [("1\n2\n3\n", (3, 1)), ("x\n1\n2\n", (2, 1)), ("1,2,3\n", (1, 3))])
def test_csv_file_of_one_column_or_row_is_a_table(text, shape, tmp_path):
    (tmp_path / "points.csv").write_text(text)
    assert read(tmp_path / "points.csv").shape == shape


def test_subset_of_a_file_repeats_by_seed_and_takes_no_row_twice(tmp_path):
    table = np.arange(60.0).reshape(20, 3)
    np.save(tmp_path / "points.npy", table)
    first, again, other = (read(tmp_path / "points.npy", max_points=8, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len({tuple(row) for row in first} & {tuple(row) for row in table}) == 8
    assert len(read(tmp_path / "points.npy", max_points=100)) == 20


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ragged.csv", b"1,2\n3\n"),
        ("words.csv", b"a,b\n1,x\n"),
        ("empty.csv", b""),
        ("header.csv", b"a,b\n"),
        ("binary.csv", b"\xff\xfe\x00"),
        ("gap.csv", b"1,,3\n4,5,6\n7,8,9\n"),  # not a header: losing it in silence would change the data
        ("empty.npy", b""),
        ("short.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', "),
        ("archive.npy", b"PK\x03\x04 but broken"),
        ("noise.npy", b"no array at all"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"max_points": 1}])
def test_a_file_that_is_no_table_is_refused_by_name(name, content, options, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(im.StudyFileError, match=f"^Data file '.*{name}' can't be read as a table of numbers: .*\\.$"):
        read(tmp_path / name, **options)


@pytest.mark.parametrize("name", ["missing.csv", "missing.npy", "folder.csv", "folder.npy"])
def test_a_file_that_is_missing_or_a_folder_is_refused_by_name(name, tmp_path):
    for folder in ("folder.csv", "folder.npy"):
        (tmp_path / folder).mkdir()
    with pytest.raises(im.StudyFileError, match=f"^Data file '.*{name}' can't be read"):
        read(tmp_path / name)


def test_a_file_is_scaled_by_feature_unless_told_otherwise(tmp_path):
    np.savetxt(tmp_path / "points.CSV", TABLE * [1, 1e6, 1e-6], delimiter=",", header="a,b,c", comments="")
    source = str(tmp_path / "points.CSV")
    words = DataSpecification.model_validate({"source": source})
    data = words.build()
    assert isinstance(data, im.Data) and data.columns == ("a", "b", "c")
    np.testing.assert_allclose((data.points**2).mean(axis=0), 1 / 3, rtol=1e-12)
    assert (words.scaling, words.described) == ("features", "points.CSV, scaled by feature")
    raw = DataSpecification.model_validate({"source": source, "scale": "none"})
    assert raw.described == "points.CSV, in its own units"
    assert DataSpecification.model_validate({"source": "wine"}).described == "wine"
    robust = data_of(source=source, scale="robust")
    assert isinstance(robust, im.Data) and not np.allclose(robust.points, data.points)


def test_the_keys_of_a_file_are_those_of_load_data(tmp_path):
    lines = ["name;a;b;c", "x;1,5;2;", "y;2,5;4;1", "z;0,5;3;2", "w;0,5;3;4"]
    (tmp_path / "points.txt").write_text("\n".join(lines))
    keys: dict[str, Any] = {
        "drop": ["b"],
        "label": "name",
        "header": True,
        "separator": ";",
        "decimal": ",",
        "missing": "ignore",
        "scale": "robust",
    }
    data = data_of(source=str(tmp_path / "points.txt"), **keys)
    same = im.load_data(tmp_path / "points.txt", **keys)
    assert isinstance(data, im.Data) and data.columns == ("a", "c")
    assert data.labels is not None and data.labels.tolist() == list("xyzw")
    np.testing.assert_array_equal(data.points, same.points)
    assert np.isnan(data.points).tolist() == [[False, True], *[[False, False]] * 3]
    words = DataSpecification.model_validate({"source": "f.csv", **keys})
    assert DataSpecification.model_validate(tomllib.loads(commented_toml(words))) == words


def test_columns_are_named_or_counted_in_words_too():
    words = DataSpecification.model_validate({"source": "f.csv", "columns": [0, "b"], "drop": 2, "label": 3})
    assert (words.columns, words.drop, words.label) == (("0", "b"), "2", "3")
    text = refusal(data={"source": "f.csv", "columns": [0.5]})
    assert text == "Argument 'data.columns' must be names of columns, or their places, but it is [0.5]."
    assert (
        refusal(data={"source": "f.csv", "label": True}) == "Argument 'data.label' must be one column, but it is True."
    )


@pytest.mark.parametrize(("key", "value"), [("columns", ["a"]), ("label", 0), ("header", False), ("decimal", ",")])
@pytest.mark.parametrize("source", ["digits", "manifold"])
def test_what_is_said_of_a_file_is_refused_of_other_sources(key, value, source):
    text = refusal(data={"source": source, key: value})
    assert text.startswith(f"Argument 'data.{key}' must be left out for '{source}', which is no file, but it is ")


@pytest.mark.parametrize("options", [{}, {"max_points": 1}])
@pytest.mark.parametrize("array", [np.arange(3.0), np.float64(3.0), np.array([["a", "b"]]), np.array([[1.0, np.nan]])])
def test_an_array_of_another_kind_is_refused(array, options, tmp_path):
    np.save(tmp_path / "points.npy", array)
    with pytest.raises(im.IsthmusError, match="points"):
        read(tmp_path / "points.npy", **options)


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_file_of_objects_is_refused_without_unpickling(tmp_path):
    trap = tmp_path / "sprung"
    np.save(tmp_path / "objects.npy", np.array([[_Trap(trap)]], dtype=object), allow_pickle=True)
    with pytest.raises(im.StudyFileError, match=r"objects\.npy"):
        read(tmp_path / "objects.npy")
    assert not trap.exists()
    np.load(tmp_path / "objects.npy", allow_pickle=True)
    assert trap.exists()  # the trap works where it is sprung


@pytest.mark.parametrize(
    ("values", "dim"),
    [({"source": "gaussian", "variances": [4.0, 1.0]}, 2), ({"source": "manifold", "dim": 5, "manifold_dim": 2}, 5)],
)
def test_a_generator_gives_points_or_a_stream(values, dim):
    points = data_of(**values, points=100, seed=3)
    assert isinstance(points, im.Data) and points.points.shape == (100, dim)
    np.testing.assert_allclose(points.mean, 0, atol=1e-14)
    stream = data_of(**values, stream=True, seed=3)
    assert isinstance(stream, im.Stream) and stream.dim == dim
    drawn = stream.draw(100, seed=3)
    np.testing.assert_allclose(points.points, drawn.points - drawn.points.mean(axis=0), atol=1e-14)


@pytest.mark.parametrize(("time", "factor"), [(0.0, 1.0), (5.0, 0.55), (10.0, 0.1), (25.0, 0.1)])
def test_cosine_schedule_decays_to_its_final_value(time, factor):
    rate = schedule_of(kind="cosine", time=10.0, final=0.1).build(3.0)
    assert callable(rate)
    assert float(rate(time)) == pytest.approx(3 * factor, rel=1e-6)  # schedules are single precision


@pytest.mark.parametrize("time", [0.0, 4.0, 8.0, 10.0])
def test_exponential_schedule_halves(time):
    rate = schedule_of(kind="exponential", time=4.0).build(3.0)
    assert callable(rate)
    assert float(rate(time)) == pytest.approx(3 * 0.5 ** (time / 4), rel=1e-6)


def test_constant_schedule_is_the_rate():
    assert schedule_of().build(3.0) == 3.0


def test_a_problem_is_built_from_words():
    problem = problem_of(
        activation=("erf", "relu"),
        decoder_rate=0.5,
        data={"source": "wine", "max_points": 50},
        law={"latent_dim": 3},
        schedule={"kind": "exponential", "time": 2.0},
    ).build()
    assert [phi.name for phi in problem.activations] == ["erf", "relu"]
    assert (problem.dim, problem.latent_dim, problem.population.size) == (13, 3, 50)
    assert callable(problem.encoder_rate) and callable(problem.decoder_rate)
    assert float(problem.encoder_rate(2.0)) == 0.5
    assert float(problem.decoder_rate(0.0)) == 0.5
    assert not problem.is_trivial


def test_a_problem_on_a_stream_is_calibrated_on_its_population():
    words = problem_of(
        population_points=512,
        data={"source": "gaussian", "variances": [1.0, 4.0, 0.5], "stream": True},
        law={"latent_dim": 1, "strength": 1.0},
    )
    problem = words.build()
    assert isinstance(problem.data, im.Stream) and problem.population.size == 512
    encoder = problem.law.encoder
    assert isinstance(encoder, im.GaussianNeurons)
    cross = encoder.covariance[0, 1:4]  # of the outgoing weight and the incoming ones: along the leading direction
    direction = problem.population.principal_directions[:, 0]
    assert abs(cross @ direction) == pytest.approx(np.linalg.norm(cross), rel=1e-9)
    assert np.abs(direction).argmax() == 1


def test_an_independent_law_warns_when_built():
    words = problem_of(data={"source": "wine"}, law={"kind": "independent", "bias_scale": 0.0})
    with pytest.warns(im.TrivialLimitWarning, match="Use aligned_law"):
        problem = words.build()
    assert isinstance(problem.law.encoder, im.GaussianNeurons)
    np.testing.assert_array_equal(np.diag(problem.law.encoder.covariance), [1] * 15 + [0])


def test_what_data_and_law_disagree_on_is_refused():
    words = problem_of(data={"source": "wine"}, law={"latent_dim": 14})
    with pytest.raises(im.ArgumentError, match="Argument 'latent_dim' must be at most the data dimension 13, but it "):
        words.build()
    words = problem_of(data={"source": "wine", "center": False})
    with pytest.raises(im.ArgumentError, match="Argument 'data' must be centred for an aligned law"):
        words.build()
