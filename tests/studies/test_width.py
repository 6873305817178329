"""The width study: the smallest width by the law, true when networks are trained, and every word by its numbers."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from commands import refused, run
from scipy.stats import beta, binom

import isthmus as im
from isthmus.show.pages import result_page
from isthmus.show.report import render_page
from isthmus.studies.store import save_result
from isthmus.studies.width import WidthJobs, WidthStudy, share_within

OPTIONS = {"horizon": 4.0, "records": 4, "runs": 200, "particles": 512, "seed": 1}
WINE = {"data": {"source": "wine", "max_points": 60}, "law": {"latent_dim": 1}}
WIDTHS = (45, 22)
RESULTS = "results.nc"


@pytest.fixture(scope="module")
def small():
    """A study whose problem is built once, for numbers that are made up."""
    return WidthStudy(**WINE, tolerance=0.01, runs=64, records=4, horizon=4.0)


def made_up(study, inside=(62, 40), *, widths=WIDTHS, enough=None, ratio=(0.1, 0.2), error=1e-4, start=0.5):
    """Return the result of networks so many of which stay within the tolerance, assembled as that of a study is."""
    times, random = study.times, np.random.default_rng(0)
    limit = np.linspace(0.4, 0.3, len(times))
    risks = []
    for count in inside:
        sups = np.append(random.uniform(0.1, 0.9, count), random.uniform(1.1, 3.0, study.runs - count))
        shape = np.full(len(times), 0.5)
        shape[0], shape[2] = start, 1.0
        risks.append(limit + study.tolerance * sups[:, None] * shape)
    variables = {
        "width": np.array(widths),
        "predicted_gap_quantile": np.array([0.0098, 0.014]),
        "predicted_mean": np.array([limit, limit]),
        "predicted_std": np.full((2, len(times)), 0.004),
        "shift_ratio": np.array(ratio),
        "candidate_gap_quantile": np.array([0.02, 0.014, 0.0098, 0.005]),
    }
    law = {
        "wide_enough": widths[0] if enough is None else enough,
        "candidate": np.array([11, *sorted(widths), 180]),
        "variables": variables,
    }
    path = SimpleNamespace(times=times, risk=limit, risk_error=np.full(len(times), error))
    jobs = WidthJobs(study)
    starts = {job.name: job for job in jobs.jobs() if job.name not in ("path", "law")}
    results = {"path": path, "law": law}
    for name, job in starts.items():
        role, first = name.split("-")
        rows = risks[("recommended", "half").index(role)]
        results[name] = rows[int(first) : int(first) + job.units]
    return im.WidthResult(study, jobs.dataset(results))


def text_of(result):
    return "\n".join([result.answer(), *result.verdicts()])


def test_the_answer_is_that_of_the_numbers(small):
    result = made_up(small)
    gaps = np.abs(result.dataset.risk - result.dataset.mean_field_risk).max("time")
    inside = (gaps <= 0.01).sum("run").values
    assert inside.tolist() == [62, 40]
    lower, upper = beta.ppf([0.025, 0.975], [62, 63], [3, 2])  # Clopper and Pearson, by the beta distribution
    np.testing.assert_allclose(result.dataset.within.sel(role="recommended"), [62 / 64, lower, upper])
    assert result.answer() == (
        "At the recommended width N = 45, 62 of 64 networks stay within 0.01 of the mean-field risk up to t = 4 "
        f"(97\xa0%, 95\xa0% CI {100 * lower:.0f} to {100 * upper:.0f}\xa0%)."
    )
    assert "At half the width (N = 22), 40 of 64 do (62\xa0%" in text_of(result)


def test_quantiles_are_said_with_the_interval_of_the_dataset(small):
    result = made_up(small)
    value, lower, upper = result.dataset.gap_quantile.sel(role="recommended").values
    assert lower < value < upper
    [sentence] = [verdict for verdict in result.verdicts() if verdict.startswith("At N = 45 the 90")]
    said = [float(number) for number in re.findall(r"0\.\d+", sentence)]
    np.testing.assert_allclose(said, [value, lower, upper, 0.0098], rtol=5e-3)


@pytest.mark.parametrize(
    ("inside", "confirmed", "words"),
    [
        (64, True, "More than 90\xa0% of networks stay within the tolerance: the whole interval lies above."),
        (58, True, "The interval contains the 90\xa0% that were predicted."),
        (51, False, "The networks contradict the prediction that 90\xa0% stay within the tolerance"),
        (0, False, "The networks contradict the prediction"),
    ],
)
def test_a_width_is_confirmed_where_the_interval_reaches_the_share_asked_for(small, inside, confirmed, words):
    result = made_up(small, (inside, 0))
    assert result.confirmed is confirmed and any(verdict.startswith(words) for verdict in result.verdicts())
    upper = beta.ppf(0.975, inside + 1, 64 - inside) if inside < 64 else 1.0
    assert confirmed == (upper >= 0.9)
    assert confirmed == result.answer().startswith("At the recommended width")
    assert confirmed != ("take a wider network" in result.answer())


def test_networks_beside_their_prediction_are_said_and_files_without_them_are_read(small):
    result = made_up(small)
    quantiles = np.array([[0.0095, 0.0093, 0.0097], [0.015, 0.014, 0.016]])
    more = im.WidthResult(small, result.dataset.assign(controlled_gap_quantile=(("role", "bound"), quantiles)))
    assert result.recommended.controlled_quantile is None and "beside their prediction" not in text_of(result)
    assert more.recommended.controlled_quantile.for_json() == quantiles[0].tolist()
    assert more.summary()["half"]["controlled_quantile"] == quantiles[1].tolist()
    assert "by 16 networks beside their prediction" in text_of(more) and "0.0095" in text_of(more)
    json.dumps(more.summary(), allow_nan=False)


def test_few_networks_are_not_made_to_say_much(small):
    few = made_up(small.model_copy(update={"runs": 4}), (4, 1))
    assert np.isnan(few.dataset.gap_quantile.sel(bound=["lower", "upper"])).all()
    words = text_of(few)
    assert "It is wide: 4 networks tell little." in words and "(4 networks are too few for an interval)" in words
    assert "1 of 4 does" in words and "95\xa0% CI 40 to 100" in few.answer()
    assert few.summary()["recommended"]["measured_lower"] is None
    json.dumps(few.summary(), allow_nan=False)


def test_a_width_that_was_raised_is_not_called_the_smallest(small):
    words = text_of(made_up(small, widths=(32, 16), enough=11))
    assert "N = 11 is the smallest width" in words and "not relied on below N = 32" in words
    assert "It is the smallest width" not in words


def test_cautions_stand_where_the_numbers_call_for_them(small):
    calm = text_of(made_up(small))
    assert not any(word in calm for word in ("bias", "numerical error", "initial draw"))
    assert "At N = 22 and 45 the bias is up to 1.5 standard" in text_of(made_up(small, ratio=(0.7, 1.5)))
    words = text_of(made_up(small, ratio=(0.1, 1.5), error=0.005, start=1.0))
    assert "At N = 22 the bias is up to 1.5 standard deviations" in words and "At N = 45 the bias" not in words
    assert "error of the mean-field risk reaches 0.0050, 50\xa0% of the tolerance" in words
    assert "In 64 of 64 networks of the recommended width the sup-gap is that at t = 0" in words


def test_a_share_of_digits_keeps_them(small):
    assert "99.9\xa0%" in made_up(small.model_copy(update={"confidence": 0.999})).verdicts()[0]


@pytest.mark.parametrize("runs", [8, 16, 64])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.9, 0.97])
def test_the_interval_of_a_share_holds_its_level(runs, share):
    """Summed over all outcomes; the interval of the normal approximation would fail at every number of runs."""
    ends = [share_within(np.arange(runs) >= count, 0.5)[1:] for count in range(runs + 1)]
    holds = np.array([lower <= share <= upper for lower, upper in ends])
    assert binom.pmf(np.arange(runs + 1), runs, share) @ holds >= 0.95


def test_results_are_saved_and_loaded_and_forged_ones_refused(small, tmp_path):
    result = made_up(small)
    save_result(tmp_path / "out", result)
    loaded = im.load_result(tmp_path / "out")
    assert isinstance(loaded, im.WidthResult) and loaded.summary() == result.summary()
    forged = result.dataset.assign(gap=result.dataset.gap * np.nan)
    save_result(tmp_path / "forged", im.WidthResult(small, forged))
    with pytest.raises(im.StudyFileError, match="'gap' holds a number that is not finite"):
        im.load_result(tmp_path / "forged")


def test_the_page_answers_its_question_first(small):
    result = made_up(small)
    written = result_page(result)
    assert written.answer == result.answer() and list(written.findings) == result.verdicts()
    assert written.lead.name == "gap_against_tolerance"
    assert written.lead.alt == "Sup-gaps within the tolerance 0.01: 62 of 64 at N = 45, 40 of 64 at half the width"
    html = render_page(written)
    assert html.index("How wide is wide enough?") < html.index("62 of 64 networks") < html.index("<details")


def test_jobs_are_named_before_the_width_is_known():
    jobs = WidthJobs(WidthStudy(**WINE, runs=18)).jobs()
    names = [job.name for job in jobs]
    assert names[:2] == ["path", "law"] and len(names) == len(set(names)) == 8
    assert [job.units for job in jobs[2:]] == [8, 8, 2] * 2
    assert all(job.needs == ("law",) for job in jobs[2:])


def test_a_width_that_fits_in_no_memory_is_refused_by_the_tolerance(small):
    with pytest.raises(im.NumericalError, match="a tolerance of 0.01 takes a width of 1,000,000,000,000"):
        WidthJobs(small)._check_memory_of_networks(10**12)


def test_problems_without_a_law_are_refused_before_anything_runs():
    data = im.load_data("wine")
    with pytest.warns(im.TrivialLimitWarning):
        dead = im.Problem(data, im.independent_law(13, 2))
    with pytest.raises(im.ArgumentError, match="'problem' must be one whose networks have a law.*limit is trivial"):
        im.recommend_width(dead, 0.1)


@pytest.fixture(scope="module")
def wine():
    data = im.load_data("wine", max_points=60)
    return im.Problem(data, im.aligned_law(data, 1))


@pytest.fixture(scope="module")
def found(wine):
    return im.recommend_width(wine, 0.02, **OPTIONS)


@pytest.mark.slow
def test_it_is_the_smallest_width_of_the_law_and_runs_agree(found):
    assert found.width > 64 and found.study is None
    assert found.recommended.predicted_quantile <= 0.02 < found.half.predicted_quantile
    assert found.confirmed and found.recommended.share.contains(0.9)
    assert found.half.share.value < found.recommended.share.value
    for one in (found.recommended, found.half):  # 200 runs know a quantile to a twentieth or so
        assert one.quantile.value == pytest.approx(one.predicted_quantile, rel=0.2)
        assert one.quantile.contains(one.predicted_quantile)
        beside, plain = one.controlled_quantile, one.quantile
        print(f"{plain} by {one.runs} networks, {beside} by 16 beside their prediction")
        assert beside.lower <= plain.upper and beside.upper >= plain.lower
        assert beside.upper - beside.lower < 0.5 * (plain.upper - plain.lower)


@pytest.mark.slow
def test_steps_and_batches_enter(wine, found):
    noisy = im.recommend_width(wine, 0.02, step_size=0.125, batch_size=2, **OPTIONS)
    assert noisy.width > found.width and noisy.confirmed
    assert noisy.dynamics == "SGD with step size 0.125 and batches of 2"
    with pytest.raises(im.NumericalError, match="no width brings the sup-gap within 0.001"):
        im.recommend_width(wine, 0.001, step_size=0.2, batch_size=1, **OPTIONS)


@pytest.mark.slow
def test_points_alone_will_do():
    X = np.random.default_rng(0).standard_normal((40, 3)) * [3.0, 1.0, 0.3]
    found = im.recommend_width(X, 0.05, latent_dim=1, horizon=1.0, records=1, runs=2, particles=64)
    assert found.width >= 32 and found.summary()["batch_size"] is None


@pytest.mark.slow
def test_a_study_is_the_problem_in_words_and_goes_on_where_it_was_killed(tmp_path, monkeypatch):
    settings = {"horizon": 4.0, "records": 4, "runs": 20, "particles": 128, "seed": 1}
    study = WidthStudy(**WINE, tolerance=0.02, **settings)
    whole = im.find_width(study, folder=tmp_path / "whole")
    given = im.recommend_width(study.problem, 0.02, **settings)
    xr.testing.assert_equal(given.dataset, whole.dataset)
    assert given.answer() == whole.answer()

    done, result = [], WidthJobs.result

    def mortal(work, job, *rest):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(job.name)
        return result(work, job, *rest)

    monkeypatch.setattr(WidthJobs, "result", mortal)
    with pytest.raises(KeyboardInterrupt):
        im.find_width(study, folder=tmp_path / "out", workers=1)
    kept = {path.stem for path in (tmp_path / "out" / "jobs").glob("[!.]*.npz")}
    assert {"path", "law"} < kept and not (tmp_path / "out" / RESULTS).exists()
    done.clear()
    done.append("none")
    monkeypatch.setattr(WidthJobs, "result", lambda work, job, *rest: done.append(job.name) or result(work, job, *rest))
    xr.testing.assert_identical(
        im.find_width(study, folder=tmp_path / "out", resume=True, workers=1).dataset, whole.dataset
    )
    assert set(done[1:]) == {job.name for job in WidthJobs(study).jobs()} - kept
    assert (tmp_path / "out" / RESULTS).read_bytes() == (tmp_path / "whole" / RESULTS).read_bytes()


@pytest.mark.slow
def test_the_command_leaves_a_folder_with_a_report(tmp_path):
    flags = ("--data", "wine", "--max-points", "60", "--latent-dim", "1", "--tolerance", "0.02", "--horizon", "4")
    tiny = (*flags, "--records", "4", "--runs", "4", "--particles", "128", "--seed", "1", "--out", "w", "--quiet")
    outcome = run("width", *tiny, "--json", folder=tmp_path)
    summary = json.loads(outcome.out)
    assert outcome.code == 0 and summary["width"] > 64 and summary["folder"] == "w"
    loaded = im.load_result(tmp_path / "w")
    assert loaded.answer() == summary["answer"]
    assert {path.name for path in (tmp_path / "w").iterdir()} == {"study.toml", RESULTS, "figures", "report.html"}
    words = " ".join(run("width", *tiny, "--resume", folder=tmp_path).out.split())
    assert " ".join(summary["answer"].split()) in words


def test_bad_flags_leave_nothing(tmp_path):
    assert "--tolerance must be above 0" in refused("width", "--tolerance", "0", folder=tmp_path)
    assert not list(tmp_path.iterdir())
