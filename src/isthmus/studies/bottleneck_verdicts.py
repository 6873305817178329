"""What a bottleneck study says in words: what to use, and what speaks for and against it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isthmus._words import counted, interval, listed, number, percent, setting
from isthmus.studies.bottleneck_comparison import BottleneckComparison
from isthmus.studies.statistics import CONFIDENCE, Estimate

NEGLIGIBLE = 0.05
"""Risks that differ by a smaller share count as equal, and a smaller numerical error as of no account."""


def answer(result: BottleneckComparison) -> str:
    """Return what to use in one sentence: the network with the suggested k, or PCA."""
    if result.recommended == "network":
        k, ratio = result.suggested, result.against_pca(result.suggested)
        return (
            f"Use the network with k = {k}: its risk on held-out points is {result.estimate('held_out_risk', k)}, "
            f"{_relation(ratio)} that of PCA with {counted(k, 'component')} ({_bounds(ratio)})."
        )
    k = result.pca_components
    pca, network = (result.estimate(name, k) for name in ("pca_held_out_risk", "held_out_risk"))
    largest = result.study.max_latent_dim
    if result.wins:
        lower = f"the network's is significantly lower only at k = {spans(result.wins)}"
    elif largest > 1:
        lower = f"at no k from 1 to {largest} is the network's significantly lower"
    else:
        lower = "the network's is not significantly lower"
    return (
        f"Use PCA with {counted(k, 'component')}: its risk on held-out points is {pca}; {lower} (at k = {k} it is "
        f"{number(network.value)}{_against_that_of_pca(result.against_pca(k))})."
    )


def verdicts(result: BottleneckComparison) -> list[str]:
    """Return what else was found, in sentences."""
    return [
        *_why_pca(result),
        _against_pca(result),
        _choice_of_k(result),
        *_edge(result),
        *_pca_for_same_risk(result),
        *_stopping(result),
        _overfitting(result),
        _dimension(result),
        _numerical_error(result),
        f"Intervals are over {counted(result.study.splits, 'random split')} and account for the points that "
        "splits share (Nadeau and Bengio, 2003).",
    ]


def _choice_of_k(result: BottleneckComparison) -> str:
    best, sparing, k = result.best, result.sparing, result.suggested
    lowest = number(result.estimate("held_out_risk", best).value)
    said = f"The network's held-out risk is lowest at k = {best} ({lowest})"
    if sparing < best:
        said += f"; k = {sparing} is the smallest within one standard error of it ({result.excess(sparing)} above)"
    elif best > 1:
        said += f"; k = {best - 1} is more than one standard error above it ({result.excess(best - 1)})"
    if k != sparing:
        said += f", and k = {k} the smallest at which the network also beats PCA"
    return f"{said}."


def _against_pca(result: BottleneckComparison) -> str:
    """Say at which k the network is better than PCA, as good, and worse, by the intervals of the ratios."""
    level = [k for k in result.study.latent_dims if k not in result.wins and k not in result.losses]
    parts = []
    if result.wins:
        parts.append(f"significantly lower at k = {spans(result.wins)} ({_most(result, result.wins)})")
    if level:
        parts.append(f"not significantly different at k = {spans(level)}")
    if result.losses:
        parts.append(f"significantly higher at k = {spans(result.losses)} ({_most(result, result.losses)})")
    return f"Compared with PCA with as many components, the network's held-out risk is {listed(parts)}."


def _most(result: BottleneckComparison, dims: list[int]) -> str:
    """Say by how much network and PCA differ, and where there are several k, at which they differ most."""
    k = max(dims, key=lambda k: abs(np.log(result.against_pca(k).value)))
    where = f"most at k = {k}, " if len(dims) > 1 else ""
    return f"{where}{_relation(result.against_pca(k))}, {_bounds(result.against_pca(k))}"


def _why_pca(result: BottleneckComparison) -> list[str]:
    """Where PCA is recommended, say why the network is no better, and what to do about it."""
    if result.recommended == "network":
        return []
    k, ratio = result.suggested, result.against_pca(result.suggested)
    if ratio.value < 1:
        return [
            f"At k = {k} the network's held-out risk is {_relation(ratio)} PCA's, but the interval of their ratio, "
            f"{interval(ratio.lower, ratio.upper)}, holds 1: more splits or points would tell."
        ]
    risk, pca = (result.estimate(name, k).value for name in ("training_risk", "pca_training_risk"))
    risks = f"{number(risk)} against {number(pca)}"
    if risk < pca * (1 - NEGLIGIBLE):
        return [
            f"At k = {k} the network overfits: on points in training its risk is below PCA's ({risks}), on held-out "
            "points it is not. More points or weight decay may help."
        ]
    above = "is still above PCA's" if risk > pca * (1 + NEGLIGIBLE) else "is about PCA's"
    settled = _settled(result, k) and (result.study.validates or result.study.method == "optimum")
    remedies = [] if settled else [f"raise {'max_horizon' if result.study.validates else 'horizon'}"]
    if np.any(result.study.weight_decay):
        remedies.append("lower weight_decay")
    elif result.study.method == "optimum":
        remedies.append("raise radius, atoms or rounds")
    start = f"At k = {k} the network's training risk {above} ({risks})"
    if remedies:
        return [f"{start}: {' or '.join(remedies)} to change that."]
    return [f"{start}, and longer training does not help: it finds nothing in these points that PCA misses."]


def _edge(result: BottleneckComparison) -> list[str]:
    largest = result.study.max_latent_dim
    if (result.best if result.recommended == "network" else result.pca_components) < largest:
        return []
    return [f"k = {largest} is the largest k tried, and the risk may fall further: raise max_latent_dim to see."]


def _pca_for_same_risk(result: BottleneckComparison) -> list[str]:
    if result.recommended == "PCA":
        return []
    k, needed = result.suggested, result.pca_for_same_risk
    if needed is None:
        return [f"PCA does not reach the held-out risk of the network with k = {k}, whatever the number of components."]
    return [f"PCA reaches the held-out risk of the network with k = {k} with {counted(needed, 'component')}."]


def _stopping(result: BottleneckComparison) -> list[str]:
    """Say when the training of every k was stopped, and which of them would have gone on."""
    study, data = result.study, result.dataset
    if not study.validates:
        return []
    times = [_range(data.horizon.sel(latent_dim=k).values) for k in study.latent_dims]
    groups = {time: [k for k, other in zip(study.latent_dims, times, strict=True) if other == time] for time in times}
    stops = listed([f"t = {time} for k = {spans(dims)}" for time, dims in groups.items()])
    said = [f"Training was stopped where the risk on a validation part of the training set was lowest: at {stops}."]
    moving = [k for k in study.latent_dims if not _settled(result, k)]
    if moving:
        at = data.sel(latent_dim=moving)
        fall = float(at.fall.values[at.settled.values == 0].max())
        said.append(
            f"At k = {spans(moving)} the validation risk had not settled by t = {setting(study.last_horizon)} (it fell "
            f"by up to {percent(fall)} as the time doubled last): with a larger max_horizon the network may do better."
        )
    return said


def _settled(result: BottleneckComparison, k: int) -> bool:
    return not result.study.validates or bool(result.dataset.settled.sel(latent_dim=k).all())


def _overfitting(result: BottleneckComparison) -> str:
    k = result.suggested
    training, held_out = (result.estimate(name, k).value for name in ("training_risk", "held_out_risk"))
    relation = _relation(Estimate(held_out / training, np.nan, np.nan)) if training > 0 else "above"
    return f"At k = {k} the network's risk on held-out points, {number(held_out)}, is {relation} that in training."


def _dimension(result: BottleneckComparison) -> str:
    dimension = result.dimension
    if dimension is None:
        return "The intrinsic dimension can't be told from nearest neighbours, since too many are equally far."
    k, name = result.suggested, f"The intrinsic dimension is {dimension} by nearest neighbours (TwoNN)"
    if round(dimension.value) == k:
        return f"{name}, which agrees with k = {k}."
    if dimension.value > k:
        return f"{name}; k = {k} is below it, so that some different points must share a code."
    return f"{name}; k = {k} is above it, so that in principle fewer coordinates suffice."


def _numerical_error(result: BottleneckComparison) -> str:
    data = result.dataset
    if result.study.method == "horizon":
        errors = {"training_risk": data.error, "held_out_risk": data.held_out_error}
        shares = [float((error / data[risk]).max()) for risk, error in errors.items()]
        more = ": raise particles" if max(shares) > NEGLIGIBLE else ""
        return (
            f"The numerical error ({percent(CONFIDENCE)} level) is at most {percent(shares[0])} of a training risk and "
            f"{percent(shares[1])} of a held-out risk{more}."
        )
    met, count = int(data.certified.sum()), data.certified.size
    return (
        f"{met} of {counted(count, 'optimum', 'optima')} {'meets' if met == 1 else 'meet'} the tolerance "
        f"{setting(result.study.tolerance)} of the certificate; at most {number(float(data.error.max()), 2)} is left "
        "to gain."
    )


def _relation(ratio: Estimate) -> str:
    """Say by how much one risk lies above or below another: ``12 % below``, ``2.50 times``."""
    share = ratio.value - 1
    if share >= 1:
        return f"{number(ratio.value)} times"
    return f"{percent(abs(share))} {'above' if share >= 0 else 'below'}"


def _bounds(ratio: Estimate) -> str:
    """Return the interval of a ratio that excludes 1, in the words of `_relation`."""
    low, high = sorted((abs(ratio.lower - 1), abs(ratio.upper - 1)))
    ends = interval(ratio.lower, ratio.upper) if ratio.value >= 2 else f"{percent(low)} to {percent(high)}"
    return f"{percent(CONFIDENCE)} CI {ends}"


def _against_that_of_pca(ratio: Estimate) -> str:
    """Return how a risk compares with PCA's, after a comma; nothing where PCA leaves no risk to compare with."""
    return f", {_relation(ratio)} PCA's" if np.isfinite(ratio.value) else ""


def _range(values: np.ndarray) -> str:
    low, high = float(values.min()), float(values.max())
    return setting(low) if low == high else f"{setting(low)} to {setting(high)}"


def spans(numbers: Sequence[int]) -> str:
    """Return increasing whole numbers with consecutive ones as ranges: ``1 to 3 and 5``."""
    runs: list[list[int]] = []
    for value in numbers:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    spanned = lambda run: [f"{run[0]} to {run[-1]}"] if len(run) > 2 else run
    return listed([text for run in runs for text in spanned(run)])
