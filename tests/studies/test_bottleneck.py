"""The bottleneck study: true to PCA where it must be, blind to what is held out, and the same when redone."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import t as student
from sklearn.decomposition import PCA

import isthmus as im
from isthmus._precision import computing_in
from isthmus._words import interval, number, percent
from isthmus.show.bottleneck_report import bottleneck_page
from isthmus.show.canvas import rendered
from isthmus.show.pages import drawn_figures
from isthmus.show.report import render_page
from isthmus.studies.store import save_result

LINEAR = {
    "activation": "linear",
    "max_latent_dim": 2,
    "splits": 2,
    "horizon": 200.0,
    "stop": "horizon",
    "particles": 32,
    "rtol": 1e-5,
}
TRAINED = ("training_risk", "horizon", "fall", "settled", "pca_training_risk", "intrinsic_dimension")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A file of 24 points in 3 dimensions, far from 0 and in unlike units."""
    path = tmp_path_factory.mktemp("bottleneck") / "points.npy"
    points = im.manifold_stream(3, seed=3).draw(24, seed=3).points
    np.save(path, 5 + points * [1.0, 2.0, 3.0])
    return path


def asked(path, **changes):
    return im.BottleneckStudy(**{"data": {"source": str(path), "scale": "features"}} | LINEAR | changes)


@pytest.fixture(scope="module")
def result(table):
    return im.bottleneck_curve(asked(table))


def with_risks(result, held_out, pca=None, training=None, **variables):
    """Return a result with other risks, shape (splits, latent_dims), made of copies of its own numbers."""
    held_out = np.asarray(held_out, float)
    splits, dims = held_out.shape
    study = result.study.model_copy(update={"splits": splits, "max_latent_dim": dims})
    data = result.dataset.isel(split=np.zeros(splits, int), latent_dim=np.zeros(dims, int))
    data = data.isel(component=np.zeros(max(dims, 3), int)).assign_coords(
        split=np.arange(splits), latent_dim=study.latent_dims, component=1 + np.arange(max(dims, 3))
    )
    risks = {"held_out_risk": (("split", "latent_dim"), held_out)}
    if training is not None:
        risks["training_risk"] = (("split", "latent_dim"), np.asarray(training, float))
    if pca is not None:
        risks["pca_held_out_risk"] = (("split", "component"), np.asarray(pca, float))
    return im.BottleneckResult(study, data.assign(risks | variables))


def test_linear_bottlenecks_end_at_pca_on_points_in_training_and_held_out(result):
    data = result.dataset
    for part in ("training", "held_out"):
        pca = data[f"pca_{part}_risk"].isel(component=slice(2)).values
        np.testing.assert_allclose(data[f"{part}_risk"].values, pca, rtol=1e-4)
    assert float(data.error.max()) < 1e-4


def test_the_linear_optimum_is_pca_on_both(table):
    data = im.bottleneck_curve(asked(table, method="optimum", max_latent_dim=1, atoms=8, restarts=1, starts=16)).dataset
    for part in ("training", "held_out"):
        pca = data[f"pca_{part}_risk"].isel(component=[0]).values
        np.testing.assert_allclose(data[f"{part}_risk"].values, pca, rtol=1e-6)
    assert data.certified.all()
    np.testing.assert_allclose(data.objective, data.training_risk, rtol=1e-12)  # there is no penalty


def test_pca_is_that_of_scikit_learn_on_raw_points_scaled_by_those_in_training(result, table):
    raw = np.load(table)
    for place, split in enumerate(result.study.parts):
        rows = split.held_out_rows
        kept = np.delete(raw, rows, axis=0)
        scaled = lambda points, kept=kept: (points - kept.mean(axis=0)) / kept.std(axis=0) / np.sqrt(3)
        np.testing.assert_allclose(split.held_out.points, scaled(raw[rows]), rtol=1e-12)
        np.testing.assert_allclose(split.training.points, scaled(kept), atol=1e-12)
        for k in (1, 2):
            pca = PCA(k).fit(scaled(kept))
            for part, points in (("training", scaled(kept)), ("held_out", scaled(raw[rows]))):
                left_over = points - pca.inverse_transform(pca.transform(points))
                expected = (left_over**2).sum(axis=1).mean() / 2
                found = float(result.dataset[f"pca_{part}_risk"].sel(split=place, component=k))
                assert found == pytest.approx(expected, rel=1e-10)
            assert split.training.pca_risk(k) == pytest.approx(
                float(result.dataset.pca_training_risk.sel(split=place, component=k)), rel=1e-10
            )
    assert len({tuple(split.held_out_rows) for split in result.study.parts}) == 2
    assert (result.dataset.attrs["training_points"], result.dataset.attrs["held_out_points"]) == (18, 6)


def test_points_that_are_held_out_change_nothing_in_training(table, tmp_path):
    asks = {"horizon": 8.0, "stop": "validation", "max_latent_dim": 1, "rtol": 1e-3}
    plain = im.bottleneck_curve(asked(table, **asks))
    points = np.load(table)
    points[plain.study.parts[0].held_out_rows] *= 40  # other means and variances, by far
    np.save(tmp_path / "points.npy", points)
    changed = im.bottleneck_curve(asked(tmp_path / "points.npy", **asks))
    for name in TRAINED:
        np.testing.assert_array_equal(changed.dataset[name].sel(split=0), plain.dataset[name].sel(split=0))
    assert np.all(changed.dataset.training_risk.sel(split=1) != plain.dataset.training_risk.sel(split=1))
    assert np.all(changed.dataset.held_out_risk.sel(split=0) > 10 * plain.dataset.held_out_risk.sel(split=0))


def test_validation_points_are_a_part_of_the_training_set(table):
    study = asked(table, stop="validation")
    for split, pilot in zip(study.parts, study.pilots, strict=True):
        both = np.sort(np.concatenate([pilot.training_rows, pilot.held_out_rows]))
        np.testing.assert_array_equal(both, split.training_rows)
        assert len(pilot.held_out_rows) == round(0.25 * len(split.training_rows))
        assert not set(both) & set(split.held_out_rows)


def test_it_is_the_same_when_redone_and_when_loaded(result, tmp_path):
    stages = []
    again = im.bottleneck_curve(
        im.BottleneckStudy.from_toml(result.study.to_toml()), workers=3, progress=lambda *now: stages.append(now)
    )
    assert again.dataset.identical(result.dataset)
    assert stages == [("bottlenecks × 2 splits", done, 4) for done in (1, 2, 3, 4)]
    save_result(tmp_path / "study", result)
    loaded = im.load_result(tmp_path / "study")
    assert isinstance(loaded, im.BottleneckResult)
    assert loaded.study == result.study and loaded.dataset.identical(result.dataset)
    assert loaded.summary() == result.summary()
    other = result.study.model_copy(update={"seed": 1})
    assert not np.array_equal(
        asked("", data=other.data, seed=1).parts[0].held_out_rows, result.study.parts[0].held_out_rows
    )


def test_the_smallest_k_within_one_standard_error_in_pairs_is_sparing(result):
    # Between splits the risk varies by far more than between k, so that only pairs can tell.
    noisy = np.array([[0.5], [0.1], [0.9]])
    above = np.array([[0.3, 0.01, 0.004, 0.0], [0.3, 0.02, -0.002, 0.0], [0.3, 0.03, 0.001, 0.0]])
    better = with_risks(result, noisy + above, pca=np.full((3, 4), 2.0))
    assert (better.best, better.sparing, better.suggested) == (4, 3, 3)
    excess = better.excess(3)
    assert excess.mean == pytest.approx(0.001)
    assert excess.standard_error == pytest.approx(0.003 * np.sqrt(1 / 3 + 6 / 18))  # 6 of 24 points are held out
    assert any(
        "k = 3 is the smallest within one standard error of it (0.0010 ± 0.002" in one for one in better.verdicts()
    )
    inside = with_risks(result, noisy + np.array([[0.3, 0.0, 0.05], [0.31, 0.0, 0.06], [0.29, 0.0, 0.07]]))
    assert (inside.best, inside.sparing) == (2, 2)
    assert any("k = 1 is more than one standard error above it (0.30 ± 0.008)" in one for one in inside.verdicts())


def test_what_is_written_of_a_result_follows_from_its_numbers(result):
    """Each case of the answer, with all of its numbers recomputed from the dataset."""
    pca = [[0.40, 0.30, 0.20], [0.42, 0.30, 0.21], [0.38, 0.30, 0.19]]
    moving = {
        "settled": (("split", "latent_dim"), [[1.0, 1.0, 0.0]] * 3),
        "fall": (("split", "latent_dim"), [[0, 0, 0.25]] * 3),
    }
    wins = with_risks(result, [[0.2, 0.1, 0.05], [0.21, 0.1, 0.05], [0.19, 0.1, 0.05]], pca)
    mixed = with_risks(result, [[0.2, 0.29, 0.3], [0.21, 0.31, 0.31], [0.19, 0.3, 0.29]], pca)
    loses = with_risks(result, [[0.5, 0.4, 0.3], [0.52, 0.4, 0.31], [0.48, 0.4, 0.29]], pca)
    assert (wins.wins, mixed.wins, loses.wins) == ([1, 2, 3], [1], [])
    assert (loses.losses, mixed.losses) == ([1, 2, 3], [3])
    assert [one.recommended for one in (wins, mixed, loses)] == ["network", "network", "PCA"]
    for one in (wins, mixed, loses):
        check_answer(one)
    assert wins.suggested == 3 and mixed.suggested == 1
    # k = 2 is the best of the network, but there PCA is as good: PCA it is, although k = 1 beats PCA
    saddle = with_risks(result, [[0.25, 0.199, 0.3], [0.25, 0.201, 0.3], [0.25, 0.2, 0.3]], [[0.4, 0.2, 0.1]] * 3)
    assert (saddle.wins, saddle.suggested, saddle.recommended, saddle.pca_components) == ([1], 2, "PCA", 3)
    check_answer(saddle)
    for training, relation in (
        (0.04, "overfits"),
        (0.98, "is about PCA's"),
        (1.02, "is about PCA's"),
        (1.1, "still above"),
    ):
        known = loses.dataset.pca_training_risk.mean("split").values
        close = with_risks(result, loses.dataset.held_out_risk, pca, np.tile(training * known[:3], (3, 1)))
        assert any(relation in one for one in close.verdicts())
    unfinished = with_risks(loses, loses.dataset.held_out_risk, pca, **moving)
    study = unfinished.study.model_copy(update={"stop": "validation", "max_horizon": 300.0})
    said = dataclasses.replace(unfinished, study=study).verdicts()
    assert any(
        "At k = 3 the validation risk had not settled by t = 300 (it fell by up to 25\u00a0%" in one for one in said
    )


def check_answer(one):
    """Recompute an answer from the numbers in the file."""
    data, said = one.dataset, one.answer()
    network = one.recommended == "network"
    name, k = ("held_out_risk", one.suggested) if network else ("pca_held_out_risk", one.pca_components)
    risk = data[name].isel({data[name].dims[1]: k - 1}).values
    mean, deviation = risk.mean(), risk.std(ddof=1)
    half = student.ppf(0.975, len(risk) - 1) * deviation * np.sqrt(1 / len(risk) + 1 / 3) / mean
    said_interval = f"(95\u00a0% CI {interval(mean * np.exp(-half), mean * np.exp(half))})"
    assert f"its risk on held-out points is {number(mean)} {said_interval}" in said
    ratio = data.held_out_risk.values[:, k - 1].mean() / data.pca_held_out_risk.values[:, k - 1].mean()
    beside = (
        f"{number(ratio)} times" if ratio >= 2 else f"{percent(abs(ratio - 1))} {'above' if ratio > 1 else 'below'}"
    )
    assert beside in said
    if network:
        assert said.startswith(f"Use the network with k = {k}:") and ratio < 1
    else:
        assert said.startswith(f"Use PCA with {k} component{'s' * (k > 1)}:")
        assert f"(at k = {k} it is {number(data.held_out_risk.values[:, k - 1].mean())}, {beside} PCA's)" in said
        assert ("only at k" in said) == bool(one.wins)


@pytest.fixture(scope="module")
def arc(tmp_path_factory):
    """A result on most of a circle in space: one coordinate of a network tells it, of PCA two do."""
    return solved(tmp_path_factory, lambda angle, noise: np.c_[np.cos(angle), np.sin(angle), 0.05 * noise[:, 0]], 2)


@pytest.fixture(scope="module")
def gaussian(tmp_path_factory):
    """A result on Gaussian points, which no network codes better than PCA."""
    return solved(tmp_path_factory, lambda _, noise: noise * [1.0, 0.7, 0.4], 1)


def solved(tmp_path_factory, points, max_latent_dim):
    path = tmp_path_factory.mktemp("points") / "points.npy"
    np.save(path, points(np.linspace(-2.2, 2.2, 96), np.random.default_rng(0).standard_normal((96, 3))))
    options = {"max_latent_dim": max_latent_dim, "particles": 32, "horizon": 50.0}
    return im.bottleneck_curve(im.BottleneckStudy(data={"source": str(path), "scale": "total"}, **options))


def test_on_a_curve_the_network_wins_with_one_coordinate_and_pca_is_as_good_with_two(arc):
    assert (arc.wins, arc.suggested, arc.recommended) == ([1], 2, "PCA")
    check_answer(arc)
    assert "only at k = 1" in arc.answer()
    one = dataclasses.replace(
        arc, study=arc.study.model_copy(update={"max_latent_dim": 1}), dataset=arc.dataset.isel(latent_dim=[0])
    )
    assert one.recommended == "network" and one.against_pca(1).upper < 0.2
    check_answer(one)
    assert any(
        "PCA reaches the held-out risk of the network with k = 1 with 2 components" in said for said in one.verdicts()
    )


def test_on_gaussian_points_pca_is_as_good(gaussian):
    assert gaussian.recommended == "PCA" and not gaussian.wins
    assert "the network's is not significantly lower (at k = 1" in gaussian.answer()
    check_answer(gaussian)
    assert gaussian.verdicts()[0].startswith("At k = 1 the network")  # what to make of it stands first


def test_each_k_is_followed_until_its_validation_risk_is_lowest(arc):
    """An independent route: the validation risks at all times that were looked at, from `solve_mean_field`."""
    study, split, k = arc.study, 0, 1
    pilot, problem = study.pilots[split], study.pilot(split, k)
    times = [12.5, 25.0, 50.0, 100.0, 200.0]
    path = im.solve_mean_field(problem, times, particles=32, replicates=2, seed=split, rtol=1e-5, snapshot_times=times)
    points = pilot.held_out.points
    with computing_in(np.dtype(np.float64)):
        left = [points - np.asarray(network.reconstruct(points)) for network in path.snapshots]
    risks = [np.square(one).sum(axis=1).mean() / 2 for one in left]
    found = arc.dataset.sel(split=split, latent_dim=k)
    assert float(found.horizon) == times[int(np.argmin(risks))]
    if float(found.horizon) == times[-1]:
        assert float(found.fall) == pytest.approx(1 - risks[-1] / risks[-2], abs=0.02)


def test_estimates_are_positive_and_corrected_for_shared_points(result):
    risks = result.dataset.held_out_risk.sel(latent_dim=1).values
    estimate = result.estimate("held_out_risk", 1)
    relative = abs(risks[0] - risks[1]) / np.sqrt(2) * np.sqrt(1 / 2 + 6 / 18) / risks.mean()
    ends = risks.mean() * np.exp(np.array([-1, 1]) * 12.7062047 * relative)  # of Student's t with one degree of freedom
    np.testing.assert_allclose([estimate.lower, estimate.upper], ends, rtol=1e-6)
    assert all(result.estimate(name, k).lower > 0 for name in ("training_risk", "pca_held_out_risk") for k in (1, 2))


def test_it_is_drawn_and_reported_the_same_each_time(result):
    for one in (
        result,
        with_risks(result, [[0.3, 1e-3, 1e-4], [0.2, 1e-3, 2e-4]], intrinsic_dimension=("split", [9.0, 9.2])),
        with_risks(result, [[0.3], [0.2]], intrinsic_dimension=("split", [np.nan, 1.0])),
    ):
        drawn = drawn_figures(one)
        assert list(drawn) == ["risk_against_k", "network_over_pca"]
        files = [rendered(figures["risk_against_k"], "x", "png") for figures in (drawn, drawn_figures(one))]
        assert files[0] == files[1]
        page = bottleneck_page(one, drawn)
        assert "isthmus bottleneck study.toml" in render_page(page)
        assert (page.answer, page.findings) == (one.answer(), one.verdicts())
        assert one.summary()["suggested"] == one.suggested and one.summary()["answer"] == one.answer()
    assert one.summary()["intrinsic_dimension"] is None
    assert any("too many are equally far" in verdict for verdict in one.verdicts())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"max_latent_dim": 4},
            "Argument 'max_latent_dim' must be at most the rank of the training data 3, but it is 4.",
        ),
        (
            {"max_latent_dim": 4, "law": {"kind": "independent"}},
            "Argument 'max_latent_dim' must be at most the data dimension 3, but it is 4.",
        ),
        (
            {"data": {"source": "gaussian", "variances": [1.0, 0.5], "stream": True}},
            "Argument 'data.stream' must be false for a bottleneck study, but it is True; every split trains and tests "
            "on a finite set of points.",
        ),
        (
            {"data": {"source": "gaussian", "variances": [1.0, 0.5], "points": 3}},
            "Argument 'held_out' must leave at least 3 of the 3 points to train on and 1 to test on, but it is 0.25.",
        ),
        ({"held_out": 1.0}, "Argument 'held_out' must be below 1, but it is 1.0."),
        ({"splits": 1}, "Argument 'splits' must be at least 2, but it is 1."),
        (
            {"particles": 100},
            "Argument 'particles' must be a power of 2 for quadrature='sobol', but it is 100; try 64 or 128.",
        ),
        ({"max_horizon": 20.0}, "Argument 'max_horizon' must be at least the horizon 200, but it is 20.0."),
        ({"radius": 2.0}, "Argument 'radius' must be left out for method='horizon', but it is 2.0."),
        ({"method": "best"}, "Argument 'method' must be 'horizon' or 'optimum', but it is 'best'."),
        (
            {"law": {"kind": "independent"}},
            "Argument 'law' must have a limit that moves for method='horizon', but it is independent, whose limit "
            "never moves; use an aligned law.",
        ),
    ],
)
def test_what_can_not_be_answered_is_refused_before_anything_is_computed(changes, message, table):
    with pytest.raises(im.ArgumentError) as refusal:
        im.bottleneck_curve(asked(table, **changes))
    assert str(refusal.value) == message


def test_an_optimum_needs_a_penalty_and_a_curve_needs_a_study(table):
    with pytest.raises(
        im.ArgumentError, match="must have a weight decay or bounded neurons, but it is one with weight_decay=0.0"
    ):
        im.bottleneck_curve(asked(table, method="optimum", activation="tanh"))
    assert asked(table, method="optimum", activation="tanh", weight_decay=0.1).problems[1][0].latent_dim == 1
    with pytest.raises(im.ArgumentTypeError, match="'study' must be an instance of BottleneckStudy"):
        im.bottleneck_curve(im.TrackingStudy())  # pyright: ignore[reportArgumentType]


def test_a_failure_names_k_and_split(result, monkeypatch):
    def fail(*_, **__):
        raise im.NumericalError("too stiff")

    monkeypatch.setattr("isthmus.studies.bottleneck_jobs.follow_replicate", fail)
    with pytest.raises(im.NumericalError, match=r"At k = 1 on split 1, too stiff\."):
        im.bottleneck_curve(result.study, workers=1)


def test_what_an_optimum_reports(result):
    study = result.study.model_copy(update={"method": "optimum"})
    dataset = result.dataset.assign(certified=result.dataset.error * 0 + [[1.0, 0.0], [1.0, 1.0]])
    found = dataclasses.replace(result, study=study, dataset=dataset)
    assert any(verdict.startswith("3 of 4 optima meet the tolerance 0.001") for verdict in found.verdicts())
    assert "the optimum over measures" in bottleneck_page(found, drawn_figures(found)).lead.caption
