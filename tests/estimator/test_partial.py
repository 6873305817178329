"""Training by batches that arrive, steps that are too long, and parameters that change after a fit."""

import copy
import warnings

import numpy as np
import pytest
from sklearn.decomposition import IncrementalPCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, TimeSeriesSplit

import isthmus as im

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((300, 5)) * [3, 2, 1, 0.5, 0.3]
BEGIN = {"width": 16, "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    return im.MeanFieldAutoencoder(2, horizon=5.0, **BEGIN).fit(X)


def weights_of(model):
    return [np.asarray(part) for side in (model.encoder_, model.decoder_) for part in vars(side).values()]


def test_divergence_is_said_and_the_network_stays_as_it_was(tmp_path):
    model = im.MeanFieldAutoencoder(2, activation="relu", **BEGIN).partial_fit(X)
    before, state = weights_of(model), (model.n_iter_, model.unit_, model.mean_, model.score(X))
    model.set_params(step_size=1e4)
    for rows in (X, 3 * X):
        with pytest.raises(im.NumericalError, match="diverge in partial_fit, which leaves it as it was; set step_size"):
            model.partial_fit(rows)
    for one, other in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (model.n_iter_, model.unit_, model.score(X)) == (*state[:2], state[3]) and model.mean_ is state[2]
    model.save(tmp_path / "model.npz")
    assert im.MeanFieldAutoencoder.load(tmp_path / "model.npz").score(X) == model.score(X)


def test_a_network_that_is_finite_but_far_off_has_diverged_too():
    model = im.MeanFieldAutoencoder(2, activation="linear", batch_size=300, **BEGIN).partial_fit(X)  # a step at a time
    before = weights_of(model)
    with pytest.raises(im.NumericalError, match="diverge in partial_fit"):
        model.set_params(step_size=1e4).partial_fit(X)
    for one, other in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(one, other)


def test_with_the_step_that_is_named_training_goes_on():
    model = im.MeanFieldAutoencoder(2, activation="relu", **BEGIN).partial_fit(X)
    model.set_params(step_size=20.0)
    with pytest.raises(im.NumericalError) as caught:
        model.partial_fit(X)
    named = float(str(caught.value).split()[-1])
    for _ in range(10):
        model.set_params(step_size=named).partial_fit(X)
    assert model.score(X) > 0.8


def test_a_quiet_beginning_waits_for_rows_that_vary(tmp_path):
    model = im.MeanFieldAutoencoder(2, width=64, step_size=0.01, random_state=0)
    model.partial_fit(np.ones((4, 5)))
    assert model.score(np.ones((2, 5))) == 1.0 and model.n_iter_ == 0
    model.save(tmp_path / "waiting.npz")
    model = im.MeanFieldAutoencoder.load(tmp_path / "waiting.npz")
    model.partial_fit(X[:1])
    assert model.n_iter_ == 0
    model.partial_fit(X[1:100])
    assert model.n_iter_ == 104 // 32 and [one.name for one in model.activations_] == ["tanh"] * 2
    np.testing.assert_allclose(model.mean_, np.r_[np.ones((4, 5)), X[:100]].mean(axis=0))
    model.partial_fit(X[100:101])  # a single row is welcome
    explained = (
        1 - ((X - (pca := IncrementalPCA(2).fit(X)).inverse_transform(pca.transform(X))) ** 2).sum() / (X**2).sum()
    )
    assert model.score(X) > 0.95 * explained


def test_parameters_set_after_the_fit_change_no_output(fitted, tmp_path):
    before = fitted.score(X), fitted.transform(X)
    for changes in (
        {"activation": "relu"},
        {"n_components": 3},
        {"width": 128, "optimizer": "adam"},
        {"horizon": "auto", "step_size": "auto"},
    ):
        model = copy.deepcopy(fitted).set_params(**changes)
        model.save(tmp_path / "changed.npz")
        for one in (model, im.MeanFieldAutoencoder.load(tmp_path / "changed.npz")):
            assert one.score(X) == before[0] and one.encoder_.width == fitted.encoder_.width
            np.testing.assert_array_equal(one.transform(X), before[1])
            name, value = next(iter(changes.items()))
            assert one.get_params()[name] == value


def test_another_optimizer_begins_with_empty_memory(fitted):
    model = copy.deepcopy(fitted).set_params(optimizer="momentum", step_size=0.01).partial_fit(X)
    steps = model.n_iter_
    model.set_params(optimizer="adam").partial_fit(X)
    assert model.n_iter_ == 2 * steps and model.score(X) > 0.7


def test_splitters_are_kept_in_files_and_what_can_not_be_kept_is_refused(fitted, tmp_path):
    for cv in (None, 3, KFold(4, shuffle=True, random_state=1), TimeSeriesSplit(3)):
        model = copy.deepcopy(fitted).set_params(cv=cv)
        model.save(tmp_path / "model.npz")
        loaded = im.MeanFieldAutoencoder.load(tmp_path / "model.npz").cv
        assert type(loaded) is type(cv) and repr(loaded) == repr(cv)

    class Own(KFold):
        pass

    with pytest.raises(im.ArgumentError, match="'cv' must be one of GroupKFold, .* to be saved"):
        copy.deepcopy(fitted).set_params(cv=Own(3)).save(tmp_path / "own.npz")
    assert not (tmp_path / "own.npz").exists()


def test_what_load_would_refuse_is_not_saved(fitted, tmp_path):
    model = copy.deepcopy(fitted)
    model.encoder_.outgoing[0, 0] = np.nan
    with pytest.raises(im.ArgumentError, match="'outgoing' must be finite"):
        model.save(tmp_path / "broken.npz")
    with pytest.raises(im.ArgumentError, match="'width' must be"):
        copy.deepcopy(fitted).set_params(width=0).save(tmp_path / "broken.npz")
    assert not any(tmp_path.iterdir())


FEW_DIRECTIONS = RANDOM.standard_normal((300, 2)) @ RANDOM.standard_normal((2, 6)) + 0.01 * RANDOM.standard_normal(
    (300, 6)
)
HEAVY = np.exp(2 * RANDOM.standard_normal((400, 5)))


@pytest.mark.parametrize("points", [FEW_DIRECTIONS, HEAVY], ids=["few directions", "heavy tails"])
def test_a_curve_that_only_climbs_warns_with_a_step_to_take(points):
    options = {"width": 64, "horizon": 20.0, "random_state": 0}
    with pytest.warns(ConvergenceWarning, match="the learning curve .*try step_size=|the noise of batches") as caught:
        model = im.MeanFieldAutoencoder(2, step_size=0.2, **options).fit(points)
    assert len(caught) == 1 and model.risk_ <= model.pca_risk_
    assert model.training_curve_[1:].min() >= model.training_curve_[0] or "ended at" in str(caught[0].message)


def test_the_step_to_take_does_not_overshoot_and_a_falling_curve_does_not_warn():
    bent = np.c_[X[:, 0], X[:, 0] ** 2 / 3, X[:, 1]]
    options = {"width": 64, "random_state": 0}
    with pytest.warns(ConvergenceWarning, match="overshoot; try step_size=") as caught:
        im.MeanFieldAutoencoder(1, step_size=1.0, horizon=200.0, **options).fit(bent)
    named = float(str(caught[0].message).split("step_size=")[1].split(",")[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calm = im.MeanFieldAutoencoder(1, step_size=named, horizon=1000 * named, **options).fit(bent)
    assert calm.training_curve_[-1] < calm.training_curve_[0]
