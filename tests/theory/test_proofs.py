"""Least first variations that are proven: by enumeration of cells, and by branch and bound, against brute force."""

import dataclasses

import jax
import numpy as np
import pytest
from amplitudes import best_amplitudes

import isthmus as im
from isthmus._precision import computing_in
from isthmus.core.frame import in_axes
from isthmus.theory import branching, variation_gaps
from isthmus.theory.arrangement import steepest
from isthmus.theory.branching import can_prove, proven_minimum
from isthmus.theory.certificates import certified
from isthmus.theory.landscape import Landscape
from isthmus.theory.lowest_neurons import Side, lowest_neurons

DOUBLE = np.dtype(np.float64)
SLOPES = {"relu": (0.0, 1.0), "leaky_relu": (0.01, 1.0), "linear": (1.0, 1.0)}


def side(activation, latents, pull, decay=0.02, train_biases=True):
    return Side(latents, pull, decay, im.ACTIVATIONS[activation], train_biases, None)


def pulls_at(activation, lifted, pull, directions):
    """Return |p| at (w, b) in rows."""
    values = [
        im.ACTIVATIONS[activation].of(rows @ lifted.T) @ pull
        for rows in np.array_split(directions, 1 + len(directions) // 10_000)
    ]
    return np.linalg.norm(np.concatenate(values), axis=1)


@pytest.mark.parametrize("activation", sorted(SLOPES))
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_steepest_direction_is_that_of_a_fine_grid(activation, dim):
    """Some points coincide, some are collinear, and some pass through 0."""
    random = np.random.default_rng(dim)
    inputs, pull = random.standard_normal((9, dim)), random.standard_normal((9, 2))
    inputs[1] = inputs[0]
    inputs[2] = -2 * inputs[3]
    inputs[4, 0] = inputs[5, 0] = inputs[6, 0] = 0.0
    found, units = steepest(inputs, pull, SLOPES[activation])
    directions = random.standard_normal((200_000, dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    brute = pulls_at(activation, inputs, pull, directions).max()
    assert brute * (1 - 1e-12) <= found <= brute * 1.002
    assert pulls_at(activation, inputs, pull, units)[0] == pytest.approx(found, rel=1e-12)
    assert steepest(inputs, pull, SLOPES[activation], known=0.99 * found)[0] == pytest.approx(found, rel=1e-12)


def test_all_points_in_one_place():
    found, _ = steepest(np.tile([0.0, 0.0, 1.0], (4, 1)), np.ones((4, 1)), SLOPES["relu"])
    assert found == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("activation", "k"), [("tanh", 1), ("tanh", 2), ("gelu", 1), ("softplus", 1), ("sigmoid", 2), ("erf", 2)]
)
def test_branch_and_bound_proves_the_minimum_of_a_fine_grid(activation, k):
    random = np.random.default_rng(k)
    latents, pull = random.standard_normal((20, k)), 0.003 * random.standard_normal((20, 3))
    one = side(activation, latents, pull)
    assert can_prove(one)
    bound, proven = proven_minimum(one, 0.0, 1e-7)
    axes = [np.linspace(-5, 5, 301 if k == 1 else 81)] * (k + 1)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, k + 1)
    heights = 0.01 * (grid**2).sum(axis=1) - pulls_at(activation, one.lifted, pull, grid) ** 2 / 0.04
    assert proven
    assert bound <= heights.min() <= bound + 1e-7 + 0.03 * abs(bound)


def narrow(activation, decay):
    """Return a side whose deep and narrow minimum lies about one point far from all others, which pull gently.

    The pull of the far points sums to 0, so that only neurons that tell them apart feel it.
    """
    near = np.linspace(-1, 1, 40)[:, None]
    far = np.array([[3.0], [3.1], [3.2]])
    gentle = 0.001 * np.column_stack([near[:, 0], np.ones(40)])
    latents = np.concatenate([near, far])
    pull = np.concatenate([gentle, 0.1 * np.array([[1.0, 0.0], [-2.0, 0.0], [1.0, 0.0]])])
    return side(activation, latents, pull, decay)


def test_a_deep_narrow_minimum_away_from_all_data_is_missed_by_the_search_and_found_by_the_proof():
    one = narrow("tanh", 1e-3)
    _, heights = lowest_neurons(one, 16, 0)
    bound, proven = proven_minimum(one, float(heights[0]), 1e-3 * abs(float(heights[0])))
    assert proven
    assert bound < 1.5 * heights[0]
    random = np.random.default_rng(0)
    slopes = np.exp(random.uniform(0, 4, 200_000)) * random.choice([-1.0, 1.0], 200_000)
    points = np.column_stack([slopes, -slopes * random.uniform(2.9, 3.3, 200_000)])
    brute = (0.5e-3 * (points**2).sum(axis=1) - pulls_at("tanh", one.lifted, one.pull, points) ** 2 / 2e-3).min()
    assert bound <= brute


def test_a_broken_bound_of_the_remainder_is_noticed(monkeypatch):
    """Without suprema of φ‴ and φ′ branch and bound would prove what isn't true."""
    one = narrow("tanh", 1e-3)
    right, _ = proven_minimum(one, 0.0, 1e-3)
    honest = branching._suprema(one.activation)
    zeros = honest._replace(first=0 * honest.first, third=0 * honest.third)
    monkeypatch.setattr(branching, "_suprema", lambda activation: zeros)
    wrong, _ = proven_minimum(one, 0.0, 1e-3)
    assert wrong > 0.5 * right


@pytest.fixture(scope="module")
def relu():
    data = im.Data(im.manifold_stream(3, 1, seed=5).draw(20, 0).points, center=True, scale="total")
    problem = im.Problem(data, im.aligned_law(data, 1, activation="relu"), "relu", weight_decay=0.01)
    return problem, im.solve_optimum(problem, atoms=16, restarts=1, starts=128)


def test_relu_meets_the_tolerance_with_a_proven_gap(relu):
    problem, optimum = relu
    certificate = optimum.certificate
    assert optimum.status.ok and certificate.proven
    assert max(certificate.decoder_gap, certificate.encoder_descent) <= 1e-5 * optimum.objective
    for measure in (optimum.encoder, optimum.decoder):  # balanced, in the gauge of least penalty
        into = (np.asarray(measure.incoming) ** 2).sum(axis=1) + np.asarray(measure.bias) ** 2
        np.testing.assert_allclose((np.asarray(measure.outgoing) ** 2).sum(axis=1), into, rtol=1e-3)
    assert problem.objective(optimum.autoencoder) == pytest.approx(optimum.objective, rel=1e-12)


def test_no_decoder_of_a_convex_solver_on_all_breakpoints_is_better_than_the_proven_gap_allows(relu):
    problem, optimum = relu
    of_solver = decoder_of_solver(problem, optimum.autoencoder)
    own = optimum.risk + decoder_penalty(problem, optimum.autoencoder)
    assert own - optimum.certificate.decoder_gap <= of_solver <= own + 1e-4 * own


def test_few_rounds_end_with_kinks_as_they_are(relu):
    """Softened ones would leave nothing proven."""
    problem, _ = relu
    found = im.solve_optimum(problem, atoms=16, restarts=1, rounds=6, starts=128, throw=False)
    assert found.certificate.proven and found.certificate.decoder_gap < 1e-3 * found.objective


def test_a_search_that_misses_the_pull_on_the_atoms_themselves_leaves_it_in_the_certificate(relu, monkeypatch):
    problem, optimum = relu
    with computing_in(DOUBLE):
        landscape = Landscape.of(problem, None)
        atoms = in_axes(optimum.autoencoder, landscape.basis)
        masses, *parts = (np.asarray(part) for part in jax.tree.leaves(atoms.encoder))
        weak = atoms.with_measures(im.NeuronMeasure(masses, *(0.95 * part for part in parts)), atoms.decoder)
        right, _ = certified(weak, landscape, 128, 0)
        missed = lambda side, starts, seed: (0.0, np.eye(side.inputs.shape[1] + 1), False)
        monkeypatch.setattr(variation_gaps, "steepest_ray", missed)
        found, _ = certified(weak, landscape, 128, 0)
    assert 0.3 * right.encoder_descent < found.encoder_descent <= right.encoder_descent * (1 + 1e-9)


def decoder_of_solver(problem, network):
    """Return the least objective of a decoder beside an encoder, less the encoder's penalty, by a convex solver.

    For one latent the best directions lie at breakpoints, or between them, where a dense grid comes close.
    """
    points, weights, decay = problem.population.points, problem.population.weights, problem.decays[1]
    with computing_in(DOUBLE):
        latents = np.asarray(network.encode(points))
    lifted = np.column_stack([latents, np.ones(len(points))])
    knots = np.column_stack([np.ones(len(points)), -latents[:, 0]])
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    directions = np.concatenate([knots, -knots, np.column_stack([np.cos(angles), np.sin(angles)])])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    features, root = np.maximum(lifted @ directions.T, 0), np.sqrt(weights)[:, None]
    amplitudes, _ = best_amplitudes(features * root, points * root, decay, gap=1e-9)
    errors = ((features @ amplitudes - points) ** 2).sum(axis=1)
    return weights @ errors / 2 + decay * np.linalg.norm(amplitudes, axis=1).sum()


def decoder_penalty(problem, network):
    measure = network.decoder
    sizes = (np.asarray(measure.outgoing) ** 2).sum(1) + (np.asarray(measure.incoming) ** 2).sum(1)
    return problem.decays[1] / 2 * float(np.asarray(measure.masses) @ (sizes + np.asarray(measure.bias) ** 2))


def test_at_another_decoder_the_gap_bounds_what_can_be_gained(relu):
    problem, optimum = relu
    with computing_in(DOUBLE):
        landscape = Landscape.of(problem, None)
        network = optimum.autoencoder
        smaller = dataclasses.replace(network.decoder, outgoing=0.7 * np.asarray(network.decoder.outgoing))
        worse = in_axes(network.with_measures(network.encoder, smaller), landscape.basis)
        certificate, _ = certified(worse, landscape, 64, 0)
        gained = landscape.objective(worse) - optimum.objective
    assert certificate.proven
    assert 0.01 * optimum.objective < gained <= certificate.decoder_gap


def test_smooth_activations_have_a_proven_gap_for_few_latents_and_say_so():
    data = im.Data(im.manifold_stream(3, 1, seed=5).draw(20, 0).points, center=True, scale="total")
    problem = im.Problem(data, im.aligned_law(data, 1), weight_decay=0.02)
    optimum = im.solve_optimum(problem, atoms=8, restarts=1, starts=64)
    assert optimum.status.ok and optimum.certificate.proven
    in_ball = im.solve_optimum(problem, atoms=8, restarts=1, starts=64, radius=1.5, throw=False, rounds=2)
    assert not in_ball.certificate.proven


@pytest.mark.parametrize(
    "weight_decay", [pytest.param(1e-9, marks=pytest.mark.slow), pytest.param(1e-6, marks=pytest.mark.slow), 1e-4, 1.0]
)
def test_linear_optima_report_their_distance_from_the_known_one(weight_decay):
    data = im.Data(im.manifold_stream(4, 2, seed=1).draw(32, 0).points, center=True, scale="total")
    law = im.aligned_law(data, 2, activation="linear", bias_scale=0.0)
    problem = im.Problem(data, law, "linear", weight_decay=weight_decay)
    optimum = im.solve_optimum(problem, atoms=8, restarts=1, starts=16)
    certificate = optimum.certificate
    assert certificate.known_optimum is not None and certificate.proven
    distance = optimum.objective - certificate.known_optimum
    assert -1e-9 <= distance <= 1e-6
    assert certificate.decoder_gap <= max(distance, 0.0) + 1e-15
