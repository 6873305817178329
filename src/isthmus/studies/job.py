"""A part of a study that can be computed by itself."""

from __future__ import annotations

from typing import NamedTuple


class Job(NamedTuple):
    """A part of a study that can be computed by itself.

    Attributes:
        name: unique in its study; also that of its file.
        stage: under which name its progress is shown.
        needs: names of jobs whose results it takes.
        units: how much it adds to the progress of its stage.
        shape: jobs of one shape share their compiled programs.
        tells: whether it is alone in its stage, and tells its progress from the inside.
        seconds: about how long it takes on one core, compiling included: for the estimate of what is left.

    """

    name: str
    stage: str
    needs: tuple[str, ...] = ()
    units: int = 1
    shape: str = ""
    tells: bool = False
    seconds: float = 1.0
