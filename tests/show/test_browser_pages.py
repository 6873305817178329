"""Pages in a browser: what they show on every screen, in print and without scripts, and what is saved from them."""

import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from browsing import UNFOLD, attributes, luminance, press

from isthmus._words import number

pytestmark = pytest.mark.slow
PLACE = """(figure, [name, i]) => {
    const all = JSON.parse(figure.querySelector('.readings').textContent);
    const matrix = figure.querySelector('svg').getScreenCTM();
    const [x, y] = all.find(one => one.name === name).places[i];
    return [matrix.a * x + matrix.e, matrix.d * y + matrix.f];
}"""
"""Where on the screen a mark of a figure is."""


@pytest.mark.parametrize("name", ["images", "table", "both", "bare"])
def test_a_phone_scrolls_in_one_direction_only(name, visit):
    page = visit(name, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for figure in page.locator(".moving").all():
        box = figure.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390


@pytest.mark.parametrize("name", ["images", "both", "bare"])
def test_without_scripts_the_plain_figures_remain(name, visit):
    page = visit(name, java_script_enabled=False)
    plates = page.locator(".plate")
    assert plates.count() == (4 if name == "both" else 2)
    folded = page.locator("details:not([open]) > summary")
    while folded.count():
        folded.first.click()
    assert all(plate.is_visible() and plate.bounding_box()["height"] > 100 for plate in plates.all())
    assert page.locator(".animation:visible, .controls:visible, button:visible, input:visible").count() == 0
    assert page.locator(".findings").first.is_visible()


@pytest.mark.parametrize("media", ["screen", "print"])
def test_the_widest_tables_and_equations_are_seen_whole(media, visit):
    """On a laptop, and on paper of A4 with its margins."""
    page = visit("wide", viewport={"width": 1200 if media == "screen" else 680, "height": 800})
    page.emulate_media(media=media)
    page.evaluate(UNFOLD)
    hidden = "part => part.scrollWidth - part.clientWidth"
    parts = page.locator(".scroll, pre, .equations td").all()
    assert len(parts) >= 7 and max(part.evaluate(hidden) for part in parts) == 0


def test_paper_shows_everything_in_few_pages(visit):
    page = visit("whole", color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator(".theatre").is_hidden() and page.locator(".save").first.is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    printed = page.pdf(format="A4", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF") and 3 <= printed.count(b"/Type /Page\n") <= 6
    assert page.locator("details[open]").count() == 0  # and it is folded again


def test_the_question_its_answer_and_a_figure_are_seen_at_once(visit):
    for size, height in (((1366, 768), 768), ((390, 844), 844)):
        page = visit("whole", viewport=dict(zip(("width", "height"), size, strict=True)))
        for part in ("h1", ".answer", "[data-save=sup_gap] svg"):
            box = page.locator(part).first.bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= height, part
        assert page.locator("details .plate").first.is_hidden()


@pytest.mark.parametrize("touch", [False, True])
def test_values_are_read_out_under_the_pointer(touch, visit, results):
    page, data = visit("whole", has_touch=touch), results["images"].dataset
    page.evaluate(UNFOLD)
    for name, series, i, expected in (
        ("sup_gap", "gradient flow, predicted", 1, data.predicted_flow_gap_quantile.sel(level=0.5, width=8)),
        ("risk_curves", "mean field", 3, data.mean_field_risk[3]),
    ):
        figure = page.locator(f"figure[data-save={name}]")
        figure.scroll_into_view_if_needed()
        place = figure.evaluate(PLACE, [series, i])
        (page.touchscreen.tap if touch else page.mouse.move)(*place)
        told = figure.locator(".reading").inner_text()
        assert number(float(expected)) in told, told
    figure = page.locator("figure[data-save=sup_gap] .plate")
    figure.focus()
    page.keyboard.press("ArrowRight")
    first = figure.locator(".reading").inner_text()
    page.keyboard.press("ArrowRight")
    assert figure.locator(".reading").is_visible() and figure.locator(".reading").inner_text() != first
    page.keyboard.press("Escape")
    assert figure.locator(".reading").count() == 0 or figure.locator(".reading").is_hidden()


def test_numbers_are_written_as_in_sentences(visit):
    values = [0.002, -0.8571, 1234.5, 0.0, 9.996e-4, 1e-7, 3.2e8, 99.96, -12.0, 0.30000000000000004]
    page = visit("images")
    assert page.evaluate("values => values.map(value => number(value))", values) == [number(value) for value in values]


def test_figures_have_no_white_plates_on_a_dark_page(visit):
    page = visit("images", color_scheme="dark")
    fills = page.eval_on_selector_all(
        ".fold .plate svg path", "all => all.map(one => getComputedStyle(one).fill).filter(fill => fill !== 'none')"
    )
    assert len(fills) > 10 and max(luminance(fill) for fill in fills[:2]) < 0.1  # the paper and the panel


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_and_lines_stand_out_in_light_and_dark(scheme, visit):
    page = visit("images", color_scheme=scheme)
    color = lambda selector, name: page.eval_on_selector(selector, f"one => getComputedStyle(one).{name}")
    card = luminance(color("[data-figure=risk]", "backgroundColor"))
    assert (card < 0.1) == (scheme == "dark")
    drawn = [
        (".limit", "stroke"), (".predicted-edge", "stroke"), (".measured-median", "stroke"), (".now", "fill"),
        ("[data-figure=risk] text", "fill"), ("[data-figure=encoder] text:not(g text)", "fill"),
        ("[data-figure=risk] figcaption", "color"), (".readout dt", "color"), (".controls output", "color"),
    ]  # fmt: skip
    for selector, name in drawn:
        other = luminance(color(selector, name))
        contrast = (max(card, other) + 0.05) / (min(card, other) + 0.05)
        assert contrast > (3 if name == "stroke" else 4.5), (selector, contrast)


def test_a_figure_is_saved_for_white_paper_with_its_axes_named(visit):
    page = visit("images", color_scheme="dark")
    page.evaluate(UNFOLD)
    press(page, "Home")
    for figure in ("animation-risk", "animation-difference", "animation-latents", "animation-pictures", "risk_curves"):
        for kind in ("svg", "png"):
            with page.expect_download() as waiting:
                page.click(f"[aria-label='Save {figure} as {kind.upper()}']")
            assert waiting.value.suggested_filename == f"{figure}.{kind}"
            content = Path(waiting.value.path()).read_bytes()
            if kind == "png":
                assert content.startswith(b"\x89PNG") and len(content) > 3000
                continue
            root = ElementTree.fromstring(content)
            assert root.tag == "{http://www.w3.org/2000/svg}svg" and b"var(--" not in content
            papers = [one for one in root.iter() if "#ffffff" in (one.get("fill", "") + one.get("style", ""))]
            assert papers and ElementTree.tostring(root).count(b"rgb(31, 34, 38)") == 0  # the dark card
            if figure in ("animation-risk", "animation-difference"):
                words = " ".join(text.text or "" for text in root.findall(".//{*}text"))
                assert "time t" in words and ("risk − R(t)" if "diff" in figure else "risk ½E‖x − x̂‖²") in words
                ink = [text.get("fill") for text in root.findall(".//{*}text")]
                assert all(luminance(color) < 0.2 for color in ink if color.startswith("rgb"))
            if figure == "animation-latents":
                circles = root.findall(".//{*}circle")
                assert len(circles) == 20 and all(one.get("fill", "").startswith("rgb") for one in circles)
                shown = attributes(page, "[data-figure=latents] circle", "cx", "cy")
                saved = np.array([[float(one.get(name)) for name in ("cx", "cy")] for one in circles])
                np.testing.assert_array_equal(saved, shown)


def test_headings_go_down_step_by_step(visit):
    levels = visit("both").eval_on_selector_all("h1,h2,h3,h4", "all => all.map(one => Number(one.tagName[1]))")
    assert levels[0] == 1 and all(after <= before + 1 for before, after in pairwise(levels))
