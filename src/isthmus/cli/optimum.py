"""The command about what infinitely wide and finite networks can do: optimum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.cli.commands import study_command
from isthmus.cli.options import NUMERICS, Flag, shared
from isthmus.cli.output import Running, describe_data, run_study

if TYPE_CHECKING:
    from isthmus.studies.expressivity import ExpressivityStudy


@study_command(
    "isthmus.studies.expressivity:ExpressivityStudy",
    doing="finding the best infinitely wide autoencoder, and how close finite ones come.",
    example="isthmus optimum --data wine --latent-dim 2 --weight-decay 0.003 --quick",
    flags=shared("latent_dim", "activation", "weight_decay", "widths")
    | {"radius": Flag(NUMERICS, float, None, "Keep neurons in a ball of this radius.")},
)
def optimum(study: ExpressivityStudy, running: Running) -> None:
    """Find the best infinitely wide autoencoder, certify it, and say how close networks of each width come."""
    from isthmus.studies.expressivity_result import expressivity_curve

    describe_data(study, running.quiet, study.problem.data)  # what is wrong with it is said before a folder is made
    run_study(study, expressivity_curve, running)
