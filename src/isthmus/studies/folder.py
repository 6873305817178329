"""The folder of a study: claimed by one study, used by one process at a time, and what is finished is never lost."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr

from isthmus import _checks
from isthmus._errors import ArgumentError, StudyFileError
from isthmus._files import read_arrays, write_arrays, write_atomically
from isthmus._version import __version__
from isthmus._words import counted
from isthmus.studies.packing import Packed, unpacked
from isthmus.studies.study import FORMAT, Study

try:
    import fcntl
except ImportError:  # on Windows, where two processes in one folder are not kept apart
    fcntl = None

STUDY_FILE = "study.toml"
RESULTS_FILE = "results.nc"
JOBS_FOLDER = "jobs"
LEFTOVER = re.compile(r"\.(study-.{8}\.toml|results-.{8}\.nc)")
"""The names of files that a process of ours was writing when it was killed."""
KIND, VERSION = "a job of an Isthmus study", 1


@dataclass(frozen=True)
class Home:
    """The folder of a study while this process, and no other, works in it.

    Attributes:
        folder: where it is.
        study: whose it is.

    """

    folder: Path
    study: Study

    @property
    def is_finished(self) -> bool:
        """Whether the results of the study stand here."""
        return (self.folder / RESULTS_FILE).exists()

    def results(self) -> xr.Dataset:
        """Return the results of the finished study.

        Raises:
            StudyFileError: where they can't be read, or were written in another format.

        """
        path = self.folder / RESULTS_FILE
        dataset = read_dataset(path)
        if not np.array_equal(dataset.attrs.get("format", 0), FORMAT):
            raise StudyFileError(f"Results '{path}' are not of format {FORMAT}; delete them to compute them again.")
        return dataset

    def read(self, names: Sequence[str]) -> dict[str, Packed]:
        """Return those of the named jobs that are kept here.

        Raises:
            StudyFileError: naming the file, where one is damaged, or not of this study and release.

        """
        return {name: self._read(name) for name in names if self._place(name).exists()}

    def write(self, name: str, result: Packed) -> None:
        """Keep the result of a job, in full or not at all."""
        values = {"isthmus": __version__, "study": self.study.to_toml(), "job": name, "result": result.plain}
        write_arrays(self._place(name), KIND, VERSION, values, result.arrays)

    def finish(self, dataset: xr.Dataset) -> None:
        """Write the results of the study, after which its jobs are no longer needed."""
        write_dataset(self.folder / RESULTS_FILE, dataset)
        self.forget_jobs()

    def forget_jobs(self) -> None:
        """Remove what finished jobs have left."""
        shutil.rmtree(self.folder / JOBS_FOLDER, ignore_errors=True)

    def _place(self, name: str) -> Path:
        return self.folder / JOBS_FOLDER / f"{name}.npz"

    def _read(self, name: str) -> Packed:
        path = self._place(name)
        values, arrays = read_arrays(path, KIND, VERSION)
        if (values.get("study"), values.get("job")) != (self.study.to_toml(), name):
            raise StudyFileError(f"File '{path}' is a job of another study; delete it to compute it again.")
        if values.get("isthmus") != __version__:
            version = values.get("isthmus")
            raise StudyFileError(
                f"File '{path}' was computed by Isthmus {version}, and this is {__version__}; go on with that release, "
                "or delete the folder it is in to begin again."
            )
        result = Packed(values.get("result"), arrays)
        try:
            unpacked(result)
        except (KeyError, TypeError, ValueError) as error:
            raise StudyFileError(f"File '{path}' holds no result of this release: {error}.") from error
        return result


@contextlib.contextmanager
def home(folder: str | Path, study: Study, *, resume: bool) -> Iterator[Home]:
    """Claim a folder for a study, and keep other processes out of it for the length of a ``with`` block.

    Raises:
        StudyFileError: where the folder holds something else, is in use, can't be written to, or holds finished jobs
            of this study that are not to be resumed.

    """
    place = _checks.path("folder", folder)
    claim_folder(place, study)
    with _locked(place):
        ours, kept = Home(place, study), finished_jobs(place)
        if kept and not resume and not ours.is_finished:
            raise StudyFileError(
                f"Output folder '{place}' holds {counted(kept, 'finished job')} of this study, which was interrupted: "
                "go on with --resume (resume=True), or choose another with --out."
            )
        if not resume:
            ours.forget_jobs()
        yield ours


def finished_on(folder: Path) -> datetime | None:
    """Return when the study in a folder was finished, None where it wasn't."""
    try:
        return datetime.fromtimestamp((folder / RESULTS_FILE).stat().st_mtime)
    except (OSError, ValueError):  # no such file, or no name that a file can have
        return None


def finished_jobs(folder: Path) -> int:
    """Return how many finished jobs of an unfinished study a folder holds."""
    return len(list((folder / JOBS_FOLDER).glob("[!.]*.npz")))


def claim_folder(folder: Path, study: Study) -> None:
    """Make ``folder`` the home of a study, or refuse it where something else lives there.

    Raises:
        StudyFileError: where the folder holds another study or other files, or can't be written to.

    """
    try:
        if folder.exists() and not folder.is_dir():
            raise StudyFileError(f"Output folder '{folder}' is a file; choose another with --out.")
        present = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
        present = [name for name in present if not LEFTOVER.fullmatch(name)]
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


def write_dataset(path: Path, dataset: xr.Dataset) -> None:
    """Write a dataset as a netCDF file, made in memory since HDF5 doesn't survive a full disk."""
    write_atomically(path, lambda place: place.write_bytes(dataset.to_netcdf(engine="h5netcdf")))


def read_dataset(path: Path) -> xr.Dataset:
    """Return what a file of results holds, which may be anything and claim any size; reading runs nothing.

    Raises:
        StudyFileError: naming the file, where it can't be read.

    """
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as file:
            if file.nbytes > _checks.memory_of_the_machine():
                raise ValueError(f"it would unpack to {file.nbytes / 2**30:,.0f} GiB")
            return file.load()
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StudyFileError(f"Results '{path}' can't be read: {reason}.") from error


def _same_study(folder: Path, study: Study) -> bool:
    try:
        text = (folder / STUDY_FILE).read_text(encoding="utf-8")
        return type(study).from_toml(text) == study
    except (ArgumentError, UnicodeDecodeError):
        return False


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which ends with the process that holds it, however that ends."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "wait for it to end, or choose another with --out"
            raise StudyFileError(f"Output folder '{folder}' is in use by another process; {hint}.") from None
        yield
    finally:
        os.close(handle)
