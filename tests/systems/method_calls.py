"""Methods of what solvers return, with what is wrong for each of their arguments."""

from typing import Any

from calls import Call
from wrong_values import (
    FLAG,
    NON_NEGATIVE,
    POSITIVE,
    SEED,
    SHARE,
    TIME,
    UNLIMITED,
    WIDTH,
    WORD,
    all_but,
    optional,
)

WIDTH_OF_LAW = {label: value for label, value in WIDTH.items() if label not in ("infinity", "long", "many", "too_many")}
FINITE_WIDTH = {label: value for label, value in WIDTH.items() if label != "many"}


def calls_of_methods(s: dict[str, Any]) -> list[Call]:
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
