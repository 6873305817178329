"""The shelf of public names: that it loads, and that what stands on it is documented, with examples that run."""

import ast
import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

import isthmus
from building import facts
from isthmus._display import Shown

ROOT = Path(isthmus.__file__).parent
PUBLIC = isthmus.__all__  # tests/test_docs.py holds these names against those in docs/api.md


def undocumented(names: list[str]) -> list[str]:
    """Return what the docstrings of public names lack: examples, arguments of their functions, what these raise."""
    missing = []
    for name in names:
        found = facts.public_place(name)
        node, text = found.node, found.docstring or ""
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or found.path == (ROOT / "_errors.py"):
            continue
        if ">>> " not in text.partition("Example:\n")[2]:
            missing.append(f"{name} has no example")
        if isinstance(node, ast.FunctionDef):
            missing += _missing_of(name, node)
        else:
            methods = (part for part in node.body if isinstance(part, ast.FunctionDef))
            public = (method for method in methods if not method.name.startswith("_"))
            missing += [line for method in public for line in _missing_of(f"{name}.{method.name}", method)]
    return missing


def _missing_of(name: str, node: ast.FunctionDef) -> list[str]:
    """Return which arguments a docstring leaves out, where there are several, and whether it hides what is raised."""
    text = ast.get_docstring(node) or ""
    arguments = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    arguments = [argument for argument in arguments if argument not in ("self", "cls")]
    section = " ".join(re.findall(r"^    ([\w, ]+):", text.partition("Args:\n")[2], re.MULTILINE))
    described = set(re.findall(r"\w+", text if "." in name else section) + re.findall(r"``(\w+)``", text))
    left_out = [argument for argument in arguments if len(arguments) > 1 and argument not in described]
    missing = [f"{name} says nothing of {', '.join(left_out)}"] if left_out else []
    return missing + ([f"{name} does not say what it raises"] if _raises(node) and "Raises:\n" not in text else [])


def _raises(node: ast.FunctionDef) -> bool:
    """Whether a function raises by its own code."""
    calls = (ast.unparse(part.func) for part in ast.walk(node) if isinstance(part, ast.Call))
    raised = any(isinstance(part, ast.Raise) and part.exc is not None for part in ast.walk(node))
    return raised or not {"_checks.refuse", "_checks.refuse_type"}.isdisjoint(calls)


def _modules_with_examples() -> list[str]:
    paths = [path for path in sorted(ROOT.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]
    return [".".join(("isthmus", *path.relative_to(ROOT).with_suffix("").parts)) for path in paths]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_name_is_that_of_its_home(name):
    value = getattr(isthmus, name)
    assert value is getattr(isthmus, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert (value.__module__, value.__name__) == (f"isthmus.{facts.HOMES[name]}", name)


def test_dir_lists_the_public_names():
    assert dir(isthmus) == PUBLIC == sorted(facts.HOMES)
    assert dir(isthmus.torch) == isthmus.torch.__all__ == ["as_module", "mean_field_groups", "mean_field_optimizer"]


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="isthmus.* Dta"):
        isthmus.Dta  # noqa: B018
    assert not hasattr(isthmus, "numpy")


def test_errors_are_ours_and_the_builtin_ones():
    assert issubclass(isthmus.ArgumentError, isthmus.IsthmusError) and issubclass(isthmus.ArgumentError, ValueError)
    assert issubclass(isthmus.ArgumentTypeError, isthmus.IsthmusError)
    assert issubclass(isthmus.ArgumentTypeError, TypeError)
    assert issubclass(isthmus.NumericalError, isthmus.IsthmusError)
    assert issubclass(isthmus.NumericalError, ArithmeticError)
    assert issubclass(isthmus.StudyFileError, isthmus.IsthmusError) and issubclass(isthmus.StudyFileError, OSError)
    assert issubclass(isthmus.TrivialLimitWarning, UserWarning)
    assert issubclass(isthmus.InterruptedWarning, UserWarning)
    assert issubclass(isthmus.ColumnWarning, UserWarning)


def test_status_raises_only_on_failure():
    isthmus.Status().raise_if_failed()
    with pytest.raises(isthmus.NumericalError, match="too stiff"):
        isthmus.Status(ok=False, message="too stiff").raise_if_failed()


def test_what_is_public_is_documented():
    assert undocumented(PUBLIC) == []
    assert undocumented([f"torch.{name}" for name in isthmus.torch.__all__]) == []


def shown() -> dict[str, Shown]:
    """Return what stands in `isthmus.show`, by the public class and the name there."""
    classes = [getattr(isthmus, name) for name in PUBLIC if inspect.isclass(getattr(isthmus, name))]
    parts = ((one, name, part) for one in classes for base in one.__mro__ for name, part in vars(base).items())
    return {f"{one.__name__}.{name}": part for one, name, part in parts if isinstance(part, Shown)}


def test_plots_are_found_and_documented():
    assert len(shown()) > 15
    for name, part in shown().items():
        [node] = ast.parse(inspect.getsource(inspect.unwrap(part.function))).body
        assert isinstance(node, ast.FunctionDef) and ast.get_docstring(node), name
        assert _missing_of(name, node) == []
        assert name.endswith((".figures", ".report")) or "ax" in inspect.signature(part.function).parameters


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("def name(one):\n    'Do it.'", "name has no example"),
        ("def name(one, two):\n    'Do ``one``.\\n\\nExample:\\n    >>> 1'", "name says nothing of two"),
        ("def name():\n    'Do.\\n\\nExample:\\n    >>> 1'\n    raise OSError", "name does not say what it raises"),
    ],
)
def test_what_a_docstring_lacks_is_found(code, complaint, monkeypatch):
    [node] = ast.parse(code).body
    found = facts.Place(ROOT / "name.py", 1, ast.get_docstring(node), node)
    monkeypatch.setattr(facts, "public_place", lambda name: found)
    assert undocumented(["name"]) == [complaint]


HEAVY = (
    "dynamics.results",
    "estimator.diagnosis",
    "studies.bottleneck_result",
    "studies.expressivity_result",
    "studies.prediction_result",
    "studies.tracking_result",
    "studies.width_result",
    "studies.width_search",
    "theory.best_network",
    "theory.coupling",
    "theory.expressivity",
    "theory.finite_width",
    "theory.finite_width_law",
    "theory.control",
    "theory.observed_law",
    "theory.optimum",
)
"""Modules whose examples compile a lot run with the slow tests; what they show is tested elsewhere too."""

WITH_TORCH = {"isthmus.imports.from_torch", "isthmus.torch"}
"""Modules whose examples need torch, which the tests do without."""


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(module, marks=[pytest.mark.slow] if module.removeprefix("isthmus.") in HEAVY else [])
        for module in _modules_with_examples()
    ],
)
def test_docstring_examples_run(module):
    if module in WITH_TORCH:
        pytest.importorskip("torch")
    failed, attempted = doctest.testmod(importlib.import_module(module))
    assert attempted > 0 and failed == 0


def test_heavy_modules_have_examples():
    assert {f"isthmus.{module}" for module in HEAVY} <= set(_modules_with_examples())
