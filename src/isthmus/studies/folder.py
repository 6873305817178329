"""The folder of a study: claimed by one study, used by one process at a time, and what is finished is never lost."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr
from filelock import FileLock, Timeout

from isthmus import _checks
from isthmus._errors import ArgumentError, StudyFileError, reason
from isthmus._files import read_arrays, write_arrays, write_atomically
from isthmus._packing import Packed
from isthmus._version import __version__
from isthmus._words import counted
from isthmus.studies.packing import RESULTS
from isthmus.studies.study import FORMAT, Study

STUDY_FILE = "study.toml"
RESULTS_FILE = "results.nc"
JOBS_FOLDER = "jobs"
LOCK_FILE = ".lock"
"""It stands in the folder while a process works there, and after a kill, where nothing holds it locked."""
LEFTOVER = re.compile(r"\.(study-.{8}\.toml|results-.{8}\.nc|lock)")
"""The names of files that a process of ours has left when it was killed."""
KIND, VERSION = "a job of an Isthmus study", 1


@dataclass(frozen=True)
class StudyFolder:
    """The folder of a study while this process, and no other, works in it.

    Attributes:
        path: where it is.
        study: the study that it belongs to.

    """

    path: Path
    study: Study

    @property
    def is_finished(self) -> bool:
        """Whether the results of the study stand here."""
        return (self.path / RESULTS_FILE).exists()

    def results(self) -> xr.Dataset:
        """Return the results of the finished study.

        Raises:
            StudyFileError: where they can't be read, or were written in another format.

        """
        path = self.path / RESULTS_FILE
        dataset = read_dataset(path)
        if not np.array_equal(dataset.attrs.get("format", 0), FORMAT):
            raise StudyFileError(f"Results '{path}' are not of format {FORMAT}; delete them to compute them again.")
        return dataset

    def read(self, names: Sequence[str]) -> dict[str, Packed]:
        """Return those of the named jobs that are kept here.

        Raises:
            StudyFileError: naming the file, where one is damaged, or not of this study and release.

        """
        return {name: self._read(name) for name in names if self._file_of(name).exists()}

    def write(self, name: str, result: Packed) -> None:
        """Keep the result of a job, in full or not at all."""
        values = {"isthmus": __version__, "study": self.study.to_toml(), "job": name, "result": result.plain}
        write_arrays(self._file_of(name), KIND, VERSION, values, result.arrays)

    def finish(self, dataset: xr.Dataset) -> None:
        """Write the results of the study, after which its jobs are no longer needed."""
        write_dataset(self.path / RESULTS_FILE, dataset)
        self.forget_jobs()

    def forget_jobs(self) -> None:
        """Remove what finished jobs have left."""
        shutil.rmtree(self.path / JOBS_FOLDER, ignore_errors=True)

    def _file_of(self, name: str) -> Path:
        return self.path / JOBS_FOLDER / f"{name}.npz"

    def _read(self, name: str) -> Packed:
        path = self._file_of(name)
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
            RESULTS.unpack(result)
        except (KeyError, TypeError, ValueError) as error:
            raise StudyFileError(f"File '{path}' holds no result of this release: {error}.") from error
        return result


@contextlib.contextmanager
def study_folder(folder: str | Path, study: Study, *, resume: bool) -> Iterator[StudyFolder]:
    """Claim a folder for a study, and keep other processes out of it for the length of a ``with`` block.

    A folder with the results of the study is only read, so that other processes are not kept out of it.

    Args:
        folder: new, empty, or of this study.
        study: whose results it is for.
        resume: whether to go on with finished jobs that an interrupted run has left.

    Raises:
        StudyFileError: where the folder holds something else, is in use, can't be written to, or holds finished jobs
            of this study that are not to be resumed.

    """
    path = _checks.path("folder", folder)
    claim_folder(path, study)
    claimed = StudyFolder(path, study)
    if claimed.is_finished:
        claimed.forget_jobs()  # if a kill has left any after the results were written
        yield claimed
        return
    with _locked(path):
        kept = 0 if claimed.is_finished else finished_jobs(path)
        if kept and not resume:
            raise StudyFileError(
                f"Output folder '{path}' holds {counted(kept, 'finished job')} of this study, which was interrupted: "
                "go on with --resume (resume=True), or choose another with --out."
            )
        yield claimed


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
    """Make ``folder`` that of a study, or refuse it where it holds something else.

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
        raise StudyFileError(f"Output folder '{folder}' can't be used: {reason(error)}.") from error


def write_dataset(path: Path, dataset: xr.Dataset) -> None:
    """Write a dataset as a netCDF file, made in memory since HDF5 doesn't survive a full disk."""
    write_atomically(path, lambda temporary: temporary.write_bytes(dataset.to_netcdf(engine="h5netcdf")))


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
        why = " ".join(str(error).split()) or type(error).__name__
        raise StudyFileError(f"Results '{path}' can't be read: {why}.") from error


def _same_study(folder: Path, study: Study) -> bool:
    try:
        text = (folder / STUDY_FILE).read_text(encoding="utf-8")
        return type(study).from_toml(text) == study
    except (ArgumentError, UnicodeDecodeError):
        return False


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which ends with the process that holds it, however that ends."""
    try:
        lock = FileLock(folder / LOCK_FILE, timeout=0).acquire()
    except Timeout:
        hint = "wait for it to end, or choose another with --out"
        raise StudyFileError(f"Output folder '{folder}' is in use by another process; {hint}.") from None
    except OSError as error:
        raise StudyFileError(f"Output folder '{folder}' can't be used: {reason(error)}.") from error
    with lock:
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # on Windows the lock itself removes its file
                (folder / LOCK_FILE).unlink()
