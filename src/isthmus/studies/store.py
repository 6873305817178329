"""Studies on disk: one folder a study, written atomically, never over something else, and nothing pickled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from isthmus import _checks
from isthmus._errors import ArgumentTypeError, StudyFileError
from isthmus.studies.bottleneck import BottleneckStudy
from isthmus.studies.bottleneck_result import BottleneckResult
from isthmus.studies.expressivity import ExpressivityStudy
from isthmus.studies.expressivity_result import ExpressivityResult
from isthmus.studies.folder import RESULTS_FILE, claim_folder, read_dataset, write_dataset
from isthmus.studies.prediction_result import PredictionResult
from isthmus.studies.prediction_study import PredictionStudy
from isthmus.studies.result import StudyResult
from isthmus.studies.study import FORMAT, Study
from isthmus.studies.tracking import TrackingStudy
from isthmus.studies.tracking_result import TrackingResult
from isthmus.studies.width import WidthStudy
from isthmus.studies.width_result import WidthResult

KINDS: dict[str, tuple[type[Study], Callable[[Any, xr.Dataset], Any]]] = {
    "isthmus bottleneck study": (BottleneckStudy, BottleneckResult),
    "isthmus expressivity study": (ExpressivityStudy, ExpressivityResult),
    "isthmus prediction study": (PredictionStudy, PredictionResult),
    "isthmus tracking study": (TrackingStudy, TrackingResult),
    "isthmus width study": (WidthStudy, WidthResult),
}
"""Study and result by the title of a dataset."""


def save_result(folder: Path, result: StudyResult[Study]) -> None:
    """Write the study and its results to a folder.

    Args:
        folder: new, empty, or of this study.
        result: of any study.

    Raises:
        StudyFileError: where the folder holds something else or can't be written to.

    """
    claim_folder(folder, result.study)
    write_dataset(folder / RESULTS_FILE, result.dataset)


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
    dataset = read_dataset(path)
    kind = KINDS.get(str(dataset.attrs.get("title")))
    if kind is None or not np.array_equal(dataset.attrs.get("format", 0), FORMAT) or "study" not in dataset.attrs:
        raise StudyFileError(f"Results '{path}' are not a study of format {FORMAT}.")
    study, result = kind
    try:
        loaded = result(study.from_toml(dataset.attrs["study"]), dataset)
        why = loaded.validation_error()
    except ArgumentTypeError as error:
        raise StudyFileError(f"Results '{path}' hold no study: {error}") from error
    if why is not None:
        raise StudyFileError(f"Results '{path}' don't fit their study: {why}.")
    return loaded
