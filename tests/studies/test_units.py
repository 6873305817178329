"""Answers don't depend on the unit of the data, on where its origin is, or on its precision."""

import warnings

import numpy as np
import pytest

import isthmus as im

TIMES = [0.0, 2.0, 4.0]
UNITS = {
    "thousands, far away": (1000.0, 2.0**20, np.float64),
    "tiny, far away, single": (2.0**-100, 2.0**8, np.float32),
}
"""Unit, offset in that unit, and precision; in single precision a power of 2, which rounds nothing."""


def points():
    """Return wine's first columns, rounded so that other units and offsets don't round them again."""
    table = im.load_data("wine", max_points=48).points[:, :5]
    return np.round(table / table.std(axis=0) * 64) / 64


def in_unit(name):
    factor, offset, dtype = UNITS[name]
    return ((points() + offset) * factor).astype(dtype)


def of_data(X):
    """Return what the limit, the law, the saddle and the optimum say of points."""
    data = im.Data(X, center=True, scale="total")
    problem = im.Problem(data, im.aligned_law(data, 2))
    path = im.solve_mean_field(problem, TIMES, particles=32, replicates=2)
    law = im.predict_finite_width(problem, TIMES, path=path, particles=16, samples=2, dtype="float64")
    runs = im.train(problem, TIMES, width=16, step_size=0.5, batch_size=4, runs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", im.TrivialLimitWarning)
        saddle = im.saddle(im.Problem(data, im.independent_law(5, 2, incoming_scale=0.5)), neurons=64)
    decaying = im.Problem(data, im.aligned_law(data, 1), weight_decay=0.05)
    optimum = im.solve_optimum(decaying, atoms=4, restarts=1, starts=32, throw=False)
    return {
        "pca": [data.pca_risk(k) for k in range(5)],
        "features": im.Data(X, center=True, scale="features").pca_risk(2),
        "robust": im.Data(X, center=True, scale="robust").pca_risk(2),
        "limit": path.risk,
        "mean": law.mean(100, 0.1, 4),
        "std": law.std(100, 0.1, 4),
        "width": law.width_for(0.05, 0.9, 0.1, 4),
        "runs": runs.risk,
        "growth": saddle.growth_rate,
        "escape": saddle.escape_time(100),
        "optimum": optimum.objective,
        "dimension": im.intrinsic_dimension(X),
    }


@pytest.fixture(scope="module")
def plain():
    return of_data(points())


@pytest.mark.parametrize("unit", UNITS)
def test_of_scaled_data(unit, plain):
    found = of_data(in_unit(unit))
    single = UNITS[unit][2] == np.float32
    for name, value in plain.items():
        if name == "runs" and single:  # steps of SGD are taken in the precision of the data
            continue
        rtol = 2e-5 if single else 1e-7
        np.testing.assert_allclose(found[name], value, rtol=rtol, atol=1e-9, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["tiny, far away, single"])
def test_of_a_recommended_width(unit):
    options = {"tolerance": 0.05, "horizon": 2.0, "records": 2, "runs": 2, "particles": 32}
    plain, other = (im.recommend_width(X, **options).summary() for X in (points(), in_unit(unit)))
    assert other["width"] == plain["width"]
    assert other["recommended"]["measured_quantile"] == pytest.approx(  # pyright: ignore
        plain["recommended"]["measured_quantile"], rel=1e-4
    )


def test_of_an_aligned_law_on_points_as_they_are():
    shares = []
    for unit in (1.0, 1e-6):
        data = im.Data(points() * unit, center=True)
        problem = im.Problem(data, im.aligned_law(data, 2, strength=1.0))
        start = im.solve_mean_field(problem, [0.0], particles=32, replicates=2)
        network = im.train(problem, [0.0], width=16, step_size=1.0, runs=2)
        shares.append(np.append(start.risk, network.risk[:, 0]) / data.pca_risk(0))
    np.testing.assert_allclose(shares[1], shares[0], rtol=1e-5)


@pytest.mark.parametrize("study", [pytest.param("track", marks=pytest.mark.slow), "bottleneck"])
def test_of_studies_of_files(study, tmp_path):
    found = []
    for name, unit in (("plain", 1.0), ("small", 1e-6)):
        path = tmp_path / f"{name}.csv"
        np.savetxt(path, points() * unit, delimiter=",", header="a,b,c,d,e", comments="", fmt="%.17g")
        data = {"source": str(path)}
        if study == "track":
            options = {"widths": [8, 16], "step_sizes": [0.5], "horizon": 2.0, "records": 2, "runs": 4, "flow_runs": 2}
            result = im.track(
                im.TrackingStudy(data=data, particles=32, batch_size=4, law_particles=16, law_samples=2, **options)
            )
            found.append(result.dataset.risk.values)
        else:
            options = {"max_latent_dim": 2, "splits": 2, "horizon": 4.0, "particles": 16, "replicates": 2}
            result = im.bottleneck_curve(im.BottleneckStudy(data=data, rtol=1e-5, **options))
            found.append(np.r_[result.dataset.held_out_risk.values.ravel(), result.dataset.pca_held_out_risk[0]])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
