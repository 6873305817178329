"""The noise of batches that take no point twice within an epoch.

Draws without replacement from n points have the covariance −1/(n − 1) times the variance of one, so that the noises of
the batches of an epoch, of ⌊n/B⌋ steps, are anticorrelated. With g(s) = G(·, s; t) and τ = (n/B) ε

    Cov ζ(t, t′) = (ε/B) n/(n − 1) [∫ Cov(g, g′) ds − (1/τ) Σ_epochs Cov(∫_epoch g ds, ∫_epoch g′ ds)],

where g is that of t, 0 after t, and g′ that of t′, and covariances are over the points with n p(x) g as values. Where B
divides n, an epoch takes every point, and its noises add up to 0.
"""

from __future__ import annotations

import numpy as np

from isthmus.theory.prediction import Noise, covariance


def noise_without_replacement(
    by_step: np.ndarray,
    nodes: np.ndarray,
    weights: np.ndarray,
    noises: dict[str, Noise],
    step_size: float,
    size: int,
) -> Noise:
    """Return the noise of batches of a size in random order.

    Args:
        by_step: ∫ G(x, s; t) ds over each step between nodes, shape (T, S, n).
        nodes: shape (S + 1,).
        weights: of the points, shape (n,).
        noises: 'batches', 'shuffled' and 'sample' at scale 1.
        step_size, size: ε and B.

    """
    count, horizon = len(weights), float(nodes[-1])
    if size == count:  # full batches
        return noises["batches"].scaled(0.0)
    epoch, scale = step_size * (count // size), step_size / size
    bessel = count / max(1, count - 1)
    ends = np.append(np.arange(0.0, horizon * (1 - 1e-9), epoch), horizon)
    values, uniform = by_step * (count * weights), np.full(count, 1 / count)
    white = sum(covariance(values[:, i], uniform) / length for i, length in enumerate(np.diff(nodes)))
    cumulated = np.concatenate([np.zeros_like(values[:, :1]), np.cumsum(values, axis=1)], axis=1)
    steps = np.clip(np.searchsorted(nodes, ends, side="right") - 1, 0, len(nodes) - 2)
    parts = (ends - nodes[steps]) / np.diff(nodes)[steps]
    anticorrelated = np.zeros((len(values),) * 2)
    before = cumulated[:, 0]
    for step, part in zip(steps[1:], parts[1:], strict=True):
        after = cumulated[:, step] + part * values[:, step]
        anticorrelated += covariance(after - before, uniform) / (step_size * count / size)
        before = after
    kernel = scale * bessel * (white - anticorrelated)
    if len(ends) == 2:  # all within one epoch: noise that is white but for its mean, which acts as a sample does
        return Noise(kernel, bessel * (scale * noises["batches"].curvatures - noises["sample"].shift / count))
    remaining = scale * (count - size) / max(1, count - 1)
    return Noise(kernel, remaining * noises["shuffled"].curvatures)
