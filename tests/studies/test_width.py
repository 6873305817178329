"""The recommended width: the smallest one by the law, and true when networks are trained."""

import dataclasses
import json

import numpy as np
import pytest
from commands import refused, run

import isthmus as im

OPTIONS = {"horizon": 4.0, "records": 4, "runs": 200, "particles": 512, "seed": 1}


@pytest.fixture(scope="module")
def wine():
    data = im.load_data("wine", max_points=60)
    return im.Problem(data, im.aligned_law(data, 1))


@pytest.fixture(scope="module")
def found(wine):
    return im.recommend_width(wine, 0.02, **OPTIONS)


@pytest.mark.slow
def test_it_is_the_smallest_width_of_the_law_and_runs_agree(found):
    assert found.width > 64
    assert found.recommended.predicted_quantile <= 0.02 < found.half.predicted_quantile
    assert found.confirmed
    assert found.recommended.lower <= 0.9 <= found.recommended.upper + 1e-9
    assert found.half.within < found.recommended.within
    for one in (found.recommended, found.half):  # 200 runs know a quantile to a twentieth or so
        assert one.measured_quantile == pytest.approx(one.predicted_quantile, rel=0.2)


@pytest.mark.slow
def test_steps_and_batches_enter(wine, found):
    noisy = im.recommend_width(wine, 0.02, step_size=0.125, batch_size=2, **OPTIONS)
    assert noisy.width > found.width and noisy.confirmed
    with pytest.raises(im.NumericalError, match="no width brings the sup-gap within 0.001"):
        im.recommend_width(wine, 0.001, step_size=0.2, batch_size=1, **OPTIONS)


@pytest.mark.slow
def test_what_is_said_follows_the_numbers(found):
    assert found.verdicts()[0].startswith(f"N={found.width}: the smallest width at which 90 % of networks")
    failed = dataclasses.replace(found, recommended=dataclasses.replace(found.recommended, upper=0.5))
    assert not failed.confirmed and any("do not confirm" in verdict for verdict in failed.verdicts())


@pytest.mark.slow
def test_points_alone_will_do():
    X = np.random.default_rng(0).standard_normal((40, 3)) * [3.0, 1.0, 0.3]
    found = im.recommend_width(X, 0.05, latent_dim=1, horizon=1.0, records=1, runs=2, particles=64)
    assert found.width >= 32 and found.batch_size is None


@pytest.mark.slow
def test_the_command_prints_it(tmp_path):
    flags = ("--data", "wine", "--max-points", "60", "--latent-dim", "1", "--tolerance", "0.02", "--horizon", "4")
    tiny = (*flags, "--set", "records=4", "--runs", "4", "--set", "particles=128", "--seed", "1", "--quiet")
    outcome = run("width", *tiny, "--json", folder=tmp_path)
    assert outcome.code == 0 and json.loads(outcome.out)["width"] > 64
    words = " ".join(run("width", *tiny, folder=tmp_path).out.split())
    assert "the smallest width at which 90 % of networks are predicted" in words
    assert "'tolerance' must be" in refused("width", "--tolerance", "0", folder=tmp_path)
    assert not list(tmp_path.iterdir())
