"""The description of a tracking study: its grid of times, its TOML, and what it refuses."""

import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus as im

thorough = settings(max_examples=30, deadline=None, derandomize=True)


def test_times_are_spread_as_asked():
    common = {"step_sizes": [0.1, 0.25], "horizon": 20.0, "records": 4}
    assert im.TrackingStudy(**common, spacing="even").times.tolist() == [0.0, 5.0, 10.0, 15.0, 20.0]
    assert im.TrackingStudy(**common).times.tolist() == im.Problem.times(20.0, 4, step_size=[0.1, 0.25]).tolist()
    assert im.TrackingStudy(**common).times.tolist() == [0.0, 0.5, 2.0, 6.0, 20.0]


@pytest.mark.parametrize(
    ("step_sizes", "horizon", "message"),
    [
        ([0.1], 100.05, "of 0.1, but it is 100.05; the nearest are 100 and 100.1"),
        ([0.1, 0.25], 1.2, "of 0.5, but it is 1.2; the nearest are 1 and 1.5"),
        ([0.3], 0.2, "of 0.3, but it is 0.2; the nearest are 0.3 and 0.6"),
        ([0.2, 0.3], 1.0, "of 0.6, but it is 1.0; the nearest are 0.6 and 1.2"),
    ],
)
def test_a_horizon_that_is_no_multiple_names_the_nearest_ones(step_sizes, horizon, message):
    with pytest.raises(
        im.ArgumentError, match=f"^Argument 'horizon' must be a multiple of every step size, so {message}"
    ):
        im.TrackingStudy(step_sizes=step_sizes, horizon=horizon)
    *_, below, _, above = message.split()
    for nearest in (below, above):
        im.TrackingStudy(step_sizes=step_sizes, horizon=float(nearest))


@pytest.mark.parametrize(
    "values", [{"horizon": 1e19}, {"horizon": 1e300, "step_sizes": [1e-10]}, {"step_sizes": [1e-300], "horizon": 1.0}]
)
def test_a_horizon_beyond_reach_is_refused(values):
    with pytest.raises(im.ArgumentError, match=r"^Argument '(horizon|step_sizes)' must "):
        im.TrackingStudy(**values)


@thorough
@given(multiple=st.integers(1, 500), records=st.integers(1, 60))
def test_snapshot_times_are_recorded_times(multiple, records):
    study = im.TrackingStudy(step_sizes=[0.25], horizon=multiple / 4, records=records)
    snapshots = study.snapshot_times
    assert set(snapshots) <= set(study.times)
    assert snapshots[0] == 0 and snapshots[-1] == study.horizon
    assert np.all(np.diff(snapshots) > 0) and len(snapshots) <= 4
    for part in (1 / 8, 1 / 2):
        away = np.abs(study.times - part * study.horizon).min()
        assert np.abs(snapshots - part * study.horizon).min() == away


@thorough
@given(multiple=st.integers(1, 500), records=st.integers(1, 60))
def test_the_moving_picture_has_the_snapshots_and_more_of_the_beginning(multiple, records):
    study = im.TrackingStudy(step_sizes=[0.25], horizon=multiple / 4, records=records)
    scene = study.scene_times
    assert set(study.snapshot_times) <= set(scene) <= set(study.times)
    assert min(len(study.times), 13) <= len(scene) <= 15 and np.all(np.diff(scene) > 0)
    if len(study.times) > 30:
        assert (scene <= study.horizon / 2).sum() > len(scene) / 2


def test_snapshots_stand_near_an_eighth_and_a_half():
    study = im.TrackingStudy(step_sizes=[0.5], horizon=80.0, records=40)
    assert study.snapshot_times.tolist() == [0.0, 9.5, 41.5, 80.0]


@thorough
@given(
    widths=st.lists(st.integers(1, 5000), min_size=1, max_size=4, unique=True),
    multiple=st.integers(1, 1000),
    seed=st.integers(0, 2**40),
    confidence=st.floats(0.01, 0.99),
    sampling=st.sampled_from([None, "with_replacement", "without_replacement"]),
    activation=st.sampled_from(["relu", ("erf", "gelu")]),
    data=st.sampled_from([{"source": "wine"}, {"source": "gaussian", "variances": (1.0, 2.5e-3), "stream": True}]),
    law=st.fixed_dictionaries({"strength": st.floats(0, 1), "latent_dim": st.integers(1, 9)}),
)
def test_toml_round_trip(multiple, **values):
    study = im.TrackingStudy(horizon=multiple * 0.1, step_sizes=[multiple * 0.1], **values)
    text = study.to_toml()
    again = im.TrackingStudy.from_toml(text)
    assert again == study and hash(again) == hash(study)
    assert again.to_toml() == text


def test_studies_are_compared_by_what_they_say():
    study, same = im.TrackingStudy(data={"source": "wine"}), im.TrackingStudy(data={"source": "wine"})
    assert study == same and hash(study) == hash(same)
    assert study.problem is study.problem
    assert study == same and same == study
    assert same.problem.dim == 13
    assert study == same
    assert study != im.TrackingStudy(data={"source": "wine"}, seed=1)
    assert study != im.TrackingStudy(data={"source": "wine", "seed": 1})


def test_example_says_every_key_and_parses_to_the_defaults():
    text = im.TrackingStudy.example_toml()
    assert im.TrackingStudy.from_toml(text) == im.TrackingStudy()
    for key in im.TrackingStudy.model_fields.keys() - {"data", "law", "schedule", "optimizer"}:
        assert f"\n{key} = " in f"\n{text}" or f"\n# {key} = " in text


def test_an_empty_file_is_the_study_of_all_defaults():
    assert im.TrackingStudy.from_toml("") == im.TrackingStudy()


def test_integers_serve_as_numbers():
    study = im.TrackingStudy.from_toml("horizon = 4\nstep_sizes = [1]")
    assert study.times.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("horizon = ", "Argument 'study' must be TOML, but it is not: Invalid value .*"),
        ("horizon = 1\nhorizon = 2", "Argument 'study' must be TOML, but it is not: Cannot overwrite a value .*"),
        ("wdiths = [8]", r"Unknown key 'wdiths'. Did you mean 'widths'\?"),
        ("self = 1", "Unknown key 'self'"),
        ("values = 1", "Unknown key 'values'"),
        ("[data]\nsorce = 'wine'", r"Unknown key 'data\.sorce'. Did you mean 'source'"),
        ("[widths]\na = 1", "Argument 'widths' must be "),
        ("data = 'wine'", "Argument 'data' must be "),
        ("[data]\nsource = 'digts'", r"Argument 'data\.source' must be one of .*did you mean 'digits'\?"),
        ("activation = 'tahn'", r"Argument 'activation' must be one of .*did you mean 'tanh'\?"),
        ("activation = 1", "Argument 'activation' must be .*but it is 1"),
        ("widths = 8", "Argument 'widths' must be .*but it is 8"),
        ("widths = []", "Argument 'widths' must .*at least 1.* but it is "),
        ("widths = [8, 0]", r"Argument 'widths' must be at least 1, but it is 0"),
        ("widths = [8.5]", r"Argument 'widths' must be a valid integer.* but it is 8\.5"),
        ("widths = [8, 8]", r"Argument 'widths' must hold each value once, but it is \[8, 8\]"),
        ("step_sizes = [0.1, 0.1]", r"Argument 'step_sizes' must hold each value once, but it is \[0\.1, 0\.1\]"),
        ("step_sizes = [-0.1]", r"Argument 'step_sizes' must be above 0, but it is -0\.1"),
        ("step_sizes = [nan]", r"Argument 'step_sizes' must be a finite number, but it is nan"),
        ("horizon = inf", "Argument 'horizon' must be a finite number, but it is inf"),
        ("horizon = 'long'", "Argument 'horizon' must be a valid number.* but it is 'long'"),
        ("records = 0", "Argument 'records' must be at least 1, but it is 0"),
        ("runs = 1", "Argument 'runs' must be at least 2, but it is 1"),
        ("flow_runs = 1", "Argument 'flow_runs' must be at least 2, but it is 1"),
        ("confidence = 1.0", r"Argument 'confidence' must be below 1, but it is 1\.0"),
        ("seed = -1", "Argument 'seed' must be at least 0, but it is -1"),
        ("batch_size = 0", "Argument 'batch_size' must be at least 1, but it is 0"),
        ("sampling = 'all'", "Argument 'sampling' must be 'with_replacement', 'without_replacement' or 'one_pass'"),
        ("quadrature = 'sobel'", "Argument 'quadrature' must be 'sobol' or 'iid', but it is 'sobel'"),
        ("precision = 'float16'", "Argument 'precision' must be 'float32' or 'float64', but it is 'float16'"),
        ("rtol = 0.5", r"Argument 'rtol' must be at most 0\.1, but it is 0\.5"),
        ("flow_rtol = 1e-9", "Argument 'flow_rtol' must be at least 0.00001, but it is 1e-09"),
        ("replicates = 1", "Argument 'replicates' must be at least 2, but it is 1"),
        ("particles = 100", "Argument 'particles' must be a power of 2 .*but it is 100; try 64 or 128"),
    ],
)
def test_errors_name_argument_rule_and_value(text, message):
    with pytest.raises(im.ArgumentError, match=f"^{message}") as caught:
        im.TrackingStudy.from_toml(text)
    assert str(caught.value).endswith((".", "?")) and "\n" not in str(caught.value)


def test_any_number_of_particles_serves_at_random():
    assert im.TrackingStudy(particles=100, quadrature="iid").particles == 100


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sampling": "one_pass"}, "Argument 'sampling' must use each of the 178 points at most once"),
        (
            {"sampling": "without_replacement", "batch_size": 200},
            "Argument 'batch_size' must be at most the number of points 178 without replacement, but it is 200",
        ),
        (
            {"data": {"source": "gaussian", "variances": [1.0, 1.0], "stream": True}, "sampling": "with_replacement"},
            "Argument 'sampling' must be 'one_pass' for a stream, but it is 'with_replacement'",
        ),
        ({"law": {"latent_dim": 14}}, "Argument 'latent_dim' must be at most the data dimension 13, but it is 14"),
    ],
)
def test_what_needs_the_data_is_refused_with_the_problem(values, message):
    study = im.TrackingStudy(**{"data": {"source": "wine"}, **values})
    with pytest.raises(im.ArgumentError, match=message):
        _ = study.problem


def test_written_toml_has_every_key_that_has_a_value():
    table = tomllib.loads(im.TrackingStudy(sampling="one_pass").to_toml())
    assert table.keys() == im.TrackingStudy.model_fields.keys()
    assert table["data"].keys() == type(im.TrackingStudy().data).model_fields.keys() - {
        *("max_points", "scale", "columns", "drop", "label", "header", "separator", "decimal")
    }
