"""Points of the data, and what is made of them: as images where they are some, and as lines otherwise."""

from __future__ import annotations

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from isthmus._words import counted, number, setting
from isthmus.show.canvas import (
    DARK,
    GREY,
    feature_axis,
    feature_names,
    finished,
    key,
    network_colors,
    new_figure,
    styled,
)
from isthmus.show.readings import readable
from isthmus.studies.tracking_result import TrackingResult


@styled
def reconstructions(result: TrackingResult) -> Figure:
    """Draw points of the data, and what PCA, every network and the mean field make of them at the horizon."""
    data = result.dataset
    methods = {"original": DARK, **network_colors(result.study.widths), "PCA": GREY}
    pictures = data.picture.sel(reconstruction=list(methods)).values
    shape = image_shape(result)
    shown, errors = scaled_pictures(result, pictures)
    if shape:
        figure = _image_rows(shown.reshape(*shown.shape[:2], *shape), methods, errors)
    else:
        figure = _feature_panels(shown, methods, feature_names(data))
    mean_errors = errors.mean(axis=1)
    return finished(
        figure,
        f"At t = {setting(result.study.horizon)} the mean square error over {counted(pictures.shape[1], 'point')} is "
        f"{number(mean_errors[-2])} for the mean field and {number(mean_errors[-1])} for PCA",
    )


def image_shape(result: TrackingResult) -> tuple[int, ...]:
    """Return (rows, columns) where the points of a study are images, and () where they aren't."""
    return tuple(np.atleast_1d(result.dataset.attrs["image_shape"]).astype(int).tolist())


def scaled_pictures(result: TrackingResult, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return reconstructions, (..., examples, features), scaled to [0, 1], and their errors, (..., examples).

    An image is scaled to the range of its original, other features to their range over all originals. Errors are mean
    squares, in the units of the data for images, and else of what is shown.
    """
    original = result.dataset.picture.sel(reconstruction="original").values
    is_image = bool(image_shape(result))
    axis = 1 if is_image else 0
    low, high = original.min(axis, keepdims=True), original.max(axis, keepdims=True)
    unit = np.where(high > low, high - low, 1)
    errors = np.square((pictures - original) / (1 if is_image else unit)).mean(axis=-1)
    return (pictures - low) / unit, errors


def _image_rows(images: np.ndarray, colors: dict[str, str], errors: np.ndarray) -> Figure:
    """Draw images, (methods, examples, rows, columns), as a mosaic, with their errors, (methods, examples)."""
    methods, examples, height, width = images.shape
    figure = new_figure(7.0, 0.2 + 5.0 * (methods * height) / (examples * width))
    image_mosaic(figure.subplots(), images, colors, errors)
    return figure


def image_mosaic(axes: Axes, images: np.ndarray, colors: dict[str, str], errors: np.ndarray) -> None:
    """Draw images, (methods, examples, rows, columns), on axes, with their errors, (methods, examples).

    The first method is the original; ``colors`` are those of the names of the methods.
    """
    methods, examples, height, width = images.shape
    gap = max(1, height // 10)
    tiles = np.full((methods, height + gap, examples, width + gap), np.nan)
    tiles[:, :height, :, :width] = images.swapaxes(1, 2)
    mosaic = tiles.reshape(methods * (height + gap), examples * (width + gap))[:-gap, :-gap]
    axes.imshow(mosaic, cmap="gray", interpolation="none", vmin=0, vmax=1).set_gid("picture")
    rows = np.arange(methods) * (height + gap) + (height - 1) / 2
    columns = np.arange(examples) * (width + gap) + (width - 1) / 2
    axes.set_yticks(rows, list(colors))
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for row, text in zip(rows, ["mean square\nerror", *map(number, errors[1:].mean(axis=1))], strict=True):
        axes.text(mosaic.shape[1] + gap, row, text, va="center")
    points = [str(example + 1) for example in range(examples)]
    for label, color, row, values in zip(axes.get_yticklabels(), colors.values(), rows, errors, strict=True):
        label.set_color(color)
        readings = {"point": points, "mean square error": values}
        readable(axes, label.get_text(), columns, np.full(examples, row), readings)


def _feature_panels(pictures: np.ndarray, colors: dict[str, str], names: list[str]) -> Figure:
    """Draw scaled features of each example, the original as rings and every reconstruction as a line."""
    _, examples, features = pictures.shape
    columns = min(4, examples)
    rows = -(-examples // columns)
    room = 0.06 * max(map(len, names), default=0)
    figure = new_figure(7.0, 1.7 * rows + 1.2 + room)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    numbers = np.arange(1, features + 1)
    for example, axes in enumerate(grid.flat):
        if example >= examples:
            axes.set_visible(False)
            continue
        feature_lines(axes, numbers, pictures[:, example], colors)
        axes.set_title(f"point {example + 1}")
        lowest = example >= examples - columns
        if names and lowest:
            feature_axis(axes, names)
        elif not names:
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.set_xlabel("feature" if lowest else "")
    figure.supylabel("value, scaled to the range over these points", fontsize=rcParams["axes.labelsize"])
    key(figure, grid[0, 0])
    return figure


def feature_lines(axes: Axes, numbers: np.ndarray, pictures: np.ndarray, colors: dict[str, str]) -> None:
    """Draw features of one point, (methods, features): the original as rings, and every reconstruction as a line."""
    for (name, color), values in zip(colors.items(), pictures, strict=True):
        if name == "original":
            axes.plot(numbers, values, "o", color=color, mfc="none", markersize=4.5, mew=0.9, label=name)
        else:
            dashes = (0, (3, 1)) if name == "PCA" else "-"
            axes.plot(numbers, values, color=color, linewidth=1.2, linestyle=dashes, label=name)
