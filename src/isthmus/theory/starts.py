"""Where a search for the optimum starts: networks of drawn neurons, and networks that are fitted to latents.

The landscape of the encoder has many local optima, and most of them differ in how the data are laid along the latents.
So starts of several kinds are tried: aligned laws, whose latents are principal components; independent laws of many
scales, whose latents fold the data by chance; and latents that unfold the data, along a short path through the points
or by geodesic distances, to which an encoder is then fitted.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator

import jax
import numpy as np

from isthmus._errors import ArgumentError, TrivialLimitWarning
from isthmus._precision import DOUBLE
from isthmus.core.activations import Activation
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.laws import Law, aligned_law, independent_law
from isthmus.core.neurons import NeuronMeasure
from isthmus.core.problem import Problem

SCALES = 0.5, 6.0
"""The least and the largest deviation of preactivations under the independent laws, without their biases."""
BIASES = 0.3, 3.0
"""The least and the largest deviation of their biases."""
SLOPES = 1.0, 4.0
"""The least and the largest deviation of preactivations of neurons that are fitted to latents; biases have half."""
RIDGES = 1e-2, 0.2
"""The least and the largest penalty of such a fit, relative to the mean square of a neuron's output."""
NEIGHBOURS = 4, 5, 8, 12
"""Numbers of neighbours by which geodesic distances are found."""
MOST_POINTS = 512
"""Points that are laid along latents; others get the latents of the nearest one of these."""


class Starts:
    """The starts of a problem: each has random numbers of its own, and the kinds take turns.

    Args:
        problem: data, activations, and the law of the first start.
        seed: of everything random.

    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem, self._seed = problem, seed
        with warnings.catch_warnings():  # here and not in `drawn`, which threads call
            warnings.simplefilter("ignore", TrivialLimitWarning)
            self._aligned = [dataclasses.replace(problem, law=law) for law in _aligned_laws(problem)]
        self._latents = list(unfolded(problem))

    def drawn(self, index: int, width: int) -> Autoencoder:
        """Return the network of an index, with so many neurons a side of equal mass, in double precision.

        Of four in a row one is of the problem's law or an aligned one, one of an independent law, and two are fitted to
        latents, where the data can be laid along any.
        """
        turn, kind = divmod(index, 4)
        random = np.random.default_rng([self._seed, index])
        if kind == 0:
            return start_from(self._aligned[turn % len(self._aligned)], self._seed, index, width)
        if kind == 1 or not self._latents:
            return independent(self._problem, width, random)
        return fitted_to(self._latents[(2 * turn + kind) % len(self._latents)], self._problem, width, random)


def start_from(problem: Problem, seed: int, index: int, width: int) -> Autoencoder:
    """Return a network of neurons drawn from the law of a problem, in double precision."""
    return problem.draw(jax.random.fold_in(jax.random.key(seed), index), (width, width), DOUBLE)


def independent(problem: Problem, width: int, random: np.random.Generator) -> Autoencoder:
    """Return a network of independent normal weights, in which preactivations and biases have random scales."""
    scale, offset = _between(SCALES, random), _between(BIASES, random)
    sides = []
    for outputs, inputs, unit in (
        (problem.latent_dim, problem.dim, _size(problem)),
        (problem.dim, problem.latent_dim, 1.0),
    ):
        bias = random.normal(0, offset, width) if problem.train_biases else np.zeros(width)
        outgoing, incoming = random.normal(size=(width, outputs)), random.normal(0, scale / unit, (width, inputs))
        sides.append(NeuronMeasure.of(outgoing, incoming, bias))
    return problem.autoencoder(*sides)


def unfolded(problem: Problem) -> Iterator[np.ndarray]:
    """Yield latents of the points in which neighbours are near, shape (n, k), centred and of mean square 1.

    With one latent they lie along a short path through all points, in even steps or in steps of its lengths. With any
    number of latents their distances are nearly the geodesic ones, of graphs with several numbers of neighbours.

    Source: optimal leaf ordering, Bar-Joseph, Gifford and Jaakkola, Bioinformatics 17 (2001); Isomap, Tenenbaum,
    de Silva and Langford, Science 290 (2000).
    """
    population, k = problem.population, problem.latent_dim
    points = np.asarray(population.points, float)
    points = points / (np.abs(points).max() or 1.0)  # whose squares neither overflow nor vanish
    chosen = np.random.default_rng(0).permutation(len(points))[:MOST_POINTS]
    some = points[chosen]
    if len(np.unique(some, axis=0)) <= max(2, k):
        return
    nearest = _nearest(points, some)
    for latents in (*_along_path(some, k), *_by_geodesics(some, k)):
        found = latents[nearest] - population.weights @ latents[nearest]
        size = np.sqrt(population.weights @ np.square(found).mean(axis=1))
        if np.isfinite(size) and size > 0:
            yield found / size


def _nearest(points: np.ndarray, some: np.ndarray) -> np.ndarray:
    from sklearn.metrics import pairwise_distances_argmin

    return pairwise_distances_argmin(points, some)


def _along_path(points: np.ndarray, latent_dim: int) -> Iterator[np.ndarray]:
    """Yield places along a short path through all points, by the number of the point and by the length up to it."""
    if latent_dim > 1:
        return
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import pdist

    order = leaves_list(linkage(pdist(points), "single", optimal_ordering=True))
    steps = np.linalg.norm(np.diff(points[order], axis=0), axis=1)
    for lengths in (np.ones(len(steps)), steps):
        places = np.empty((len(points), 1))
        places[order, 0] = np.concatenate([[0.0], np.cumsum(lengths)])
        yield places


def _by_geodesics(points: np.ndarray, latent_dim: int) -> list[np.ndarray]:
    from sklearn.manifold import Isomap

    numbers = [number for number in NEIGHBOURS if number < len(points) > latent_dim]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of graphs in several parts, which are joined: here points are few
        return [Isomap(n_neighbors=number, n_components=latent_dim).fit_transform(points) for number in numbers]


def fitted_to(latents: np.ndarray, problem: Problem, width: int, random: np.random.Generator) -> Autoencoder:
    """Return a network of drawn incoming weights whose encoder is fitted to latents, and its decoder to the data."""
    points = np.asarray(problem.population.points, float)
    encoder, outputs = _fitted(points, latents, problem, problem.activations[0], width, random)
    decoder, _ = _fitted(outputs, points, problem, problem.activations[1], width, random)
    return problem.autoencoder(encoder, decoder)


def _fitted(
    inputs: np.ndarray,
    targets: np.ndarray,
    problem: Problem,
    activation: Activation,
    width: int,
    random: np.random.Generator,
) -> tuple[NeuronMeasure, np.ndarray]:
    """Return neurons whose outgoing weights are those of a ridge regression of targets, and their outputs."""
    from sklearn.linear_model import Ridge

    weights = np.asarray(problem.population.weights, float)
    unit = np.sqrt(weights @ np.square(inputs).sum(axis=1)) or 1.0
    slope, ridge = _between(SLOPES, random), _between(RIDGES, random)
    incoming = random.normal(0, slope / unit, (width, inputs.shape[1]))
    bias = random.normal(0, slope / 2, width) if problem.train_biases else np.zeros(width)
    values = activation.of(inputs @ incoming.T + bias)
    penalty = ridge * (weights @ np.square(values).mean(axis=1)) + np.finfo(float).tiny
    fit = Ridge(penalty, fit_intercept=False).fit(values, targets, sample_weight=weights)
    amplitudes = np.reshape(fit.coef_, (-1, width))
    neurons = NeuronMeasure.of(width * amplitudes.T, incoming, bias)
    return neurons, values @ amplitudes.T


def _between(bounds: tuple[float, float], random: np.random.Generator) -> float:
    """Return a number whose logarithm is uniform between those of two bounds."""
    return float(np.exp(random.uniform(*np.log(bounds))))


def _aligned_laws(problem: Problem) -> Iterator[Law]:
    """Yield the problem's law, then aligned laws of several scales (independent ones where data aren't centred)."""
    yield problem.law
    bias = 0.5 if problem.train_biases else 0.0
    for scale, strength in ((1.5, 1.0), (0.7, 1.0), (3.0, 0.7)):
        try:
            yield aligned_law(
                problem.population,
                problem.latent_dim,
                activation=problem.activations,
                strength=strength,
                preactivation_scale=scale,
                bias_scale=bias,
            )
        except ArgumentError:  # not centred, or of too small a rank
            size = _size(problem)
            yield independent_law(problem.dim, problem.latent_dim, incoming_scale=scale / size, bias_scale=bias)


def _size(problem: Problem) -> float:
    """Return the root mean square norm of the points, 1 where all are 0."""
    population = problem.population
    return float(np.sqrt((population.points.astype(float) ** 2).sum(axis=1) @ population.weights)) or 1.0
