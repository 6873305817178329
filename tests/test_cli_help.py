"""What the command line says of itself: at once, in the order of need, with the defaults of the studies."""

import os
import re
import subprocess
import sys

import pytest
from commands import run

import isthmus as im
from isthmus.cli.app import GROUPS, app
from isthmus.cli.choices import completion
from isthmus.cli.commands import loaded
from isthmus.cli.defaults import keys_of
from isthmus.cli.options import PANELS

KINDS = {command.callback.study for command in app.registered_commands if hasattr(command.callback, "study")}
NAMES = [name for names in GROUPS.values() for name in names]


def plain(text: str) -> str:
    """Return a help without its frames, on one line."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(["--version"], f"isthmus {im.__version__}\n"), (["--help"], "track"), (["track", "--help"], "--step-sizes")],
    ids=["version", "help", "help of a command"],
)
def test_version_and_help_answer_at_once(arguments, text):
    """By the processor's clock, since the machine may do other things too; JAX alone would take longer."""
    seconds = []
    for _ in range(5):
        before = os.times()
        done = subprocess.run([sys.executable, "-m", "isthmus", *arguments], capture_output=True, text=True, check=True)
        after = os.times()
        seconds.append(sum(after[2:4]) - sum(before[2:4]))
        assert text in done.stdout and done.stderr == ""
        if seconds[-1] < 0.6:
            return
    pytest.fail(f"{arguments} takes {min(seconds):.2f} s")


FIRST_WORDS = """
import sys
from isthmus.cli import app, commands

def say(text):
    print(text, sorted({"jax", "numpy", "scipy", "xarray", "matplotlib"} & set(sys.modules)))
    raise SystemExit

commands.say = say
for name in sys.argv[1:]:
    try:
        app([name], standalone_mode=False)
    except SystemExit:
        pass
"""


def test_first_words_come_before_anything_heavy_is_imported(tmp_path):
    names = [name for name in NAMES if name != "report"]
    command = [sys.executable, "-c", FIRST_WORDS, *names]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout.splitlines()
    assert len(said) == len(names)
    for name, line in zip(names, said, strict=True):
        assert re.fullmatch(rf"Isthmus {name}: [a-z].*\. \[\]", line), line
    assert not list(tmp_path.iterdir())


def test_commands_stand_in_groups_in_the_order_of_need_and_the_help_ends_with_an_example(tmp_path):
    code, out, err = run("--help", folder=tmp_path)
    words = plain(out)
    assert (code, err) == (0, "")
    assert NAMES[0] == "demo" and set(NAMES) == {command.callback.__name__ for command in app.registered_commands}
    places = [words.index(panel) for panel in GROUPS] + [words.index("Begin with isthmus demo")]
    assert places == sorted(places)
    rows = re.findall(r"^│ (\w+)  ", out, re.MULTILINE)
    assert rows == NAMES
    assert run(folder=tmp_path).out.strip() == out.strip()


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_in_a_group_with_a_help_and_the_help_ends_with_an_example(name, tmp_path):
    code, out, err = run(name, "-h", folder=tmp_path)
    assert (code, err) == (0, "")
    [command] = [command for command in app.registered_commands if command.callback.__name__ == name]
    if not hasattr(command.callback, "study"):
        return
    groups = [group for group in re.findall("^╭─ (.*?) ─", out, re.MULTILINE) if group in PANELS]
    assert groups == [panel for panel in PANELS if panel in groups]
    alone = re.search("^╭─ Options ─.*?^╰", out, re.MULTILINE | re.DOTALL)
    assert alone is not None and re.findall("--[a-z-]+", alone[0]) == ["--help"]
    rows = re.findall(r"^│ (--[a-z-]+) +(.*?) *│$", out, re.MULTILINE)
    assert len(rows) > 5 and all(re.search(r"  +[A-Z\d]|  [a-z_]+,? ", row) for _, row in rows)
    assert f"Example: isthmus {name}" in plain(out)
    assert "--quick" in out


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_keys_that_are_read_from_the_source_are_those_of_the_study(kind):
    usual, keys = loaded(kind)(), keys_of(kind)
    for key, about in keys.items():
        *tables, name = key.split(".")
        model = usual
        for table in tables:
            model = getattr(model, table)
        assert (about.meaning or None) == type(model).model_fields[name].description, key
        assert about.default == getattr(model, name), key
    flat = {
        f"{name}.{key}" if inner else name
        for name in type(usual).model_fields
        for inner in [getattr(type(getattr(usual, name)), "model_fields", None)]
        for key in (inner or [""])
    }
    assert keys.keys() == flat


@pytest.mark.parametrize("command", [command.callback for command in app.registered_commands])
def test_every_flag_sets_a_key_of_the_study(command):
    flags = getattr(command, "flags", {})
    assert {flag.key or name for name, flag in flags.items()} <= (keys_of(command.study).keys() if flags else set())


def test_the_help_says_the_defaults_of_its_own_study(tmp_path):
    for name, kind in (("track", im.TrackingStudy), ("width", im.WidthStudy)):
        words = plain(run(name, "-h", folder=tmp_path).out)
        usual = kind()
        for flag, value in (
            ("--horizon", usual.horizon),
            ("--runs", usual.runs),
            ("--latent-dim", usual.law.latent_dim),
        ):
            about = words[words.index(f" {flag} ") :]
            assert about[about.index("[default: ") :].startswith(f"[default: {value:g}]")
    assert im.TrackingStudy().horizon != im.WidthStudy().horizon


def test_what_a_shell_completes_is_what_is_accepted():
    assert completion("activation")("t") == ["tanh"]
    assert completion("activation")("erf,t") == ["erf,tanh"]
    assert {"digits", "manifold"} <= set(completion("data")(""))
    assert completion("law")("in") == ["independent"]
    for name in completion("activation")(""):
        assert im.TrackingStudy(activation=name).activation == name
    for name in completion("sampling")(""):
        assert im.TrackingStudy(sampling=name).sampling == name
    for key in ("scale", "missing"):
        for name in completion(key)(""):
            assert getattr(im.TrackingStudy(data={key: name}).data, key) == name


def test_a_shell_is_told_completions(tmp_path):
    line = {"_ISTHMUS_COMPLETE": "complete_bash", "COMP_WORDS": "isthmus track --law a", "COMP_CWORD": "3"}
    program = "import sys; sys.argv[0] = 'isthmus'; from isthmus.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program], env=os.environ | line, capture_output=True, text=True)
    assert done.stdout.split() == ["aligned"]
