"""The command line: what it prints where, what it writes, and what it refuses in one line."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import xarray as xr
from commands import Outcome, contents, refused, run

import isthmus as im
from isthmus.cli import tracking
from isthmus.cli.output import Running

# The sizes of the docstring example of `track`, so that in one session they are compiled once.
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
TINY = ("--widths", "16,64", "--step-sizes", "0.25", "--runs", "4", "--quiet")
FIGURES = ("influence", "latents", "reconstructions", "risk_curves", "sources", "step_gap", "sup_gap")


@pytest.fixture(scope="module")
def tracked(tmp_path_factory) -> tuple[Path, Outcome]:
    """The folder of a finished tiny study, and what the command printed."""
    folder = tmp_path_factory.mktemp("tracked")
    (folder / "tiny.toml").write_text(TINY_FILE)
    return folder, run("track", "tiny.toml", *TINY, "--out", "out", "--json", folder=folder)


@pytest.fixture
def asked(monkeypatch) -> list:
    """What the commands ask to be run, which is not run."""
    calls = []
    monkeypatch.setattr(tracking, "_run_study", lambda *arguments: calls.append(arguments))
    return calls


@pytest.mark.parametrize(("flag", "text"), [("--version", f"isthmus {im.__version__}\n"), ("--help", "track")])
def test_version_and_help_answer_at_once(flag, text):
    """By the processor's clock, since the machine may do other things too; JAX alone would take longer."""
    seconds = []
    for _ in range(5):
        before = os.times()
        done = subprocess.run([sys.executable, "-m", "isthmus", flag], capture_output=True, text=True, check=True)
        after = os.times()
        seconds.append(sum(after[2:4]) - sum(before[2:4]))
        assert text in done.stdout and done.stderr == ""
    assert min(seconds) < 0.3


def test_help_names_every_flag_of_track(tmp_path):
    code, out, _ = run("track", "-h", folder=tmp_path)
    assert code == 0
    for flag in ("--data", "--widths", "--step-sizes", "--horizon", "--out", "--json", "--set", "--workers", "--seed"):
        assert flag in out


def test_no_arguments_print_the_help(tmp_path):
    _, out, err = run(folder=tmp_path)
    assert "track" in out and "demo" in out and err == ""


def test_example_is_a_study_file(tmp_path):
    code, out, err = run("track", "--example", folder=tmp_path)
    assert (code, err, out) == (0, "", im.TrackingStudy.example_toml())
    assert im.TrackingStudy.from_toml(out) == im.TrackingStudy()
    assert not list(tmp_path.iterdir())


def test_a_study_prints_one_json_object_and_nothing_else(tracked):
    folder, (code, out, err) = tracked
    assert (code, err) == (0, "")
    summary = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert out.count("\n") == 1
    with contextlib.chdir(folder):
        assert summary == im.load_result("out").summary() | {"folder": "out"}
    assert [entry["width"] for entry in summary["gap_quantiles"]] == [16, 64]
    assert summary["mean_field_risk_start"] > summary["mean_field_risk_end"] > 0


def test_a_study_leaves_its_files(tracked):
    folder, _ = tracked
    figures = {f"figures/{name}.{kind}" for name in FIGURES for kind in ("png", "svg")}
    written = contents(folder / "out")
    assert written.keys() == {"study.toml", "results.nc", "report.html"} | figures
    assert all(written[name].startswith(b"\x89PNG\r\n") for name in figures if name.endswith("png"))
    assert all(b"<svg" in written[name] for name in figures if name.endswith("svg"))
    assert b"</html>" in written["report.html"]
    with xr.open_dataset(folder / "out" / "results.nc") as dataset:
        assert dict(dataset.risk.sizes) == {"width": 2, "step_size": 1, "run": 4, "time": 5}
        assert dataset.time.values.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_its_report_is_made_again_to_the_byte(tracked):
    folder, _ = tracked
    page = folder / "out" / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert run("report", "out", folder=folder) == (0, "Report: out/report.html\n", "")
    assert page.read_bytes() == before


def test_flags_override_the_file_in_what_is_written(tracked):
    folder, _ = tracked
    values = tomllib.loads(TINY_FILE) | {"widths": [16, 64], "step_sizes": [0.25], "runs": 4}
    study = im.TrackingStudy(**values)
    assert im.TrackingStudy.from_toml((folder / "out" / "study.toml").read_text(encoding="utf-8")) == study
    assert im.load_result(folder / "out").study == study


@pytest.mark.slow
def test_a_study_runs_again_in_its_folder_to_the_same_numbers(tracked):
    folder, first = tracked
    before = im.load_result(folder / "out").dataset
    (folder / "out" / "results.nc").unlink()
    again = run("track", "out/study.toml", "--quiet", "--out", "out", "--json", folder=folder)
    assert again == first
    xr.testing.assert_identical(im.load_result(folder / "out").dataset, before)


def test_a_study_is_told_in_words_without_json(tracked, monkeypatch):
    folder, _ = tracked
    monkeypatch.setattr("isthmus.show.plots.save_figures", lambda *_: [])  # they stand there already
    monkeypatch.setattr("isthmus.show.tracking_report.write_report", lambda *_: None)
    code, out, err = run("track", "out/study.toml", "--workers", 1, "--out", "out", folder=folder)
    assert code == 0
    for verdict in im.load_result(folder / "out").verdicts():
        assert " ".join(verdict.split()) in " ".join(out.split())
    assert "Report: out/report.html\n" in out and "Numbers: out/results.nc\n" in out
    assert "mean-field path" in err and "SGD, width 16" in err  # the bars


def test_another_study_does_not_get_the_folder(tracked):
    folder, _ = tracked
    before = contents(folder)
    text = refused("track", "tiny.toml", *TINY, "--seed", 1, "--out", "out", folder=folder)
    assert "Output folder 'out' holds another study; choose another with --out." in text
    assert contents(folder) == before


@pytest.mark.parametrize("place", ["tiny.toml", "tiny.toml/below", "."])
def test_files_of_others_are_kept(place, tracked):
    folder, _ = tracked
    before = contents(folder)
    text = refused("track", "tiny.toml", *TINY, "--out", place, folder=folder)
    assert f"Output folder '{place}'" in text
    assert contents(folder) == before


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
    [(values, running)] = asked
    assert running == Running(Path("isthmus-track"), workers=2, resume=True)
    assert im.TrackingStudy(**values) == im.TrackingStudy(
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
    assert asked[0] == (tomllib.loads(TINY_FILE), Running(Path("here"), as_json=True, quiet=True))
    assert asked[1] == ({"data": {"source": "wine"}}, Running(Path("isthmus-track")))


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
    assert asked[0][0] == value


def test_demo_is_a_valid_study(asked, tmp_path):
    study = im.TrackingStudy(**tracking.DEMO)
    assert (study.problem.dim, study.problem.latent_dim) == (64, 2)
    assert study.problem.population.size >= study.batch_size
    assert not study.problem.is_trivial
    assert run("demo", "--seed", 3, "--quiet", folder=tmp_path).code == 0
    assert run("demo", folder=tmp_path).code == 0
    assert asked[0] == (tracking.DEMO | {"seed": 3}, Running(Path("isthmus-demo"), quiet=True))
    assert asked[1][0] == tracking.DEMO and "seed" not in tracking.DEMO


FILES = {
    "broken.toml": b"widths = [8",
    "latin.toml": b"# \xff\nseed = 1",
    "unknown.toml": b"wdiths = [8]",
    "nested.toml": b"[law]\nkind = 'alined'",
    "flat.toml": b"data = 'wine'",
    "ragged.csv": b"1,2\n3\n",
    "words.csv": b"a,b\nc,d\n",
    "empty.csv": b"",
    "missing_value.csv": b"a,b\n1,nan\n2,3\n",
    "empty.npy": b"",
    "constant.csv": b"1,2\n1,2\n",
    "years.csv": b"2019,2020\n1.5,2\n3,4.5\n",
}
BAD = [
    (["none.toml"], "Study file 'none.toml' can't be read: "),
    (["."], "Study file '.' can't be read: "),
    (["broken.toml"], "Study file 'broken.toml' is not TOML: "),
    (["latin.toml"], "Study file 'latin.toml' can't be read: "),
    (["unknown.toml"], "'wdiths' must be a known key, but it is not; did you mean 'widths'?"),
    (["nested.toml"], "'law.kind' must be 'aligned' or 'independent', but it is 'alined'"),
    (["flat.toml"], "Argument 'data' must be "),
    (["flat.toml", "--data", "wine"], "Argument 'data' must be a table, but it is 'wine'"),
    (["--data", "digts"], "'data.source' must be one of 'digits', 'breast_cancer', 'wine', 'mnist'"),
    (["--data", "digts"], "did you mean 'digits'?"),
    (["--data", "points.xlsx"], "'data.source' must be one of "),
    (["--data", "none.csv"], "Data file 'none.csv' can't be read as a table of numbers: "),
    (["--data", "ragged.csv"], "Data file 'ragged.csv' can't be read as a table of numbers: "),
    (["--data", "words.csv"], "Data file 'words.csv' can't be read as a table of numbers: "),
    (["--data", "empty.csv"], "Data file 'empty.csv' can't be read as a table of numbers: "),
    (["--data", "empty.npy"], "Data file 'empty.npy' can't be read as a table of numbers: "),
    (["--data", "missing_value.csv"], "1 value is missing, the first in line 2, column 'b'; missing='ignore'"),
    (["--data", "constant.csv"], "The points of 'constant.csv' must differ from one another when scale='features'"),
    (["--data", "constant.csv", "--scale", "none"], "Argument 'latent_dim' must be at most the rank of the data 0"),
    (
        ["--data", "years.csv"],
        "line 1, 2019 and 2020, may hold the names of the columns or the first point; say header=",
    ),
    (["--data", "years.csv", "--header", "--columns", "2021"], "Argument 'columns' must name columns of the file, but"),
    (["--data", "words.csv", "--separator", "::"], "Argument 'separator' must be one character, 'tab' or 'space', but"),
    (["--data", "wine", "--no-header"], "Argument 'data.header' must be left out for 'wine', which is no file, but it"),
    (["--data", "wine", "--scale", "column"], "'data.scale' must be 'none', 'total', 'features' or 'robust', but it"),
    (["--data", "wine", "--missing", "drop"], "'data.missing' must be 'refuse' or 'ignore', but it is 'drop'"),
    (["--data", "gaussian"], "'data.variances' must be given for source='gaussian'"),
    (["--data", "wine", "--max-points", "0"], "'data.max_points' must be greater than or equal to 1, but it is 0"),
    (["--data", "wine", "--latent-dim", "14"], "'latent_dim' must be at most the data dimension 13, but it is 14"),
    (["--latent-dim", "0"], "'law.latent_dim' must be greater than or equal to 1, but it is 0"),
    (["--activation", "tahn"], "'activation' must be one of 'tanh', "),
    (["--activation", "tanh,relu,gelu"], "Argument 'activation' must be "),
    (["--activation", "tanh,"], "Argument 'activation' must be one of "),
    (["--law", "alined"], "'law.kind' must be 'aligned' or 'independent', but it is 'alined'"),
    (["--strength", "1.5"], "'law.strength' must be less than or equal to 1, but it is 1.5"),
    (["--widths", "8,x"], "Argument 'widths' must be whole numbers with commas between, but it is '8,x'"),
    (["--widths", "8.5"], "Argument 'widths' must be whole numbers with commas between, but it is '8.5'"),
    (["--widths", "8,8"], "'widths' must hold each value once, but it is [8, 8]"),
    (["--widths", "0"], "'widths.0' must be greater than or equal to 1, but it is 0"),
    (["--step-sizes", "fast"], "Argument 'step_sizes' must be numbers with commas between, but it is 'fast'"),
    (["--step-sizes", "-0.1"], "'step_sizes.0' must be greater than 0, but it is -0.1"),
    (["--step-sizes", "inf"], "'step_sizes.0' must be a finite number, but it is inf"),
    (["--horizon", "1.05"], "so of 0.1, but it is 1.05; the nearest are 1 and 1.1"),
    (["--horizon", "1e19"], "Argument 'horizon' must be "),
    (["--horizon", "nan"], "'horizon' must be a finite number, but it is nan"),
    (["--batch-size", "0"], "'batch_size' must be greater than or equal to 1, but it is 0"),
    (["--runs", "1"], "'runs' must be greater than or equal to 2, but it is 1"),
    (["--confidence", "1"], "'confidence' must be less than 1, but it is 1.0"),
    (["--seed", "-1"], "'seed' must be greater than or equal to 0, but it is -1"),
    (["--sampling", "all"], "'sampling' must be 'with_replacement', 'without_replacement' or 'one_pass', but it is"),
    (["--data", "wine", "--sampling", "one_pass"], "'sampling' must use each of the 178 points at most once"),
    (
        ["--data", "wine", "--sampling", "without_replacement", "--batch-size", "179"],
        "'batch_size' must be at most the number of points 178 without replacement, but it is 179",
    ),
    (["--particles", "100"], "'particles' must be a power of 2 for quadrature='sobol', but it is 100; try 64 or 128"),
    (["--workers", "0"], "'workers' must be an integer of at least 1, but it is 0"),
    (["--set", "horizon"], "Argument '--set' must be KEY=VALUE, but it is 'horizon'"),
    (["--set", "=3"], "Argument '--set' must be KEY=VALUE, but it is '=3'"),
    (["--set", "data.nose=0.1"], "'data.nose' must be a known key, but it is not; did you mean 'noise'?"),
    (["--set", "seed.x=1", "--seed", "2"], "Argument 'seed' must be a table, but it is 2"),
    (["--set", "self=1"], "'self' must be a known key"),
    (["--set", "horizon=long"], "'horizon' must be a valid number"),
    (["--set", "flow_rtol=1e-9"], "'flow_rtol' must be greater than or equal to 0.00001, but it is 1e-09"),
    (
        ["--set", "data.scale=column"],
        "'data.scale' must be 'none', 'total', 'features' or 'robust', but it is 'column'",
    ),
    (["--set", "data.stream=true"], "'data.stream' must be false for a finite set of points, but it is True"),
    (["--data", "wine", "--set", "data.center=false"], "Argument 'data' must be centred for an aligned law"),
    (["--set", "schedule.kind=linear"], "'schedule.kind' must be 'constant', 'cosine' or 'exponential', but it is"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_bad_input_is_refused_in_one_line_before_anything_is_done(arguments, message, tmp_path, monkeypatch):
    monkeypatch.setattr("isthmus.studies.tracking_result.track", lambda *_, **__: pytest.fail("the study began"))
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    assert message in refused("track", *arguments, "--json", folder=tmp_path)
    assert contents(tmp_path) == FILES
    assert not (tmp_path / "isthmus-track").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["track", "--runs", "many"], "--runs"),
        (["track", "--rnus", "3"], "--rnus"),
        (["track", "a.toml", "b.toml"], "b.toml"),
        (["track", "--set"], "--set"),
        (["trck"], "trck"),
    ],
)
def test_wrong_usage_is_refused_in_one_line(arguments, message, tmp_path):
    assert message in refused(*arguments, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_command_of_its_own_process_fails_without_traceback(tmp_path):
    command = [sys.executable, "-m", "isthmus", "track", "--widths", "8,x", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: Argument 'widths' must be whole numbers with commas between, but it is '8,x'.\n"
    assert not list(tmp_path.iterdir())


def test_a_run_that_diverges_names_run_time_and_remedy(tracked):
    folder, _ = tracked
    arguments = ("tiny.toml", *TINY, "--step-sizes", 50, "--horizon", 400, "--out", "diverged", "--json")
    text = refused("track", *arguments, folder=folder)
    assert re.search("At width (16|64), the step size 50 made run ", text)
    assert " diverge at t=" in text and "; try at most 12.5, or larger batches." in text
    assert not (folder / "diverged" / "results.nc").exists()


def test_the_trivial_limit_is_a_warning_of_one_line(tracked):
    folder, _ = tracked
    arguments = ("tiny.toml", *TINY, "--law", "independent", "--out", "tiny.toml", "--json")
    code, out, err = run("track", *arguments, folder=folder)
    warning, error = err.splitlines()
    assert warning.startswith("Warning: The mean-field limit of this problem is trivial: ")
    assert error.startswith("Error: Output folder 'tiny.toml' is a file")
    assert (code, out) == (2, "")


def test_an_interrupt_is_one_line_and_tells_the_truth(tracked, monkeypatch):
    folder, _ = tracked

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("isthmus.studies.tracking_result.track", interrupted)
    code, out, err = run("track", "tiny.toml", *TINY, "--out", "interrupted", folder=folder)
    assert (code, out) == (130, "")
    assert err.startswith("Interrupted") and err.count("\n") == 1
    assert "nothing was written" not in err or not (folder / "interrupted").exists()
    assert not (folder / "interrupted" / "results.nc").exists()


@pytest.mark.slow
def test_predict_prints_and_writes_the_law_of_networks_that_were_not_trained(tmp_path):
    (tmp_path / "study.toml").write_text(TINY_FILE)
    flags = (
        "study.toml",
        "--widths",
        "16,64",
        "--step-sizes",
        "0.25",
        "--tolerance",
        "0.05",
        "--out",
        "law",
        "--quiet",
    )
    code, out, err = run("predict", *flags, folder=tmp_path)
    assert (code, err) == (0, "")
    assert "Predicted 90 % quantile of the sup-gap" in out and "For a sup-gap within 0.05" in out
    folder = tmp_path / "law"
    written = {
        f"figures/{name}.{kind}" for name in ("influence", "predicted_curves", "sources") for kind in ("png", "svg")
    }
    assert set(contents(folder)) == written | {"study.toml", "prediction.nc"}
    with xr.open_dataset(folder / "prediction.nc", engine="h5netcdf") as data:
        quantile = float(data.predicted_gap_quantile.sel(level=0.9, width=64, step_size=0.25))
    code, out, err = run("predict", *flags, "--json", folder=tmp_path)
    answer = json.loads(out)
    assert code == 0 and err == ""
    assert (
        answer["predicted_gap_quantiles"][1] | {"width": 64, "estimate": quantile}
        == answer["predicted_gap_quantiles"][1]
    )
    law = im.predict(im.TrackingStudy(**tomllib.loads((folder / "study.toml").read_text()))).law
    assert [entry["width"] for entry in answer["widths_for"]] == [
        law.width_for(0.05, 0.9),
        law.width_for(0.05, 0.9, 0.25, 8),
    ]


def test_predict_says_where_no_width_suffices_and_refuses_what_it_can_not_do(tmp_path):
    (tmp_path / "study.toml").write_text(TINY_FILE)
    flags = (
        "study.toml",
        "--step-sizes",
        "0.5",
        "--batch-size",
        "1",
        "--tolerance",
        "0.001",
        "--out",
        "law",
        "--quiet",
    )
    code, out, _ = run("predict", *flags, folder=tmp_path)
    assert code == 0 and "no width brings the sup-gap within 0.001" in " ".join(out.split())
    for more, message in (
        (("--activation", "relu"), "the slope of relu jumps"),
        (("--law", "independent"), "its limit is trivial"),
        (("--tolerance", "-1"), "'tolerance' must be a finite number above 0"),
    ):
        code, out, err = run("predict", "study.toml", *more, "--out", "other", "--quiet", folder=tmp_path)
        assert code == 2 and out == "" and message in err
        assert not (tmp_path / "other").exists()


SPREADSHEET = "\ufeffLänge;Breite;Höhe;Art\r\n" + "".join(
    f"{i % 7},5;{(i * i) % 11},25;{1000 + (i * 3) % 5};{'xy'[i % 2]}\r\n" for i in range(24)
)


def test_a_file_of_a_spreadsheet_goes_through_a_command_and_what_was_assumed_is_said(tmp_path):
    (tmp_path / "Tabelle.CSV").write_text(SPREADSHEET, encoding="utf-8", newline="")
    (tmp_path / "tiny.toml").write_text(TINY_FILE.replace('"wine"', '"Tabelle.CSV"'))
    arguments = ("track", "tiny.toml", *TINY[:-1], "--label", "Art", "--json")
    code, out, err = run(*arguments, "--out", "told", folder=tmp_path)
    assert code == 0 and json.loads(out)
    told = [line for line in err.splitlines() if line.startswith("Data: ")]
    assert told == [
        "Data: 24 points in 3 dimensions from Tabelle.CSV, scaled by feature; semicolons stand between its entries; "
        "its numbers have decimal commas; labelled by column 'Art'"
    ]
    with xr.open_dataset(tmp_path / "told" / "results.nc", engine="h5netcdf") as dataset:
        assert set(dataset.label.values.tolist()) == {"x", "y"}
    words = tomllib.loads((tmp_path / "told" / "study.toml").read_text())["data"]
    assert (words["source"], words["label"]) == ("Tabelle.CSV", "Art")
    quiet = run(*arguments, "--quiet", "--out", "quiet", folder=tmp_path)
    assert (quiet.code, quiet.err) == (0, "")


def test_flags_of_data_reach_their_keys(asked, tmp_path):
    flags = ["--data", "f.csv", "--scale", "robust", "--columns", "a,b", "--drop", "", "--label", "c", "--no-header"]
    flags += ["--separator", ";", "--decimal", ",", "--missing", "ignore", "--max-points", "9"]
    assert run("track", *flags, folder=tmp_path).code == 0
    assert asked[0][0]["data"] == {
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


@pytest.mark.parametrize("command", ["track", "predict", "optimum", "width", "bottleneck"])
def test_every_command_that_takes_data_has_the_flags_of_files(command, tmp_path):
    code, out, _ = run(command, "--help", folder=tmp_path)
    assert code == 0
    for flag in ("--scale", "--columns", "--drop", "--label", "--no-header", "--separator", "--decimal", "--missing"):
        assert flag in out
