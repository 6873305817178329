"""The engine: the same numbers whoever does the jobs in whatever order, and nothing that is finished is ever lost."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import toy
import xarray as xr
from toy import ToyJobs, ToyStudy, kept, run_toy

import isthmus as im
from isthmus.studies import executors
from isthmus.studies.engine import compile_first
from isthmus.studies.executors import dask_cluster, pool_of_processes
from isthmus.studies.folder import read_dataset, study_folder, write_dataset
from isthmus.studies.jobs import Job

SYSTEMS = Path(toy.__file__).parent


@pytest.fixture(autouse=True)
def nothing_done():
    toy.DONE.clear()


@pytest.fixture(scope="module")
def expected() -> xr.Dataset:
    """What the jobs of the toy draw, without any engine."""
    draws = np.stack([np.random.default_rng([0, index]).standard_normal(50) for index in range(12)])
    return xr.Dataset({"draw": (("index", "place"), draws), "sum": ("place", np.add.reduce(draws))})


class Shuffled(Executor):
    """An executor that does one of the tasks it holds at random, as soon as nobody has sent one for a moment."""

    def __init__(self) -> None:
        self.tasks, self.random, self.order = [], random.Random(1), []

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        self.tasks.append((future, fn))
        threading.Timer(0.005, self._one).start()
        return future

    def _one(self) -> None:
        future, task = self.tasks.pop(self.random.randrange(len(self.tasks)))
        future.set_result(task())


@pytest.mark.parametrize("workers", [1, 3, 40])
def test_threads_find_what_the_jobs_say(workers, expected):
    found = run_toy(ToyStudy(), workers=workers)
    np.testing.assert_array_equal(found.draw, expected.draw)
    np.testing.assert_allclose(found["sum"], expected["sum"], rtol=1e-14)


@pytest.mark.parametrize("executor", [lambda: ThreadPoolExecutor(2), Shuffled])
def test_any_executor_finds_the_same_bits(executor):
    with executor() as pool:
        xr.testing.assert_identical(run_toy(ToyStudy(), executor=pool, workers=4), run_toy(ToyStudy(), workers=1))


def test_processes_find_the_same_bits_and_a_dead_one_is_an_error_with_a_remedy(tmp_path):
    with pool_of_processes(2) as pool:
        xr.testing.assert_identical(run_toy(ToyStudy(), executor=pool), run_toy(ToyStudy()))
        study = ToyStudy(dies="draw-7", seed=1)
        with pytest.raises(im.WorkerError, match="A worker died while it computed.*go on with resume"):
            run_toy(study, executor=pool, workers=1, folder=tmp_path / "out")
    assert "draw-7" not in kept(tmp_path / "out")


def test_an_executor_that_is_none_is_refused():
    with pytest.raises(im.ArgumentTypeError, match="'executor' must be"):
        run_toy(ToyStudy(), executor="threads")


def test_finished_jobs_are_not_done_again(tmp_path):
    with pytest.raises(im.NumericalError, match="^job draw-7 failed$"):
        run_toy(ToyStudy(fails="draw-7"), workers=1, folder=tmp_path / "out")
    finished = kept(tmp_path / "out")
    assert 0 < len(finished) < 12 and "sum" not in finished
    text = (tmp_path / "out" / "study.toml").read_text().replace('fails = "draw-7"', 'fails = ""')
    (tmp_path / "out" / "study.toml").write_text(text)
    for path in (tmp_path / "out" / "jobs").glob("*.npz"):
        rewritten(path, study=text)
    toy.DONE.clear()
    with pytest.raises(im.StudyFileError, match=rf"holds {len(finished)} finished jobs.* go on with --resume"):
        run_toy(ToyStudy(), folder=tmp_path / "out")
    assert toy.DONE == []
    found = run_toy(ToyStudy(), folder=tmp_path / "out", resume=True)
    assert sorted([*toy.DONE, *finished]) == sorted(job.name for job in ToyJobs(ToyStudy()).jobs())
    xr.testing.assert_identical(found, run_toy(ToyStudy()))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["results.nc", "study.toml"]


def rewritten(path: Path, **values: object) -> None:
    """Write a job's file again with other values in its header, and a checksum that fits."""
    from isthmus._files import read_arrays, write_arrays
    from isthmus.studies.folder import KIND, VERSION

    old, arrays = read_arrays(path, KIND, VERSION)
    write_arrays(path, KIND, VERSION, old | values, arrays)


def test_a_finished_study_is_read_and_not_done_again(tmp_path):
    first = run_toy(ToyStudy(), folder=tmp_path / "out")
    toy.DONE.clear()
    before = (tmp_path / "out" / "results.nc").stat()
    for resume in (True, False):
        xr.testing.assert_identical(run_toy(ToyStudy(), folder=tmp_path / "out", resume=resume), first)
    assert toy.DONE == []
    after = (tmp_path / "out" / "results.nc").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_results_of_another_format_are_neither_shown_nor_overwritten(tmp_path):
    first = run_toy(ToyStudy(), folder=tmp_path / "out")
    write_dataset(tmp_path / "out" / "results.nc", first.assign_attrs(format=0))
    with pytest.raises(im.StudyFileError, match="results.nc' are not of format .* delete them to compute them again"):
        run_toy(ToyStudy(), folder=tmp_path / "out")
    assert read_dataset(tmp_path / "out" / "results.nc").attrs["format"] == 0


@pytest.fixture
def interrupted(tmp_path) -> Path:
    """The folder of a study with some finished jobs."""
    study = ToyStudy(count=3)
    with study_folder(tmp_path / "out", study, resume=False) as folder:
        jobs = ToyJobs(study)
        from isthmus.studies.packing import RESULTS

        for job in jobs.jobs()[:2]:
            folder.write(job.name, RESULTS.pack(jobs.result(job, {}, 1, None)))
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "is damaged, or no file of a job"),
        (lambda path: path.write_bytes(b""), "is damaged, or no file of a job"),
        (lambda path: path.write_bytes(b"a letter"), "is damaged, or no file of a job"),
        (lambda path: np.savez(path, numbers=np.ones(3)), "is damaged, or no file of a job"),
        (lambda path: path.write_bytes(path.with_name("draw-0.npz").read_bytes()), "is a job of another study"),
        (lambda path: rewritten(path, study="count = 4"), "is a job of another study; delete it"),
        (lambda path: rewritten(path, isthmus="0.0.1"), "was computed by Isthmus 0.0.1, and this is"),
        (lambda path: rewritten(path, result={"kind": "os.system", "fields": {}}), "holds no result of this release"),
        (lambda path: rewritten(path, result={"array": "9", "number": True}), "holds no result of this release"),
        (lambda path: rewritten(path, result={"kind": "Status", "fields": {"x": 1}}), "holds no result of this"),
    ],
)
def test_a_truncated_or_foreign_job_is_refused_by_name(harm, message, interrupted):
    path = interrupted / "jobs" / "draw-1.npz"
    harm(path)
    before = path.read_bytes()
    with pytest.raises(im.StudyFileError, match=rf"^File '.*draw-1\.npz' {message}"):
        run_toy(ToyStudy(count=3), folder=interrupted, resume=True)
    assert path.read_bytes() == before
    path.unlink()
    xr.testing.assert_identical(run_toy(ToyStudy(count=3), folder=interrupted, resume=True), run_toy(ToyStudy(count=3)))


@pytest.fixture(scope="module")
def harmed(tmp_path_factory) -> Callable[[str], tuple[Path, list[str]]]:
    """Return the function of a harm's name that returns its folder, and the lines that it has printed."""
    folder = tmp_path_factory.mktemp("harmed")
    command = [sys.executable, "-W", "ignore", str(SYSTEMS / "harm.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    _, *parts = re.split("^# ", done.stdout, flags=re.MULTILINE)
    printed = {name: lines for name, *lines in (part.splitlines() for part in parts)}
    return lambda name: (folder / name, printed[name])


def test_fifty_kills_at_random_moments_change_no_bit(harmed):
    folder, [line] = harmed("kills")
    hits, *places = line.split()
    assert int(hits) >= 50
    whole = (folder / "undisturbed" / "results.nc").read_bytes()
    assert all((folder / place / "results.nc").read_bytes() == whole for place in places)


def test_a_full_disk_is_one_error_that_names_the_file_and_leaves_what_was_there(harmed):
    folder, (message, code) = harmed("small_disk")
    assert (code, kept(folder)) == ("3", [])
    assert message.startswith(f"File '{folder}/jobs/draw-0.npz' can't be written: ")
    study = ToyStudy(count=3, pause=0.001)
    xr.testing.assert_identical(run_toy(study, folder=folder, resume=True), run_toy(study))


def test_a_read_only_folder_is_refused_by_name(harmed):
    folder, (message, code) = harmed("read_only")
    assert code == "3"
    assert message.startswith(f"Output folder '{folder}' can't be used: ") or "can't be written" in message


def test_two_processes_do_not_share_a_folder(harmed):
    folder, (message, second, after) = harmed("two_at_once")
    assert message.startswith(f"Output folder '{folder}' is in use by another process; wait for it to end")
    assert (second, after) == ("3", "0")


def test_what_a_killed_write_has_left_keeps_nobody_out(tmp_path):
    place = tmp_path / "out"
    place.mkdir()
    (place / ".study-ab_c1234.toml").write_text("half of a st")
    (place / ".results-ab_c1234.nc").write_bytes(b"")
    run_toy(ToyStudy(count=1), folder=place)
    (tmp_path / ".study.toml").write_text("mine")
    with pytest.raises(im.StudyFileError, match="isn't empty and holds no study"):
        run_toy(ToyStudy(count=1), folder=tmp_path)


def test_progress_counts_each_stage_to_its_end():
    told = []
    run_toy(ToyStudy(), workers=3, progress=lambda *call: told.append(call))
    draws = [(done, total) for stage, done, total in told if stage == "draws"]
    assert draws == [(2 * count, 24) for count in range(1, 13)]


def test_the_first_of_each_compile_key_comes_first_and_then_key_by_key():
    jobs = [Job(name, "", compile_key=name[0]) for name in ("a1", "a2", "b1", "b2", "a3")] + [Job("alone", "")]
    assert [job.name for job in compile_first(jobs)] == ["a1", "b1", "alone", "a2", "a3", "b2"]


def test_a_study_arrives_in_another_process_once():
    import pickle

    study = ToyStudy(count=5)
    one, two = (pickle.loads(pickle.dumps(study)) for _ in range(2))
    assert one == study and one is two


def test_no_cluster_is_an_error_that_names_the_address(monkeypatch):
    monkeypatch.setattr(executors, "PATIENCE", 0.5)
    refused = pytest.raises(im.WorkerError, match=r"No Dask scheduler answers at 'tcp://127\.0\.0\.1:1'")
    with refused, dask_cluster("tcp://127.0.0.1:1"):
        pass


@pytest.mark.slow
def test_a_dask_cluster_finds_the_same_bits_though_a_worker_is_killed():
    import distributed

    study = ToyStudy(pause=0.2)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        dask_cluster(cluster.scheduler_address) as (executor, jobs),
    ):
        assert jobs == 2
        executor.submit(len, "warm").result()
        killer = threading.Timer(0.7, os.kill, (cluster.workers[0].pid, signal.SIGKILL))
        killer.start()
        found = run_toy(study, executor=executor, workers=jobs)
        killer.join()
    xr.testing.assert_identical(found, run_toy(study))


def test_header_of_a_job_is_json(interrupted):
    with np.load(interrupted / "jobs" / "draw-0.npz", allow_pickle=False) as archive:
        header = json.loads(str(archive["header"]))
    assert header["values"]["job"] == "draw-0" and "sha256" in header
