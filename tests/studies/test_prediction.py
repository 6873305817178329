"""The prediction study: its numbers are the law's, its words follow from them, and runs agree where they should."""

import json

import numpy as np
import pytest
import xarray as xr

import isthmus as im
from isthmus.show.pages import result_page
from isthmus.show.report import render_page
from isthmus.studies.agreement import agreement, agreement_verdicts
from isthmus.studies.prediction import law_tables
from isthmus.studies.prediction_study import PredictionJobs
from isthmus.studies.store import save_result

SETTINGS = {
    "data": {"source": "wine"},
    "widths": [16, 64],
    "step_sizes": [0.25],
    "horizon": 2.0,
    "records": 4,
    "particles": 64,
    "law_particles": 64,
    "law_samples": 8,
}


@pytest.fixture(scope="module")
def study():
    return im.PredictionStudy(**SETTINGS, tolerance=0.02)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("prediction") / "out"


@pytest.fixture(scope="module")
def predicted(study, folder):
    return im.predict(study, folder=folder)


def words(result):
    return "\n".join([result.answer(), *result.verdicts()])


def test_numbers_are_those_of_the_law(predicted):
    network = predicted.law.at(64, 0.25, 8)
    here = predicted.dataset.sel(width=64, step_size=0.25)
    np.testing.assert_array_equal(here.predicted_std, network.std)
    np.testing.assert_array_equal(here.predicted_mean, network.mean)
    np.testing.assert_array_equal(here.source_std.sel(source="decoder"), network.source_std("decoder"))
    assert float(here.predicted_gap_quantile.sel(level=0.9)) == network.gap_quantile(0.9)
    assert predicted.quantile(16, 0.0) == predicted.law.gap_quantile(0.9, 16)
    assert float(here.shift_ratio) == network.shift_ratio
    table = predicted.dataset.candidate_gap_quantile.sel(candidate=64)
    assert table.values.tolist() == [predicted.quantile(64, 0.0), predicted.quantile(64, 0.25)]
    assert float(predicted.dataset.limit_gap_quantile.sel(dynamics=0.25)) == predicted.law.gap_quantile(
        0.9, np.inf, 0.25, 8
    )


def test_widths_are_the_smallest_within_the_tolerance(predicted):
    for (step_size, batch_size), answer in zip(predicted.study.dynamics, predicted.widths_for(), strict=True):
        width = answer["width"]
        quantile = lambda n, network=(step_size, batch_size): predicted.law.gap_quantile(0.9, n, *network)
        assert answer["step_size"] == step_size and quantile(width) <= 0.02 < quantile(width - 1)
        assert int(predicted.dataset.wide_enough.sel(dynamics=step_size)) == width
        assert f"for gradient flow, it is N = {width:,}." in words(predicted) or step_size > 0
        assert predicted.answer().startswith(f"N = {width:,} is the smallest width") or step_size == 0
    halving = int(predicted.dataset.halving_width)
    assert predicted.law.gap_quantile(0.9, halving, 0.25, 8) <= predicted.quantile(64, 0.25) / 2


def test_the_answer_without_a_tolerance_is_the_gap_of_the_widest_network(predicted):
    study = predicted.study.model_copy(update={"tolerance": None})
    plain = im.PredictionResult(study, predicted.dataset.drop_vars("wide_enough"))
    gap = float(predicted.dataset.predicted_gap_quantile.sel(width=64, step_size=0.25, level=0.9))
    assert plain.answer() == (
        f"90\xa0% of networks with N = 64 are predicted to stay within {gap:#.3g} of the mean-field risk up to t = 2 "
        "(SGD with step size 0.25 and batches of 8)."
    )
    assert plain.widths_for() == [] and "smallest width" not in words(plain)


def test_no_width_is_said_with_its_reason(predicted):
    none = predicted.dataset.copy(deep=True)
    none["wide_enough"][:] = 0
    none["halving_width"] = 0
    study = predicted.study.model_copy(update={"tolerance": 1e-4})
    result = im.PredictionResult(study, none)
    alone = float(none.limit_gap_quantile.sel(dynamics=0.25))
    assert result.answer().startswith("No width is predicted to keep 90\xa0% of networks within 0.0001")
    assert f"steps and batches alone make a sup-gap of {alone:#.3g}." in result.answer()
    flow, sgd = result.widths_for()
    assert "for gradient flow, there is none, since it would take more than" in words(result)
    assert flow["width"] is None and "more than 1,099,511,627,776 neurons" in flow["why"]
    assert sgd["why"] == f"steps and batches alone make a sup-gap of {alone:#.3g}"


def test_a_folder_answers_without_the_law(predicted, folder):
    loaded = im.load_result(folder)
    assert isinstance(loaded, im.PredictionResult) and loaded.law is None
    xr.testing.assert_identical(loaded.dataset.load(), predicted.dataset)
    assert loaded.summary() == predicted.summary()
    json.dumps(loaded.summary(), allow_nan=False)
    assert predicted.widths_for(0.03)[0]["width"] == predicted.law.width_for(0.03, 0.9)
    with pytest.raises(
        im.ArgumentError, match="'tolerance' must be that of the study, 0.02, for a result from a folder"
    ):
        loaded.widths_for(0.03)


@pytest.mark.slow
def test_what_was_killed_goes_on_to_the_same_bytes(study, predicted, folder, tmp_path, monkeypatch):
    work, done = PredictionJobs.result, []

    def mortal(self, job, *rest):
        if job.name == "law":
            done.append(job.name)
            if len(done) == 1:
                raise KeyboardInterrupt
        return work(self, job, *rest)

    monkeypatch.setattr(PredictionJobs, "result", mortal)
    with pytest.raises(KeyboardInterrupt):
        im.predict(study, folder=tmp_path / "out")
    assert [path.stem for path in (tmp_path / "out" / "jobs").glob("[!.]*.npz")] == ["path"]
    im.predict(study, folder=tmp_path / "out", resume=True)
    assert done == ["law", "law"]
    assert (tmp_path / "out" / "results.nc").read_bytes() == (folder / "results.nc").read_bytes()


def test_forged_numbers_are_refused(study, predicted, tmp_path):
    forged = predicted.dataset.assign(candidate_gap_quantile=predicted.dataset.candidate_gap_quantile * np.nan)
    save_result(tmp_path / "out", im.PredictionResult(study, forged))
    with pytest.raises(im.StudyFileError, match="'candidate_gap_quantile' holds a number that is not finite"):
        im.load_result(tmp_path / "out")


def test_the_page_answers_its_question_first(predicted):
    written = result_page(predicted)
    assert written.answer == predicted.answer() and list(written.findings) == predicted.verdicts()
    assert written.lead.name == "predicted_gaps"
    assert [plate.name for plate in written.plates][1:] == ["predicted_curves", "sources", "influence"]
    assert "How wide must a network be" in render_page(written)


def test_a_tracking_study_is_predicted_too(predicted):
    """Its file is that of a prediction, and what concerns its runs changes nothing."""
    result = im.predict(im.TrackingStudy(**SETTINGS, runs=4, flow_runs=2))
    assert result.study.tolerance is None and result.study.runs == 4
    xr.testing.assert_equal(result.dataset, predicted.dataset.drop_vars("wide_enough"))
    with pytest.raises(im.ArgumentTypeError, match="'study' must be"):
        im.predict("study.toml")


@pytest.mark.slow
def test_a_study_holds_the_same_prediction_beside_its_runs(predicted):
    study = im.TrackingStudy(**SETTINGS, runs=4, flow_runs=2)
    result = im.track(study)
    for name in ("predicted_std", "predicted_gap_quantile", "encoder_influence", "point_influence"):
        xr.testing.assert_identical(result.dataset[name].reset_coords(drop=True), predicted.dataset[name])
    assert len(agreement_verdicts(result.dataset, 0.9)) >= 1
    plain = im.track(study.model_copy(update={"predict": False}))
    assert "predicted_std" not in plain.dataset and agreement_verdicts(plain.dataset, 0.9) == []


def test_runs_from_the_law_agree_and_others_do_not(study, predicted):
    """Gaps drawn from the predicted law itself pass; gaps half as large again fail."""
    random, draws = np.random.default_rng(0), law_tables(study, predicted.law)["draws"]
    gaps = {
        name: np.apply_along_axis(lambda ordered: random.choice(ordered, 64), -1, draws[name])
        for name in ("gap", "flow_gap")
    }
    for factor, word in ((1.0, "fits"), (1.5, "does not fit")):
        data = predicted.dataset.assign(agreement(draws, {name: factor * gap for name, gap in gaps.items()}))
        for name, gap in gaps.items():
            dims = ("level", *predicted.dataset[f"predicted_{name}_quantile"].dims[1:], "bound")
            data[f"{name}_quantile"] = dims, np.quantile(factor * gap, data.level, axis=-1)[..., None]
        data = data.assign_coords(bound=["estimate"])
        assert f"alone {word} the runs" in agreement_verdicts(data, 0.9)[0]


def test_a_problem_says_why_its_networks_have_no_predicted_law():
    data = im.load_data("wine")
    assert im.Problem(data, im.aligned_law(data, 2)).unpredictable_because is None
    relu = im.aligned_law(data, 2, activation="relu")
    assert im.Problem(data, relu, "relu", optimizer=im.Momentum(0.5)).unpredictable_because is None
    with pytest.warns(im.TrivialLimitWarning):
        dead = im.Problem(data, im.independent_law(13, 2))
    assert dead.unpredictable_because == "one whose mean-field limit is trivial"


def test_a_number_of_particles_that_is_no_power_of_2_is_refused():
    with pytest.raises(im.ArgumentError, match="'law_particles' must be a power of 2"):
        im.TrackingStudy(law_particles=100)
