"""The table of optima: its cases, and a row of one whose optimum is known."""

import isthmus as im
from benchmarks.optimum import ACTIVATIONS, HEAD, PENALTIES, Case, cases, row


def test_every_activation_stands_at_every_penalty_on_the_curve():
    on_curve = {(case.activation, case.weight_decay) for case in cases() if case.name.startswith("curve")}
    assert on_curve == {(activation, penalty) for activation in ACTIVATIONS for penalty in PENALTIES}
    assert set(ACTIVATIONS) <= set(im.ACTIVATIONS)


def test_a_row_of_a_linear_problem_is_proven_and_agrees():
    data = im.load_data("wine", max_points=16)
    cells = dict(zip(HEAD, row(Case("wine", data, 1, "linear", 0.02)), strict=True))
    assert cells["problem"] == "wine, k = 1" and cells["penalty"] == "0.02"
    assert cells["decoder"] == "proven" and cells["agree"] == "2 of 2"
    assert abs(float(cells["gap"])) < 1e-5
