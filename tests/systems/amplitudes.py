r"""The best layer of neurons with given incoming weights, by convex optimisation over their masses.

For a homogeneous φ the penalty of amplitudes A_j on unit neurons is λ Σ|A_j|, the minimum over η ≥ 0 of
(λ/2) Σ (|A_j|²/η_j + η_j), and given η the best A is a ridge regression. What is left,

    f(η) = ½ tr Xᵀ W^½ C⁻¹ W^½ X + (λ/2) Σ η_j,    C = 1 + Σ_j η_j φ_j φ_jᵀ/λ,

is convex and smooth in η ≥ 0, with ∂f/∂η_j = (λ² − |p_j|²)/(2λ) for p_j = φ_jᵀ C⁻¹ W^½ X, and the Hessian
(φ_iᵀ C⁻¹ φ_j)(p_i·p_j)/λ². There η_j = |A_j|, and A_j = η_j p_j/λ.

Source: the primal-dual interior-point method, Wright, Primal-Dual Interior-Point Methods, SIAM (1997).
"""

from __future__ import annotations

import numpy as np

STEPS = 60
"""Newton steps, at most."""
FLOOR = 1e-3
"""Masses begin at this share, at least, of the largest one."""
CENTRING = 0.1
"""Share of the mean product of a mass and its slack at which a step aims."""
MARGIN = 0.99
"""Share of the way to the boundary that a step may go."""


def best_amplitudes(
    features: np.ndarray, targets: np.ndarray, decay: float, gap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return A, shape (m, outputs), and η = |A| for features and targets already multiplied by √weight.

    Args:
        features: φ_j at the points, shape (n, m).
        targets: X, shape (n, outputs).
        decay: λ.
        gap: how far from the minimum it may end, about.

    """
    eta = np.full(features.shape[1], (targets**2).sum() / (2 * decay * features.shape[1]))
    pulls, inverse = _pulls(features, targets, decay, eta)
    gradient = (decay**2 - (pulls**2).sum(axis=1)) / (2 * decay)
    slack = np.full_like(eta, max(decay / 2, np.abs(gradient).max()))
    for _ in range(STEPS):
        product = float(slack @ eta)
        if product + np.abs((gradient - slack) @ eta) + eta.sum() * np.abs(gradient - slack).max() <= gap:
            break
        hessian = (features.T @ inverse @ features) * (pulls @ pulls.T) / decay**2
        system = hessian + np.diag(slack / eta)
        target = CENTRING * product / len(eta)
        moved = np.linalg.solve(system, target / eta - gradient)
        slacked = (target - slack * moved) / eta - slack
        length = min(1.0, *(_longest(part, change) for part, change in ((eta, moved), (slack, slacked))))
        eta, slack = eta + length * moved, slack + length * slacked
        pulls, inverse = _pulls(features, targets, decay, eta)
        gradient = (decay**2 - (pulls**2).sum(axis=1)) / (2 * decay)
    return eta[:, None] * pulls / decay, eta


def _longest(part: np.ndarray, change: np.ndarray) -> float:
    """Return how far a positive vector may move along a change and stay positive, less a margin."""
    return MARGIN / max(float((-change / part).max()), 1e-300)


def _pulls(features: np.ndarray, targets: np.ndarray, decay: float, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    part = features * np.sqrt(eta / decay)
    inverse = np.linalg.inv(np.eye(len(features)) + part @ part.T)
    return features.T @ (inverse @ targets), inverse
