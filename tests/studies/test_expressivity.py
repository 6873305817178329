"""The expressivity study: true to the optimum, to brute force over widths, and the same when redone."""

import dataclasses

import numpy as np
import pytest

import isthmus as im
from isthmus._words import number
from isthmus.show.expressivity_report import expressivity_page
from isthmus.show.pages import drawn_figures
from isthmus.show.report import render_page
from isthmus.studies.store import save_result

SMALL = {
    "data": {"source": "manifold", "dim": 3, "points": 24, "seed": 3, "scale": "total"},
    "law": {"latent_dim": 1},
    "weight_decay": [0.004, 0.008],
    "widths": [4, 1, 2],
    "draws": 400,
    "trainings": 3,
    "atoms": 16,
    "restarts": 2,
    "starts": 256,
}
STANDARD_ERRORS = 5


@pytest.fixture(scope="module")
def result():
    return im.expressivity_curve(im.ExpressivityStudy(**SMALL))


def test_no_trained_network_is_better_than_the_optimum_and_wider_ones_are_no_worse(result):
    best = result.dataset.best_objective.values
    assert result.dataset.width.values.tolist() == [1, 2, 4]
    assert np.all(np.diff(best) <= 1e-9)  # the narrower network, its neurons doubled, is one of the starts
    assert np.all(result.gap > -1e-6 * result.dataset.attrs["objective"])
    assert result.gap[0] > 0.1 * result.dataset.attrs["objective"]
    assert np.all(result.dataset.best_risk.values < best)
    np.testing.assert_array_equal(result.dataset.restart_objective.min("training").values, best)


def test_one_neuron_is_trained_to_what_random_search_finds(result):
    """An independent route for N = 1: Nelder–Mead on the three-dimensional network written out by hand."""
    from scipy.optimize import minimize

    study = result.study
    points, (decay_e, decay_d) = study.problem.population.points, study.problem.decays

    def objective(flat):
        a, w, b, c, u, e = flat[0], flat[1:4], flat[4], flat[5:8], flat[8], flat[9]
        outputs = np.tanh(u * a * np.tanh(points @ w + b) + e)[:, None] * c
        penalty = decay_e / 2 * (a**2 + w @ w + b**2) + decay_d / 2 * (c @ c + u**2 + e**2)
        return ((points - outputs) ** 2).sum(axis=1).mean() / 2 + penalty

    random = np.random.default_rng(0)
    found = min(minimize(objective, random.standard_normal(10), method="BFGS").fun for _ in range(30))
    assert float(result.dataset.best_objective.sel(width=1)) == pytest.approx(found, rel=1e-5)


def test_drawn_decoders_pay_what_the_identity_says(result):
    values, width = result.dataset.attrs, 4
    excess = (result.dataset.drawn_risk.sel(kind="decoder", width=width).values - values["risk"]) * width
    assert abs(excess.mean() - values["decoder_constant"]) <= STANDARD_ERRORS * excess.std(ddof=1) / np.sqrt(400)


@pytest.mark.slow
def test_it_is_the_same_when_redone_and_when_loaded(result, tmp_path):
    again = im.expressivity_curve(result.study, workers=3)
    assert again.dataset.equals(result.dataset)
    save_result(tmp_path / "study", result)
    loaded = im.load_result(tmp_path / "study")
    assert isinstance(loaded, im.ExpressivityResult)
    assert loaded.study == result.study and loaded.dataset.identical(result.dataset)
    assert loaded.summary() == result.summary()


def test_what_is_said_follows_the_numbers(result):
    objective = result.dataset.attrs["objective"]

    def with_gaps(*shares):
        changed = result.dataset.assign(best_objective=("width", objective * (1 + np.array(shares))))
        return dataclasses.replace(result, dataset=changed)

    closed = with_gaps(0.1, 5e-4, 2e-4)
    assert closed.closed_from == 2 and closed.rate is None
    assert "and from N = 2 on the best trained network comes within 0.1\u00a0% of its objective" in closed.answer()
    beaten = with_gaps(0.1, -0.01, -0.02)
    assert "a trained network of width 4 has a lower objective: the search has not converged" in beaten.answer()
    opened = with_gaps(0.4, 0.1, 0.025)
    assert opened.closed_from is None
    assert opened.rate is not None
    assert [opened.rate.lower, opened.rate.value, opened.rate.upper] == pytest.approx([-2, -2, -2])
    assert "best trained network of width 4 has an objective 2.5\u00a0% above" in opened.answer()
    assert any("falls as N^−2.00 (95\u00a0% CI −2.00 to −2.00)" in verdict for verdict in opened.verdicts())
    assert with_gaps(1e-4, 2e-3, 1e-4).closed_from == 4  # from the last open one on


def test_simulated_draws_are_those_of_the_file(result):
    data, width = result.dataset, 4
    excess = width * (data.drawn_risk.sel(kind="encoder", width=width).values - data.attrs["risk"])
    error = np.std(excess, ddof=1) / np.sqrt(len(excess))
    assert f"{number(excess.mean())} ± {number(error, 2)} from the encoder" in result.verdicts()[-1]
    assert f"{number(data.attrs['risk'])} (PCA: {number(data.attrs['pca_risk'])})" in result.answer()


def test_it_is_drawn_and_reported(result):
    drawn = drawn_figures(result)
    page = render_page(expressivity_page(result, drawn))
    assert list(drawn) == ["gaps", "atoms"]
    assert page.count("<svg") == 2 and "isthmus optimum study.toml" in page
    assert number(result.dataset.attrs["objective"], 6) in page


def test_what_has_no_optimum_is_refused_before_anything_is_computed():
    study = im.ExpressivityStudy(**SMALL | {"weight_decay": 0.0})
    with pytest.raises(im.ArgumentError, match="a weight decay or bounded neurons"):
        im.expressivity_curve(study)
    assert im.ExpressivityStudy(**SMALL | {"weight_decay": 0.0, "radius": 2.0}).problem.decays == (0.0, 0.0)
    with pytest.raises(im.ArgumentError, match="'widths' must hold each value once"):
        im.ExpressivityStudy(widths=[2, 2])
    with pytest.raises(im.ArgumentError, match="'weight_decay' must be one number"):
        im.ExpressivityStudy(weight_decay=[0.1, 0.2, 0.3])
