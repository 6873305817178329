"""The moving part of a report, and two studies side by side: true to the numbers, safe, or left out."""

import json
import re

import numpy as np
import pytest
from commands import refused, run
from invented import invented

import isthmus as im
from isthmus._words import number
from isthmus.show import (
    animation,
    animation_data,
    canvas,
    comparison,
    gap_plots,
    labels,
    pages,
    picture_plots,
    readings,
    tracking_report,
)
from isthmus.show.mathematics import caption, sentence
from isthmus.show.report import render_page
from isthmus.studies.bottleneck_result import BottleneckResult
from isthmus.studies.store import save_result
from isthmus.studies.tracking_result import TrackingResult

ANIMATIONS = re.compile(r'<script type="application/json">(.*?)</script>', re.DOTALL)
KINDS = [(True, 2), (False, 2), (True, 1), (False, 3)]


def _page(result):
    """Return a page with a single figure, an empty one, which takes less time."""
    return tracking_report.tracking_page(result, {"sup_gap": _empty("sup_gap")(result)})


def _empty(name):
    """Return what draws an empty figure of a name."""

    def draw(result):
        figure = canvas.new_figure(2, 2)
        figure.subplots()
        return canvas.finished(figure, "Empty")

    draw.__name__ = name
    return draw


@pytest.fixture
def one_figure(monkeypatch):
    """Pages with two empty figures."""
    few = pages.Shown([_empty("sup_gap"), _empty("risk_curves")], tracking_report.tracking_page)
    monkeypatch.setitem(pages.PAGES, TrackingResult, few)


@pytest.mark.parametrize(("images", "latent_dim"), KINDS)
def test_the_animation_of_a_page_shows_the_dataset(images, latent_dim):
    result = invented(images=images, latent_dim=latent_dim)
    data, text = result.dataset, render_page(_page(result))
    [found] = ANIMATIONS.findall(text)
    moving = json.loads(found)
    names = ["N = 4", "N = 8", "mean field"]
    assert [network["name"] for network in moving["networks"]] == names
    np.testing.assert_allclose(np.array(moving["times"])[moving["frames"]], data.scene_time)
    ordered = data.sel(width=[4, 8], step_size=[0.25, 0.5], network=names)
    risk = moving["risk"]
    low, middle, high = np.moveaxis(risk["measured"], 2, 0)
    np.testing.assert_allclose(middle, ordered.risk.median("run"), rtol=1e-5)
    np.testing.assert_allclose(low, ordered.risk.quantile(0.05, "run"), rtol=1e-5)
    np.testing.assert_allclose(high, ordered.risk.quantile(0.95, "run"), rtol=1e-5)
    np.testing.assert_allclose(risk["limit"], data.mean_field_risk, rtol=1e-5)
    assert risk["pca"] == 0.5
    half = np.diff(np.array(risk["predicted"])[:, :, [0, 2]], axis=2)[:, :, 0] / 2
    np.testing.assert_allclose(half, 1.645 * ordered.predicted_std, rtol=1e-4)
    for key, values in (("encoder", ordered.scene_encoder), ("decoder", ordered.scene_decoder)):
        cloud = moving[key]["places"]
        np.testing.assert_allclose(animation_data.unpacked(cloud), values, atol=cloud["unit"])
    latents = animation_data.unpacked(moving["latents"]["places"])
    shown = min(latent_dim, 2)
    np.testing.assert_allclose(latents[..., :shown], ordered.scene_latent[..., :shown], atol=1e-3)
    codes = data.label.values[:10]
    assert [moving["latents"]["colors"][i] for i in range(10)] == [labels.CATEGORIES[code].lower() for code in codes]
    assert moving["latents"]["key"] == [[str(code), labels.CATEGORIES[code].lower()] for code in range(3)]
    if latent_dim == 1:  # spread out by label, and nothing moves upwards
        assert np.all(np.abs(latents[..., 1] - codes) <= 0.36) and np.ptp(latents[..., 1], axis=(0, 1)).max() == 0


@pytest.mark.parametrize("images", [True, False])
def test_pictures_are_scaled_and_their_errors_are_mean_squares(images):
    result = invented(images=images)
    data, pictures = result.dataset, animation_data.animation_data(result)["pictures"]
    assert pictures["shape"] == ([4, 3] if images else [])
    names = ["N = 4", "N = 8", "mean field"]
    original, pca = data.picture.sel(reconstruction=["original", "PCA"]).values
    moving = data.scene_picture.sel(network=names).values
    if images:
        low, span = original.min(axis=1)[:, None], np.ptp(original, axis=1)[:, None]
        unit = 1.0
    else:
        low, span = original.min(axis=0), np.ptp(original, axis=0)
        unit = span
    np.testing.assert_allclose(animation_data.unpacked(pictures["moving"]), (moving - low) / span, atol=1e-3)
    np.testing.assert_allclose(animation_data.unpacked(pictures["fixed"])[0], (original - low) / span, atol=1e-3)
    errors = (((moving - original) / unit) ** 2).mean(axis=(2, 3))
    np.testing.assert_allclose(pictures["errors"], errors, rtol=1e-5)
    np.testing.assert_allclose(pictures["pcaError"], (((pca - original) / unit) ** 2).mean(), rtol=1e-5)


def _named(result, names):
    return TrackingResult(result.study, result.dataset.assign_coords(feature=names))


def test_features_are_called_by_their_names():
    """In the plain figure and in the moving one; results of earlier releases have no names, and images show none."""
    bare, images = invented(images=False), invented()
    count = bare.dataset.sizes["feature"]
    names = ["x [$] of $5", "an uncommonly long name", *(f"größe_{place}^2" for place in range(2, count))]
    shown = ["x [$] of $5", "an uncommonly l…", *names[2:]]
    assert animation_data.animation_data(_named(bare, names))["pictures"]["features"] == shown
    for result in (bare, _named(images, [f"pixel {place}" for place in range(12)])):
        assert animation_data.animation_data(result)["pictures"]["features"] == []
    lowest = picture_plots.reconstructions(_named(bare, names)).axes[-1]
    assert [label.get_text() for label in lowest.get_xticklabels()] == shown
    assert picture_plots.reconstructions(bare).axes[-1].get_xlabel() == "feature"


def test_every_so_many_of_many_names_are_shown():
    axes = canvas.new_figure(2, 2).subplots()
    canvas.feature_axis(axes, [f"x{place}" for place in range(50)])
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == [f"x{place}" for place in range(0, 50, 4)] and axes.get_xticks().tolist() == list(range(1, 51, 4))


def test_a_report_says_how_a_file_is_scaled_and_not_where_it_lies():
    result = invented(images=False)
    study = im.TrackingStudy(**result.study.model_dump() | {"data": {"source": "/some/where/iris.csv"}})
    data = result.dataset.assign_attrs(study=study.to_toml())
    page = _page(TrackingResult(study, data))
    assert "tracking study, iris.csv, scaled by feature, N = " in page.title and "/some" not in page.title


def test_packed_numbers_come_back_within_half_a_unit():
    values = np.random.default_rng(0).standard_normal((3, 4))
    values[1, 2] = np.nan
    array = animation_data.packed(values)
    back = animation_data.unpacked(array)
    assert np.isnan(back[1, 2]) and np.nanmax(np.abs(back - values)) <= 0.5000001 * array["unit"]
    assert not animation_data.unpacked(animation_data.packed(np.zeros((2, 2)))).any()


def test_results_without_an_animation_have_a_page_without_one():
    result = invented(scene=False)
    assert animation.tracking_animation(result) is None and animation_data.animation_data(result) is None
    text = render_page(_page(result))
    assert 'class="animation"' not in text and 'class="controls"' not in text and "Findings" in text


def test_results_without_a_predicted_law_have_no_switch_for_it():
    result = invented()
    result = TrackingResult(result.study, result.dataset.drop_vars(["predicted_mean", "predicted_std"]))
    text = render_page(_page(result))
    assert 'name="measured"' in text and 'name="predicted"' not in text
    assert json.loads(ANIMATIONS.findall(text)[0])["risk"]["predicted"] is None


def test_many_labels_have_the_ends_of_their_scale_for_a_key():
    result = invented()
    data = result.dataset.assign(label=("point", np.linspace(2.0, 5.0, 12)))
    moving = animation_data.animation_data(TrackingResult(result.study, data))
    assert moving["latents"]["key"] == [("2.0", "#440154"), ("5.0", "#fde725")]
    assert moving["latents"]["colors"][0] == "#440154" and len(set(moving["latents"]["colors"])) == 10
    bare = animation_data.animation_data(TrackingResult(result.study, result.dataset.drop_vars("label")))
    assert bare["latents"]["key"] == [] and bare["latents"]["colors"] == []


def test_json_can_not_end_its_element():
    hostile = "</script><script>alert(1)</script><!-- & "
    text = readings.json_element({"name": hostile})
    assert not set("<>&") & set(text) and json.loads(text) == {"name": hostile}


def test_words_are_set_as_mathematics_and_code():
    text = sentence("The gap |R_N(t) − R(0)| falls as N^−0.86 & ε^1/2; `--runs 64` of a_b_c, x_y.csv and <b>")
    assert str(text).count("<math") == 4 and "N^" not in text and "R_N" not in text
    assert "<code>--runs 64</code> of a_b_c, x_y.csv and &lt;b&gt;" in text and "&amp; <math" in text
    assert "<mn>0.86</mn></mrow></msup>" in text
    text = caption(r"At $t \geq t_1$ and R(t), <b> costs $5")
    assert str(text).count("<math") == 2 and "&lt;b&gt; costs $5" in text
    assert "<script>" not in caption(r"$\text{<script>alert(1)</script>}$")


def test_a_page_forbids_every_request():
    text = render_page(_page(invented()))
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in text
    head = text[: text.index("<style>")]
    assert "Content-Security-Policy" in head
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|sendBeacon|import)\s*\(", text)


def test_what_differs_between_two_studies_is_said(one_figure):
    first, second = invented(0), invented(1, widths=(8, 16))
    said = comparison.compare([first, second], ["one", "two"])
    rows = {key: [cell for cell, _ in cells] for key, cells in said.tables[0].rows}
    assert (
        rows == {"widths": ["8, 4", "8, 16"], "seed": ["0", "1"]} and said.tables[0].heading == "Settings that differ"
    )
    assert said.findings[-1] == "2 settings differ: widths and seed."
    names = ["N = 8, gradient flow", "N = 8, SGD at ε = 0.25", "N = 8, SGD at ε = 0.5"]
    gaps = dict(said.tables[1].rows)
    assert list(gaps) == names
    values = [result.dataset.gap_quantile.sel(level=0.5, width=8, step_size=0.5).values for result in (first, second)]
    ratio = values[1][0] / values[0][0]
    assert [cell for cell, _ in gaps[names[2]]] == [number(values[0][0]), number(values[1][0]), number(ratio)]
    ratios = [float(cells[2][0]) for cells in gaps.values()]
    least, most = (number(end) for end in (min(ratios), max(ratios)))
    assert said.answer.startswith(
        "For the 3 combinations of width and step size in both, the median of the sup-gap in B"
    )
    assert f"is {least} to {most} times that in A" in said.answer
    text = comparison.render_comparison(said)
    assert (
        len([found for found in ANIMATIONS.findall(text) if "frames" in found]) == 2 and text.count('type="range"') == 1
    )
    identifiers = re.findall(r'\bid="([^"]*)"', text)
    assert len(set(identifiers)) == len(identifiers)
    alike = comparison.compare([first, first], ["one", "one"])
    assert alike.findings[-1] == "All settings are the same in both studies."
    assert [table.heading for table in alike.tables] == ["Sup-gaps of the networks in both"]
    assert "is 1.00 times that in A" in alike.answer


def _changed(result, **settings):
    study = im.TrackingStudy(**result.study.model_dump() | settings)
    return TrackingResult(study, result.dataset.assign_attrs(study=study.to_toml()))


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"activation": "gelu"}, "activation differs"),
        ({"law": {"latent_dim": 1}}, "law.latent_dim differs"),
        ({"data": {"source": "digits", "max_points": 50}}, "data.max_points differs"),
        ({"batch_size": 4, "weight_decay": 0.1}, "weight_decay and batch_size differ"),
    ],
)
def test_gaps_to_different_limits_are_not_compared(settings, why, one_figure):
    first = invented(0)
    said = comparison.compare([first, _changed(first, **settings)], ["a", "b"])
    assert (
        said.answer == f"The sup-gaps of A and B can’t be compared: {why}, and so does what the gap is measured from."
    )
    assert [table.heading for table in said.tables] == ["Settings that differ"]
    assert not any("times that in A" in words for words in said.findings)


def test_gaps_of_other_data_horizons_levels_or_widths_are_not_compared(one_figure):
    first = invented(0)
    for second, why in (
        (invented(1, horizon=8.0), "horizon differs"),
        (invented(0, widths=(16, 32)), "no width in common"),
        (TrackingResult(first.study, first.dataset.assign_attrs(pca_risk=0.4)), "the data have changed"),
    ):
        said = comparison.compare([first, second], ["a", "b"])
        assert "can’t be compared: " in said.answer and why in said.answer and len(said.tables) <= 1


def test_a_release_or_machine_that_differs_is_named():
    attrs = invented().dataset.attrs
    rows = comparison.differences(attrs, attrs | {"machine": "another"})
    assert rows == [("machine", "none", "another")]


def test_the_command_makes_one_page_or_two_again(one_figure, tmp_path):
    results = {"one": invented(0), "two": invented(1)}
    for name, result in results.items():
        save_result(tmp_path / name, result)
    assert run("report", "one", folder=tmp_path) == (0, "Report: one/report.html\n", "")
    again = (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
    assert again == render_page(pages.result_page(results["one"]))
    assert run("report", "one", "--out", "elsewhere/page.html", folder=tmp_path).code == 0
    assert (tmp_path / "elsewhere" / "page.html").read_text(encoding="utf-8") == again
    assert run("report", "one", "two", folder=tmp_path).out == "Report: isthmus-comparison.html\n"
    both = (tmp_path / "isthmus-comparison.html").read_text(encoding="utf-8")
    assert "1 setting differs: seed." in both
    assert not (tmp_path / "two" / "report.html").exists()


def test_what_is_no_study_or_another_kind_is_refused(tmp_path, monkeypatch):
    assert "Folder 'nowhere' holds no finished study" in refused("report", "nowhere", folder=tmp_path)
    save_result(tmp_path / "one", invented())
    tracked = im.load_result(tmp_path / "one")
    other = BottleneckResult(im.BottleneckStudy(), tracked.dataset.assign_attrs(title="isthmus bottleneck study"))
    monkeypatch.setattr("isthmus.studies.store.load_result", lambda folder: tracked if folder.name == "one" else other)
    message = refused("report", "one", "two", folder=tmp_path)
    assert message == (
        "Error: Argument 'other' must hold a study of the kind of 'one', a tracking study, but it is a bottleneck "
        "study.\n"
    )
    assert not (tmp_path / "isthmus-comparison.html").exists()


def test_figures_for_a_paper_are_pdfs_with_embedded_fonts_and_captions(tmp_path, monkeypatch):
    """One that is as wide as a column and one as wide as a page."""
    few = pages.Shown([gap_plots.sup_gap, picture_plots.reconstructions], tracking_report.tracking_page)
    monkeypatch.setitem(pages.PAGES, TrackingResult, few)
    result = invented()
    save_result(tmp_path / "one", result)
    assert run("report", "one", "--paper", folder=tmp_path) == (0, "Figures and captions: one/paper\n", "")
    folder = tmp_path / "one" / "paper"
    page = pages.result_page(result)
    names = [plate.name for plate in page.plates]
    assert {path.name for path in folder.iterdir()} == {
        *(f"{name}.pdf" for name in names),
        "captions.md",
        "captions.tex",
    }
    for name in names:
        content = (folder / f"{name}.pdf").read_bytes()
        width = float(re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", content)[1]) / 72
        assert content.startswith(b"%PDF") and width == pytest.approx(3.4 if name == "sup_gap" else 7.0)
        assert b"/FontFile2" in content and b"STIXGeneral" in content and b"/Type3" not in content
    markdown, tex = ((folder / f"captions.{kind}").read_text(encoding="utf-8") for kind in ("md", "tex"))
    for plate in page.plates:
        assert f"**{plate.name}.** {plate.alt}. {plate.caption}" in markdown
    assert tex.count("\\csname isthmus-") == len(names) + 1 and tex.count("{") == tex.count("}")
    assert all(sign not in tex for sign in "−ε→≥½∞’") and tex.count("$") % 2 == 0
    assert "'paper' must be given for one folder" in refused("report", "one", "one", "--paper", folder=tmp_path)
