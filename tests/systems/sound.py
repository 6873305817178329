"""Results of studies that hold random numbers under the right names: what a file must have, and no more."""

import numpy as np
import xarray as xr

import isthmus as im
from isthmus.studies.study import provenance

TRACKING = im.TrackingStudy(
    data={"source": "wine"}, widths=[8, 16], step_sizes=[0.5], horizon=2.0, records=2, runs=3, flow_runs=2
)
BOTTLENECK = im.BottleneckStudy(data={"source": "wine"}, max_latent_dim=2, splits=2)
EXPRESSIVITY = im.ExpressivityStudy(data={"source": "wine"}, widths=[2, 1], trainings=3, draws=4)


def _filled(variables: dict[str, dict[str, int]]) -> dict[str, tuple]:
    random = np.random.default_rng(0)
    return {
        name: (tuple(dims), random.uniform(0.1, 1, tuple(dims.values())) if dims else 0.5)
        for name, dims in variables.items()
    }


def tracking() -> xr.Dataset:
    networks = {"width": 2, "step_size": 1}
    flows, table = {"width": 2, "flow_run": 2}, {"level": 3, **networks, "bound": 3}
    variables = {
        "risk": {**networks, "run": 3, "time": 3},
        "mean_field_risk": {"time": 3},
        "mean_field_risk_error": {"time": 3},
        "mean_field_replicate_risk": {"replicate": 4, "time": 3},
        "flow_risk": {**flows, "time": 3},
        "gap": {**networks, "run": 3},
        "flow_gap": flows,
        "initial_gap": {"width": 2, "run": 3},
        "step_gap": {**networks, "flow_run": 2},
        "gap_quantile": table,
        "step_gap_quantile": table,
        "flow_gap_quantile": {"level": 3, "width": 2, "bound": 3},
        "initial_gap_quantile": {"level": 3, "width": 2, "bound": 3},
        "flow_width_rate": {"level": 3, "bound": 3},
    }
    coords = {"time": TRACKING.times, "width": [8, 16], "step_size": [0.5], "bound": ["estimate", "lower", "upper"]}
    attributes = provenance("isthmus tracking study", TRACKING, "wine") | {"pca_risk": 0.25, "image_shape": []}
    attributes["relaxation_time"] = np.nan
    return xr.Dataset(_filled(variables), coords=coords).assign_attrs(attributes)


def bottleneck() -> xr.Dataset:
    each, pca = {"split": 2, "latent_dim": 2}, {"split": 2, "component": 3}
    names = ("training_risk", "held_out_risk", "error", "held_out_error", "horizon", "fall", "settled")
    variables = dict.fromkeys(names, each)
    variables |= dict.fromkeys(("pca_training_risk", "pca_held_out_risk"), pca) | {"intrinsic_dimension": {"split": 2}}
    coords = {"latent_dim": [1, 2]}
    attributes = provenance("isthmus bottleneck study", BOTTLENECK, "wine")
    attributes |= {"training_points": 3, "held_out_points": 1}
    return xr.Dataset(_filled(variables), coords=coords).assign_attrs(attributes)


def expressivity() -> xr.Dataset:
    variables = {
        "restart_objective": {"width": 2, "training": 3},
        "best_objective": {"width": 2},
        "best_risk": {"width": 2},
        "drawn_risk": {"kind": 3, "width": 2, "draw": 4},
    }
    numbers = (
        *("risk", "objective", "pca_risk", "encoder_atoms", "decoder_atoms", "agreement", "decoder_gap"),
        *("encoder_descent", "starts", "known_optimum", "certified", "proven", "encoder_constant", "decoder_constant"),
    )
    coords = {"width": [1, 2], "kind": ["encoder", "decoder", "both"]}
    attributes = provenance("isthmus expressivity study", EXPRESSIVITY, "wine") | dict.fromkeys(numbers, 0.5)
    return xr.Dataset(_filled(variables), coords=coords).assign_attrs(attributes | {"status": "successful"})


SOUND = {"tracking": tracking, "bottleneck": bottleneck, "expressivity": expressivity}
