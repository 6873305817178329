"""Harms done to a process in the middle of a study, as one program: each study runs in a forked child.

Each harm has a folder of its name in the one given, and prints its name before what it has to say.

Forking is safe here, and saves the imports, since the parent never computes with JAX.
"""

import os
import random
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

from toy import ToyStudy, run_toy

from isthmus._errors import StudyFileError

STUDY = {"count": 15, "pause": 0.001}
KILLS = 50


def child(action) -> int:
    """Start a process that does ``action`` and ends with 0, or 3 after an error of ours, whose message it prints."""
    pid = os.fork()
    if pid:
        return pid
    code = 0
    try:
        action()
    except StudyFileError as error:
        print(error, flush=True)
        code = 3
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """Wait for a process, and return its code, negative after a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kills(folder: Path) -> None:
    """Kill a study at random moments, again and again, and print how often it was hit and how many jobs were left."""
    chance = random.Random(0)
    hits, alone = 0, time.perf_counter()
    ended(child(lambda: run_toy(ToyStudy(**STUDY), folder=folder / "undisturbed")))
    alone = time.perf_counter() - alone
    left = []
    while hits < KILLS:
        place = folder / f"killed-{len(left)}"
        while not (place / "results.nc").exists():
            pid = child(lambda: run_toy(ToyStudy(**STUDY), folder=place, resume=True))  # noqa: B023
            time.sleep(chance.uniform(0, alone))
            os.kill(pid, signal.SIGKILL)
            hits += ended(pid) == -signal.SIGKILL
        left.append(place.name)
    print(hits, *left)


def small_disk(folder: Path) -> None:
    """Run out of space in the middle: files may not grow beyond what a few small ones need."""

    def action() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        run_toy(ToyStudy(**STUDY | {"count": 3}), folder=folder)  # claimed, with room
        (folder / "results.nc").unlink()
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
        run_toy(ToyStudy(**STUDY | {"count": 3}), folder=folder, workers=1)

    print(ended(child(action)))


def read_only(folder: Path) -> None:
    """Work in a folder that may be read but not written to."""
    folder.chmod(0o555)
    folder.parent.chmod(0o755)

    def action() -> None:
        if os.getuid() == 0:
            os.setuid(65534)  # root may write anywhere
        run_toy(ToyStudy(**STUDY), folder=folder)

    print(ended(child(action)))


def two_at_once(folder: Path) -> None:
    """Let a second process into a folder while the first is at work, and again after the first was killed."""
    first = child(lambda: run_toy(ToyStudy(count=4, pause=30.0), folder=folder))
    while not (folder / "study.toml").exists():
        time.sleep(0.01)
    time.sleep(0.3)
    print(ended(child(lambda: run_toy(ToyStudy(count=4, pause=30.0), folder=folder, resume=True))))
    os.kill(first, signal.SIGKILL)
    ended(first)
    print(ended(child(lambda: run_toy(ToyStudy(count=4), folder=folder.with_name("another")))))


HARMS = (kills, small_disk, read_only, two_at_once)

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as warm:
        run_toy(ToyStudy(count=1), folder=warm)  # so that the children find all imports done
    sys.stdout.reconfigure(line_buffering=True)  # pyright: ignore[reportAttributeAccessIssue]
    for harm in HARMS:
        print(f"# {harm.__name__}")
        (Path(sys.argv[1]) / harm.__name__).mkdir()
        harm(Path(sys.argv[1]) / harm.__name__)
