"""The numbers behind the moving picture of a report, as JSON that a page can hold."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import xarray as xr

from isthmus.show.canvas import feature_names, network_colors
from isthmus.show.labels import label_coloring, label_colors, point_colors
from isthmus.show.picture_plots import image_shape
from isthmus.show.plots import latent_plane
from isthmus.show.prediction_plots import BAND, decoder_plane, encoder_plane
from isthmus.studies.scene import has_scene
from isthmus.studies.tracking_result import TrackingResult

LARGEST = 32_767
"""Packed numbers are whole multiples of their unit up to this one; what lies below all of them stands for NaN."""
QUANTILES = (0.05, 0.5, 0.95)
DIGITS = 6


def tracking_scene(result: TrackingResult) -> dict[str, Any] | None:
    """Return what the moving picture of a tracking study shows, None where the results hold none.

    Widths and step sizes are in increasing order, and networks are those of the widths with the mean field last.
    """
    data = result.dataset
    if not has_scene(data):
        return None
    networks = network_colors(result.study.widths)
    kept = data.sel(network=list(networks))
    coloring = label_coloring(data)
    return {
        "times": _numbers(data.time),
        "frames": np.searchsorted(data.time.values, data.scene_time.values).tolist(),
        "networks": [{"name": name, "color": color} for name, color in networks.items()],
        "risk": _risk(result),
        "latents": {
            "places": packed(latent_plane(kept.scene_latent.values, coloring)),
            "colors": point_colors(coloring, kept.sizes["scene_point"]),
            "key": label_colors(data, coloring),
            "names": ["z₁", "z₂"] if kept.sizes["scene_axis"] > 1 else ["z", ""],
        },
        "encoder": {"places": packed(kept.scene_encoder.values), "names": encoder_plane(kept.sizes["feature"])},
        "decoder": {"places": packed(kept.scene_decoder.values), "names": decoder_plane(kept.sizes["scene_axis"])},
        "pictures": _pictures(result, kept),
    }


def packed(values: np.ndarray) -> dict[str, Any]:
    """Return an array as whole multiples of a unit, 16 bits each, in base 64: off by half a unit at most."""
    largest = float(np.nanmax(np.abs(values)))
    unit = largest / LARGEST if largest > 0 else 1.0
    whole = np.where(np.isnan(values), -LARGEST - 1, np.rint(values / unit)).astype("<i2")
    return {
        "shape": list(values.shape),
        "unit": unit,
        "data": base64.b64encode(whole.tobytes()).decode("ascii"),
    }


def unpacked(array: dict[str, Any]) -> np.ndarray:
    """Return the array that was packed."""
    whole = np.frombuffer(base64.b64decode(array["data"]), "<i2").reshape(array["shape"])
    return np.where(whole == -LARGEST - 1, np.nan, whole * array["unit"])


def _numbers(values: Any) -> Any:
    """Return an array as nested lists of numbers with a few significant digits."""
    array = np.asarray(values, float)
    return float(f"{array:.{DIGITS}g}") if array.ndim == 0 else [_numbers(part) for part in array]


def _risk(result: TrackingResult) -> dict[str, Any]:
    """Return risks over time: of the mean field, of runs and predicted, (widths, step sizes, (low, middle, high))."""
    data = result.dataset.sel(width=sorted(result.study.widths), step_size=sorted(result.study.step_sizes))
    risk = data.risk.transpose("width", "step_size", "run", "time").values
    predicted = None
    if "predicted_std" in data:
        middle, half = data.predicted_mean.values, BAND * data.predicted_std.values
        predicted = _numbers(np.stack([middle - half, middle, middle + half], axis=2))
    return {
        "limit": _numbers(data.mean_field_risk),
        "error": _numbers(data.mean_field_risk_error),
        "pca": _numbers(data.attrs["pca_risk"]),
        "measured": _numbers(np.moveaxis(np.quantile(risk, QUANTILES, axis=2), 0, 2)),
        "predicted": predicted,
    }


def _pictures(result: TrackingResult, kept: xr.Dataset) -> dict[str, Any]:
    """Return originals, their PCA and the moving reconstructions, scaled to [0, 1] as in the plain figure.

    Images are scaled point by point, to the range of the original; other features to their range over the originals.
    Errors are mean squares, in the units of the data for images.
    """
    fixed = result.dataset.picture.sel(reconstruction=["original", "PCA"]).values  # (2, examples, features)
    moving = kept.scene_picture.values.astype(float)  # (networks, frames, examples, features)
    shape = image_shape(result)
    if shape:
        low, high = fixed[0].min(axis=1)[:, None], fixed[0].max(axis=1)[:, None]
    else:
        low, high = fixed[0].min(axis=0), fixed[0].max(axis=0)
    unit = np.where(high > low, high - low, 1)
    shown, frames = (fixed - low) / unit, (moving - low) / unit
    originals, others = (fixed, moving) if shape else (shown, frames)
    return {
        "shape": list(shape),
        "features": [] if shape else feature_names(result.dataset),
        "fixed": packed(shown),
        "moving": packed(frames),
        "pcaError": _numbers(np.square(originals[1] - originals[0]).mean()),
        "errors": _numbers(np.square(others - originals[0]).mean(axis=(2, 3))),
    }
