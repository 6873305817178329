"""Pages in a browser, with playwright and a Chromium: `pytest -m slow -n 0 tests/show/test_browser.py`."""

import shutil
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from invented import invented

from isthmus._words import number
from isthmus.show import comparison, gap_plots, pages, tracking_plots, tracking_report
from isthmus.show.report import Section, Table, render_page
from isthmus.studies.tracking_result import TrackingResult

pytestmark = pytest.mark.slow
FIGURES = ("risk", "difference", "latents", "pictures", "encoder", "decoder")
SETTLED = 500
"""Milliseconds after which nothing moves any more."""
UNFOLD = "document.querySelectorAll('details').forEach(one => { one.open = true; })"
PLACE = """(figure, [name, i]) => {
    const all = JSON.parse(figure.querySelector('.readings').textContent);
    const matrix = figure.querySelector('svg').getScreenCTM();
    const [x, y] = all.find(one => one.name === name).places[i];
    return [matrix.a * x + matrix.e, matrix.d * y + matrix.f];
}"""
"""Where on the screen a mark of a figure is."""


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; without one these tests fail, since nothing else tells whether a page works."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.fail("These tests need a Chromium on the PATH: apt-get install chromium.")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        pytest.fail("These tests need playwright: pip install 'isthmus[browser]'.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def results():
    return {"images": invented(0), "table": invented(1, images=False, latent_dim=1, horizon=8.0)}


@pytest.fixture(scope="module")
def written(results, tmp_path_factory):
    """Pages by name: all figures, images, a table, both, one without an animation, and one with a wide table."""
    folder = tmp_path_factory.mktemp("pages")
    few = pages.Shown((gap_plots.sup_gap, tracking_plots.risk_curves), tracking_report.tracking_page)
    texts = {"whole": render_page(pages.result_page(results["images"]))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(pages.PAGES, TrackingResult, few)
        texts |= {name: render_page(pages.result_page(one)) for name, one in results.items()}
        page = pages.result_page(invented(0, scene=False))
        texts["both"] = comparison.render_comparison(comparison.compare(list(results.values()), list(results)))
    texts["bare"] = render_page(page)
    rows = [(k, [("0.09664", "0.0906 to 0.103")] * 5) for k in range(1, 7)]
    table = Table("The curve", "Six columns.", ["k", *["PCA, in training"] * 5], rows)
    texts["wide"] = render_page(page._replace(sections=[Section("Numbers", tables=[table])]))
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def visit(browser, written):
    """Open a page by name; at the end nothing may have been complained of, and nothing asked for but the page."""
    contexts, complaints, asked = [], [], []

    def opened(name: str, **options):
        context = browser.new_context(**{"viewport": {"width": 1366, "height": 768}} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        address = (written / f"{name}.html").as_uri()
        page.goto(address)
        page.wait_for_timeout(SETTLED)
        opened.addresses.append(address)
        return page

    opened.addresses = []
    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == opened.addresses


def drawings(page, animation: str = "animation") -> dict[str, str]:
    """Return what is drawn in each figure of an animation."""
    inside = "figure => figure.querySelector('.drawing').innerHTML"
    return {name: page.eval_on_selector(f"#{animation} [data-figure={name}]", inside) for name in FIGURES}


def press(page, *keys: str) -> None:
    page.focus("input[type=range]")
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_timeout(SETTLED)


def attributes(page, selector: str, *names: str) -> np.ndarray:
    script = "(all, names) => all.map(one => names.map(name => Number(one.getAttribute(name))))"
    return np.array(page.eval_on_selector_all(selector, script, names))


def assert_affine(drawn: np.ndarray, values: np.ndarray) -> None:
    """Places on the page are the numbers, moved and scaled, to a tenth of a pixel."""
    slope, offset = np.polyfit(values, drawn, 1)
    np.testing.assert_allclose(slope * values + offset, drawn, atol=0.15)
    assert abs(slope) > 5


@pytest.mark.parametrize("name", ["images", "table"])
def test_the_slider_moves_every_figure_to_the_numbers_of_its_time(name, visit, results):
    page, data = visit(name), results[name].dataset
    end = drawings(page)
    press(page, "Home")
    start = drawings(page)
    press(page, "ArrowRight", "ArrowRight", "ArrowRight")
    later = drawings(page)
    for figure in FIGURES:
        assert len({end[figure], start[figure], later[figure]}) == 3, f"{figure} stands still"
    time = float(data.scene_time[3])
    assert page.inner_text("output") == f"t = {time:.3g}"
    assert page.get_attribute("input[type=range]", "aria-valuetext") == f"t = {time:.3g}"
    assert number(float(data.mean_field_risk.sel(time=time)), 4) in page.inner_text(".readout div:first-child")
    for network, panel in (("N = 8", 0), ("mean field", 1)):
        for figure, variable in (("encoder", "scene_encoder"), ("latents", "scene_latent")):
            values = data[variable].sel(network=network, scene_time=time).values
            values = values[np.isfinite(values[:, 0])]
            dots = f"[data-figure={figure}] .dots >> nth={panel} >> circle"
            drawn = np.array(
                page.locator(dots).evaluate_all(
                    "all => all.filter(one => one.getAttribute('visibility') !== 'hidden')"
                    ".map(one => ['cx', 'cy'].map(name => Number(one.getAttribute(name))))"
                )
            )
            assert len(drawn) == len(values)
            assert_affine(drawn[:, 0], values[:, 0])
            if values.shape[1] > 1:
                assert_affine(-drawn[:, 1], values[:, 1])
    cursors = attributes(page, ".cursor", "x1")
    press(page, "End")
    assert np.all(attributes(page, ".cursor", "x1") > cursors)


def test_places_between_frames_are_passed_unless_motion_is_unwanted(visit):
    seen = """async () => {
        const cursor = () => document.querySelector('.cursor').getAttribute('x1'), places = new Set();
        const slider = document.querySelector('input[type=range]');
        slider.value = 0;
        slider.dispatchEvent(new Event('input'));
        const start = performance.now();
        while (performance.now() - start < 800) {
            await new Promise(requestAnimationFrame);
            places.add(cursor());
        }
        return places.size;
    }"""
    assert visit("images").evaluate(seen) > 3
    assert visit("images", reduced_motion="reduce").evaluate(seen) <= 2


def test_switches_show_and_hide_the_bands(visit):
    page = visit("images")
    count = lambda kind: page.locator(kind).count()
    assert (count(".measured-band"), count(".measured-median"), count(".predicted-edge")) == (2, 2, 4)
    page.uncheck("input[name=predicted]")
    assert (count(".measured-band"), count(".predicted-edge")) == (2, 0)
    page.uncheck("input[name=measured]")
    assert (count(".measured-band"), count(".measured-median"), count(".limit")) == (0, 0, 2)
    page.check("input[name=predicted]")
    assert (count(".measured-band"), count(".predicted-edge")) == (0, 4)


def test_another_width_or_step_size_is_drawn_when_chosen(visit, results):
    page = visit("images")
    before = drawings(page)
    page.select_option("select[name=step]", label="0.5")
    steps = drawings(page)
    assert steps["risk"] != before["risk"] and steps["encoder"] == before["encoder"]
    page.select_option("select[name=network]", label="N = 4")
    assert all(text != steps[name] for name, text in drawings(page).items())
    assert "N = 4, measured" in page.inner_text(".readout")
    median = float(results["images"].dataset.risk.sel(width=4, step_size=0.5).isel(time=-1).median())
    assert number(median, 4) in page.inner_text(".readout")


def test_play_runs_to_the_end_and_can_be_stopped(visit):
    page = visit("images")
    place = lambda: int(page.input_value("input[type=range]"))
    last = place()
    page.click(".play")
    assert page.inner_text(".play") == "Pause" and place() == 0
    page.wait_for_timeout(1600)
    assert 0 < place() < last
    page.click(".play")
    stopped = place()
    page.wait_for_timeout(900)
    assert place() == stopped and page.inner_text(".play") == "Play"
    page.click(".play")
    for _ in range(40):
        page.wait_for_timeout(500)
        if place() == last:
            break
    assert place() == last
    assert page.inner_text(".play") == "Play"


def test_the_controls_stay_in_sight_beside_every_figure(visit):
    page = visit("images", viewport={"width": 390, "height": 844})
    for figure in FIGURES:
        page.locator(f"[data-figure={figure}] .drawing").scroll_into_view_if_needed()
        box = page.locator(".controls").bounding_box()
        assert 0 <= box["y"] < 400, figure


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


def test_the_moving_figures_read_out_too(visit, results):
    page = visit("images")
    holder = page.locator("[data-figure=risk] .drawing")
    holder.scroll_into_view_if_needed()
    box = holder.locator(".now").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    end = float(results["images"].dataset.mean_field_risk[-1])
    assert number(end) in holder.locator(".reading").inner_text()


def test_figures_have_no_white_plates_on_a_dark_page(visit):
    page = visit("images", color_scheme="dark")
    fills = page.eval_on_selector_all(
        ".fold .plate svg path", "all => all.map(one => getComputedStyle(one).fill).filter(fill => fill !== 'none')"
    )
    assert len(fills) > 10 and max(luminance(fill) for fill in fills[:2]) < 0.1  # the paper and the panel


def luminance(color: str) -> float:
    """Return the relative luminance of a CSS colour (WCAG 2)."""
    parts = np.array([float(part) for part in color[color.index("(") + 1 : -1].split(",")][:3]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


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


def test_one_slider_moves_both_studies(visit, results):
    page = visit("both")
    assert page.locator("input[type=range]").count() == 1
    stops = sorted(set().union(*(one.dataset.scene_time.values.tolist() for one in results.values())))
    assert int(page.get_attribute("input[type=range]", "max")) == len(stops) - 1
    press(page, "Home")
    before = {side: drawings(page, f"animation-{side}") for side in "AB"}
    frames = {side: one.dataset.scene_time.values for side, one in zip("AB", results.values(), strict=True)}
    press(page, *["ArrowRight"] * 4)
    for side, times in frames.items():
        own = times[times <= stops[4]].max()
        assert f"mean field, t = {own:.3g}" in page.inner_text(f"#animation-{side} .readout")
        assert all(text != before[side][name] for name, text in drawings(page, f"animation-{side}").items())
    press(page, "End")  # the shorter study stays at its end
    assert "mean field, t = 4\n" in page.inner_text("#animation-A .readout")
    assert "mean field, t = 8\n" in page.inner_text("#animation-B .readout")
    boxes = [page.locator(f"#animation-{side}").bounding_box() for side in "AB"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"] and boxes[0]["y"] == boxes[1]["y"]


def test_headings_go_down_step_by_step(visit):
    levels = visit("both").eval_on_selector_all("h1,h2,h3,h4", "all => all.map(one => Number(one.tagName[1]))")
    assert levels[0] == 1 and all(after <= before + 1 for before, after in pairwise(levels))
