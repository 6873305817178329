"""Who may import whom: floors from low to high, no import upwards, no circle, nothing global changed on import."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import isthmus

ROOT = Path(isthmus.__file__).parent
FLOORS = (
    ("_version", "_errors"),
    ("_warnings", "_words"),
    ("_checks",),
    ("_bars", "_display", "_files", "_packing", "_precision"),
    ("tables",),
    ("core",),
    ("dynamics",),
    ("theory",),
    ("exports", "imports"),
    ("torch",),
    ("estimator",),
    ("studies",),
    ("show",),
    ("cli", "__main__"),
)
SHELF = len(FLOORS)  # the package itself stands above all: nothing in it may import the public names


def complaints(root: Path) -> list[str]:
    """Return what is wrong with the imports of the package at ``root``; imports inside functions count too."""
    files = {_module(root, path): path for path in sorted(root.rglob("*.py"))}
    imports = {module: _imports(module, path, set(files)) for module, path in files.items()}
    found = [f"{module} is on no floor" for module in files if _floor(module) is None]
    for module, targets in imports.items():
        for target in sorted(targets):
            ours, theirs = _floor(module), _floor(target)
            if ours is not None and theirs is not None and theirs > ours:
                found.append(f"{module} imports upwards from {target}")
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        found.append("circle " + " ".join(error.args[1]))
    return found


def _module(root: Path, path: Path) -> str:
    parts = (root.name, *path.relative_to(root).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _floor(module: str) -> int | None:
    _, *rest = module.split(".")
    if not rest:
        return SHELF
    return next((height for height, names in enumerate(FLOORS) if rest[0] in names), None)


def _imports(module: str, path: Path, modules: set[str]) -> set[str]:
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    targets = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            home = ".".join([*base, *([node.module] if node.module else [])])
            targets |= {f"{home}.{a.name}" if f"{home}.{a.name}" in modules else home for a in node.names}
    return targets & modules


def _package(folder: Path, files: dict[str, str]) -> Path:
    """Write a small package whose files hold the given text, beside those that every package here has."""
    usual = {"__init__.py": "", "core/__init__.py": "", "dynamics/__init__.py": "", "core/data.py": ""}
    for name, text in (usual | files).items():
        path = folder / "twin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "twin"


def test_imports_go_down_and_nowhere_in_a_circle():
    assert complaints(ROOT) == []


def test_every_file_is_looked_at():
    seen = {_module(ROOT, path) for path in ROOT.rglob("*.py")}
    assert {"isthmus", "isthmus.__main__", "isthmus.core.data", "isthmus.studies.store"} <= seen
    assert "isthmus.core.laws" in _imports("isthmus.core.problem", ROOT / "core/problem.py", seen)
    assert "isthmus.core.rates" in _imports("isthmus.core.problem", ROOT / "core/problem.py", seen)


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"core/law.py": "from twin.dynamics import flow", "dynamics/flow.py": ""}, "upwards from twin.dynamics.flow"),
        ({"core/law.py": "import twin.dynamics.flow", "dynamics/flow.py": ""}, "upwards from twin.dynamics.flow"),
        ({"core/law.py": "from ..dynamics.flow import x", "dynamics/flow.py": ""}, "upwards from twin.dynamics.flow"),
        ({"core/law.py": "from .. import cli", "cli.py": ""}, "upwards from twin.cli"),
        ({"core/law.py": "def f():\n    from twin.cli import main", "cli.py": ""}, "upwards from twin.cli"),
        ({"core/law.py": "import twin"}, "twin.core.law imports upwards from twin"),
        ({"core/law.py": "from twin import Data"}, "twin.core.law imports upwards from twin"),
        ({"core/a.py": "from twin.core import b", "core/b.py": "from .a import x"}, "circle"),
        ({"core/a.py": "from . import b", "core/b.py": "def f():\n    import twin.core.a"}, "circle"),
        ({"elsewhere/a.py": ""}, "twin.elsewhere.a is on no floor"),
    ],
)
def test_a_broken_twin_is_found(files, complaint, tmp_path):
    found = complaints(_package(tmp_path, files))
    assert found and complaint in found[0]


def test_a_sound_twin_passes(tmp_path):
    files = {"dynamics/flow.py": "from twin.core import data", "cli.py": "import twin.core.data"}
    assert complaints(_package(tmp_path, files)) == []


def _python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_importing_the_package_is_light():
    heavy = "'jax', 'matplotlib', 'numpy', 'scipy', 'pydantic', 'sklearn', 'xarray'"
    assert _python(f"import sys, isthmus; print(sorted({{{heavy}}} & set(sys.modules)))").strip() == "[]"
    names = "MeanFieldPath, isthmus.FiniteWidthLaw, isthmus.MeanFieldAutoencoder, isthmus.TrackingResult, isthmus.torch"
    used = "isthmus.Data; print('jax' in sys.modules)"
    drawn = f"isthmus.{names}; print({{'matplotlib', 'torch'}} & set(sys.modules))"
    # Nothing is loaded for plots that nobody asks for.
    assert _python(f"import sys, isthmus; {used}; {drawn}").split() == ["True", "set()"]


IMPORT_EVERYTHING = """
import importlib, os, pkgutil, sys, warnings
import jax, matplotlib, numpy
import diffrax, equinox, optax, scipy.stats, sklearn, xarray  # what these set on import is theirs

def settings():
    return {
        "jax": dict(jax.config.values),
        "numpy": numpy.geterr(),
        "numpy printing": numpy.get_printoptions(),
        "matplotlib": dict(matplotlib.rcParams),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "environment": dict(os.environ),
    }

for place, name in zip(sys.argv[1::2], sys.argv[2::2]):
    before = settings()
    sys.path.insert(0, place)
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
    after = settings()
    print(name, *(name for name in before if before[name] != after[name]), sep=", ")
"""


def test_importing_everything_changes_no_global_setting_and_a_twin_that_does_is_found(tmp_path):
    files = {
        "core/data.py": "import jax\njax.config.update('jax_enable_x64', True)",
        "cli.py": "import numpy\nnumpy.seterr(all='ignore')",
        "dynamics/flow.py": "import matplotlib\nmatplotlib.rcParams['lines.linewidth'] = 9",
    }
    _package(tmp_path, files)
    found = _python(IMPORT_EVERYTHING, str(ROOT.parent), "isthmus", str(tmp_path), "twin")
    assert found.splitlines() == ["isthmus", "twin, jax, numpy, matplotlib"]
