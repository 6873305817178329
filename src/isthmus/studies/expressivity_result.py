"""What an expressivity study finds: the optimum and finite networks beside it in one dataset, and verdicts in words."""

from __future__ import annotations

import functools
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import linregress

from isthmus import _checks
from isthmus._version import __version__
from isthmus._words import counted, exponent, listed, number, percent, whole
from isthmus.studies.contents import complaint
from isthmus.studies.engine import studied
from isthmus.studies.expressivity import KINDS, ExpressivityStudy, ExpressivityWork, TrainedNetworks
from isthmus.studies.statistics import CONFIDENCE, Estimate, standard_error, student_quantile
from isthmus.studies.study import StageProgress, named, provenance
from isthmus.theory.optimum import Optimum


@dataclass(frozen=True)
class ExpressivityResult:
    """A finished expressivity study.

    Attributes:
        study: what was asked.
        dataset: every number as a labelled `xarray.Dataset`: the best objective and risk of each width with all
            restarts, the risk of networks drawn from the optimum, the optimum's atoms with their masses, and its
            certificate as attributes.

    """

    study: ExpressivityStudy
    dataset: xr.Dataset

    def complaint(self) -> str | None:
        """Return in what the numbers can't be those of the study, None where they can."""
        study = self.study
        return complaint(
            self.dataset,
            required={
                "restart_objective": ("width", "training"),
                "best_objective": ("width",),
                "best_risk": ("width",),
                "drawn_risk": ("kind", "width", "draw"),
            },
            known={
                "optimum_restart": ("restart",),
                "encoder_mass": ("encoder_atom",),
                "decoder_mass": ("decoder_atom",),
            },
            may_be_nan=frozenset(),
            sizes={"width": len(study.widths), "kind": len(KINDS), "draw": study.draws},
            coordinates={"width": sorted(study.widths), "kind": KINDS},
            attributes=(
                *("risk", "objective", "pca_risk", "encoder_atoms", "decoder_atoms", "agreement", "decoder_gap"),
                *("encoder_descent", "starts", "known_optimum", "certified", "encoder_constant", "decoder_constant"),
            ),
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
            f"({percent(values['decoder_gap'] / objective)}), provided that the search from {whole(values['starts'])} "
            "points found the minimum of the first variation.",
            "Moving mass of the encoder to the best place that was found lowers the objective at a rate of "
            f"{number(values['encoder_descent'], 2)}; at a first-order optimum it is 0.",
        ]
        if values["known_optimum"]:
            sentences.append(f"The global optimum is known from theory: {number(values['known_optimum'], 6)}.")
        if not values["certified"]:
            sentences.append(f"The certificate misses its tolerance: {values['status']}.")
        return sentences

    def _width_verdicts(self) -> list[str]:
        values, sentences = self.dataset.attrs, []
        if self.rate is not None:
            ends = f"{exponent(self.rate.lower)} to {exponent(self.rate.upper)}"
            sentences.append(
                f"Where there is a gap, that of the best trained network falls as N^{exponent(self.rate.value)} "
                f"({percent(CONFIDENCE)} CI {ends})."
            )
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

    def summary(self) -> dict[str, object]:
        """Return the main figures as plain numbers, for JSON."""
        values = self.dataset.attrs
        keys = (
            "objective", "risk", "pca_risk", "encoder_atoms", "decoder_atoms", "decoder_gap", "encoder_descent",
            "agreement", "encoder_constant", "decoder_constant",
        )  # fmt: skip
        return {
            "isthmus": __version__,
            **{key: values[key] for key in keys},
            "certified": bool(values["certified"]),
            "widths": [
                {"width": int(n), "objective": float(objective), "risk": float(risk), "gap": float(gap)}
                for n, objective, risk, gap in zip(
                    self.dataset.width.values,
                    self.dataset.best_objective.values,
                    self.dataset.best_risk.values,
                    self.gap,
                    strict=True,
                )
            ],
            "closed_from": self.closed_from,
            "rate": None if self.rate is None else [self.rate.value, self.rate.lower, self.rate.upper],
            "answer": self.answer(),
            "verdicts": self.verdicts(),
        }


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
    work = ExpressivityWork(study)
    dataset = studied(
        work,
        lambda results: _dataset(study, *work.found(results)),
        workers=workers,
        executor=executor,
        folder=folder,
        resume=resume,
        progress=progress,
    )
    return ExpressivityResult(study, dataset)


def _dataset(
    study: ExpressivityStudy, optimum: Optimum, trained: list[TrainedNetworks], drawn: np.ndarray
) -> xr.Dataset:
    objectives = np.stack([networks.objectives for networks in trained])
    certificate, constants = optimum.certificate, optimum.expressivity
    axes = study.problem.population.principal_directions[:, :2]
    atoms = {
        "encoder": np.column_stack([np.asarray(optimum.encoder.incoming) @ axes, optimum.encoder.bias]),
        "decoder": np.column_stack([optimum.decoder.incoming, optimum.decoder.bias])[:, :3],
    }
    variables: dict[str, tuple] = {
        "restart_objective": (("width", "training"), objectives, named("objective of trained networks")),
        "best_objective": ("width", objectives.min(axis=1), named("lowest objective of a trained network")),
        "best_risk": ("width", [networks.risk for networks in trained], named("risk of that network")),
        "drawn_risk": (
            ("kind", "width", "draw"),
            drawn,
            named("risk of networks drawn from the optimum, of one side or both"),
        ),
        "optimum_restart": ("restart", optimum.restarts, named("objective of each restart of the optimum")),
    }
    for side, places in atoms.items():
        measure = getattr(optimum, side)
        variables[f"{side}_mass"] = (f"{side}_atom", np.asarray(measure.masses), named("mass of an atom"))
        variables[f"{side}_place"] = (
            (f"{side}_atom", f"{side}_coordinate"),
            places,
            named("leading incoming weights of an atom, and its bias"),
        )
        variables[f"{side}_outgoing"] = (
            f"{side}_atom",
            np.linalg.norm(np.asarray(measure.outgoing), axis=1),
            named("length of an atom's outgoing weight"),
        )
    return xr.Dataset(variables, coords={"width": sorted(study.widths), "kind": list(KINDS)}).assign_attrs(
        provenance("isthmus expressivity study", study, study.problem.data),
        pca_risk=study.problem.population.pca_risk(study.problem.latent_dim),
        risk=optimum.risk,
        objective=optimum.objective,
        encoder_atoms=optimum.atoms[0],
        decoder_atoms=optimum.atoms[1],
        agreement=optimum.agreement,
        decoder_gap=certificate.decoder_gap,
        encoder_descent=certificate.encoder_descent,
        stationarity=certificate.stationarity,
        starts=certificate.starts,
        known_optimum=certificate.known_optimum or 0.0,
        certified=int(optimum.status.ok),
        status=optimum.status.message,
        encoder_constant=constants.encoder,
        decoder_constant=constants.decoder,
    )
