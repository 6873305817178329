"""The examples run, and do what their first lines promise: in short here, in full with the slow tests."""

import re
import time

import numpy as np
import pytest
from example_scripts import EXAMPLES, example


def test_every_example_is_run():
    others = {"digits", "limit", "mnist", "pipeline", "table", "torch_widths"}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == CLAIMS.keys() | others


@pytest.mark.slow
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


@pytest.mark.slow
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
    said = capsys.readouterr().out
    assert re.search(r"Use (the network with k = \d|PCA with \d components?): its risk on held-out points is", said)
    assert f"At the recommended width N = {model.width:,}," in said


@pytest.mark.slow
def test_mnist_in_short(tmp_path):
    model = example("mnist").main(tmp_path, width=128)
    assert model.encoder_.inputs == 784 and model.risk_ < model.pca_risk_


@pytest.mark.slow
def test_mnist_in_full_takes_less_than_half_a_minute_of_two_cores(tmp_path):
    """In processor time, which doesn't depend on what else the machine does."""
    begin = time.process_time()
    model = example("mnist").main(tmp_path)
    assert time.process_time() - begin < 60
    assert model.risk_ < 0.8 * model.pca_risk_


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


def falls_as(values, widths):
    """Return the exponent with which values fall."""
    return np.polyfit(np.log(widths), np.log(values), 1)[0]


def pays_for_its_width(found):
    """No network is better than the optimum, and those drawn from it pay an excess that falls as 1/N."""
    table, optimum = found.dataset, found.dataset.attrs
    excess = (table.drawn_risk.sel(kind="both").mean("draw") - optimum["risk"]).sel(width=slice(4, None))
    no_better = (table.best_objective >= optimum["objective"] * (1 - 1e-3)).all()
    return no_better and abs(falls_as(excess.values, excess.width.values) + 1) < 0.3


def approaches_its_limit(found):
    """The sup-gap of gradient flows falls as N^−1/2, within the error of few runs."""
    gaps = found.dataset.flow_gap.median("flow_run")
    return abs(falls_as(gaps.values, gaps.width.values) + 0.5) < 0.2


CLAIMS = {
    "anomalies": ({"width": 32}, lambda area: area > 0.9),
    "coupling": ({"widths": (32, 64, 256), "runs": 4}, lambda exponent: abs(exponent + 1) < 0.3),
    "exact": ({"tolerances": (1e-3, 1e-5)}, lambda found: found[1, 0] < 0.1 * found[0, 0]),
    "missing": ({"shares": (0.3,), "width": 32}, lambda errors: errors[0, 0] < 0.9 * errors[0, 1]),
    "neurons": ({"particles": 64, "horizon": 4.0}, lambda path: path.risk[1] < 0.9 * path.risk[0]),
    "optimizers": ({"width": 64, "runs": 4}, lambda gaps: max(gaps.values()) < 0.02),
    "optimum": ({"draws": 20, "trainings": 2}, pays_for_its_width),
    "resizing": ({"horizon": 4.0}, lambda one: one[512].risk_after < 1.01 * one[32].risk_after < one[32].drawn_risk),
    "saddle": ({"runs": 4}, lambda saddle: saddle.trivial and saddle.growth_rate > 0),
    "stream": ({"runs": 4, "particles": 64}, lambda gaps: gaps[0] <= 1.5 * gaps[1]),
    "tracking": ({"runs": 8, "particles": 128}, approaches_its_limit),
}  # fmt: skip
"""Examples with options that make them cheaper, and what must be so of what they return."""


@pytest.mark.slow
@pytest.mark.parametrize("name", CLAIMS)
def test_a_picture_is_drawn_and_what_it_claims_is_so(name, tmp_path):
    options, holds = CLAIMS[name]
    assert holds(example(name).main(tmp_path, **options))
    pictures = list(tmp_path.glob("*.png"))
    assert pictures and all(one.read_bytes().startswith(b"\x89PNG") for one in pictures)
