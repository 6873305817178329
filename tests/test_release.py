"""What is released is what stands here: an sdist with every file, a wheel with the package, one version everywhere."""

import re
import subprocess
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import isthmus

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
IN_CONDA = {"matplotlib": "matplotlib-base"}
"""Packages that have another name there."""


@pytest.fixture(scope="module")
def recipe():
    return yaml.safe_load((ROOT / "recipe/recipe.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def files():
    """The files of this tree that git holds, or would."""
    if not (ROOT / ".git").exists():
        pytest.skip("an unpacked sdist has no list of its files to be compared with")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {name for name in listed if (ROOT / name).exists()}


def built(kind, folder):
    module = pytest.importorskip(f"hatchling.builders.{kind}")
    builder = {"sdist": "SdistBuilder", "wheel": "WheelBuilder"}[kind]
    [path] = getattr(module, builder)(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(path)


def test_an_sdist_holds_every_file_and_no_other(files, tmp_path):
    with tarfile.open(built("sdist", tmp_path)) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"src/isthmus/__init__.pyi", "tests/conftest.py", "docs/conf.py", ".ci/run"} <= inside
    assert inside == files | {"PKG-INFO"}


def test_a_wheel_holds_the_package_and_no_other(files, tmp_path):
    with zipfile.ZipFile(built("wheel", tmp_path)) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert inside == {name.removeprefix("src/") for name in files if name.startswith("src/")}


def test_the_version_is_the_same_everywhere(recipe):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert recipe["context"]["version"] == citation["version"] == isthmus.__version__
    assert re.findall(r"^## (\d\S+)", changes, re.MULTILINE)[0] == isthmus.__version__


def test_the_recipe_asks_for_what_the_package_asks_for(recipe):
    asked = [re.fullmatch(r"([\w-]+)(>=[\w.]+)", line).groups() for line in PROJECT["dependencies"]]
    python = "python >=${{ python_min }}"
    assert recipe["requirements"]["run"] == [python, *(f"{IN_CONDA.get(name, name)} {least}" for name, least in asked)]
    assert f">={recipe['context']['python_min']}" == PROJECT["requires-python"]
    [entry] = recipe["build"]["python"]["entry_points"]
    assert dict([entry.split(" = ")]) == PROJECT["scripts"]
    assert recipe["source"] == {"path": ".."}
