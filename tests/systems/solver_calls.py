"""Calls of solvers, with what is wrong for each of their arguments."""

from typing import Any

from calls import RUN, Call
from small_objects import GRID, POINTS
from wrong_values import (
    COUNT,
    DTYPE,
    FIRST,
    FLAG,
    NON_NEGATIVE,
    OBJECT,
    POSITIVE,
    RTOL,
    SCALE,
    SEED,
    SNAPSHOTS,
    STEP_SIZE,
    TABLE,
    TIMES,
    UNLIMITED,
    WIDTH,
    WORD,
    optional,
)

import isthmus as im


def calls_of_solvers(s: dict[str, Any]) -> list[Call]:
    """Return the calls that compute something of a problem, from the objects ``s``."""
    stepped = {"rtol": optional(RTOL), "atol": optional(POSITIVE), "max_steps": COUNT}
    solver = {"problem": OBJECT, "times": TIMES, "seed": SEED, "dtype": DTYPE} | RUN
    return [
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
            | RUN,
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
            | RUN,
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
    ]
