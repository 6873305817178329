"""How to read each figure of a tracking study."""

from __future__ import annotations

import numpy as np

from isthmus._words import counted, percent, setting
from isthmus.show.gap_panel import INTERVAL
from isthmus.show.gap_plots import quantile_name
from isthmus.show.picture_plots import image_shape
from isthmus.studies.tracking_result import TrackingResult

FITS = "Lines are least-squares fits to the logarithms; the legend gives the exponents."
HOLLOW = "Hollow marks on dashed lines are predicted from one mean-field solve, without any training."


def tracking_words(result: TrackingResult) -> dict[str, tuple[str, str]]:
    """Return the heading of each figure, and how to read it, by its name."""
    return {caption.__name__.removeprefix("_"): (heading, caption(result)) for caption, heading in HEADINGS.items()}


def components(result: TrackingResult) -> str:
    """Return how many components PCA has here."""
    return f"PCA with {counted(result.dataset.sizes['axis'], 'component')}"


def _sup_gap(result: TrackingResult) -> str:
    return (
        rf"Largest $|R_N(t) - R(t)|$ over the recorded times, $t = 0$ included, against the width $N$. {_dots(result)} "
        rf"Blue is gradient flow, the limit $\varepsilon \to 0$; red is SGD at step size $\varepsilon$. Series stand "
        f"side by side. {_fitted(result, 'widths', 'the slope −1/2 of averages over independent neurons')}"
        f"{_predicted(result)}"
    )


def _late_gap(result: TrackingResult) -> str:
    time = result.dataset.attrs.get("relaxation_time", np.nan)
    return (
        rf"The same over $t \geq t_1 = {time:.3g}$ only. From the relaxation time $t_1$ on, the rms gap of gradient "
        rf"flows is below half of that at $t = 0$, so that the initial draw no longer sets it. {_dots(result)} "
        f"{_fitted(result, 'widths', 'the slope −1/2 too')}{_predicted(result)}"
    )


def _gap_parts(result: TrackingResult) -> str:
    return (
        r"Circles: the standard deviation of $R_N(t)$ over gradient flows. Squares: the absolute mean of "
        rf"$R_N(t) - R(t)$. Both are root mean squares over the times of the panel, with {INTERVAL}s. The fluctuation "
        r"falls as $N^{-1/2}$ and the mean shift as $1/N$ to leading order, so that the fluctuation dominates from the "
        rf"width of the dotted line on.{_predicted(result)}"
    )


def _step_gap(result: TrackingResult) -> str:
    return (
        r"Largest difference in risk between SGD and the gradient flow from the same initial neurons, so that the "
        f"width drops out, for {counted(result.dataset.sizes['flow_run'], 'pair')} of each width and step size. "
        f"{_dots(result)} {_fitted(result, 'step sizes', 'the slope 1/2 of gradient noise')}"
    )


def _risk_curves(result: TrackingResult) -> str:
    study, time = result.study, result.dataset.time
    dashed = " Dashed: the predicted 5–95 % range, without any training." if "predicted_std" in result.dataset else ""
    return (
        f"Left, the risk of {counted(study.runs, 'SGD run')} of each width at step size "
        f"{setting(min(study.step_sizes))} (colour: median and 5–95 % range), of the mean field (black, with the "
        f"{INTERVAL} of its numerical error) and of {components(result)} (dotted). Right, their difference to "
        rf"$R(t)$.{dashed} Time is linear up to the first record after 0, $t = {float(time[1]):.3g}$, and logarithmic "
        "beyond it."
    )


def _latents(result: TrackingResult) -> str:
    sizes, study = result.dataset.sizes, result.study
    orientation = (
        "The initial law fixes their orientation; nothing has been rotated to fit."
        if study.law.kind == "aligned"
        else "Under this initial law their orientation is arbitrary; nothing has been rotated to fit."
    )
    colors = " Colours are the labels of the data, which training does not see." if "label" in result.dataset else ""
    return (
        rf"Latents $f(x)$ of {counted(sizes['point'], 'point')} in one network of each width, trained at step size "
        f"{setting(min(study.step_sizes))}, and in the mean field, as time goes on from left to right. All panels "
        f"share one scale. {orientation} Distances are root mean squares over these points and all latents.{colors}"
    )


def _reconstructions(result: TrackingResult) -> str:
    study, sizes = result.study, result.dataset.sizes
    scale = (
        "Grey levels run over the range of each original; at the right is the mean square error of a pixel."
        if image_shape(result)
        else "Each feature is scaled to its range over these points; rings are the data, lines the reconstructions."
    )
    return (
        f"{counted(sizes['example'], 'point')} of the data, and the reconstructions by one network of each width, "
        f"trained at step size {setting(min(study.step_sizes))}, by the mean field and by {components(result)}, "
        rf"at $t = {study.horizon:g}$. {scale}"
    )


def _sources(result: TrackingResult) -> str:
    study = result.study
    error = percent((2 * max(1, study.runs - 1)) ** -0.5)
    return (
        rf"Standard deviation of $R_N(t)$ at step size {setting(min(study.step_sizes))}, predicted to leading order "
        "from the mean field (dashed): from the draw of initial encoder neurons, of decoder neurons, from the noise of "
        "batches, and from all together (in the colour of the width). Dots: the standard deviation over "
        f"{counted(study.runs, 'run')}, each with a standard error of {error}."
    )


def _influence(result: TrackingResult) -> str:
    return (
        r"How the mean-field risk $R(t)$ rises (brown) or falls (teal) as an initial neuron, or a point in training, "
        r"gains weight. Neurons lie at their leading incoming weights at $t = 0$, points at their first two "
        r"components; $v_1$ and $v_2$ are the principal directions. Each panel has a colour scale of its own. The "
        r"variance of the influence over neurons, divided by $N$, is the variance of the risk of finite networks."
    )


HEADINGS = {
    _sup_gap: "The sup-gap",
    _gap_parts: "Fluctuation and mean shift",
    _late_gap: "The gap after relaxation",
    _step_gap: "Distance from gradient flow",
    _risk_curves: "The risk over time",
    _latents: "Latents",
    _reconstructions: "Reconstructions",
    _sources: "Where the fluctuation comes from",
    _influence: "What moves the risk",
}


def _dots(result: TrackingResult) -> str:
    where = "" if np.isfinite(result.dataset.gap_quantile.sel(level=result.level)).all() else ", where runs are enough"
    return (
        f"A faint dot is one run, a large dot the {quantile_name(result.level)} over runs with its {INTERVAL}{where}."
    )


def _fitted(result: TrackingResult, sizes: str, slope: str) -> str:
    """Say what the lines through several sizes are: fits, and the grey one of a slope; of one size there are none."""
    several = len(result.study.widths if sizes == "widths" else result.study.step_sizes) > 1
    return f"{FITS} The grey line has {slope}." if several else f"A fit needs several {sizes}."


def _predicted(result: TrackingResult) -> str:
    return f" {HOLLOW}" if "predicted_std" in result.dataset else ""
