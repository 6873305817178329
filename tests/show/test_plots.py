"""Plots of objects: they hold the numbers, take axes, keep to one style, and change nothing else."""

import dataclasses
import os
import subprocess
import sys
import warnings

import matplotlib
import numpy as np
import pytest
from invented import invented
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, to_hex
from small_objects import POINTS, systems

import isthmus as im
from isthmus.show import pages
from isthmus.show.readings import series_of
from isthmus.show.themes import contrast

TIMES = np.array([0.0, 0.1, 1.0, 10.0])


@pytest.fixture(scope="module", autouse=True)
def no_window():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "agg")
        yield


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def made():
    """Small objects, with numbers that differ from one another."""
    found, random = systems(), np.random.default_rng(0)
    law = found["law"]
    influence = dataclasses.replace(law.influence, points=random.standard_normal((3, 24)))
    many = dataclasses.replace(
        found["runs"], risk=1 + random.random((20, 3)), width=(8, 8), step_size=0.1, batch_size=4
    )
    few = dataclasses.replace(found["runs"], risk=1 + random.random((3, 3)), width=(64, 64))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", im.TrivialLimitWarning)
        still = im.saddle(im.Problem(found["data"], im.independent_law(3, 1)), neurons=256)
    model = im.MeanFieldAutoencoder(2, width=16, horizon=1.0, early_stopping=True, random_state=0)
    coupling = dataclasses.replace(found["coupling"], encoder=random.random((20, 3)), decoder=random.random((2, 3)))
    return found | {
        "law": dataclasses.replace(law, influence=influence),
        "many": many,
        "few": few,
        "coupling": coupling,
        "saddle": still,
        "model": model.fit(POINTS),
    }


def seen(made, shape):
    """Return a prediction of as many values of another shape."""
    times = np.arange(3.0) if shape else np.arange(12.0)
    return im.ObservedPrediction(times, shape, made["observed prediction"].flat)


PLOTS = {
    "path": lambda one, **ax: one["path"].plot(**ax),
    "path, runs, law": lambda one, **ax: one["path"].plot([one["many"], one["few"]], one["law"], **ax),
    "path, prediction": lambda one, **ax: one["path"].plot(law=one["law"].at(8), **ax),
    "many runs": lambda one, **ax: one["many"].plot(**ax),
    "few runs": lambda one, **ax: one["few"].plot(**ax),
    "law": lambda one, **ax: one["law"].plot(8, 0.1, 4, **ax),
    "sources": lambda one, **ax: one["law"].plot_sources((8, 16), 0.1, 4, **ax),
    "influence of points": lambda one, **ax: one["law"].plot_influence(one["data"], **ax),
    "influence of the encoder": lambda one, **ax: one["law"].plot_influence(one["data"], "encoder", time=0.5, **ax),
    "influence of the decoder": lambda one, **ax: one["law"].plot_influence(POINTS, "decoder", **ax),
    "a value": lambda one, **ax: seen(one, ()).plot(**ax),
    "a plane": lambda one, **ax: one["observed prediction"].plot(**ax),
    "rows": lambda one, **ax: seen(one, (4,)).plot(**ax),
    "coupling": lambda one, **ax: one["coupling"].plot(**ax),
    "saddle": lambda one, **ax: one["saddle"].plot((8, 32, 128), runs=32, **ax),
    "encoder": lambda one, **ax: one["network"].encoder.plot(**ax),
    "encoder along directions": lambda one, **ax: one["network"].encoder.plot(directions=np.eye(3)[:, :2], **ax),
    "decoder": lambda one, **ax: one["network"].decoder.plot(**ax),
    "optimum": lambda one, **ax: one["optimum"].plot(**ax),
    "optimum, data": lambda one, **ax: one["optimum"].plot(data=one["data"], **ax),
    "optimum, decoder": lambda one, **ax: one["optimum"].plot("decoder", **ax),
    "latents": lambda one, **ax: one["model"].plot_latents(POINTS, np.arange(24) % 3, **ax),
    "latents, numbers": lambda one, **ax: one["model"].plot_latents(POINTS, POINTS[:, 0], **ax),
    "reconstructions": lambda one, **ax: one["model"].plot_reconstructions(POINTS, **ax),
    "images": lambda one, **ax: one["model"].plot_reconstructions(POINTS, [0, 3], image_shape=(1, 3), **ax),
    "training": lambda one, **ax: one["model"].plot_training(**ax),
}


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_makes_a_figure_or_takes_axes(name, made):
    before = dict(matplotlib.rcParams) | {"backend": "agg"}  # which pyplot chooses when it is first used
    axes = PLOTS[name](made)
    assert isinstance(axes, Axes) and plt.get_fignums() == [axes.figure.number]
    figure = axes.figure
    figure.canvas.draw()
    texts = [axes.title, axes.xaxis.label, axes.yaxis.label, *(text for one in figure.legends for text in one.texts)]
    for text in texts:
        box = text.get_window_extent()
        if text.get_text():
            assert box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1, f"{text.get_text()!r} is cut"
            assert box.y0 >= -1 and box.y1 <= figure.bbox.y1 + 1, f"{text.get_text()!r} is cut"
    assert not axes.spines["top"].get_visible() and list(series_of(axes))
    own, given = plt.subplots()
    assert PLOTS[name](made, ax=given) is given
    assert plt.get_fignums() == [figure.number, own.number] and given.has_data()
    assert [one.name for one in series_of(given)] == [one.name for one in series_of(axes)]
    assert dict(matplotlib.rcParams) == before


DARK = {"path, runs, law": 4, "sources": 4, "optimum": 2, "coupling": 3, "latents": 0}
"""Plots with the number of lines, at least, that are seen on dark axes."""


@pytest.mark.parametrize("name", DARK)
def test_given_axes_may_be_dark(name, made):
    with plt.style.context("dark_background"):
        figure, axes = plt.subplots()
        PLOTS[name](made, ax=axes)
        figure.canvas.draw()
    assert len(axes.lines) >= DARK[name]
    clouds = [one for one in axes.collections if one.get_array() is None or isinstance(one.norm, BoundaryNorm)]
    shown = [one.get_color() for one in axes.lines] + [color for one in clouds for color in one.get_facecolor()]
    assert min(contrast(to_hex(color), "#000000") for color in shown) >= 4.5
    legend = axes.get_legend()
    if name == "latents":  # the colours of the legend are those of the rows
        named = {to_hex(color) for handle in legend.legend_handles for color in handle.get_facecolor()}
        assert {to_hex(color) for color in clouds[0].get_facecolor()} == named


def series(axes, name):
    [found] = [one for one in series_of(axes) if one.name == name]
    return found


def test_curves_and_bands_are_those_of_the_objects(made):
    axes = PLOTS["path, runs, law"](made)
    np.testing.assert_array_equal(series(axes, "mean field").y, made["path"].risk)
    many, name = made["many"], "N = 8, SGD, ε = 0.1"
    np.testing.assert_allclose(series(axes, name).y, np.median(many.risk, axis=0))
    np.testing.assert_allclose(series(axes, name).values["5–95 %"].T, np.quantile(many.risk, (0.05, 0.95), axis=0))
    np.testing.assert_allclose(series(axes, "N = 64, gradient flow, run 2").y, made["few"].risk[2])
    bands = [one for one in series_of(axes) if one.name == "predicted"]
    for band, law in zip(bands, (made["law"].at(8, 0.1, 4), made["law"].at(64)), strict=True):
        np.testing.assert_allclose(band.values["5–95 %"][:, 0], law.mean - 1.645 * law.std)
    lines = {line.get_label() for line in axes.get_lines()}
    assert {"mean field R(t)", "predicted 5–95 %", f"{name}, median and 5–95 %", "N = 64, gradient flow"} <= lines


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"optimizer": "Adam"}, "N = 8, Adam, ε = 0.1"),
        ({"optimizer": "Adam", "step_size": 0.0}, "N = 8, flow of Adam"),
        ({"step_size": lambda step: 0.1}, "N = 8, SGD by a schedule"),
    ],
)
def test_runs_are_named_by_what_trained_them(made, changes, name):
    label = dataclasses.replace(made["many"], **changes).plot().get_lines()[0].get_label()
    assert label == f"{name}, median and 5–95 %"


def test_laws_are_drawn_about_the_limit_and_by_source(made):
    law = made["law"].at(8, 0.1, 4)
    np.testing.assert_allclose(series(PLOTS["law"](made), "predicted").values["mean"], law.mean - made["path"].risk)
    axes = PLOTS["sources"](made)
    variances = made["law"].sources((8, 16), 0.1, 4)
    shown = series(axes, "initial decoder neurons, predicted").values["standard deviation"]
    np.testing.assert_allclose(shown**2, variances["decoder"])
    together = series(axes, "all together, predicted").values["standard deviation"]
    np.testing.assert_allclose(together**2, sum(variances.values()))


def test_what_is_observed_is_drawn_where_it_is_predicted(made):
    found = made["observed prediction"]
    axes = found.plot()
    [ellipse, *_] = axes.patches
    np.testing.assert_allclose(ellipse.center, found.mean[-1, 0])
    np.testing.assert_allclose((ellipse.width / 2) ** 2, -2 * np.log(0.1) * found.std[-1, 0, 0] ** 2)
    np.testing.assert_allclose(series(axes, "predicted").x, found.limit[-1, :, 0])
    curve, rows = seen(made, ()), seen(made, (4,))
    np.testing.assert_allclose(series(curve.plot(), "mean field").y, curve.limit)
    drawn = series(rows.plot(), "row 0")
    np.testing.assert_allclose(drawn.y, rows.limit[-1])


def test_clouds_are_where_neurons_and_points_are(made):
    points = series(PLOTS["influence of points"](made), "points")
    data = made["data"]
    np.testing.assert_allclose(points.x, data.points @ data.principal_directions[:, 0])
    np.testing.assert_allclose(points.values["influence"], made["law"].influence.points[-1])
    encoder, network = series(PLOTS["encoder along directions"](made), "neurons"), made["network"]
    np.testing.assert_allclose(encoder.y, np.asarray(network.encoder.incoming)[:, 1], rtol=1e-6)
    np.testing.assert_allclose(
        np.abs(encoder.values["outgoing weight"]), np.abs(network.encoder.outgoing[:, 0]), rtol=1e-6
    )
    decoder = series(PLOTS["decoder"](made), "neurons")
    np.testing.assert_allclose(decoder.x, network.decoder.incoming[:, 0], rtol=1e-6)
    np.testing.assert_allclose(decoder.y, network.decoder.bias, rtol=1e-6)
    own = series(PLOTS["encoder"](made), "neurons")
    spread = np.linalg.svd(np.asarray(network.encoder.incoming, float), compute_uv=False)
    np.testing.assert_allclose([np.linalg.norm(own.x), np.linalg.norm(own.y)], spread[:2], rtol=1e-5)


def test_distances_and_escapes_are_those_of_the_objects(made):
    axes = PLOTS["coupling"](made)
    np.testing.assert_allclose(series(axes, "encoder").y, np.median(made["coupling"].encoder, axis=0))
    np.testing.assert_allclose(series(axes, "decoder, run 1").y, made["coupling"].decoder[1])
    escape = series(PLOTS["saddle"](made), "escape")
    np.testing.assert_allclose(escape.y, [made["saddle"].escape_times(n, 32).mean() for n in (8, 32, 128)])


def test_an_estimator_shows_what_it_computes(made):
    model = made["model"]
    latents = series(PLOTS["latents"](made), "rows")
    np.testing.assert_allclose(np.column_stack([latents.x, latents.y]), model.transform(POINTS))
    row = series(PLOTS["reconstructions"](made), "row 0")
    np.testing.assert_allclose(row.values["network"], model.inverse_transform(model.transform(POINTS[:1]))[0])
    training = PLOTS["training"](made)
    np.testing.assert_allclose(series(training, "training").y, model.training_curve_)
    np.testing.assert_allclose(series(training, "held out").y, model.validation_curve_)
    one = im.MeanFieldAutoencoder(1, width=4, horizon=0.5, random_state=0).fit(POINTS)
    single = series(one.plot_latents(POINTS), "rows")
    np.testing.assert_allclose(single.x, one.transform(POINTS)[:, 0])


@pytest.mark.parametrize(
    ("draw", "complaint"),
    [
        (lambda one: one["path"].plot(ax="here"), "'ax' must be one Axes of matplotlib"),
        (lambda one: one["path"].plot("runs"), "'runs' must be an instance of TrainingRuns"),
        (lambda one: one["path"].plot(law=one["law"]), "'law' must come with runs"),
        (lambda one: one["path"].plot(law="law"), "'law' must be an instance of FiniteWidthLaw or Prediction"),
        (
            lambda one: one["path"].plot(dataclasses.replace(one["many"], step_size=lambda t: 0.1), one["law"]),
            "'runs' must have a constant step size",
        ),
        (lambda one: one["law"].plot_influence(POINTS[:5]), "'data' must be the 24 points of the law"),
        (lambda one: one["law"].plot_influence(POINTS, "neurons"), "'of' must be one of"),
        (lambda one: one["law"].plot_influence(POINTS, time=0.3), "'time' must contain only recorded times"),
        (lambda one: one["runs"].encoder.plot(), "'measure' must be one measure, not those of runs"),
        (lambda one: one["network"].encoder.plot(directions=np.eye(2)), r"'directions' must have shape \(3, 2\)"),
        (lambda one: one["optimum"].plot("middle"), "'side' must be one of"),
        (lambda one: one["model"].plot_latents(POINTS, [1, 2]), r"'labels' must have shape \(24,\)"),
        (lambda one: one["model"].plot_reconstructions(POINTS, [24]), "'rows' must be at most the last row 23"),
        (
            lambda one: one["model"].plot_reconstructions(POINTS, image_shape=(2, 2)),
            "'image_shape' must have a product",
        ),
        (
            lambda one: im.MeanFieldAutoencoder.from_network(one["network"], POINTS).plot_training(),
            "'model' must have a learning curve",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, complaint, made):
    with pytest.raises((im.ArgumentError, im.ArgumentTypeError), match=complaint):
        draw(made)


@pytest.mark.slow
def test_a_study_gives_its_figures_and_writes_its_report(tmp_path):
    result = invented()
    figures = result.figures()
    assert list(figures) == list(pages.drawn_figures(result)) and len(figures) > 5
    page = result.report(tmp_path / "new" / "study")
    assert page == tmp_path / "new" / "study" / "report.html"
    assert result.answer().split(":")[0] in page.read_text(encoding="utf-8")
    assert {path.stem for path in (page.parent / "figures").glob("*.png")} == set(figures)
    with pytest.raises(im.ArgumentTypeError, match="'folder' must be the path of a file or folder"):
        result.report(3)


def test_the_backend_of_a_notebook_stays_interactive(tmp_path):
    """It says so once, when the first figure is made: later figures are shown only while that holds."""
    backend = "import matplotlib\nfrom matplotlib.backends.backend_agg import *\nmatplotlib.interactive(True)\n"
    (tmp_path / "inline.py").write_text(backend, encoding="utf-8")
    code = (
        "from isthmus.show.canvas import on_axes\non_axes(3, 3)(lambda *, ax=None: None)()\n"
        "import matplotlib\nassert matplotlib.is_interactive()\n"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    environment = os.environ | {"MPLBACKEND": "module://inline", "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=120)
