"""The data sets of the comparison are what they are said to be."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import tables
from benchmarks.tables import TABLES, cleaned

SHAPES = {
    "digits": (1797, 61),
    "wine": (178, 13),
    "breast_cancer": (569, 30),
    "diabetes": (442, 10),
    "iris": (150, 4),
    "autompg": (392, 7),
    "star98": (303, 22),
    "anes96": (944, 11),
    "fair": (6366, 9),
    "randhie": (2000, 10),
    "macrodata": (203, 12),
    "statecrime": (51, 7),
    "elnino": (61, 12),
    "swiss_roll": (2000, 3),
    "s_curve": (2000, 3),
    "circle": (500, 8),
    "low_rank": (400, 20),
    "gaussian": (300, 10),
    "lognormal": (500, 12),
}
FROM_STATSMODELS = ("star98", "anes96", "fair", "randhie", "macrodata", "statecrime", "elnino", "fertility")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_numbers_without_gaps_and_constants(name):
    if name in FROM_STATSMODELS:
        pytest.importorskip("statsmodels")
    points = TABLES[name].points()
    assert points.dtype == np.float64 and np.isfinite(points).all() and (np.ptp(points, axis=0) > 0).all()
    assert points.shape == SHAPES.get(name, points.shape)
    assert 50 <= len(points) <= 6500 and 3 <= points.shape[1] <= 784 and 1 <= TABLES[name].k < points.shape[1]
    if TABLES[name].about.startswith("made"):
        np.testing.assert_array_equal(points, TABLES[name].points())


def test_columns_without_numbers_go_before_rows_with_gaps_and_constants_last():
    frame = pd.DataFrame(
        {
            "word": ["a", "b", "c", "d"],
            "empty": [np.nan] * 4,
            "varies": [1.0, 2.0, 3.0, 4.0],
            "gap": [1, np.nan, 2, 3],
            "constant in what stays": [5, 6, 5, 5],
        }
    )
    np.testing.assert_array_equal(cleaned(frame), [[1, 1], [3, 2], [4, 3]])
    np.testing.assert_array_equal(cleaned(frame.drop(columns="word").to_numpy()), [[1, 1], [3, 2], [4, 3]])


def test_made_tables_are_what_they_are_said_to_be():
    circle = np.linalg.svd(tables.circle(), compute_uv=False) / np.sqrt(500)
    np.testing.assert_allclose(circle, [0.5**0.5] * 2 + [0.05] * 6, rtol=0.15)
    np.testing.assert_allclose(np.linalg.norm(tables.circle(), axis=1), 1, atol=0.3)
    low_rank = np.linalg.svd(tables.low_rank(), compute_uv=False) / np.sqrt(400)
    np.testing.assert_allclose(low_rank[:3], [3, 2, 1], rtol=0.15)
    np.testing.assert_allclose(low_rank[3:].mean(), 0.2, rtol=0.05)
    np.testing.assert_allclose(tables.gaussian().var(axis=0), 1, atol=0.3)
    logarithms = np.linalg.svd(np.log(tables.lognormal()), compute_uv=False) / np.sqrt(500)
    np.testing.assert_allclose(logarithms[2:].mean(), 0.3, rtol=0.05)
    assert logarithms[1] > 1


def test_a_part_of_a_long_table_is_drawn_at_random():
    long = np.arange(300.0).reshape(100, 3)
    part = tables.Table("", lambda: long, max_rows=10).points()
    assert part.shape == (10, 3) and part[:, 0].max() > 200 and np.isin(part[:, 0], long[:, 0]).all()
    assert tables.Table("", lambda: long, max_rows=100).points().shape == (100, 3)


def test_a_missing_package_is_named():
    with pytest.raises(SystemExit, match=r"package no_such_package: pip install 'isthmus\[bench\]'"):
        tables.package("no_such_package.datasets")
