"""What each source of noise does, to leading order, to values that are observed of a network along its path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder, preactivations
from isthmus.core.data import Stream
from isthmus.core.kinks import rounded, smoothed
from isthmus.core.problem import Problem
from isthmus.core.quadrature import Particles
from isthmus.dynamics.field import VectorField
from isthmus.dynamics.parallel import Progress, Stages
from isthmus.theory.finite_steps import step_shifts
from isthmus.theory.linearisation import Linearisation, linearised
from isthmus.theory.noise_sources import Influence, Sources
from isthmus.theory.observed import RISK, Observed
from isthmus.theory.prediction import Noise, centred, covariance
from isthmus.theory.second_order import second_order
from isthmus.theory.trajectory import Trajectory

SCALE = 0.1
"""At what part of the spread of preactivations kinks are smoothed in the linearisation."""
FEW = 128
"""Particles, at most, by which the bias of that is estimated."""


@dataclass(frozen=True)
class Settings:
    """How finely the leading order is computed: the arguments of `isthmus.predict_finite_width` of the same names."""

    particles: int
    curvature_particles: int
    samples: int
    seed: int
    rtol: float
    max_steps: int
    dtype: np.dtype


class LeadingOrder(NamedTuple):
    """The sources of noise, and the path of particles on which they act.

    Attributes:
        sources: of the values observed.
        trajectory: the path.
        means: of the influence of the particles of each side before it was centred, shapes (V, 1).

    """

    sources: Sources
    trajectory: Trajectory
    means: tuple[np.ndarray, np.ndarray]


def particles_of(problem: Problem, settings: Settings, in_span: bool) -> Particles:
    """Return the particles whose path is linearised."""
    rule, dtype = problem.quadrature, settings.dtype
    return problem.particles(settings.particles, settings.seed, 0, dtype, quadrature=rule, in_span=in_span)


def leading_order(
    problem: Problem,
    times: np.ndarray,
    start: Particles,
    settings: Settings,
    workers: int | None,
    stages: Stages,
    observed: Observed = RISK,
    in_span: bool = True,
) -> LeadingOrder:
    """Linearise the path of particles, and return what it says of what is observed at the given times.

    Args:
        problem: with a limit that can be linearised.
        times: shape (T,), at which values are observed.
        start: the particles, of `particles_of`.
        settings: how finely.
        workers: threads.
        stages: of the progress.
        observed: the values, in the coordinates of the particles.
        in_span: whether these leave out components outside the span of the points, on which the risk doesn't depend.

    """
    seed, dtype = settings.seed, settings.dtype
    smooth = _smoothing(start, SCALE)
    path, linear = _linear(problem, times, start, smooth, settings, workers, stages.next(), observed)
    shifts = step_shifts(path, seed, observed)
    curved = second_order(
        *(problem, smooth, path.nodes, path.recorded, settings.curvature_particles, settings.samples, seed, dtype),
        *(workers, stages.next(), observed, in_span),
    )
    neurons, weights = start.lifted(start.network), np.asarray(problem.population.weights, float)
    masses = [np.asarray(side.masses, float) for side in (neurons.encoder, neurons.decoder)]
    by_step = centred(np.asarray(linear.points, float), weights)
    influence = Influence(
        neurons,
        centred(linear.encoder, masses[0]),
        centred(linear.decoder, masses[1]),
        by_step.sum(axis=1) + centred(linear.first, weights),
        centred(linear.direct, weights),
        path.halves,
        by_step,
    )
    nothing = np.zeros((len(by_step),) * 2)
    batches = _white(influence, weights) + _of_pairs(linear, path.nodes, problem.optimizer.noise_batch)
    noises = {
        "encoder": Noise(covariance(influence.encoder, masses[0]), curved.encoder),
        "decoder": Noise(covariance(influence.decoder, masses[1]), curved.decoder),
        "batches": Noise(batches, curved.batches),
        "steps": Noise(nothing, shifts.steps[None]),
        "shuffled": Noise(nothing, shifts.shuffled[None]),
        "sample": Noise(covariance(influence.points, weights), curved.sample),
        "own_sample": Noise(covariance(influence.points + influence.direct, weights), curved.own_sample),
    }
    fresh = isinstance(problem.data, Stream)
    only = (problem.optimizer.noise_batch,) if problem.optimizer.limit_depends_on_batches else ()
    means = (linear.encoder @ masses[0])[:, None], (linear.decoder @ masses[1])[:, None]
    return LeadingOrder(Sources(float(times[-1]), noises, influence, weights, only, fresh), path, means)


def smoothing_bias(
    problem: Problem, times: np.ndarray, settings: Settings, workers: int | None, stages: Stages
) -> float | None:
    """Return by how much of itself the standard deviation that neurons make is off since kinks are smoothed.

    It goes as the square of the scale h: by few particles, 4/3 of what changes from h to h/2, in the root mean square
    over time. None where nothing is smoothed.
    """
    if all(phi.smooth for phi in problem.activations):
        return None
    few = replace(settings, particles=min(settings.particles, FEW))
    start, stds = particles_of(problem, few, in_span=True), []
    for scale in (SCALE, SCALE / 2):
        smooth = _smoothing(start, scale)
        _, linear = _linear(problem, times, start, smooth, few, workers, stages.next(), RISK)
        kernels = (
            covariance(part, np.asarray(side.masses, float))
            for part, side in ((linear.encoder, start.network.encoder), (linear.decoder, start.network.decoder))
        )
        stds.append(np.sqrt(np.diagonal(sum(kernels, np.zeros((len(times),) * 2)))))
    change = np.divide(stds[0] - stds[1], stds[1], out=np.zeros(len(times)), where=stds[1] > 0)
    return float(4 / 3 * np.sqrt(np.mean(change**2)))


def _linear(
    problem: Problem,
    times: np.ndarray,
    start: Particles,
    smooth: Callable[[Autoencoder], Autoencoder],
    settings: Settings,
    workers: int | None,
    progress: Progress | None,
    observed: Observed,
) -> tuple[Trajectory, Linearisation]:
    """Return the path of particles with smoothed activations, and its derivatives."""
    field = VectorField.of(start.population, problem.motion, settings.dtype)
    correction, to_draws = problem.law.correction, None
    if correction is not None:  # the mass of a neuron acts on the risk by way of the correction of all others, too
        turned = correction if start.frame is None else correction.in_axes(start.frame.basis)
        to_draws = partial(turned.pulled_back, start.drawn)
    noise = jax.random.key(settings.seed)
    path = Trajectory(smooth(start.network), field, times, settings.rtol, settings.max_steps, noise)
    return path, linearised(path, settings.seed, workers, progress, to_draws, observed)


def _smoothing(particles: Particles, scale: float) -> Callable[[Autoencoder], Autoencoder]:
    """Return the function that smooths a network's activations, at this part of the spread of preactivations."""
    network, points = particles.network, np.asarray(particles.population.filled)
    phis = network.encoder_activation, network.decoder_activation
    if all(phi.smooth for phi in phis):
        return lambda network: network
    dtype = np.dtype(network.encoder.bias.dtype)
    with computing_in(dtype):
        latents = np.asarray(network.encode(points.astype(dtype)))
    spread = lambda measure, inputs: float(np.sqrt(np.mean(preactivations(measure, inputs) ** 2)))
    sides = ((network.encoder, points.astype(dtype)), (network.decoder, latents))
    chosen = [smoothed(phi, rounded(scale * spread(*side))) for phi, side in zip(phis, sides, strict=True)]
    return lambda network: replace(network, encoder_activation=chosen[0], decoder_activation=chosen[1])


def _white(influence: Influence, weights: np.ndarray) -> np.ndarray:
    """Return ∫ Cov(G(·, s; t), G(·, s; t′)) ds, shape (V, V)."""
    parts = enumerate(np.diff(influence.steps))
    terms = (covariance(influence.points_by_step[:, i], weights) / length for i, length in parts)
    return sum(terms, np.zeros((len(influence.points),) * 2))


def _of_pairs(linear: Linearisation, nodes: np.ndarray, size: int | None) -> np.ndarray | float:
    """Return what pairs of points in a batch of B add to K_S, (B − 1)/B² ∫ Cov of the quadratic part, shape (V, V)."""
    pairs = linear.pairs
    if size is None or pairs.shape[-1] == 0:
        return 0.0
    draws = pairs.shape[-1]
    equal = np.full(draws, 1 / (draws - 1))
    deviations = pairs - pairs.mean(axis=-1, keepdims=True)
    terms = ((deviations[:, i] * equal) @ deviations[:, i].T / length for i, length in enumerate(np.diff(nodes)))
    return (size - 1) / size**2 * sum(terms)
