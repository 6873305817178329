"""The examples run, and do what their first lines promise: in short here, in full with the slow tests."""

import numpy as np
import pytest
from example_scripts import EXAMPLES, example


def test_every_example_is_run():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {
        "digits", "limit", "mnist", "pipeline", "table", "torch_widths",
    }  # fmt: skip


def test_digits(tmp_path, capsys):
    model = example("digits").main(tmp_path)
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")
    assert model.risk_ < 0.6 * model.pca_risk_  # twice as much of the variance as PCA, or nearly
    assert "on images held out" in capsys.readouterr().out


@pytest.mark.slow
def test_limit(tmp_path, capsys):
    law = example("limit").main(tmp_path, particles=128, runs=8)
    assert (tmp_path / "limit.png").read_bytes().startswith(b"\x89PNG")
    width = int(capsys.readouterr().out.split("N = ")[-1].split(" ")[0].replace(",", ""))
    assert law.gap_quantile(0.9, width, 0.1, 8) <= 0.01 < law.gap_quantile(0.9, width - 1, 0.1, 8)


def test_pipeline(tmp_path):
    search = example("pipeline").main(tmp_path, dims=(2,), width=16)
    assert search.best_score_ > 0.85


@pytest.mark.slow
def test_pipeline_in_full(tmp_path):
    assert example("pipeline").main(tmp_path).best_score_ > 0.9


@pytest.mark.slow
def test_table(tmp_path, capsys):
    model = example("table").main(tmp_path)
    assert model.risk_ < model.pca_risk_
    assert "suggested" in capsys.readouterr().out


@pytest.mark.slow
def test_mnist_in_short(tmp_path):
    model = example("mnist").main(tmp_path, width=128, max_time=10.0)
    assert model.encoder_.inputs == 784 and model.risk_ < model.pca_risk_


@pytest.mark.slow
def test_mnist_in_full_takes_less_than_half_a_minute(tmp_path, capsys):
    model = example("mnist").main(tmp_path)
    assert model.risk_ < 0.8 * model.pca_risk_
    assert int(capsys.readouterr().out.split("N=512: ")[1].split(" s")[0]) < 30


@pytest.mark.slow
def test_torch_widths(tmp_path):
    """The best step size is the same at every width in the mean-field groups, to a factor of 2, and moves without."""
    pytest.importorskip("torch")
    torch_widths = example("torch_widths")
    risks = torch_widths.main(tmp_path, runs=2)
    best = {way: torch_widths.STEP_SIZES[way][found.argmin(axis=1)] for way, found in risks.items()}
    moved = {way: sizes.max() / sizes.min() for way, sizes in best.items()}
    assert moved["mean-field groups"] <= 2 and moved["one learning rate"] >= 4
    ours, usual = risks["mean-field groups"], risks["one learning rate"]
    carried = ours[-1, ours[0].argmin()] / ours[-1].min()
    assert carried < 1.05 and usual[-1, usual[0].argmin()] == np.inf
