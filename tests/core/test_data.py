"""Weighted points: their moments, units and principal components, against repetition and scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.decomposition import PCA

import isthmus as im

thorough = settings(max_examples=40, deadline=None, derandomize=True)
tables = hnp.arrays(np.float64, (7, 3), elements=st.integers(-50, 50).map(lambda value: value / 8))


@pytest.fixture
def table():
    """Columns of very different units and a common offset."""
    random = np.random.default_rng(0)
    return random.standard_normal((40, 6)) @ random.standard_normal((6, 6)) * 10.0 ** np.arange(-2, 4) + 3.0


@pytest.mark.parametrize("scale", ["none", "total", "features"])
@pytest.mark.parametrize("center", [True, False])
def test_weights_act_as_repetitions(center, scale, table):
    counts = np.random.default_rng(1).integers(0, 4, len(table))
    weighted = im.Data(table, counts, center=center, scale=scale)
    repeated = im.Data(np.repeat(table, counts, axis=0), center=center, scale=scale)
    assert weighted.weights.sum() == pytest.approx(1, abs=1e-15)
    close = {"rtol": 1e-9, "atol": 1e-9 * np.abs(repeated.points).max()}
    np.testing.assert_allclose(np.repeat(weighted.points, counts, axis=0), repeated.points, **close)
    np.testing.assert_allclose(weighted.mean, repeated.mean, **close)
    size = np.abs(repeated.covariance).max()
    np.testing.assert_allclose(weighted.covariance, repeated.covariance, rtol=1e-9, atol=1e-12 * size)
    variances, directions = weighted.principal_variances, weighted.principal_directions
    np.testing.assert_allclose(variances, repeated.principal_variances, rtol=1e-9, atol=1e-12 * size)
    # The sign is fixed by the largest entry, which two directions of equal variance could not share.
    np.testing.assert_allclose(directions[:, :2], repeated.principal_directions[:, :2], atol=1e-6)
    assert weighted.pca_risk(2) == pytest.approx(repeated.pca_risk(2), rel=1e-9)


def test_covariance_is_that_of_numpy(table):
    data = im.Data(table, center=True)
    np.testing.assert_allclose(data.covariance, np.cov(table.T, ddof=0), rtol=1e-10, atol=1e-10)
    weights = np.random.default_rng(2).uniform(size=len(table))
    expected = np.cov(table.T, aweights=weights, ddof=0)
    np.testing.assert_allclose(im.Data(table, weights).covariance, expected, rtol=1e-10, atol=1e-10)


def test_principal_directions_diagonalise_the_covariance(table):
    data = im.Data(table, scale="features")
    variances, directions = data.principal_variances, data.principal_directions
    np.testing.assert_allclose(directions.T @ directions, np.eye(6), atol=1e-13)
    np.testing.assert_allclose(directions.T @ data.covariance @ directions, np.diag(variances), atol=1e-13)
    assert np.all(np.diff(variances) <= 0)
    assert np.all(directions[np.abs(directions).argmax(axis=0), np.arange(6)] > 0)


def test_total_scaling_has_unit_variance_and_one_unit(table):
    data = im.Data(table, center=True, scale="total")
    assert np.trace(data.covariance) == pytest.approx(1, rel=1e-12)
    assert data.pca_risk(0) == pytest.approx(0.5, rel=1e-12)
    np.testing.assert_array_equal(data.unit, data.unit[0])
    np.testing.assert_allclose(data.mean, 0, atol=1e-13)


def test_features_scaling_gives_each_column_an_equal_share(table):
    data = im.Data(table, center=True, scale="features")
    np.testing.assert_allclose(np.diag(data.covariance), 1 / 6, rtol=1e-12)


def test_scaling_without_centring_divides_by_the_distance_from_the_mean(table):
    data = im.Data(table, scale="total")
    assert np.trace(data.covariance) == pytest.approx(1, rel=1e-12)
    np.testing.assert_array_equal(data.shift, 0)
    np.testing.assert_allclose(data.points * data.unit, table, rtol=1e-14)


@pytest.mark.parametrize("value", [0.0, 0.1, 1000 / 7, 123456.789])
def test_a_constant_column_stays_zero(value, table):
    table[:, 2] = value
    data = im.Data(table, center=True, scale="features")
    np.testing.assert_allclose(data.points[:, 2], 0, atol=1e-9)
    # One of six columns has no share of the variance to give.
    assert np.trace(data.covariance) == pytest.approx(5 / 6, rel=1e-9)
    np.testing.assert_allclose(data.restore(data.points), table, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, 1000 / 7, 123456.789])
@pytest.mark.parametrize("scale", ["total", "features"])
def test_the_same_point_throughout_has_no_scale(scale, value):
    with pytest.raises(im.ArgumentError) as caught:
        im.Data(np.full((7, 2), value), scale=scale)
    assert str(caught.value) == (
        f"Argument 'points' must hold at least two distinct points when scale='{scale}', but it is one point, repeated."
    )


@thorough
@given(points=tables, center=st.booleans(), scale=st.sampled_from(["none", "total", "features"]))
def test_restore_undoes(points, center, scale):
    assume(np.ptp(points, axis=0).any())
    data = im.Data(points, center=center, scale=scale)
    # A few roundings of numbers no larger than the largest entry, magnified by nothing.
    np.testing.assert_allclose(data.restore(data.points), points, rtol=1e-14, atol=1e-13 * np.abs(points).max())


@pytest.mark.parametrize("latent_dim", [1, 3, 6])
@pytest.mark.parametrize("scale", ["none", "total", "features"])
def test_principal_components_are_those_of_scikit_learn(scale, latent_dim, table):
    data = im.Data(table, center=True, scale=scale)
    pca = PCA(latent_dim, svd_solver="full").fit(data.points)
    expected = pca.inverse_transform(pca.transform(data.points))
    size = np.abs(data.points).max()
    np.testing.assert_allclose(data.pca_reconstruction(latent_dim), expected, rtol=1e-7, atol=1e-9 * size)
    half_mean_square = 0.5 * ((data.points - expected) ** 2).sum(axis=1).mean()
    # The small eigenvalues of a covariance carry the rounding of the largest one.
    assert data.pca_risk(latent_dim) == pytest.approx(half_mean_square, rel=1e-9, abs=1e-14 * size**2)


def test_principal_components_of_data_off_centre_keep_the_mean(table):
    data = im.Data(table)
    pca = PCA(2, svd_solver="full").fit(table)
    expected = pca.inverse_transform(pca.transform(table))
    np.testing.assert_allclose(data.pca_reconstruction(2), expected, rtol=1e-7, atol=1e-6)
    np.testing.assert_allclose(data.pca_reconstruction(2).mean(axis=0), table.mean(axis=0), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_kept(dtype, table):
    data = im.Data(table.astype(dtype), np.ones(len(table)), center=True, scale="features")
    assert {part.dtype for part in (data.points, data.weights, data.mean, data.covariance)} == {np.dtype(dtype)}
    assert data.principal_variances.dtype == np.float64


def test_points_are_copied(table):
    data = im.Data(table)
    table[:] = 0
    assert np.abs(data.points).max() > 0


def test_labels_and_image_shape_are_kept():
    data = im.Data(np.eye(4), labels=list("abca"), image_shape=(2, 2), name="letters")
    assert data.labels is not None and data.labels.tolist() == list("abca")
    assert data.image_shape == (2, 2)
    assert repr(data) == "Data('letters', 4 points in 4 dimensions)"
    assert (data.size, data.dim) == (4, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": [1, 2]}, r"Argument 'labels' must have shape \(4,\), but it is of shape \(2,\)\."),
        ({"labels": np.zeros((4, 1))}, r"Argument 'labels' must have shape \(4,\), but it is of shape \(4, 1\)\."),
        ({"image_shape": (3, 2)}, r"Argument 'image_shape' must have 4 pixels, but it is \(3, 2\)\."),
        ({"scale": "totl"}, r"Argument 'scale' must be one of .* but it is 'totl'; did you mean 'total'\?"),
        ({"weights": [1, 1, 1]}, r"Argument 'weights' must have shape \(4,\), but it is of shape \(3,\)\."),
        ({"weights": [1, 1, 1, -1]}, r"must be non-negative and not all 0, but it is of minimum -1 and sum 2\."),
        ({"weights": [0, 0, 0, 0]}, r"must be non-negative and not all 0, but it is of minimum 0 and sum 0\."),
        ({"weights": [1, 1, 1, np.nan]}, r"Argument 'weights' must be finite, but it is NaN or infinite in 1 of 4"),
    ],
)
def test_errors_name_argument_rule_and_value(options, message):
    with pytest.raises(im.ArgumentError, match=message):
        im.Data(np.eye(4), **options)


@pytest.mark.parametrize("image_shape", [(4,), 4, (2, 2, 1), (-2, -2), (2.0, 2.0), "ab"])
def test_an_image_has_rows_and_columns(image_shape):
    with pytest.raises((im.ArgumentError, im.ArgumentTypeError), match="Argument 'image_shape' must "):
        im.Data(np.eye(4), image_shape=image_shape)


def test_ragged_labels_are_refused():
    with pytest.raises(im.IsthmusError, match="Argument 'labels' must "):
        im.Data(np.eye(2), labels=[[1], [1, 2]])


@pytest.mark.parametrize(
    ("points", "kind", "message"),
    [
        ([1.0, 2.0], im.ArgumentError, r"must have shape \(n, d\), but it is of shape \(2,\); one column is"),
        ([[1.0, np.nan]], im.ArgumentError, r"NaN or infinite in 1 of 2 entries, first at \(0, 1\); remove or impute"),
        (np.zeros((0, 3)), im.ArgumentError, "must not be empty"),
        ([["a", "b"]], im.ArgumentTypeError, "must be a real array"),
    ],
)
def test_points_are_checked(points, kind, message):
    with pytest.raises(kind, match=f"Argument 'points' .*{message}"):
        im.Data(points)


@pytest.mark.parametrize(
    ("missing", "value", "kind"), [("refuse", None, "NaN or infinite"), ("ignore", np.inf, "infinite")]
)
def test_entries_that_are_no_numbers_are_found_by_name_and_row(missing, value, kind):
    points = [[1.0, 2.0], [3.0, 4.0], [5.0, value]]
    message = f"{kind} in 1 of 6 entries, first in column 'proline', row 2; remove"
    for frame, names in ((pd.DataFrame(points, columns=["ash", "proline"]), None), (points, ["ash", "proline"])):
        with pytest.raises(im.ArgumentError, match=message):
            im.Data(frame, columns=names, missing=missing)


def test_a_stream_is_drawn_in_double_precision_and_repeats():
    stream = im.gaussian_stream([1.0, 1.0])
    first, again, other = stream.draw(5, seed=3), stream.draw(5, seed=3), stream.draw(5, seed=4)
    assert first.points.dtype == np.float64
    np.testing.assert_array_equal(first.points, again.points)
    assert not np.any(first.points == other.points)
    assert np.any(first.points != first.points.astype(np.float32))


def test_a_stream_must_return_what_it_promises():
    stream = im.Stream(im.gaussian_stream([1.0, 1.0]).sample, dim=3)
    with pytest.raises(im.ArgumentError, match=r"must return an array of shape \(5, 3\), but it is of shape \(5, 2\)"):
        stream.draw(5, seed=0)
    with pytest.raises(im.ArgumentError, match="Argument 'count' must be an integer of at least 1"):
        stream.draw(0, seed=0)
