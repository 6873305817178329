"""The shelf of public names: what stands on it, that it loads, and that its examples run."""

import ast
import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import isthmus

ROOT = Path(isthmus.__file__).parent
PUBLIC = [
    "__version__",
    "ACTIVATIONS",
    "Activation",
    "Adam",
    "ArgumentError",
    "ArgumentTypeError",
    "Autoencoder",
    "BottleneckResult",
    "BottleneckStudy",
    "Certificate",
    "Coupling",
    "Data",
    "Diagnosis",
    "Expressivity",
    "ExpressivityResult",
    "ExpressivityStudy",
    "FiniteWidthLaw",
    "GaussianNeurons",
    "GradientDescent",
    "IsthmusError",
    "Law",
    "MeanFieldAutoencoder",
    "MeanFieldPath",
    "Momentum",
    "NeuronMeasure",
    "NumericalError",
    "Optimum",
    "Prediction",
    "PredictionResult",
    "PredictionStudy",
    "Problem",
    "Resized",
    "Saddle",
    "SampledNeurons",
    "Status",
    "Stream",
    "StudyFileError",
    "TrackingResult",
    "TrackingStudy",
    "TrainingRuns",
    "TrivialLimitWarning",
    "WidthResult",
    "WidthStudy",
    "WorkerError",
    "aligned_law",
    "best_networks",
    "bottleneck_curve",
    "couple",
    "expressivity",
    "expressivity_curve",
    "find_width",
    "gaussian_stream",
    "gradient_flow",
    "independent_law",
    "intrinsic_dimension",
    "linear_closure",
    "load_data",
    "load_result",
    "manifold_stream",
    "predict",
    "predict_finite_width",
    "recommend_width",
    "recorded_times",
    "resize",
    "saddle",
    "solve_mean_field",
    "solve_optimum",
    "track",
    "train",
]
WITHOUT_EXAMPLE = {
    "Resized",
    "WidthResult",
    "BottleneckResult",
    "Certificate",
    "Diagnosis",
    "Expressivity",
    "ExpressivityResult",
    "Optimum",
    "Coupling",
    "FiniteWidthLaw",
    "MeanFieldPath",
    "Prediction",
    "PredictionResult",
    "Saddle",
    "Status",
    "TrackingResult",
    "TrainingRuns",
}
"""What is returned or raised, never made by hand."""


def _documented() -> list[str]:
    named = {name: getattr(isthmus, name) for name in PUBLIC}
    return [
        name
        for name, value in named.items()
        if (inspect.isclass(value) or inspect.isfunction(value))
        and name not in WITHOUT_EXAMPLE
        and not (inspect.isclass(value) and issubclass(value, BaseException))
    ]


def _modules_with_examples() -> list[str]:
    paths = [path for path in sorted(ROOT.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]
    return [".".join(("isthmus", *path.relative_to(ROOT).with_suffix("").parts)) for path in paths]


def test_the_public_names_are_these():
    assert isthmus.__all__ == PUBLIC


def test_homes_agree_with_the_imports_for_type_checkers():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imported = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom) and node.module
        assert all(alias.asname is None for alias in node.names)
        imported[node.module.removeprefix("isthmus.")] = tuple(alias.name for alias in node.names)
    assert imported == isthmus._HOMES


@pytest.mark.parametrize("name", PUBLIC)
def test_name_resolves_at_its_home(name):
    value = getattr(isthmus, name)
    assert value is getattr(isthmus, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__module__ == f"isthmus.{isthmus._HOME_OF[name]}"
        assert value.__name__ == name


def test_dir_lists_the_public_names():
    assert dir(isthmus) == sorted(PUBLIC)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'isthmus' has no attribute 'Dta'"):
        isthmus.Dta  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]
    assert not hasattr(isthmus, "numpy")


def test_errors_are_ours_and_the_builtin_ones():
    assert issubclass(isthmus.ArgumentError, isthmus.IsthmusError) and issubclass(isthmus.ArgumentError, ValueError)
    assert issubclass(isthmus.ArgumentTypeError, isthmus.IsthmusError)
    assert issubclass(isthmus.ArgumentTypeError, TypeError)
    assert issubclass(isthmus.NumericalError, isthmus.IsthmusError)
    assert issubclass(isthmus.NumericalError, ArithmeticError)
    assert issubclass(isthmus.StudyFileError, isthmus.IsthmusError) and issubclass(isthmus.StudyFileError, OSError)
    assert issubclass(isthmus.TrivialLimitWarning, UserWarning)


def test_status_raises_only_on_failure():
    isthmus.Status().raise_if_failed()
    with pytest.raises(isthmus.NumericalError, match="too stiff"):
        isthmus.Status(ok=False, message="too stiff").raise_if_failed()


@pytest.mark.parametrize("name", _documented())
def test_docstring_has_an_example(name):
    text = inspect.getdoc(getattr(isthmus, name)) or ""
    _, separator, example = text.partition("Example:\n")
    assert separator and ">>> " in example


def _heavy_ones_apart(modules):
    """Examples that compile a lot run with the slow tests: what they show is tested elsewhere too."""
    heavy = (
        "studies.bottleneck_result",
        "studies.expressivity_result",
        "studies.prediction",
        "studies.tracking_result",
        "studies.width",
        "theory.best_network",
        "theory.coupling",
        "theory.expressivity",
        "theory.finite_width",
        "theory.optimum",
    )
    marks = lambda module: [pytest.mark.slow] if module.removeprefix("isthmus.") in heavy else []
    return [pytest.param(module, marks=marks(module)) for module in modules]


@pytest.mark.parametrize("module", _heavy_ones_apart(_modules_with_examples()))
def test_docstring_examples_run(module):
    failed, attempted = doctest.testmod(importlib.import_module(module))
    assert attempted > 0 and failed == 0
