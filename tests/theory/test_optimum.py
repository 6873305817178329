"""The optimum over measures against known ones, brute force, and a convex solver on a grid of neurons."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest
from scipy.optimize import minimize

import isthmus as im
from isthmus._precision import computing_in
from isthmus.core.frame import in_axes
from isthmus.core.neurons import NeuronMeasure
from isthmus.theory.atoms import number_of_atoms
from isthmus.theory.certificates import certified
from isthmus.theory.landscape import Landscape
from isthmus.theory.search import DESCENTS, Search
from isthmus.theory.starts import start_from

DOUBLE = np.dtype(np.float64)
STANDARD_ERRORS = 5


@pytest.fixture(scope="module")
def curve():
    data = im.Data(im.manifold_stream(3, 1, seed=3).draw(24, 0).points, center=True, scale="total")
    return im.Problem(data, im.aligned_law(data, 1), weight_decay=(0.004, 0.008))


@pytest.fixture(scope="module")
def optimum(curve):
    return im.solve_optimum(curve, atoms=16, restarts=2, starts=256)


def linear(weight_decay, points=32):
    data = im.load_data("wine", max_points=points)
    law = im.aligned_law(data, 2, activation="linear", bias_scale=0.0)
    return data, im.Problem(data, law, activation="linear", weight_decay=weight_decay)


def test_without_penalty_every_linear_restart_ends_at_the_pca_residual():
    data, problem = linear(0.0)
    found = im.solve_optimum(problem, atoms=8, restarts=3)
    np.testing.assert_allclose(found.restarts, data.pca_risk(2), rtol=1e-6)
    assert found.certificate.known_optimum == pytest.approx(data.pca_risk(2), rel=1e-12)
    assert found.certificate.decoder_gap < 1e-6


def test_with_penalty_the_linear_optimum_is_that_of_the_singular_values():
    _, problem = linear((0.01, 0.03))
    found = im.solve_optimum(problem, atoms=8, restarts=1)
    assert found.objective == pytest.approx(found.certificate.known_optimum, rel=1e-8)
    assert found.certificate.decoder_gap < 1e-5 * found.objective
    assert found.risk < found.objective < 0.5


@pytest.mark.slow
def test_a_teacher_in_the_ball_is_as_good_as_found():
    """Points that a network in the ball reconstructs exactly: the optimum is 0."""
    random = np.random.default_rng(4)
    z = np.linspace(-1, 1, 4)[:, None]
    c, u, e = random.standard_normal((6, 3)), random.standard_normal((6, 1)), random.standard_normal(6)
    points = np.tanh(z @ u.T + e) @ c / 6
    w, b = random.standard_normal((6, 3)), random.standard_normal(6)
    a = 6 * np.linalg.lstsq(np.tanh(points @ w.T + b), z, rcond=None)[0]
    radius = max(np.linalg.norm(np.column_stack(parts), axis=1).max() for parts in ((a, w, b), (c, u, e)))
    data = im.Data(points)
    problem = im.Problem(data, im.Law(im.GaussianNeurons(1, 3), im.GaussianNeurons(3, 1)))
    found = im.solve_optimum(problem, radius=radius, atoms=8, restarts=1, tolerance=1e-3, starts=256, throw=False)
    assert found.risk < 1e-7 * (points**2).sum(axis=1).mean()
    for measure in (found.encoder, found.decoder):
        norms = np.linalg.norm(np.column_stack([measure.outgoing, measure.incoming, measure.bias]), axis=1)
        assert norms.max() <= radius * (1 + 1e-9)


def on_a_grid(problem, latents, incoming, bias, steps=20_000):
    """Return the least R + λ/2 ∫|ω|² over measures on these (u, e), by another method, from the convex problem."""
    points, decay = problem.population.points, problem.decays[1]
    features = np.tanh(latents @ incoming.T + bias)
    cost = (incoming**2).sum(axis=1) + bias**2
    size, dim = len(bias), points.shape[1]

    def function(flat):
        c, logits = flat[: size * dim].reshape(size, dim), flat[size * dim :]
        m = np.exp(logits - logits.max())
        m /= m.sum()
        r = (features * m) @ c - points
        squares = (c**2).sum(axis=1) + cost
        value = (r**2).sum() / 2 / len(points) + decay / 2 * m @ squares
        pull = features.T @ r / len(points)
        by_mass = (pull * c).sum(axis=1) + decay / 2 * squares
        return value, np.concatenate([(m[:, None] * (pull + decay * c)).ravel(), m * (by_mass - m @ by_mass)])

    return minimize(
        function,
        np.zeros(size * (dim + 1)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": steps, "maxfun": 2 * steps, "ftol": 1e-14},
    ).fun


def test_the_duality_gap_bounds_what_a_convex_solver_on_a_grid_of_neurons_gains(curve, optimum):
    """At the optimum nothing is gained; at another decoder, what is gained lies below the gap."""
    with computing_in(DOUBLE):
        landscape = Landscape.of(curve, None)
        best = in_axes(optimum.autoencoder, landscape.basis)
        latents = np.asarray(best.encode(landscape.field.points))
    grid = np.array(list(itertools.product(np.linspace(-4, 4, 33), repeat=2)))
    penalty = (
        curve.decays[0]
        / 2
        * float(
            np.asarray(best.encoder.masses)
            @ (
                (np.asarray(best.encoder.outgoing) ** 2).sum(1)
                + (np.asarray(best.encoder.incoming) ** 2).sum(1)
                + np.asarray(best.encoder.bias) ** 2
            )
        )
    )
    on_grid = on_a_grid(curve, latents, grid[:, :1], grid[:, 1]) + penalty
    assert optimum.objective - optimum.certificate.decoder_gap <= on_grid
    assert on_grid <= optimum.objective * 1.02  # so the grid is fine enough to be a judge
    with computing_in(DOUBLE):
        worse = best.with_measures(
            best.encoder,
            NeuronMeasure.of(
                best.decoder.outgoing * 0.8, best.decoder.incoming, best.decoder.bias, best.decoder.masses
            ),
        )
        certificate, _ = certified(worse, landscape, 256, 0)
        gained = landscape.objective(worse) - on_grid
    assert 0.001 * optimum.objective < gained <= certificate.decoder_gap


def test_no_random_neuron_lies_below_the_minimum_of_the_first_variation(curve, optimum):
    random = np.random.default_rng(0)
    network = optimum.autoencoder
    for side, outputs, inputs, name in ((0, 1, 3, "encoder"), (1, 3, 1, "decoder")):
        scales = np.exp(random.uniform(-2, 1.5, (20_000, 1)))
        neurons = scales * random.standard_normal((20_000, outputs + inputs + 1))
        measure = NeuronMeasure.of(neurons[:, :outputs], neurons[:, outputs:-1], neurons[:, -1])
        at = network.with_measures(*((measure, network.decoder) if side == 0 else (network.encoder, measure)))
        with computing_in(DOUBLE):
            variations = jax.jit(lambda at, network=network: network.first_variations(curve.population.points, at=at))
            psi = variations(at)[side]
        values = np.asarray(psi) + curve.decays[side] / 2 * (neurons**2).sum(axis=1)
        assert values.min() >= getattr(optimum.certificate, f"{name}_minimum") - 1e-12


def test_without_its_heaviest_decoder_atom_the_missing_neuron_is_found(curve, optimum):
    """The minimum of the first variation then lies far below its values at the atoms that are left."""
    with computing_in(DOUBLE):
        landscape = Landscape.of(curve, None)
        best = in_axes(optimum.autoencoder, landscape.basis)
        others = np.delete(np.arange(best.decoder.width), np.argmax(best.decoder.masses))
        parts = [np.asarray(part)[others] for part in (best.decoder.outgoing, best.decoder.incoming, best.decoder.bias)]
        masses = np.asarray(best.decoder.masses)[others]
        lame = best.with_measures(best.encoder, NeuronMeasure.of(*parts, masses / masses.sum()))
        certificate, (_, found) = certified(lame, landscape, 256, 0)
        data = landscape.field.points, landscape.field.weights
        psi = np.asarray(lame.first_variations(*data)[1])
        at_atoms = psi + curve.decays[1] / 2 * sum((part.reshape(len(others), -1) ** 2).sum(axis=1) for part in parts)
        at_found = lame.first_variations(
            landscape.field.points, landscape.field.weights, at=lame.with_measures(lame.encoder, found)
        )[1][0]
        gained = landscape.objective(lame) - optimum.objective
    square = sum((np.asarray(part)[0] ** 2).sum() for part in (found.outgoing, found.incoming, found.bias))
    assert certificate.decoder_minimum == pytest.approx(float(at_found) + curve.decays[1] / 2 * square, rel=1e-8)
    assert certificate.decoder_minimum < at_atoms.min() - 0.01 * optimum.objective
    assert 0 < gained <= certificate.decoder_gap


def test_the_optimum_beats_long_descent_and_is_a_fixed_point(curve, optimum):
    assert optimum.status.ok
    assert optimum.objective == pytest.approx(curve.objective(optimum.autoencoder), rel=1e-12)
    assert optimum.atoms == number_of_atoms(optimum.autoencoder)
    assert max(optimum.atoms) < 16  # few atoms, of many that began
    path = im.solve_mean_field(curve, [0.0, 500.0], particles=64, replicates=1)
    assert optimum.objective < curve.objective(path.at(500.0))
    assert optimum.certificate.stationarity < 1e-10


def test_the_excess_risk_of_drawn_decoders_is_exact(curve, optimum):
    """Every one of the N² decoders of two atoms, weighted by its probability."""
    network, constants = optimum.autoencoder, optimum.expressivity
    with computing_in(DOUBLE):
        points = curve.population.points
        masses, count = np.asarray(network.decoder.masses), network.decoder.width
        expected = 0.0
        for i, j in itertools.product(range(count), repeat=2):
            pair = jax.tree.map(lambda leaf, rows=[i, j]: np.asarray(leaf)[rows], network.decoder)
            two = NeuronMeasure.of(pair.outgoing, pair.incoming, pair.bias)
            expected += masses[i] * masses[j] * float(network.with_measures(network.encoder, two).risk(points))
    assert expected == pytest.approx(constants.risk + constants.decoder / 2, rel=1e-10)
    assert constants.expected_risk((10**12, 2)) == pytest.approx(expected, rel=1e-8)


def test_the_excess_risk_of_drawn_encoders_is_right_to_leading_order(curve, optimum):
    width, excess = 4_000, []
    risk = jax.jit(lambda network, points: network.risk(points))
    with computing_in(DOUBLE):
        for seed in range(400):
            drawn = optimum.draw((width, 1), seed).encoder
            network = optimum.autoencoder.with_measures(drawn, optimum.decoder)
            excess.append((float(risk(network, curve.population.points)) - optimum.risk) * width)
    error, constant = np.std(excess, ddof=1) / 20, optimum.expressivity.encoder
    assert abs(np.mean(excess) - constant) <= STANDARD_ERRORS * error + 0.02 * constant
    assert error < 0.2 * constant


@pytest.mark.slow
def test_the_same_seed_gives_the_same_optimum(curve, optimum):
    again = im.solve_optimum(curve, atoms=16, restarts=2, starts=256, workers=1)
    np.testing.assert_array_equal(again.restarts, optimum.restarts)
    for one, other in zip(jax.tree.leaves(again.draw(5, 3)), jax.tree.leaves(optimum.draw(5, 3)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_birth_of_a_pair_and_no_split_lowers_the_objective(curve, optimum):
    """Where first variations are least at the atoms, births cost at first order, and what two gain is of second."""
    random, network, size = np.random.default_rng(0), optimum.autoencoder, np.sqrt(optimum.objective / 0.01)
    sides = [[np.asarray(part, float) for part in jax.tree.leaves(side)] for side in (network.encoder, network.decoder)]

    def objective(encoder, decoder):
        return curve.objective(network.with_measures(NeuronMeasure.of(*encoder), NeuronMeasure.of(*decoder)))

    def born(side, mass):
        masses, *parts = side
        new = [size * random.normal(size=(1, *part.shape[1:])) for part in parts]
        joined = (np.concatenate([part, one]) for part, one in zip(parts, new, strict=True))
        return *joined, np.append((1 - mass) * masses, mass)

    def split(side, distance):
        masses, *parts = side
        moves = [distance * random.normal(size=part.shape) for part in parts]
        halves = (np.concatenate([part + move, part - move]) for part, move in zip(parts, moves, strict=True))
        return *halves, np.concatenate([masses, masses]) / 2

    for _ in range(60):
        for mass in (1e-2, 1e-4):
            assert objective(*(born(side, mass) for side in sides)) > optimum.objective * (1 - 1e-5 * mass)
        for distance in (1e-1, 1e-2):
            assert objective(*(split(side, distance) for side in sides)) > optimum.objective * (1 - 1e-9)


def test_no_move_of_atoms_lowers_the_objective_at_second_order(curve, optimum):
    """The Hessian at another network is that of finite differences of the objective, by hand."""
    assert optimum.certificate.curvature > -1e-7
    with computing_in(DOUBLE):
        landscape = Landscape.of(curve, None)
        best = in_axes(optimum.autoencoder, landscape.basis)
        one = np.array([0])
        network = best.with_measures(best.encoder.chosen(one), best.decoder.chosen(one))
        start = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves((network.encoder, network.decoder))]) + 0.3
        shapes = [np.shape(leaf) for leaf in jax.tree.leaves((network.encoder, network.decoder))]

        def realised(flat):
            parts = np.split(flat, np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1])
            parts = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
            return network.with_measures(
                NeuronMeasure(np.ones(1), *parts[1:4]),
                NeuronMeasure(np.ones(1), *parts[5:]),
            )

        size, step = len(start), 1e-4
        value = lambda flat: landscape.objective(realised(flat))
        moves = step * np.eye(size)
        hessian = np.array(
            [
                [
                    value(start + a + b) - value(start + a - b) - value(start - a + b) + value(start - a - b)
                    for b in moves
                ]
                for a in moves
            ]
        ) / (4 * step**2)
        found = landscape.curvature(realised(start))
    moving = np.abs(np.diag(hessian)) > 1e-9
    eigenvalues = np.linalg.eigvalsh(hessian[np.ix_(moving, moving)])
    assert found == pytest.approx(eigenvalues[0] / eigenvalues[-1], abs=1e-4) and found < -0.01


def test_a_restart_goes_on_from_the_best_of_its_starts(curve, monkeypatch):
    monkeypatch.setattr(Search, "_refined", lambda self, network, *rest: network)
    with computing_in(DOUBLE):
        landscape = Landscape.of(curve, None)
        starts = [in_axes(start_from(curve, 0, index, 3), landscape.basis) for index in range(4)]
        search = Search(landscape, 1e-3, 1, 16, 1, None)
        heights = [landscape.objective(search.from_best_of([start], 0, 0)) for start in starts]
        best = landscape.objective(search.from_best_of(starts, 0, 0))
    assert best == min(heights) < max(heights) - 1e-3


def test_progress_counts_rounds_to_their_end():
    _, problem = linear(0.0)
    told = []
    im.solve_optimum(problem, atoms=8, restarts=2, rounds=3, progress=lambda *call: told.append(call))
    total = 2 * (DESCENTS + 4)  # of either restart the first descents, three rounds and the last word
    assert told[-1] == (total, total) and len(told) > 2 * DESCENTS + 1
    assert all(after[0] > before[0] for before, after in itertools.pairwise(told))


def test_an_interrupt_leaves_the_best_so_far_and_says_so():
    _, problem = linear((0.01, 0.03))
    told, notes = [], []

    class Impatient:
        def __call__(self, done, total):
            told.append((done, total))
            if done == DESCENTS + 1:  # the first descents and a round
                raise KeyboardInterrupt

        def note(self, text):
            notes.append(text)

    with pytest.warns(im.InterruptedWarning, match="interrupted: .* of 2 restarts"):
        found = im.solve_optimum(
            problem, atoms=8, restarts=2, rounds=3, tolerance=1e-15, workers=1, progress=Impatient()
        )
    assert told[: DESCENTS + 2] == [(done, 2 * (DESCENTS + 4)) for done in range(DESCENTS + 2)]
    assert len(found.restarts) <= 2 and found.objective == pytest.approx(problem.objective(found.autoencoder))
    assert notes[0].startswith("objective 0.") and "gap" in notes[0] and "atoms" in notes[0]

    def at_once(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        im.solve_optimum(problem, atoms=8, restarts=1, progress=at_once)


def test_what_has_no_optimum_is_refused(curve):
    with pytest.raises(im.ArgumentError, match="a weight decay or bounded neurons"):
        im.solve_optimum(dataclasses.replace(curve, weight_decay=0.0))
    with pytest.raises(im.ArgumentError, match="a weight decay or bounded neurons"):
        im.solve_optimum(dataclasses.replace(curve, weight_decay=(0.0, 0.1)))
    with pytest.raises(im.ArgumentError, match="have temperature 0"):
        im.solve_optimum(dataclasses.replace(curve, temperature=0.1))
    with pytest.raises(im.ArgumentError, match="no frozen biases"):
        im.solve_optimum(dataclasses.replace(curve, train_biases=False))
    with pytest.raises(im.NumericalError, match="raise rounds, atoms or the tolerance"):
        im.solve_optimum(curve, atoms=2, restarts=1, rounds=1, tolerance=1e-12)
