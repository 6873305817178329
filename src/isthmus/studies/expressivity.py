"""The expressivity study: how good can an infinitely wide autoencoder be, and how close does a finite one come?"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.problem import Problem
from isthmus.dynamics.parallel import Progress, check_number_of_jobs
from isthmus.dynamics.sgd import check_memory_of_networks
from isthmus.studies.contents import Variable, labelled
from isthmus.studies.jobs import Job, StudyJobs
from isthmus.studies.specification import Count, DataSpecification, NonNegative, Positive, Seed
from isthmus.studies.study import Study, check_distinct, named, optimum_settings, provenance
from isthmus.theory.best_network import best_networks
from isthmus.theory.landscape import DOUBLE, check_bounded
from isthmus.theory.optimum import Optimum, check_memory_of_search, solve_optimum

KINDS = ("encoder", "decoder", "both")
"""Which side of a network is drawn from the optimum; the other one is the optimum's own."""
SECONDS_TO_COMPILE = 15.0
"""About how long the programs of the search for the optimum take to compile."""
SECONDS_A_ROUND = 1.0
"""About how long a round of that search takes."""
VARIABLES = {
    "restart_objective": Variable(("width", "training"), "objective of trained networks"),
    "best_objective": Variable(("width",), "lowest objective of a trained network"),
    "best_risk": Variable(("width",), "risk of that network"),
    "drawn_risk": Variable(("kind", "width", "draw"), "risk of networks drawn from the optimum, of one side or both"),
    "optimum_restart": Variable(("restart",), "objective of each restart of the optimum", optional=True),
    "encoder_mass": Variable(("encoder_atom",), "mass of an atom", optional=True),
    "decoder_mass": Variable(("decoder_atom",), "mass of an atom", optional=True),
}
"""The variables of an expressivity study, but for the positions of its atoms."""


class ExpressivityStudy(Study):
    """The optimum over measures of one problem, and networks of several widths beside it.

    Every field is a key of a study file (TOML). Weight decay on both sides, or a radius, is part of the question.

    Raises:
        ArgumentError: where a value breaks its rule, or a key is unknown.

    Example:
        >>> import isthmus as im
        >>> study = im.ExpressivityStudy(data={"source": "wine"}, widths=[1, 2, 4])
        >>> study.weight_decay, im.ExpressivityStudy.from_toml(study.to_toml()) == study
        (0.003, True)

    """

    QUICK: ClassVar[Mapping[str, Any]] = {
        "data.max_points": 64,
        "widths": (1, 2, 4, 8, 16),
        "draws": 50,
        "trainings": 2,
        "atoms": 16,
        "restarts": 1,
        "rounds": 6,
        "starts": 128,
        "tolerance": 0.05,
    }

    data: DataSpecification = DataSpecification(source="digits", max_points=256)  # pyright: ignore[reportCallIssue]
    weight_decay: NonNegative | tuple[NonNegative, NonNegative] = Field(
        0.003, description="penalty on squared weights, one number or [encoder, decoder]"
    )
    radius: Positive | None = Field(None, description="keep neurons in a ball of this radius")
    widths: tuple[Count, ...] = Field((1, 2, 4, 8, 16, 32, 64), min_length=1, description="widths N of both layers")
    draws: int = Field(200, ge=2, description="networks drawn from the optimum, for each width")
    trainings: Count = Field(8, description="starts of the training of each width")
    atoms: Count = Field(32, description="optimum: atoms a side at the start")
    restarts: Count = Field(4, description="optimum: starts")
    rounds: Count = Field(30, description="optimum: rounds of births and descents, at most")
    starts: Count = Field(1024, description="optimum: places from which the minimum of a first variation is searched")
    tolerance: Positive = Field(1e-4, description="optimum: of its certificate, relative to the objective")
    closeness: Positive = Field(1e-3, description="a gap below this share of the objective counts as none")
    seed: Seed = 0

    @model_validator(mode="after")
    def _consistent(self) -> ExpressivityStudy:
        check_distinct("widths", self.widths)
        return self

    @functools.cached_property
    def problem(self) -> Problem:
        """The problem that the study describes, built once."""
        problem = self.build()
        check_bounded(problem, self.radius)
        check_memory_of_search(problem, self.atoms, self.restarts, self.starts)
        for width in self.widths:
            check_memory_of_networks(problem, "widths", width, (width, width), DOUBLE)
        for name in ("draws", "trainings"):
            check_number_of_jobs(name, getattr(self, name), 8 * len(self.widths))
        return problem


class TrainedNetworks(NamedTuple):
    """Networks of one width, trained from several starts.

    Attributes:
        objectives: that each start ended with.
        network: the best of them.
        risk: its risk.

    """

    objectives: np.ndarray
    network: Autoencoder
    risk: float


class ExpressivityJobs(StudyJobs[ExpressivityStudy]):
    """The jobs of an expressivity study: the optimum, and networks of each width, trained or drawn from it."""

    def jobs(self) -> list[Job]:
        """Return the jobs; the networks of a width start, among others, from those of the width before."""
        search = SECONDS_TO_COMPILE + SECONDS_A_ROUND * self.study.restarts * self.study.rounds
        jobs, before = [Job("optimum", "optimum", reports_progress=True, seconds=search)], "optimum"
        for width in sorted(self.study.widths):
            needs = ("optimum",) if before == "optimum" else ("optimum", before)
            before = f"trained-{width}"
            jobs.append(Job(before, "trained networks", needs, seconds=3.0 + width / 8))
        draws = [
            Job(f"drawn-{width}", "drawn networks", ("optimum",), seconds=1.0) for width in sorted(self.study.widths)
        ]
        return [*jobs, *draws]

    def result(self, job: Job, given: Mapping[str, Any], workers: int, progress: Progress | None) -> Any:
        """Return the optimum, or the trained networks or the risks of drawn ones of a width."""
        study, (kind, _, width) = self.study, job.name.partition("-")
        if kind == "optimum":
            return solve_optimum(
                study.problem,
                **optimum_settings(study),
                seed=study.seed,
                workers=workers,
                progress=progress,
                throw=False,
            )
        if kind == "drawn":
            return drawn_risks(study.problem, given["optimum"], [int(width)], study.draws, study.seed)
        before = [TrainedNetworks(*given[name]).network for name in job.needs if name != "optimum"]
        objectives, network = best_networks(
            study.problem,
            given["optimum"],
            int(width),
            restarts=study.trainings,
            beside=before[0] if before else None,
            seed=study.seed,
            workers=workers,
        )
        return TrainedNetworks(objectives, network, _risk(study.problem, network))

    def dataset(self, results: Mapping[str, Any]) -> xr.Dataset:
        """Return the optimum with its atoms and certificate, and trained and drawn networks of every width."""
        study, optimum, widths = self.study, results["optimum"], sorted(self.study.widths)
        trained = [TrainedNetworks(*results[f"trained-{width}"]) for width in widths]
        objectives = np.stack([networks.objectives for networks in trained])
        values = {
            "restart_objective": objectives,
            "best_objective": objectives.min(axis=1),
            "best_risk": [networks.risk for networks in trained],
            "drawn_risk": np.concatenate([results[f"drawn-{width}"] for width in widths], axis=1),
            "optimum_restart": optimum.restarts,
            "encoder_mass": np.asarray(optimum.encoder.masses),
            "decoder_mass": np.asarray(optimum.decoder.masses),
        }
        certificate, constants = optimum.certificate, optimum.expressivity
        return xr.Dataset(
            labelled(VARIABLES, values) | _atoms(study, optimum), coords={"width": widths, "kind": list(KINDS)}
        ).assign_attrs(
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
            proven=int(certificate.proven),
            status=optimum.status.message,
            encoder_constant=constants.encoder,
            decoder_constant=constants.decoder,
        )


def _atoms(study: ExpressivityStudy, optimum: Optimum) -> dict[str, tuple]:
    """Return the leading incoming weights of the atoms with their biases, and the lengths of outgoing weights."""
    axes = study.problem.population.principal_directions[:, :2]
    encoder, decoder = optimum.encoder, optimum.decoder
    leading = {
        "encoder": np.column_stack([np.asarray(encoder.incoming) @ axes, encoder.bias]),
        "decoder": np.column_stack([decoder.incoming, decoder.bias])[:, :3],
    }
    variables: dict[str, tuple] = {}
    for side, weights in leading.items():
        meaning = named("leading incoming weights of an atom, and its bias")
        lengths = np.linalg.norm(np.asarray(getattr(optimum, side).outgoing), axis=1)
        variables[f"{side}_place"] = ((f"{side}_atom", f"{side}_coordinate"), weights, meaning)
        variables[f"{side}_outgoing"] = (f"{side}_atom", lengths, named("length of an atom's outgoing weight"))
    return variables


def _risk(problem: Problem, network: Autoencoder) -> float:
    with computing_in(DOUBLE):
        return float(network.risk(problem.population.points, problem.population.weights))


def drawn_risks(problem: Problem, optimum: Optimum, widths: list[int], draws: int, seed: int) -> np.ndarray:
    """Return the risk of networks drawn from an optimum on one side or both, shape (kinds, widths, draws).

    Args:
        problem: whose population the risk is over.
        optimum: of it.
        widths: N.
        draws: networks of each width.
        seed: of the first draw; the others take the next ones.

    """
    points, weights = problem.population.points.astype(float), problem.population.weights.astype(float)
    table = np.zeros((len(KINDS), len(widths), draws))
    for column, width in enumerate(widths):
        with computing_in(DOUBLE):
            drawn = [optimum.draw(width, seed + number) for number in range(draws)]
            together = jax.tree.map(lambda *leaves: np.stack(leaves), *drawn)
            sides = (
                (together.encoder, optimum.decoder),
                (optimum.encoder, together.decoder),
                (together.encoder, together.decoder),
            )
            for row, (encoder, decoder) in enumerate(sides):
                axes = (0 if encoder is together.encoder else None, 0 if decoder is together.decoder else None)
                table[row, column] = np.asarray(_risks(optimum.autoencoder, encoder, decoder, axes, points, weights))
    return table


@functools.partial(jax.jit, static_argnums=3)
def _risks(
    like: Autoencoder,
    encoders: NeuronMeasure,
    decoders: NeuronMeasure,
    axes: tuple[int | None, int | None],
    points: jax.Array,
    weights: jax.Array,
) -> jax.Array:
    risk = lambda encoder, decoder: like.with_measures(encoder, decoder).risk(points, weights)
    return jax.vmap(risk, in_axes=axes)(encoders, decoders)
