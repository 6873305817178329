"""What the README promises: its example runs, and its commands are those that are tested."""

import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _the_python_example():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    return code


def test_the_python_example_runs_on_less_data(capsys):
    code = _the_python_example()
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    for full, less in (("max_points=256", "max_points=32"), ("particles=512", "particles=64"), ("(100,", "(4,")):
        assert code.count(full) == 1
        code = code.replace(full, less)
    exec(compile(code, "README.md", "exec"), {})
    assert "median sup-gap at N=256" in capsys.readouterr().out


@pytest.mark.slow
def test_the_python_example_finds_a_small_gap():
    names = {}
    exec(compile(_the_python_example(), "README.md", "exec"), names)
    assert 0 < np.median(names["gap"]) < 0.02


def test_the_two_commands_stand_as_promised():
    start = "python3 -m venv .venv && .venv/bin/pip install"
    assert f"\n{start} . && .venv/bin/isthmus demo\n" in README
    assert f"\n{start} -e '.[test]' && .venv/bin/pytest\n" in README


def test_pictures_exist():
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert pictures and all((ROOT / picture).is_file() for picture in pictures)
