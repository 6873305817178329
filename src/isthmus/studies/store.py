"""Studies on disk: one folder a study, written atomically, never over something else, and nothing pickled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import xarray as xr

from isthmus import _checks
from isthmus._errors import ArgumentError, ArgumentTypeError, StudyFileError
from isthmus._files import write_atomically
from isthmus.studies.bottleneck import BottleneckStudy
from isthmus.studies.bottleneck_result import BottleneckResult
from isthmus.studies.expressivity import ExpressivityResult, ExpressivityStudy
from isthmus.studies.study import FORMAT, Study
from isthmus.studies.tracking import TrackingStudy
from isthmus.studies.tracking_result import TrackingResult

STUDY_FILE = "study.toml"
RESULTS_FILE = "results.nc"
PREDICTION_FILE = "prediction.nc"


class Result(Protocol):
    """What studies end in: the study, and every number as a labelled dataset."""

    @property
    def study(self) -> Study:
        """What was asked."""
        ...

    @property
    def dataset(self) -> xr.Dataset:
        """Every number."""
        ...


KINDS: dict[str, tuple[type[Study], Callable[[Any, xr.Dataset], Any]]] = {
    "isthmus bottleneck study": (BottleneckStudy, BottleneckResult),
    "isthmus expressivity study": (ExpressivityStudy, ExpressivityResult),
    "isthmus tracking study": (TrackingStudy, TrackingResult),
}
"""Study and result by the title of a dataset."""


def claim_folder(folder: Path, study: Study) -> None:
    """Make ``folder`` the home of a study, or refuse it where something else lives there.

    Raises:
        StudyFileError: where the folder holds another study or other files, or can't be written to.

    """
    _checks.path("folder", folder)
    try:
        if folder.exists() and not folder.is_dir():
            raise StudyFileError(f"Output folder '{folder}' is a file; choose another with --out.")
        present = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
        if STUDY_FILE in present:
            if not _same_study(folder, study):
                raise StudyFileError(f"Output folder '{folder}' holds another study; choose another with --out.")
        elif present:
            raise StudyFileError(
                f"Output folder '{folder}' isn't empty and holds no study (but '{present[0]}'); choose another "
                "with --out."
            )
        else:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / STUDY_FILE, lambda path: path.write_text(study.to_toml(), encoding="utf-8"))
    except OSError as error:
        if isinstance(error, StudyFileError):
            raise
        raise StudyFileError(f"Output folder '{folder}' can't be used: {error}.") from error


def save_result(folder: Path, result: Result) -> None:
    """Write the study and its results to a folder, which is claimed first."""
    _save(folder, result, RESULTS_FILE)


def save_prediction(folder: Path, result: Result) -> None:
    """Write the study and its predicted law to a folder, which is claimed first."""
    _save(folder, result, PREDICTION_FILE)


def load_result(folder: str | Path) -> Any:
    """Return the result of the finished study in a folder: a `TrackingResult`, or that of another kind of study.

    Loading runs nothing that the folder brings: results are plain arrays, and the study is parsed as TOML.

    Raises:
        StudyFileError: where there is no study, or it isn't finished, or was written in another format.

    Example:
        >>> import isthmus as im
        >>> im.load_result("nowhere")
        Traceback (most recent call last):
        isthmus._errors.StudyFileError: Folder 'nowhere' holds no finished study: there is no results.nc.

    """
    path = _checks.path("folder", folder) / RESULTS_FILE
    if not path.is_file():
        raise StudyFileError(f"Folder '{folder}' holds no finished study: there is no {RESULTS_FILE}.")
    dataset = _read(path)
    kind = KINDS.get(str(dataset.attrs.get("title")))
    if kind is None or not np.array_equal(dataset.attrs.get("format", 0), FORMAT) or "study" not in dataset.attrs:
        raise StudyFileError(f"Results '{path}' are not a study of format {FORMAT}.")
    study, result = kind
    try:
        loaded = result(study.from_toml(dataset.attrs["study"]), dataset)
        why = loaded.complaint()
    except ArgumentTypeError as error:
        raise StudyFileError(f"Results '{path}' hold no study: {error}") from error
    if why is not None:
        raise StudyFileError(f"Results '{path}' don't fit their study: {why}.")
    return loaded


def _read(path: Path) -> xr.Dataset:
    """Return what a file of results holds, which may be anything, and may claim to be of any size."""
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as file:
            if file.nbytes > _checks.memory_of_the_machine():
                raise ValueError(f"it would unpack to {file.nbytes / 2**30:,.0f} GiB")
            return file.load()
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StudyFileError(f"Results '{path}' can't be read: {reason}.") from error


def _save(folder: Path, result: Result, name: str) -> None:
    claim_folder(folder, result.study)
    write_atomically(folder / name, lambda path: result.dataset.to_netcdf(path, engine="h5netcdf") and None)


def _same_study(folder: Path, study: Study) -> bool:
    try:
        text = (folder / STUDY_FILE).read_text(encoding="utf-8")
        return type(study).from_toml(text) == study
    except (ArgumentError, UnicodeDecodeError):
        return False
