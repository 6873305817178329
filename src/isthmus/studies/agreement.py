"""Whether the runs of a study agree with the law predicted from its mean field, over all of its networks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from scipy.stats import kstest

from isthmus._words import counted, listed, number, percent, setting, whole
from isthmus.studies.contents import Variable, labelled
from isthmus.studies.gaps import GAPS
from isthmus.theory.prediction import COMPARABLE

SIGNIFICANCE = 0.05
"""Below this probability of so large a difference by chance, over all tests together, runs don't agree."""
TESTED = {
    "gap": "agreement",
    "flow_gap": "flow_agreement",
    "late_gap": "late_agreement",
    "late_flow_gap": "late_flow_agreement",
}
"""Gaps that are tested, and the variables of their p-values."""
P_VALUES = {
    variable: Variable(GAPS[name].dims, f"p-value of the {GAPS[name].what} under its predicted law", optional=True)
    for name, variable in TESTED.items()
}


def agreement(draws: Mapping[str, np.ndarray], *gaps: Mapping[str, np.ndarray]) -> dict[str, tuple]:
    """Return the probability that gaps of the predicted law lie so far from it as those of the runs do (KS test).

    Args:
        draws: of the predicted law in increasing order, by name, shapes (networks..., draws).
        gaps: of the runs, by name, shapes (networks..., runs), to each mean field that its error leaves possible: the
            probability is the largest over these.

    """

    def probability(samples: np.ndarray, ordered: np.ndarray) -> float:
        return float(kstest(samples, lambda x: np.searchsorted(ordered, x, side="right") / len(ordered)).pvalue)

    def largest(name: str) -> np.ndarray:
        shape = gaps[0][name].shape[:-1]
        values = [max(probability(each[name][i], draws[name][i]) for each in gaps) for i in np.ndindex(shape)]
        return np.reshape(values, shape)

    tested = {TESTED[name]: largest(name) for name in TESTED if name in gaps[0] and name in draws}
    return labelled(P_VALUES, tested)


def agreement_verdicts(data: xr.Dataset, level: float) -> list[str]:
    """Return, in sentences, whether all measured gaps agree with the predicted ones, and where to be careful.

    Args:
        data: the dataset of a tracking study.
        level: of the quantiles whose measured and predicted values are compared.

    """
    tested = [name for name, variable in TESTED.items() if variable in data]
    if not tested:
        return []
    probabilities = np.concatenate([data[TESTED[name]].values.ravel() for name in tested])
    ratios = np.concatenate([_ratios(data, name, level) for name in tested])
    smallest, threshold = float(probabilities.min()), SIGNIFICANCE / len(probabilities)
    misfits = [TESTED[name] for name in tested if (data[TESTED[name]] < threshold).any()]
    at = sorted({int(n) for name in misfits for n in data.width.values[_at_widths(data[name] < threshold)]})
    verdict = f"does not fit the runs at N = {listed([whole(n) for n in at])}" if at else "fits the runs"
    networks, flows = data.agreement.size, data.flow_agreement.size
    spans = "sup-gaps and late gaps" if "late_gap" in tested else "sup-gaps"
    return [
        f"The law predicted from the mean field alone {verdict}: over {counted(networks, 'combination')} of width and "
        f"step size and {counted(flows, 'width')} of gradient flow, the smallest of {len(probabilities)} "
        f"Kolmogorov–Smirnov p-values ({spans}, R(t) within its error) is {number(smallest, 2)}, where "
        f"{number(threshold, 2)} is the threshold after Bonferroni. Measured {quantile_name(level)} are "
        f"{number(ratios.min(), 2)} to {number(ratios.max(), 2)} times the predicted ones.",
        *bias_caution(largest_ratios(data), "predicted bias"),
    ]


def quantile_name(level: float) -> str:
    """Return what the quantiles of a level are called."""
    return "medians" if level == 0.5 else f"{percent(level, 6)} quantiles"


def dynamics_in_words(step_size: float, batch_size: int) -> str:
    """Return what the dynamics of networks is called: gradient flow where the step size is 0."""
    if step_size == 0:
        return "gradient flow"
    return f"SGD with step size {setting(step_size)} and batches of {whole(batch_size)}"


def _at_widths(marked: xr.DataArray) -> np.ndarray:
    return marked.any([dim for dim in marked.dims if dim != "width"]).values


def _ratios(data: xr.Dataset, name: str, level: float) -> np.ndarray:
    measured = data[f"{name}_quantile"].sel(level=level, bound="estimate")
    return (measured / data[f"predicted_{name}_quantile"].sel(level=level)).values.ravel()


def bias_caution(ratios: Mapping[int, float], bias: str = "bias", remedy: str = "") -> list[str]:
    """Return a sentence on the widths at which the predicted mean shift is too large for leading order, if any.

    Args:
        ratios: of the mean shift to the fluctuation, by width.
        bias: what the mean shift is called.
        remedy: ends the sentence.

    """
    large = sorted(width for width, ratio in ratios.items() if ratio > COMPARABLE)
    if not large:
        return []
    return [
        f"At N = {listed([whole(width) for width in large])} the {bias} is up to {number(max(ratios.values()), 2)} "
        "standard deviations (root mean square over time); the leading-order prediction may be off "
        f"there{remedy}."
    ]


def largest_ratios(data: xr.Dataset) -> dict[int, float]:
    """Return the largest ratio of mean shift to fluctuation over step sizes, by width."""
    largest = data.shift_ratio.max("step_size")
    return {int(width): float(ratio) for width, ratio in zip(largest.width.values, largest.values, strict=True)}
