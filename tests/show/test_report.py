"""Reports: well formed, whole without anything else, true to the figures, in words that say what was found."""

import html.parser
import json
import re

import numpy as np
import pytest
from invented import NAMES

from isthmus.show import (
    canvas,
    gap_plots,
    pages,
    picture_plots,
    report,
    themes,
    tracking_report,
)
from isthmus.show.readings import series_of
from isthmus.studies.tracking_result import TrackingResult

VOID = {"meta", "img", "br", "link", "hr", "input"}


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
        shown = [one for axes in figure.axes for one in series_of(axes) if np.isfinite(one.y).any()]
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
