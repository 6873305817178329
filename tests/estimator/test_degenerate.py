"""Tables at the edge: the right answer, or one error by the argument, the same in `Data` and in the estimator."""

import numpy as np
import pytest

import isthmus as im

RANDOM = np.random.default_rng(0)
BASE = RANDOM.standard_normal((30, 4))
ALONE = np.zeros(30)
ALONE[3] = 1e-300
FLAT = {
    "one point": (np.ones((30, 4)), None),
    "one point far away": (np.full((30, 4), 1.7e18), None),
    "two equal rows": (BASE[[0, 0]], None),
    "one row with all the weight": (BASE, ALONE),
}
EXACT = {
    "two rows": (BASE[:2], None),
    "three rows, ten times each": (np.repeat(BASE[:3], 10, axis=0), None),
    "fewer rows than columns": (RANDOM.standard_normal((3, 10)), None),
    "as many columns as components": (BASE[:, :2], None),
    "constant columns": (np.c_[np.ones((30, 2)), 1e15 + 0 * BASE[:, :1], BASE[:, :1]], None),
}
UNITS = {"1e150": 1e150, "1e-150": 1e-150, "1e-310": 1e-310}


def fitted(X, weights, horizon):
    k = min(2, X.shape[1])
    return im.MeanFieldAutoencoder(k, width=16, horizon=horizon, random_state=0).fit(X, sample_weight=weights)


@pytest.mark.parametrize("horizon", ["auto", 1.0])
@pytest.mark.parametrize("name", FLAT)
def test_a_table_without_variance_is_its_mean(name, horizon):
    X, weights = FLAT[name]
    model = fitted(X, weights, horizon)
    assert model.chosen_.startswith("PCA")
    assert model.score(X, sample_weight=weights) == 1
    row = np.argmax(np.ones(len(X)) if weights is None else weights)
    np.testing.assert_allclose(model.inverse_transform(model.transform(X[row : row + 1])), X[row : row + 1], rtol=1e-12)
    with pytest.raises(
        im.ArgumentError, match="^Argument 'points' must hold at least two distinct points when scale='total'"
    ):
        im.Data(X, weights, center=True, scale="total")


@pytest.mark.parametrize("horizon", ["auto", 1.0])
@pytest.mark.parametrize("name", EXACT)
def test_a_table_that_components_reconstruct_is_pca(name, horizon):
    X, weights = EXACT[name]
    model = fitted(X, weights, horizon)
    assert model.chosen_.startswith("PCA")
    assert model.score(X) == pytest.approx(1, abs=1e-12)
    assert np.isfinite(model.reconstruction_error(X)).all()
    assert im.Data(X, center=True, scale="total").pca_risk(2) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("unit", UNITS)
def test_values_near_the_limits_of_the_type(unit):
    plain, other = BASE, BASE * UNITS[unit]
    data, reference = (im.Data(X, center=True, scale="total") for X in (other, plain))
    assert data.pca_risk(2) == pytest.approx(reference.pca_risk(2), rel=1e-6)
    assert fitted(other, None, 1.0).score(other) == pytest.approx(fitted(plain, None, 1.0).score(plain), rel=1e-4)


@pytest.mark.parametrize("factor", [1e160, 1e300])
def test_values_beyond_them_are_refused_by_name(factor):
    for name, call in (
        ("points", im.Data),
        ("X", im.MeanFieldAutoencoder(2).fit),
        ("data", lambda X: im.aligned_law(X, 1)),
    ):
        with pytest.raises(
            im.ArgumentError, match=f"^Argument '{name}' must be at most .*, so that squares are finite"
        ):
            call(BASE * factor)


def test_only_ratios_of_weights_count():
    weights = RANDOM.random(30)
    found = [fitted(BASE, weights * unit, 1.0).score(BASE, sample_weight=weights * unit) for unit in (1, 1e-300, 1e300)]
    np.testing.assert_allclose(found[1:], found[0], rtol=1e-9)
    risks = [im.Data(BASE, weights * unit, center=True).pca_risk(2) for unit in (1, 1e-300, 1e300)]
    np.testing.assert_allclose(risks[1:], risks[0], rtol=1e-12)


def test_more_components_than_there_are_is_said_of_n_components_and_latent_dim():
    with pytest.raises(im.ArgumentError, match="^Argument 'n_components' must be at most the number of features"):
        im.MeanFieldAutoencoder(5).fit(BASE)
    with pytest.raises(im.ArgumentError, match="^Argument 'latent_dim' must be at most the data dimension 4"):
        im.aligned_law(BASE, 5)
    with pytest.raises(im.ArgumentError, match="^Argument 'latent_dim' must be at most the rank of the data 1"):
        im.aligned_law(BASE[:2], 2)
    with pytest.raises(im.ArgumentError, match="rank of the data 1, but it is 2; scale='features' where one column is"):
        im.Problem(BASE * [1, 1e9, 1, 1], latent_dim=2)
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        im.MeanFieldAutoencoder(1).fit(BASE[:1])
