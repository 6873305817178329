"""The predicted law inside a study: its numbers are the law's, and the verdict is decided by the statistic it names."""

import numpy as np
import pytest
import xarray as xr

import isthmus as im
from isthmus.studies import prediction
from isthmus.studies.prediction import agreement, agreement_verdicts, law_tables


@pytest.fixture(scope="module")
def study():
    return im.TrackingStudy(
        data={"source": "wine"},
        widths=[16, 64],
        step_sizes=[0.25],
        horizon=2.0,
        records=4,
        runs=4,
        flow_runs=2,
        particles=64,
        law_particles=64,
        law_samples=8,
    )


@pytest.fixture(scope="module")
def predicted(study):
    return im.predict(study)


def test_numbers_are_those_of_the_law(study, predicted):
    network = predicted.law.at(64, 0.25, 8)
    here = predicted.dataset.sel(width=64, step_size=0.25)
    np.testing.assert_array_equal(here.predicted_std, network.std)
    np.testing.assert_array_equal(here.predicted_mean, network.mean)
    np.testing.assert_array_equal(here.source_std.sel(source="decoder"), network.source_std("decoder"))
    assert float(here.predicted_gap_quantile.sel(level=0.9)) == network.gap_quantile(0.9)
    assert predicted.quantile(16, 0.0) == predicted.law.gap_quantile(0.9, 16)
    assert float(here.shift_ratio) == network.shift_ratio


@pytest.mark.slow
def test_a_study_holds_the_same_prediction_beside_its_runs(study, predicted):
    result = im.track(study)
    for name in ("predicted_std", "predicted_gap_quantile", "encoder_influence", "point_influence"):
        xr.testing.assert_identical(result.dataset[name].reset_coords(drop=True), predicted.dataset[name])
    assert len(agreement_verdicts(result.dataset, 0.9)) >= 1
    plain = im.track(study.model_copy(update={"predict": False}))
    assert "predicted_std" not in plain.dataset and agreement_verdicts(plain.dataset, 0.9) == []


def test_runs_from_the_law_agree_and_others_do_not(study, predicted):
    """Gaps drawn from the predicted law itself pass; gaps half as large again fail."""
    random = np.random.default_rng(0)
    draw = lambda network, count: random.choice(network.gaps, count)
    gap = np.stack([[draw(predicted.law.at(n, 0.25, 8), 64)] for n in study.widths])
    flow_gap = np.stack([draw(predicted.law.at(n), 64) for n in study.widths])
    tables = law_tables(study, predicted.law)
    for factor, word in ((1.0, "agrees"), (1.5, "does not agree")):
        found = agreement(tables, factor * gap, factor * flow_gap)
        data = predicted.dataset.assign(found)
        quantile = np.quantile(factor * gap, predicted.dataset.level, axis=-1)[..., None]
        data["gap_quantile"] = ("level", "width", "step_size", "bound"), quantile
        data = data.assign_coords(bound=["estimate"])
        assert f"alone {word} with the runs" in agreement_verdicts(data, 0.9)[0]


def test_why_not_names_what_stands_in_the_way():
    data = im.load_data("wine")
    assert prediction.why_not(im.Problem(data, im.aligned_law(data, 2))) is None
    relu = im.Problem(data, im.aligned_law(data, 2, activation="relu"), "relu")
    assert prediction.why_not(relu) == "the slope of relu jumps"
    with pytest.warns(im.TrivialLimitWarning):
        dead = im.Problem(data, im.independent_law(13, 2))
    assert prediction.why_not(dead) == "its limit is trivial"


def test_a_number_of_particles_that_is_no_power_of_2_is_refused():
    with pytest.raises(im.ArgumentError, match="'law_particles' must be a power of 2"):
        im.TrackingStudy(law_particles=100)
