"""Plots of a fitted `MeanFieldAutoencoder`: latents, reconstructions, and how it was trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from isthmus import _checks
from isthmus._words import number
from isthmus.show.canvas import DARK, FLOW, GREY, on_axes
from isthmus.show.labels import coloring_of
from isthmus.show.panels import latent_cloud, latent_plane
from isthmus.show.picture_plots import feature_lines, image_mosaic
from isthmus.show.readings import readable

if TYPE_CHECKING:
    from isthmus.estimator.autoencoder import MeanFieldAutoencoder

HELD_OUT = "#b30059"
"""The colour of what is measured on rows held out."""
MOST_ROWS, MOST_IMAGES = 6, 8
"""Rows that are drawn where none are chosen."""
COLORS = {"original": DARK, "network": FLOW}


@on_axes(5.2, 4.2)
def latents(
    model: MeanFieldAutoencoder, X: ArrayLike, labels: ArrayLike | None = None, *, ax: Axes | None = None
) -> None:
    """Draw the latents of rows: the first two, or a single one spread out, coloured by labels.

    Args:
        model: fitted.
        X: rows, shape (n, d).
        labels: shape (n,), words or numbers.
        ax: the axes to draw on; by default those of a new figure.

    Raises:
        ArgumentError: where there aren't as many labels as rows.

    """
    assert ax is not None
    values = model.transform(X)
    coloring = None
    if labels is not None:
        given = np.asarray(labels)
        if given.shape != (len(values),):
            _checks.refuse("labels", f"have shape ({len(values)},)", _checks.described(f"of shape {given.shape}"))
        coloring = coloring_of(given)
    cloud = latent_plane(values, coloring)
    latent_cloud(ax, cloud, coloring, len(cloud))
    shown = {"z₁": values[:, 0]} | ({"z₂": values[:, 1]} if values.shape[1] > 1 else {})
    readable(ax, "rows", cloud[:, 0], cloud[:, 1], shown)
    if values.shape[1] > 1:
        ax.set(xlabel="z₁", ylabel="z₂")
        ax.set_aspect("equal", adjustable="datalim")
    else:
        ax.set(xlabel="latent z", yticks=[])
    if coloring is not None and coloring.categorical:
        for name, color in coloring.key():
            ax.scatter([], [], s=14, color=color, label=name)
    elif coloring is not None:
        figure = ax.get_figure(root=True)
        assert figure is not None
        figure.colorbar(coloring.scale, ax=ax, label="label", aspect=35, pad=0.02)


def reconstructions(
    model: MeanFieldAutoencoder,
    X: ArrayLike,
    rows: Sequence[int] | None = None,
    *,
    image_shape: tuple[int, int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw rows and what the network makes of them: as images, or as features, one row beside the other.

    Features are scaled to the range that they have in X, images to that of their original.

    Args:
        model: fitted.
        X: rows, shape (n, d).
        rows: which of them; some, evenly spaced, if left out.
        image_shape: (height, width), where rows are images.
        ax: the axes to draw on; by default those of a new figure.

    Raises:
        ArgumentError: where there is no such row, or rows are no images of this shape.

    """
    points = np.asarray(model._points(X), float)
    count, dim = points.shape
    usual = MOST_ROWS if image_shape is None else MOST_IMAGES
    chosen = np.unique(np.linspace(0, count - 1, min(usual, count)).astype(int)) if rows is None else list(rows)
    numbers = [_checks.integer("rows", row, 0, count - 1, "the last row") for row in map(_plain, chosen)]
    made = np.asarray(model.inverse_transform(model.transform(points[numbers])), float)
    pictures = np.stack([points[numbers], made])
    if image_shape is None:
        return _features(pictures, (np.nanmin(points, axis=0), np.nanmax(points, axis=0)), numbers, ax=ax)
    height, width = (_checks.integer("image_shape", size, minimum=1) for size in image_shape)
    if height * width != dim:
        _checks.refuse("image_shape", f"have a product of {dim}, the number of features", tuple(image_shape))
    return _images(pictures, (height, width), ax=ax)


@on_axes(5.2, 1.6)
def _images(pictures: np.ndarray, shape: tuple[int, int], *, ax: Axes | None = None) -> None:
    """Draw images and their reconstructions, (2, rows, d)."""
    assert ax is not None
    low, high = (end(pictures[0], axis=1, keepdims=True) for end in (np.min, np.max))
    errors = np.square(pictures - pictures[0]).mean(axis=-1)
    shown = (pictures - low) / np.where(high > low, high - low, 1)
    image_mosaic(ax, shown.reshape(*shown.shape[:2], *shape), COLORS, errors)


@on_axes(5.2, 3.2)
def _features(
    pictures: np.ndarray, ends: tuple[np.ndarray, np.ndarray], rows: Sequence[int], *, ax: Axes | None = None
) -> None:
    """Draw features and their reconstructions, (2, rows, d), scaled by the ends of their range."""
    assert ax is not None
    (low, high), dim = ends, pictures.shape[-1]
    shown = (pictures - low) / np.where(high > low, high - low, 1)
    step = dim + max(2, dim // 6)
    for place, row in enumerate(rows):
        numbers = np.arange(dim) + place * step
        names = COLORS if place == 0 else {"original": COLORS["original"], "_network": COLORS["network"]}
        feature_lines(ax, numbers, shown[:, place], names)
        readable(ax, f"row {row}", numbers, shown[0, place], dict(zip(COLORS, pictures[:, place], strict=True)))
    ax.set_xticks(np.arange(len(rows)) * step + (dim - 1) / 2, [f"row {row}" for row in rows])
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel("features, scaled to their range")


@on_axes(5.2, 3.4)
def training(model: MeanFieldAutoencoder, *, ax: Axes | None = None) -> None:
    """Draw the risk over mean-field time, on the rows of the fit and on rows held out, beside PCA's.

    Args:
        model: fitted.
        ax: the axes to draw on; by default those of a new figure.

    Raises:
        ArgumentError: where the network has no learning curve, since it doesn't come from a fit.

    """
    assert ax is not None
    check_is_fitted(model, "components_")
    if getattr(model, "training_curve_", None) is None:
        _checks.refuse("model", "have a learning curve, as `fit` records one", _checks.described("one without"))
    curves: list[tuple[str, Any, Any, Any, str]] = [
        ("training", model.times_, model.training_curve_, model.pca_risk_, FLOW),
        ("held out", model.validation_times_, model.validation_curve_, model.validation_pca_risk_, HELD_OUT),
    ]
    for name, times, risks, pca, color in curves:
        if risks is not None:
            ax.plot(times, risks, color=color, linewidth=1.6, label=name)
            ax.axhline(pca, color=color, linewidth=0.9, linestyle=":", label=f"{name}, PCA")
            readable(ax, name, times, risks, {"t": times, "risk": risks})
    ax.axhline(model.risk_, color=GREY, linewidth=0.9, linestyle="--", label=f"kept: {number(model.risk_)}")
    ax.set(xlabel="mean-field time t", ylabel="risk ½E‖x − x̂‖² / variance")


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value
