"""Centring, scaling and principal directions: offsets, constants, rounding, weights, holes, many columns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus as im
from isthmus.core.masked_pca import masked_pca
from isthmus.core.principal import filled, principal_components
from isthmus.core.scaling import SCALES, scaling

thorough = settings(max_examples=40, deadline=None, derandomize=True)
BASE = np.random.default_rng(0).standard_normal((300, 5)) * [3, 2, 1, 0.5, 0.3]
EQUAL = np.full(300, 1 / 300)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", ["none", "total", "features", "robust"])
@pytest.mark.parametrize("relative", [0.0, 1e2, 1e5, 1e12])
def test_points_are_centred_to_rounding_whatever_their_offset(relative, scale, dtype):
    points = (BASE + relative).astype(dtype)
    if dtype == np.float32 and relative > 1e5:  # nothing but a few steps of the type would be left
        return
    data = im.Data(points, center=True, scale=scale)
    spread = np.sqrt(data.principal_variances.sum())
    assert np.linalg.norm(data.points.astype(float).mean(axis=0)) < 8 * np.finfo(dtype).eps * spread
    assert data.is_centred
    im.aligned_law(data, 2)


def test_time_stamps_in_nanoseconds_keep_their_digits():
    stamps = 1_700_000_000_000_000_000 + np.arange(0, 300) * 3_600_000_000_000
    data = im.Data(np.c_[stamps, BASE].astype(float), center=True, scale="features")
    assert abs(data.points[:, 0].mean()) < 1e-15
    np.testing.assert_allclose(data.points[:, 0] / data.points[-1, 0], np.linspace(-1, 1, 300), atol=1e-10)
    np.testing.assert_array_equal(data.restore(data.points)[:, 0], stamps.astype(float))


@pytest.mark.parametrize("constant", [0.0, 0.1, 14.62, -1e-300, 1.7e15, 1.7e18, 1e140])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_column_is_exactly_0_and_changes_nothing_else(constant, dtype):
    if dtype == np.float32 and abs(constant) > 1e30:
        return
    with_it = im.Data(np.c_[np.full(300, constant), BASE].astype(dtype), center=True, scale="total")
    without = im.Data(BASE.astype(dtype), center=True, scale="total")
    assert not with_it.points[:, 0].any()
    np.testing.assert_allclose(with_it.points[:, 1:], without.points, atol=8 * np.finfo(dtype).eps)
    assert with_it.rank == 5
    im.aligned_law(with_it, 2)
    np.testing.assert_allclose(with_it.restore(with_it.points)[:, 0], dtype(constant), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.3, 2020.0, 1.7e18])
def test_a_column_of_nothing_but_rounding_is_constant(value, dtype):
    value = dtype(value)
    noisy = np.array([np.nextafter(value, dtype(-np.inf)), value, np.nextafter(value, dtype(np.inf))])
    data = im.Data(np.c_[noisy[np.arange(300) % 3], BASE].astype(dtype), center=True, scale="features")
    assert not data.points[:, 0].any()
    assert data.rank == 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_readings_a_few_steps_of_their_type_apart_are_data(dtype):
    steps = np.random.default_rng(1).integers(-12, 13, 300)
    column = dtype(101_325) + steps * np.spacing(dtype(101_325))
    data = im.Data(column[:, None], center=True, scale="total")
    assert data.rank == 1
    expected = (steps - steps.mean()) / steps.std()
    np.testing.assert_allclose(data.points[:, 0], expected, rtol=1e-6, atol=1e-6)


@thorough
@given(
    factor=st.sampled_from([1e-140, 1e-30, 1e-6, 1.0, 1e3, 1e140]),
    offset=st.sampled_from([0.0, 1.0, 1e6]),
    scale=st.sampled_from(["total", "features", "robust"]),
)
def test_scaled_points_have_no_unit_and_no_offset(factor, offset, scale):
    plain = im.Data(BASE, center=True, scale=scale)
    moved = im.Data((BASE + offset) * factor, center=True, scale=scale)
    np.testing.assert_allclose(moved.points, plain.points, atol=1e-9)
    assert moved.pca_risk(2) == pytest.approx(plain.pca_risk(2), rel=1e-9)


def test_the_robust_unit_heeds_no_outlier():
    spoilt = BASE.copy()
    spoilt[7] = 1e6
    unit, clean = (im.Data(points, center=True, scale="robust").unit for points in (spoilt, BASE))
    np.testing.assert_allclose(unit, clean, rtol=0.05)
    # Columns of normals have the standard deviation of which the quartiles tell.
    np.testing.assert_allclose(clean, np.sqrt(5) * BASE.std(axis=0), rtol=0.15)


def test_the_robust_unit_of_a_column_that_is_mostly_0_is_its_standard_deviation():
    sparse = np.where(np.arange(300) % 10 == 0, BASE[:, 0], 0.0)
    data = im.Data(np.c_[sparse, BASE], center=True, scale="robust")
    assert data.unit[0] == pytest.approx(np.sqrt(6) * sparse.std())


@pytest.mark.parametrize("scale", SCALES)
def test_weights_of_any_unit_act_as_repetitions(scale):
    counts = np.random.default_rng(1).integers(0, 4, 300)
    repeated = scaling(np.repeat(BASE, counts, axis=0), np.full(counts.sum(), 1 / counts.sum()), scale)
    for unit in (1e-300, 1.0, 1e300):
        weighted = im.Data(BASE, counts * unit, center=True, scale=scale)
        np.testing.assert_allclose(weighted.shift, repeated.mean, rtol=1e-12)
        np.testing.assert_allclose(weighted.unit, np.broadcast_to(repeated.unit, 5), rtol=1e-9)


def test_one_row_with_all_the_weight_does_not_vary():
    weights = np.zeros(300)
    weights[3] = 1e-300
    with pytest.raises(
        im.ArgumentError, match=r"^Argument 'points' must hold at least two distinct points when scale='total'"
    ):
        im.Data(BASE, weights, scale="total")
    np.testing.assert_array_equal(im.Data(BASE, weights, center=True).points[3], 0)


def test_squares_that_vanish_are_refused_unless_they_are_scaled():
    small = (BASE * 1e-30).astype(np.float32)
    with pytest.raises(im.ArgumentError, match="have an entry of size 3.1e-16 or more, so that squares aren't 0"):
        im.Data(small, center=True)
    assert im.Data(small, center=True, scale="total").pca_risk(0) == pytest.approx(0.5)


@pytest.mark.parametrize(("rows", "columns"), [(12, 40), (12, 400_000), (7, 7), (40, 12)])
def test_principal_components_are_those_of_a_singular_value_decomposition(rows, columns):
    random = np.random.default_rng(2)
    points = random.standard_normal((rows, 3)) @ random.standard_normal((3, columns)) * [[1e3]] + 5.0
    points += random.standard_normal((rows, columns))
    weights = random.uniform(size=rows)
    weights /= weights.sum()
    units = scaling(points, weights)
    variances, directions = principal_components(points, weights, units)
    scaled = np.sqrt(weights)[:, None] * units.precisely(points)
    values = np.linalg.svd(scaled, compute_uv=False) ** 2
    kept = min(rows - 1, columns)
    np.testing.assert_allclose(variances[:kept], values[:kept], rtol=1e-7)
    product = directions.T @ directions
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-12)
    left = scaled - scaled @ directions[:, :3] @ directions[:, :3].T
    assert (left**2).sum() == pytest.approx(values[3:].sum(), rel=1e-7)


def test_means_and_units_are_those_of_the_entries_that_are_there():
    holes = np.where(np.random.default_rng(3).random(BASE.shape) < 0.3, np.nan, BASE + 100)
    units = scaling(holes, EQUAL, "features")
    np.testing.assert_allclose(units.mean, np.nanmean(holes, axis=0), rtol=1e-14)
    np.testing.assert_allclose(units.unit, np.sqrt(5) * np.nanstd(holes, axis=0), rtol=1e-12)
    robust = scaling(holes, EQUAL, "robust")
    quartiles = np.nanquantile(holes, [0.25, 0.75], axis=0)
    np.testing.assert_allclose(robust.unit, np.sqrt(5) * np.ptp(quartiles, axis=0) / 1.349, rtol=0.02)


def test_masked_pca_is_pca_where_nothing_is_missing():
    data = im.Data(BASE, center=True, scale="features")
    directions = data.principal_directions[:, :2]
    code = masked_pca(data.points, EQUAL, directions)
    np.testing.assert_allclose(code.encoding, directions, atol=1e-10)
    np.testing.assert_allclose(code.directions, directions, atol=1e-10)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_masked_pca_finds_the_plane_and_reconstructs_better_than_filling_with_means(share):
    random = np.random.default_rng(4)
    plane = random.standard_normal((400, 2)) @ random.standard_normal((2, 8))
    points = plane + 0.1 * random.standard_normal(plane.shape)
    hidden = random.random(points.shape) < share
    holes = np.where(hidden, np.nan, points)
    units = scaling(holes, np.full(400, 1 / 400))
    scaled, whole = units.precisely(holes), units.precisely(points)
    _, naive = principal_components(holes, np.full(400, 1 / 400), units)
    code = masked_pca(scaled, np.full(400, 1 / 400), naive[:, :2])
    _, exact = principal_components(points, np.full(400, 1 / 400), units)
    # The sine of the angle between the planes is that of noise, .1 of the spread over √400 rows.
    assert np.linalg.norm(exact[:, :2] - code.directions @ (code.directions.T @ exact[:, :2])) < 0.03
    error = lambda found: ((found - whole)[hidden] ** 2).mean()
    zeros = filled(scaled.copy())
    assert error(code.of(zeros)) < 0.95 * error(zeros @ naive[:, :2] @ naive[:, :2].T) < error(zeros)
