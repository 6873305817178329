"""How long a study will take: against a clock that the tests turn, and against jobs that are done."""

import pytest
from toy import ToyJobs, ToyStudy, run_toy

from isthmus.studies.forecast import Forecast
from isthmus.studies.jobs import Job


class Clock:
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def simulated(slowness: float, workers: int, jobs: int = 40, told: bool = False) -> list[tuple[float, float, float]]:
    """Return share, forecast and truth of what is left as jobs of 10 s end that take ``slowness`` times as long."""
    clock = Clock()
    work = [Job(f"job-{index}", "stage", seconds=10.0) for index in range(jobs)]
    forecast = Forecast(work, workers, clock=clock)
    seen = []
    for first in range(0, jobs, workers):
        batch = work[first : first + workers]
        for job in batch:
            forecast.begin(job)
        for part in (1, 2, 3):
            clock.now += 10 * slowness / 4
            if told:
                for job in batch:
                    forecast.advance(job, part / 4)
            left = 10 * slowness * (jobs - first) / workers - 10 * slowness * part / 4
            seen.append((forecast.share, forecast.remaining, left))
        clock.now += 10 * slowness / 4
        for job in batch:
            forecast.end(job)
    assert (forecast.share, forecast.remaining) == (1.0, 0.0)
    return seen


def test_before_anything_is_done_it_is_what_was_estimated():
    forecast = Forecast([Job("a", "s", seconds=30.0), Job("b", "s", seconds=10.0)], 2, clock=Clock())
    assert (forecast.share, forecast.remaining) == (0.0, 20.0)
    assert Forecast([], 2).share == 1.0 and Forecast([], 2).remaining == 0.0


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("slowness", [0.25, 1.0, 4.0])
def test_it_learns_how_much_slower_or_faster_jobs_are_than_was_estimated(slowness, workers, told):
    seen = simulated(slowness, workers, told=told)
    assert [share for share, _, _ in seen] == sorted(share for share, _, _ in seen)
    halfway = [(left, truth) for share, left, truth in seen if 0.5 < share < 0.95]
    assert len(halfway) > 10
    for left, truth in halfway:
        assert left == pytest.approx(truth, rel=0.25)  # what is left of the prior, and what a running job doesn't tell
    first = seen[0]
    assert abs(first[1] - first[2]) >= abs(halfway[-1][0] - halfway[-1][1])


class Watching:
    """What a watcher is told."""

    def __init__(self) -> None:
        self.forecast: Forecast | None = None
        self.shares: list[float] = []
        self.stages: list[tuple[str, int, int]] = []

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.stages.append((stage, done, total))

    def begin(self, forecast: Forecast) -> None:
        assert self.forecast is None and not self.stages
        self.forecast = forecast

    def tick(self) -> None:
        assert self.forecast is not None
        self.shares.append(self.forecast.share)


def test_a_study_tells_its_watcher_what_it_will_do_and_how_far_it_is():
    watching = Watching()
    run_toy(ToyStudy(count=5), progress=watching, workers=2)
    assert watching.forecast is not None
    assert set(watching.forecast.jobs) == set(ToyJobs(ToyStudy(count=5)).jobs())
    assert (watching.forecast.workers, watching.forecast.kept) == (2, 0)
    assert (watching.forecast.share, watching.forecast.remaining) == (1.0, 0.0)
    assert watching.shares == sorted(watching.shares) and 0 < watching.shares[-1] <= 1
    assert watching.stages[-1] == ("sum", 1, 1) and ("draws", 10, 10) in watching.stages


def test_jobs_of_an_earlier_run_are_kept_and_no_part_of_what_is_left(tmp_path):
    from isthmus.studies.engine import Execution, run_jobs
    from isthmus.studies.folder import study_folder
    from isthmus.studies.packing import RESULTS

    study = ToyStudy(count=4)
    with study_folder(tmp_path, study, resume=False) as folder:
        for name in ("draw-0", "draw-2"):
            folder.write(name, RESULTS.pack(ToyJobs(study).result(Job(name, "draws"), {}, 1, None)))
        watching = Watching()
        run_jobs(ToyJobs(study), Execution(1, progress=watching), folder)
    assert watching.forecast is not None and watching.forecast.kept == 2
    assert sorted(job.name for job in watching.forecast.jobs) == ["draw-1", "draw-3", "sum"]
