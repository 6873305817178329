"""Plots of neurons in a plane: measures, the atoms of an optimum, and their influence on the risk."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from isthmus import _checks
from isthmus._words import counted, number, setting
from isthmus.core.data import Data, as_finite_data
from isthmus.core.neurons import NeuronMeasure
from isthmus.show.canvas import on_axes
from isthmus.show.panels import (
    INFLUENCE,
    LARGEST_DISC,
    SIGNED,
    SMALLEST_DISC,
    atom_cloud,
    decoder_plane,
    encoder_plane,
    signed_cloud,
)
from isthmus.show.readings import readable
from isthmus.studies.prediction import first_two
from isthmus.theory.finite_width_law import FiniteWidthLaw
from isthmus.theory.optimum import Optimum

Side = Literal["encoder", "decoder"]
LEADING = "⟨w, e₁⟩", "⟨w, e₂⟩"
"""Along the leading directions of the weights themselves."""


@on_axes(5.2, 4.2)
def neurons(measure: NeuronMeasure, *, directions: ArrayLike | None = None, ax: Axes | None = None) -> None:
    """Draw neurons in a plane of their incoming weights, coloured by their outgoing weight.

    The plane is that of two ``directions``, or of the two in which the incoming weights are largest; neurons with one
    incoming weight are drawn by it and their bias. The colour is the outgoing weight along the direction in which
    outgoing weights are largest, and the area is in proportion to the mass where masses differ.

    Args:
        measure: without leading axes.
        directions: shape (inputs, 2), such as ``data.principal_directions[:, :2]``.
        ax: the axes to draw on; by default those of a new figure.

    Raises:
        ArgumentError: where the measure has leading axes, as those of several runs or times.

    """
    assert ax is not None
    if measure.bias.ndim != 1:
        shape = _checks.described(f"of shape {measure.bias.shape}")
        _checks.refuse("measure", "be one measure, not those of runs or times", shape)
    x, y, names = _plane(measure, directions)
    outgoing, masses = np.asarray(measure.outgoing, float), np.asarray(measure.masses, float)
    strength = outgoing @ _largest(outgoing, masses)[:, 0]
    uniform = np.ptp(masses) <= 1e-6 * masses.max()
    area = SMALLEST_DISC if uniform else SMALLEST_DISC + LARGEST_DISC * masses
    signed_cloud(ax, x, y, strength, area)
    readable(ax, "neurons", x, y, {names[0]: x, names[1]: y, "outgoing weight": strength})
    ax.set(xlabel=names[0], ylabel=names[1], title=f"{measure.width:,} neurons")
    _bar(ax, "outgoing weight, along its main direction")


@on_axes(5.2, 4.2)
def optimum(
    optimum: Optimum, side: Side = "encoder", *, data: Data | ArrayLike | None = None, ax: Axes | None = None
) -> None:
    """Draw the atoms of an optimum by their incoming weights, with areas in proportion to their masses.

    Args:
        optimum: whose measures are atoms; its certificate stands above them.
        side: 'encoder' or 'decoder'.
        data: points along whose principal directions encoder weights are drawn; those of the weights if left out.
        ax: the axes to draw on; by default those of a new figure.

    """
    assert ax is not None
    measure = getattr(optimum, _checks.choice("side", side, ("encoder", "decoder")))
    directions = None if data is None or side == "decoder" else as_finite_data("data", data).principal_directions
    x, y, names = _plane(measure, None if directions is None else directions[:, :2])
    mass = np.asarray(measure.masses, float)
    atom_cloud(ax, x, y, mass)
    readable(ax, "atom", x, y, {names[0]: x, names[1]: y, "share": mass})
    gaps = optimum.certificate.decoder_gap, optimum.certificate.encoder_descent
    said = "certified" if optimum.status.ok else "not certified"
    count = counted(optimum.atoms[0 if side == "encoder" else 1], f"{side} atom")
    title = f"{count}, risk {number(optimum.risk)}\n{said}: gap {gaps[0]:.1g}, descent {gaps[1]:.1g}"
    ax.set(xlabel=names[0], ylabel=names[1], title=title)


@on_axes(5.2, 4.2)
def influence_of(
    law: FiniteWidthLaw,
    data: Data | ArrayLike,
    of: Literal["points", "encoder", "decoder"] = "points",
    *,
    time: float | None = None,
    ax: Axes | None = None,
) -> None:
    """Draw points, or initial neurons, in the plane of their leading coordinates, coloured by their influence on R(t).

    Args:
        law: that holds the influence.
        data: the data of the problem, along whose principal directions points and encoder weights are drawn.
        of: 'points', 'encoder' or 'decoder' neurons.
        time: one of the times of the law; the last one if left out.
        ax: the axes to draw on; by default those of a new figure.

    Raises:
        ArgumentError: where the data aren't those of the law.

    """
    assert ax is not None
    _checks.choice("of", of, ("points", "encoder", "decoder"))
    points = as_finite_data("data", data)
    if points.size != len(law.weights):
        _checks.refuse("data", f"be the {len(law.weights):,} points of the law", _checks.described(f"{points.size:,}"))
    index = len(law.times) - 1 if time is None else _checks.index_of_time("time", time, law.times)
    if of == "points":
        plane = first_two(points.filled @ points.principal_directions[:, :2], np.zeros(points.size))
        names = "⟨x, v₁⟩", "⟨x, v₂⟩"
    elif of == "encoder":
        neurons = law.influence.neurons.encoder
        plane = first_two(np.asarray(neurons.incoming) @ points.principal_directions[:, :2], neurons.bias)
        names = encoder_plane(points.dim)
    else:
        neurons = law.influence.neurons.decoder
        plane, names = first_two(np.asarray(neurons.incoming), neurons.bias), decoder_plane(neurons.inputs)
    value = getattr(law.influence, of)[index]
    x, y = plane.T
    signed_cloud(ax, x, y, value)
    readable(ax, of, x, y, {names[0]: x, names[1]: y, "influence": value})
    kind = "points" if of == "points" else f"initial {of} neurons"
    ax.set(xlabel=names[0], ylabel=names[1], title=f"influence of {kind}, t = {setting(float(law.times[index]))}")
    _bar(ax, INFLUENCE)


def _plane(measure: NeuronMeasure, directions: ArrayLike | None) -> tuple[np.ndarray, np.ndarray, tuple[str, str]]:
    """Return two coordinates of neurons, and their names."""
    incoming, bias = np.asarray(measure.incoming, float), np.asarray(measure.bias, float)
    if measure.inputs == 1:
        return incoming[:, 0], bias, ("incoming weight w", "bias b")
    if directions is not None:
        along = _checks.array("directions", directions, (measure.inputs, 2))
        x, y = (incoming @ along).T
        return x, y, encoder_plane(measure.inputs)
    if measure.inputs == 2:
        return incoming[:, 0], incoming[:, 1], ("w₁", "w₂")
    x, y = (incoming @ _largest(incoming, np.asarray(measure.masses, float))[:, :2]).T
    return x, y, LEADING


def _largest(weights: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Return the directions in which weights, (N, i), are largest, in columns; each so that more mass lies along it."""
    directions = np.linalg.svd(np.sqrt(masses)[:, None] * weights, full_matrices=False)[2].T
    signs = np.sign((masses[:, None] * (weights @ directions) ** 3).sum(axis=0))
    return directions * np.where(signs == 0, 1.0, signs)


def _bar(axes: Axes, label: str) -> None:
    """Draw the scale of numbers with a sign at the right of axes."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    bar = figure.colorbar(SIGNED, ax=axes, label=label, aspect=35, pad=0.02, ticks=[-1, 0, 1])
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
