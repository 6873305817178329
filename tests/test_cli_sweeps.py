"""Studies on the command line that are interrupted, killed and resumed, in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr

import isthmus as im
from isthmus._words import counted

STUDY = """
widths = [32, 16]
step_sizes = [0.25]
horizon = 2.0
records = 4
runs = 6
flow_runs = 3
particles = 32
law_particles = 32
law_samples = 2
[data]
source = "wine"
"""
COMMAND = (sys.executable, "-m", "isthmus", "track", "study.toml", "--quiet", "--json", "--out")
SECONDS = 10
"""In which an interrupted command must have ended, on a machine that does other things too."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The folder in which the study ran undisturbed, on threads."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "study.toml").write_text(STUDY)
    subprocess.run([*COMMAND, "out"], cwd=folder, check=True, capture_output=True)
    return folder / "out"


def begun(folder: Path, *options: str) -> subprocess.Popen:
    """Start the study, and return it as soon as a job is finished."""
    (folder / "study.toml").write_text(STUDY)
    process = subprocess.Popen(
        [*COMMAND, "out", *options], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 240
    while not list((folder / "out" / "jobs").glob("[!.]*.npz")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)
    return process


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()
    return [int(child) for child in found]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def resumed(folder: Path, *options: str) -> xr.Dataset:
    done = subprocess.run([*COMMAND, "out", "--resume", *options], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["folder"] == "out"
    return im.load_result(folder / "out").dataset


@pytest.mark.parametrize("workers", [(), ("--workers", "2")])
def test_an_interrupt_ends_within_seconds_and_says_how_to_go_on(workers, whole, tmp_path):
    process = begun(tmp_path, *workers)
    below = children(process.pid)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - start < SECONDS
    kept = len(list((tmp_path / "out" / "jobs").glob("[!.]*.npz")))
    assert (process.returncode, out) == (130, "")
    jobs = counted(kept, "finished job")
    verb = "is" if kept == 1 else "are"
    assert err == f"Interrupted; {jobs} {verb} kept in 'out': the same command with --resume goes on.\n"
    time.sleep(1)
    assert not any(map(is_running, below))
    refused = subprocess.run([*COMMAND, "out"], cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode == 2 and f"holds {jobs} of this study" in refused.stderr
    xr.testing.assert_identical(resumed(tmp_path), im.load_result(whole).dataset)


def test_a_killed_study_leaves_no_process_and_goes_on_with_any_number_of_workers(whole, tmp_path):
    process = begun(tmp_path, "--workers", "2")
    below = children(process.pid)
    assert len(below) >= 2
    process.kill()
    process.communicate()
    deadline = time.monotonic() + SECONDS
    while any(map(is_running, below)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, below))
    xr.testing.assert_identical(resumed(tmp_path, "--workers", "3"), im.load_result(whole).dataset)


def test_a_killed_worker_is_one_line_and_the_study_goes_on(whole, tmp_path):
    process = begun(tmp_path, "--workers", "2")
    names = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(process.pid)}
    workers = [pid for pid, name in names.items() if b"spawn_main" in name]
    os.kill(workers[0], signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err.startswith("Error: A worker died while it computed") and err.count("\n") == 1
    xr.testing.assert_identical(resumed(tmp_path), im.load_result(whole).dataset)


def test_a_dask_cluster_finds_the_same_bits(whole, tmp_path):
    import distributed

    (tmp_path / "study.toml").write_text(STUDY)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        options = ["out", "--dask", cluster.scheduler_address]
        done = subprocess.run([*COMMAND, *options], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    xr.testing.assert_identical(im.load_result(tmp_path / "out").dataset, im.load_result(whole).dataset)
