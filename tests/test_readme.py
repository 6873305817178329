"""What the README promises: its example runs, and its commands are those that are tested."""

import re
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert "median sup-gap at N=256" in capsys.readouterr().out
    assert 0 < np.median(names["gap"]) < 0.02


def test_the_two_commands_stand_as_promised():
    start = "python3 -m venv .venv && .venv/bin/pip install"
    assert f"\n{start} . && .venv/bin/isthmus demo\n" in README
    assert f"\n{start} -e '.[test]' && .venv/bin/pytest\n" in README


def test_pictures_exist():
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert pictures and all((ROOT / picture).is_file() for picture in pictures)
