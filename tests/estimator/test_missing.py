"""Missing entries in the estimator: left out of loss and scores, imputed, and refused unless they are to be ignored."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

import isthmus as im
from isthmus.core.masked_pca import masked_pca
from isthmus.core.principal import principal_components
from isthmus.core.scaling import scaling

pytestmark = [pytest.mark.filterwarnings("ignore:the learning curve"), pytest.mark.usefixtures("optimized")]
TABLES = {"wine": load_wine, "breast_cancer": load_breast_cancer, "digits": load_digits}


def standardised(name):
    table = TABLES[name]().data.astype(float)
    return table if name == "digits" else (table - table.mean(axis=0)) / table.std(axis=0)


def with_holes(table, share, seed=1):
    hidden = np.random.default_rng(seed).random(table.shape) < share
    return np.where(hidden, np.nan, table), hidden


def explained(found, table, hidden):
    """Return the share of the hidden entries' variance about the means of the others that is found."""
    means = np.nanmean(np.where(hidden, np.nan, table), axis=0)
    return 1 - ((found - table)[hidden] ** 2).sum() / ((table - means)[hidden] ** 2).sum()


def imputed(model, holes):
    return model.inverse_transform(model.transform(holes))


def imputed_by_pca(holes, k):
    weights = np.full(len(holes), 1 / len(holes))
    units = scaling(holes, weights)
    _, directions = principal_components(holes, weights, units)
    code = masked_pca(units.precisely(holes), weights, directions[:, :k])
    return units.undone(code.of(np.nan_to_num(units.precisely(holes))))


@pytest.fixture(scope="module")
def wine():
    return with_holes(standardised("wine"), 0.1)


@pytest.fixture(scope="module")
def model(wine):
    return im.MeanFieldAutoencoder(2, width=128, missing="ignore", random_state=0).fit(wine[0])


def test_a_network_imputes_better_than_pca_and_means(model, wine):
    holes, hidden = wine
    table = standardised("wine")
    assert model.chosen_.startswith("A network")
    assert explained(imputed(model, holes), table, hidden) > 0.03 + explained(imputed_by_pca(holes, 2), table, hidden)
    assert explained(imputed_by_pca(holes, 2), table, hidden) > 0.3
    assert abs(explained(SimpleImputer().fit_transform(holes), table, hidden)) < 1e-9


def test_scores_count_the_entries_that_are_there(model, wine):
    holes, hidden = wine
    errors = model.reconstruction_error(holes, per_feature=True)
    np.testing.assert_array_equal(np.isnan(errors), hidden)
    np.testing.assert_allclose(model.reconstruction_error(holes), np.nansum(errors, axis=1), rtol=1e-10)
    spread = np.nansum((holes - model.mean_) ** 2)
    assert model.score(holes) == pytest.approx(1 - np.nansum(errors) / spread, rel=1e-10)
    np.testing.assert_allclose(model.mean_, np.nanmean(holes, axis=0), atol=1e-14)
    # The variance of all columns is that of their entries, so that 2 risk_ is short of 1 by the share that is missing.
    there = 1 - np.average(hidden.mean(axis=0), weights=np.nanvar(holes, axis=0))
    assert model.score(holes) == pytest.approx(1 - 2 * model.risk_ / there, abs=0.02)
    assert model.risk_ < model.pca_risk_
    assert (model.predict(holes) == -1).mean() < 0.1


def test_what_is_not_there_is_not_seen(model, wine):
    holes, hidden = wine
    filled = np.where(hidden, model.mean_, holes)
    np.testing.assert_allclose(model.transform(holes), model.transform(filled), rtol=1e-10)


def test_rows_in_another_order_train_the_same_network(wine):
    options = {"width": 32, "missing": "ignore", "horizon": 4.0, "step_size": 0.05, "random_state": 0}
    order = np.random.default_rng(5).permutation(len(wine[0]))
    one, other = (im.MeanFieldAutoencoder(2, **options).fit(rows) for rows in (wine[0], wine[0][order]))
    np.testing.assert_allclose(one.training_curve_, other.training_curve_, rtol=1e-6)


def test_masks_nulls_and_frames_are_missing_entries_too(wine):
    holes, hidden = wine
    options = {"width": 16, "missing": "ignore", "horizon": 2.0, "step_size": 0.5, "random_state": 0}
    plain = im.MeanFieldAutoencoder(2, **options).fit(holes)
    masked = np.ma.masked_array(np.where(hidden, 1e9, holes), hidden)
    nullable = pd.DataFrame(holes).convert_dtypes().rename(columns=str)
    for other in (masked, nullable):
        found = im.MeanFieldAutoencoder(2, **options).fit(other)
        assert found.unit_ == pytest.approx(plain.unit_, rel=1e-12)
        np.testing.assert_allclose(found.transform(other), plain.transform(holes), rtol=1e-9)


def test_missing_entries_are_refused_unless_they_are_to_be_ignored(wine):
    holes, hidden = wine
    for table in (holes, np.ma.masked_array(np.where(hidden, 1e9, holes), hidden)):
        with pytest.raises(ValueError, match="NaN"):
            im.MeanFieldAutoencoder(2, width=16).fit(table)
    fitted = im.MeanFieldAutoencoder(2, width=16, horizon=1.0, random_state=0).fit(standardised("wine"))
    with pytest.raises(ValueError, match="NaN"):
        fitted.transform(holes)
    ignoring = im.MeanFieldAutoencoder(2, width=16, missing="ignore")
    with pytest.raises(ValueError, match="NaN"):
        ignoring.partial_fit(holes)
    with pytest.raises(ValueError, match="NaN"):
        ignoring.fit(sparse.csr_matrix(holes))
    with pytest.raises(ValueError, match="infinity"):
        ignoring.fit(np.where(hidden, np.inf, holes))
    with pytest.raises(im.ArgumentError, match="'missing' must be one of 'refuse', 'ignore', but it is 'drop'"):
        im.MeanFieldAutoencoder(missing="drop").fit(holes)


def test_a_column_without_an_entry_is_refused_by_name(wine):
    table = pd.DataFrame(wine[0], columns=[f"c{i}" for i in range(13)])
    table["c4"] = np.nan
    with pytest.raises(im.ArgumentError, match="without any in column 'c4'; drop the column"):
        im.MeanFieldAutoencoder(2, width=16, missing="ignore").fit(table)


def test_complete_rows_train_as_ever(wine):
    table, options = standardised("wine"), {"width": 16, "horizon": 2.0, "step_size": 0.5, "random_state": 0}
    plain, word = (
        im.MeanFieldAutoencoder(2, missing=missing, **options).fit(table) for missing in ("refuse", "ignore")
    )
    np.testing.assert_array_equal(plain.training_curve_, word.training_curve_)
    latents = word.transform(wine[0])  # entries may be missing later
    assert np.isfinite(latents).all()
    assert np.isfinite(word.reconstruction_error(wine[0])).all()


def test_wide_tables_with_holes(wine):
    random = np.random.default_rng(0)
    table = random.standard_normal((30, 2)) @ random.standard_normal((2, 200))
    holes, hidden = with_holes(table + 0.1 * random.standard_normal(table.shape), 0.2)
    options = {"width": 32, "missing": "ignore", "horizon": 4.0, "step_size": 0.25, "random_state": 0}
    model = im.MeanFieldAutoencoder(2, **options).fit(holes)
    assert explained(imputed(model, holes), table, hidden) > 0.8


def test_exports_and_files_know_of_missing_entries(model, wine, tmp_path):
    holes, _ = wine
    latents, restored = model.transform(holes), imputed(model, holes)
    plain = model.to_numpy()
    np.testing.assert_allclose(plain.transform(holes), latents, atol=1e-9)
    plain.save(tmp_path / "plain.npz")
    np.testing.assert_allclose(type(plain).load(tmp_path / "plain.npz").transform(holes), latents, atol=1e-9)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(im.MeanFieldAutoencoder.load(tmp_path / "model").transform(holes), latents)
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(model.to_onnx().SerializeToString())
    found = session.run(None, {"points": holes})
    np.testing.assert_allclose(found[0], latents, atol=1e-9)
    np.testing.assert_allclose(found[1], restored, atol=1e-8)


def test_it_is_a_step_of_a_pipeline_that_lets_missing_entries_pass(wine):
    from sklearn.preprocessing import StandardScaler

    model = im.MeanFieldAutoencoder(2, width=16, missing="ignore", horizon=1.0, step_size=0.5, random_state=0)
    assert make_pipeline(StandardScaler(), model).fit_transform(wine[0]).shape == (178, 2)
    assert model.__sklearn_tags__().input_tags.allow_nan


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.3])
@pytest.mark.parametrize(("name", "k", "gain"), [("wine", 2, 0.01), ("breast_cancer", 5, -1e-9), ("digits", 10, 0.15)])
def test_held_out_entries_are_imputed_no_worse_than_by_masked_pca(name, k, gain, share):
    table = standardised(name)
    holes, hidden = with_holes(table, share)
    model = im.MeanFieldAutoencoder(k, missing="ignore", random_state=0).fit(holes)
    ours, pca = explained(imputed(model, holes), table, hidden), explained(imputed_by_pca(holes, k), table, hidden)
    assert ours >= pca + gain
    assert pca > 0.25
