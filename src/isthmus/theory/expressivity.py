r"""How much risk a finite network pays for being a random draw from a pair of measures.

For N_D decoder neurons drawn from ν, and N_E encoder neurons drawn from ρ,

    E R(ρ, ν^N) = R(ρ, ν) + C_D/N_D exactly,    C_D = ½ E_x tr Cov_ν σ_D(f(x); ω),
    E R(ρ^N, ν) = R(ρ, ν) + C_E/N_E + …,        C_E = ½ E_x tr[H(x) Cov_ρ σ_E(x; θ)],    H = JᵀJ + Σ_l r_l ∇²g_l(f(x)).

Since some network is no worse than the mean, the best risk of width N is at most R + (C_E + C_D)/N to leading order.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from isthmus import _checks
from isthmus._precision import computing_in
from isthmus.core.autoencoder import Autoencoder, residuals, seen
from isthmus.core.data import Data
from isthmus.dynamics.sgd import check_width

DOUBLE = np.dtype(np.float64)


@dataclass(frozen=True)
class Expressivity:
    """The constants of the excess risk of networks drawn from a pair of measures.

    Attributes:
        risk: R of the measures.
        encoder, decoder: C_E (leading order) and C_D (exact).

    """

    risk: float
    encoder: float
    decoder: float

    def expected_risk(self, width: int | tuple[int, int]) -> float:
        """Return R + C_E/N_E + C_D/N_D."""
        wide, deep = (_checks.real("width", one) for one in check_width(width))
        return self.risk + self.encoder / wide + self.decoder / deep


def expressivity(network: Autoencoder, population: Data) -> Expressivity:
    """Return the constants for draws from the measures of a network.

    Example:
        >>> import isthmus as im
        >>> data = im.load_data("wine", max_points=32)
        >>> problem = im.Problem(data, im.aligned_law(data, latent_dim=1))
        >>> path = im.solve_mean_field(problem, [0.0, 5.0], particles=64, replicates=1)
        >>> im.expressivity(path.at(5.0), data).decoder > 0
        True

    """
    _checks.instance("network", network, Autoencoder)
    _checks.instance("population", population, Data)
    if population.dim != network.dim:
        _checks.refuse("population", f"have the dimension {network.dim} of the network", population.dim)
    with computing_in(DOUBLE):
        doubled = jax.tree.map(lambda leaf: jnp.asarray(leaf, DOUBLE), network)
        points, weights = (jnp.asarray(part, DOUBLE) for part in (population.points, population.weights))
        return Expressivity(*(float(value) for value in _constants(doubled, points, weights)))


@jax.jit
def _constants(network: Autoencoder, points: jax.Array, weights: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    latents = network.encode(points)
    left = residuals(network.decode(latents), points)
    encoder_terms = _neuron_outputs(network.encoder, network.encoder_activation.value, seen(points))
    s = latents @ network.decoder.incoming.T + network.decoder.bias[None, :]
    # Σ_l r_l ∇²g_l = Σ_j m_j ⟨r, c_j⟩ φ″(s_j) u_j u_jᵀ
    bends = (left @ network.decoder.outgoing.T) * network.decoder_activation.second(s)
    bends = bends * network.decoder.masses[None, :]
    curvature = jnp.einsum("nj,jk,jl->nkl", bends, network.decoder.incoming, network.decoder.incoming)
    jacobian, counted = network.jacobian(latents), 1 - jnp.isnan(points).astype(points.dtype)
    hessian = jnp.einsum("ndk,nd,ndl->nkl", jacobian, counted, jacobian) + curvature
    # tr Cov σ(z; ·) = Σ_j m_j φ_j² c_j² − (Σ_j m_j φ_j c_j)², entry by entry: nothing of size n × N × d
    features = network.decoder_activation.value(s)
    masses, outgoing = network.decoder.masses, network.decoder.outgoing
    spread = (features**2) @ (masses[:, None] * outgoing**2) - (features @ (masses[:, None] * outgoing)) ** 2
    return (
        network.risk(points, weights),
        _half_trace(hessian, encoder_terms, network.encoder.masses, weights),
        weights @ (counted * spread).sum(axis=1) / 2,
    )


def _neuron_outputs(measure, phi, inputs: jax.Array) -> jax.Array:
    """Return σ(x; θ), shape (n, N, outputs)."""
    return phi(inputs @ measure.incoming.T + measure.bias[None, :])[:, :, None] * measure.outgoing[None]


def _half_trace(hessian: jax.Array, terms: jax.Array, masses: jax.Array, weights: jax.Array) -> jax.Array:
    """Return ½ E_x tr[H(x) Cov σ(x; ·)]."""
    centred = terms - jnp.einsum("j,njo->no", masses, terms)[:, None, :]
    return jnp.einsum("n,j,njo,nop,njp->", weights, masses, centred, hessian, centred) / 2
