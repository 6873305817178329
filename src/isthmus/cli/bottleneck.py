"""The command about how wide the bottleneck should be: bottleneck."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus._words import interval, number
from isthmus.cli.commands import study_command
from isthmus.cli.options import NUMERICS, TRAINING, Flag, shared
from isthmus.cli.output import Running, describe_data, print_table, run_study

if TYPE_CHECKING:
    from isthmus.studies.bottleneck import BottleneckStudy
    from isthmus.studies.bottleneck_result import BottleneckResult

STOPS = {
    "max_horizon": Flag(
        TRAINING, float, "TIME", "Go on up to this time while the validation risk falls; by default 4 × horizon."
    ),
    "stop": Flag(TRAINING, str, "NAME", "validation (where that risk is lowest) or horizon."),
}
EFFORT = {
    "max_latent_dim": Flag(NUMERICS, int, None, "The largest dimension k of the bottleneck."),
    "method": Flag(NUMERICS, str, None, "horizon (the mean field at a time) or optimum (over measures)."),
    "splits": Flag(NUMERICS, int, None, "Random splits into points to train on and held out."),
}


@study_command(
    "isthmus.studies.bottleneck:BottleneckStudy",
    doing="solving bottlenecks of every dimension on random splits of the data.",
    example="isthmus bottleneck --data wine --max-latent-dim 4 --quick",
    flags=shared("activation", "weight_decay", "horizon") | STOPS | EFFORT,
)
def bottleneck(study: BottleneckStudy, running: Running) -> None:
    """Find how wide the bottleneck should be, and whether a network is better than PCA on points held out."""
    from isthmus.studies.bottleneck_result import bottleneck_curve

    _ = study.problems  # so that what is wrong with data or law is said before a folder is made
    describe_data(study, running.quiet, study.raw)
    run_study(study, bottleneck_curve, running, print_tables=_print_curve)


def _print_curve(result: BottleneckResult) -> None:
    others = ("training_risk", "pca_held_out_risk", "pca_training_risk")

    def row(k: int) -> list[str]:
        held_out = result.estimate("held_out_risk", k)
        means = [number(result.estimate(name, k).value) for name in others]
        return [str(k), number(held_out.value), interval(held_out.lower, held_out.upper), *means]

    headings = ("k", "held out", "95 % CI", "training", "PCA held out", "PCA training")
    print_table("Mean risk ½E‖x − x̂‖² over splits", headings, map(row, result.study.latent_dims))
