"""Calls of studies and of the estimator, with what is wrong for each of their arguments."""

from typing import Any

from calls import RUN, Call
from small_objects import POINTS
from wrong_values import (
    ACTIVATION,
    COUNT,
    FLAG,
    NON_NEGATIVE,
    OBJECT,
    PATH,
    POSITIVE,
    SCALE,
    SEED,
    SHARE,
    TABLE,
    UNLIMITED,
    WORD,
    all_but,
    optional,
)

import isthmus as im

TRACKING = {
    "data": {"source": "wine"}, "widths": [8], "step_sizes": [0.5], "horizon": 1.0, "records": 2, "runs": 2,
    "flow_runs": 2, "particles": 16, "law_particles": 16, "law_samples": 2,
}  # fmt: skip


def _fitted(**parameters: Any) -> Any:
    return im.MeanFieldAutoencoder(**parameters).fit(POINTS)


def calls_of_studies(s: dict[str, Any]) -> list[Call]:
    """Return the calls of studies and of the estimator, from the objects ``s``."""
    place = {"executor": optional(OBJECT), "folder": optional(PATH), "resume": FLAG}
    jobs = lambda name, function, question: Call(name, function, {"study": question}, {"study": OBJECT} | RUN | place)
    return [
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
            | RUN,
        ),
        Call(
            "recommend_width",
            im.recommend_width,
            {"problem": POINTS, "tolerance": 0.1, "horizon": 1.0, "records": 2, "runs": 2, "particles": 16},
            {"latent_dim": COUNT | {"beyond the data": 4}},
        ),
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
    ]
