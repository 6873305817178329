"""The command line: from what a user types to the study that is run."""

import tomllib
from pathlib import Path

import pytest
from commands import run

import isthmus as im
from isthmus.cli import tracking
from isthmus.cli.output import Running
from isthmus.studies.demonstration import DEMO

TINY_FILE = """
widths = [16]
horizon = 2.0
records = 4
runs = 7
flow_runs = 2
particles = 64
law_particles = 64
law_samples = 2
[data]
source = "wine"
"""


@pytest.fixture
def asked(monkeypatch) -> list:
    """What the commands ask to be run, which is not run."""
    calls = []
    monkeypatch.setattr(tracking, "_run_tracking", lambda *arguments: calls.append(arguments))
    return calls


def test_example_is_a_study_file(tmp_path):
    code, out, err = run("track", "--example", folder=tmp_path)
    assert (code, err, out) == (0, "", im.TrackingStudy.example_toml())
    assert im.TrackingStudy.from_toml(out) == im.TrackingStudy()
    assert not list(tmp_path.iterdir())


def test_flags_override_the_file_and_set_reaches_every_key(asked, tmp_path):
    (tmp_path / "study.toml").write_text(TINY_FILE + "max_points = 99\nseed = 5\n[law]\nlatent_dim = 3\n")
    flags = (
        *("--max-points", 50, "--latent-dim", 1, "--activation", "erf,relu", "--law", "independent"),
        *("--strength", 0.25, "--widths", "8,9", "--step-sizes", "0.5,1", "--batch-size", 3),
        *("--sampling", "one_pass", "--horizon", 4, "--records", 2, "--runs", 5, "--flow-runs", 3),
        *("--confidence", 0.5, "--particles", 32, "--seed", 9, "--workers", 2, "--resume"),
        *("--set", "data.center=false", "--set", "law.bias_scale=0", "--set", "precision=float64"),
        *("--set", "schedule.kind=cosine", "--set", "schedule.time=4.0"),
    )
    assert run("track", "study.toml", *flags, folder=tmp_path).code == 0
    [(study, running)] = asked
    assert running == Running(Path("isthmus-track"), workers=2, resume=True)
    assert study == im.TrackingStudy(
        activation=("erf", "relu"),
        data={"source": "wine", "max_points": 50, "seed": 5, "center": False},
        law={"latent_dim": 1, "kind": "independent", "strength": 0.25, "bias_scale": 0.0},
        schedule={"kind": "cosine", "time": 4.0},
        widths=(8, 9),
        step_sizes=(0.5, 1.0),
        batch_size=3,
        sampling="one_pass",
        horizon=4.0,
        records=2,
        runs=5,
        flow_runs=3,
        confidence=0.5,
        particles=32,
        law_particles=64,
        law_samples=2,
        seed=9,
        precision="float64",
    )


def test_what_no_flag_says_is_left_to_the_file_or_the_default(asked, tmp_path):
    (tmp_path / "study.toml").write_text(TINY_FILE)
    run("track", "study.toml", "--out", "here", "--json", "--quiet", folder=tmp_path)
    run("track", "--data", "wine", folder=tmp_path)
    assert asked[0] == (im.TrackingStudy(**tomllib.loads(TINY_FILE)), Running(Path("here"), as_json=True, quiet=True))
    assert asked[1] == (im.TrackingStudy(data={"source": "wine"}), Running(Path("isthmus-track")))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("seed=3", {"seed": 3}),
        ("data.source=wine", {"data": {"source": "wine"}}),
        ("data.source='a=b.csv'", {"data": {"source": "a=b.csv"}}),
        ("data.source=a=b.csv", {"data": {"source": "a=b.csv"}}),
        ("widths=[8, 16]", {"widths": [8, 16]}),
        ("law={latent_dim = 1}", {"law": {"latent_dim": 1}}),
    ],
)
def test_set_takes_toml_or_else_words(setting, value, asked, tmp_path):
    assert run("track", "--set", setting, folder=tmp_path).code == 0
    assert asked[0][0] == im.TrackingStudy(**value)


def test_flags_of_data_reach_their_keys(asked, tmp_path):
    flags = ["--data", "f.csv", "--scale", "robust", "--columns", "a,b", "--drop", "", "--label", "c", "--no-header"]
    flags += ["--separator", ";", "--decimal", ",", "--missing", "ignore", "--max-points", "9"]
    assert run("track", *flags, folder=tmp_path).code == 0
    assert asked[0][0].data.model_dump(exclude_unset=True) == {
        "source": "f.csv",
        "scale": "robust",
        "columns": "a,b",
        "drop": "",
        "label": "c",
        "header": False,
        "separator": ";",
        "decimal": ",",
        "missing": "ignore",
        "max_points": 9,
    }


def test_demo_is_a_study_of_the_demonstration(asked, tmp_path):
    assert run("demo", "--seed", 3, "--quiet", folder=tmp_path).code == 0
    assert run("demo", folder=tmp_path).code == 0
    assert run("demo", "--quick", folder=tmp_path).code == 0
    study = im.TrackingStudy(**DEMO)
    assert asked[0] == (im.TrackingStudy(**DEMO | {"seed": 3}), Running(Path("isthmus-demo"), quiet=True))
    assert asked[1][0] == study and "seed" not in DEMO
    assert asked[2][0] == study.quick() != study


def test_quick_is_beaten_by_flags_and_settings_and_beats_the_file(asked, tmp_path):
    (tmp_path / "study.toml").write_text("runs = 500\nhorizon = 300.0\nparticles = 4096\nseed = 3\n")
    flags = ("--quick", "--runs", 200, "--set", "particles=2048")
    assert run("track", "study.toml", *flags, folder=tmp_path).code == 0
    [(study, _)] = asked
    assert (study.runs, study.particles, study.seed) == (200, 2048, 3)
    assert study.horizon == im.TrackingStudy.QUICK["horizon"] < 300
