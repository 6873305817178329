"""The command about how wide is wide enough: width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus._words import interval, number, percent
from isthmus.cli.commands import study_command
from isthmus.cli.options import NUMERICS, TRAINING, Flag, shared
from isthmus.cli.output import Running, describe_data, print_table, run_study

if TYPE_CHECKING:
    from isthmus.studies.width import WidthStudy
    from isthmus.studies.width_result import Checked, WidthResult

QUESTION = {
    "tolerance": Flag(TRAINING, float, "RISK", "How far the risk may be from that of infinite width."),
    "confidence": Flag(TRAINING, float, "FRACTION", "Share of networks that are to stay within it."),
}
RUNS = Flag(NUMERICS, int, "RUNS", "Networks trained at the width, and at half of it.")


@study_command(
    "isthmus.studies.width:WidthStudy",
    doing="finding the smallest width whose risk stays within a tolerance of infinite width.",
    example="isthmus width --data wine --tolerance 0.02 --quick",
    flags=QUESTION
    | shared("latent_dim", "activation", "law", "strength", "horizon", "step_size", "batch_size", "records")
    | {"runs": RUNS}
    | shared("particles"),
)
def width(study: WidthStudy, running: Running) -> None:
    """Find the smallest width whose risk stays within a tolerance of infinite width, and train networks to check it."""
    from isthmus.studies.width_search import find_width

    problem = study.problem  # so that what is wrong with the data or the law is said before a folder is made
    problem.require_predictable("study")
    describe_data(study, running.quiet, problem.data)
    run_study(study, find_width, running, print_tables=_print_widths)


def _print_widths(result: WidthResult) -> None:
    from isthmus.studies.statistics import CONFIDENCE

    def row(checked: Checked) -> list[str]:
        quantile, share = checked.quantile, f"{checked.inside:,} of {checked.runs:,}"
        bounds = interval(quantile.lower, quantile.upper) if quantile.has_interval else "too few runs"
        return [f"{checked.width:,}", share, number(quantile.value), bounds, number(checked.predicted_quantile)]

    title = f"{result.asked_share} quantile of the sup-gap max |R_N(t) − R(t)|"
    headings = ("width", "within the tolerance", "sup-gap", f"{percent(CONFIDENCE)} CI", "predicted")
    print_table(title, headings, [row(result.half), row(result.recommended)])
