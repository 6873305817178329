"""What moves on a page, in a browser: the slider, what it takes along, switches and choices."""

import numpy as np
import pytest
from browsing import FIGURES, attributes, drawings, press

from isthmus._words import number

pytestmark = pytest.mark.slow


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


def test_the_moving_figures_read_out_too(visit, results):
    page = visit("images")
    holder = page.locator("[data-figure=risk] .drawing")
    holder.scroll_into_view_if_needed()
    box = holder.locator(".now").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    end = float(results["images"].dataset.mean_field_risk[-1])
    assert number(end) in holder.locator(".reading").inner_text()


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
