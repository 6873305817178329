"""The examples run, and do what their first lines promise: in short here, in full with the slow tests."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def test_every_example_is_run():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {"digits", "limit", "table", "pipeline", "mnist"}


def test_digits(tmp_path, capsys):
    model = example("digits")(tmp_path)
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")
    assert model.risk_ < 0.6 * model.pca_risk_  # twice as much of the variance as PCA, or nearly
    assert "on images held out" in capsys.readouterr().out


@pytest.mark.slow
def test_limit(tmp_path, capsys):
    law = example("limit")(tmp_path, particles=128, runs=8)
    assert (tmp_path / "limit.png").read_bytes().startswith(b"\x89PNG")
    width = int(capsys.readouterr().out.split("N = ")[-1].split(" ")[0].replace(",", ""))
    assert law.gap_quantile(0.9, width, 0.1, 8) <= 0.01 < law.gap_quantile(0.9, width - 1, 0.1, 8)


def test_pipeline():
    search = example("pipeline")(dims=(2,), width=16)
    assert search.best_score_ > 0.85


@pytest.mark.slow
def test_pipeline_in_full():
    assert example("pipeline")().best_score_ > 0.9


@pytest.mark.slow
def test_table(capsys):
    model = example("table")()
    assert model.risk_ < model.pca_risk_
    assert "suggested" in capsys.readouterr().out


@pytest.mark.slow
def test_mnist_in_short():
    model = example("mnist")(width=128, max_time=10.0)
    assert model.encoder_.inputs == 784 and model.risk_ < model.pca_risk_


@pytest.mark.slow
def test_mnist_in_full_takes_less_than_half_a_minute(capsys):
    model = example("mnist")()
    assert model.risk_ < 0.8 * model.pca_risk_
    assert int(capsys.readouterr().out.split("N=512: ")[1].split(" s")[0]) < 30
