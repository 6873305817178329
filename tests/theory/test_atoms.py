"""Atoms that are the same neuron become one, and only those."""

import itertools

import numpy as np
import pytest

import isthmus as im
from isthmus._precision import computing_in
from isthmus.theory.atoms import apportioned, consolidated, number_of_atoms, with_births
from isthmus.theory.certificates import certified
from isthmus.theory.landscape import Landscape

DOUBLE = np.dtype(np.float64)
POINTS = np.array([[1.2, 0.3], [-0.4, 0.8], [-0.8, -1.1], [0.5, -0.7]])
NEURONS = np.array([[0.9, 0.4, -0.5, 0.3], [-0.2, 1.1, 0.6, -0.4]])
"""(v, w_1, w_2, b) of two neurons that differ."""


def merged(activation, rows, masses, side):
    """Return the landscape and the network of these neurons on one side, before and after, without room for births."""
    data = im.Data(POINTS - POINTS.mean(axis=0))
    problem = im.Problem(data, im.aligned_law(data, 1, activation=activation), activation, weight_decay=0.01)
    rows = np.asarray(rows)
    with computing_in(DOUBLE):
        landscape = Landscape.of(problem, None)
        encoder = im.NeuronMeasure.of(rows[:, :1], rows[:, 1:3] @ landscape.basis, rows[:, 3], masses)
        decoder = im.NeuronMeasure.of(rows[:, 1:3] @ landscape.basis, rows[:, :1], rows[:, 3], masses)
        one = np.array([0])
        pair = (encoder, decoder.chosen(one)) if side == 0 else (encoder.chosen(one), decoder)
        before = problem.autoencoder(*pair)
        after = consolidated(before, landscape, 0)
    return landscape, before, after


@pytest.mark.parametrize("side", [0, 1])
def test_opposite_neurons_are_one_where_the_activation_is_odd(side):
    rows = [NEURONS[0], -NEURONS[0], NEURONS[1], -NEURONS[0]]
    for activation, count in (("tanh", 2), ("gelu", 3)):
        landscape, before, after = merged(activation, rows, [0.2, 0.3, 0.4, 0.1], side)
        assert number_of_atoms(after)[side] == count
        masses = np.sort([mass for mass in (after.encoder, after.decoder)[side].masses if mass > 0])
        np.testing.assert_allclose(masses, [0.4, 0.6] if count == 2 else [0.2, 0.4, 0.4])
        with computing_in(DOUBLE):
            assert landscape.objective(after) == pytest.approx(landscape.objective(before), rel=1e-12)
            assert landscape.risk(after) == pytest.approx(landscape.risk(before), rel=1e-12)


def test_neighbours_meet_at_their_centre_of_mass():
    shift = 1e-5 * np.array([1.0, -2.0, 0.5, 1.0])
    _, _, after = merged("gelu", [NEURONS[0], NEURONS[0] + shift, NEURONS[1]], [0.1, 0.3, 0.6], 1)
    decoder = after.decoder
    assert number_of_atoms(after)[1] == 2
    place = int(np.argmin(np.abs(np.asarray(decoder.masses) - 0.4)))
    assert decoder.masses[place] == pytest.approx(0.4)
    assert decoder.bias[place] == pytest.approx(NEURONS[0, 3] + 0.75 * shift[3], abs=1e-12)
    assert decoder.incoming[place, 0] == pytest.approx(NEURONS[0, 0] + 0.75 * shift[0], abs=1e-12)


def test_neurons_that_differ_stay_apart():
    _, _, after = merged("tanh", NEURONS, [0.5, 0.5], 0)
    assert number_of_atoms(after) == (2, 1)


@pytest.mark.parametrize("least", [0, 1])
def test_shares_of_a_width_are_the_nearest_whole_numbers(least):
    """Among all divisions of N neurons it has the least distance to the masses."""
    masses, width = np.array([0.46, 0.305, 0.2, 0.035]), 7
    counts = apportioned(masses, width, least)
    distance = lambda counts: np.abs(np.array(counts) - width * masses).sum()
    every = [c for c in itertools.product(range(width + 1), repeat=4) if sum(c) == width and min(c) >= least]
    assert counts.sum() == width and counts.min() >= least
    assert distance(counts) == pytest.approx(min(map(distance, every)))


@pytest.mark.parametrize("side", [0, 1])
def test_a_new_atom_takes_its_mass_from_all_others_and_lowers_the_objective(side):
    landscape, before, _ = merged("tanh", NEURONS, [0.7, 0.3], side)
    with computing_in(DOUBLE):
        roomy = consolidated(before, landscape, 2)
        _, candidates = certified(roomy, landscape, 16, 0)
        after = with_births(roomy, side, candidates[side], 1, landscape)
        old, new = (np.asarray((network.encoder, network.decoder)[side].masses) for network in (roomy, after))
        assert landscape.objective(after) < landscape.objective(roomy)
    assert new.sum() == pytest.approx(1.0)
    born = np.flatnonzero((old == 0) & (new > 0))
    assert len(born) == 1
    np.testing.assert_allclose(new[old > 0], (1 - new[born[0]]) * old[old > 0])
