"""Options that must not change what is solved: how runs are divided, and with how much memory."""

import numpy as np
import pytest

import isthmus as im


@pytest.fixture(scope="module")
def problem():
    points = np.random.default_rng(2).standard_normal((5, 3))
    data = im.Data(points, [1.0, 2.0, 3.0, 2.0, 1.0], center=True, scale="total")
    rates = {"encoder_rate": 0.5, "decoder_rate": lambda t: 1 + t}
    return im.Problem(data, im.aligned_law(data, 1), weight_decay=(0.3, 0.1), **rates)


def test_little_memory_solves_the_same_problem_with_decay_and_rates(problem):
    times, options = [0.0, 0.5, 1.5], {"particles": 16, "replicates": 1, "rtol": 1e-6, "max_steps": 500}
    adaptive, little = (
        im.solve_mean_field(problem, times, integrator=name, **options) for name in ("adaptive", "low_memory")
    )
    np.testing.assert_allclose(little.risk, adaptive.risk, rtol=1e-5)
    np.testing.assert_allclose(little.decoder.outgoing, adaptive.decoder.outgoing, rtol=1e-4, atol=1e-5)


def test_flows_of_later_runs_are_those_of_all_runs(problem):
    options = {"dtype": "float64", "rtol": 1e-8}
    every = im.gradient_flow(problem, [0.0, 1.0], 3, runs=3, **options)
    later = im.gradient_flow(problem, [0.0, 1.0], 3, runs=2, first_run=1, **options)
    np.testing.assert_allclose(later.risk, every.risk[1:], rtol=1e-6)
    trained = im.train(problem, [0.0, 0.5], 3, 0.5, batch_size=2, runs=2, first_run=1, dtype="float64")
    np.testing.assert_allclose(trained.risk[:, 0], every.risk[1:, 0], rtol=1e-12)
    assert len(np.unique(every.risk[:, 0])) == 3


def test_decays_belong_to_their_sides(problem):
    encoder = lambda outgoing: im.NeuronMeasure.of([[outgoing]], [[1.0, 0.0, 2.0]], [1.0])
    decoder = im.NeuronMeasure.of([[3.0, 0.0, 0.0]], [[1.0]])
    for outgoing, square in ((2.0, 10.0), (4.0, 22.0)):
        network = problem.autoencoder(encoder(outgoing), decoder)
        risk = network.risk(problem.population.points, problem.population.weights)
        assert problem.objective(network) - float(risk) == pytest.approx(0.3 / 2 * square + 0.1 / 2 * 10)
