"""Sparse tables: the same results as the dense ones, whatever their format, and never a dense copy."""

import numpy as np
import pytest
from scipy import sparse

import isthmus as im
from isthmus.core import sparse as entries
from isthmus.core.leading import projected, second_moments_times, squares_outside
from isthmus.core.scaling import scaling
from isthmus.estimator.folds import row_keys

pytestmark = pytest.mark.filterwarnings("ignore:the learning curve")  # runs too short to learn anything

QUICK = {"width": 16, "cv": 3, "random_state": 0}
EXPLICIT = QUICK | {"horizon": 1.0, "batch_size": 8, "records": 2}


def counts(rows, columns, dtype=float):
    random = np.random.default_rng(0)
    places = random.random((rows, 1)) - np.arange(columns) / columns
    return random.poisson(3 * np.exp(-60 * np.minimum(places % 1, -places % 1) ** 2)).astype(dtype)


LONG, WIDE = counts(60, 24), counts(30, 200)


@pytest.mark.parametrize(
    ("X", "options"),
    [(LONG, QUICK), (WIDE.astype(np.float32), QUICK), (LONG, EXPLICIT), (WIDE, EXPLICIT)],
    ids=["long", "wide, in single precision", "long, for a given horizon", "wide, for a given horizon"],
)
def test_results_are_those_of_the_dense_table(X, options):
    weights = np.random.default_rng(1).random(len(X)).round(1)
    models = [im.MeanFieldAutoencoder(2, **options).fit(one, sample_weight=weights) for one in (X, sparse.csr_array(X))]
    for one in (X, sparse.csc_matrix(X)):
        assert models[0].chosen_ == models[1].chosen_
        assert models[1].score(one) == pytest.approx(models[0].score(X), abs=1e-9)
        np.testing.assert_allclose(models[1].transform(one), models[0].transform(X), atol=1e-6)
        np.testing.assert_allclose(models[1].score_samples(one), models[0].score_samples(X), rtol=1e-6)
        np.testing.assert_array_equal(models[1].predict(one), models[0].predict(X))
        errors = [
            model.reconstruction_error(rows, per_feature=True) for model, rows in zip(models, (X, one), strict=True)
        ]
        np.testing.assert_allclose(errors[1], errors[0], atol=1e-6)
    restored = models[1].inverse_transform(models[1].transform(sparse.csr_array(X)))
    assert isinstance(restored, np.ndarray) and restored.shape == X.shape


def test_other_answers_take_sparse_tables():
    model, X = _dense(), sparse.csr_array(LONG)
    assert model.resized(24, X).score(X) == pytest.approx(model.score(LONG), abs=1e-4)
    dense, thin = (model.diagnose(one, compare=False) for one in (LONG, X))
    assert thin.objective == pytest.approx(dense.objective, rel=1e-9)


def formats():
    X = sparse.csr_matrix(LONG)
    for kind in ("csr", "csc", "coo", "lil", "dok", "bsr"):
        yield pytest.param(X.asformat(kind), id=f"{kind}_matrix")
        yield pytest.param(getattr(sparse, f"{kind}_array")(X), id=f"{kind}_array")
    long = X.copy()
    long.indices, long.indptr = long.indices.astype(np.int64), long.indptr.astype(np.int64)
    yield pytest.param(long, id="indices of 64 bits")
    yield pytest.param(X.astype(np.int32), id="integers")
    stored = sparse.coo_matrix(LONG + 1).tocsr()
    stored.data -= 1
    yield pytest.param(stored, id="zeros that are stored")
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(X.indptr[:-1], X.indptr[1:], strict=True)])
    yield pytest.param(sparse.csr_matrix((X.data[order], X.indices[order], X.indptr)), id="indices not in order")
    halves = (np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr)
    yield pytest.param(sparse.csr_matrix(halves, shape=X.shape), id="entries twice")


@pytest.mark.parametrize("X", list(formats()))
def test_every_format_is_read(X):
    parts = {name: np.copy(value) for name, value in vars(X).items() if isinstance(value, np.ndarray)}
    model = im.MeanFieldAutoencoder(2, **EXPLICIT).fit(X)
    wanted = _dense()
    assert model.unit_ == pytest.approx(wanted.unit_, rel=1e-14)
    np.testing.assert_allclose(model.transform(X), wanted.transform(LONG), atol=1e-6)
    for name, value in parts.items():  # what was given stays as it was
        np.testing.assert_array_equal(getattr(X, name), value)


def _dense(known=[]):  # noqa: B006
    if not known:
        known.append(im.MeanFieldAutoencoder(2, **EXPLICIT).fit(LONG))
    return known[0]


def test_flags_are_numbers():
    flags = sparse.csr_array(LONG > 0)
    assert im.MeanFieldAutoencoder(1, **EXPLICIT).fit(flags).mean_ == pytest.approx((LONG > 0).mean(axis=0))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_what_is_stored_is_finite(value):
    X = sparse.csr_array(LONG)
    X.data[5] = value
    with pytest.raises(ValueError, match="'X' must be (finite|at most)"):
        im.MeanFieldAutoencoder(2, **EXPLICIT).fit(X)
    with pytest.raises(ValueError, match="'X' must be (finite|at most)"):
        _dense().score(X)


def test_nothing_is_in_a_table_of_zeros():
    empty = sparse.csr_array((30, 50))
    for options in (QUICK, EXPLICIT):
        model = im.MeanFieldAutoencoder(2, **options).fit(empty)
        assert model.score(empty) == 1.0 and not model.transform(empty).any()


def test_streams_take_sparse_batches():
    models = [im.MeanFieldAutoencoder(2, **QUICK) for _ in range(2)]
    for first in range(0, 60, 20):
        models[0].partial_fit(LONG[first : first + 20])
        models[1].partial_fit(sparse.csr_array(LONG[first : first + 20]))
    assert models[1].score(LONG) == pytest.approx(models[0].score(LONG), abs=1e-6)


def test_data_wants_a_dense_array():
    with pytest.raises(TypeError, match="'points' must be a dense array"):
        im.Data(sparse.csr_array(LONG))


@pytest.fixture
def by_entries(monkeypatch):
    """Every sparse table counts as large."""
    monkeypatch.setattr(entries, "LARGE", 0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_large_tables_are_scaled_and_multiplied_by_what_is_stored(by_entries, dtype):
    X = counts(60, 40, dtype)
    X[:, 3], X[:, 4], X[:, 5] = 7, 0, 1000 + X[:, 5]
    weights = np.random.default_rng(2).random(60)
    weights[:5] = 0
    weights /= weights.sum()
    axes = np.linalg.qr(np.random.default_rng(3).standard_normal((40, 6)))[0]
    dense, thin = X, sparse.csr_array(X)
    units, found = scaling(dense, weights), scaling(thin, weights)
    np.testing.assert_allclose(found.mean, units.mean, rtol=1e-14, atol=1e-15)
    assert found.unit == pytest.approx(units.unit, rel=1e-13)
    np.testing.assert_array_equal(found.noise > 0, units.noise > 0)
    inside = projected(dense, units, axes)
    np.testing.assert_allclose(projected(thin, units, axes), inside, atol=1e-10)
    np.testing.assert_allclose(
        squares_outside(thin, units, axes, inside), squares_outside(dense, units, axes, inside), atol=1e-9
    )
    np.testing.assert_allclose(
        second_moments_times(thin, weights, units, axes), second_moments_times(dense, weights, units, axes), atol=1e-10
    )


def test_a_large_offset_costs_no_digits(by_entries):
    X, weights = counts(60, 40) + 1e9, np.full(60, 1 / 60)
    units, found = scaling(X, weights), scaling(sparse.csr_array(X), weights)
    assert found.unit == pytest.approx(units.unit, rel=1e-12)
    axes = np.random.default_rng(3).standard_normal((40, 6))
    np.testing.assert_allclose(projected(sparse.csr_array(X), found, axes), projected(X, units, axes), atol=1e-9)


def test_large_tables_are_fitted_as_small_ones(by_entries):
    model = im.MeanFieldAutoencoder(2, **QUICK).fit(sparse.csr_array(WIDE))
    wanted = im.MeanFieldAutoencoder(2, **QUICK).fit(WIDE)
    assert model.pca_risk_ == pytest.approx(wanted.pca_risk_, rel=1e-8)
    assert model.score(sparse.csr_array(WIDE)) == pytest.approx(wanted.score(WIDE), abs=0.02)
    model = im.MeanFieldAutoencoder(2, **EXPLICIT).fit(sparse.csr_array(LONG))
    assert model.score(sparse.csr_array(LONG)) == pytest.approx(_dense().score(LONG), abs=1e-5)


def test_rows_are_told_apart_by_what_is_stored():
    X = np.vstack([LONG, LONG[::-1], -0.0 * LONG[:2]])
    np.testing.assert_array_equal(row_keys(sparse.csr_array(X)), row_keys(X))
    assert row_keys(X)[0] == row_keys(X)[119] and len(set(row_keys(X))) == len(np.unique(X, axis=0))
