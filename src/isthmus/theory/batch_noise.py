"""The noise of batches that take no point twice before all had their turn.

Within an epoch of length τ = (n/B) ε the noises of its batches add up to 0, so that with g(s) = G(·, s; t)

    Cov ζ(t, t′) = (ε/B) n/(n − 1) [∫ Cov(g, g′) ds − (1/τ) Σ_epochs Cov(∫_epoch g ds, ∫_epoch g′ ds)],

where g is that of t, 0 after t, and g′ that of t′, and covariances are over the points with n p(x) g as values.
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
    epoch, scale = step_size * (count // size), step_size / size
    more = count / max(1, count - 1)
    ends = np.append(np.arange(0.0, horizon * (1 - 1e-9), epoch), horizon)
    values, uniform = by_step * (count * weights), np.full(count, 1 / count)
    white = sum(covariance(values[:, i], uniform) / length for i, length in enumerate(np.diff(nodes)))
    cumulated = np.concatenate([np.zeros_like(values[:, :1]), np.cumsum(values, axis=1)], axis=1)
    places = np.clip(np.searchsorted(nodes, ends, side="right") - 1, 0, len(nodes) - 2)
    shares = (ends - nodes[places]) / np.diff(nodes)[places]
    repaid = np.zeros((len(values),) * 2)
    before = cumulated[:, 0]
    for place, share in zip(places[1:], shares[1:], strict=True):
        after = cumulated[:, place] + share * values[:, place]
        repaid += covariance(after - before, uniform) / epoch
        before = after
    kernel = scale * more * (white - repaid)
    if len(ends) == 2:  # all within one epoch: noise that is white but for its mean, which acts as a sample does
        return Noise(kernel, more * (scale * noises["batches"].curvatures - noises["sample"].shift / count))
    left = scale * (count - size) / max(1, count - 1)
    return Noise(kernel, left * noises["shuffled"].curvatures)
