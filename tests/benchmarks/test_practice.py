"""The tables of methods and what is said of them are right, in tiny settings and against numbers by hand."""

import json

import numpy as np
import pytest

from benchmarks import first_fit, outcomes, plain, practice, rivals
from benchmarks.outcomes import Outcome
from benchmarks.plain import markdown, plain_autoencoder, reconstructed, risk, train_plain, train_while_better
from benchmarks.rivals import OURS
from benchmarks.tables import TABLES, split

QUICK = practice.QUICK.budget
WINE = TABLES["wine"].points()


@pytest.mark.parametrize("by_column", [True, False])
def test_points_are_scaled_by_those_in_training(by_column):
    training, held_out = split(WINE, by_column, seed=3)
    assert len(held_out) == 45 and len(training) + len(held_out) == len(WINE)
    np.testing.assert_allclose(training.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(training.var(axis=0).mean(), 1)
    assert np.ptp(training.var(axis=0)) > 1 or by_column
    assert abs(held_out.mean(axis=0)).max() > 0.05
    assert not np.array_equal(held_out, split(WINE, by_column, seed=4)[1])


def test_a_column_that_is_constant_in_training_stays_finite():
    points = np.c_[np.arange(40.0), np.zeros(40)]
    points[split(np.arange(40.0)[:, None], False, 0)[1].argmin(), 1] = 0.0
    assert np.isfinite(np.concatenate(split(points, True, 0))).all()


@pytest.mark.parametrize("title", list(rivals.METHODS))
def test_every_method_reconstructs_both_parts(title):
    if title.startswith("torch"):
        pytest.importorskip("torch")
    if title == rivals.LIBRARY:
        pytest.importorskip("pythae")
    parts = split(WINE[:60], True, seed=0)
    for points, found in zip(parts, rivals.METHODS[title](*parts, 2, 0, QUICK), strict=True):
        assert found.shape == points.shape and np.isfinite(found).all() and found.std() > 0


def test_pca_is_the_sum_of_the_smallest_eigenvalues():
    for seed in range(2):
        parts = split(WINE, True, seed)
        found = practice.measured(rivals.by_pca, parts, 2, seed, QUICK)
        eigenvalues = np.linalg.eigvalsh(parts[0].T @ parts[0] / len(parts[0]))
        assert found.training == pytest.approx(eigenvalues[:-2].sum() / eigenvalues.sum() / 2)
        assert found.held_out != found.training


def test_the_risk_of_the_mean_is_a_half_in_units_of_the_variance():
    by_mean = lambda training, held_out, k, seed, budget: (0 * training, 0 * held_out)
    assert practice.measured(by_mean, split(3 * WINE, False, 0), 2, 0, QUICK).training == pytest.approx(0.5)


def test_what_diverges_is_infinitely_wrong():
    wild = QUICK._replace(ours=QUICK.ours | {"step_size": 1e4, "horizon": 1e6})
    found = practice.measured(rivals.by_isthmus, split(WINE, True, 0), 2, 0, wild)
    assert found.held_out == found.training == np.inf


def test_kernel_pca_is_left_out_of_large_tables_alone():
    assert rivals.left_out("KernelPCA", 5000) is None and "5,000" in rivals.left_out("KernelPCA", 5001)
    assert rivals.left_out("torch tanh", 10**6) is None


@pytest.mark.parametrize("activation", ["Tanh", "ReLU"])
def test_the_plain_autoencoder_learns_and_its_start_is_that_of_its_seed(activation):
    pytest.importorskip("torch")
    from benchmarks.plain import optimizers

    points = split(WINE, True, seed=0)[0]
    rows = np.random.default_rng(0).integers(len(points), size=(150, 16))
    network = plain_autoencoder(13, 64, 2, 1, activation)
    begun = reconstructed(network, points)
    np.testing.assert_array_equal(begun, reconstructed(plain_autoencoder(13, 64, 2, 1, activation), points))
    other = plain_autoencoder(13, 64, 2, 1, {"Tanh": "ReLU", "ReLU": "Tanh"}[activation])
    assert not np.allclose(begun, reconstructed(other, points))
    train_plain(network, optimizers()["Adam"](network.parameters(), 1e-3), points, rows)
    assert risk(points, reconstructed(network, points)) < 0.8 * risk(points, begun)


def test_early_stopping_keeps_the_best_network_it_looked_at():
    torch = pytest.importorskip("torch")
    points = split(WINE, True, seed=0)[0]
    fitted, watched = points[:20], points[20:]
    rows = np.random.default_rng(0).integers(20, size=(200, 8))

    def trained(steps, patience=None):
        network = plain_autoencoder(13, 32, 2, 0)
        adam = torch.optim.Adam(network.parameters(), 2e-2)
        if patience is None:
            train_plain(network, adam, fitted, rows[:steps])
            return risk(watched, reconstructed(network, watched)), steps
        kept = train_while_better(network, adam, fitted, rows[:steps], watched, 20, patience)
        return risk(watched, reconstructed(network, watched)), kept

    looks = [trained(steps)[0] for steps in range(20, 201, 20)]
    best = int(np.argmin(looks))
    assert 0 < best < 8  # twenty points are fitted too well long before the end
    assert trained(200, 20) == (looks[best], 20 * (best + 1))


@pytest.mark.parametrize(("patience", "kept"), [(1, 10), (2, 20), (9, 35)])
def test_early_stopping_waits_as_long_as_it_is_patient(patience, kept, monkeypatch):
    torch = pytest.importorskip("torch")
    looks = iter([3.0, 1.0, 2.0, 0.9, 1.0, 1.0, 0.8])
    monkeypatch.setattr(plain, "risk", lambda *points: next(looks))
    network = plain_autoencoder(13, 2, 2, 0)
    rows = np.zeros((32, 4), int)  # the last look is after two steps
    adam = torch.optim.Adam(network.parameters())
    assert train_while_better(network, adam, WINE, rows, WINE, 5, patience) == min(kept, len(rows))


def test_markdown():
    assert markdown(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"


def made(name="a", left_out=None, **risks):
    """Return an outcome of two splits where every method but those given is at 1, and ours takes 3 and 1 seconds."""
    held_out = {title: np.ones(2) for title in rivals.METHODS}
    names = {"pca": "PCA", "kernel": "KernelPCA", "relu": "torch ReLU", "ours": OURS}
    held_out |= {names[title]: np.array(values) for title, values in risks.items()}
    seconds = {title: np.array([2.0, 4.0]) for title in held_out} | {OURS: np.array([3.0, 1.0])}
    held_out = {title: values for title, values in held_out.items() if title not in (left_out or {})}
    return Outcome(name, 1234, 5, 2, held_out, held_out, seconds, np.array([8.0, 9.0]), left_out or {})


def test_the_gap_is_paired_and_from_the_best_by_the_mean():
    found = outcomes.gap(made(relu=[0.5, 0.7], pca=[0.4, 1.0], ours=[0.44, 0.7]).held_out)
    # Differences −0.06 and 0 of a mean 0.6: −10 and 0 %, of standard error 5; Student's 95 % point for 1 is 6.3138.
    assert found.rival == "torch ReLU"
    np.testing.assert_allclose(found[1:], [-5, 5, -5 - 31.569, -5 + 31.569], atol=1e-3)
    assert found.shown == "-5.0 [-36.6, +26.6]" and found.as_good and not found.better
    # Neither kernel PCA nor the library is among those that it has to be as good as.
    assert outcomes.gap(made(kernel=[0.1, 0.1], ours=[1.0, 1.0]).held_out).rival == "PCA"


@pytest.mark.parametrize(
    ("ours", "as_good", "better"),
    [
        ([0.90, 0.90], True, True),
        ([0.90, 0.91], True, True),
        ([0.70, 0.95], True, False),  # the interval is wide
        ([1.019, 1.019], True, False),  # within 2 %
        ([1.03, 1.03], False, False),
        ([1.00, 1.10], True, False),  # 5 %, with a standard error of 5
        ([1.01, 1.10], False, False),
        ([0.5, np.inf], False, False),
    ],
)
def test_when_it_counts_as_good_and_as_better(ours, as_good, better):
    found = outcomes.gap(made(ours=ours).held_out)
    assert (found.as_good, found.better) == (as_good, better)


def test_the_verdict_counts():
    said = outcomes.verdict([made("a", ours=[0.9, 0.91]), made("b", ours=[1.0, 1.01]), made("c", ours=[1.1, 1.12])])
    assert "On 2 of 3 data sets" in said and "behind on c (+11.0 %)." in said and "On 1 it is better" in said
    assert "excess over PCA: +11.0 % (c)" in said and "within the error" not in said
    # Ratios by split are 1.5 and 0.25, not a quotient of medians.
    assert "0.88 times as long as torch's steps in the median, 1.50 times at worst (a)" in said
    said = outcomes.verdict([made("a", ours=[0.5, 0.5], pca=[2.0, 2.0])])
    assert "On 1 of 1" in said and "behind on" not in said and "excess over PCA: -75.0 % (a)" in said


def test_the_verdict_names_what_only_a_wide_error_makes_as_good():
    said = outcomes.verdict([made("a", ours=[0.9, 1.3]), made("b", ours=[1.01, 1.01])])
    assert "On 2 of 2" in said and "within the error alone on a (+10.0 %)." in said and "behind on" not in said


def test_the_verdict_of_what_diverges():
    said = outcomes.verdict([made("a", ours=[0.9, 0.9]), made("b", ours=[0.1, np.inf])])
    assert "On 1 of 2" in said and "behind on b (diverges)" in said and "over PCA: diverges (b)" in said
    assert "nan" not in said and "inf" not in said
    assert "diverges" in outcomes.risk_row(made("b", ours=[0.1, np.inf]))


def test_a_single_split_has_no_interval():
    one = made(ours=[0.9, 0.9])
    one = one._replace(held_out={title: values[:1] for title, values in one.held_out.items()})
    found = outcomes.gap(one.held_out)
    assert found.as_good and not found.better and found.shown == "-10.0"


def test_the_row_of_risks():
    row = outcomes.risk_row(made(relu=[0.012344, 0.012344], ours=[0.012341, 0.012341], left_out={"KernelPCA": "slow"}))
    assert row.startswith("| a | 1,234 × 5 | 2 | 1.00 | — | 1.00 | 1.00 | **0.0123** |")
    assert row.endswith("| **0.0123** | -0.0 [-0.0, -0.0] | torch ReLU |")
    assert row.count("|") == len(outcomes.risk_head()) + 1
    assert outcomes.reasons([made(left_out={"KernelPCA": "slow"}), made(left_out={"KernelPCA": "slow"})]) == ["slow"]


def test_the_row_of_times():
    row = outcomes.time_row(made())
    assert row == ["a", "2.00", "3.00", "0.88", "1.50", "5.00"] and len(row) == len(outcomes.TIME_HEAD)


def test_the_report_prints_its_tables_and_writes_its_numbers(tmp_path, capsys):
    pytest.importorskip("torch")
    practice.report(quick=True, names=["circle"], out=tmp_path / "numbers.json")
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if line.startswith("| circle | 500 × 8 | 1 |"))
    [kept] = json.loads((tmp_path / "numbers.json").read_text())["outcomes"]
    assert f"{np.mean(kept['held_out']['torch ReLU']):#.3g}" in row and len(kept["held_out"][OURS]) == 2
    assert "\n> On " in printed and "of 1 data sets" in printed and "wine" not in printed
    assert max(len(line) for line in printed.splitlines() if not line.startswith("|")) <= 120


def test_numbers_that_are_not_finite_are_null_in_the_file(tmp_path):
    practice.write(tmp_path / "numbers.json", [made(ours=[np.inf, 0.5])], practice.QUICK)
    [kept] = json.loads((tmp_path / "numbers.json").read_text(), parse_constant=pytest.fail)["outcomes"]
    assert kept["held_out"][OURS] == [None, 0.5] and kept["rows"] == 1234


def test_a_data_set_that_is_unknown_is_refused():
    with pytest.raises(SystemExit, match="Unknown data set 'whine'"):
        practice.report(quick=True, names=["whine"])
    assert practice.chosen(["iris", "digits"]) == ("digits", "iris")


def test_the_first_fit_of_a_process_takes_longer():
    [more] = first_fit.in_fresh_processes(split(WINE, True, 0)[0][:, :3], 1, QUICK.ours, processes=1)
    assert more > 0.1  # it compiles
