"""What a study on the command line refuses: in one line, in the user's terms, before anything is done."""

import subprocess
import sys

import pytest
from commands import contents, refused

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
    (["unknown.toml"], "Unknown key 'wdiths'. Did you mean 'widths'?"),
    (["nested.toml"], "'law.kind' must be 'aligned' or 'independent', but it is 'alined'"),
    (["flat.toml"], "'data' must be a table, but it is 'wine'."),
    (["flat.toml", "--data", "wine"], "--data must be a table, but it is 'wine'"),
    (["--data", "digts"], "--data must be one of 'digits', 'breast_cancer', 'wine', 'mnist'"),
    (["--data", "digts"], "did you mean 'digits'?"),
    (["--data", "points.xlsx"], "--data must be one of "),
    (["--data", "none.csv"], "Data file 'none.csv' can't be read as a table of numbers: "),
    (["--data", "ragged.csv"], "Data file 'ragged.csv' can't be read as a table of numbers: "),
    (["--data", "words.csv"], "Data file 'words.csv' can't be read as a table of numbers: "),
    (["--data", "empty.csv"], "Data file 'empty.csv' can't be read as a table of numbers: "),
    (["--data", "empty.npy"], "Data file 'empty.npy' can't be read as a table of numbers: "),
    (["--data", "missing_value.csv"], "1 value is missing, the first in line 2, column 'b'; missing='ignore'"),
    (
        ["--data", "constant.csv"],
        "The points of 'constant.csv' must hold at least two distinct points when scale='features'",
    ),
    (["--data", "constant.csv", "--scale", "none"], "'law.latent_dim' must be at most the rank of the data 0"),
    (
        ["--data", "years.csv"],
        "line 1, 2019 and 2020, may hold the names of the columns or the first point; say header=",
    ),
    (["--data", "years.csv", "--header", "--columns", "2021"], "--columns must name columns of the file, but"),
    (["--data", "words.csv", "--separator", "::"], "--separator must be one character, 'tab' or 'space', but"),
    (["--data", "wine", "--no-header"], "--no-header must be left out for 'wine', which is no file, but it"),
    (["--data", "wine", "--scale", "column"], "--scale must be 'none', 'total', 'features' or 'robust', but it"),
    (["--data", "wine", "--missing", "drop"], "--missing must be 'refuse' or 'ignore', but it is 'drop'"),
    (["--data", "gaussian"], "'data.variances' must be given for source='gaussian'"),
    (["--data", "wine", "--max-points", "0"], "--max-points must be at least 1, but it is 0"),
    (["--data", "wine", "--latent-dim", "14"], "--latent-dim must be at most the data dimension 13, but it is 14"),
    (["--latent-dim", "0"], "--latent-dim must be at least 1, but it is 0"),
    (["--activation", "tahn"], "--activation must be one of 'tanh', "),
    (["--activation", "tanh,relu,gelu"], "--activation must be "),
    (["--activation", "tanh,"], "--activation must be one of "),
    (["--law", "alined"], "--law must be 'aligned' or 'independent', but it is 'alined'"),
    (["--strength", "1.5"], "--strength must be at most 1, but it is 1.5"),
    (["--widths", "8,x"], "--widths must be whole numbers with commas between, but it is '8,x'"),
    (["--widths", "8.5"], "--widths must be whole numbers with commas between, but it is '8.5'"),
    (["--widths", "8,8"], "--widths must hold each value once, but it is [8, 8]"),
    (["--widths", "0"], "--widths must be at least 1, but it is 0"),
    (["--step-sizes", "fast"], "--step-sizes must be numbers with commas between, but it is 'fast'"),
    (["--step-sizes", "-0.1"], "--step-sizes must be above 0, but it is -0.1"),
    (["--step-sizes", "inf"], "--step-sizes must be a finite number, but it is inf"),
    (["--horizon", "1.05"], "so of 0.1, but it is 1.05; the nearest are 1 and 1.1"),
    (["--horizon", "1e19"], "--horizon must be "),
    (["--horizon", "nan"], "--horizon must be a finite number, but it is nan"),
    (["--batch-size", "0"], "--batch-size must be at least 1, but it is 0"),
    (["--runs", "1"], "--runs must be at least 2, but it is 1"),
    (["--confidence", "1"], "--confidence must be below 1, but it is 1.0"),
    (["--seed", "-1"], "--seed must be at least 0, but it is -1"),
    (["--sampling", "all"], "--sampling must be 'with_replacement', 'without_replacement' or 'one_pass', but it is"),
    (["--data", "wine", "--sampling", "one_pass"], "--sampling must use each of the 178 points at most once"),
    (
        ["--data", "wine", "--sampling", "without_replacement", "--batch-size", "179"],
        "--batch-size must be at most the number of points 178 without replacement, but it is 179",
    ),
    (["--particles", "100"], "--particles must be a power of 2 for quadrature='sobol', but it is 100; try 64 or 128"),
    (["--workers", "0"], "--workers must be an integer of at least 1, but it is 0"),
    (["--set", "horizon"], "--set must be KEY=VALUE, but it is 'horizon'"),
    (["--set", "=3"], "--set must be KEY=VALUE, but it is '=3'"),
    (["--set", "data.nose=0.1"], "Unknown key 'data.nose'. Did you mean 'noise'?"),
    (["--set", "seed.x=1", "--seed", "2"], "--seed must be a table, but it is 2"),
    (["--set", "self=1"], "Unknown key 'self'"),
    (["--set", "horizon=long"], "'horizon' must be a valid number"),
    (["--set", "flow_rtol=1e-9"], "'flow_rtol' must be at least 0.00001, but it is 1e-09"),
    (
        ["--set", "data.scale=column"],
        "'data.scale' must be 'none', 'total', 'features' or 'robust', but it is 'column'",
    ),
    (["--set", "data.stream=true"], "'data.stream' must be false for a finite set of points, but it is True"),
    (["--data", "wine", "--set", "data.center=false"], "--data must be centred for an aligned law"),
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


def test_what_a_file_says_is_named_by_its_key_and_what_a_flag_says_by_the_flag(tmp_path):
    (tmp_path / "study.toml").write_text("runs = 1\n")
    assert "Error: 'runs' must be at least 2, but it is 1." in refused("track", "study.toml", folder=tmp_path)
    said = refused("track", "study.toml", "--runs", 0, folder=tmp_path)
    assert "Error: --runs must be at least 2, but it is 0." in said
    said = refused("track", "study.toml", "--set", "runs=0", folder=tmp_path)
    assert "Error: 'runs' must be at least 2, but it is 0." in said
    (tmp_path / "study.toml").write_text("[law]\nlatent_dim = 0\n")
    said = refused("track", "study.toml", "--runs", 2, folder=tmp_path)
    assert "Error: 'law.latent_dim' must be at least 1, but it is 0." in said
    assert "Error: --latent-dim must be at least 1, but it is -1." in refused(
        "track", "study.toml", "--latent-dim", -1, folder=tmp_path
    )


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
    assert done.stderr == (
        "Isthmus track: comparing networks trained by SGD with their infinite-width limit.\n"
        "Error: --widths must be whole numbers with commas between, but it is '8,x'.\n"
    )
    assert not list(tmp_path.iterdir())
