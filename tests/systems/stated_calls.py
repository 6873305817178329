"""Calls that state a problem, with what is wrong for each of their arguments."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from calls import Call
from small_objects import POINTS
from wrong_values import (
    ACTIVATION,
    ANYTHING,
    CALLBACK,
    COUNT,
    FLAG,
    FUNCTION,
    HUGE,
    NON_NEGATIVE,
    OBJECT,
    POSITIVE,
    RATE,
    SCALE,
    SCALE_OR_ZERO,
    SEED,
    TABLE,
    TABLE_OF_NUMBERS,
    UNLIMITED,
    VECTOR,
    WORD,
    WORDS,
    all_but,
    optional,
)

import isthmus as im


def calls_of_what_is_stated(s: dict[str, Any]) -> list[Call]:
    """Return the calls that state a problem: data, laws, activations, optimizers."""
    return [
        Call(
            "Activation",
            im.Activation,
            {"name": "sine", "value": jnp.sin, "first": jnp.cos, "second": lambda s: -jnp.sin(s), "smooth": True},
            {
                "name": all_but(WORDS),
                "value": FUNCTION,
                **dict.fromkeys(("first", "second"), optional(FUNCTION)),
                **dict.fromkeys(("odd", "homogeneous"), FLAG),
                "smooth": optional(FLAG),
            },
        ),
        Call(
            "Adam",
            im.Adam,
            {},
            {
                **dict.fromkeys(("mean_memory", "square_memory", "epsilon"), POSITIVE),
                "batch_size": {k: v for k, v in optional(UNLIMITED).items() if k != "long"},
            },
        ),
        Call("Momentum", im.Momentum, {"memory": 1.0}, {"memory": POSITIVE}),
        Call(
            "Data",
            im.Data,
            {"points": POINTS},
            {
                "points": {
                    label: value for label, value in TABLE.items() if label != "structured"
                },  # a table of records
                "weights": optional(VECTOR) | {"negative weights": -np.ones(24), "zeros": np.zeros(24)},
                "center": FLAG,
                "scale": WORD,
                "missing": WORD,
                "columns": optional(all_but(too_few=["a"], one_twice=["a", "b", "a"], numbers=[1, 2, 3])),
                "labels": optional(all_but(too_few=[1, 2], a_table=np.ones((24, 1)))),
                "image_shape": optional(all_but(three=(1, 3, 1), other=(2, 2), fractions=(1.0, 3.0), words=("1", "3"))),
            },
        ),
        Call("Data", s["data"].pca_risk, {"latent_dim": 1}, {"latent_dim": all_but("zero", "long", one_float=1.0)}),
        Call(
            "Data",
            s["data"].pca_reconstruction,
            {"latent_dim": 1},
            {"latent_dim": all_but("zero", "long", one_float=1.0)},
        ),
        Call(
            "Stream",
            im.Stream,
            {"sample": lambda key, n: jnp.zeros((n, 2)), "dim": 2},
            {
                "sample": FUNCTION,
                "dim": all_but("long"),
                "transform": CALLBACK,
                "normals": all_but("zero", "long"),
            },
        ),
        Call("Stream", s["stream"].draw, {"count": 2, "seed": 0}, {"count": COUNT, "seed": SEED}),
        Call(
            "GaussianNeurons",
            im.GaussianNeurons,
            {"outputs": 1, "inputs": 2},
            {
                "outputs": COUNT,
                "inputs": COUNT,
                "mean": optional(VECTOR),
                "covariance": optional(TABLE_OF_NUMBERS)
                | {
                    "too small": np.eye(3),
                    "not symmetric": np.triu(np.ones((4, 4))),
                    "indefinite": np.diag([1.0, 1.0, -1.0, 1.0]),
                },
            },
        ),
        Call(
            "SampledNeurons",
            im.SampledNeurons,
            {"sampler": lambda key, n: None, "outputs": 1, "inputs": 2},
            {"sampler": FUNCTION, "outputs": all_but("long"), "inputs": all_but("long")},
        ),
        Call(
            "Law",
            im.Law,
            {"encoder": im.GaussianNeurons(1, 3), "decoder": im.GaussianNeurons(3, 1)},
            {
                "encoder": OBJECT | {"other dimensions": im.GaussianNeurons(2, 3)},
                "decoder": OBJECT | {"other dimensions": im.GaussianNeurons(3, 2)},
                "correction": optional(OBJECT),
            },
        ),
        Call(
            "NeuronMeasure",
            im.NeuronMeasure.of,
            {"outgoing": np.ones((4, 1)), "incoming": np.ones((4, 2))},
            {
                "outgoing": TABLE_OF_NUMBERS,
                "incoming": TABLE_OF_NUMBERS,
                "bias": optional(VECTOR),
                "masses": optional(VECTOR) | {"negative masses": [-1.0, 1.0, 0.5, 0.5], "of sum 4": np.ones(4)},
            },
        ),
        Call(
            "Problem",
            im.Problem,
            {"data": s["data"], "law": s["problem"].law},
            {
                "data": OBJECT,
                "law": OBJECT,
                "latent_dim": optional(OBJECT),
                "activation": optional(ACTIVATION),
                "encoder_rate": RATE,
                "decoder_rate": RATE,
                "weight_decay": NON_NEGATIVE | {"one": (0.1,), "three": (0.1, 0.1, 0.1), "negatives": (0.1, -0.1)},
                "temperature": NON_NEGATIVE,
                "optimizer": OBJECT,
                "train_biases": all_but("true", "numpy's true", one=1),
                "population_points": UNLIMITED,
                "population_seed": SEED,
            },
        ),
        Call(
            "Problem", im.Problem, {"data": s["data"], "latent_dim": 1}, {"latent_dim": COUNT | {"beyond the data": 4}}
        ),
        Call(
            "Problem",
            im.Problem,
            {"data": s["stream"], "law": im.aligned_law(s["data"], 1), "population_points": 16},
            {"population_points": COUNT},
        ),
        Call(
            "aligned_law",
            im.aligned_law,
            {"data": s["data"], "latent_dim": 1},
            {
                "data": OBJECT | {"off centre": im.Data(POINTS + 1)},
                "latent_dim": COUNT | {"beyond the data": 4},
                "activation": ACTIVATION,
                "strength": all_but("zero", more=1.0001, huge=HUGE),
                "preactivation_scale": SCALE,
                "bias_scale": SCALE_OR_ZERO,
                "outgoing_noise": SCALE_OR_ZERO,
            },
        ),
        Call(
            "independent_law",
            im.independent_law,
            {"data_dim": 3, "latent_dim": 1},
            {
                "data_dim": COUNT,
                "latent_dim": COUNT,
                **dict.fromkeys(("outgoing_scale", "incoming_scale", "bias_scale"), SCALE_OR_ZERO),
            },
        ),
        Call(
            "load_data",
            im.load_data,
            {"name": "wine"},
            {
                "name": WORD,
                "max_points": optional(UNLIMITED),
                "seed": SEED,
                "center": FLAG,
                "scale": optional(WORD),
                "missing": WORD,
                # of a file, which wine is not
                **dict.fromkeys(("columns", "drop", "label", "header", "separator", "decimal"), optional(ANYTHING)),
            },
        ),
        Call(
            "gaussian_stream",
            im.gaussian_stream,
            {"covariance": [1.0, 2.0]},
            {
                "covariance": {k: v for k, v in TABLE_OF_NUMBERS.items() if k != "a_row"}
                | {"negative variance": [1.0, -1.0], "not square": np.ones((2, 3)), "too large": np.ones(2**20)}
            },
        ),
        Call(
            "manifold_stream",
            im.manifold_stream,
            {"dim": 4},
            {"dim": COUNT, "manifold_dim": COUNT, "curvature": SCALE, "noise": SCALE_OR_ZERO, "seed": SEED},
        ),
        Call(
            "Problem",
            im.Problem.times,
            {"horizon": 1.0, "records": 2},
            {
                "horizon": SCALE,
                "records": COUNT,
                "step_size": optional(SCALE),
                "spacing": WORD,
                "follow": optional(OBJECT),
            },
        ),
        Call("intrinsic_dimension", im.intrinsic_dimension, {"points": POINTS}, {"points": TABLE}),
    ]
