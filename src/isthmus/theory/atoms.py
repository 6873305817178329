"""Births and mergers of the atoms of a measure."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.theory.landscape import Landscape

NEGLIGIBLE_MASS = 1e-9
"""An atom of a smaller mass, and a smaller share of ∫|v||(w, b)|, counts as none."""
MERGING_DISTANCES = (0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 0.0)
"""Distances, relative to the size of atoms, within which they are merged, the first that the objective allows."""
RISE_BY_MERGER = 1e-13
"""Relative rise of the objective that a merger may cause; the descent after it takes it back."""
LEAST_WIDTH = 32
"""Atoms of either side for which there is room, at least: what fewer would save isn't worth another compilation."""
SAME = 1e-7
"""1 − cos of the angle between (w, b) of atoms below which a birth would only double the one that is there."""
TWINS = 1e-14
"""The same where kinks aren't softened, since they keep atoms apart that lie on those of two points."""
SMALLEST_BIRTH = 2.0**-44
"""Least share of the penalty, or mass, that is tried for a new atom."""


def number_of_atoms(network: Autoencoder) -> tuple[int, int]:
    """Return how many atoms of a mass worth mentioning encoder and decoder have."""
    encoder, decoder = (_kept(side).width for side in (network.encoder, network.decoder))
    return encoder, decoder


def consolidated(network: Autoencoder, landscape: Landscape, births: int, softness: float = 0.0) -> Autoencoder:
    """Return the network with atoms merged that are the same neuron, and with room for births.

    Room is atoms of mass 0. Numbers of atoms, these included, are one power of 2, so that few shapes are compiled.
    """
    network = _tidied(network, landscape)  # first, since what it gains must not pay for a merger
    most = landscape.objective(network, softness) * (1 + RISE_BY_MERGER)
    for side in (0, 1):
        measure = (network.encoder, network.decoder)[side]
        odd = (network.encoder_activation, network.decoder_activation)[side].odd
        for distance in MERGING_DISTANCES:
            candidate = _with_side(network, side, _padded(_merged(measure, distance, odd), measure.width))
            if landscape.objective(candidate, softness) <= most:
                network = candidate
                break
    return with_room(_tidied(network, landscape), births)


def _tidied(network: Autoencoder, landscape: Landscape) -> Autoencoder:
    """Return the network without atoms of negligible mass, balanced where the activation is homogeneous."""
    sides = [_kept(side) for side in (network.encoder, network.decoder)]
    if landscape.radius is None:
        pair = network.encoder_activation, network.decoder_activation
        sides = [balanced(side) if phi.homogeneous else side for side, phi in zip(sides, pair, strict=True)]
    return network.with_measures(*sides)


def with_room(network: Autoencoder, births: int = 0) -> Autoencoder:
    """Return the network with room for births on either side, for half of them at least: atoms of mass 0."""
    sides = network.encoder, network.decoder
    width = max(LEAST_WIDTH, *(side.width + births // 2 for side in sides))
    return network.with_measures(*(_padded(side, width) for side in sides))


def balanced(measure: NeuronMeasure) -> NeuronMeasure:
    """Return the measure of the same function and the least penalty, for a homogeneous φ: all neurons of one size.

    An amplitude m|v||(w, b)| then is the penalty of its neuron, and masses are in proportion to amplitudes.
    """
    masses, v, w, b = (np.asarray(part, float) for part in jax.tree.leaves(measure))
    out, into = np.linalg.norm(v, axis=1), np.sqrt((w**2).sum(axis=1) + b**2)
    amplitudes = masses * out * into
    total = amplitudes.sum()
    alive = amplitudes > NEGLIGIBLE_MASS * total
    if not alive.any():
        return measure
    size = np.sqrt(total)
    v, w, b = (v[alive] * (size / out[alive])[:, None], w[alive] * (size / into[alive])[:, None], b[alive])
    shares = amplitudes[alive] / amplitudes[alive].sum()
    return NeuronMeasure(shares, v, w, b * size / into[alive])  # pyright: ignore[reportArgumentType]


def without_room(network: Autoencoder) -> Autoencoder:
    """Return the network without atoms of negligible mass."""
    return network.with_measures(_kept(network.encoder), _kept(network.decoder))


def apportioned(masses: np.ndarray, width: int, least: int = 0) -> np.ndarray:
    """Return how many of N neurons each atom gets in proportion to its mass, shape (atoms,), each at least so many.

    Source: the method of largest remainders (Hamilton's).
    """
    shares = width * masses
    counts = np.maximum(least, np.floor(shares)).astype(int)
    while counts.sum() > width:  # the least number of light atoms exceeds their share: others get fewer
        counts[np.argmax(counts - shares)] -= 1
    counts[np.argsort(counts - shares)[: width - counts.sum()]] += 1
    return counts


def with_births(
    network: Autoencoder,
    side: int,
    candidates: NeuronMeasure,
    births: int,
    landscape: Landscape,
    softness: float = 0.0,
) -> Autoencoder:
    """Return the network with some of the candidates as new atoms, each of the mass that lowers the objective most.

    Args:
        network: with atoms of mass 0, which the new ones replace.
        side: 0 for the encoder, 1 for the decoder.
        candidates: neurons, the most promising first.
        births: how many of them are tried.
        landscape: the objective.
        softness: of its kinks.

    """
    for index in range(min(births, candidates.width)):
        measure = (network.encoder, network.decoder)[side]
        if _is_there(measure, candidates, index, SAME if softness else TWINS):
            continue
        slot = int(np.argmin(measure.masses))
        if measure.masses[slot] > 0:
            break
        best, least, mass = network, landscape.objective(network, softness), 0.5
        while mass >= SMALLEST_BIRTH:
            candidate = _with_side(network, side, _with_atom(measure, slot, candidates, index, mass))
            objective = landscape.objective(candidate, softness)
            if objective < least:
                best, least = candidate, objective
            elif best is not network:
                break  # past the best mass
            mass /= 2
        network = best
    return network


def _is_there(measure: NeuronMeasure, candidates: NeuronMeasure, index: int, same: float) -> bool:
    """Return whether an atom has the incoming weight and bias of a candidate, up to their size."""
    atoms = np.column_stack([measure.incoming, measure.bias])[np.asarray(measure.masses) > 0]
    unit = np.append(candidates.incoming[index], candidates.bias[index])
    lengths = np.linalg.norm(atoms, axis=1) * np.linalg.norm(unit)
    return bool((atoms @ unit > (1 - same) * lengths).any())


def _with_side(network: Autoencoder, side: int, measure: NeuronMeasure) -> Autoencoder:
    pair = (measure, network.decoder) if side == 0 else (network.encoder, measure)
    return network.with_measures(*pair)


def _padded(measure: NeuronMeasure, least: int) -> NeuronMeasure:
    """Return the measure with atoms of mass 0 added, to the next power of 2 from ``least`` on."""
    free = (1 << int(np.ceil(np.log2(least)))) - measure.width
    return jax.tree.map(lambda part: np.concatenate([part, np.zeros((free, *part.shape[1:]))]), measure)


def _kept(measure: NeuronMeasure) -> NeuronMeasure:
    masses, v, w, b = (np.asarray(part, float) for part in jax.tree.leaves(measure))
    amplitudes = masses * np.linalg.norm(v, axis=1) * np.sqrt((w**2).sum(axis=1) + b**2)
    keep = (masses > NEGLIGIBLE_MASS) | (amplitudes > NEGLIGIBLE_MASS * amplitudes.sum())
    kept = jax.tree.map(lambda part: np.asarray(part)[keep], measure)
    return dataclasses.replace(kept, masses=kept.masses / kept.masses.sum())


def _merged(measure: NeuronMeasure, distance: float, odd: bool) -> NeuronMeasure:
    """Return the measure with atoms that lie so close to a heavier one gathered at their centre of mass.

    For an odd φ a neuron and its opposite are the same function.
    """
    measure = _kept(measure)
    masses, split = np.asarray(measure.masses), np.cumsum([measure.outputs, measure.inputs])
    atoms = np.column_stack([measure.outgoing, measure.incoming, measure.bias])
    scale = distance * np.sqrt(masses @ (atoms**2).sum(axis=1))
    centres, sums, weights = [], [], []
    for index in np.argsort(-masses):
        atom = atoms[index]
        for group, centre in enumerate(centres):
            sign = -1.0 if odd and atom @ centre < 0 else 1.0
            if np.linalg.norm(sign * atom - centre) <= scale:
                sums[group] = sums[group] + masses[index] * sign * atom
                weights[group] += masses[index]
                break
        else:
            centres.append(atom)
            sums.append(masses[index] * atom)
            weights.append(masses[index])
    gathered = np.array(sums) / np.array(weights)[:, None]
    outgoing, incoming, bias = np.split(gathered, split, axis=1)
    return NeuronMeasure(np.array(weights), outgoing, incoming, bias[:, 0])  # pyright: ignore[reportArgumentType]


def _with_atom(measure: NeuronMeasure, slot: int, candidates: NeuronMeasure, index: int, mass: float) -> NeuronMeasure:
    """Return the measure with one of the candidates in a slot, of a mass, and less mass on all others."""
    is_new = np.arange(measure.width) == slot
    replaced = lambda part, source: np.where(is_new.reshape(-1, *[1] * (part.ndim - 1)), source[index], part)
    changed = jax.tree.map(replaced, measure, candidates)
    return dataclasses.replace(changed, masses=np.where(is_new, mass, (1 - mass) * np.asarray(measure.masses)))
