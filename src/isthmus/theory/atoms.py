"""Births and mergers of the atoms of a measure."""

from __future__ import annotations

import numpy as np

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.neurons import NeuronMeasure
from isthmus.theory.landscape import Landscape

NEGLIGIBLE = 1e-9
"""A mass below it is none."""
NEAR = (0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3)
"""Distances, relative to the size of atoms, within which they are merged if the objective allows."""
HARMLESS = 1e-7
"""Relative rise of the objective that a merger may cause; the descent after it takes it back."""
SMALLEST_BIRTH = 2.0**-20


def number_of_atoms(network: Autoencoder) -> tuple[int, int]:
    """Return how many atoms of a mass worth mentioning encoder and decoder have."""
    encoder, decoder = (
        int((np.asarray(side.masses) > NEGLIGIBLE).sum()) for side in (network.encoder, network.decoder)
    )
    return encoder, decoder


def consolidated(network: Autoencoder, landscape: Landscape, births: int) -> Autoencoder:
    """Return the network with atoms merged that are the same neuron, and with room for births.

    Room is atoms of mass 0. Numbers of atoms, these included, are powers of 2, so that few shapes are compiled.
    """
    most = landscape.objective(network) * (1 + HARMLESS)
    for side in (0, 1):
        measure = (network.encoder, network.decoder)[side]
        odd = (network.encoder_activation, network.decoder_activation)[side].odd
        for distance in (*NEAR, 0.0):
            candidate = _with_side(network, side, _padded(_merged(measure, distance, odd), measure.width))
            if landscape.objective(candidate) <= most:
                network = candidate
                break
    sides = (network.encoder, network.decoder)
    return network.with_measures(*(_padded(kept := _kept(side), kept.width + births) for side in sides))


def without_room(network: Autoencoder) -> Autoencoder:
    """Return the network without atoms of negligible mass."""
    return network.with_measures(_kept(network.encoder), _kept(network.decoder))


def apportioned(masses: np.ndarray, width: int, least: int = 0) -> np.ndarray:
    """Return how many of N neurons each atom gets, at least so many, by the method of largest remainders."""
    shares = width * masses
    counts = np.maximum(least, np.floor(shares)).astype(int)
    while counts.sum() > width:  # light atoms took more than their share: the heaviest give it back
        counts[np.argmax(counts - shares)] -= 1
    counts[np.argsort(counts - shares)[: width - counts.sum()]] += 1
    return counts


def born(network: Autoencoder, side: int, candidates: NeuronMeasure, births: int, landscape: Landscape) -> Autoencoder:
    """Return the network with some of the candidates in the places of atoms without mass, as heavy as lowers F most."""
    for index in range(min(births, candidates.width)):
        measure = (network.encoder, network.decoder)[side]
        slot = int(np.argmin(measure.masses))
        if measure.masses[slot] > 0:
            break
        best, least, mass = network, landscape.objective(network), 0.5
        while mass >= SMALLEST_BIRTH:
            candidate = _with_side(network, side, _with_atom(measure, slot, candidates, index, mass))
            objective = landscape.objective(candidate)
            if objective < least:
                best, least = candidate, objective
            elif best is not network:
                break  # past the best mass
            mass /= 2
        network = best
    return network


def _with_side(network: Autoencoder, side: int, measure: NeuronMeasure) -> Autoencoder:
    pair = (measure, network.decoder) if side == 0 else (network.encoder, measure)
    return network.with_measures(*pair)


def _padded(measure: NeuronMeasure, least: int) -> NeuronMeasure:
    """Return the measure with atoms of mass 0 added, to the next power of 2 from ``least`` on."""
    free = (1 << int(np.ceil(np.log2(least)))) - measure.width
    zeros = lambda part: np.concatenate([part, np.zeros((free, *part.shape[1:]))])
    parts = (measure.masses, measure.outgoing, measure.incoming, measure.bias)
    return NeuronMeasure(*(zeros(np.asarray(part)) for part in parts))  # pyright: ignore[reportArgumentType]


def _kept(measure: NeuronMeasure) -> NeuronMeasure:
    masses = np.asarray(measure.masses)
    keep = masses > NEGLIGIBLE
    kept = (np.asarray(part)[keep] for part in (measure.outgoing, measure.incoming, measure.bias))
    return NeuronMeasure(masses[keep] / masses[keep].sum(), *kept)  # pyright: ignore[reportArgumentType]


def _merged(measure: NeuronMeasure, distance: float, odd: bool) -> NeuronMeasure:
    """Return the measure with atoms that lie so close to a heavier one gathered at their centre of mass.

    For an odd φ a neuron and its opposite are the same function.
    """
    measure = _kept(measure)
    masses, split = np.asarray(measure.masses), np.cumsum([measure.outputs, measure.inputs])
    atoms = np.concatenate([measure.outgoing, measure.incoming, np.asarray(measure.bias)[:, None]], axis=1)
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
    masses, *parts = (np.array(part) for part in (measure.masses, measure.outgoing, measure.incoming, measure.bias))
    masses = masses * (1 - mass)
    masses[slot] = mass
    for part, source in zip(parts, (candidates.outgoing, candidates.incoming, candidates.bias), strict=True):
        part[slot] = np.asarray(source)[index]
    return NeuronMeasure(masses, *parts)  # pyright: ignore[reportArgumentType]
