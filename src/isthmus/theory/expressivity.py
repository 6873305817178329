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

from isthmus import _checks
from isthmus._precision import DOUBLE, computing_in
from isthmus.core.autoencoder import Autoencoder, features, preactivations, residuals, seen
from isthmus.core.data import Data
from isthmus.dynamics.sgd import check_width


@dataclass(frozen=True)
class Expressivity:
    """The constants of the excess risk of networks drawn from a pair of measures; the result of `expressivity`.

    Its ``encoder`` and ``decoder`` are numbers, unlike those of an `Optimum`, which are measures.

    Attributes:
        risk: R of the measures.
        encoder, decoder: C_E (leading order) and C_D (exact).

    Example:
        >>> import isthmus as im
        >>> im.Expressivity(risk=0.1, encoder=2.0, decoder=1.0).expected_risk(width=100)
        0.13

    """

    risk: float
    encoder: float
    decoder: float

    def expected_risk(self, width: int | tuple[int, int]) -> float:
        """Return R + C_E/N_E + C_D/N_D for a width N, or (N_E, N_D)."""
        encoder_width, decoder_width = (_checks.real("width", count) for count in check_width(width))
        return self.risk + self.encoder / encoder_width + self.decoder / decoder_width


def expressivity(network: Autoencoder, population: Data) -> Expressivity:
    """Return the constants C_E and C_D for networks whose neurons are drawn from the measures of a given one.

    Args:
        network: an autoencoder of any measures, such as a state of the mean-field flow or an optimum.
        population: over which the risk is taken.

    Raises:
        ArgumentError: where the dimensions of network and data differ.

    See Also:
        `solve_optimum`: the best pair of measures, with these constants in ``expressivity``.
        `best_networks`: how good a trained network of a finite width can be.
        `expressivity_curve`: the study that compares drawn and trained networks with the optimum at several widths.

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
    points, weights = population.points.astype(DOUBLE), population.weights.astype(DOUBLE)
    with computing_in(DOUBLE):
        return Expressivity(*map(float, _constants(network.in_precision(DOUBLE), points, weights)))


@jax.jit
def _constants(network: Autoencoder, points: jax.Array, weights: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return R, C_E and C_D."""
    encoder, decoder, phi = network.encoder, network.decoder, network.decoder_activation
    latents, observed = network.encode(points), 1 - jnp.isnan(points).astype(points.dtype)
    s, jacobian = preactivations(decoder, latents), network.jacobian(latents)
    # Σ_l r_l ∇²g_l = Σ_j m_j ⟨r, c_j⟩ φ″(s_j) u_j u_jᵀ
    pulls = decoder.outgoing @ residuals(network.decode(latents), points).T
    curvature = jnp.einsum("Nn,Nk,Nl->nkl", decoder.masses[:, None] * pulls * phi.second(s), *[decoder.incoming] * 2)
    hessian = jnp.einsum("ndk,nd,ndl->nkl", jacobian, observed, jacobian) + curvature
    terms = features(encoder, network.encoder_activation, seen(points))[:, :, None] * encoder.outgoing[:, None, :]
    centred = terms - jnp.einsum("N,Nnk->nk", encoder.masses, terms)[None]
    of_encoder = jnp.einsum("n,N,Nnk,nkl,Nnl->", weights, encoder.masses, centred, hessian, centred) / 2
    # tr Cov σ(z; ·) = Σ_j m_j φ_j² c_j² − (Σ_j m_j φ_j c_j)², entry by entry: nothing of size n × N × d
    values, masses = phi.value(s).T, decoder.masses[:, None]
    variances = values**2 @ (masses * decoder.outgoing**2) - (values @ (masses * decoder.outgoing)) ** 2
    return network.risk(points, weights), of_encoder, weights @ (observed * variances).sum(axis=1) / 2
