"""Figures and reports: there for every kind of study, true to its numbers, self-contained, and the same when redone."""

import html.parser
import json
import re

import matplotlib
import numpy as np
import pytest
import xarray as xr
from invented import invented

import isthmus as im
from isthmus.show import (
    canvas,
    gap_plots,
    pages,
    picture_plots,
    prediction_plots,
    report,
    themes,
    tracking_plots,
    tracking_report,
)
from isthmus.show.readings import series_of
from isthmus.studies.tracking_result import TrackingResult

NAMES = [
    "sup_gap", "gap_parts", "late_gap", "step_gap", "risk_curves", "latents", "reconstructions", "sources", "influence",
]  # fmt: skip
VOID = {"meta", "img", "br", "link", "hr", "input"}


@pytest.fixture(scope="module")
def images():
    """Images, labels, two widths in no order, two step sizes, k = 2."""
    return invented()


@pytest.fixture(scope="module")
def table():
    """A table, for a single width and step size, k = 1: nothing has a rate, and the gap of the draw doesn't fade."""
    result = invented(images=False, latent_dim=1, widths=(8,), relaxing=False)
    study = im.TrackingStudy(**result.study.model_dump() | {"step_sizes": [0.5]})
    data = result.dataset.sel(step_size=[0.5])
    rates = {name: xr.full_like(data[name], np.nan) for name in ("width_rate", "flow_width_rate", "step_rate")}
    return TrackingResult(study, data.assign(rates).assign_attrs(study=study.to_toml()))


@pytest.fixture(scope="module")
def unlabelled(images):
    """The same as images, without labels, k = 3."""
    latent = xr.concat([images.dataset.latent, images.dataset.latent.isel(axis=[0])], "axis")
    return TrackingResult(images.study, images.dataset.drop_vars(["latent", "label"]).assign(latent=latent))


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


class _Page(html.parser.HTMLParser):
    """What a page is made of; closing tags have to match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        self.tags.append((tag, dict(attrs)))
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        for tag in self.open:
            self.texts[tag][-1] += data

    def values(self, *names: str) -> list[str]:
        return [value for _, attrs in self.tags for name, value in attrs.items() if value and name in names]


@pytest.fixture(scope="module")
def drawn(images):
    return pages.drawn_figures(images)


@pytest.fixture(scope="module")
def texts(images, drawn, table):
    pages = {"images": tracking_report.tracking_page(images, drawn), "table": _small_page(table)}
    return {name: report.render_page(page) for name, page in pages.items()}


def _small_page(result):
    """Return a page with few figures, which takes less time."""
    few = {"sup_gap": gap_plots.sup_gap(result), "reconstructions": picture_plots.reconstructions(result)}
    return tracking_report.tracking_page(result, few)


@pytest.mark.parametrize("kind", ["images", "table"])
def test_the_report_is_well_formed_and_needs_nothing_else(kind, texts):
    text = texts[kind]
    page = _Page(text)
    assert len(text) < 2_500_000
    assert page.tags[0] == ("html", {"lang": "en"}) and text.startswith("<!DOCTYPE html>")
    assert not {"link", "iframe"} & {tag for tag, _ in page.tags}
    scripts = [attrs for tag, attrs in page.tags if tag == "script"]
    assert all(attrs["type"] == "application/json" for attrs in scripts[:-1]) and scripts[-1] == {}
    identifiers = page.values("id")
    assert len(set(identifiers)) == len(identifiers) > 100
    links = page.values("href", "src", "xlink:href")
    styles = " ".join([*page.texts["style"], *page.values("style", "clip-path", "fill", "filter", "mask")])
    assert "@import" not in styles
    for link in [*links, *re.findall(r"url\(([^)]*)\)", styles)]:
        assert link.removeprefix("#") in identifiers or link.startswith("data:image/png;base64,"), link[:80]


def test_mathematics_is_set_as_mathematics(texts):
    for text in texts.values():
        page = _Page(text)
        assert len(page.texts["math"]) > 20 and {attrs["xmlns"] for tag, attrs in page.tags if tag == "math"}
        words = " ".join([*page.texts["figcaption"], *page.texts["p"], *page.texts["li"], *page.texts["td"]])
        assert "$" not in words and "\\" not in words and "R_N" not in words and "N^" not in words
        assert "msup" in page.texts and "msub" in page.texts and "mfrac" in page.texts


def test_every_figure_tells_its_numbers_under_the_pointer(drawn, texts):
    """What a page holds is what the figures hold, at its place, to five digits."""
    held = dict(
        re.findall(r'data-save="(\w+)">(?:(?!<figure).)*?class="readings">(.*?)</script>', texts["images"], re.DOTALL)
    )
    assert set(held) == set(NAMES)
    for name, figure in drawn.items():
        shown = [one for one in _all(figure) if np.isfinite(one.y).any()]
        for told, one in zip(json.loads(held[name]), shown, strict=True):
            assert len(told["places"]) == np.isfinite(one.y).sum(), f"{name}: {one.name} is off its axes"
            for values, expected in zip(told["values"], one.values.values(), strict=True):
                if np.issubdtype(expected.dtype, np.number):
                    np.testing.assert_allclose(np.array(values, float), expected[np.isfinite(one.y)], rtol=1e-4)
            width, height = (72 * side for side in (figure.get_figwidth(), figure.get_figheight()))
            assert all(-1 <= x <= width + 1 and -1 <= y <= height + 1 for x, y in told["places"])


def test_readings_are_where_their_marks_are_drawn(drawn):
    plate = report.plate("sup_gap", drawn["sup_gap"], "Heading", "")
    marks = np.array(re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"', plate.svg), float)
    places = np.array([place for one in plate.readings for place in one["places"]])
    assert len(places) > 20 and len(plate.readings) == 9
    distances = np.abs(places[:, None] - marks).max(axis=-1).min(axis=1)
    assert distances.max() < 0.1


def test_colours_follow_the_page(images, texts):
    plate = report.plate("name", gap_plots.sup_gap(images), "Heading", "")
    styles = " ".join(re.findall(r'style="([^"]*)"', plate.svg))
    assert not re.search(r"(?<!, )#[0-9a-f]{6}", styles)  # only as the value by default of a variable
    assert "var(--card, #ffffff)" in styles and "var(--ink, #000000)" in styles
    css = texts["images"][: texts["images"].index("</style>")]
    dark = dict(re.findall(r"--c-([0-9a-f]{6}): (#[0-9a-f]{6});", css))
    for color in re.findall(r"var\(--c-([0-9a-f]{6})", styles):
        assert themes.contrast(dark.get(color, f"#{color}"), themes.DARK_CARD) > 4.5
    assert "08519c" in dark and themes.contrast("#08519c", themes.DARK_CARD) < 4.5


@pytest.mark.slow
def test_figures_say_what_they_show_whatever_their_form(table, texts, monkeypatch):
    monkeypatch.setattr(report, "LARGEST_SVG", 0)
    monkeypatch.setitem(canvas.DPI, "png", 20)
    said = {canvas.said(figure) for figure in (gap_plots.sup_gap(table), picture_plots.reconstructions(table))}
    for text, has_images in ((texts["table"], False), (report.render_page(_small_page(table)), True)):
        tags = _Page(text).tags
        figures = [attrs for tag, attrs in tags if attrs.get("role") == "img" or tag == "img"]
        assert {attrs.get("aria-label", attrs.get("alt")) for attrs in figures} == said
        assert any(tag == "img" for tag, _ in tags) == has_images


@pytest.mark.parametrize("kind", ["images", "table"])
def test_the_report_says_what_was_asked_answered_and_found(kind, request, texts):
    result = request.getfixturevalue(kind)
    text, page = texts[kind], _Page(texts[kind])
    plain = lambda words: re.sub(r"[\s_^`−-]", "", words)
    assert page.texts["h1"] == [tracking_report.QUESTION]
    assert [plain(words) for words in page.texts["li"]] == [plain(words) for words in result.verdicts()]
    assert text.index("<h1>") < text.index('class="answer"') < text.index("<figure") < text.index('id="findings"')
    assert text.index('id="findings"') < text.index("<details>")
    assert result.study.to_toml().strip() in [words.strip() for words in page.texts["pre"]]
    [footer] = page.texts["footer"]
    assert "isthmus track study.toml --out FOLDER" in footer and text.count("How it was made") == 1
    assert "Made by" not in text
    count = len(result.study.widths) * (1 + len(result.study.step_sizes))
    cells = [words for words in page.texts["td"] if not words.startswith("<")]
    assert len(cells) == count + len(tracking_report.EQUATIONS)
    flow = result.dataset.flow_gap_quantile.sel(level=result.level, width=8).values
    assert f"{flow[0]:.3g}" in " ".join(cells).replace("0 ", " ")


def test_the_report_takes_nothing_in_a_study_for_markup(table, texts, monkeypatch):
    hostile = "</li><script>alert('1')</script> 1 < 2 & \"3\""
    monkeypatch.setattr(TrackingResult, "verdicts", lambda self: [hostile])
    data = table.dataset.assign_attrs(machine=hostile, study=hostile)
    page = _Page(report.render_page(_small_page(TrackingResult(table.study, data))))
    assert page.texts["li"] == [hostile]
    assert hostile in page.texts["pre"]
    plain = _Page(texts["table"])
    assert [tag for tag, _ in page.tags].count("script") == [tag for tag, _ in plain.tags].count("script")
    assert page.texts["script"] == plain.texts["script"]


def test_what_a_figure_shows_ends_without_a_full_stop():
    """A page sets one behind it."""
    figure = canvas.new_figure(2, 2)
    figure.subplots()
    assert canvas.said(canvas.finished(figure, "The risk falls.")) == "The risk falls"
