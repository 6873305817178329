"""Mean-field learning dynamics of wide bottleneck autoencoders.

The public names below are loaded when first used, so that importing the package, or asking the command line for its
version, does not pay for JAX.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from isthmus._version import __version__

if TYPE_CHECKING:
    from isthmus._errors import (
        ArgumentError,
        ArgumentTypeError,
        IsthmusError,
        NumericalError,
        Status,
        StudyFileError,
        TrivialLimitWarning,
        WorkerError,
    )
    from isthmus.core.activations import ACTIVATIONS, Activation
    from isthmus.core.autoencoder import Autoencoder
    from isthmus.core.data import Data, Stream
    from isthmus.core.laws import Law, aligned_law, independent_law
    from isthmus.core.neuron_laws import GaussianNeurons, SampledNeurons
    from isthmus.core.neurons import NeuronMeasure
    from isthmus.core.optimizers import Adam, GradientDescent, Momentum
    from isthmus.core.problem import Problem
    from isthmus.core.sources import gaussian_stream, load_data, manifold_stream
    from isthmus.dynamics.closures import linear_closure
    from isthmus.dynamics.mean_field import solve_mean_field
    from isthmus.dynamics.network_flow import gradient_flow
    from isthmus.dynamics.pilot import recorded_times
    from isthmus.dynamics.results import MeanFieldPath, TrainingRuns
    from isthmus.dynamics.sgd import train
    from isthmus.estimator.autoencoder import MeanFieldAutoencoder
    from isthmus.estimator.diagnosis import Diagnosis
    from isthmus.studies.bottleneck import BottleneckStudy
    from isthmus.studies.bottleneck_result import BottleneckResult, bottleneck_curve
    from isthmus.studies.expressivity import ExpressivityStudy
    from isthmus.studies.expressivity_result import ExpressivityResult, expressivity_curve
    from isthmus.studies.intrinsic_dimension import intrinsic_dimension
    from isthmus.studies.prediction_result import PredictionResult, predict
    from isthmus.studies.prediction_study import PredictionStudy
    from isthmus.studies.store import load_result
    from isthmus.studies.tracking import TrackingStudy
    from isthmus.studies.tracking_result import TrackingResult, track
    from isthmus.studies.width import WidthStudy
    from isthmus.studies.width_result import WidthResult
    from isthmus.studies.width_search import find_width, recommend_width
    from isthmus.theory.best_network import best_networks
    from isthmus.theory.certificates import Certificate
    from isthmus.theory.coupling import Coupling, couple
    from isthmus.theory.expressivity import Expressivity, expressivity
    from isthmus.theory.finite_width import FiniteWidthLaw, predict_finite_width
    from isthmus.theory.optimum import Optimum, solve_optimum
    from isthmus.theory.prediction import Prediction
    from isthmus.theory.resizing import Resized, resize
    from isthmus.theory.saddle import Saddle, saddle

_HOMES = {
    "_errors": (
        "ArgumentError",
        "ArgumentTypeError",
        "IsthmusError",
        "NumericalError",
        "Status",
        "StudyFileError",
        "TrivialLimitWarning",
        "WorkerError",
    ),
    "core.activations": ("ACTIVATIONS", "Activation"),
    "core.autoencoder": ("Autoencoder",),
    "core.data": ("Data", "Stream"),
    "core.laws": ("Law", "aligned_law", "independent_law"),
    "core.neuron_laws": ("GaussianNeurons", "SampledNeurons"),
    "core.neurons": ("NeuronMeasure",),
    "core.optimizers": ("Adam", "GradientDescent", "Momentum"),
    "core.problem": ("Problem",),
    "core.sources": ("gaussian_stream", "load_data", "manifold_stream"),
    "dynamics.closures": ("linear_closure",),
    "dynamics.mean_field": ("solve_mean_field",),
    "dynamics.network_flow": ("gradient_flow",),
    "dynamics.pilot": ("recorded_times",),
    "dynamics.results": ("MeanFieldPath", "TrainingRuns"),
    "dynamics.sgd": ("train",),
    "estimator.autoencoder": ("MeanFieldAutoencoder",),
    "estimator.diagnosis": ("Diagnosis",),
    "studies.bottleneck": ("BottleneckStudy",),
    "studies.bottleneck_result": ("BottleneckResult", "bottleneck_curve"),
    "studies.expressivity": ("ExpressivityStudy",),
    "studies.expressivity_result": ("ExpressivityResult", "expressivity_curve"),
    "studies.intrinsic_dimension": ("intrinsic_dimension",),
    "studies.prediction_result": ("PredictionResult", "predict"),
    "studies.prediction_study": ("PredictionStudy",),
    "studies.store": ("load_result",),
    "studies.tracking": ("TrackingStudy",),
    "studies.tracking_result": ("TrackingResult", "track"),
    "theory.coupling": ("Coupling", "couple"),
    "theory.finite_width": ("FiniteWidthLaw", "predict_finite_width"),
    "studies.width": ("WidthStudy",),
    "studies.width_result": ("WidthResult",),
    "studies.width_search": ("find_width", "recommend_width"),
    "theory.best_network": ("best_networks",),
    "theory.certificates": ("Certificate",),
    "theory.expressivity": ("Expressivity", "expressivity"),
    "theory.optimum": ("Optimum", "solve_optimum"),
    "theory.prediction": ("Prediction",),
    "theory.resizing": ("Resized", "resize"),
    "theory.saddle": ("Saddle", "saddle"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'isthmus' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"isthmus.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
