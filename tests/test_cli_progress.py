"""What is shown while a study runs: how long it will take, and how far it is."""

import io

import pytest
from rich.console import Console

from isthmus.cli.progress import PERIOD, SOONEST, Bars, Lines, duration, plan, with_progress
from isthmus.studies.forecast import Forecast
from isthmus.studies.jobs import Job


class Clock:
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("seconds", [0.1, 3, 8, 12, 61, 89, 91, 600, 5000, 5400, 9000, 1e5])
def test_a_duration_in_words_is_near_the_truth(seconds):
    words = duration(seconds)
    if words == "a few seconds":
        assert seconds < 8
        return
    about, number, unit = words.split()
    assert about == "about" and unit in ("s", "minutes", "hours")
    said = float(number) * {"s": 1, "minutes": 60, "hours": 3600}[unit]
    assert said == pytest.approx(seconds, rel=0.25)


def test_the_plan_says_what_is_to_do_and_how_long_it_takes():
    jobs = [Job("a", "s", seconds=30.0), Job("b", "s", seconds=210.0)]
    assert plan(Forecast(jobs, 2, clock=Clock())) == "2 jobs to do, about 2 minutes on 2 cores."
    kept = plan(Forecast(jobs[:1], 1, kept=1, clock=Clock()))
    assert kept == "1 job kept from an earlier run; 1 job to do, about 30 s on 1 core."


def lines_of(capsys, tick: float, seconds: float) -> list[str]:
    """Return what is printed of four jobs of so many seconds each, when one looks each ``tick`` seconds."""
    clock = Clock()
    work = [Job(f"{index}", f"stage {index}", seconds=seconds) for index in range(4)]
    forecast, lines = Forecast(work, 1, clock=clock), Lines(clock)
    lines.begin(forecast)
    for job in work:
        forecast.begin(job)
        for _ in range(round(seconds / tick)):
            clock.now += tick
            lines.tick()
        forecast.end(job)
        lines(job.stage, 1, 1)
    lines.close()
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_what_was_noted_stands_on_the_lines_of_its_stage_alone(capsys):
    clock = Clock()
    work = [Job("a", "optimum", seconds=30.0), Job("b", "networks", seconds=30.0)]
    forecast, lines = Forecast(work, 1, clock=clock), Lines(clock)
    for job in work:
        forecast.begin(job)
        if job.stage == "optimum":
            lines.begin(forecast)
            lines.note("gap 0.04")
        clock.now += 2 * PERIOD
        lines.tick()
        forecast.end(job)
        lines(job.stage, 1, 1)
    _, first, *later = capsys.readouterr().err.splitlines()
    assert first.endswith("optimum (gap 0.04)") and later and not any("gap" in line for line in later)


def test_where_there_is_no_terminal_a_line_is_printed_now_and_then(capsys):
    first, *said = lines_of(capsys, 1.0, 50.0)
    assert first == "4 jobs to do, about 3 minutes on 1 core."
    assert 200 / PERIOD * 0.9 <= len(said) <= 200 / SOONEST
    shares = [int(line.split(" %, ")[0]) for line in said]
    assert shares == sorted(shares) and shares[-1] > 90
    for share, line in zip(shares, said, strict=True):
        assert f"left: stage {min(3, int(share / 25))}" in line or share % 25 == 0


def test_a_study_of_seconds_prints_its_plan_and_hardly_more(capsys):
    assert len(lines_of(capsys, 0.5, 1.0)) <= 3


def test_a_terminal_shows_the_whole_and_its_stages():
    file = io.StringIO()
    clock = Clock()
    work = [Job("a", "mean-field path", seconds=10.0), Job("b", "SGD, width 16", units=8, seconds=10.0)]
    forecast = Forecast(work, 1, clock=clock)
    bars = Bars(Console(file=file, force_terminal=True, width=80))
    bars.begin(forecast)
    for job in work:
        forecast.begin(job)
        clock.now += 10
        forecast.end(job)
        bars(job.stage, job.units, job.units)
    bars.close()
    shown = file.getvalue()
    assert "2 jobs to do, about 20 s on 1 core." in shown
    for part in ("all", "mean-field path", "SGD, width 16", "8/8", "about 10 s left"):
        assert part in shown


def test_quiet_shows_nothing(capsys):
    assert with_progress(lambda progress: progress, quiet=True) is None
    assert isinstance(with_progress(lambda progress: progress, quiet=False), Lines)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
