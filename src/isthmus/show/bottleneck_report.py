"""What the report of a bottleneck study says."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from isthmus._words import number, percent, setting
from isthmus.show.bottleneck_plots import network_name
from isthmus.show.report import RISK, Equation, Page, Table, cell, study_page
from isthmus.studies.bottleneck_result import BottleneckResult
from isthmus.studies.statistics import CONFIDENCE

QUESTION = "How wide should the bottleneck be, and is a network better than PCA?"
EQUATIONS = (
    Equation(
        "network", r"\hat x = g(f(x)), \quad f: \mathbb{R}^d \to \mathbb{R}^k, \quad g: \mathbb{R}^k \to \mathbb{R}^d"
    ),
    RISK,
    Equation("PCA in training", r"R = \tfrac12 \sum_{i > k} \lambda_i"),
    Equation("standard error", r"s \sqrt{\frac{1}{S} + \frac{m/n}{1 - m/n}}"),
    Equation("interval", r"\hat R \, e^{\pm q \, \mathrm{se} / \hat R}"),
    Equation("suggested", r"\min k: \quad \hat R(k) - \hat R(k^*) \le \mathrm{se}, \quad k^* = \arg\min_k \hat R(k)"),
    Equation("intrinsic dimension", r"\frac{r - 1}{\sum_{i \le r} \ln \mu_i + (n - r) \ln \mu_r}, \quad r = 0.9 \, n"),
)
SYMBOLS = (
    r"$\lambda_i$ are the eigenvalues of the covariance of the points in training. $S$ is the number of splits, $s$ "
    r"the standard deviation from split to split of a mean over $m$ of all $n$ points; $m/n$ corrects for the points "
    r"that splits share (Nadeau and Bengio, Machine Learning 52, 239, 2003). $q$ is a quantile of Student's $t$ with "
    r"$S - 1$ degrees of freedom. Differences between two $k$, and ratios of network and PCA, are taken within each "
    r"split. $\mu_1 \le \dots \le \mu_n$ are ratios of the distances of a point to its second and its first neighbour "
    r"(TwoNN: Facco and others, Scientific Reports 7, 12140, 2017). No training, and no choice of when to stop it, "
    r"sees the points held out, which are centred and scaled by the points in training."
)


def bottleneck_page(result: BottleneckResult, figures: Mapping[str, Figure]) -> Page:
    """Return the page of a bottleneck study, with the figures drawn of it."""
    return study_page(
        result,
        figures,
        _words(result),
        title=f"bottleneck study, {result.study.data.described}, k = 1 to {result.study.max_latent_dim}",
        question=QUESTION,
        tables=[_risks(result), _comparisons(result)],
        equations=EQUATIONS,
        symbols=SYMBOLS,
        command="bottleneck",
    )


def _words(result: BottleneckResult) -> dict[str, tuple[str, str]]:
    """Return the heading of each figure, and how to read it."""
    values, level = result.dataset.attrs, percent(CONFIDENCE)
    bars = f"Bars are {level} confidence intervals over {result.study.splits} random splits."
    return {
        "risk_against_k": (
            "The risk against the dimension of the bottleneck",
            f"Black: {network_name(result)}; grey: PCA of the same points. Filled: {values['held_out_points']} points "
            f"held out; open: {values['training_points']} points in training. {bars} Ring: what is recommended. Ochre: "
            "the intrinsic dimension of the points in training. Marks of one $k$ stand side by side to be told apart.",
        ),
        "network_over_pca": (
            "The network against PCA",
            "Held-out risk of the network as a percentage of that of PCA with as many components, compared within each "
            f"split. Below the grey line the network is better. {bars}",
        ),
    }


def _risks(result: BottleneckResult) -> Table:
    curves = ("held_out_risk", "training_risk", "pca_held_out_risk", "pca_training_risk")
    estimates = lambda k: (result.estimate(name, k) for name in curves)
    return Table(
        "Risks",
        f"Mean over splits with its {percent(CONFIDENCE)} interval.",
        ["k", "held out", "training", "PCA held out", "PCA training"],
        [(k, [cell(one.value, one.lower, one.upper) for one in estimates(k)]) for k in result.study.latent_dims],
    )


def _comparisons(result: BottleneckResult) -> Table:
    """Return how every k compares with PCA and with the best k, and how far it was followed."""
    study, data = result.study, result.dataset
    columns = ["k", "held-out risk over PCA's", f"above k = {result.best}"]
    rows = [(k, _compared(result, k)) for k in study.latent_dims]
    if study.method == "horizon":
        columns.append("trained to t")
        for k, cells in rows:
            at = data.sel(latent_dim=k)
            low, high = float(at.horizon.min()), float(at.horizon.max())
            times = setting(low) if low == high else f"{setting(low)} to {setting(high)}"
            cells.append((times, "" if at.settled.all() else "not settled"))
    return Table(
        "Comparisons",
        "The network's held-out risk over that of PCA with as many components, and how far it lies above the lowest "
        "one, with the standard error of the difference.",
        columns,
        rows,
    )


def _compared(result: BottleneckResult, k: int) -> list[tuple[str, str]]:
    ratio, excess = result.against_pca(k), result.excess(k)
    return [
        cell(ratio.value, ratio.lower, ratio.upper),
        ("lowest", "") if k == result.best else (number(excess.mean, 2), f"± {number(excess.standard_error, 1)}"),
    ]
