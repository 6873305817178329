"""What an expressivity study finds: the optimum and finite networks beside it in one dataset, and verdicts in words."""

from __future__ import annotations

import functools
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.stats import t as student

from isthmus import _checks
from isthmus._version import __version__
from isthmus.studies.contents import complaint
from isthmus.studies.engine import studied
from isthmus.studies.expressivity import KINDS, ExpressivityStudy, ExpressivityWork, TrainedNetworks
from isthmus.studies.statistics import CONFIDENCE, Estimate
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
        x, y = np.log(self.dataset.width.values[is_open]), np.log(self.gap[is_open])
        if len(x) < 3:
            return None
        centred = x - x.mean()
        slope = float(centred @ y / (centred @ centred))
        left = y - y.mean() - slope * centred
        error = float(np.sqrt(left @ left / (len(x) - 2) / (centred @ centred)))
        half = float(student.ppf((1 + CONFIDENCE) / 2, len(x) - 2)) * error
        return Estimate(slope, slope - half, slope + half)

    def verdicts(self) -> list[str]:
        """Return what was found, in sentences."""
        values = self.dataset.attrs
        objective = values["objective"]
        atoms = f"{values['encoder_atoms']} encoder and {values['decoder_atoms']} decoder atoms"
        sentences = [
            f"The best measures that were found have {atoms}, risk {values['risk']:.4g} (PCA: "
            f"{values['pca_risk']:.4g}) and objective {objective:.5g}; {values['agreement']} of "
            f"{self.study.restarts} restarts ended within 0.01 % of it.",
            f"Beside this encoder no decoder is better by more than {values['decoder_gap']:.2g} "
            f"({values['decoder_gap'] / objective:.1g} of the objective), if the search from {values['starts']} "
            "places has found the lowest first variation. In the encoder, moving mass to the best place that was "
            f"found lowers the objective at a rate of {values['encoder_descent']:.2g}.",
        ]
        if values["known_optimum"]:
            sentences.append(f"Theory puts the global optimum at {values['known_optimum']:.6g}.")
        if not values["certified"]:
            sentences.append(f"The certificate misses the tolerance: {values['status']}.")
        widest, closed = int(self.dataset.width.max()), self.closed_from
        if closed is not None:
            sentences.append(
                f"From N={closed} on, trained networks reach the optimum within {100 * self.study.closeness:g} %."
            )
        else:
            share = float(self.gap[int(self.dataset.width.values.argmax())]) / objective
            sentences.append(f"At N={widest} the best trained network is still {100 * share:.2g} % above the optimum.")
        if self.rate is not None:
            sentences.append(f"Below, the gap of the best network goes as N to the power {self.rate}.")
        constants = values["encoder_constant"] + values["decoder_constant"]
        sentences.append(
            f"A network drawn at random from the optimum pays {constants:.3g}/N on average, of which the decoder's "
            f"part {values['decoder_constant']:.3g}/N is exact; {self._agreement()}"
        )
        return sentences

    def _agreement(self) -> str:
        """Say how simulated draws compare with the identities, at the largest width."""
        width = int(self.dataset.width.max())
        parts = []
        for kind, constant in (("decoder", "decoder_constant"), ("encoder", "encoder_constant")):
            excess = self.dataset.drawn_risk.sel(kind=kind, width=width).values - self.dataset.attrs["risk"]
            error = excess.std(ddof=1) / np.sqrt(len(excess)) * width
            parts.append(
                f"{kind}s {excess.mean() * width:.3g} ± {error:.1g} (predicted {self.dataset.attrs[constant]:.3g})"
            )
        return f"simulated at N={width}, times N: {' and '.join(parts)}."

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
