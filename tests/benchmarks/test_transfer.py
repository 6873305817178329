"""The table of step sizes is built right, in tiny settings and against known optima."""

import numpy as np
import pytest

from benchmarks import transfer


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
