"""The best decoder beside an encoder, where it has a kink: a convex problem, solved by births and regressions."""

from __future__ import annotations

from isthmus.core.autoencoder import Autoencoder
from isthmus.theory.atoms import balanced, consolidated, with_best_amplitudes, with_room
from isthmus.theory.certificates import steepest_neurons
from isthmus.theory.hessian import with_best_outgoing
from isthmus.theory.kinks import has_kink
from isthmus.theory.landscape import Landscape

TURNS = 12
"""Turns of births, amplitudes and directions, at most."""
CANDIDATES, ALIKE = 32, 0.9999
"""Neurons that are offered in a turn, and the cosine from which on two directions (w, b) count as one."""
RIDGES = 40
"""Ridge regressions in a turn, each beside the incoming weights that balance the one before."""
ENOUGH = 1e-7
"""It ends once no neuron's pull exceeds its penalty by a larger share of it."""


def with_best_decoder(network: Autoencoder, landscape: Landscape, births: int, starts: int, seed: int) -> Autoencoder:
    """Return the network with a decoder that is nearly the best beside its encoder.

    A decoder without a kink, or with its neurons in a ball, stays as it is.

    Args:
        network: in the coordinates of the landscape.
        landscape: the objective.
        births: neurons that are born in a turn, and for which there is room on either side at the end.
        starts, seed: of the search for the neurons that are pulled most, where these aren't enumerated.

    """
    if landscape.radius is not None or not has_kink(network.decoder_activation):
        return network
    for turn in range(TURNS):
        largest, neurons = steepest_neurons(network, landscape, starts, seed + turn, CANDIDATES, ALIKE)
        if largest <= 1 + ENOUGH:
            break
        network = with_best_amplitudes(network, neurons, landscape)
        for _ in range(RIDGES):
            regressed = with_best_outgoing(landscape.field, network, 0.0)
            network = with_room(network.with_measures(network.encoder, balanced(regressed.decoder)))
        network = consolidated(network, landscape, births)
    return network
