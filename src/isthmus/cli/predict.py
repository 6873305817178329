"""The command about networks that need no training: predict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus._words import number, setting
from isthmus.cli.commands import study_command
from isthmus.cli.options import TRAINING, Flag, shared
from isthmus.cli.output import Running, describe_data, print_table, run_study

if TYPE_CHECKING:
    from isthmus.studies.prediction_result import PredictionResult
    from isthmus.studies.prediction_study import PredictionStudy

TOLERANCE = Flag(TRAINING, float, "RISK", "Also say how wide networks keep their sup-gap within this, as in 0.01.")


@study_command(
    "isthmus.studies.prediction_study:PredictionStudy",
    doing="predicting how far finite networks stray from their infinite-width limit, without training any.",
    example="isthmus predict --data wine --widths 64,256 --tolerance 0.01 --quick",
    flags=shared("latent_dim", "activation", "law", "strength", "widths", "step_sizes", "batch_size", "sampling")
    | shared("horizon", "records", "confidence", "particles")
    | {"tolerance": TOLERANCE},
)
def predict(study: PredictionStudy, running: Running) -> None:
    """Predict the risk curves of finite networks from one mean-field solve, without training any of them."""
    from isthmus.studies.prediction_result import predict as run

    problem = study.problem  # so that what is wrong with the data or the law is said before a folder is made
    problem.require_predictable("study")
    describe_data(study, running.quiet, problem.data)
    run_study(study, run, running, print_tables=_print_gaps)


def _print_gaps(result: PredictionResult) -> None:
    study = result.study
    rows = (
        [f"{width:,}", setting(step_size) if step_size else "gradient flow", number(result.quantile(width, step_size))]
        for width in study.widths
        for step_size, _ in study.dynamics
    )
    title = f"Predicted {result.asked_share} quantile of the sup-gap max |R_N(t) − R(t)|"
    print_table(title, ("width", "step size", "sup-gap"), rows)
