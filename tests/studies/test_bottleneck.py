"""The bottleneck study: true to PCA where it must be, blind to what is held out, and the same when redone."""

import dataclasses

import numpy as np
import pytest
from sklearn.decomposition import PCA

import isthmus as im
from isthmus.show.bottleneck_plots import bottleneck_figures
from isthmus.show.bottleneck_report import bottleneck_page
from isthmus.show.canvas import rendered
from isthmus.show.report import render_page
from isthmus.studies.store import save_result

LINEAR = {
    "activation": "linear",
    "max_latent_dim": 2,
    "splits": 2,
    "horizon": 200.0,
    "particles": 32,
    "replicates": 2,
    "rtol": 1e-5,
}
TRAINED = ("training_risk", "error", "pca_training_risk", "intrinsic_dimension")


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


def with_held_out(result, risks, **variables):
    """Return a result with other held-out risks, shape (splits, latent_dims), made of copies of its own numbers."""
    risks = np.asarray(risks, float)
    study = result.study.model_copy(update={"splits": len(risks), "max_latent_dim": risks.shape[1]})
    at = np.zeros(len(risks), int)
    dataset = result.dataset.isel(split=at, latent_dim=np.zeros(risks.shape[1], int))
    dataset = dataset.assign_coords(split=np.arange(len(risks)), latent_dim=study.latent_dims)
    dataset = dataset.assign(held_out_risk=(("split", "latent_dim"), risks), **variables)
    return im.BottleneckResult(study, dataset)


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
    for number, split in enumerate(result.study.parts):
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
                found = float(result.dataset[f"pca_{part}_risk"].sel(split=number, component=k))
                assert found == pytest.approx(expected, rel=1e-10)
            assert split.training.pca_risk(k) == pytest.approx(
                float(result.dataset.pca_training_risk.sel(split=number, component=k)), rel=1e-10
            )
    assert len({tuple(split.held_out_rows) for split in result.study.parts}) == 2
    assert (result.dataset.attrs["training_points"], result.dataset.attrs["held_out_points"]) == (18, 6)


def test_points_that_are_held_out_change_nothing_in_training(result, table, tmp_path):
    points = np.load(table)
    points[result.study.parts[0].held_out_rows] *= 40  # other means and variances, by far
    np.save(tmp_path / "points.npy", points)
    changed = im.bottleneck_curve(asked(tmp_path / "points.npy"))
    for name in TRAINED:
        np.testing.assert_array_equal(changed.dataset[name].sel(split=0), result.dataset[name].sel(split=0))
    assert np.all(changed.dataset.training_risk.sel(split=1) != result.dataset.training_risk.sel(split=1))
    assert np.all(changed.dataset.held_out_risk.sel(split=0) > 10 * result.dataset.held_out_risk.sel(split=0))


def test_it_is_the_same_when_redone_and_when_loaded(result, tmp_path):
    stages = []
    again = im.bottleneck_curve(
        im.BottleneckStudy.from_toml(result.study.to_toml()), workers=1, progress=lambda *now: stages.append(now)
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


@pytest.mark.slow
def test_on_a_curve_one_coordinate_is_suggested_or_it_is_said_why_not():
    data = {"source": "manifold", "dim": 4, "points": 200, "curvature": 0.6, "noise": 1e-4, "scale": "total"}
    study = im.BottleneckStudy(data=data, max_latent_dim=2, splits=2, horizon=20.0, particles=32, replicates=2)
    found = im.bottleneck_curve(study)
    assert found.dimension is not None and found.dimension.value == pytest.approx(1, abs=0.2)
    assert any("still above that of PCA" in verdict for verdict in found.verdicts())  # t=20 is early on so flat a curve
    if found.suggested == 2:
        assert "k=1 lies" in found.reason and "more than one standard error" in found.reason
        assert any("below the suggested k=2" in verdict for verdict in found.verdicts())
    assert np.all(found.dataset.training_risk.values < 0.5)


def test_the_smallest_k_within_one_standard_error_in_pairs_is_suggested(result):
    # Between splits the risk varies by far more than between k, so that only pairs can tell.
    noisy = np.array([[0.5], [0.1], [0.9]])
    better = with_held_out(
        result, noisy + np.array([[0.3, 0.01, 0.004, 0.0], [0.3, 0.02, -0.002, 0.0], [0.3, 0.03, 0.001, 0.0]])
    )
    assert (better.best, better.suggested) == (4, 3)
    excess = better.excess(3)
    assert excess.mean == pytest.approx(0.001) and excess.standard_error == pytest.approx(0.003 / np.sqrt(3))
    assert better.reason == (
        "k=3 is suggested, the smallest bottleneck whose risk on held-out points is within one standard error of the "
        "lowest, 0.5 at k=4: it lies 0.001 ± 0.002 above it."
    )
    assert any("raise max_latent_dim" in verdict for verdict in better.verdicts())
    inside = with_held_out(result, noisy + np.array([[0.3, 0.0, 0.05], [0.31, 0.0, 0.06], [0.29, 0.0, 0.07]]))
    assert (inside.best, inside.suggested) == (2, 2)
    assert inside.reason == (
        "k=2 is suggested, the bottleneck of the lowest risk on held-out points, 0.5; k=1 lies 0.3 ± 0.006 above it, "
        "more than one standard error."
    )
    assert not any("raise max_latent_dim" in verdict for verdict in inside.verdicts())
    assert with_held_out(result, [[0.9], [0.9]]).pca_for_same_risk == 1
    assert with_held_out(result, [[-1.0], [-1.0]]).pca_for_same_risk is None


def test_intervals_are_student_s_over_splits(result):
    risks = result.dataset.held_out_risk.sel(latent_dim=1).values
    estimate = result.estimate("held_out_risk", 1)
    half = 12.7062047 * abs(risks[0] - risks[1]) / 2  # of Student's t with one degree of freedom
    np.testing.assert_allclose([estimate.lower, estimate.upper], [risks.mean() - half, risks.mean() + half], rtol=1e-6)


def test_it_is_drawn_and_reported_the_same_each_time(result):
    for one in (
        result,
        with_held_out(result, [[0.3, 1e-3, 1e-4], [0.2, 1e-3, 2e-4]], intrinsic_dimension=("split", [9.0, 9.2])),
        with_held_out(result, [[0.3], [0.2]], intrinsic_dimension=("split", [np.nan, 1.0])),
    ):
        drawn = bottleneck_figures(one)
        assert list(drawn) == ["risk_against_k"]
        files = [rendered(figures["risk_against_k"], "x", "png") for figures in (drawn, bottleneck_figures(one))]
        assert files[0] == files[1]
        page = render_page(bottleneck_page(one, drawn))
        assert page.count("<svg") == 1 and "isthmus bottleneck study.toml" in page and f"k={one.suggested}" in page
        assert one.summary()["suggested"] == one.suggested
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
    with pytest.raises(im.ArgumentError, match="must have a penalty on, or a ball of, neurons, but it is 0.0"):
        im.bottleneck_curve(asked(table, method="optimum", activation="tanh"))
    assert asked(table, method="optimum", activation="tanh", weight_decay=0.1).problems[1][0].latent_dim == 1
    with pytest.raises(im.ArgumentTypeError, match="'study' must be an instance of BottleneckStudy"):
        im.bottleneck_curve(im.TrackingStudy())  # pyright: ignore[reportArgumentType]


def test_a_failure_names_k_and_split(result, monkeypatch):
    def fail(*_, **__):
        raise im.NumericalError("too stiff")

    monkeypatch.setattr("isthmus.studies.bottleneck.solve_mean_field", fail)
    with pytest.raises(im.NumericalError, match=r"At k=1 on split 1, too stiff\."):
        im.bottleneck_curve(result.study, workers=1)


def test_what_an_optimum_reports(result):
    study = result.study.model_copy(update={"method": "optimum"})
    dataset = result.dataset.assign(certified=result.dataset.error * 0 + [[1.0, 0.0], [1.0, 1.0]])
    found = dataclasses.replace(result, study=study, dataset=dataset)
    assert any(verdict.startswith("3 of 4 optima meet the tolerance 0.001") for verdict in found.verdicts())
    assert (
        "optimum over measures, held out" in bottleneck_figures(found)["risk_against_k"].legends[0].texts[0].get_text()
    )
