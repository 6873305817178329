r"""The largest pull on a neuron with a kink at 0, found exactly: by enumeration of a hyperplane arrangement.

For φ(s) = d s⁻ + u s⁺ the pull p(y) = Σ_i p_i φ(⟨y, x_i⟩) is linear, p(y) = M y, on each cell of the arrangement of the
planes y ⊥ x_i, so that |p| over unit y has its maximum at the leading right singular vector of the M of some cell, or
at that of a face of some cell. Up to three dimensions all faces are enumerated: every point of the arrangement's
planes lies on a circle y ⊥ x_i, which the other planes divide into arcs; arcs bound all cells, and end in all corners.
A candidate counts with its own |p|, so that none has to be shown to lie in its face.

Source: Edelsbrunner, Algorithms in Combinatorial Geometry (1987), on arrangements.
"""

from __future__ import annotations

import numpy as np

PARALLEL = 1e-10
"""Relative distance below which two normals count as parallel."""
MOST_WORK = 5e10
"""Multiplications that an enumeration may take; above it the maximum is searched."""


def can_enumerate(points: int, dim: int, outputs: int, slopes: tuple[float, float]) -> bool:
    """Return whether the cells of so many planes in ``dim`` dimensions are few enough."""
    if slopes[0] == slopes[1]:
        return True
    work = {1: 1.0, 2: 4.0 * points**2 * outputs, 3: 6.0 * points**3 * outputs}
    return work.get(dim, np.inf) <= MOST_WORK


def steepest(
    inputs: np.ndarray, pull: np.ndarray, slopes: tuple[float, float], known: float = 0.0
) -> tuple[float, np.ndarray]:
    """Return max |p(y)| over unit y, and unit y in rows at which |p| is largest among those found, the best first.

    Args:
        inputs: x_i in rows, shape (n, dim) with dim at most 3, unless both slopes are one.
        pull: p_i in rows, shape (n, outputs).
        slopes: d and u.
        known: a value that |p| is known to take; cells that can't exceed it are passed over.

    """
    keep = np.linalg.norm(inputs, axis=1) > 0
    inputs, pull = inputs[keep], _fewest_columns(pull[keep])
    dim = inputs.shape[1]
    value = lambda y: np.linalg.norm(_phi(y @ inputs.T, slopes) @ pull, axis=1)
    if slopes[0] == slopes[1]:  # one cell
        found = [np.linalg.svd(pull.T @ inputs)[2][:1]]
    elif dim == 1:
        found = [np.array([[1.0], [-1.0]])]
    elif dim == 2:
        found = [_on_circle(inputs, pull, slopes, np.eye(2), np.zeros(len(inputs), bool))[0]]
    else:
        found = []
        for index in range(len(inputs)):
            candidates = _about_circle(inputs, pull, slopes, index, known)
            if len(candidates):
                heights = value(candidates)
                best = np.argsort(-heights)[:4]
                known = max(known, float(heights[best[0]]))
                found.append(candidates[best])
    unit = np.concatenate([*found, np.eye(dim)[:1]])
    heights = value(unit)
    order = np.argsort(-heights)
    return float(max(heights[order[0]], known)), unit[order]


def _phi(s: np.ndarray, slopes: tuple[float, float]) -> np.ndarray:
    return np.where(s > 0, slopes[1], slopes[0]) * s


def _fewest_columns(pull: np.ndarray) -> np.ndarray:
    """Return pulls of the same lengths and angles in as few dimensions as they span."""
    if pull.shape[1] <= pull.shape[0]:
        return pull
    return np.asarray(np.linalg.qr(pull.T, mode="r")).T


def _on_circle(
    inputs: np.ndarray, pull: np.ndarray, slopes: tuple[float, float], plane: np.ndarray, apart: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return candidates on the unit circle of a plane, and of each of its arcs M without ``apart``, and a bound of |p|.

    Args:
        inputs, pull, slopes: of p.
        plane: orthonormal, shape (dim, 2).
        apart: planes that contain the circle, which don't divide it.

    """
    dim, projected = inputs.shape[1], inputs[~apart] @ plane
    crossings = np.arctan2(projected[:, 0], -projected[:, 1])  # of the direction y ⊥ x_i
    angles = np.sort(np.concatenate([crossings, crossings + np.pi]) % (2 * np.pi))
    if not len(angles):
        angles = np.zeros(1)
    ends = np.append(angles[1:], angles[0] + 2 * np.pi)
    direction = lambda angle: np.column_stack([np.cos(angle), np.sin(angle)])
    slope = np.where(direction((angles + ends) / 2) @ projected.T > 0, slopes[1], slopes[0])
    products = (pull[~apart, :, None] * inputs[~apart, None, :]).reshape(-1, pull.shape[1] * dim)
    maps = (slope @ products).reshape(len(angles), pull.shape[1], dim)
    on_plane = maps @ plane
    _, leading = np.linalg.eigh(np.einsum("aoi,aoj->aij", on_plane, on_plane))
    top = leading[:, :, -1]
    flat = np.concatenate([direction(angles), top, -top])
    return flat @ plane.T, maps, np.linalg.norm(np.einsum("aoi,ai->ao", on_plane, top), axis=1)


def _about_circle(
    inputs: np.ndarray, pull: np.ndarray, slopes: tuple[float, float], index: int, known: float
) -> np.ndarray:
    """Return candidates in three dimensions: on the circle y ⊥ x_i, and in the cells on both sides of its arcs."""
    normal = inputs[index] / np.linalg.norm(inputs[index])
    plane = np.linalg.svd(normal[None])[2][1:].T
    heights = inputs @ normal
    apart = np.linalg.norm(inputs - heights[:, None] * normal, axis=1) <= PARALLEL * np.linalg.norm(inputs, axis=1)
    circle, maps, bounds = _on_circle(inputs, pull, slopes, plane, apart)
    count = len(maps)
    corners = np.linalg.norm(np.einsum("aoi,ai->ao", maps, circle[:count]), axis=1) > known
    arcs = bounds > known
    found = [circle[:count][corners], circle[count : 2 * count][arcs], circle[2 * count :][arcs]]
    for sign in (1.0, -1.0):
        slope = np.where(sign * heights[apart] > 0, slopes[1], slopes[0])
        cells = maps + np.einsum("i,io,ij->oj", slope, pull[apart], inputs[apart])
        gram = np.einsum("aoi,aoj->aij", cells, cells)
        possible = np.trace(gram, axis1=1, axis2=2) > known**2
        values, vectors = np.linalg.eigh(gram[possible])
        higher = vectors[values[:, -1] > known**2, :, -1]
        found += [higher, -higher]
    return np.concatenate(found)
