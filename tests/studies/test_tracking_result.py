import numpy as np
import pytest
import xarray as xr

import isthmus as im


@pytest.fixture(scope="module")
def result():
    study = im.TrackingStudy(
        data={"source": "wine"},
        widths=[16, 64],
        step_sizes=[0.25, 0.5],
        horizon=4.0,
        records=4,
        runs=6,
        flow_runs=4,
        particles=128,
        confidence=0.8,
        predict=False,
    )
    return im.track(study)


def test_gaps_are_those_of_the_solvers_called_by_hand(result):
    data, study = result.dataset, result.study
    runs = im.train(study.problem, study.times, 64, 0.5, batch_size=8, runs=6)
    flows = im.gradient_flow(study.problem, study.times, 64, runs=4, rtol=study.flow_rtol)
    where = {"width": 64, "step_size": 0.5}
    np.testing.assert_array_equal(data.risk.sel(where), runs.risk)
    np.testing.assert_array_equal(data.flow_risk.sel(width=64), flows.risk)
    limit = data.mean_field_risk.values
    np.testing.assert_array_equal(data.gap.sel(where), np.abs(runs.risk - limit).max(1))
    np.testing.assert_array_equal(data.flow_gap.sel(width=64), np.abs(flows.risk - limit).max(1))
    np.testing.assert_array_equal(data.step_gap.sel(where), np.abs(runs.risk[:4] - flows.risk).max(1))
    quantile = data.gap_quantile.sel(where).sel(level=0.8, bound="estimate")
    assert float(quantile) == np.quantile(data.gap.sel(where), 0.8)


def test_runs_and_flows_start_from_the_same_neurons(result):
    data = result.dataset
    start = data.risk.isel(time=0, run=slice(0, 4))
    for step_size in (0.25, 0.5):
        np.testing.assert_allclose(start.sel(step_size=step_size), data.flow_risk.isel(time=0), rtol=1e-5)


def test_reconstructions_come_back_in_the_units_of_the_data(result):
    from sklearn.datasets import load_wine

    raw = load_wine().data
    original = result.dataset.picture.sel(reconstruction="original").values
    distances = np.abs(raw[None] - original[:, None]).max(axis=2).min(axis=1)
    np.testing.assert_allclose(distances, 0, atol=1e-9)
    assert result.dataset.feature.values[[0, -1]].tolist() == ["alcohol", "proline"]
    mean_field = result.dataset.picture.sel(reconstruction="mean field").values
    assert np.abs(mean_field - original).max() < np.ptp(raw, axis=0).max()


def test_the_moving_picture_agrees_with_the_snapshots_and_the_solvers(result):
    data, study = result.dataset, result.study
    points = data.sizes["scene_point"]
    at_snapshots = data.scene_latent.sel(scene_time=data.snapshot_time.values)
    np.testing.assert_allclose(at_snapshots, data.latent[:, :, :points], rtol=1e-4, atol=1e-5)
    last = data.scene_picture.sel(scene_time=study.horizon)
    np.testing.assert_allclose(last, data.picture.sel(reconstruction=data.network.values), rtol=1e-4, atol=1e-3)
    options = {"batch_size": 8, "runs": 1, "snapshot_times": study.scene_times}
    trained = im.train(study.problem, study.times, 16, 0.25, **options)
    path = im.solve_mean_field(
        study.problem, study.times, particles=128, replicates=4, rtol=study.rtol, snapshot_times=study.scene_times
    )
    directions = study.problem.population.principal_directions[:, :2]
    for name, source, count in (("N = 16", trained, 16), ("mean field", path, 128)):
        for time in study.scene_times:
            network, shown = source.at(time), data.sel(network=name, scene_time=time)
            encoder, decoder = (np.asarray(shown[f"scene_{side}"]) for side in ("encoder", "decoder"))
            assert np.isnan(encoder[count:]).all() and np.isnan(decoder[count:]).all()
            np.testing.assert_allclose(encoder[:count, :2], network.encoder.incoming @ directions, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(decoder[:count, :2], network.decoder.incoming, rtol=1e-5, atol=1e-5)
            lengths = np.sqrt(np.square(network.decoder.outgoing).sum(axis=-1))
            np.testing.assert_allclose(decoder[:count, 2], lengths, rtol=1e-5)


def test_the_draw_is_that_of_all_runs_and_training_that_of_the_flows(result):
    data = result.dataset
    initial = np.abs(data.risk.isel(time=0, step_size=0) - data.mean_field_risk[0])
    np.testing.assert_array_equal(data.initial_gap, initial)
    late = data.time.values >= result.relaxation_time
    assert 0 < late.sum() < len(late) and data.part.values.tolist() == ["draw", "training"]
    flows = data.flow_risk.values[..., late]
    np.testing.assert_array_equal(data.late_flow_gap, np.abs(flows - data.mean_field_risk.values[late]).max(axis=-1))
    spread = np.sqrt(flows.var(axis=1, ddof=1).mean(axis=-1))
    np.testing.assert_allclose(data.fluctuation.sel(part="training", bound="estimate"), spread)


def test_few_runs_bound_medians_only(result):
    assert result.level == 0.5  # the study asks for 0.8, which takes 17 runs
    bounds = result.dataset.gap_quantile.isel(bound=[1, 2])
    assert np.isfinite(bounds.sel(level=0.5)).all() and np.isnan(bounds.sel(level=0.8)).all()
    assert result.validation_error() is None


def test_numbers_that_are_not_the_studys_are_complained_of(result):
    def error_after(change):
        other = result.dataset.copy(deep=True)
        return im.TrackingResult(result.study, change(other) or other).validation_error()

    assert "'flow_gap_quantile' is missing" in error_after(lambda data: data.drop_vars("flow_gap_quantile"))
    assert "'part' is not that" in error_after(lambda data: data.assign_coords(part=["draw", "rest"]))
    assert "'relaxation_time' is no number" in error_after(lambda data: data.assign_attrs(relaxation_time="soon"))
    nothing = xr.full_like(result.dataset.gap_quantile, np.nan)
    assert "'gap_quantile' holds a number that is not" in error_after(lambda data: data.assign(gap_quantile=nothing))
    no_end = result.dataset.gap_quantile.where(result.dataset.bound != "upper", np.inf)
    assert "'gap_quantile' holds a number that is not" in error_after(lambda data: data.assign(gap_quantile=no_end))
    assert "'fluctuation' has the dimensions" in error_after(lambda data: data.assign(fluctuation=data["shift"][0]))


def test_a_diverging_study_names_width_run_and_remedy():
    study = im.TrackingStudy(
        data={"source": "wine"}, widths=[8], step_sizes=[64.0], horizon=640.0, records=2, runs=2, flow_runs=2,
        particles=16, batch_size=1,
    )  # fmt: skip
    with pytest.raises(im.NumericalError, match=r"At width 8, the step size 64 made run \d diverge at t = .*; try"):
        im.track(study, workers=2)  # the limit takes long, and the first run doesn't


def test_a_study_repeats(result):
    again = im.track(result.study, workers=3)
    assert again.dataset.identical(result.dataset)
