"""The prediction study: what the law of finite networks says of the networks of a tracking study, without any run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from pydantic import Field

from isthmus._errors import NumericalError
from isthmus.dynamics.parallel import Progress
from isthmus.studies.contents import MEAN_FIELD, Variable, labelled, mean_field_variables
from isthmus.studies.jobs import Job, StudyJobs
from isthmus.studies.prediction import LAW, law_tables, predicted_law
from isthmus.studies.specification import Positive
from isthmus.studies.study import named, provenance
from isthmus.studies.tracking import TrackingStudy
from isthmus.theory.finite_width_law import FiniteWidthLaw

CANDIDATES = 13
"""Widths at which the quantile of the sup-gap is kept, from a quarter of the smallest to four times the largest."""
WIDTHS = {
    "candidate_gap_quantile": Variable(("dynamics", "candidate"), "predicted quantile of the sup-gap at other widths"),
    "limit_gap_quantile": Variable(
        ("dynamics",), "predicted quantile of the sup-gap at infinite width: what steps and batches make"
    ),
    "halving_width": Variable(
        (), "width at which the quantile of the widest network at the smallest step size is halved, 0 for none"
    ),
    "wide_enough": Variable(("dynamics",), "smallest width within the tolerance, 0 for none"),
}
OPTIONAL_ERROR = MEAN_FIELD["mean_field_risk_error"]._replace(optional=True)
VARIABLES = MEAN_FIELD | {"mean_field_risk_error": OPTIONAL_ERROR} | LAW | WIDTHS
"""The variables of a prediction study; ``wide_enough`` is there where it has a tolerance."""


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


class PredictionJobs(StudyJobs[PredictionStudy]):
    """The jobs of a prediction study: the mean field, and then the law of finite networks."""

    def jobs(self) -> list[Job]:
        """Return the jobs, one after the other."""
        return [
            Job("path", "mean-field path", reports_progress=True, seconds=15.0),
            Job("law", "law of finite networks", needs=("path",), reports_progress=True, seconds=40.0),
        ]

    def result(self, job: Job, given: Mapping[str, Any], workers: int, progress: Progress | None) -> Any:
        """Return the path, or the law."""
        if job.name == "path":
            return self.study.mean_field_path(workers, progress)
        return predicted_law(self.study, given["path"], workers, progress)

    def dataset(self, results: Mapping[str, Any]) -> xr.Dataset:
        """Return what the law says of the networks of the study, and of other widths."""
        study, law, networks = self.study, results["law"], self.study.dynamics
        tables = law_tables(study, law)
        candidates = np.geomspace(max(1, min(study.widths) / 4), 4 * max(study.widths), CANDIDATES)
        candidates = np.union1d(np.rint(candidates).astype(int), study.widths)
        finest = networks[1 + int(np.argmin(study.step_sizes))]
        quantile = lambda width, network: law.gap_quantile(study.confidence, width, *network, sampling=study.sampling)
        values = {
            "candidate_gap_quantile": [[quantile(n, network) for n in candidates.tolist()] for network in networks],
            "limit_gap_quantile": [quantile(np.inf, network) for network in networks],
            "halving_width": width_within(study, law, quantile(max(study.widths), finest) / 2, *finest),
        }
        if study.tolerance is not None:
            values["wide_enough"] = [width_within(study, law, study.tolerance, *network) for network in networks]
        dataset = xr.Dataset(
            mean_field_variables(results["path"]) | tables["variables"] | labelled(WIDTHS, values),
            coords=study.coordinates | {"candidate": candidates, "influence_time": study.snapshot_times},
        )
        dynamics = ("dynamics", [step_size for step_size, _ in networks], named("step size, 0 for gradient flow"))
        return dataset.assign_coords(dynamics=dynamics).assign_attrs(
            provenance("isthmus prediction study", study, study.problem.data),
            pca_risk=study.problem.population.pca_risk(study.problem.latent_dim),
            relaxation_time=tables["relaxation_time"],
        )


def width_within(
    study: PredictionStudy, law: FiniteWidthLaw, tolerance: float, step_size: float, batch_size: int | None
) -> int:
    """Return the smallest width within a tolerance at the study's confidence, 0 where there is none.

    Args:
        study: the networks asked about.
        law: their law.
        tolerance: of the sup-gap.
        step_size, batch_size: 0 and None for gradient flow.

    """
    try:
        return law.width_for(tolerance, study.confidence, step_size, batch_size, sampling=study.sampling)
    except NumericalError:
        return 0
