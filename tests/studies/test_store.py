"""One folder a study: what is written can be read again, and what is there is never lost."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import isthmus as im
from isthmus._errors import Status
from isthmus._files import write_atomically
from isthmus.dynamics.results import MeanFieldPath
from isthmus.studies.store import claim_folder, save_result
from isthmus.studies.study import FORMAT
from isthmus.studies.tracking import Tracked
from isthmus.studies.tracking_jobs import numbers


@pytest.fixture
def study():
    return im.TrackingStudy(
        data={"source": "wine"}, widths=[8, 16], step_sizes=[0.5], horizon=2.0, records=2, runs=3, predict=False
    )


@pytest.fixture
def result(study):
    return made_up(study)


def made_up(study: im.TrackingStudy, seed: int = 0) -> im.TrackingResult:
    """Return numbers in the shape of a result, with every kind of variable and attribute that one has."""
    random = np.random.default_rng(seed)
    times = len(study.times)
    risk = random.uniform(size=(len(study.widths), len(study.step_sizes), study.runs, times))
    replicates = random.uniform(size=(4, times))
    path = MeanFieldPath(
        study.times, replicates.mean(axis=0), {"particles": replicates[0]}, replicates, 8, (), (), Status()
    )
    dataset = numbers(study, Tracked(path, None, risk, risk[:, 0], {})).assign(
        {
            "mean_field_risk": ("time", risk[0, 0, 0].astype(np.float32), {"long_name": "mean-field risk"}),
            "width_rate": (
                ("level", "step_size", "bound"),
                np.full((len(study.levels), len(study.step_sizes), 3), np.nan),
            ),
            "label": ("point", np.array([0, 2, 1])),
            "reconstruction": ("reconstruction", ["original", "N = 8", "mean field – ∞"]),
        }
    )
    attributes = {
        "format": FORMAT,
        "study": study.to_toml(),
        "pca_risk": 0.25,
        "image_shape": [],
        "title": "isthmus tracking study",
    }
    return im.TrackingResult(study, dataset.assign_attrs(attributes))


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return the bytes of everything in a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def refused(message: str, action, *arguments) -> str:
    with pytest.raises(im.StudyFileError, match=message) as caught:
        action(*arguments)
    assert isinstance(caught.value, OSError) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("nested", ["", "some/new/place"])
def test_what_is_saved_is_loaded(nested, study, result, tmp_path):
    folder = tmp_path / nested
    claim_folder(folder, study)
    assert im.TrackingStudy.from_toml((folder / "study.toml").read_text(encoding="utf-8")) == study
    save_result(folder, result)
    for place in (folder, str(folder)):
        loaded = im.load_result(place)
        assert loaded.study == study
        xr.testing.assert_identical(loaded.dataset.load(), result.dataset)
        assert all(loaded.dataset[name].dtype == result.dataset[name].dtype for name in ("risk", "mean_field_risk"))
    assert sorted(contents(folder)) == ["results.nc", "study.toml"]


def test_saving_claims_the_folder(study, result, tmp_path):
    save_result(tmp_path / "new", result)
    assert im.load_result(tmp_path / "new").study == study


def test_saving_again_replaces_the_numbers(study, result, tmp_path):
    save_result(tmp_path, result)
    other = made_up(study, seed=1)
    save_result(tmp_path, other)
    xr.testing.assert_identical(im.load_result(tmp_path).dataset, other.dataset)


def test_loading_leaves_the_file_free(result, tmp_path):
    save_result(tmp_path, result)
    loaded = im.load_result(tmp_path)
    (tmp_path / "results.nc").unlink()
    assert float(loaded.dataset.risk.sum()) == float(result.dataset.risk.sum())


def test_files_are_readable_by_all(result, tmp_path):
    save_result(tmp_path, result)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}


def test_a_folder_is_claimed_again_by_the_same_study_only(study, tmp_path):
    claim_folder(tmp_path, study)
    before = contents(tmp_path)
    claim_folder(tmp_path, im.TrackingStudy.from_toml(study.to_toml()))
    other = study.model_copy(update={"seed": 1})
    text = refused(r"holds another study; choose another with --out\.$", claim_folder, tmp_path, other)
    assert str(tmp_path) in text
    assert contents(tmp_path) == before


def test_another_study_is_not_overwritten(study, result, tmp_path):
    save_result(tmp_path, result)
    before = contents(tmp_path)
    other = im.TrackingStudy(data={"source": "wine"}, widths=[8], step_sizes=[0.5], horizon=2.0)
    refused("holds another study", save_result, tmp_path, made_up(other))
    assert contents(tmp_path) == before


@pytest.mark.parametrize("text", ["seed = 'x'", "not TOML", "\x00", "[study]\nunknown = 1", "self = 1", "data = 3"])
def test_a_study_file_of_another_kind_is_kept(text, study, tmp_path):
    (tmp_path / "study.toml").write_text(text)
    refused("holds another study", claim_folder, tmp_path, study)
    assert contents(tmp_path) == {"study.toml": text.encode()}


def test_a_study_file_that_is_no_text_is_kept(study, tmp_path):
    (tmp_path / "study.toml").write_bytes(b"\xff\xfe")
    refused("holds another study", claim_folder, tmp_path, study)
    assert contents(tmp_path) == {"study.toml": b"\xff\xfe"}


@pytest.mark.parametrize("name", ["thesis.tex", "results.nc", ".hidden", "folder/inner.txt"])
def test_foreign_files_are_not_joined(name, study, result, tmp_path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"mine")
    before = contents(tmp_path)
    for action, argument in ((claim_folder, study), (save_result, result)):
        text = refused("isn't empty and holds no study", action, tmp_path, argument)
        assert name.split("/")[0] in text
    assert contents(tmp_path) == before


def test_a_file_in_the_place_of_the_folder_is_kept(study, result, tmp_path):
    place = tmp_path / "out"
    place.write_bytes(b"mine")
    refused("is a file; choose another with --out", claim_folder, place, study)
    refused("can't be used", claim_folder, place / "below", study)
    refused("is a file", save_result, place, result)
    assert contents(tmp_path) == {"out": b"mine"}


def _no_space(*_, **__):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("owner", "name"), [(Path, "mkdir"), (os, "replace"), (tempfile, "mkstemp"), (Path, "write_text")]
)
def test_a_folder_that_cannot_be_written_to_is_refused_by_name(owner, name, study, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, _no_space)
        text = refused("No space left on device", claim_folder, tmp_path / "out", study)
    assert str(tmp_path / "out") in text
    assert not [path for path in contents(tmp_path) if path != "out"]
    claim_folder(tmp_path / "out", study)


@pytest.mark.parametrize(("owner", "name"), [(os, "replace"), (tempfile, "mkstemp"), (xr.Dataset, "to_netcdf")])
def test_results_that_cannot_be_written_leave_the_old_ones(owner, name, study, result, tmp_path, monkeypatch):
    save_result(tmp_path, result)
    before = contents(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, _no_space)
        text = refused("No space left on device", save_result, tmp_path, made_up(study, seed=1))
    assert str(tmp_path / "results.nc") in text
    assert contents(tmp_path) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("broken"), MemoryError()])
def test_an_interrupted_write_leaves_the_old_file(error, tmp_path):
    (tmp_path / "numbers.txt").write_text("old")

    def write(path: Path) -> None:
        path.write_text("half of the n")
        assert (tmp_path / "numbers.txt").read_text() == "old"
        raise error

    with pytest.raises(type(error)):
        write_atomically(tmp_path / "numbers.txt", write)
    assert contents(tmp_path) == {"numbers.txt": b"old"}
    write_atomically(tmp_path / "numbers.txt", lambda path: path.write_text("new"))
    assert contents(tmp_path) == {"numbers.txt": b"new"}


def test_a_write_makes_the_folder(tmp_path):
    write_atomically(tmp_path / "a/b/numbers.txt", lambda path: path.write_text("new"))
    assert (tmp_path / "a/b/numbers.txt").read_text() == "new"


def test_a_write_keeps_our_own_errors(tmp_path):
    def write(path: Path) -> None:
        raise im.StudyFileError("said already.")

    refused("^said already.$", write_atomically, tmp_path / "numbers.txt", write)


@pytest.mark.parametrize("kind", ["missing folder", "empty folder", "claimed folder", "file"])
def test_an_unfinished_study_is_not_loaded(kind, study, tmp_path):
    folder = tmp_path / "out"
    if kind == "empty folder":
        folder.mkdir()
    elif kind == "claimed folder":
        claim_folder(folder, study)
    elif kind == "file":
        folder.write_bytes(b"")
    refused(r"^Folder '.*out' holds no finished study: there is no results\.nc\.$", im.load_result, folder)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_truncated_results_are_refused_by_name(share, result, tmp_path):
    save_result(tmp_path, result)
    whole = (tmp_path / "results.nc").read_bytes()
    (tmp_path / "results.nc").write_bytes(whole[: int(share * len(whole))])
    before = contents(tmp_path)
    refused(r"^Results '.*results\.nc' can't be read: ", im.load_result, tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("content", [b"text", b"\x89HDF\r\n\x1a\n", b"CDF\x01"])
def test_what_is_no_netcdf_is_refused_by_name(content, tmp_path):
    (tmp_path / "results.nc").write_bytes(content)
    refused(r"^Results '.*results\.nc' can't be read: ", im.load_result, tmp_path)


OURS = {"title": "isthmus tracking study"}


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"format": FORMAT, "study": "seed = 1"},
        {"format": FORMAT, "study": "seed = 1", "title": "another"},
        OURS | {"study": "seed = 1"},
        OURS | {"format": FORMAT},
        OURS | {"format": FORMAT + 1, "study": "seed = 1"},
        OURS | {"format": "1", "study": ""},
        OURS | {"format": [FORMAT, FORMAT], "study": ""},
    ],
)
def test_a_netcdf_of_something_else_is_refused_by_name(attributes, tmp_path):
    other = xr.Dataset({"temperature": ("time", [20.0, 21.5])}).assign_attrs(attributes)
    other.to_netcdf(tmp_path / "results.nc", engine="h5netcdf")
    message = rf"^Results '.*results\.nc' are not a study of format {FORMAT}\.$"
    refused(message, im.load_result, tmp_path)


def test_a_study_that_is_not_understood_is_refused(result, tmp_path):
    dataset = result.dataset.assign_attrs(study="colour = 'red'")
    dataset.to_netcdf(tmp_path / "results.nc", engine="h5netcdf")
    with pytest.raises(im.IsthmusError, match="Unknown key 'colour'"):
        im.load_result(tmp_path)
