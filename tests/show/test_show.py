"""Figures and reports: there for every kind of study, true to its numbers, self-contained, and the same when redone."""

import matplotlib
import numpy as np
import pytest
from invented import NAMES

from isthmus.show import (
    canvas,
    gap_plots,
    pages,
    picture_plots,
    prediction_plots,
    report,
    themes,
    tracking_captions,
    tracking_plots,
)
from isthmus.show.readings import series_of
from isthmus.studies.tracking_result import TrackingResult

VOID = {"meta", "img", "br", "link", "hr", "input"}


def series(figure, name: str, panel: int | None = None):
    """Return the places and values that a page shows for the series of a name, in the panel of a number."""
    axes = figure.axes if panel is None else [figure.axes[panel]]
    [found] = [one for each in axes for one in series_of(each) if one.name == name]
    return found


@pytest.mark.parametrize("kind", ["unlabelled", "table"])
def test_every_figure_is_drawn_in_both_forms_and_nothing_is_cut(kind, request):
    result = request.getfixturevalue(kind)
    for form in (canvas.SCREEN, canvas.PAPER) if kind == "table" else (canvas.SCREEN,):
        with canvas.drawing_for(form):
            drawn = pages.drawn_figures(result)
        assert list(drawn) == [name for name in NAMES if kind != "table" or name != "late_gap"]
        for name, figure in drawn.items():
            assert figure.axes and len(canvas.said(figure)) > 20 and not figure.get_suptitle()
            assert figure.get_figwidth() in {form.column, form.page}
            boxes = [legend.get_window_extent() for legend in figure.legends]
            labels = [label for axes in figure.axes for label in (axes.title, axes.xaxis.label) if label.get_text()]
            for box in [*boxes, *(label.get_window_extent() for label in labels)]:
                assert box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1, f"{name} is cut"
            for box in (axes.yaxis.label.get_window_extent() for axes in figure.axes if axes.get_ylabel()):
                assert box.y0 >= -1 and box.y1 <= figure.bbox.y1 + 1, f"{name} is cut"


@pytest.mark.slow
def test_predictions_have_the_colour_of_the_series_they_predict_and_lie_beside_it(images):
    axes = gap_plots.sup_gap(images).axes[0]
    lines = [line for line in axes.get_lines() if len(line.get_xdata()) == 2 and line.get_label() != "slope −1/2"]
    predicted = [line for line in lines if line.get_linestyle() == "--"]
    measured = [line for line in lines if line.get_marker() == "o" and line.get_linestyle() == "None"]
    assert len(predicted) == len(measured) == 3
    for one, other in zip(predicted, measured, strict=True):
        assert one.get_color() == other.get_color() and one.get_markerfacecolor() == "none"
        np.testing.assert_array_equal(one.get_xdata(), other.get_xdata())
    assert len({line.get_color() for line in measured}) == 3


def test_no_colour_has_two_meanings():
    widths = {*canvas.width_colors([4, 8, 16, 32, 64]).values()}
    steps = {*canvas.step_colors([0.1, 0.2, 0.5]).values()}
    others = {canvas.DARK, canvas.GREY, canvas.FLOW, *prediction_plots.SOURCE_COLORS.values()}
    assert len(widths | steps | others) == 5 + 3 + 6
    for color in widths | steps | others:
        assert (
            themes.contrast(color, "#ffffff") > 2.5 and themes.contrast(themes.on_dark(color), themes.DARK_CARD) > 4.5
        )


def test_risk_curves_hold_the_medians_of_the_runs_and_the_limit(images):
    data, figure = images.dataset, tracking_plots.risk_curves(images)
    limit = data.mean_field_risk.values
    for row, width in enumerate((4, 8)):
        risk = data.risk.sel(width=width, step_size=0.25).values
        for panel, origin in ((2 * row, 0), (2 * row + 1, limit)):
            runs, field = (series(figure, name, panel) for name in ("SGD", "mean field"))
            np.testing.assert_allclose(runs.y, np.median(risk, axis=0) - origin)
            np.testing.assert_allclose(runs.values["5–95 %"].T, np.quantile(risk, (0.05, 0.95), axis=0) - origin)
            np.testing.assert_allclose(field.y, limit - origin)
            np.testing.assert_array_equal(field.values["t"], data.time)
            drawn = [np.asarray(line.get_ydata(), float) for line in figure.axes[panel].get_lines()]
            assert any(np.array_equal(line, runs.y) for line in drawn if len(line) == len(limit))
            network = data.sel(width=width, step_size=0.25)
            low, high = series(figure, "predicted", panel).values["5–95 %"].T
            np.testing.assert_allclose((high - low) / 2, 1.645 * network.predicted_std)
            np.testing.assert_allclose((high + low) / 2, network.predicted_mean - origin)


@pytest.mark.parametrize("prefix", ["", "late_"])
def test_gaps_stand_with_quantiles_predictions_and_rates_of_the_dataset(images, prefix):
    data, level = images.dataset, images.level
    figure = (gap_plots.late_gap if prefix else gap_plots.sup_gap)(images)
    axes = figure.axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    networks = {"gradient flow": (f"{prefix}flow_gap", {})}
    networks |= {f"SGD, ε = {step:g}": (f"{prefix}gap", {"step_size": step}) for step in (0.25, 0.5)}
    rates = {"": "width_rate", "flow_": "flow_width_rate"}
    lines = {line.get_label(): line for line in axes.get_lines()}
    for name, (variable, where) in networks.items():
        quantile = data[f"{variable}_quantile"].sel({**where, "level": level, "width": [4, 8]})
        shown = next(one for one in _all(figure) if one.name == name and "this run" not in one.values)
        np.testing.assert_array_equal(shown.values["N"], [4, 8])
        np.testing.assert_allclose(shown.values["median"], quantile.sel(bound="estimate"))
        if "95 % CI" in shown.values:
            np.testing.assert_allclose(shown.values["95 % CI"], quantile.sel(bound=["lower", "upper"]))
        else:
            assert np.isnan(quantile.sel(bound="lower")).all()
        runs = next(one for one in _all(figure) if one.name == name and "this run" in one.values)
        np.testing.assert_allclose(
            runs.values["this run"], data[variable].sel({**where, "width": [4, 8]}).values.ravel()
        )
        predicted = series(figure, f"{name}, predicted")
        np.testing.assert_allclose(
            predicted.y, data[f"predicted_{variable}_quantile"].sel({**where, "level": level, "width": [4, 8]})
        )
        rate = images.estimate(prefix + rates["flow_" if "flow" in variable else ""], level=level, **where)
        assert any(label.startswith(f"{name}: $N^{{{rate.value:.2f}".replace("-", "−")) for label in lines)
    reference = np.log(np.asarray(lines["slope −1/2"].get_xydata()))
    assert np.divide(*np.diff(reference, axis=0)[0][::-1]) == pytest.approx(-0.5)


def _all(figure):
    return [one for axes in figure.axes for one in series_of(axes)]


def test_parts_stand_with_their_predictions(images):
    data, figure = images.dataset, gap_plots.gap_parts(images)
    for panel, part in enumerate(("draw", "training")):
        for name, label in (("fluctuation", "fluctuation"), ("shift", "mean shift")):
            measured, predicted = series(figure, label, panel), series(figure, f"{label}, predicted", panel)
            expected = data[name].sel(part=part, width=[4, 8], bound="estimate")
            np.testing.assert_allclose(measured.values["size"], expected)
            np.testing.assert_allclose(predicted.y, data[f"predicted_{name}"].sel(part=part, width=[4, 8]))
    assert f"t ≥ {data.attrs['relaxation_time']:.3g}" in figure.axes[1].get_title()


def test_gaps_of_sgd_stand_against_the_step_size(images):
    data, figure = images.dataset, gap_plots.step_gap(images)
    for width in (4, 8):
        shown = next(one for one in _all(figure) if one.name == f"N = {width}" and "this run" not in one.values)
        expected = data.step_gap_quantile.sel(level=images.level, width=width, step_size=[0.25, 0.5], bound="estimate")
        np.testing.assert_allclose(shown.y, expected)


def test_bounds_that_runs_do_not_support_are_left_out(images):
    bare = images.dataset.assign(
        flow_gap_quantile=images.dataset.flow_gap_quantile.where(lambda all: all.bound == "estimate")
    )
    figure = gap_plots.sup_gap(TrackingResult(images.study, bare))
    shown = next(one for one in _all(figure) if one.name == "gradient flow" and "this run" not in one.values)
    assert "95 % CI" not in shown.values


def test_a_single_width_or_step_size_has_no_line(table):
    for figure in (gap_plots.sup_gap(table), gap_plots.step_gap(table)):
        drawn = [line for line in figure.axes[0].get_lines() if line.get_linestyle() != "None"]
        assert all(len(line.get_xdata()) == 1 for line in drawn)  # the ring of a prediction, with no line to draw
        assert "^" not in canvas.said(figure)


def test_captions_tell_of_lines_that_are_drawn_alone(images, table):
    for result, drawn in ((images, True), (table, False)):
        words = tracking_captions.tracking_words(result)
        for name in ("sup_gap", "step_gap"):
            assert ("grey line" in words[name][1], "A fit needs several" in words[name][1]) == (drawn, not drawn)


@pytest.mark.parametrize(("bounds", "verb"), [((-0.5, -0.9, -0.1), "falls"), ((-0.5, -1.1, 0.1), "goes")])
def test_a_gap_falls_in_words_where_its_interval_says_so(images, bounds, verb):
    rate = images.dataset.flow_width_rate
    data = images.dataset.assign(flow_width_rate=rate.copy(data=np.broadcast_to(bounds, rate.shape)))
    assert f"gradient flows {verb} as N^−0.50" in canvas.said(gap_plots.sup_gap(TrackingResult(images.study, data)))


def test_the_width_of_the_dotted_line_is_that_of_the_findings(images):
    data = images.dataset.assign(crossover=("part", [6.2, 6.2]))
    result = TrackingResult(images.study, data)
    written = [one.get_text().strip() for axes in gap_plots.gap_parts(result).axes for one in axes.texts]
    assert written == ["N = 7"] * 2 and "from about N = 7 on" in " ".join(result.verdicts())


def test_a_result_without_a_predicted_law_has_its_figures_without_one(images):
    kept = [name for name in images.dataset.data_vars if not name.startswith(("predicted", "source", "shift_ratio"))]
    drawn = pages.drawn_figures(TrackingResult(images.study, images.dataset[kept]))
    assert list(drawn) == NAMES[:7]
    assert not any("predicted" in one.name for figure in drawn.values() for one in _all(figure))


def test_latents_are_a_grid_of_networks_and_times(images, table, unlabelled):
    data, figure = images.dataset, tracking_plots.latents(images)
    times = len(data.snapshot_time)
    clouds = [axes.collections[0] for axes in figure.axes[: 3 * times]]
    assert [figure.axes[i * times].get_ylabel() for i in range(3)] == ["N = 4", "N = 8", "mean field"]
    for cloud, network, time in ((clouds[0], "N = 4", 0), (clouds[-1], "mean field", -1)):
        expected = data.latent.sel(network=network).isel(snapshot_time=time)
        np.testing.assert_allclose(np.asarray(cloud.get_offsets()), expected)
    first = series(figure, "N = 4", 0)
    np.testing.assert_allclose(first.values["z₂"], data.latent.sel(network="N = 4").isel(snapshot_time=0, axis=1))
    assert first.values["label"].tolist() == data.label.values.astype(str).tolist()
    assert figure.axes[-1].get_ylabel() == "label"
    assert len(tracking_plots.latents(table).axes) == 2 * times + 1
    assert len(tracking_plots.latents(unlabelled).axes) == 3 * times
    assert "first two of 3 axes" in canvas.said(tracking_plots.latents(unlabelled))


def test_many_or_worded_labels_are_coloured_too(images):
    count = images.dataset.sizes["point"]
    words = np.array(["odd", "even"], dtype=object)[np.arange(count) % 2]
    for labels in (words, np.linspace(0, 1, count)):
        changed = images.dataset.assign(label=("point", labels))
        key = tracking_plots.latents(TrackingResult(images.study, changed)).axes[-1]
        shown = [label.get_text() for label in key.get_yticklabels()]
        assert (shown == ["even", "odd"]) == (labels is words)


def test_images_are_drawn_as_images_and_tables_as_lines(images, table):
    figure = picture_plots.reconstructions(images)
    (axes,) = figure.axes
    names = ["original", "N = 4", "N = 8", "mean field", "PCA"]
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    mosaic = np.asarray(axes.get_images()[0].get_array())
    pictures = images.dataset.picture.isel(example=1)
    original = pictures.sel(reconstruction="original")
    scaled = (pictures - original.min()) / (original.max() - original.min())
    for row, name in enumerate(names):
        tile = mosaic[5 * row : 5 * row + 4, 4:7]
        np.testing.assert_allclose(tile.ravel(), scaled.sel(reconstruction=name))
        errors = series(figure, name).values["mean square error"]
        np.testing.assert_allclose(errors[1], np.square(pictures.sel(reconstruction=name) - original).mean())
    panels = picture_plots.reconstructions(table).axes
    assert len(panels) == table.dataset.sizes["example"]
    assert all(len(panel.get_lines()) == 4 and not panel.get_images() for panel in panels)


@pytest.mark.slow
def test_settings_of_others_are_neither_changed_nor_used(table, tmp_path):
    before = dict(matplotlib.rcParams)
    plain = canvas.save_figures(pages.drawn_figures(table), tmp_path / "plain")
    report.write_page(pages.result_page(table), tmp_path / "plain.html")
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "svg.fonttype": "none"}):
        again = canvas.save_figures(pages.drawn_figures(table), tmp_path / "again")
        report.write_page(pages.result_page(table), tmp_path / "again.html")
    drawn = [name for name in NAMES if name != "late_gap"]
    assert [path.name for path in plain] == [f"{name}.{kind}" for name in drawn for kind in ("png", "svg")]
    assert plain != again and [path.read_bytes() for path in plain] == [path.read_bytes() for path in again]
    assert (tmp_path / "plain.html").read_bytes() == (tmp_path / "again.html").read_bytes()
