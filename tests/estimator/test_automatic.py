"""Automatic training: better than PCA or PCA, chosen on rows that were left out, the same in every unit."""

import dataclasses
import time

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import GroupKFold, TimeSeriesSplit, train_test_split
from sklearn.preprocessing import StandardScaler

import isthmus as im
from isthmus._words import number
from isthmus.core.optimizers import GRADIENT_FLOW
from isthmus.dynamics.field import VectorField
from isthmus.estimator import automatic, folds
from isthmus.estimator.coordinates import Spectrum
from isthmus.estimator.curvature import curvature
from isthmus.estimator.diagnosis import beginning
from isthmus.estimator.limit import limit_problem
from isthmus.estimator.run import Watch
from isthmus.estimator.schedule import HEAVY_BALL, Schedule
from isthmus.estimator.settings import Settings
from isthmus.estimator.span import Rows
from isthmus.estimator.stiffness import stiffness

pytestmark = pytest.mark.usefixtures("optimized")

RANDOM = np.random.default_rng(0)
WINE = StandardScaler().fit_transform(load_wine().data)
FLAT = RANDOM.standard_normal((300, 2)) @ RANDOM.standard_normal((2, 6))
NEARLY_FLAT = (FLAT + 0.05 * RANDOM.standard_normal(FLAT.shape)) * [1000, 1, 1, 1, 1, 1]


@pytest.fixture(scope="module")
def fitted():
    return im.MeanFieldAutoencoder(2, width=64, random_state=0).fit(WINE)


FEW, FEW_OPTIONS = WINE[::2], {"width": 16, "random_state": 0}


def uniform(points):
    return np.full(len(points), 1 / len(points))


def table_of(points, k=2, splits=None, validation=None):
    weights = uniform(points)
    validation = None if validation is None else Rows(validation)
    return automatic.TrainingTable(Rows(points), weights, Spectrum.of(points, weights, k), splits or [], validation)


def settings_of(**changes):
    return Settings.of(im.MeanFieldAutoencoder(**changes).get_params(deep=False))


def test_it_is_better_than_pca_on_rows_that_no_choice_has_seen():
    gains = []
    for seed in range(2):
        training, held_out = train_test_split(WINE, test_size=0.25, random_state=seed)
        model = im.MeanFieldAutoencoder(2, width=64, random_state=seed).fit(training)
        reconstructed = PCA(2).fit(training)
        left = ((held_out - reconstructed.inverse_transform(reconstructed.transform(held_out))) ** 2).sum()
        gains.append(1 - model.reconstruction_error(held_out).sum() / left)
    assert min(gains) > 0.05


def test_what_was_chosen_is_told_and_is_the_lowest_point_of_the_curve(fitted):
    best = fitted.validation_curve_.argmin()
    assert fitted.validation_times_[best] == pytest.approx(fitted.horizon_) == pytest.approx(fitted.times_[-1])
    assert fitted.validation_curve_[best] < fitted.validation_pca_risk_
    assert f"horizon {fitted.horizon_:.4g} ({fitted.n_iter_:,d} steps)" in fitted.chosen_
    best, pca = number(fitted.validation_curve_[best], 4), number(fitted.validation_pca_risk_, 4)
    assert f"was {best}, that of PCA {pca}." in fitted.chosen_
    assert fitted.risk_ < fitted.pca_risk_ and fitted.training_curve_[0] == pytest.approx(fitted.pca_risk_, rel=5e-3)
    assert fitted.horizon_ == pytest.approx(fitted._schedule.time(fitted.n_iter_))


def test_the_same_seed_gives_the_same_network():
    one, other = (im.MeanFieldAutoencoder(2, **FEW_OPTIONS).fit(FEW) for _ in range(2))
    np.testing.assert_array_equal(one.transform(WINE), other.transform(WINE))
    assert one.n_iter_ > 0


@pytest.mark.parametrize(
    ("points", "k"),
    [
        pytest.param(load_wine().data, 3, id="raw wine"),
        pytest.param(FLAT, 2, id="flat"),
        pytest.param(NEARLY_FLAT, 2, id="nearly flat, one column in other units"),
        pytest.param(FLAT[:, :2], 2, id="k = d"),
        pytest.param(FLAT, 3, id="k above the rank"),
        pytest.param(FLAT[:2], 1, id="two rows"),
    ],
)
def test_where_nothing_is_better_it_is_pca_to_rounding_also_on_new_rows(points, k):
    model = im.MeanFieldAutoencoder(k, random_state=0).fit(points)
    pca = PCA(min(k, len(points))).fit(points)
    new = points[::-1] * 1.5  # beside the span the third direction of flat data is arbitrary
    if k < 3 or points is not FLAT:
        new = new + points.std(axis=0)
    wanted = pca.inverse_transform(pca.transform(new))
    found = model.inverse_transform(model.transform(new))
    assert np.abs(found - wanted).max() < 1e-9 * np.abs(wanted).max()
    assert model.risk_ <= model.pca_risk_ and model.chosen_.startswith("PCA: ")
    if points is FLAT or points.shape[1] == k:
        assert model.chosen_ == f"PCA: with n_components={k} it is exact."
    assert model.n_iter_ == 0 and model.horizon_ == 0 and [one.name for one in model.activations_] == ["linear"] * 2


def test_a_start_that_can_not_reach_pca_is_not_trained_for_long(monkeypatch):
    steps = []
    monkeypatch.setattr(automatic.Pool, "train", lambda self, learner, schedule, begin, end, random: steps.append(end))
    im.MeanFieldAutoencoder(3, random_state=0).fit(load_wine().data)
    assert max(steps) == 0


def test_the_narrowest_network_is_not_worse_than_pca():
    assert im.MeanFieldAutoencoder(2, width=1, random_state=0).fit(WINE[:60]).risk_ <= PCA_OF_60 * (1 + 1e-12)


PCA_OF_60 = (1 - PCA(2).fit(WINE[:60]).explained_variance_ratio_.sum()) / 2


@pytest.mark.parametrize("count", [2, 3, 7, 16])
def test_few_rows_are_not_worse_than_pca(count):
    model = im.MeanFieldAutoencoder(1, width=32, random_state=0).fit(WINE[:count])
    assert model.risk_ <= model.pca_risk_ * (1 + 1e-12) and np.isfinite(model.transform(WINE)).all()


def test_good_rows_are_kept_where_outliers_carry_the_variance():
    rows = RANDOM.standard_normal((200, 6)) * [3, 2, 1, 0.5, 0.3, 0.1]
    spoiled = rows.copy()
    spoiled[:10] *= 40
    model = im.MeanFieldAutoencoder(2, random_state=0).fit(spoiled)
    pca = PCA(2).fit(spoiled)
    good, size = rows[10:], ((rows[10:] - rows[10:].mean(axis=0)) ** 2).sum()
    lost = [1 - ((good - x) ** 2).sum() / size for x in (pca.inverse_transform(pca.transform(good)),)]
    assert 1 - model.reconstruction_error(good).sum() / size > lost[0] - 0.02


def test_a_network_that_buys_outliers_with_good_rows_is_refused():
    sizes, weights = np.r_[np.ones(90), np.full(10, 1e4)], uniform(np.ones(100))
    pca, bulks = 0.5 * sizes, automatic._bulks(sizes, weights)
    better, spoiled = 0.4 * sizes, np.r_[np.full(90, 0.55), np.full(10, 10.0)]
    assert spoiled.sum() < better.sum() < pca.sum()
    assert automatic._keeps_the_bulk(better, pca, sizes, weights, bulks)
    assert not automatic._keeps_the_bulk(spoiled, pca, sizes, weights, bulks)


def candidate_with(gains, pca_risk, repeats=1.0):
    """Return a candidate that was better than PCA by these differences of ½‖x − x̂‖² on single rows."""
    candidate = automatic._Candidate.__new__(automatic._Candidate)
    candidate._weights, candidate._repeats = uniform(gains), repeats
    candidate._better, candidate.pca_risk = 2 * gains, pca_risk
    return candidate


def test_a_network_must_be_better_by_more_than_the_noise_of_rows():
    """Of 100 differences of deviation 1 the mean has the standard error 0.1; where each row counts twice, √2 of it."""
    differences = np.resize([-1.0, 1.0], 100)
    assert candidate_with(0.11 + differences, 1.0).beats_pca
    assert not candidate_with(0.09 + differences, 1.0).beats_pca
    assert not candidate_with(0.11 + differences, 1.0, repeats=2.0).beats_pca
    assert candidate_with(0.15 + differences, 1.0, repeats=2.0).beats_pca
    even = np.full(100, 0.1)
    assert candidate_with(even, 0.1 / 0.016).beats_pca and not candidate_with(even, 0.1 / 0.014).beats_pca


def test_images_take_fewer_steps_than_tables():
    assert automatic._marks(64) == automatic.MARKS
    assert automatic._marks(500)[-1] * 500 <= automatic.STEPS_TIMES_COORDINATES < automatic._marks(500)[-1] * 1000
    assert automatic._marks(10**6)[-1] == automatic.SEARCH_STEPS


def test_the_answer_is_the_same_in_every_unit_and_at_every_place():
    fitted = im.MeanFieldAutoencoder(2, **FEW_OPTIONS).fit(FEW)
    assert fitted.n_iter_ > 0
    for unit, offset, dtype in ((1e-30, 0.0, np.float32), (1.0, 1e3, np.float32)):
        points = (unit * (FEW + offset)).astype(dtype)
        model = im.MeanFieldAutoencoder(2, **FEW_OPTIONS).fit(points)
        assert model.n_iter_ == fitted.n_iter_
        assert model.unit_ == pytest.approx(unit * fitted.unit_, rel=1e-4)
        assert model.score(points) == pytest.approx(fitted.score(FEW), abs=1e-3)
        wanted = unit**2 * fitted.reconstruction_error(FEW).sum()
        assert model.reconstruction_error(points).sum() == pytest.approx(wanted, rel=5e-3)


def test_equal_rows_and_groups_are_never_parted_and_all_are_held_out_once():
    points = np.repeat(RANDOM.standard_normal((40, 3)), 3, axis=0)
    for groups in (None, np.arange(120) // 4):
        names = np.arange(120) // 3 if groups is None else groups
        splits = folds.splits_of(points, uniform(points), groups, settings_of(), np.random.default_rng(0))
        held_out = np.array([split.held_out > 0 for split in splits])
        assert len(splits) == 10 and (held_out.sum(axis=0) == 2).all()  # few rows are parted twice over
        for split, held in zip(splits, held_out, strict=True):
            assert not set(names[held]) & set(names[~held])
            assert split.learning.sum() == pytest.approx(1) and not split.learning[held].any()
            assert 0.1 < split.held_out.sum() < 0.3


def test_many_rows_hold_out_one_part():
    points = RANDOM.standard_normal((8000, 2))
    (split,) = folds.splits_of(points, uniform(points), None, settings_of(), np.random.default_rng(0))
    assert 990 <= (split.held_out > 0).sum() <= 1010


def test_parts_depend_on_content_and_weights_not_on_order_or_unit():
    points, weights = RANDOM.standard_normal((50, 3)), np.arange(1.0, 51) / 1275
    shuffled = RANDOM.permutation(50)
    split = lambda points, weights: [
        one.held_out for one in folds.splits_of(points, weights, None, settings_of(), np.random.default_rng(1))
    ]
    for one, other, scaled in zip(
        split(points, weights),
        split(points[shuffled], weights[shuffled]),
        split(1e-3 * points, weights),
        strict=True,
    ):
        np.testing.assert_array_equal(one[shuffled], other)
        np.testing.assert_array_equal(one, scaled)


def test_splitters_of_scikit_learn_are_used_and_time_does_not_leak():
    weights = uniform(WINE)
    splits = folds.splits_of(WINE, weights, None, settings_of(cv=TimeSeriesSplit(4)), np.random.default_rng(0))
    assert len(splits) == 4
    for split in splits:
        assert np.flatnonzero(split.learning).max() < np.flatnonzero(split.held_out).min()
    groups = np.arange(178) // 10
    by_group = folds.splits_of(WINE, weights, groups, settings_of(cv=GroupKFold(3)), np.random.default_rng(0))
    assert all(not set(groups[one.learning > 0]) & set(groups[one.held_out > 0]) for one in by_group)
    pairs = [(np.arange(100), np.arange(100, 178))]
    assert (folds.splits_of(WINE, weights, None, settings_of(cv=pairs), RANDOM)[0].held_out > 0).sum() == 78


def test_what_is_held_out_has_no_influence_on_a_copy():
    """Start, units and training of a copy stay the same, to the bit, when a held-out row is another one."""
    split = folds.Split(np.r_[np.full(100, 0.01), np.zeros(78)], np.r_[np.zeros(100), np.full(78, 1 / 178)])
    spoiled = WINE.copy()
    spoiled[150] = 1e3
    table = table_of(WINE, splits=[split])
    settings, schedule = settings_of(width=32), Schedule.automatic(24.0, 2.0)
    errors = [
        automatic._Copy(
            automatic._Part(dataclasses.replace(table, rows=Rows(points)), 0, settings, 0), schedule
        ).errors_at(64)
        for points in (WINE, spoiled)
    ]
    others = np.delete(np.arange(78), 50)
    np.testing.assert_array_equal(errors[0][others], errors[1][others])
    assert errors[1][50] > 100 * errors[0][50]


def test_points_of_ones_own_choose_the_horizon():
    """Held-out points that are the training points ask for long training; noise asks for none."""
    options = {"width": 16, "random_state": 0}
    long = im.MeanFieldAutoencoder(2, **options).fit(WINE[:90], validation=WINE[:90])
    none = im.MeanFieldAutoencoder(2, **options).fit(WINE[:90], validation=RANDOM.standard_normal((200, 13)))
    assert long.n_iter_ >= 1024 and none.n_iter_ < 200
    with pytest.raises(ValueError, match="'validation' must have 13 columns"):
        im.MeanFieldAutoencoder(2, **options).fit(WINE, validation=WINE[:, :5])


def test_time_that_is_up_ends_training_and_is_told():
    begun = time.monotonic()
    model = im.MeanFieldAutoencoder(2, max_time=0.05, random_state=0).fit(WINE)
    assert "when the search was stopped" in model.chosen_ and len(model.validation_curve_) < 8
    assert time.monotonic() - begun < 20


def test_another_activation_does_not_diverge():
    model = im.MeanFieldAutoencoder(2, activation="relu", **FEW_OPTIONS).fit(FEW)
    assert model.risk_ < 0.98 * model.pca_risk_ and model.activations_[0].name == "relu"


def test_steps_that_overshoot_are_made_shorter(capsys, monkeypatch):
    monkeypatch.setattr("isthmus.estimator.schedule.FIRST", 4000.0)
    monkeypatch.setattr("isthmus.estimator.automatic.LONGEST", (300.0,))
    model = im.MeanFieldAutoencoder(2, width=32, random_state=0, verbose=True).fit(WINE)
    assert "steps overshoot; trying a step size of" in capsys.readouterr().out
    assert model.risk_ <= model.pca_risk_ and model.step_size_ <= 75.0


def test_weights_count_as_repetitions_do():
    counts = RANDOM.integers(0, 3, len(FEW))
    weighted = im.MeanFieldAutoencoder(1, **FEW_OPTIONS).fit(FEW, sample_weight=counts)
    repeated = im.MeanFieldAutoencoder(1, **FEW_OPTIONS).fit(np.repeat(FEW, counts, axis=0))
    assert weighted.n_iter_ == repeated.n_iter_
    assert weighted.validation_pca_risk_ == pytest.approx(repeated.validation_pca_risk_, rel=1e-9)
    assert weighted.score(FEW) == pytest.approx(repeated.score(FEW), abs=5e-3)


def test_an_array_in_a_file_is_read_where_it_is(tmp_path):
    points = RANDOM.standard_normal((3000, 2)) @ RANDOM.standard_normal((2, 5)) + 0.1 * RANDOM.standard_normal(
        (3000, 5)
    )
    np.save(tmp_path / "points.npy", points)
    mapped = np.load(tmp_path / "points.npy", mmap_mode="r")
    options = {"width": 16, "random_state": 0, "max_time": 2.0}
    assert im.MeanFieldAutoencoder(1, **options).fit(mapped).score(mapped) > 0.5


# The parts of which it is made


def test_the_curvature_is_that_of_lanczos(fitted):
    start = beginning(fitted._fit_state(), WINE, uniform(WINE)).start
    network = start.network(np.random.default_rng(0), 64)
    batches = np.resize(start.sample.points, (8, 178, 13)).astype(np.float32)
    found = stiffness(network.in_precision(np.dtype(np.float32)), batches, HEAVY_BALL, seed=0)
    assert found == pytest.approx(
        curvature(VectorField.of(start.sample, GRADIENT_FLOW, np.dtype(float)), network).highest, rel=0.05
    )


def test_steps_grow_as_they_are_said_to_and_the_average_is_that_of_its_shares():
    schedule = Schedule.automatic(curvature=80.0, longest=2.0)
    sizes = schedule.sizes(0, 1000)
    np.testing.assert_allclose(sizes[[0, 127, 256, 999]], [0.5, 0.5, 1.0, 2.0])
    assert schedule.time(1000) == pytest.approx(sizes.sum()) and not schedule.is_constant
    assert Schedule.automatic(curvature=10.0, longest=2.0).is_constant
    parts = [schedule.steps(0, 400), schedule.steps(400, 1000)]
    shares = np.concatenate([part.shares for part in parts])
    weights = shares * np.append(np.cumprod((1 - shares)[::-1])[::-1][1:], 1)
    times = np.cumsum(sizes)
    assert weights.sum() == pytest.approx(1)
    assert weights @ times / times[-1] == pytest.approx(5 / 6, abs=0.01)  # the mean of t under t^4 on [0, 1]
    np.testing.assert_array_equal(schedule.motion_times(np.r_[0.0, times[[0, 499, 999]]]), [0, 1, 500, 1000])
    rates = np.array([float(schedule.rate(np.float64(n))) for n in (0, 127, 256, 999)])
    np.testing.assert_allclose(rates, sizes[[0, 127, 256, 999]], rtol=1e-6)


def test_the_automatic_run_is_sgd_on_the_problem_whose_limit_it_is_compared_with(fitted):
    """The heavy ball in units of steps, with step sizes as rates: its curves and the estimator's differ by noise."""
    problem = limit_problem(beginning(fitted._fit_state(), WINE, uniform(WINE)).start, fitted._schedule, 0.0)
    own = fitted._schedule.motion_times(fitted.times_)[::2]
    runs = im.train(problem, own, 512, 1.0, batch_size=32, runs=4, snapshot_times=()).risk
    curve = fitted.training_curve_[::2]
    fallen = curve[0] - curve[-1]
    assert np.abs(runs.mean(axis=0) - curve).max() < 0.1 * fallen
    assert np.abs(runs - curve).max() < 0.15 * fallen and fallen > 0.03


def test_a_watch_knows_when_time_is_up():
    watch = Watch("name", False, 1e-9, lambda: False)
    assert watch.spent() and not Watch("name", False, None, lambda: False).spent()
