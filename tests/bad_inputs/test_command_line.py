"""Bad command lines: one line on standard error, exit code 2, nothing on standard output, nothing written."""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from commands import contents, refused, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import isthmus as im

COMMANDS = ("track", "predict", "bottleneck", "optimum", "width")


@pytest.fixture(autouse=True)
def nothing_computed(monkeypatch):
    """Let every job fail as it begins: what is bad must have been refused by then."""

    def begin(*_, **__):
        raise AssertionError("the computation began")

    monkeypatch.setattr("isthmus.dynamics.parallel.ThreadPoolExecutor", begin)


def _npy(array: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def _archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("arr_0.npy", _npy(np.ones((4, 2))))
    return file.getvalue()


FILES = {
    "sound.toml": b"seed = 1\n[data]\nsource = 'wine'\n",
    "broken.toml": b"widths = [8",
    "double.toml": b"seed = 1\nseed = 2",
    "deep.toml": b"x = " + b"[" * 5000 + b"]" * 5000,
    "long.toml": b"seed = " + b"9" * 5000,
    "lines.toml": b'"a\\nb" = 1',
    "binary.toml": bytes(range(256)),
    "utf16.toml": "seed = 1".encode("utf-16"),
    "true.toml": b"seed = true",
    "date.toml": b"horizon = 1979-05-27",
    "unknown.toml": b"[data]\nsorce = 'wine'",
    "huge.csv": b"1e300,2\n3,4\n5,6\n",
    "infinite.csv": b"inf,2\n3,4\n",
    "gap.csv": b"1,\n3,4\n",
    "complex.csv": b"1+2j,3\n",
    "ragged.csv": b"1,2\n3\n",
    "formula.csv": b'=cmd|"/c calc"!A1,2\n3,=1+1\n',
    "one_point.csv": b"1,2\n",
    "null.csv": b"\x00\x00",
    "objects.npy": _npy(np.array([[{}, []]], dtype=object), allow_pickle=True),
    "complex.npy": _npy(np.ones((3, 2)) * 1j),
    "words.npy": _npy(np.array([["a", "b"]])),
    "dates.npy": _npy(np.array([["2024-02-29"]], "M8[D]")),
    "three_axes.npy": _npy(np.ones((2, 2, 2))),
    "structured.npy": _npy(np.zeros(2, dtype=[("a", float)])),
    "empty.npy": _npy(np.zeros((0, 3))),
    "cut.npy": _npy(np.ones((30, 3)))[:-100],
    "claims_too_much.npy": _npy(np.ones((10**6, 1))[:, :0]).replace(b"(1000000, 0)", b"(999999999999, 9999)"[:12]),
    "unclosed_header.npy": _npy(np.ones((3, 2))).replace(b"(3, 2)", b"(3, 2*"),
    "archive.npy": _archive(),
}
DATA = [name for name in FILES if name.endswith((".csv", ".npy"))]
STUDY_FILES = [name for name in FILES if name.endswith(".toml") and name != "sound.toml"]
NUMBERS = ("many", "1,5", "", "0x10", "1e", "--", "nan", "inf", "-1", "9" * 5000, "²", "1\n2")
EVERYWHERE: list[list[str]] = [
    *(["--data", name] for name in DATA),
    *([name] for name in STUDY_FILES),
    ["missing.toml"],
    ["."],
    ["sound.toml", "sound.toml"],
    ["--seed", "1", "--seed", "2"],
    ["--seed", "1", "sound.toml", "--seed", "1"],
    ["--json", "--json"],
    ["--data", "wine", "--data", "digits"],
    ["--quiet", "--seed=3", "--quiet"],
    *(["--seed", number] for number in (*NUMBERS, "1.5", str(2**32), str(2**64), "1" + "0" * 400)),
    *(["--max-points", number] for number in (*NUMBERS, "0", "1.5")),
    *(["--workers", number] for number in ("many", "0", "-1", "1.5", "nan", "")),
    *(["--data", name] for name in ("", "digts", "points.txt", "http://a/b.csv", "a\0b.csv", "\udcff.csv", "a\nb.npy")),
    *(["--data", f"{'a' * 300}{kind}"] for kind in ("", ".csv", ".npy")),
    *(["--data", place] for place in ("/dev/null.csv", "/proc/self/mem.npy", "..csv/.npy")),
    *(["--activation", name] for name in ("", "tahn", "tanh,", ",", "tanh,tanh,tanh", "TANH", "a\nb", "3")),
    *(
        ["--set", setting]
        for setting in (
            "", "=", "seed", "=1", "seed=", "seed=true", "seed='3'", "seed=1.5", "seed=-1", f"seed={2**32}",
            f"seed={'9' * 5000}", "seed=1979-05-27", "seed=[1]", "seed={a=1}", "seed.x=1", "data=wine", "data=3",
            "data.source=3", "data.source=true", "data.sorce=wine", "data.center=maybe", "data.max_points=true",
            "data.scale=column", "data.stream=true", "law.latent_dim=0", "law.latent_dim=true", "law.strength=2",
            "law.strength=nan", "law.bias_scale=-1", "law.bias_scale=1e200", "law.preactivation_scale=1e200",
            "law.kind=dead", "law=[]", "schedule.kind=linear", "schedule.time=0", "optimizer.kind=lion",
            "optimizer.memory=0", "optimizer.epsilon=true", "encoder_rate=-1", "decoder_rate=inf", "weight_decay=-1",
            "weight_decay=[1]", "weight_decay=[1, 2, 3]", "weight_decay=true", "temperature=-1", "train_biases=maybe",
            "population_points=0", "self=1", "__init__=1", "a\nb=1", "a..b=1", ".=1", "seed=1\nhorizon=2",
            "x=" + "[" * 3000,
        )
    ),
    ["--rnus", "3"],
    ["--seed"],
    ["--set"],
    ["-x"],
    ["---"],
    ["--seed=1=2"],
]  # fmt: skip
OF_ONE = {
    "track": [
        *(["--widths", text] for text in ("", ",", "8,x", "8.5", "8,8", "0", "-8", "8;9", "nan", "1e3", "9" * 30, "²")),
        *(["--widths", "9" * 5000], ["--widths", "[8]"], ["--horizon", "8", "--horizon", "9"]),
        *(["--step-sizes", text] for text in ("", "fast", "0", "-0.1", "inf", "nan", "0.1,0.1", "1e-300", "1e400")),
        *(["--horizon", text] for text in ("", "0", "-1", "nan", "inf", "1.05", "1e19", "1e300", "long")),
        *(["--records", text] for text in ("0", "-1", "1.5", "nan")),
        *(["--runs", text] for text in ("1", "0", "many", "9" * 30)),
        *(["--flow-runs", text] for text in ("1", "9" * 30)),
        *(["--confidence", text] for text in ("0", "1", "-1", "nan", "2", "sure")),
        *(["--particles", text] for text in ("0", "100", "-8", "9" * 30, str(2**60))),
        *(["--batch-size", text] for text in ("0", "-1", "9" * 30)),
        *(["--sampling", text] for text in ("all", "", "one_pass")),
        *(["--latent-dim", text] for text in ("0", "65", "-1", "9" * 30)),
        *(["--law", text] for text in ("dead", "")),
        *(["--strength", text] for text in ("2", "-1", "nan", "inf")),
        *(["--set", f"{key}={value}"] for key in ("flow_rtol", "rtol") for value in ("0", "1", "nan", "true")),
        *(["--set", f"{key}={value}"] for key in ("law_particles", "law_samples") for value in ("1", 2**60)),
        *(["--set", f"predict={value}"] for value in ("maybe", "3", "[]")),
    ],
    "predict": [
        *(["--tolerance", text] for text in ("0", "-1", "nan", "inf", "small")),
    ],
    "bottleneck": [
        *(["--splits", text] for text in ("1", "0", "many", "9" * 30)),
        *(["--max-latent-dim", text] for text in ("0", "65", "9" * 30)),
        *(["--method", text] for text in ("best", "", "optimum")),
        *(["--set", f"held_out={value}"] for value in ("0", "1", "nan", "true", "0.999")),
        *(["--horizon", text] for text in ("0", "nan", "-1")),
        ["--data", "gaussian"],
    ],
    "optimum": [
        *(["--radius", text] for text in ("0", "-1", "nan", "inf", "wide")),
        *(["--widths", text] for text in ("", "0", "1,1", "x", "9" * 30)),
        *(["--weight-decay", text] for text in ("0", "-1", "nan", "1,2,3", "0.1,", "heavy")),
        *(["--set", f"{key}={2**60}"] for key in ("atoms", "restarts", "starts", "draws", "trainings")),
        *(["--set", f"{key}=0"] for key in ("atoms", "restarts", "starts", "draws", "trainings", "rounds")),
    ],
    "width": [
        *(["--tolerance", text] for text in ("0", "-1", "nan", "inf", "small")),
        *(["--confidence", text] for text in ("0", "1", "nan")),
        *(["--step-size", text] for text in ("-1", "nan", "inf", "1e-300")),
        *(["--horizon", text] for text in ("0", "-1", "nan", "inf")),
        *(["--runs", text] for text in ("1", "9" * 30)),
        *(["--batch-size", text] for text in ("0", "9" * 30)),
        *(["--set", f"particles={value}"] for value in ("0", "100", 2**60)),
        *(["--set", f"records={value}"] for value in ("0", 2**60)),
    ],
    "demo": [["--seed", "-1"], ["--seed", str(2**64)], ["--seed", "1", "--seed", "1"], ["x"], ["--workers", "0"]],
    "": [["trck"], ["--versoin"], ["track track"], ["\0"], ["-"]],
}  # fmt: skip
PLACES = ["a\0b", "sound.toml", "sound.toml/below", "b" * 300, ".", ""]


def _all(*, once: bool) -> list[tuple[str, list[str]]]:
    """Return commands with their arguments; what any command refuses is tried on one of them, in turn, or on each."""
    found = [
        (command, arguments)
        for number, arguments in enumerate(EVERYWHERE)
        for command in (COMMANDS[number % len(COMMANDS) :][:1] if once else COMMANDS)
    ]
    return found + [(command, [str(one) for one in given]) for command, many in OF_ONE.items() for given in many]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("bad")
    for name, content in FILES.items():
        (place / name).write_bytes(content)
    return place


def complaints(folder: Path, cases: list[tuple[str, list[str]]]) -> dict[str, str]:
    """Return which command lines are not refused as they should be, and how."""
    found = {}
    for command, arguments in cases:
        line = [*([command] if command else []), *arguments]
        try:
            said = refused(*line, folder=folder)
        except BaseException as error:
            found[re.sub(r"(.)\1{30,}", r"\1…", repr(line))] = f"{type(error).__name__} {str(error)[:300]}"
            continue
        if len(said) > 1500 or "Traceback" in said:
            found[repr(line)] = said[:300]
    return found


@pytest.mark.parametrize("command", [*COMMANDS, "demo", ""])
def test_each_is_refused_in_one_line_and_nothing_is_written(command, folder):
    assert complaints(folder, [case for case in _all(once=True) if case[0] == command]) == {}
    assert contents(folder) == FILES and sorted(path.name for path in folder.iterdir()) == sorted(FILES)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_each_is_refused_by_every_command(command, folder):
    assert complaints(folder, [case for case in _all(once=False) if case[0] == command]) == {}
    assert contents(folder) == FILES


@pytest.mark.parametrize("command", COMMANDS)
def test_places_that_can_not_be_used_are_refused(command, folder):
    small = ["--data", "wine", *(["--max-latent-dim", "1"] if command == "bottleneck" else [])]
    assert complaints(folder, [(command, [*small, "--out", place]) for place in PLACES]) == {}
    assert contents(folder) == FILES


def test_there_are_hundreds_of_them():
    lines = {(command, *arguments) for command, arguments in _all(once=True)}
    assert len(lines) > 300


def test_a_flag_given_twice_is_named(folder):
    for arguments, flag in (
        (("--seed", 1, "--seed", 2), "--seed"),
        (("--json", "--json"), "--json"),
        (("--horizon", "8", "--seed", 1, "--horizon=9"), "--horizon"),
    ):
        assert f"Error: {flag} is given twice; see --help." in refused("track", *arguments, folder=folder)


def test_settings_and_lists_may_be_given_more_than_once(folder, monkeypatch):
    calls = []
    monkeypatch.setattr("isthmus.cli.tracking._run_tracking", lambda study, _: calls.append(study))
    flags = ("--set", "seed=1", "--widths", "8,9", "--set", "horizon=2.0", "--set", "seed=3", "--widths", "16")
    assert run("track", *flags, folder=folder).code == 0
    assert calls == [im.TrackingStudy(widths=[16], seed=3, horizon=2.0)]


def test_memory_that_does_not_suffice_is_one_line(folder, monkeypatch):
    def exhausted(*_, **__):
        raise MemoryError

    monkeypatch.setattr(im.Data, "__init__", exhausted)
    assert "memory of this machine" in refused("track", "--data", "wine", folder=folder)


words = st.sampled_from(
    sorted(
        {word for _, arguments in _all(once=True) for word in arguments if len(word) < 40 and not word.startswith("--")}
    )
)
flags = st.sampled_from(sorted({word for _, line in _all(once=True) for word in line if word.startswith("--")}))
command_lines = st.lists(st.tuples(flags, words | st.text(max_size=6)), min_size=1, max_size=3)


@pytest.mark.slow
def test_any_line_with_a_bad_flag_is_refused(folder):
    """Whatever else stands beside it."""
    bad = [("--seed", "-1"), ("--set", "seed=true"), ("--data", "ragged.csv"), ("--set", "sede=1")]

    @settings(max_examples=500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(command=st.sampled_from(COMMANDS), one=st.sampled_from(bad), line=command_lines)
    def holds(command, one, line):
        kept = [pair for pair in line if pair[0] not in ("--out", one[0], "--set", "--data", "--help")]
        assert complaints(folder, [(command, [word for pair in (*kept, one) for word in pair])]) == {}

    holds()
    assert contents(folder) == FILES
