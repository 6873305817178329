"""What is shown while a study runs, on standard error: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from isthmus._words import counted
from isthmus.cli.app import say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from isthmus.studies.forecast import Forecast

PERIOD = 10.0
"""The longest time between two lines, in seconds, where there is no terminal."""
SOONEST = 3.0
"""The shortest time between two lines, in seconds, however much of the study is done in it."""
WHOLE = "all"
"""The name of the bar of the whole study."""
Returned = TypeVar("Returned")


def with_progress(task: Callable[[Bars | Lines | None], Returned], quiet: bool) -> Returned:
    """Run ``task(progress)``, and show how far it is and how long it will take."""
    if quiet:
        return task(None)
    from rich.console import Console

    console = Console(stderr=True)
    display = Bars(console) if console.is_terminal else Lines()
    try:
        return task(display)
    finally:
        display.close()


def duration(seconds: float) -> str:
    """Return about how long something takes, in words.

    Example:
        >>> duration(3), duration(42), duration(150), duration(700), duration(9000)
        ('a few seconds', 'about 40 s', 'about 2 minutes', 'about 12 minutes', 'about 2.5 hours')

    """
    if seconds < 8:
        return "a few seconds"
    if seconds < 120:
        return f"about {5 * round(seconds / 5)} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.2g} hours"


def plan(forecast: Forecast) -> str:
    """Return what is about to be done and how long it will take, as a sentence."""
    done = f"{counted(forecast.kept, 'job')} kept from an earlier run; " if forecast.kept else ""
    cores = counted(forecast.workers, "core")
    return f"{done}{counted(len(forecast.jobs), 'job')} to do, {duration(forecast.remaining)} on {cores}."


class Lines:
    """Progress where there is no terminal: the plan, then a line every few seconds or tenth of the study."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._forecast: Forecast | None = None
        self._said, self._tenth, self._noted = clock(), 0, ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Say how far the study is, where it is time; what was noted ends with its stage."""
        if done == total:
            self._noted = ""
        self.tick()

    def note(self, text: str) -> None:
        """Say what has been found so far, with the next lines of the stage."""
        self._noted = text

    def begin(self, forecast: Forecast) -> None:
        """Say what is about to be done."""
        self._forecast = forecast
        say(plan(forecast))

    def tick(self) -> None:
        """Say how far the study is, where it is time."""
        forecast = self._forecast
        if forecast is None:
            return
        since, tenth = self._clock() - self._said, int(10 * forecast.share)
        if since >= PERIOD or (since >= SOONEST and tenth > self._tenth):
            self._said, self._tenth = self._clock(), tenth
            stages = "; ".join(forecast.stages)
            noted = f" ({self._noted})" if self._noted else ""
            left = f"{duration(forecast.remaining)} left"
            say(f"{100 * forecast.share:.0f} %, {left}{': ' if stages else ''}{stages}{noted}")

    def close(self) -> None:
        """End; what comes next says that the study is done."""


class Bars:
    """Progress on a terminal: a bar for the study with the time that is left, and one for each stage."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (TextColumn("{task.description:<38}"), BarColumn(24), TextColumn("{task.fields[note]}"))
        self._bars = Progress(*columns, console=console)
        self._stages: dict[str, TaskID] = {}
        self._forecast: Forecast | None = None
        self._noted = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Note how far a stage is."""
        noted, self._noted = self._noted, ""
        self._show(stage, done, total, f"{done}/{total}{': ' if noted else ''}{noted}")
        self.tick()

    def note(self, text: str) -> None:
        """Show what has been found so far beside the bar of the stage that comes on next."""
        self._noted = text

    def begin(self, forecast: Forecast) -> None:
        """Say what is about to be done, and start the bar of the whole."""
        self._forecast = forecast
        self._bars.console.print(plan(forecast), highlight=False)
        self.tick()

    def tick(self) -> None:
        """Move the bar of the whole."""
        if self._forecast is not None:
            self._show(WHOLE, self._forecast.share, 1, f"{duration(self._forecast.remaining)} left")

    def close(self) -> None:
        """Leave the bars as they are."""
        if self._stages:
            self._bars.stop()

    def _show(self, stage: str, done: float, total: float, note: str) -> None:
        if not self._stages:  # and not before, so that what is refused leaves one line alone
            self._bars.start()
        if stage not in self._stages:
            self._stages[stage] = self._bars.add_task(stage, total=total, note=note)
        self._bars.update(self._stages[stage], completed=done, total=total, note=note)
