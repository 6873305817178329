"""The moving part of a report, and two studies side by side: true to the numbers, safe, or left out."""

import json
import re

import numpy as np
import pytest
from commands import refused, run
from invented import invented

import isthmus as im
from isthmus.show import canvas, comparison, pages, plots, scene_data, stage, tracking_report
from isthmus.show.report import render_page
from isthmus.studies.bottleneck_result import BottleneckResult
from isthmus.studies.store import save_result
from isthmus.studies.tracking_result import TrackingResult

SCENES = re.compile(r'<script type="application/json">(.*?)</script>', re.DOTALL)
KINDS = [(True, 2), (False, 2), (True, 1), (False, 3)]


@pytest.fixture
def one_figure(monkeypatch):
    """Pages with a single plain figure, an empty one, which takes less time."""

    def draw(result):
        figure = canvas.new_figure(2, 2)
        figure.subplots()
        return {"risk_curves": canvas.finished(figure, "Empty")}

    monkeypatch.setitem(pages.PAGES, TrackingResult, (draw, tracking_report.tracking_page))


@pytest.mark.parametrize(("images", "latent_dim"), KINDS)
def test_the_scene_of_a_page_is_that_of_the_dataset(images, latent_dim):
    result = invented(images=images, latent_dim=latent_dim)
    data, text = result.dataset, render_page(tracking_report.tracking_page(result, {}))
    [found] = SCENES.findall(text)
    scene = json.loads(found)
    names = ["N = 4", "N = 8", "mean field"]
    assert [network["name"] for network in scene["networks"]] == names
    np.testing.assert_allclose(np.array(scene["times"])[scene["frames"]], data.scene_time)
    ordered = data.sel(width=[4, 8], step_size=[0.25, 0.5], network=names)
    risk = scene["risk"]
    low, middle, high = np.moveaxis(risk["measured"], 2, 0)
    np.testing.assert_allclose(middle, ordered.risk.median("run"), rtol=1e-5)
    np.testing.assert_allclose(low, ordered.risk.quantile(0.05, "run"), rtol=1e-5)
    np.testing.assert_allclose(high, ordered.risk.quantile(0.95, "run"), rtol=1e-5)
    np.testing.assert_allclose(risk["limit"], data.mean_field_risk, rtol=1e-5)
    assert risk["pca"] == 0.5
    half = np.diff(np.array(risk["predicted"])[:, :, [0, 2]], axis=2)[:, :, 0] / 2
    np.testing.assert_allclose(half, 1.645 * ordered.predicted_std, rtol=1e-4)
    for key, values in (("encoder", ordered.scene_encoder), ("decoder", ordered.scene_decoder)):
        cloud = scene[key]["places"]
        np.testing.assert_allclose(scene_data.unpacked(cloud), values, atol=cloud["unit"])
    latents = scene_data.unpacked(scene["latents"]["places"])
    shown = min(latent_dim, 2)
    np.testing.assert_allclose(latents[..., :shown], ordered.scene_latent[..., :shown], atol=1e-3)
    codes = data.label.values[:10]
    assert [scene["latents"]["colors"][i] for i in range(10)] == [plots.CATEGORIES[code].lower() for code in codes]
    assert scene["latents"]["key"] == [[str(code), plots.CATEGORIES[code].lower()] for code in range(3)]
    if latent_dim == 1:  # spread out by label, and nothing moves upwards
        assert np.all(np.abs(latents[..., 1] - codes) <= 0.36) and np.ptp(latents[..., 1], axis=(0, 1)).max() == 0


@pytest.mark.parametrize("images", [True, False])
def test_pictures_are_scaled_and_their_errors_are_mean_squares(images):
    result = invented(images=images)
    data, pictures = result.dataset, scene_data.tracking_scene(result)["pictures"]
    assert pictures["shape"] == ([4, 3] if images else [])
    names = ["N = 4", "N = 8", "mean field"]
    original, pca = data.picture.sel(reconstruction=["original", "PCA"]).values
    moving = data.scene_picture.sel(network=names).values
    if images:
        every = np.concatenate([original[None], pca[None], *moving]).swapaxes(0, 1).reshape(3, -1)
        low, span = every.min(axis=1)[:, None], np.ptp(every, axis=1)[:, None]
        unit = 1.0
    else:
        low, span = original.min(axis=0), np.ptp(original, axis=0)
        unit = span
    np.testing.assert_allclose(scene_data.unpacked(pictures["moving"]), (moving - low) / span, atol=1e-3)
    np.testing.assert_allclose(scene_data.unpacked(pictures["fixed"])[0], (original - low) / span, atol=1e-3)
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
    assert scene_data.tracking_scene(_named(bare, names))["pictures"]["features"] == shown
    for result in (bare, _named(images, [f"pixel {place}" for place in range(12)])):
        assert scene_data.tracking_scene(result)["pictures"]["features"] == []
    lowest = plots.reconstructions(_named(bare, names)).axes[-1]
    assert [label.get_text() for label in lowest.get_xticklabels()] == shown
    assert plots.reconstructions(bare).axes[-1].get_xlabel() == "feature"


def test_every_so_many_of_many_names_are_shown():
    axes = canvas.new_figure(2, 2).subplots()
    canvas.feature_axis(axes, [f"x{place}" for place in range(50)])
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == [f"x{place}" for place in range(0, 50, 4)] and axes.get_xticks().tolist() == list(range(1, 51, 4))


def test_a_report_says_how_a_file_is_scaled_and_not_where_it_lies():
    result = invented(images=False)
    study = im.TrackingStudy(**result.study.model_dump() | {"data": {"source": "/some/where/iris.csv"}})
    data = result.dataset.assign_attrs(study=study.to_toml())
    page = tracking_report.tracking_page(TrackingResult(study, data), {})
    assert "tracking study, iris.csv, scaled by feature, N = " in page.title
    assert "trained on iris.csv, scaled by feature" in page.question and "/some" not in page.title + page.question


def test_packed_numbers_come_back_within_half_a_unit():
    values = np.random.default_rng(0).standard_normal((3, 4))
    values[1, 2] = np.nan
    array = scene_data.packed(values)
    back = scene_data.unpacked(array)
    assert np.isnan(back[1, 2]) and np.nanmax(np.abs(back - values)) <= 0.5000001 * array["unit"]
    assert not scene_data.unpacked(scene_data.packed(np.zeros((2, 2)))).any()


def test_results_without_a_scene_have_a_page_without_a_stage():
    result = invented(scene=False)
    assert stage.tracking_stage(result) is None and scene_data.tracking_scene(result) is None
    text = render_page(tracking_report.tracking_page(result, {}))
    assert 'class="stage"' not in text and 'class="controls"' not in text and "What was found" in text


def test_results_without_a_predicted_law_have_no_switch_for_it():
    result = invented()
    result = TrackingResult(result.study, result.dataset.drop_vars(["predicted_mean", "predicted_std"]))
    text = render_page(tracking_report.tracking_page(result, {}))
    assert 'name="measured"' in text and 'name="predicted"' not in text
    assert json.loads(SCENES.findall(text)[0])["risk"]["predicted"] is None


def test_many_labels_have_the_ends_of_their_scale_for_a_key():
    result = invented()
    data = result.dataset.assign(label=("point", np.linspace(2.0, 5.0, 12)))
    scene = scene_data.tracking_scene(TrackingResult(result.study, data))
    assert scene["latents"]["key"] == [("2.0", "#440154"), ("5.0", "#fde725")]
    assert scene["latents"]["colors"][0] == "#440154" and len(set(scene["latents"]["colors"])) == 10
    bare = scene_data.tracking_scene(TrackingResult(result.study, result.dataset.drop_vars("label")))
    assert bare["latents"]["key"] == [] and bare["latents"]["colors"] == []


def test_a_scene_can_not_end_its_element():
    hostile = "</script><script>alert(1)</script><!-- & "
    text = scene_data.scene_json({"name": hostile})
    assert not set("<>&") & set(text) and json.loads(text) == {"name": hostile}


def test_every_figure_table_and_verdict_says_which_command_made_it():
    result = invented()
    text = render_page(tracking_report.tracking_page(result, {"risk_curves": plots.risk_curves(result)}))
    made = "Made by <code>isthmus track study.toml --out FOLDER</code>"
    figures = re.findall(r"<figcaption>(.*?)</figcaption>", text, re.DOTALL)
    assert len(figures) == 7 and all(made in caption and len(caption) > 200 for caption in figures)
    assert text.count(made) == len(figures) + 3  # the verdicts, the table and the numbers at the slider too


def test_a_page_forbids_every_request():
    text = render_page(tracking_report.tracking_page(invented(), {}))
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in text
    head = text[: text.index("<style>")]
    assert "Content-Security-Policy" in head
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|sendBeacon|import)\s*\(", text)


def test_what_differs_between_two_studies_is_said(one_figure):
    first, second = invented(0), invented(1, widths=(8, 16), horizon=8.0)
    said = comparison.compare([first, second], ["one", "two"])
    rows = {key: [cell for cell, _ in cells] for key, cells in said.tables[0].rows}
    assert rows == {"widths": ["8, 4", "8, 16"], "horizon": ["4.0", "8.0"], "seed": ["0", "1"]}
    assert said.verdicts[0].startswith("The studies differ in 3 keys: ") and "machine" not in said.verdicts[0]
    gaps = dict(said.tables[1].rows)
    assert list(gaps) == [f"N = 8, step size {e}" for e in ("0", "0.25", "0.5")]
    estimates = [result.estimate("gap_quantile", level=0.9, width=8, step_size=0.5) for result in (first, second)]
    assert [cell for cell, _ in gaps["N = 8, step size 0.5"]] == [f"{one.value:.3g}" for one in estimates]
    text = comparison.render_comparison(said)
    assert len(SCENES.findall(text)) == 2 and text.count('type="range"') == 1
    identifiers = re.findall(r'\bid="([^"]*)"', text)
    assert len(set(identifiers)) == len(identifiers)
    for verdict in (*first.verdicts(), *second.verdicts()):
        assert verdict.replace("&", "&amp;") in text
    alike = comparison.compare([first, first], ["one", "one"])
    assert alike.verdicts[0] == "Both studies ask the same: no key differs."
    assert [table.heading for table in alike.tables] == ["Sup-gaps of the networks in both"]


def test_studies_of_other_quantiles_or_widths_are_not_compared_in_numbers(one_figure):
    first, second = invented(0), invented(1, widths=(16, 32))
    assert "No width is in both" in comparison.compare([first, second], ["a", "b"]).verdicts[-1]
    changed = im.TrackingStudy(**first.study.model_dump() | {"confidence": 0.5})
    said = comparison.compare([first, TrackingResult(changed, first.dataset)], ["a", "b"])
    assert "different levels" in said.verdicts[-1] and len(said.tables) == 0


def test_a_release_or_machine_that_differs_is_named():
    attrs = invented().dataset.attrs
    rows = comparison.differences(attrs, attrs | {"machine": "another"})
    assert rows == [("(machine)", "none", "another")]


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
    assert "The studies differ in 1 key: seed." in both
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
