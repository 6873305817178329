"""Studies on the command line: what they print where, and what they leave in their folder."""

import contextlib
import json
import re
import tomllib
from pathlib import Path

import pytest
import xarray as xr
from commands import Outcome, contents, refused, run, without_first_words

import isthmus as im

# The sizes of the docstring example of `track`, so that in one session they are compiled once.
TINY_FILE = """
widths = [16]
horizon = 2.0
records = 4
runs = 7
flow_runs = 2
particles = 64
law_particles = 64
law_samples = 2
[data]
source = "wine"
"""

TINY = ("--widths", "16,64", "--step-sizes", "0.25", "--runs", "4", "--quiet")

FIGURES = (
    "gap_parts",
    "influence",
    "late_gap",
    "latents",
    "reconstructions",
    "risk_curves",
    "sources",
    "step_gap",
    "sup_gap",
)


@pytest.fixture(scope="module")
def tracked(tmp_path_factory) -> tuple[Path, Outcome]:
    """The folder of a finished tiny study, and what the command printed."""
    folder = tmp_path_factory.mktemp("tracked")
    (folder / "tiny.toml").write_text(TINY_FILE)
    return folder, run("track", "tiny.toml", *TINY, "--out", "out", "--json", folder=folder)


def test_a_study_prints_one_json_object_and_nothing_else(tracked):
    folder, (code, out, err) = tracked
    assert (code, err) == (0, "")
    summary = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert out.count("\n") == 1
    with contextlib.chdir(folder):
        assert summary == im.load_result("out").summary() | {"folder": "out"}
    assert [entry["width"] for entry in summary["gap_quantiles"]] == [16, 64]
    assert summary["mean_field_risk_start"] > summary["mean_field_risk_end"] > 0


def test_a_study_leaves_its_files(tracked):
    folder, _ = tracked
    figures = {f"figures/{name}.{kind}" for name in FIGURES for kind in ("png", "svg")}
    written = contents(folder / "out")
    assert written.keys() == {"study.toml", "results.nc", "report.html"} | figures
    assert all(written[name].startswith(b"\x89PNG\r\n") for name in figures if name.endswith("png"))
    assert all(b"<svg" in written[name] for name in figures if name.endswith("svg"))
    assert b"</html>" in written["report.html"]
    with xr.open_dataset(folder / "out" / "results.nc") as dataset:
        assert dict(dataset.risk.sizes) == {"width": 2, "step_size": 1, "run": 4, "time": 5}
        assert dataset.time.values.tolist() == [0.0, 0.25, 0.5, 1.0, 2.0]  # multiples of the step size, closer at first


@pytest.mark.slow
def test_its_report_is_made_again_to_the_byte(tracked):
    folder, _ = tracked
    page = folder / "out" / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert run("report", "out", folder=folder) == (0, "Report: out/report.html\n", "")
    assert page.read_bytes() == before


def test_flags_override_the_file_in_what_is_written(tracked):
    folder, _ = tracked
    values = tomllib.loads(TINY_FILE) | {"widths": [16, 64], "step_sizes": [0.25], "runs": 4}
    study = im.TrackingStudy(**values)
    assert im.TrackingStudy.from_toml((folder / "out" / "study.toml").read_text(encoding="utf-8")) == study
    assert im.load_result(folder / "out").study == study


@pytest.mark.slow
def test_a_study_runs_again_in_its_folder_to_the_same_numbers(tracked):
    folder, first = tracked
    before = im.load_result(folder / "out").dataset
    (folder / "out" / "results.nc").unlink()
    again = run("track", "out/study.toml", "--quiet", "--out", "out", "--json", folder=folder)
    assert again == first
    xr.testing.assert_identical(im.load_result(folder / "out").dataset, before)


@pytest.fixture
def nothing_left(monkeypatch):
    """Figures and reports are not made: they stand there already, or aren't asked for."""
    monkeypatch.setattr("isthmus.cli.output._leave", lambda *_: None)


@pytest.mark.usefixtures("nothing_left")
def test_a_finished_study_is_shown_and_not_run_again(tracked, monkeypatch):
    folder, _ = tracked
    before = (folder / "out" / "results.nc").stat()
    monkeypatch.setattr("isthmus.studies.engine.run_jobs", lambda *_, **__: pytest.fail("a job was done"))
    for resume in ((), ("--resume",)):
        code, out, err = run("track", "out/study.toml", "--out", "out", *resume, folder=folder)
        assert code == 0
        said = re.fullmatch(
            r"This study was finished on \d{4}-\d\d-\d\d at \d\d:\d\d; its results are shown\. Choose another folder "
            r"with --out, or delete 'out' to run it again\.\n",
            without_first_words(err),
        )
        assert said is not None
        _tells_everything(out, im.load_result(folder / "out"))
    after = (folder / "out" / "results.nc").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def _tells_everything(out: str, result: im.TrackingResult) -> None:
    """Check that what is printed begins with the answer, then tells findings and numbers, and last where they are."""
    words = " ".join(out.split())
    places = [words.index(" ".join(said.split())) for said in (result.answer(), *result.verdicts())]
    places += [words.index("of the sup-gap max |R_N(t) − R(t)|"), words.index("Report: out/report.html")]
    assert places[0] == 0 and places == sorted(places)
    assert out.endswith("Numbers: out/results.nc\n")
    assert max(map(len, out.splitlines())) <= 80  # the width of a terminal that isn't one


@pytest.mark.usefixtures("nothing_left")
def test_the_table_has_a_row_for_each_network_with_equal_digits(tracked):
    folder, _ = tracked
    _, out, _ = run("track", "out/study.toml", "--out", "out", "--quiet", folder=folder)
    result = im.load_result(folder / "out")
    rows = [line.split("  ") for line in out.splitlines() if re.match(r" +(16|64)  ", line)]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert [cell[:2] for cell in cells] == [[n, e] for n in ("16", "64") for e in ("gradient flow", "0.25")]
    for width, step_size, value, _ in cells:
        where = {"level": result.level, "width": int(width), "bound": "estimate"}
        if step_size == "gradient flow":
            found = result.dataset.flow_gap_quantile.sel(where)
        else:
            found = result.dataset.gap_quantile.sel(where | {"step_size": 0.25})
        assert float(value) == pytest.approx(float(found), rel=5e-3)
        assert len(value.lstrip("0.").replace(".", "")) == 3  # significant digits


def test_another_study_does_not_get_the_folder(tracked):
    folder, _ = tracked
    before = contents(folder)
    text = refused("track", "tiny.toml", *TINY, "--seed", 1, "--out", "out", folder=folder)
    assert "Output folder 'out' holds another study; choose another with --out." in text
    assert contents(folder) == before


@pytest.mark.parametrize("place", ["tiny.toml", "tiny.toml/below", "."])
def test_files_of_others_are_kept(place, tracked):
    folder, _ = tracked
    before = contents(folder)
    text = refused("track", "tiny.toml", *TINY, "--out", place, folder=folder)
    assert f"Output folder '{place}'" in text
    assert contents(folder) == before


def test_a_run_that_diverges_names_run_time_and_remedy(tracked):
    folder, _ = tracked
    at_once = ("--workers", 2)  # the limit takes long, and the first run doesn't
    arguments = ("tiny.toml", *TINY, "--step-sizes", 50, "--horizon", 400, *at_once, "--out", "diverged", "--json")
    text = refused("track", *arguments, folder=folder)
    assert re.search("At width (16|64), the step size 50 made run ", text)
    assert " diverge at t = " in text and "; try at most 12.5, or larger batches." in text
    assert not (folder / "diverged" / "results.nc").exists()


def test_the_trivial_limit_is_a_warning_of_one_line(tracked):
    folder, _ = tracked
    arguments = ("tiny.toml", *TINY, "--law", "independent", "--out", "tiny.toml", "--json")
    code, out, err = run("track", *arguments, folder=folder)
    warning, error = without_first_words(err).splitlines()
    assert warning.startswith("Warning: The mean-field limit of this problem is trivial: ")
    assert error.startswith("Error: Output folder 'tiny.toml' is a file")
    assert (code, out) == (2, "")


def test_an_interrupt_is_one_line_and_tells_the_truth(tracked, monkeypatch):
    folder, _ = tracked

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("isthmus.studies.tracking_result.track", interrupted)
    code, out, err = run("track", "tiny.toml", *TINY, "--out", "interrupted", folder=folder)
    assert (code, out) == (130, "")
    said = without_first_words(err)
    assert said.startswith("Interrupted") and said.count("\n") == 1
    assert "nothing was written" not in err or not (folder / "interrupted").exists()
    assert not (folder / "interrupted" / "results.nc").exists()


SPREADSHEET = "\ufeffLänge;Breite;Höhe;Art\r\n" + "".join(
    f"{i % 7},5;{(i * i) % 11},25;{1000 + (i * 3) % 5};{'xy'[i % 2]}\r\n" for i in range(24)
)


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_a_file_of_a_spreadsheet_goes_through_a_command_and_what_was_assumed_is_said(tmp_path):
    (tmp_path / "Tabelle.CSV").write_text(SPREADSHEET, encoding="utf-8", newline="")
    (tmp_path / "tiny.toml").write_text(TINY_FILE.replace('"wine"', '"Tabelle.CSV"'))
    tiny = ("--widths", 16, "--step-sizes", 0.25, "--set", "predict=false")
    arguments = ("track", "tiny.toml", *tiny, "--label", "Art", "--json")
    code, out, err = run(*arguments, "--out", "told", folder=tmp_path)
    assert code == 0 and json.loads(out)
    told = [line for line in err.splitlines() if line.startswith("Data: ")]
    assert told == [
        "Data: 24 points in 3 dimensions from Tabelle.CSV, scaled by feature; semicolons stand between its entries; "
        "its numbers have decimal commas; labelled by column 'Art'"
    ]
    with xr.open_dataset(tmp_path / "told" / "results.nc", engine="h5netcdf") as dataset:
        assert set(dataset.label.values.tolist()) == {"x", "y"}
    words = tomllib.loads((tmp_path / "told" / "study.toml").read_text())["data"]
    assert (words["source"], words["label"]) == ("Tabelle.CSV", "Art")
    assert run(*arguments, "--quiet", "--out", "told", folder=tmp_path) == (0, out, "")
