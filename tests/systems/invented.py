"""Results that nobody computed: small, of the right form, and quick, for pages and pictures."""

import numpy as np
import xarray as xr

import isthmus as im
from isthmus.studies.tracking_result import BOUNDS, TrackingResult


def invented(seed: int = 0, *, images: bool = True, latent_dim: int = 2, widths=(8, 4), horizon=4.0, scene=True):
    """Return a tracking study of random numbers: two widths, two step sizes, a predicted law, perhaps a scene."""
    random = np.random.default_rng(seed)
    study = im.TrackingStudy(
        data={"source": "digits" if images else "wine"}, law={"latent_dim": latent_dim}, widths=widths,
        step_sizes=[0.5, 0.25], horizon=horizon, records=8, runs=5, flow_runs=2, particles=16, seed=seed,
    )  # fmt: skip
    time, names = study.times, [*(f"N = {n}" for n in study.widths), "mean field"]
    sizes = {
        "width": len(widths), "step_size": 2, "run": 5, "flow_run": 2, "time": len(time), "level": len(study.levels),
        "bound": 3, "network": len(names), "reconstruction": len(names) + 2, "snapshot_time": len(study.snapshot_times),
        "scene_time": len(study.scene_times), "point": 12, "scene_point": 10,
        "axis": latent_dim, "scene_axis": latent_dim, "example": 3,
        "feature": 12 if images else 5, "scene_encoder_neuron": 16, "scene_decoder_neuron": 16, "neuron_coordinate": 3,
    }  # fmt: skip

    def of(*dims: str, positive: bool = True) -> tuple:
        values = random.uniform(0.1, 1.0, [sizes[dim] for dim in dims])
        return dims, values if positive else random.standard_normal(values.shape)

    both = ("width", "step_size")
    moments = ("network", "scene_time")
    variables = {
        "mean_field_risk": of("time"), "mean_field_risk_error": of("time"), "risk": of(*both, "run", "time"),
        "gap_quantile": of("level", *both, "bound"), "flow_gap_quantile": of("level", "width", "bound"),
        "step_gap_quantile": of("level", *both, "bound"), "width_rate": of("level", "step_size", "bound"),
        "flow_width_rate": of("level", "bound"), "step_rate": of("level", "width", "bound"),
        "predicted_mean": of(*both, "time"), "predicted_std": of(*both, "time"),
        "flow_risk": of("width", "flow_run", "time"),
        "latent": of("network", "snapshot_time", "point", "axis", positive=False),
        "picture": of("reconstruction", "example", "feature"),
        "label": ("point", np.arange(12) % 3),
    }  # fmt: skip
    if scene:
        clouds = {f"scene_{side}": of(*moments, f"scene_{side}_neuron", "neuron_coordinate", positive=False)
                  for side in ("encoder", "decoder")}  # fmt: skip
        for _, values in clouds.values():
            values[..., 2] = np.abs(values[..., 2])
            for place, width in enumerate(study.widths):
                values[place, :, width:] = np.nan
        variables |= clouds | {
            "scene_time": ("scene_time", study.scene_times),
            "scene_latent": of(*moments, "scene_point", "scene_axis", positive=False),
            "scene_picture": of(*moments, "example", "feature"),
        }
    dataset = xr.Dataset(
        variables,
        coords={
            "time": time, "width": list(study.widths), "step_size": list(study.step_sizes), "level": study.levels,
            "bound": list(BOUNDS), "network": names, "reconstruction": ["original", "PCA", *names],
            "snapshot_time": study.snapshot_times,
        },
        attrs={
            "title": "isthmus tracking study", "format": 1, "isthmus": im.__version__, "machine": "none",
            "study": study.to_toml(), "pca_risk": 0.5, "image_shape": [4, 3] if images else [],
        },
    )  # fmt: skip
    return TrackingResult(study, dataset)
