"""Figures and reports: there for every kind of study, true to its numbers, self-contained, and the same when redone."""

import html.parser
import re

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.container import ErrorbarContainer

import isthmus as im
from isthmus.show import canvas, plots, report, tracking_report
from isthmus.studies.tracking_result import TrackingResult

NAMES = ["risk_curves", "sup_gap", "step_gap", "latents", "reconstructions", "sources", "influence"]
VOID = {"meta", "img", "br", "link", "hr", "input"}


def _page(result):
    return report.render_page(tracking_report.tracking_page(result, plots.figures(result)))


@pytest.fixture(scope="module")
def images():
    """Images, labels, two widths in no order, two step sizes, k = 2."""
    study = im.TrackingStudy(
        data={"source": "digits", "max_points": 20},
        widths=[8, 4],
        step_sizes=[0.5, 0.25],
        horizon=1.0,
        records=4,
        runs=3,
        flow_runs=2,
        batch_size=2,
        particles=16,
        replicates=2,
        rtol=1e-2,
        flow_rtol=1e-2,
        law_particles=16,
        law_samples=2,
    )
    return im.track(study)


@pytest.fixture(scope="module")
def table(images):
    """The same as a table, for a single width and step size, k = 1: nothing has a rate."""
    study = im.TrackingStudy(**images.study.model_dump() | {"widths": [8], "step_sizes": [0.5]})
    names = ["N = 8", "mean field"]
    kept = {"width": [8], "step_size": [0.5], "network": names, "reconstruction": ["original", "PCA", *names]}
    data = images.dataset.sel(kept)
    rates = {name: xr.full_like(data[name], np.nan) for name in ("width_rate", "flow_width_rate", "step_rate")}
    data = data.isel(axis=[0]).assign(rates).assign_attrs(image_shape=[], study=study.to_toml())
    return TrackingResult(study, data)


@pytest.fixture(scope="module")
def unlabelled(images):
    """The same without labels, k = 3."""
    latent = xr.concat([images.dataset.latent, images.dataset.latent.isel(axis=[0])], "axis")
    return TrackingResult(images.study, images.dataset.drop_vars(["latent", "label"]).assign(latent=latent))


@pytest.mark.parametrize(
    "kind", ["unlabelled", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("images", "table"))]
)
def test_every_figure_is_drawn_and_no_title_is_cut(kind, request):
    result = request.getfixturevalue(kind)
    drawn = plots.figures(result)
    assert list(drawn) == NAMES
    for name, figure in drawn.items():
        assert figure.axes and figure.get_suptitle()
        for text in [*figure.texts, *(label for axes in figure.axes for label in (axes.title, axes.xaxis.label))]:
            box = text.get_window_extent()
            assert box.width < 2 or (box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1), (
                f"{name}: '{text.get_text()}' is cut"
            )
        assert canvas.rendered(figure, name, "png").startswith(b"\x89PNG")


def test_risk_curves_hold_the_medians_of_the_runs_and_the_limit(images):
    data = images.dataset
    figure = plots.risk_curves(images)
    upper, lower = figure.axes[:2], figure.axes[2:]
    assert [axes.get_title() for axes in upper] == ["N = 4", "N = 8"]
    for width, above, below in zip((4, 8), upper, lower, strict=True):
        risk, limit = data.risk.sel(width=width, step_size=0.25).values, data.mean_field_risk.values
        drawn = [np.asarray(line.get_ydata(), float) for line in above.get_lines()]
        for line, expected in zip(drawn, (np.median(risk, axis=0), limit, data.attrs["pca_risk"]), strict=True):
            np.testing.assert_allclose(line, expected)
        difference = np.asarray(below.get_lines()[0].get_ydata(), float)
        np.testing.assert_allclose(difference, np.median(risk - limit, axis=0))


@pytest.mark.parametrize("figure", ["sup_gap", "step_gap"])
def test_gaps_stand_with_their_quantiles_and_a_line_of_the_fitted_rate(images, figure):
    data, level = images.dataset, images.study.confidence
    if figure == "sup_gap":
        axes, rates = plots.sup_gap(images).axes[0], [images.estimate("flow_width_rate", level=level)]
        expected = [data.flow_gap_quantile.sel(level=level, width=[4, 8])]
        for step_size in (0.25, 0.5):
            expected.append(data.gap_quantile.sel(level=level, step_size=step_size, width=[4, 8]))
            rates.append(images.estimate("width_rate", level=level, step_size=step_size))
    else:
        axes = plots.step_gap(images).axes[0]
        expected = [data.step_gap_quantile.sel(level=level, width=n, step_size=[0.25, 0.5]) for n in (4, 8)]
        rates = [images.estimate("step_rate", level=level, width=n) for n in (4, 8)]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert len(axes.containers) == len(expected)
    for bars, quantile in zip(axes.containers, expected, strict=True):
        assert isinstance(bars, ErrorbarContainer)
        points, _, (intervals,) = bars.lines
        np.testing.assert_allclose(np.asarray(points.get_ydata(), float), quantile.sel(bound="estimate"))
        ends = np.array([np.asarray(segment)[:, 1] for segment in intervals.get_segments()])
        np.testing.assert_allclose(ends, quantile.sel(bound=["lower", "upper"]).values)
    lines = [line for line in axes.get_lines() if line.get_linestyle() == "-" and line.get_marker() == "None"]
    slopes = [np.divide(*np.diff(np.log(np.asarray(line.get_xydata())[[0, -1], ::-1]), axis=0)[0]) for line in lines]
    np.testing.assert_allclose(slopes[:-1], [rate.value for rate in rates])
    assert slopes[-1] == pytest.approx(-0.5 if figure == "sup_gap" else 0.5)


def test_a_single_width_or_step_size_has_no_line(table):
    for figure in (plots.sup_gap(table), plots.step_gap(table)):
        drawn = [line for line in figure.axes[0].get_lines() if line.get_linestyle() != "None"]
        assert all(len(line.get_xdata()) == 1 for line in drawn)  # the ring of a prediction, with no line to draw
        assert "power" not in figure.get_suptitle()


def test_latents_are_a_grid_of_networks_and_times(images, table, unlabelled):
    data, figure = images.dataset, plots.latents(images)
    times = len(data.snapshot_time)
    clouds = [axes.collections[0] for axes in figure.axes[: 3 * times]]
    assert [figure.axes[i * times].get_ylabel() for i in range(3)] == ["N = 4", "N = 8", "mean field"]
    for cloud, network, time in ((clouds[0], "N = 4", 0), (clouds[-1], "mean field", -1)):
        expected = data.latent.sel(network=network).isel(snapshot_time=time)
        np.testing.assert_allclose(np.asarray(cloud.get_offsets()), expected)
    assert figure.axes[-1].get_ylabel() == "label"
    assert len(plots.latents(table).axes) == 2 * times + 1
    assert len(plots.latents(unlabelled).axes) == 3 * times
    assert "first two of 3 axes" in plots.latents(unlabelled).get_suptitle()


def test_many_or_worded_labels_are_coloured_too(images):
    count = images.dataset.sizes["point"]
    words = np.array(["odd", "even"], dtype=object)[np.arange(count) % 2]
    for labels in (words, np.linspace(0, 1, count)):
        changed = images.dataset.assign(label=("point", labels))
        key = plots.latents(TrackingResult(images.study, changed)).axes[-1]
        shown = [label.get_text() for label in key.get_yticklabels()]
        assert (shown == ["even", "odd"]) == (labels is words)


def test_images_are_drawn_as_images_and_tables_as_lines(images, table):
    (axes,) = plots.reconstructions(images).axes
    names = ["original", "PCA", "N = 4", "N = 8", "mean field"]
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    mosaic = np.asarray(axes.get_images()[0].get_array())
    pictures = images.dataset.picture.isel(example=1)
    scaled = (pictures - pictures.min()) / (pictures.max() - pictures.min())
    for row, name in enumerate(names):
        tile = mosaic[9 * row : 9 * row + 8, 9:17]
        np.testing.assert_allclose(tile.ravel(), scaled.sel(reconstruction=name))
    panels = plots.reconstructions(table).axes
    assert len(panels) == table.dataset.sizes["example"]
    assert all(len(panel.get_lines()) == 4 and not panel.get_images() for panel in panels)


@pytest.mark.slow
def test_settings_of_others_are_neither_changed_nor_used(table, tmp_path):
    before = dict(matplotlib.rcParams)
    plain = plots.save_figures(plots.figures(table), tmp_path / "plain")
    tracking_report.write_report(table, plots.figures(table), tmp_path / "plain.html")
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "svg.fonttype": "none"}):
        again = plots.save_figures(plots.figures(table), tmp_path / "again")
        tracking_report.write_report(table, plots.figures(table), tmp_path / "again.html")
    assert [path.name for path in plain] == [f"{name}.{kind}" for name in NAMES for kind in ("png", "svg")]
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
def texts(images, table):
    return {"images": _page(images), "table": _page(table)}


@pytest.mark.parametrize("kind", ["images", "table"])
def test_the_report_is_well_formed_and_needs_nothing_else(kind, texts):
    text = texts[kind]
    page = _Page(text)
    assert len(text) < 2_500_000
    assert page.tags[0] == ("html", {"lang": "en"}) and text.startswith("<!DOCTYPE html>")
    assert not {"link", "iframe"} & {tag for tag, _ in page.tags}
    assert [attrs for tag, attrs in page.tags if tag == "script"] == [{"type": "application/json"}, {}]
    identifiers = page.values("id")
    assert len(set(identifiers)) == len(identifiers) > 100
    links = page.values("href", "src", "xlink:href")
    styles = " ".join([*page.texts["style"], *page.values("style", "clip-path", "fill", "filter", "mask")])
    assert "@import" not in styles
    for link in [*links, *re.findall(r"url\(([^)]*)\)", styles)]:
        assert link.removeprefix("#") in identifiers or link.startswith("data:image/png;base64,"), link[:80]


@pytest.mark.slow
def test_figures_in_the_report_have_their_titles_as_text_whatever_their_form(table, texts, monkeypatch):
    monkeypatch.setattr(report, "LARGE", 0)
    titles = [figure.get_suptitle().replace("\n", " ") for figure in plots.figures(table).values()]
    for text, has_images in ((texts["table"], False), (_page(table), True)):
        tags = _Page(text).tags
        figures = [attrs for tag, attrs in tags if attrs.get("role") == "img" or tag == "img"]
        assert [attrs.get("aria-label", attrs.get("alt")) for attrs in figures] == titles
        assert any(tag == "img" for tag, _ in tags) == has_images


@pytest.mark.parametrize("kind", ["images", "table"])
def test_the_report_says_what_was_found_and_asked(kind, request, texts):
    result = request.getfixturevalue(kind)
    page = _Page(texts[kind])
    assert page.texts["li"] == result.verdicts()
    assert result.study.to_toml().strip() in [text.strip() for text in page.texts["pre"]]
    assert "isthmus track study.toml --out FOLDER" in page.texts["pre"]
    estimates = [
        result.estimate("gap_quantile", level=result.study.confidence, width=width, step_size=step_size)
        for width in result.study.widths
        for step_size in result.study.step_sizes
    ]
    cells = [f"{e.value:.3g} {e.lower:.3g} to {e.upper:.3g}" for e in estimates]
    assert set(cells) <= set(page.texts["td"])
    assert len(page.texts["td"]) == len(result.study.widths) * (1 + len(result.study.step_sizes))


def test_the_report_takes_nothing_in_a_study_for_markup(table, texts, monkeypatch):
    hostile = "</li><script>alert('1')</script> 1 < 2 & \"3\""
    monkeypatch.setattr(TrackingResult, "verdicts", lambda self: [hostile])
    data = table.dataset.assign_attrs(machine=hostile, study=hostile)
    page = _Page(_page(TrackingResult(table.study, data)))
    assert page.texts["li"] == [hostile]
    assert hostile in page.texts["pre"]
    plain = _Page(texts["table"])
    assert [tag for tag, _ in page.tags].count("script") == [tag for tag, _ in plain.tags].count("script")
    assert page.texts["script"] == plain.texts["script"]
