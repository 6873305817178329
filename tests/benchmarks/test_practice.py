"""The table of methods and that of step sizes are built right, in tiny settings and against known optima."""

import numpy as np
import pytest

from benchmarks import practice, transfer
from benchmarks.plain import markdown, plain_autoencoder, reconstructed, risk, train_plain

QUICK = practice.QUICK


def test_points_are_scaled_by_those_in_training():
    for name, count in (("wine", 100), ("digits", 80)):
        training, held_out = practice.split(name, count, seed=3)
        assert len(held_out) == count // 4 and len(training) + len(held_out) == count
        np.testing.assert_allclose(training.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(training.var(axis=0).mean(), 1)
        assert abs(held_out.mean(axis=0)).max() > 0.05
    other = practice.split("digits", 80, seed=4)[1]
    assert not np.array_equal(held_out, other)


def test_pca_in_the_table_is_the_sum_of_the_smallest_eigenvalues():
    held_out, training, _ = practice.measured(practice.by_pca, "wine", None, 2, QUICK)
    for seed in range(QUICK.seeds):
        points = practice.split("wine", None, seed)[0]
        eigenvalues = np.linalg.eigvalsh(points.T @ points / len(points))
        assert training[seed] == pytest.approx(eigenvalues[:-2].sum() / eigenvalues.sum() / 2)
    assert len(held_out) == QUICK.seeds and held_out.std() > 0


def test_the_risk_of_the_mean_is_a_half_in_units_of_the_variance():
    by_mean = lambda training, held_out, k, seed, settings: (0 * training, 0 * held_out)
    _, training, _ = practice.measured(by_mean, "wine", None, 2, QUICK)
    np.testing.assert_allclose(training, 0.5)


@pytest.mark.parametrize("title", list(practice.METHODS))
def test_every_method_reconstructs_both_parts(title):
    if "torch" in title:
        pytest.importorskip("torch")
    parts = practice.split("wine", 60, seed=0)
    for points, found in zip(parts, practice.METHODS[title](*parts, 2, 0, QUICK), strict=True):
        assert found.shape == points.shape and np.isfinite(found).all() and found.std() > 0


def test_the_plain_autoencoder_learns_and_its_start_is_that_of_its_seed():
    pytest.importorskip("torch")
    from benchmarks.plain import optimizers

    points = practice.split("wine", None, seed=0)[0]
    rows = np.random.default_rng(0).integers(len(points), size=(150, 16))
    network = plain_autoencoder(13, 64, 2, seed=1)
    before = risk(points, reconstructed(network, points))
    np.testing.assert_array_equal(
        reconstructed(network, points), reconstructed(plain_autoencoder(13, 64, 2, 1), points)
    )
    train_plain(network, optimizers()["Adam"](network.parameters(), 1e-3), points, rows)
    assert risk(points, reconstructed(network, points)) < 0.8 * before


def test_markdown():
    assert markdown(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"


def test_a_search_finds_the_best_step_size():
    parabola = lambda width, size: 1 + (np.log2(size) + np.log2(width)) ** 2 if size < 1 else np.inf
    found = transfer.searched(parabola, (4, 16), -3, 1, beyond=2)
    assert [one.best for one in found] == [1 / 4, 1 / 16] and not found[0].on_edge
    assert transfer.moved(found) == 4 and transfer.carried(found) == pytest.approx(4)
    # Up to two further ones are tried below, and one above, where the best one is the last.
    assert transfer.search(parabola, 128, -4, 1, 2).on_edge and transfer.search(parabola, 128, -5, 1, 4).best == 1 / 128
    assert transfer.search(parabola, 4, -4, -2, 5).step_sizes.max() == 1 / 2
    assert transfer.search(parabola, 4, -1, 2, 0).excess(2.0) == np.inf
    nowhere = transfer.search(lambda width, size: np.inf, 4, 0, 1, 3)
    assert nowhere.on_edge and nowhere.excess(1.0) == np.inf
    said = transfer.verdict({"SGD": found[:1]}, {"SGD": found}, (4, 16))
    assert "in mean-field time moves by factors of SGD 1 " in said and "SGD 4 (the step size of width 4" in said
    assert "SGD +400 %" in said


def test_step_sizes_as_one_writes_them():
    assert [transfer.shown(2.0**e) for e in (-11, 0, 2)] == ["1/2,048", "1", "4"]


@pytest.mark.parametrize("side", ["mean_field_risk", "plain_risk"])
def test_the_risk_at_a_step_size(side, digits_64):
    if side == "plain_risk":
        pytest.importorskip("torch")
    settings = transfer.QUICK._replace(steps=40)
    risk_at = getattr(transfer, side)("SGD", digits_64, settings)
    assert risk_at(8, 0.125) < risk_at(8, 2.0**-9)  # it learns
    assert risk_at(8, 2.0**40) == np.inf


@pytest.fixture(scope="module")
def digits_64():
    import isthmus as im

    return im.load_data("digits", max_points=64)
