"""The numbers behind the animation of a report, as JSON that a page can hold."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from isthmus.show.canvas import feature_names, network_colors
from isthmus.show.labels import label_coloring
from isthmus.show.panels import BAND, decoder_plane, encoder_plane, latent_plane
from isthmus.show.picture_plots import image_shape, scaled_pictures
from isthmus.show.readings import rounded
from isthmus.studies.scene import has_scene
from isthmus.studies.tracking_result import TrackingResult

LARGEST = 32_767
"""Packed numbers are whole multiples of their unit up to this one; the next one below zero stands for NaN."""
QUANTILES = (0.05, 0.5, 0.95)
DIGITS = 6
"""The number of significant digits of risks and errors."""


def animation_data(result: TrackingResult) -> dict[str, object] | None:
    """Return what the animation of a tracking study shows, None where the results hold none.

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
            "colors": coloring.colors(coloring.codes[: kept.sizes["scene_point"]]) if coloring else [],
            "key": coloring.key() if coloring else [],
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


def _numbers(values: ArrayLike) -> object:
    """Return an array as nested lists of numbers with a few significant digits."""
    return rounded(np.asarray(values, float), DIGITS)


def _risk(result: TrackingResult) -> dict[str, object]:
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


def _pictures(result: TrackingResult, kept: xr.Dataset) -> dict[str, object]:
    """Return originals, their PCA and the moving reconstructions, with their errors."""
    shape = image_shape(result)
    fixed, [_, pca_errors] = scaled_pictures(
        result, result.dataset.picture.sel(reconstruction=["original", "PCA"]).values
    )
    moving, errors = scaled_pictures(result, kept.scene_picture.values.astype(float))
    return {
        "shape": list(shape),
        "features": [] if shape else feature_names(result.dataset),
        "fixed": packed(fixed),
        "moving": packed(moving),
        "pcaError": _numbers(pca_errors.mean()),
        "errors": _numbers(errors.mean(axis=-1)),
    }
