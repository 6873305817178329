"""Every public function and class with arguments that are right, and for each argument values that are wrong."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from small_objects import GRID, POINTS, systems
from wrong_values import (
    ACTIVATION,
    ANYTHING,
    CALLBACK,
    COUNT,
    DTYPE,
    FIRST,
    FLAG,
    FUNCTION,
    HUGE,
    NON_NEGATIVE,
    OBJECT,
    PATH,
    POSITIVE,
    RATE,
    RTOL,
    SCALE,
    SCALE_OR_ZERO,
    SEED,
    SHARE,
    SNAPSHOTS,
    STEP_SIZE,
    TABLE,
    TABLE_OF_NUMBERS,
    TIME,
    TIMES,
    UNLIMITED,
    VECTOR,
    WIDTH,
    WORD,
    WORDS,
    WORKERS,
    all_but,
    optional,
)

import isthmus as im


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
                "neurons": optional({k: v for k, v in COUNT.items() if k != "zero"} | {"no power of 2": 12}),
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
                "verbose": all_but("true", "numpy's true", "zero", "long"),
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
            {"time": TIME | {"nothing": None}, "run": all_but("zero", one_float=1.0, beyond=2)},
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
