"""Small objects of every kind that public functions take and return."""

import functools
from typing import Any

import jax
import numpy as np

import isthmus as im
from isthmus.theory.noise_sources import Influence, Sources
from isthmus.theory.prediction import Noise

POINTS = np.random.default_rng(0).standard_normal((24, 3)) * [2.0, 1.0, 0.5]
POINTS -= POINTS.mean(axis=0)
GRID = [0.0, 0.5, 1.0]


@functools.cache
def systems() -> dict[str, Any]:
    """Small objects of every kind that arguments ask for, made once."""
    data = im.Data(POINTS)
    problem = im.Problem(data, im.aligned_law(data, 1))
    linear_law = im.aligned_law(data, 1, activation="linear", bias_scale=0.0)
    penalised = im.Problem(data, im.aligned_law(data, 1), weight_decay=0.01)
    random = np.random.default_rng(1)
    measure = lambda outputs, inputs: im.NeuronMeasure.of(
        random.standard_normal((8, outputs)), random.standard_normal((8, inputs))
    )
    network = problem.autoencoder(measure(1, 3), measure(3, 1))
    count, times = 3, np.array(GRID)
    path = im.MeanFieldPath(
        times=times,
        risk=np.array([1.0, 0.5, 0.25]),
        errors={"particles": np.zeros(count), "time_steps": np.zeros(count)},
        replicate_risk=np.ones((2, count)),
        particles=8,
        snapshot_times=times,
        snapshots=(network,) * count,
        status=im.Status(),
    )
    stacked = jax.tree.map(lambda leaf: np.stack([np.stack([leaf] * count)] * 2), network)
    runs = im.TrainingRuns(times, np.ones((2, count)), (8, 8), times, stacked, np.full(2, np.nan), im.Status())
    noise = Noise(np.eye(count), np.ones((2, count)))
    noises = dict.fromkeys(("encoder", "decoder", "batches", "steps", "shuffled", "sample", "own_sample"), noise)
    influence = Influence(network, *(np.ones((count, 8)),) * 4, times, np.ones((count, 2, 24)))
    law = im.FiniteWidthLaw(times, path, influence, noises, np.full(24, 1 / 24))
    values = Noise(np.eye(4 * count), np.ones((2, 4 * count)))
    sources = Sources(times[-1], dict.fromkeys(noises, values), influence, law.weights)
    observed = im.ObservedLaw(times, random.standard_normal((count, 2, 2)), np.zeros((count, 2, 2)), sources)
    coupling = im.Coupling(
        times, (8, 8), np.ones((2, count)), np.ones((2, count)), runs.risk, stacked, stacked, network
    )
    certificate = im.Certificate(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 16)
    constants = im.Expressivity(0.5, 1.0, 1.0)
    optimum = im.Optimum(0.5, 0.6, network, (8, 8), certificate, constants, np.ones(1), None, im.Status())
    return {
        "data": data,
        "problem": problem,
        "linear": im.Problem(data, linear_law, activation="linear"),
        "penalised": penalised,
        "network": network,
        "path": path,
        "runs": runs,
        "law": law,
        "prediction": law.at(8),
        "observed": observed,
        "observed prediction": observed.at(8),
        "coupling": coupling,
        "optimum": optimum,
        "stream": im.gaussian_stream([2.0, 1.0, 0.5]),
        "gaussian": im.GaussianNeurons(1, 3),
    }
