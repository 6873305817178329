"""A finished expressivity study: the optimum and finite networks, in numbers and in sentences; and how it is run."""

from __future__ import annotations

import functools
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import linregress

from isthmus import _checks
from isthmus._bars import with_bar
from isthmus._words import counted, listed, number, percent, whole
from isthmus.studies.contents import Contents
from isthmus.studies.engine import Execution, run_study
from isthmus.studies.expressivity import KINDS, VARIABLES, ExpressivityJobs, ExpressivityStudy
from isthmus.studies.result import StudyResult
from isthmus.studies.statistics import Estimate, standard_error, student_quantile
from isthmus.studies.study import StageProgress

FIGURES = (
    *("objective", "risk", "pca_risk", "encoder_atoms", "decoder_atoms", "decoder_gap", "encoder_descent"),
    *("agreement", "encoder_constant", "decoder_constant"),
)
"""Attributes of the dataset that are main figures."""


@dataclass(frozen=True, repr=False)
class ExpressivityResult(StudyResult[ExpressivityStudy]):
    """A finished expressivity study.

    Attributes:
        study: what was asked.
        dataset: every number as a labelled `xarray.Dataset`: the best objective and risk of each width with all
            restarts, the risk of networks drawn from the optimum, the optimum's atoms with their masses, and its
            certificate as attributes.

    Example:
        >>> import isthmus as im
        >>> study = im.ExpressivityStudy(
        ...     data={"source": "wine", "max_points": 16}, law={"latent_dim": 1}, widths=[1, 2], atoms=8, restarts=1,
        ...     trainings=2, draws=4, starts=64,
        ... )
        >>> result = im.expressivity_curve(study)
        >>> result.dataset.attrs["risk"] < result.dataset.attrs["pca_risk"], bool((result.gap > 0).all())
        (True, True)

    """

    @property
    def _contents(self) -> Contents:
        study = self.study
        return Contents(
            VARIABLES,
            coordinates={"width": sorted(study.widths), "kind": KINDS},
            sizes={"draw": study.draws},
            attributes=(*FIGURES, "starts", "known_optimum", "certified", "proven"),
        )

    @property
    def gap(self) -> np.ndarray:
        """By how much the best objective of each width lies above that of the optimum, shape (widths,)."""
        return self.dataset.best_objective.values - self.dataset.attrs["objective"]

    @property
    def closed_from(self) -> int | None:
        """The first width from which on no gap is larger than the tolerance, None where there is none."""
        close = self.gap <= self.study.closeness * self.dataset.attrs["objective"]
        order = np.argsort(self.dataset.width.values)
        open_ones = np.flatnonzero(~close[order])
        first = open_ones[-1] + 1 if len(open_ones) else 0
        return int(self.dataset.width.values[order][first]) if first < len(order) else None

    @functools.cached_property
    def rate(self) -> Estimate | None:
        """The exponent of N in the gap, over widths at which there is one, with Student's interval of the slope."""
        is_open = self.gap > self.study.closeness * self.dataset.attrs["objective"]
        if is_open.sum() < 3:
            return None
        fit: Any = linregress(np.log(self.dataset.width.values[is_open]), np.log(self.gap[is_open]))
        half = student_quantile(is_open.sum() - 2) * fit.stderr
        return Estimate(float(fit.slope), float(fit.slope - half), float(fit.slope + half))

    def answer(self) -> str:
        """Return in one sentence how good an infinitely wide autoencoder can be, and how wide is as good."""
        values = self.dataset.attrs
        best = (
            f"The best infinitely wide autoencoder that was found has risk {number(values['risk'])} (PCA: "
            f"{number(values['pca_risk'])})"
        )
        lowest = int(self.gap.argmin())
        if self.gap[lowest] < -self.study.closeness * values["objective"]:
            better = f"a trained network of width {whole(int(self.dataset.width.values[lowest]))} has a lower objective"
            return f"{best}, but {better}: the search has not converged, so raise rounds or atoms."
        if self.closed_from is None:
            gap = f"has an objective {self._excess()} above its own"
            return f"{best}; the best trained network of width {whole(self._widest)} {gap}."
        return (
            f"{best}, and from N = {whole(self.closed_from)} on the best trained network comes within "
            f"{percent(self.study.closeness)} of its objective."
        )

    def verdicts(self) -> list[str]:
        """Return what else was found, in sentences."""
        return [*self._optimum_verdicts(), *self._width_verdicts()]

    def _optimum_verdicts(self) -> list[str]:
        values, objective = self.dataset.attrs, self.dataset.attrs["objective"]
        sentences = [
            f"The optimum has {counted(values['encoder_atoms'], 'encoder atom')}, "
            f"{counted(values['decoder_atoms'], 'decoder atom')} and objective {number(objective, 5)}; "
            f"{values['agreement']} of {counted(self.study.restarts, 'restart')} ended within 0.01\u00a0% of it.",
            f"Given this encoder, no decoder lowers the objective by more than {number(values['decoder_gap'], 2)} "
            f"({percent(values['decoder_gap'] / objective)}){self._ground()}.",
            "Moving mass of the encoder to the best place that was found lowers the objective at a rate of "
            f"{number(values['encoder_descent'], 2)}; at a first-order optimum it is 0.",
        ]
        if values["known_optimum"]:
            sentences.append(f"The global optimum is known from theory: {number(values['known_optimum'], 6)}.")
        if not values["certified"]:
            sentences.append(f"The certificate misses its tolerance: {values['status']}.")
        return sentences

    def _ground(self) -> str:
        """Return on what the decoder's gap rests, as the end of a sentence about it."""
        if self.dataset.attrs["proven"]:
            return ", which is proven up to rounding"
        starts = whole(self.dataset.attrs["starts"])
        return f", provided that the search from {starts} points found the minimum of the first variation"

    def _width_verdicts(self) -> list[str]:
        values, sentences = self.dataset.attrs, []
        if self.rate is not None:
            rate = self.rate.as_exponent()
            sentences.append(f"Where there is a gap, that of the best trained network falls as N^{rate}.")
        encoder, decoder = values["encoder_constant"], values["decoder_constant"]
        sentences.append(
            f"A network drawn at random from the optimum has an excess risk of {number(encoder + decoder)}/N on "
            f"average: {number(decoder)}/N from the decoder, exactly, and {number(encoder)}/N from the encoder, to "
            "leading order."
        )
        simulated = {kind: self._simulated(kind) for kind in ("decoder", "encoder")}
        parts = [f"{number(mean)} ± {number(error, 2)} from the {kind}" for kind, (mean, error) in simulated.items()]
        draws = counted(self.study.draws, "such network")
        return [*sentences, f"Simulated with {draws} at N = {whole(self._widest)}, N × excess: {listed(parts)}."]

    @property
    def _widest(self) -> int:
        return int(self.dataset.width.max())

    def _excess(self) -> str:
        """Return how far the objective of the best network of the largest width lies above the optimum."""
        return percent(float(self.gap[int(self.dataset.width.values.argmax())]) / self.dataset.attrs["objective"])

    def _simulated(self, kind: str) -> tuple[float, float]:
        """Return N times the mean excess risk of networks drawn on one side, at the largest width, and its error."""
        excess = self.dataset.drawn_risk.sel(kind=kind, width=self._widest).values - self.dataset.attrs["risk"]
        return float(excess.mean()) * self._widest, standard_error(excess) * self._widest

    def _figures(self) -> dict[str, object]:
        values, data = self.dataset.attrs, self.dataset
        columns = {"width": data.width, "objective": data.best_objective, "risk": data.best_risk}
        rows = zip(*(column.values.tolist() for column in columns.values()), self.gap.tolist(), strict=True)
        return {
            **{key: values[key] for key in FIGURES},
            "certified": bool(values["certified"]),
            "proven": bool(values["proven"]),
            "widths": [dict(zip((*columns, "gap"), row, strict=True)) for row in rows],
            "closed_from": self.closed_from,
            "rate": None if self.rate is None else self.rate.for_json(),
        }


@with_bar
def expressivity_curve(
    study: ExpressivityStudy,
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    progress: StageProgress | None = None,
) -> ExpressivityResult:
    """Solve the optimum of a study's problem, and compare networks of every width with it: drawn and trained ones.

    Args:
        study: what to compute.
        workers, executor, folder, resume, progress: as in `track`.

    Raises:
        ArgumentError: where the problem has no optimum.

    Example:
        >>> import isthmus as im
        >>> study = im.ExpressivityStudy(
        ...     data={"source": "wine", "max_points": 16}, law={"latent_dim": 1}, widths=[1, 2], atoms=8, restarts=1,
        ...     trainings=2, draws=4, starts=64,
        ... )
        >>> dict(im.expressivity_curve(study).dataset.restart_objective.sizes)
        {'width': 2, 'training': 2}

    """
    _checks.instance("study", study, ExpressivityStudy)
    dataset, _ = run_study(ExpressivityJobs(study), Execution(workers, executor, folder, resume, progress))
    return ExpressivityResult(study, dataset)
