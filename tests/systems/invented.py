"""Results that nobody computed: small, of the right form, and quick, for pages and pictures."""

import numpy as np
import xarray as xr

import isthmus as im
from isthmus.studies.gaps import GAPS, Runs
from isthmus.studies.statistics import BOUNDS
from isthmus.studies.study import FORMAT
from isthmus.studies.tracking_result import TrackingResult

RUNS, FLOWS, REPLICATES = 5, 4, 4

NAMES = [
    "sup_gap", "gap_parts", "late_gap", "step_gap", "risk_curves", "latents", "reconstructions", "sources", "influence",
]  # fmt: skip
"""The figures of a tracking study with images."""


def invented(
    seed: int = 0, *, images: bool = True, latent_dim: int = 2, widths=(8, 4), horizon=4.0, scene=True, relaxing=True
):
    """Return a tracking study of random curves: two widths, two step sizes, a predicted law, perhaps a scene."""
    random = np.random.default_rng(seed)
    study = im.TrackingStudy(
        data={"source": "digits" if images else "wine"}, law={"latent_dim": latent_dim}, widths=widths,
        step_sizes=[0.5, 0.25], horizon=horizon, records=8, runs=RUNS, flow_runs=FLOWS, particles=16, seed=seed,
    )  # fmt: skip
    time, names = study.times, [*(f"N = {n}" for n in study.widths), "mean field"]
    sizes = {
        "width": len(widths), "step_size": 2, "time": len(time), "level": len(study.levels),
        "bound": 3, "network": len(names), "reconstruction": len(names) + 2, "snapshot_time": len(study.snapshot_times),
        "influence_time": len(study.snapshot_times), "scene_time": len(study.scene_times), "point": 12,
        "scene_point": 10, "axis": latent_dim, "scene_axis": latent_dim, "example": 3, "source": 3, "part": 2,
        "feature": 12 if images else 5, "scene_encoder_neuron": 16, "scene_decoder_neuron": 16, "neuron_coordinate": 3,
        "encoder_neuron": 9, "decoder_neuron": 9, "influence_point": 12, "coordinate": 2,
    }  # fmt: skip

    def of(*dims: str, positive: bool = True) -> tuple:
        values = random.uniform(0.1, 1.0, [sizes[dim] for dim in dims])
        return dims, values if positive else random.standard_normal(values.shape)

    both, moments = ("width", "step_size"), ("network", "scene_time")
    runs = _runs(study, random, relaxing)
    measured = runs.variables()
    variables = {
        "mean_field_risk": ("time", runs.limit), "mean_field_risk_error": of("time"),
        "mean_field_replicate_risk": (("replicate", "time"), runs.replicates),
        "risk": ((*both, "run", "time"), runs.risk), "flow_risk": (("width", "flow_run", "time"), runs.flow_risk),
        **measured, "predicted_mean": of(*both, "time"), "predicted_std": of(*both, "time"),
        "predicted_flow_mean": of("width", "time"), "predicted_flow_std": of("width", "time"),
        "source_std": of(*both, "source", "time"), "shift_ratio": of(*both),
        "agreement": of(*both), "flow_agreement": of("width"),
        "latent": of("network", "snapshot_time", "point", "axis", positive=False),
        "picture": of("reconstruction", "example", "feature"),
        "label": ("point", np.arange(12) % 3),
        **{f"predicted_{name}_quantile": of("level", *gap.dims) for name, gap in GAPS.items() if name in measured},
    }  # fmt: skip
    sizes["part"] = len(measured["part"][1])
    variables |= {f"predicted_{name}": of("part", "width") for name in ("fluctuation", "shift")}
    for side, dim in (("encoder", "encoder_neuron"), ("decoder", "decoder_neuron"), ("point", "influence_point")):
        variables[f"{side}_plane"] = of(dim, "coordinate", positive=False)
        variables[f"{side}_influence"] = of("influence_time", dim, positive=False)
    if scene:
        variables |= _scene(study, of, moments)
    dataset = xr.Dataset(
        variables,
        coords={
            "time": time, "width": list(study.widths), "step_size": list(study.step_sizes), "level": study.levels,
            "bound": list(BOUNDS), "network": names, "reconstruction": ["original", "PCA", *names],
            "snapshot_time": study.snapshot_times, "influence_time": study.snapshot_times,
            "source": ["encoder", "decoder", "batches"],
        },
        attrs={
            "title": "isthmus tracking study", "format": FORMAT, "isthmus": im.__version__, "machine": "none",
            "study": study.to_toml(), "data": "none", "pca_risk": 0.5, "image_shape": [4, 3] if images else [],
            "relaxation_time": runs.relaxation_time,
        },
    )  # fmt: skip
    return TrackingResult(study, dataset)


def _runs(study, random: np.random.Generator, relaxing: bool) -> Runs:
    """Return curves about a falling one, which come closer to it with time, or don't."""
    time = study.times
    limit = 0.5 + 0.3 * np.exp(-time)
    decay = np.exp(-2 * time) + 0.05 if relaxing else np.ones_like(time)

    def noise(*shape: int) -> np.ndarray:
        fine = 0.01 * random.standard_normal((*shape, len(time)))
        return random.standard_normal((*shape, 1)) * decay + fine

    scale = np.array(study.widths, float) ** -0.5
    risk = limit + scale[:, None, None, None] * noise(len(scale), 2, RUNS)
    flow_risk = limit + scale[:, None, None] * noise(len(scale), FLOWS)
    replicates = limit + 1e-3 * random.standard_normal((REPLICATES, len(time)))
    return Runs(study, risk, flow_risk, replicates)


def _scene(study, of, moments) -> dict:
    clouds = {
        f"scene_{side}": of(*moments, f"scene_{side}_neuron", "neuron_coordinate", positive=False)
        for side in ("encoder", "decoder")
    }
    for _, values in clouds.values():
        values[..., 2] = np.abs(values[..., 2])
        for place, width in enumerate(study.widths):
            values[place, :, width:] = np.nan
    return clouds | {
        "scene_time": ("scene_time", study.scene_times),
        "scene_latent": of(*moments, "scene_point", "scene_axis", positive=False),
        "scene_picture": of(*moments, "example", "feature"),
    }
