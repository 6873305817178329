"""Points of the data, and what is made of them: as images where they are some, and as lines otherwise."""

from __future__ import annotations

import numpy as np
from matplotlib import rcParams
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
    if not shape:
        low, high = pictures[0].min(axis=0), pictures[0].max(axis=0)
        pictures = (pictures - low) / np.where(high > low, high - low, 1)
    errors = np.square(pictures - pictures[0]).mean(axis=(1, 2))
    if shape:
        figure = _image_rows(pictures.reshape(*pictures.shape[:2], *shape), methods, errors)
    else:
        figure = _feature_panels(pictures, methods, feature_names(data))
    return finished(
        figure,
        f"At t = {setting(result.study.horizon)} the mean square error over {counted(pictures.shape[1], 'point')} is "
        f"{number(errors[-2])} for the mean field and {number(errors[-1])} for PCA",
    )


def image_shape(result: TrackingResult) -> tuple[int, ...]:
    """Return (rows, columns) where the points of a study are images, and () where they aren't."""
    return tuple(np.atleast_1d(result.dataset.attrs["image_shape"]).astype(int).tolist())


def _image_rows(images: np.ndarray, colors: dict[str, str], errors: np.ndarray) -> Figure:
    """Draw images, (methods, examples, rows, columns), as a mosaic; grey levels are those of the originals."""
    methods, examples, height, width = images.shape
    low, high = (limit(images[0], axis=(1, 2), keepdims=True) for limit in (np.min, np.max))
    gap = max(1, height // 10)
    tiles = np.full((methods, height + gap, examples, width + gap), np.nan)
    tiles[:, :height, :, :width] = ((images - low) / np.where(high > low, high - low, 1)).swapaxes(1, 2)
    mosaic = tiles.reshape(methods * (height + gap), examples * (width + gap))[:-gap, :-gap]
    figure = new_figure(7.0, 0.2 + 5.0 * mosaic.shape[0] / mosaic.shape[1])
    axes = figure.subplots()
    axes.imshow(mosaic, cmap="gray", interpolation="none", vmin=0, vmax=1).set_gid("picture")
    rows = np.arange(methods) * (height + gap) + (height - 1) / 2
    columns = np.arange(examples) * (width + gap) + (width - 1) / 2
    axes.set_yticks(rows, list(colors))
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for row, text in zip(rows, ["mean square\nerror", *map(number, errors[1:])], strict=True):
        axes.text(mosaic.shape[1] + gap, row, text, va="center")
    points = [str(place + 1) for place in range(examples)]
    for label, color, row, each in zip(axes.get_yticklabels(), colors.values(), rows, images, strict=True):
        label.set_color(color)
        own = {"point": points, "mean square error": np.square(each - images[0]).mean(axis=(1, 2))}
        readable(axes, label.get_text(), columns, np.full(examples, row), own)
    return figure


def _feature_panels(pictures: np.ndarray, colors: dict[str, str], names: list[str]) -> Figure:
    """Draw scaled features of each example, the original as rings and every reconstruction as a line."""
    _, examples, features = pictures.shape
    columns = min(4, examples)
    rows = -(-examples // columns)
    room = 0.06 * max(map(len, names), default=0)
    figure = new_figure(7.0, 1.7 * rows + 1.2 + room)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    places = np.arange(1, features + 1)
    for example, axes in enumerate(grid.flat):
        if example >= examples:
            axes.set_visible(False)
            continue
        for (name, color), values in zip(colors.items(), pictures[:, example], strict=True):
            if name == "original":
                axes.plot(places, values, "o", color=color, mfc="none", markersize=4.5, mew=0.9, label=name)
            else:
                dashes = (0, (3, 1)) if name == "PCA" else "-"
                axes.plot(places, values, color=color, linewidth=1.2, linestyle=dashes, label=name)
        axes.set_title(f"point {example + 1}")
        lowest = example >= examples - columns
        if names and lowest:
            feature_axis(axes, names)
        elif not names:
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.set_xlabel("feature" if lowest else "")
    figure.supylabel("value, scaled to the range over these points", fontsize=rcParams["axes.labelsize"])
    key(figure, *grid[0, 0].get_legend_handles_labels())
    return figure
