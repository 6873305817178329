"""Exact reduced systems: problems in which the mean-field dynamics closes on finitely many numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from isthmus import _checks
from isthmus._errors import NumericalError
from isthmus.core import rates
from isthmus.core.neuron_laws import GaussianNeurons
from isthmus.core.optimizers import GRADIENT_FLOW, Motion
from isthmus.core.problem import Problem


def linear_closure(problem: Problem, times: ArrayLike, *, rtol: float = 1e-11) -> np.ndarray:
    r"""Return the exact mean-field risk of an autoencoder with linear activations and no biases, shape (T,).

    There are no biases where none are drawn, and either they aren't trained or the data are centred, which keeps them
    at 0.

    With A = E[a wᵀ], B = E[c uᵀ] and Σ = E[x xᵀ] the dynamics closes on the second moments M_E of (a, w) and M_D
    of (c, u):

        Ṁ_E = ξ_E (K M_E + M_E Kᵀ),   K = [[0, G], [Gᵀ, 0]],   G = Bᵀ(I − BA)Σ,
        Ṁ_D = ξ_D (L M_D + M_D Lᵀ),   L = [[0, H], [Hᵀ, 0]],   H = (I − BA)ΣAᵀ,
        R = ½ tr (I − BA) Σ (I − BA)ᵀ .

    Weight decay λ subtracts λ from K and L, and a temperature τ adds 2ξτ to the diagonals; with momentum the moments
    are those of weights and averages, (a, w, m).

    It holds for any initial law with these moments; here they are those of a Gaussian law. (`moment_flow` takes the
    moments themselves; with those of a finite network's neurons it is the exact gradient flow of that network.)

    Args:
        problem: with linear activations, Gaussian laws and biases that are switched off.
        times: shape (T,), non-negative and increasing.
        rtol: tolerance of the ordinary differential equation.

    Raises:
        ArgumentError: where an activation isn't linear, a bias is present or would arise, or the optimizer is Adam.

    Example:
        >>> import isthmus as im
        >>> data = im.Data([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
        >>> law = im.aligned_law(data, latent_dim=1, activation="linear", bias_scale=0.0)
        >>> risk = im.linear_closure(im.Problem(data, law, activation="linear"), times=[0.0, 100.0])
        >>> bool(abs(risk[1] - data.pca_risk(1)) < 1e-8)
        True

    """
    _checks.instance("problem", problem, Problem)
    grid = _checks.times("times", times)
    rtol = _checks.real("rtol", rtol, minimum=1e-13, maximum=0.1)
    if any(activation.name != "linear" for activation in problem.activations):
        _checks.refuse("activation", "be 'linear' for the closed system", problem.activation)
    if problem.optimizer.inertia is None:
        _checks.refuse("optimizer", "be GradientDescent or Momentum for the closed system", problem.optimizer)
    if problem.law.correction is not None:
        _checks.refuse("problem", "have a law without a correction for the closed system", problem.law.correction)
    problem.population.require_complete("problem", "the closed system")
    points = problem.population.points.astype(float)
    if problem.train_biases and not problem.population.is_centred:
        hint = "set train_biases=False, or centre the data"
        _checks.refuse(
            "problem", "have no trained biases where data are not centred", _checks.described("one with both"), hint
        )
    return moment_flow(
        _moments("encoder", problem.law.encoder),
        _moments("decoder", problem.law.decoder),
        (points * problem.population.weights[:, None]).T @ points,
        grid,
        rtol,
        problem.motion,
    )


def moment_flow(
    encoder: np.ndarray,
    decoder: np.ndarray,
    second_moment: np.ndarray,
    times: np.ndarray,
    rtol: float,
    motion: Motion = GRADIENT_FLOW,
) -> np.ndarray:
    """Solve the closed system from the second moments of encoder, decoder and data; return the risk, shape (T,)."""
    dim, latent_dim = len(second_moment), len(encoder) - len(second_moment)
    memory = motion.optimizer.inertia
    if memory:  # the averages start at 0
        encoder, decoder = (np.pad(moments, (0, len(moments))) for moments in (encoder, decoder))
    split = encoder.size

    def unpack(state: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        m_e, m_d = state[:split].reshape(encoder.shape), state[split:].reshape(decoder.shape)
        return m_e, m_d, m_e[:latent_dim, latent_dim:][:, :dim], m_d[:dim, dim:][:, :latent_dim]

    def velocity(time: float, state: np.ndarray) -> np.ndarray:
        m_e, m_d, a, b = unpack(state)
        defect = (np.eye(dim) - b @ a) @ second_moment
        xi = (rates.values("rate", rate, np.array([time]))[0] for rate in motion.rates)
        sides = zip((m_e, m_d), (b.T @ defect, defect @ a.T), xi, motion.decays, strict=True)
        changes = []
        for moments, block, rate, decay in sides:
            change = _generator(block, rate, decay, memory) @ moments
            noise = 2 * rate * motion.temperature * np.eye(len(moments))
            changes.append((change + change.T + noise).ravel())
        return np.concatenate(changes)

    def risk(state: np.ndarray) -> float:
        _, _, a, b = unpack(state)
        defect = np.eye(dim) - b @ a
        return float(np.trace(defect @ second_moment @ defect.T) / 2)

    start = np.concatenate([encoder.ravel(), decoder.ravel()])
    if times[-1] == 0:
        return np.array([risk(start)])
    solution = solve_ivp(velocity, (0.0, times[-1]), start, "DOP853", times, rtol=rtol, atol=rtol * 1e-2)
    if not solution.success:
        raise NumericalError(f"the closed system could not be solved to t = {times[-1]:g}: {solution.message}")
    return np.array([risk(state) for state in solution.y.T])


def _moments(name: str, law: object) -> np.ndarray:
    if not isinstance(law, GaussianNeurons):
        _checks.refuse_type(name, "be GaussianNeurons", _checks.described(f"of type {type(law).__name__}"))
    if law.bias_variance != 0 or law.mean[-1] != 0:
        _checks.refuse(name, "have no bias (a zero row and column of the covariance)", _checks.described("biased"))
    return law.second_moments()


def _generator(block: np.ndarray, rate: float, decay: float, memory: float | None) -> np.ndarray:
    """Return S in ẏ = Sy for y = (v, w), or y = (v, w, m) with a memory, where v̇ = block × w and ẇ = blockᵀ × v."""
    outputs, inputs = block.shape
    pull = np.block([[np.zeros((outputs, outputs)), block], [block.T, np.zeros((inputs, inputs))]])
    one = np.eye(len(pull))
    pull = pull - decay * one
    if not memory:
        return rate * pull
    return np.block([[np.zeros_like(pull), rate * one], [pull / memory, -one / memory]])
