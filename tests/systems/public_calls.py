"""Every public function and class with arguments that are right, and for each argument values that are wrong."""

import datetime
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import isthmus as im
from isthmus.theory.noise_sources import Influence, Sources
from isthmus.theory.prediction import Noise

HUGE = 10**400
LONG = 10**5000
"""An integer that Python refuses to print."""


class Unprintable:
    """A value that can be neither shown nor made an array."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __array__(self, *_, **__):
        raise RuntimeError("no")


def _recursive() -> list:
    inside: list = []
    inside.append(inside)
    return inside


ANYTHING: dict[str, Any] = {
    "nothing": None,
    "word": "many",
    "empty word": "",
    "number in words": "3",
    "bytes": b"\xff",
    "true": True,
    "numpy's true": np.bool_(True),
    "complex": 1j,
    "nan": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "an object": object(),
    "unprintable": Unprintable(),
    "empty list": [],
    "empty tuple": (),
    "dictionary": {},
    "ragged": [[1.0], [1.0, 2.0]],
    "recursive": _recursive(),
    "deep": functools.reduce(lambda inner, _: [inner], range(200), 1.0),
    "a function": lambda *_: None,
    "a class": int,
    "a date": datetime.date(2024, 2, 29),
    "a module": math,
    "a null character": "a\0b",
    "a lone surrogate": "\ud800",
    "no character of a name": "a\nb",
    "an array of words": np.array(["a"]),
    "an array of objects": np.array([object()], dtype=object),
    "structured": np.zeros(2, dtype=[("a", float)]),
    "fraction": 1.5,
    "negative": -1,
    "zero": 0,
    "long": LONG,
    "huge negative": -HUGE,
    "a set": {1, 2},
    "an iterator": iter([1, 2]),
    "negative fraction": -0.25,
    "three axes": np.ones((2, 2, 2)),
    "five axes": np.ones((1, 1, 1, 1, 1)),
}
"""Values that hardly any argument takes; each kind of argument names those that it does take."""
NUMBERS = {"fraction", "zero", "negative", "negative fraction"}
WORDS = {"word", "empty word", "number in words", "a null character", "a lone surrogate", "no character of a name"}
FUNCTIONS = {"a function", "a class"}


def _but(*good: str | set[str], **more: Any) -> dict[str, Any]:
    """Return all values but those that are good, with others that are wrong too."""
    kept = set().union(*({one} if isinstance(one, str) else one for one in good))
    assert kept <= ANYTHING.keys()
    return {label: value for label, value in ANYTHING.items() if label not in kept} | more


COUNT = _but(one_float=1.0, many=2**63, too_many=HUGE, huge_float=1e300, array_of_one=np.array([2]))
FIRST = _but("zero", one_float=1.0, too_many=HUGE, huge_float=1e300)
UNLIMITED = _but("long", one_float=1.0, huge_float=1e300)
WIDTH = COUNT | {"none": (), "one": (8,), "three": (8, 8, 8), "zeros": (8, 0), "fractions": (8, 8.5), "words": ("8", 8)}
SEED = _but("zero", one_float=1.0, beyond_32_bits=2**32, beyond_64_bits=2**64, beyond=HUGE, list_of_one=[1])
POSITIVE = _but("fraction", huge=HUGE)
NON_NEGATIVE = _but("fraction", "zero", huge=HUGE)
SHARE = _but(one=1, one_float=1.0, more=1.0001, huge=HUGE, tiny_negative=-1e-300)
SCALE = _but("fraction", huge=HUGE, no_square=1e200, no_inverse_square=1e-200)
SCALE_OR_ZERO = _but("fraction", "zero", huge=HUGE, no_square=1e200, no_inverse_square=1e-200)
RTOL = _but("fraction", too_fine=1e-30, too_coarse=0.5, huge=HUGE, far_too_coarse=1.5)
FLAG = _but("true", "numpy's true", one=1)
WORD = _but(unknown="tahn", capitals="TANH", in_a_list=["tanh"])
FUNCTION = _but(FUNCTIONS)
CALLBACK = _but(FUNCTIONS, "nothing", "true")
RATE = _but(
    FUNCTIONS,
    "fraction",
    "zero",
    huge=HUGE,
    of_nothing=lambda: 1.0,
    nothing=lambda t: None,
    words=lambda t: "1",
    nan=lambda t: math.nan,
    negative=lambda t: -1.0,
    fails=lambda t: 1 / 0,
    vector=lambda t: jnp.ones(3),
    untraceable=lambda t: math.sin(t),
    builtin=int,
    returns_nothing=lambda *_: None,
)
STEP_SIZE = {label: value for label, value in RATE.items() if label != "untraceable"} | {
    "zero": 0,
    "too small": 1e-12,
    "no step": lambda t: 0.0,
    "too small a step": lambda t: 1e-300,
}
OBJECT = _but(an_array=np.ones((3, 2)), array_of_float32=np.ones(3, np.float32))
TIMES = _but(
    one_nan=[0.0, math.nan],
    one_infinity=[0.0, math.inf],
    decreasing=[1.0, 0.5],
    repeated=[0.0, 0.0],
    negative_time=[-1.0, 1.0],
    column=[[0.0], [1.0]],
    words=["0", "1"],
    nothing_in_it=[None],
    complexes=[1j],
    dates=np.array(["2024-02-29"], "M8[D]"),
    huge=[0, HUGE],
    masked=np.ma.masked_array([0.0, 1.0], [False, True]),
)
TIME = _but("nothing", "zero", not_recorded=0.123, huge=HUGE, several=[0.0, 1.0], words="0.0")
SNAPSHOTS = {label: value for label, value in TIME.items() if label not in ("several", "empty list", "empty tuple")}
TABLE = _but(
    one_nan=[[1.0, math.nan]],
    one_infinity=[[math.inf, 0.0]],
    a_row=[1.0, 2.0],
    no_rows=np.zeros((0, 2)),
    no_columns=np.zeros((2, 0)),
    words=[["1", "2"]],
    nothing_in_it=[[None, 1.0]],
    complexes=[[1j, 0.0]],
    dates=np.array([["2024-02-29"]], "M8[D]"),
    integers_beyond=[[HUGE, 0]],
    too_large=[[1e200, 0.0], [0.0, 1e200]],
    masked=np.ma.masked_array([[0.0, 1.0], [1.0, 0.0]], [[False, True], [False, False]]),
)
TABLE_OF_NUMBERS = {label: value for label, value in TABLE.items() if label != "too_large"}
VECTOR = {label: value for label, value in TABLE_OF_NUMBERS.items() if label != "a_row"} | {"wrong length": np.ones(77)}
WORKERS = _but("nothing", "long", one_float=1.0)
PATH = _but(WORDS, a_null_character="a\0b", lone="\ud800", number=3)
ACTIVATION = WORD | {"one in a pair": ("tanh",), "three": ("tanh", "tanh", "tanh"), "one unknown": ("tanh", "tahn")}
DTYPE = _but(half="float16", integers="int64", numpy_half=np.float16, numpy_type=np.int32)


def optional(values: dict[str, Any]) -> dict[str, Any]:
    """Return the wrong values of an argument that may be None."""
    return {label: value for label, value in values.items() if value is not None}


class Call(NamedTuple):
    """A public function with arguments that are right, and by argument values that are wrong."""

    name: str
    function: Callable[..., Any]
    right: dict[str, Any]
    wrong: dict[str, dict[str, Any]]

    def cases(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield each argument with the name of a wrong value and all arguments."""
        for argument, values in self.wrong.items():
            for label, value in values.items():
                yield argument, label, self.right | {argument: value}


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


def _fitted(**parameters: Any) -> Any:
    return im.MeanFieldAutoencoder(**parameters).fit(POINTS)


TRACKING = {
    "data": {"source": "wine"}, "widths": [8], "step_sizes": [0.5], "horizon": 1.0, "records": 2, "runs": 2,
    "flow_runs": 2, "particles": 16, "law_particles": 16, "law_samples": 2,
}  # fmt: skip


def calls() -> list[Call]:
    """Return every public call with what is wrong for each of its arguments."""
    s = systems()
    run = {"workers": WORKERS, "progress": CALLBACK}
    stepped = {"rtol": optional(RTOL), "atol": optional(POSITIVE), "max_steps": COUNT}
    solver = {"problem": OBJECT, "times": TIMES, "seed": SEED, "dtype": DTYPE} | run
    study = lambda name, function, question: Call(name, function, {"study": question}, {"study": OBJECT} | run)
    place = {"executor": optional(OBJECT), "folder": optional(PATH), "resume": FLAG}
    jobs = lambda *of: study(*of)._replace(wrong={"study": OBJECT} | run | place)
    return [
        Call(
            "Activation",
            im.Activation,
            {"name": "sine", "value": jnp.sin, "first": jnp.cos, "second": lambda s: -jnp.sin(s), "smooth": True},
            {
                "name": _but(WORDS),
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
                "columns": optional(_but(too_few=["a"], one_twice=["a", "b", "a"], numbers=[1, 2, 3])),
                "labels": optional(_but(too_few=[1, 2], a_table=np.ones((24, 1)))),
                "image_shape": optional(_but(three=(1, 3, 1), other=(2, 2), fractions=(1.0, 3.0), words=("1", "3"))),
            },
        ),
        Call("Data", s["data"].pca_risk, {"latent_dim": 1}, {"latent_dim": _but("zero", "long", one_float=1.0)}),
        Call(
            "Data",
            s["data"].pca_reconstruction,
            {"latent_dim": 1},
            {"latent_dim": _but("zero", "long", one_float=1.0)},
        ),
        Call(
            "Stream",
            im.Stream,
            {"sample": lambda key, n: jnp.zeros((n, 2)), "dim": 2},
            {
                "sample": FUNCTION,
                "dim": _but("long"),
                "transform": CALLBACK,
                "normals": _but("zero", "long"),
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
            {"sampler": FUNCTION, "outputs": _but("long"), "inputs": _but("long")},
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
                "train_biases": _but("true", "numpy's true", one=1),
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
                "strength": _but("zero", more=1.0001, huge=HUGE),
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
            "linear_closure",
            im.linear_closure,
            {"problem": s["linear"], "times": GRID},
            {"problem": OBJECT, "times": TIMES, "rtol": RTOL},
        ),
        Call(
            "recorded_times",
            im.recorded_times,
            {"problem": s["problem"], "horizon": 1.0, "records": 2},
            {"problem": OBJECT, "horizon": SCALE, "records": COUNT, "step_size": optional(SCALE), "seed": SEED},
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
        Call(
            "solve_mean_field",
            im.solve_mean_field,
            {"problem": s["problem"], "times": GRID, "particles": 16, "replicates": 2},
            solver
            | stepped
            | {
                "particles": COUNT | {"no power of 2": 12},
                "quadrature": WORD,
                "replicates": COUNT,
                "tolerance": optional(POSITIVE),
                "max_particles": UNLIMITED,
                "snapshot_times": optional(SNAPSHOTS),
                "integrator": WORD,
                "devices": optional(COUNT),
                "throw": FLAG,
            },
        ),
        Call(
            "gradient_flow",
            im.gradient_flow,
            {"problem": s["problem"], "times": GRID, "width": 8},
            solver
            | stepped
            | {"width": WIDTH, "runs": COUNT, "first_run": FIRST, "snapshot_times": optional(SNAPSHOTS), "throw": FLAG},
        ),
        Call(
            "train",
            im.train,
            {"problem": s["problem"], "times": GRID, "width": 8, "step_size": 0.5},
            solver
            | {
                "width": WIDTH,
                "step_size": STEP_SIZE,
                "batch_size": COUNT,
                "sampling": optional(WORD),
                "runs": COUNT,
                "first_run": FIRST,
                "start": optional(OBJECT)
                | {
                    "of another width": s["problem"].autoencoder(
                        im.NeuronMeasure.of([[1.0]], [[1.0] * 3]), s["network"].decoder
                    )
                },
                "snapshot_times": optional(SNAPSHOTS),
                "throw": FLAG,
            },
        ),
        Call(
            "predict_finite_width",
            im.predict_finite_width,
            {"problem": s["problem"], "times": GRID, "particles": 16, "samples": 2},
            solver
            | {
                "path": optional(OBJECT),
                "particles": COUNT | {"no power of 2": 12},
                "curvature_particles": COUNT | {"no power of 2": 12},
                "samples": COUNT | {"one": 1},
                "rtol": RTOL,
                "max_steps": {k: v for k, v in UNLIMITED.items() if k != "long"},
            },
        ),
        Call(
            "estimate_finite_width",
            im.estimate_finite_width,
            {"problem": s["problem"], "times": GRID, "width": 8, "runs": 4, "neurons": 16},
            solver
            | {
                "width": WIDTH,
                "step_size": NON_NEGATIVE,
                "batch_size": optional(UNLIMITED),
                "sampling": optional(WORD),
                "runs": COUNT | {"too few": 3},
                "law": optional(OBJECT),
                "influence": optional(WORD),
                "neurons": COUNT | {"no power of 2": 12},
            },
        ),
        Call(
            "saddle",
            im.saddle,
            {"problem": s["problem"], "neurons": 16},
            {"problem": OBJECT, "drop": optional(POSITIVE), "neurons": COUNT | {"no power of 2": 12}, "seed": SEED},
        ),
        Call(
            "couple",
            im.couple,
            {"problem": s["problem"], "times": GRID, "width": 8, "particles": 16, "runs": 1},
            solver
            | {
                "width": WIDTH,
                "step_size": NON_NEGATIVE,
                "batch_size": UNLIMITED,
                "sampling": optional(WORD),
                "runs": COUNT,
                "particles": COUNT | {"no power of 2": 12},
                "rtol": optional(RTOL),
                "max_steps": COUNT,
            },
        ),
        Call(
            "solve_optimum",
            im.solve_optimum,
            {"problem": s["penalised"], "atoms": 8, "restarts": 1, "starts": 16},
            {
                "problem": OBJECT | {"unbounded": s["problem"]},
                "radius": optional(POSITIVE),
                "atoms": COUNT,
                "restarts": COUNT,
                "tolerance": POSITIVE,
                "rounds": UNLIMITED,
                "starts": COUNT,
                "seed": SEED,
                "throw": FLAG,
            }
            | run,
        ),
        Call(
            "best_networks",
            im.best_networks,
            {"problem": s["penalised"], "optimum": s["optimum"], "width": 2},
            {
                "problem": OBJECT,
                "optimum": OBJECT,
                "width": COUNT,
                "restarts": COUNT,
                "beside": optional(OBJECT),
                "iterations": UNLIMITED,
                "seed": SEED,
            }
            | run,
        ),
        Call(
            "expressivity",
            im.expressivity,
            {"network": s["network"], "population": s["data"]},
            {"network": OBJECT, "population": OBJECT | {"other dimensions": im.Data(POINTS[:, :2])}},
        ),
        Call(
            "resize",
            im.resize,
            {"network": s["network"], "width": 4, "data": s["data"]},
            {
                "network": OBJECT,
                "width": WIDTH,
                "data": TABLE | {"other dimensions": im.Data(POINTS[:, :2])},
                "spread": NON_NEGATIVE,
                "seed": SEED,
            },
        ),
        Call(
            "recommend_width",
            im.recommend_width,
            {"problem": s["problem"], "tolerance": 0.1, "horizon": 1.0, "records": 2, "runs": 2, "particles": 16},
            {
                "problem": TABLE,
                "tolerance": POSITIVE,
                "confidence": SHARE,
                "horizon": POSITIVE,
                "step_size": NON_NEGATIVE,
                "batch_size": COUNT,
                "records": COUNT,
                "runs": COUNT,
                "particles": COUNT | {"no power of 2": 12},
                "seed": SEED,
            }
            | run,
        ),
        Call(
            "recommend_width",
            im.recommend_width,
            {"problem": POINTS, "tolerance": 0.1, "horizon": 1.0, "records": 2, "runs": 2, "particles": 16},
            {"latent_dim": COUNT | {"beyond the data": 4}},
        ),
        Call("intrinsic_dimension", im.intrinsic_dimension, {"points": POINTS}, {"points": TABLE}),
        Call("load_result", im.load_result, {"folder": "nowhere"}, {"folder": PATH}),
        Call("MeanFieldAutoencoder", im.MeanFieldAutoencoder.load, {"path": "nowhere"}, {"path": PATH}),
        Call(
            "MeanFieldAutoencoder",
            _fitted,
            {"n_components": 1, "width": 8, "horizon": 1.0, "batch_size": 4, "records": 2, "random_state": 0},
            {
                **dict.fromkeys(("n_components", "width", "batch_size"), COUNT),
                **dict.fromkeys(("records", "patience"), UNLIMITED),
                "horizon": POSITIVE | {"too many steps": 1e12},
                "step_size": POSITIVE | {"too many steps": 1e-12},
                "activation": ACTIVATION,
                "optimizer": WORD,
                "init": WORD,
                "weight_decay": NON_NEGATIVE,
                "preactivation_scale": SCALE,
                "early_stopping": FLAG,
                "validation_fraction": SHARE,
                "contamination": SHARE | {"more than a half": 0.6},
                "max_time": optional(POSITIVE),
                "cv": {"a word": "many", "one": 1, "a fraction": 1.5, "true": True},
                "random_state": {
                    label: value
                    for label, value in SEED.items()
                    if label not in ("nothing", "a module", "true", "numpy's true")
                },
                "verbose": _but("true", "numpy's true", "zero", "long"),
            },
        ),
        jobs("track", im.track, im.TrackingStudy(**TRACKING)),
        jobs("predict", im.predict, im.PredictionStudy(**TRACKING)),
        jobs("find_width", im.find_width, im.WidthStudy(data={"source": "wine"}, tolerance=0.1, runs=2, particles=16)),
        jobs(
            "bottleneck_curve",
            im.bottleneck_curve,
            im.BottleneckStudy(data={"source": "wine"}, max_latent_dim=1, splits=2, particles=16),
        ),
        jobs(
            "expressivity_curve",
            im.expressivity_curve,
            im.ExpressivityStudy(data={"source": "wine"}, widths=[1], atoms=4, restarts=1, starts=16),
        ),
        *_methods(s),
    ]


def _methods(s: dict[str, Any]) -> list[Call]:
    """Return the methods of what solvers return."""
    network = {"width": WIDTH_OF_LAW, "step_size": NON_NEGATIVE, "batch_size": optional(UNLIMITED)}
    kind = {"sampling": WORD, "sample_size": optional(UNLIMITED), "measured_on": WORD}
    asked = {"width": 8, "step_size": 0.1, "batch_size": 2, "sample_size": 2}
    law, prediction = s["law"], s["prediction"]
    kinds = {label: value for label, value in kind.items() if label != "sampling"} | {"sampling": optional(WORD)}
    return [
        Call("MeanFieldPath", s["path"].at, {"time": 1.0}, {"time": TIME | {"nothing": None}}),
        Call(
            "TrainingRuns",
            s["runs"].at,
            {"time": 1.0, "run": 0},
            {"time": TIME | {"nothing": None}, "run": _but("zero", one_float=1.0, beyond=2)},
        ),
        Call("FiniteWidthLaw", law.at, asked, network | kinds),
        Call("FiniteWidthLaw", law.band, {"confidence": 0.9, "width": 8}, {"confidence": SHARE}),
        Call("FiniteWidthLaw", law.gap_quantile, {"confidence": 0.9, "width": 8}, {"confidence": SHARE}),
        Call(
            "FiniteWidthLaw",
            law.width_for,
            {"tolerance": 10.0, "confidence": 0.9},
            {"tolerance": POSITIVE, "confidence": SHARE, "step_size": NON_NEGATIVE},
        ),
        Call(
            "FiniteWidthLaw",
            law.step_size_for,
            {"tolerance": 10.0, "confidence": 0.9, "width": 8, "batch_size": 2},
            {"tolerance": POSITIVE, "confidence": SHARE, "width": WIDTH_OF_LAW, "batch_size": optional(UNLIMITED)},
        ),
        Call(
            "ObservedLaw",
            s["observed"].at,
            asked,
            network | {"sampling": kinds["sampling"], "sample_size": kinds["sample_size"]},
        ),
        Call("ObservedPrediction", s["observed prediction"].band, {"confidence": 0.9}, {"confidence": SHARE}),
        Call("ObservedPrediction", s["observed prediction"].source_std, {"source": "encoder"}, {"source": WORD}),
        Call("Prediction", prediction.band, {"confidence": 0.9}, {"confidence": SHARE}),
        Call("Prediction", prediction.gap_quantile, {"confidence": 0.9}, {"confidence": SHARE}),
        Call("Prediction", prediction.source_std, {"source": "encoder"}, {"source": WORD}),
        Call("Coupling", s["coupling"].supremum, {"side": "encoder"}, {"side": WORD}),
        Call(
            "Coupling",
            s["coupling"].wasserstein,
            {"side": "encoder", "time": 1.0},
            {"side": WORD, "time": TIME | {"nothing": None}, "exact": FLAG, "seed": SEED},
        ),
        Call("Optimum", s["optimum"].draw, {"width": 4}, {"width": WIDTH, "seed": SEED}),
        Call("Expressivity", s["optimum"].expressivity.expected_risk, {"width": 4}, {"width": FINITE_WIDTH}),
    ]


WIDTH_OF_LAW = {label: value for label, value in WIDTH.items() if label not in ("infinity", "long", "many", "too_many")}
FINITE_WIDTH = {label: value for label, value in WIDTH.items() if label != "many"}
RETURNED = {
    "Autoencoder", "BottleneckResult", "Certificate", "Diagnosis", "ExpressivityResult", "FiniteWidthEstimate",
    "PredictionResult", "Resized",
    "Saddle", "Status", "TrackingResult", "WidthResult",
}  # fmt: skip
"""What is returned, never made by hand, and has no method that takes an argument of the kinds above."""
STUDIES = {"BottleneckStudy", "ExpressivityStudy", "PredictionStudy", "TrackingStudy", "WidthStudy"}
"""Descriptions, whose every key is tried as TOML."""
FRAMEWORKS = {"from_keras", "from_onnx", "from_torch", "torch"}
"""What needs a package that may not be there, and is tried in tests/imports."""
WITHOUT_ARGUMENTS = {"GradientDescent"}
