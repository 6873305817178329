"""The prediction study: what the law of finite networks says of the networks of a tracking study, without any run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from isthmus.dynamics.parallel import Progress
from isthmus.studies.job import Job
from isthmus.studies.prediction import predicted_law
from isthmus.studies.specification import Positive
from isthmus.studies.tracking import TrackingStudy


class PredictionStudy(TrackingStudy):
    """The law of the networks of a tracking study, from one mean-field solve.

    It has every key of a `TrackingStudy`, so that one file serves both; those of its runs change nothing.

    Example:
        >>> import isthmus as im
        >>> im.PredictionStudy(data={"source": "wine"}, widths=[64, 256], tolerance=0.01).widths
        (64, 256)

    """

    QUICK: ClassVar[Mapping[str, Any]] = {
        "data.max_points": 100,
        "records": 20,
        "particles": 512,
        "law_particles": 128,
        "law_samples": 8,
    }

    tolerance: Positive | None = Field(
        None, description="of the sup-gap max |R_N(t) − R(t)|: also say how wide networks stay within it"
    )

    @property
    def dynamics(self) -> tuple[tuple[float, int | None], ...]:
        """Step sizes, 0 first, each with its batch size (None for gradient flow)."""
        return (0.0, None), *((step_size, self.batch_size) for step_size in self.step_sizes)


@dataclass(frozen=True)
class PredictionWork:
    """What a prediction study has computed: the mean field, and the law of finite networks beside it.

    Attributes:
        study: what is asked.

    """

    study: PredictionStudy

    def jobs(self) -> list[Job]:
        """Return the jobs, one after the other."""
        return [
            Job("path", "mean-field path", tells=True, seconds=15.0),
            Job("law", "law of finite networks", needs=("path",), tells=True, seconds=40.0),
        ]

    def result(self, job: Job, given: Mapping[str, Any], workers: int, progress: Progress | None) -> Any:
        """Return the path, or the law."""
        if job.name == "path":
            return self.study.mean_field_path(workers, progress)
        return predicted_law(self.study, given["path"], workers, progress)
