"""The intrinsic dimension: that of manifolds where it is known, whatever their place and scale."""

import numpy as np
import pytest

import isthmus as im


def cube(dim: int, seed: int = 0, count: int = 2000) -> np.ndarray:
    """Return points that are uniform in a cube, embedded linearly in 20 dimensions."""
    random = np.random.default_rng(seed)
    return random.random((count, dim)) @ np.linalg.qr(random.standard_normal((20, dim)))[0].T


@pytest.mark.parametrize(("dim", "tolerance"), [(1, 0.1), (2, 0.1), (5, 0.15)])
def test_cubes_have_the_dimension_that_they_have(dim, tolerance):
    assert im.intrinsic_dimension(cube(dim)) == pytest.approx(dim, rel=tolerance)


def test_the_estimate_is_unbiased_where_there_is_no_border():
    """On a torus, of circles in planes of their own, the density is even everywhere."""
    angles = 2 * np.pi * np.random.default_rng(1).random((20, 400, 2))
    tori = np.concatenate([np.cos(angles), np.sin(angles)], axis=2)
    found = np.array([im.intrinsic_dimension(torus) for torus in tori])
    assert abs(found.mean() - 2) <= 5 * found.std(ddof=1) / np.sqrt(len(found))
    assert found.std(ddof=1) < 0.25


def test_place_scale_order_and_copies_do_not_matter():
    points = cube(2, count=300)
    found = im.intrinsic_dimension(points)
    assert im.intrinsic_dimension(1e3 * points[::-1] + 7) == pytest.approx(found, rel=1e-6)
    assert im.intrinsic_dimension(np.concatenate([points, points[:100]])) == pytest.approx(found, rel=1e-12)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[0.0], [1.0], [1.0]], "Argument 'points' must hold at least 3 different points, but it is of 2."),
        (
            np.stack(np.meshgrid(np.arange(5), np.arange(5)), axis=2).reshape(-1, 2),
            "Argument 'points' must have first and second neighbours at different distances, but it is one where most "
            "are equal, as on a lattice.",
        ),
        ([1.0, 2.0], "Argument 'points' must have shape (n, d), but it is of shape (2,)."),
    ],
)
def test_what_tells_no_dimension_is_refused(points, message):
    with pytest.raises(im.ArgumentError) as refusal:
        im.intrinsic_dimension(points)
    assert str(refusal.value) == message
