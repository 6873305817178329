"""The diagnosis of a fitted estimator: its limit against simulation, and networks whose state is known."""

import copy
import dataclasses
import json

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine
from sklearn.preprocessing import StandardScaler

import isthmus as im
from isthmus.core.optimizers import GRADIENT_FLOW
from isthmus.dynamics.field import VectorField
from isthmus.estimator.coordinates import Coordinates
from isthmus.estimator.diagnosis import as_fitted, beginning, comparison
from isthmus.estimator.ensemble import Ensemble
from isthmus.estimator.limit import DIVERGED, Distance, Effort, limit_problem
from isthmus.estimator.pca_start import PCAStart
from isthmus.estimator.samples import EvaluationSample

pytestmark = pytest.mark.filterwarnings("ignore:the learning curve")  # runs too short to learn anything

X = StandardScaler().fit_transform(load_wine().data)
FEW = X[::5, :4]
ALONE = {"compare": False}
FEWEST_INSIDE = 22
"""Of 32 curves within the largest of 19 gaps: the share of all that are has the law Beta(19, 1), and one time in 400
fewer are."""


@pytest.fixture(scope="module")
def fitted():
    return im.MeanFieldAutoencoder(2, width=64, horizon=20.0, step_size=0.1, random_state=0).fit(X)


@pytest.fixture(scope="module")
def alone(fitted):
    return fitted.diagnose(X, **ALONE)


def fits(points, count, *parts, **options):
    """Return estimators of seeds 0, 1, ..., and their learning curves, shape (count, T)."""
    models = [im.MeanFieldAutoencoder(*parts, random_state=seed, **options).fit(points) for seed in range(count)]
    return models, np.array([model.training_curve_ for model in models])


def problem_of(model, points):
    begun = beginning(model._fit_state(), points, np.full(len(points), 1 / len(points)))
    return limit_problem(begun.start, model._schedule, 0.0)


def with_weights(model, **parts):
    """Return a fitted estimator with all weights of these names multiplied by a number."""
    other = im.MeanFieldAutoencoder(**model.get_params())
    other.__dict__.update(model.__dict__)
    for name in ("encoder_", "decoder_"):
        measure = getattr(model, name)
        scaled = {part: factor * getattr(measure, part) for part, factor in parts.items()}
        setattr(other, name, dataclasses.replace(measure, **scaled))
    return other


@pytest.mark.slow
def test_the_limit_and_its_law_are_those_of_many_estimators():
    """At width 1,024 mean and spread of learning curves are those predicted, and as many lie within as are said to."""
    models, curves = fits(X, 40, 2, width=1024, horizon=10.0, step_size=0.02, records=5)
    problem = problem_of(models[0], X)
    path = im.solve_mean_field(problem, models[0].times_, particles=1024, replicates=4)
    law = im.predict_finite_width(problem, models[0].times_, path=path, particles=512, samples=8).at(1024, 0.02, 32)
    errors = np.sqrt(curves.var(axis=0, ddof=1) / len(curves) + law.shift_error**2) + path.risk_error
    assert np.all(np.abs(curves.mean(axis=0) - law.mean) < 4 * errors)
    assert np.all(np.abs(curves.mean(axis=0) - path.risk) < 0.02 * (path.risk[0] - path.risk[-1]) + 4 * errors)
    ratios = curves.std(axis=0, ddof=1)[1:] / law.std[1:]
    assert np.all(np.abs(ratios - 1) < 4 / np.sqrt(2 * len(curves)))
    inside = (np.abs(curves - path.risk).max(axis=1) <= law.gap_quantile(0.5)).mean()
    assert 0.2 < inside < 0.8
    trained = im.train(problem, models[0].times_, 1024, 0.02, batch_size=32, runs=40, snapshot_times=()).risk
    between = (curves.mean(axis=0) - trained.mean(axis=0)) / np.sqrt((curves.var(axis=0) + trained.var(axis=0)) / 40)
    assert np.all(np.abs(between) < 4)


@pytest.mark.slow
def test_the_predicted_band_is_that_of_many_small_fits():
    """Spread and largest gaps of 32 curves; the first of them is told to follow the limit."""
    models, curves = fits(FEW, 32, 1, width=64, horizon=20.0, step_size=0.02, records=3)
    found = models[0].diagnose(FEW, particles=128, runs=32)
    others, tolerance = found.distance.ensemble, 4 / np.sqrt(len(curves))
    ratios = curves.std(axis=0, ddof=1)[1:] / others.std[1:]
    assert np.all(np.abs(ratios - 1) < tolerance)
    gaps = np.abs(curves - found.distance.limit).max(axis=1)
    assert np.median(gaps) / others.gap_bound(0.5).value == pytest.approx(1.0, abs=tolerance)
    assert found.distance.inside and "follows that of infinite width" in found.verdicts()[0]


@pytest.mark.slow
def test_a_fit_that_follows_the_limit_is_told_so_and_one_of_other_parameters_not():
    model = im.MeanFieldAutoencoder(2, width=256, horizon=20.0, step_size=0.05, records=5, random_state=0).fit(X)
    found = model.diagnose(X)
    assert found.distance.inside and found.distance.gap < found.distance.expected.value < 0.5 * found.distance.learned
    assert "follows that of infinite width" in found.verdicts()[0]
    assert found.summary() == model.diagnose(X).summary()
    json.dumps(found.summary(), allow_nan=False)
    model.training_curve_ = model.training_curve_ - np.linspace(0, 4 * found.distance.expected.value, 6)
    lost = model.diagnose(X)
    assert not lost.distance.inside
    assert "departs from that of infinite width" in lost.verdicts()[0]


@pytest.mark.slow
def test_the_predicted_band_of_images_holds_their_fits():
    """Digits, whose flow is stiff and rests at its start: 32 fits, of which 95 % are to stay within."""
    digits = load_digits().data
    models, curves = fits(digits, 32, 2, width=512, horizon=200.0, step_size=0.1)
    found = models[0].diagnose(digits).distance
    curves = curves[:, np.searchsorted(models[0].times_, found.times)]
    expected = found.expected.value
    inside = int((np.abs(curves - found.limit).max(axis=1) <= expected).sum())
    print(f"{inside} of {len(curves)} curves within {expected:.2g}")
    assert inside >= FEWEST_INSIDE
    assert expected < 0.1 * found.learned
    ratios = curves.std(axis=0, ddof=1)[1:] / found.ensemble.std[1:]
    assert np.all(np.abs(ratios - 1) < 4 * np.sqrt(1 / 64 + 1 / 32))
    problem = problem_of(models[0], digits)
    path = im.solve_mean_field(
        problem, found.times, particles=4096, replicates=1, rtol=1e-3, dtype="float32", integrator="stabilised"
    )
    assert np.all(np.abs(found.limit - path.risk) <= found.limit_error + 2e-4)  # 4,096 particles have a shift, too


@pytest.mark.slow
def test_the_expected_gap_holds_automatic_fits():
    """32 default fits of digits, each beside networks that are trained by the steps that it chose."""
    digits = load_digits().data
    models = [im.MeanFieldAutoencoder(2, random_state=seed).fit(digits) for seed in range(32)]
    inside, kinds = [], {}
    for model in models:
        kinds.setdefault((model._schedule, model.n_iter_), []).append(model)
    for alike in kinds.values():
        found = alike[0].diagnose(digits, particles=64).distance  # any limit will do: all are held to it
        rows = np.searchsorted(alike[0].times_, found.times)
        gaps = np.abs(np.array([model.training_curve_[rows] for model in alike]) - found.limit).max(axis=1)
        inside += (gaps <= found.expected.value).tolist()
    print(f"{sum(inside)} of {len(inside)} curves within, of {len(kinds)} choices of steps")
    assert len(kinds) > 1 and sum(inside) >= FEWEST_INSIDE


@pytest.mark.slow
def test_the_expected_gap_holds_where_steps_overshoot_at_first():
    """There the law of leading order knows half of it."""
    model = im.MeanFieldAutoencoder(2, width=256, horizon=50.0, step_size=0.1, random_state=0).fit(X)
    found = model.diagnose(X).distance
    problem = problem_of(model, X)
    options = {"batch_size": 32, "runs": 100, "snapshot_times": ()}
    risk = im.train(problem, found.times, 256, 0.1, seed=1, **options).risk
    measured = float(np.quantile(np.abs(risk - found.limit).max(axis=1), 0.95))
    law = im.predict_finite_width(problem, found.times, particles=256, samples=4).at(256, 0.1, 32).gap_quantile(0.95)
    expected = found.expected.value
    print(f"{measured:.2g} measured, {expected:.2g} expected, {law:.2g} by the law")
    assert 0.7 * measured < expected < 1.5 * measured
    assert law < 0.75 * measured


@pytest.mark.slow
def test_momentum_and_a_kink_have_a_band_too():
    """Which holds the curve of the estimator, and is about as wide as the curves of networks like it."""
    model = im.MeanFieldAutoencoder(
        1, width=64, horizon=2.0, step_size=0.1, records=2, activation="relu", optimizer="momentum", random_state=0
    ).fit(FEW)
    found = model.diagnose(FEW, particles=256, runs=32).distance
    problem = problem_of(model, FEW)
    runs = im.train(problem, model.times_, 64, 0.1, batch_size=32, runs=32, snapshot_times=()).risk
    gaps = np.abs(runs - found.limit).max(axis=1)
    assert found.gap == pytest.approx(np.abs(model.training_curve_ - found.limit).max())
    assert found.expected is not None and 0.5 < np.quantile(gaps, 0.95) / found.expected.value < 1.5


def distance(gap, batches=0.0, neurons=1e-4, shift=0.0):
    """Return a distance at two times with networks of these deviations."""
    times, limit, signs = np.array([0.0, 1.0]), np.array([0.2, 0.1]), np.resize([1.0, -1.0], 16)[:, None]
    late = np.array([0.0, 1.0])
    risk = limit + late * (shift + neurons * signs + batches * np.resize([1.0, 1.0, -1.0, -1.0], 16)[:, None])
    others = Ensemble(times, limit, risk, (limit + late * (shift + neurons * signs - batches))[:8:3])
    return Distance(times, limit + np.array([0, gap]), limit, np.zeros(2), others)


@pytest.mark.parametrize(
    ("found", "inside", "words"),
    [
        (distance(1e-4), True, "Wider networks would learn the same"),
        (
            distance(0.01, neurons=0.02),
            True,
            "most of it from the draw of its neurons; a wider network would reduce it",
        ),
        (
            distance(0.01, batches=0.02),
            True,
            "most of it from the noise of batches; a smaller step size or larger batches",
        ),
        (distance(0.01, shift=0.02), True, "most of it a shift of the mean; a wider network or a smaller step size"),
        (distance(0.01), False, "Fit again with another random_state"),
    ],
)
def test_the_words_about_the_curve_name_the_remedy(alone, found, inside, words):
    told = dataclasses.replace(alone, distance=found, not_compared=None, start_curvature=None)
    assert found.inside == inside
    assert words in told.verdicts()[0]
    assert found.expected == found.ensemble.gap_bound(0.95)
    diverged = dataclasses.replace(told, distance=dataclasses.replace(found, ensemble=None, not_simulated=DIVERGED))
    assert "some networks like it diverge: take a smaller step size" in diverged.verdicts()[0]


def test_steps_that_overshoot_are_told(fitted, alone):
    with_steps = lambda size: dataclasses.replace(alone, step_size=size, first_step_size=size)
    fine = with_steps(0.9 * 2.0 / alone.start_curvature)
    assert not fine.overshoots and not fine.overshot and "is fine" in fine.verdicts()[1]
    assert alone.start_curvature > alone.curvature.highest
    first = with_steps(1.1 * 2.0 / alone.start_curvature)
    assert first.overshot and not first.overshoots and "Only the first steps overshot" in first.verdicts()[1]
    large = copy.copy(fitted)
    large._schedule = dataclasses.replace(fitted._schedule, first=2.5 / alone.curvature.highest)
    found = large.diagnose(X, **ALONE)
    assert found.overshoots and found.step_times_curvature == pytest.approx(2.5, rel=1e-6)
    assert "Steps overshoot: take a step size of about" in found.verdicts()[1]
    named = float(found.verdicts()[1].split()[-1].rstrip("."))
    assert 0.5 < named * alone.start_curvature <= 1.0
    # Steps on all points descend at the step size named, and climb at first at the other one.
    options = {"batch_size": len(X), "sampling": "without_replacement", "start": fitted.autoencoder_, "throw": False}
    climbs = {}
    for size in (large._schedule.first, named):
        risk = im.train(problem_of(fitted, X), size * np.arange(41), 64, size, **options).risk[0]
        climbs[size] = np.diff(risk).max()
    assert climbs[large._schedule.first] > 1e-4 > 1e-7 > climbs[named]


def test_dead_networks_are_at_a_saddle(fitted):
    """With outgoing weights 0 nothing moves, but both sides growing together descend; not so with all weights 0."""
    still = with_weights(fitted, outgoing=0.0).diagnose(X, **ALONE)
    assert still.state == "saddle" and still.used_latents == 0 and still.decline == pytest.approx(0.0, abs=1e-14)
    assert still.lowest_curvature < -1 / 20
    assert "deviations grow e-fold in t = " in still.verdicts()[3]
    assert "The network computes nothing" in still.verdicts()[2]
    dead = with_weights(fitted, outgoing=0.0, incoming=0.0, bias=0.0).diagnose(X, **ALONE)
    assert dead.state == "saddle" and abs(dead.curvature.highest) < 1e-7
    assert "no direction leads away from it; start with init='aligned'" in dead.verdicts()[3]


def test_a_network_at_rest_in_a_minimum_is_told_and_one_that_learns_too(alone):
    """A linear autoencoder starts at its optimum, PCA."""
    model = im.MeanFieldAutoencoder(
        1, width=64, horizon=5.0, step_size=0.1, activation="linear", batch_size=40, random_state=0
    )
    found = model.fit(FEW).diagnose(FEW, **ALONE)
    assert found.state == "minimum" and found.gain < 0.01 and found.used_latents == 1
    assert "longer training gains nothing" in found.verdicts()[3]
    assert alone.state == "moving" and "raise the horizon" in alone.verdicts()[3]


def test_the_noise_of_batches_is_no_unrest():
    """A linear network moved a little off its minimum would fall fast at first, which steps on all points undo."""
    model = im.MeanFieldAutoencoder(
        1, width=64, horizon=5.0, step_size=0.1, activation="linear", batch_size=40, random_state=0
    )
    moved = with_weights(model.fit(FEW), outgoing=1.05)
    sample = EvaluationSample.of(FEW, np.ones(len(FEW)), Coordinates(model._scaling))
    network = moved.autoencoder_.in_precision(np.dtype(np.float32))
    field = VectorField.of(sample, GRADIENT_FLOW, np.dtype(np.float32))
    assert 5.0 * field.dissipation(network) > 0.1 * field.risk(network)
    assert moved.diagnose(FEW, **ALONE).state == "minimum"


def test_another_principal_component_is_a_saddle_though_in_use():
    """There the lowest curvature of a linear network is negative, and the horizon says whether that shows."""
    model = im.MeanFieldAutoencoder(
        1, width=64, horizon=20.0, step_size=0.1, activation="linear", batch_size=40, random_state=0
    )
    start = beginning(model.fit(FEW)._fit_state(), FEW, np.full(len(FEW), 1 / len(FEW))).start
    sample = start.sample
    second = np.linalg.svd(sample.points, full_matrices=False)[2][1:2].T
    at_second = PCAStart(sample.points, sample.weights, second).of(start.network(np.random.default_rng(0), 64))
    there = with_weights(model)
    there.encoder_, there.decoder_ = at_second.encoder, at_second.decoder
    found = there.diagnose(FEW, **ALONE)
    assert found.gain < 0.01 and found.used_latents == 1 and found.state == "saddle"
    assert found.lowest_curvature < -1 / 20
    assert "deviations grow e-fold in t = " in found.verdicts()[3]


def why(model, points, weights=None):
    """Return why the curve of a model isn't compared on points."""
    state = model._fit_state()
    weights, same = as_fitted(state, points, np.ones(len(points)) if weights is None else weights)
    found = comparison(state, beginning(state, points, weights), same, Effort(True, 64, 4, 0, None))
    assert isinstance(found, str)
    return found


def test_it_says_why_a_curve_is_not_compared(fitted, alone, tmp_path):
    fitted.save(tmp_path / "model.npz")
    loaded = im.MeanFieldAutoencoder.load(tmp_path / "model.npz")
    assert loaded.diagnose(X, **ALONE).summary() == alone.summary()
    assert "X or its weights differ from those of the fit" in why(loaded, X[:100])
    assert "differ from those of the fit" in why(fitted, X, np.r_[np.full(100, 2.0), np.ones(78)])
    assert "since it doesn't come from a fit" in why(fitted.resized(70, X), X)
    begun = im.MeanFieldAutoencoder(1, width=16).partial_fit(FEW)
    assert "since it doesn't come from a fit" in why(begun, FEW)
    with pytest.warns(im.TrivialLimitWarning):
        dead = im.MeanFieldAutoencoder(1, width=16, horizon=1.0, step_size=0.1, init="independent").fit(FEW)
    found = dead.diagnose(FEW)
    assert found.not_compared == why(dead, FEW)
    assert "The learning curve is not compared" in str(found) and "never leaves its initial law" in str(found)


def test_points_held_out_by_early_stopping_are_left_out():
    model = im.MeanFieldAutoencoder(1, width=16, horizon=1.0, step_size=0.1, early_stopping=True, random_state=0).fit(
        FEW
    )
    learning = np.delete(np.arange(len(FEW)), model.held_out_)
    weights, same = as_fitted(model._fit_state(), FEW, np.ones(len(FEW)))
    assert same and not weights[model.held_out_].any()
    np.testing.assert_allclose(weights[learning], 1 / len(learning))
    weights, same = as_fitted(model._fit_state(), FEW[learning], np.ones(len(learning)))
    assert same and np.all(weights > 0)
    assert not as_fitted(model._fit_state(), FEW + 1.0, np.ones(len(FEW)))[1]


def test_what_is_found_is_printed_and_plain(alone, fitted):
    assert str(alone).splitlines() == alone.verdicts() and len(alone.verdicts()) == 4
    summary = alone.summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == json.loads(
        json.dumps(fitted.diagnose(X, **ALONE).summary())
    )
    assert summary["state"] == "moving" and summary["width"] == 64


def test_the_argument_that_has_no_effect_any_more_says_so(fitted):
    with pytest.warns(DeprecationWarning, match="samples has no effect any more and goes in 0.4; use runs"):
        found = fitted.diagnose(X, samples=4, **ALONE)
    assert found.summary() == fitted.diagnose(X, **ALONE).summary()
